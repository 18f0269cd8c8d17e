//! Fetching before clients ask.

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait::{self, PATIENCE};
use serde_json::{Value, json as value};

use crate::management::{call, json, managed};
use crate::stage::{MAIN, Stage, x_cache};

const RULES: &str = r#"{"management":{},"rules":[
    {"name":"never","match":{"path":"/never/.*"},"cache":false},
    {"name":"all","match":{"path":"/.*"},"ttl_seconds":300}]}"#;

async fn stage() -> Stage {
    let listener = Listener::to_cluster(MAIN, "origin").wasm(managed(RULES));
    Stage::with_listener(2, listener).await
}

async fn begin(stage: &Stage, order: Value) -> Value {
    let answer = stage
        .send(call("POST", "/api/cache/warm").body(order.to_string()))
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    json(&answer)
}

/// How the job ended, whichever worker is asked.
async fn end(stage: &Stage, begun: &Value) -> Value {
    let path = format!("/api/cache/warm/{}", begun["id"].as_str().unwrap());
    let ended = wait::poll(PATIENCE, async || {
        let progress = json(&stage.send(call("GET", &path)).await);
        (progress["state"] == "done").then_some(progress)
    });
    ended.await.unwrap()
}

#[tokio::test]
async fn fifty_urls_are_fetched_once_and_then_all_are_hits() {
    let stage = stage().await;
    let gate = Gate::closed();
    let held = gate.clone();
    stage.origin.on_call("/page/*", move |request| {
        Reply::ok(request.path_only().to_owned()).behind(&held)
    });
    let urls: Vec<String> = (0..50).map(|n| format!("/page/{n}")).collect();
    let begun = begin(&stage, value!({"urls": urls, "concurrency": 5})).await;
    assert_eq!(
        (&begun["total"], &begun["cluster"]),
        (&value!(50), &value!("origin"))
    );
    wait::eventually("five are asked for", PATIENCE, async || {
        stage.origin.total() == 5
    })
    .await;
    // As long as none of them is answered there are no more, however often the workers tick meanwhile.
    let job = format!("/api/cache/warm/{}", begun["id"].as_str().unwrap());
    for _ in 0..50 {
        let progress = json(&stage.send(call("GET", &job)).await);
        assert_eq!(
            (&progress["state"], &progress["done"]),
            (&value!("running"), &value!(0))
        );
        assert_eq!(stage.origin.total(), 5);
    }
    gate.open();
    let ended = end(&stage, &begun).await;
    assert_eq!(
        (&ended["done"], &ended["stored"]),
        (&value!(50), &value!(50)),
        "{ended}"
    );
    assert_eq!(stage.origin.total(), 50);
    for worker in 0..2 {
        let connected = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        let mut client = connected.await.unwrap();
        for url in &urls {
            let ask = Request::get(url).authority("api.example.com");
            let answer = client.send(ask).await.unwrap();
            assert_eq!(
                (x_cache(&answer), answer.text().as_str()),
                ("HIT", url.as_str())
            );
        }
    }
    assert_eq!(stage.origin.total(), 50);
    stage.assert_outcome("miss", 0).await;
    let fetched = "larder_origin_fetches_total.class.warm.result.ok";
    assert_eq!(stage.counter(fetched).await, 50);
    let again = end(&stage, &begin(&stage, value!({"urls": urls})).await).await;
    assert_eq!(
        (&again["fresh"], &again["stored"]),
        (&value!(50), &value!(0))
    );
    assert_eq!(stage.origin.total(), 50, "what is fresh is not fetched");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_becomes_of_each_url_is_said() {
    let stage = stage().await;
    stage
        .origin
        .on("/stored", Reply::ok("a").header("etag", "\"1\""));
    stage.origin.on("/empty", Reply::ok(""));
    stage
        .origin
        .on("/cookie", Reply::ok("b").header("set-cookie", "a=b"));
    stage.origin.on(
        "/private",
        Reply::ok("c").header("cache-control", "private"),
    );
    stage.origin.on("/gone", Reply::new(404, "d"));
    stage.origin.on("/broken", Reply::dies_after("1234", 8));
    let urls = [
        "/stored", "/empty", "/cookie", "/private", "/gone", "/broken", "/never/x", "/a/../b",
    ];
    let ended = end(&stage, &begin(&stage, value!({"urls": urls})).await).await;
    assert_eq!(ended["stored"], 2, "{ended}");
    assert_eq!(ended["failed"], 1, "{ended}");
    let reasons =
        value!({"set-cookie": 1, "private": 1, "status": 1, "rule-bypass": 1, "ambiguous-path": 1});
    assert_eq!(ended["not_stored"], reasons);
    for path in ["/never/x", "/a/../b", "/b"] {
        assert_eq!(stage.origin.count(path), 0, "{path} is not stored");
    }
    let other = end(
        &stage,
        &begin(&stage, value!({"urls": ["/stored"], "cluster": "nowhere"})).await,
    )
    .await;
    assert_eq!(other["fresh"], 1);
    let other = begin(&stage, value!({"urls": ["/other"], "cluster": "nowhere"})).await;
    assert_eq!(end(&stage, &other).await["failed"], 1);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_written_while_it_is_fetched_is_not_served() {
    let stage = stage().await;
    let gate = Gate::closed();
    stage.origin.on("/doc", Reply::ok("old").behind(&gate));
    let begun = begin(&stage, value!({"urls": ["/doc"]})).await;
    wait::eventually("it is asked for", PATIENCE, async || {
        stage.origin.count("/doc") == 1
    })
    .await;
    let purged = call("POST", "/api/cache/invalidate/pattern?pattern=/doc");
    assert_eq!(stage.send(purged).await.status, 200);
    gate.open();
    end(&stage, &begun).await;
    stage.origin.on("/doc", Reply::ok("new"));
    assert_eq!(stage.get("/doc").await.text(), "new");
}

#[tokio::test]
async fn calls_that_are_wrong_are_refused_and_jobs_that_are_unknown_are_not_there() {
    let stage = stage().await;
    for (body, words) in [
        ("{}", "urls"),
        (r#"{"urls":["/a b"]}"#, "urls[0]"),
        (r#"{"urls":["/a"],"concurrency":1000}"#, "concurrency"),
    ] {
        let answer = stage.send(call("POST", "/api/cache/warm").body(body)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let message = json(&answer)["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(words), "{message}");
    }
    for id in ["0123456789abcdef", "x"] {
        let answer = stage
            .send(call("GET", &format!("/api/cache/warm/{id}")))
            .await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let naked = Request::new("POST", "/api/cache/warm").body(r#"{"urls":["/a"]}"#);
    assert_eq!(client.send(naked).await.unwrap().status, 401);
    assert_eq!(stage.origin.total(), 0);
}
