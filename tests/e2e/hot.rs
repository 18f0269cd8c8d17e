//! What workers keep in their own memory: the same answers, within bounds, and never after a write.

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{
    BY_ORIGIN, CACHE_ALL, MAIN, Stage, assert_same_fields, larder, pattern, x_cache,
};

const HOT_HITS: &str = "larder_hot_hits_total";
const HOT_BYTES: &str = "larder_hot_bytes.vm_id.larder";

fn ask(method: &str, path: &str) -> Request {
    Request::new(method, path).authority("api.example.com")
}

/// What comes from a worker's own memory is counted at its next tick.
async fn assert_hot(stage: &Stage, least: u64) {
    eventually("answers came from memory", PATIENCE, async || {
        stage.counter(HOT_HITS).await >= least
    })
    .await;
}

#[tokio::test]
async fn what_comes_from_memory_is_what_came_before_word_for_word() {
    let listener = larder(CACHE_ALL)
        .adds_response_header("x-route", "added")
        .adds_response_header("link", "<route>");
    let stage = Stage::with_listener(1, listener).await;
    let page = Reply::ok(pattern(5_000))
        .header("content-type", "text/html")
        .header("etag", "\"1\"")
        .header("vary", "accept-language")
        .header("link", "<one>")
        .header("link", "<other>");
    stage.origin.on("/page", page);
    stage
        .origin
        .on("/nothing", Reply::ok("").header("etag", "\"2\""));
    let asked = [
        ask("GET", "/page"),
        ask("HEAD", "/page"),
        ask("GET", "/page").header("accept-language", "de"),
        ask("GET", "/page").header("if-none-match", "\"1\""),
        ask("GET", "/nothing"),
    ];
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    for request in &asked {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(client.send(request.clone()).await.unwrap());
        }
        let [_, cold, .., hot] = answers.as_slice() else {
            panic!("six answers");
        };
        assert_eq!((x_cache(cold), x_cache(hot)), ("HIT", "HIT"), "{request:?}");
        assert_eq!((cold.status, &cold.body), (hot.status, &hot.body));
        assert_same_fields(cold, hot, &[]);
    }
    assert_hot(&stage, 5).await;
    assert_eq!(stage.origin.total(), 3, "the page twice, and nothing");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_write_at_one_worker_ends_what_another_has_in_its_memory() {
    let stage = Stage::with_workers(2, BY_ORIGIN).await;
    let connect = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let (mut writer, mut reader) = (connect(0).await.unwrap(), connect(1).await.unwrap());
    let version = |text: String| Reply::ok(text).header("cache-control", "max-age=60");
    for round in 0..50 {
        stage.origin.on("/doc", version(format!("{round} old")));
        stage.origin.on("/other", version("other".to_owned()));
        for _ in 0..4 {
            let read = reader.send(ask("GET", "/doc")).await.unwrap();
            assert_eq!(read.text(), format!("{round} old"));
            reader.send(ask("GET", "/other")).await.unwrap();
        }
        stage.origin.on("/doc", version(format!("{round} new")));
        writer.send(ask("PUT", "/doc").body("new")).await.unwrap();
        let read = reader.send(ask("GET", "/doc")).await.unwrap();
        assert_eq!(read.text(), format!("{round} new"));
        let other = reader.send(ask("GET", "/other")).await.unwrap();
        assert_eq!(x_cache(&other), "HIT", "no write was about it");
        writer.send(ask("PUT", "/doc").body("old")).await.unwrap();
    }
    assert_hot(&stage, 150).await;
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn each_worker_keeps_as_much_as_it_may() {
    let configuration = r#"{"storage":{"hot_bytes":1048576},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}]}"#;
    let stage = Stage::with_workers(2, configuration).await;
    stage.origin.on("/*", Reply::ok(pattern(20_000)));
    for worker in 0..2 {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, worker, Protocol::Http1)
            .await
            .unwrap();
        for n in 0..200 {
            for _ in 0..3 {
                let answer = client.send(ask("GET", &format!("/{n}"))).await.unwrap();
                assert_eq!(answer.body.len(), 20_000);
            }
        }
    }
    eventually(
        "both workers have shown what they keep",
        PATIENCE,
        async || {
            let bytes = stage.counter(HOT_BYTES).await;
            assert!(bytes <= 2 * 1_048_576, "{bytes}");
            bytes > 2 * 900_000
        },
    )
    .await;
    stage.assert_unharmed().await;
}
