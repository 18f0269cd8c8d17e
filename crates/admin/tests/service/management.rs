//! The management API for the fleet.

use larder_harness::client::Request;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::{Value, json as value};

use crate::stage::{TOKEN, call, field, frame, get, json, key, pair, place, put, report};

const A: &str = "00000000000000aa";
const B: &str = "00000000000000bb";

#[tokio::test]
async fn nobody_learns_anything_without_the_token() {
    let (_store, one, _other) = pair().await;
    for path in ["stats", "overview", "nothing", "config"] {
        let path = format!("/api/cache/{path}");
        for authorization in ["", "Bearer wrong"] {
            let request = Request::get(&path).header("authorization", authorization);
            let answer = one.send(request).await;
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(json(&answer)["error"]["code"], "unauthorized");
        }
    }
    // Purging methods are calls on any path, whatever stands there otherwise.
    for path in ["/", "/healthz", "/anything", "/v1/instances"] {
        assert_eq!(
            one.send(Request::new("PURGE", path)).await.status,
            401,
            "{path}"
        );
    }
    let answer = call(&one, "GET", "/api/cache/nothing", &Value::Null).await;
    assert_eq!(answer.status, 404);
    let answer = call(&one, "DELETE", "/api/cache/stats", &Value::Null).await;
    assert_eq!((answer.status, field(&answer, "allow")), (405, Some("GET")));
}

#[tokio::test]
async fn what_is_invalidated_stands_in_the_log_when_the_answer_is_there() {
    let (_store, one, other) = pair().await;
    for (method, path, body, heard) in [
        (
            "POST",
            "/api/cache/invalidate/tag/a",
            Value::Null,
            ("tag", "a", "hard"),
        ),
        (
            "POST",
            "/api/cache/invalidate/tag/a?mode=soft",
            Value::Null,
            ("tag", "a", "soft"),
        ),
        (
            "POST",
            "/api/cache/invalidate/key/GET:a/p?q",
            Value::Null,
            ("key", "GET:a/p?q", "hard"),
        ),
        (
            "POST",
            "/api/cache/invalidate/pattern?pattern=/a/*",
            Value::Null,
            ("pattern", "/a/*", "hard"),
        ),
        (
            "POST",
            "/api/cache/invalidate",
            value!({"tags": ["a", "b"]}),
            ("tag", "a and 1 more", "hard"),
        ),
        (
            "POST",
            "/api/cache/invalidate",
            value!({"all": true}),
            ("all", "", "hard"),
        ),
        (
            "DELETE",
            "/api/cache/entries/GET:a/p",
            Value::Null,
            ("key", "GET:a/p", "hard"),
        ),
        ("PURGE", "/p", Value::Null, ("key", "/p", "hard")),
    ] {
        let before = other.end().await;
        let answer = call(&one, method, path, &body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        let said = json(&answer);
        assert_eq!(said["durable"], true, "{said}");
        let log = json(
            &other
                .get(&format!("/v1/invalidations?after={before}"))
                .await,
        );
        let record = &log["records"][0];
        assert_eq!(record["id"], said["id"], "{path}: {log}");
        let known = ["kind", "value", "mode"].map(|name| record[name].as_str().unwrap_or(""));
        // A URL is named with the host that was called.
        let value = known[1].replace(&one.address().to_string(), "");
        assert_eq!(
            [known[0], &value, known[2]],
            [heard.0, heard.1, heard.2],
            "{path}"
        );
        let shown = get(
            &other,
            &format!("/api/cache/invalidations/{}", said["id"].as_str().unwrap()),
        )
        .await;
        assert_eq!(
            (&shown["status"], &shown["kind"]),
            (&value!("pending"), &value!(heard.0))
        );
    }
}

#[tokio::test]
async fn a_purge_of_a_url_ends_what_stands_for_it() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    one.ask(put(&key, &end, frame(&key, &[], b"x"))).await;
    let purge = Request::new("PURGE", "/p")
        .authority("a")
        .header("authorization", format!("Bearer {TOKEN}"));
    let answer = other.send(purge).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = json(&answer)["id"].as_str().unwrap().to_owned();
    eventually("the purge is known", PATIENCE, async || {
        one.service.follower.end().unwrap().to_string() == id
    })
    .await;
    assert_eq!(one.get(&place(&key, "")).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_nothing_is_noted() {
    let (_store, one, _other) = pair().await;
    let before = one.end().await;
    for (method, path, body, status, problem) in [
        (
            "POST",
            "/api/cache/invalidate",
            value!({"patterns": ["regex:("]}),
            400,
            "is no regular expression",
        ),
        (
            "POST",
            "/api/cache/invalidate",
            value!({"tgas": ["a"]}),
            400,
            "tgas: is unknown",
        ),
        (
            "POST",
            "/api/cache/invalidate",
            value!({}),
            400,
            "names nothing",
        ),
        (
            "POST",
            "/api/cache/invalidate/tag/a?dry_run=true",
            Value::Null,
            422,
            "counted by one Envoy",
        ),
        (
            "GET",
            "/api/cache/entries",
            Value::Null,
            501,
            "each Envoy's own",
        ),
        (
            "GET",
            "/api/cache/entries/GET:a/p",
            Value::Null,
            501,
            "each Envoy's own",
        ),
        (
            "POST",
            "/api/cache/warm",
            value!({"urls": ["/a"]}),
            501,
            "each Envoy's own",
        ),
        (
            "GET",
            "/api/cache/invalidations/0",
            Value::Null,
            404,
            "no such record",
        ),
        (
            "GET",
            "/api/cache/users/receipts/0",
            Value::Null,
            404,
            "no such receipt",
        ),
        (
            "PUT",
            "/api/cache/config",
            value!({"default_ttl_seconds": 6}),
            503,
            "no instance",
        ),
    ] {
        let answer = call(&one, method, path, &body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let message = json(&answer)["error"]["message"].to_string();
        assert!(message.contains(problem), "{path}: {message}");
    }
    let long = "x".repeat(300 << 10);
    let request = Request::new("POST", "/api/cache/invalidate")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(long);
    assert_eq!(one.send(request).await.status, 413);
    assert_eq!(one.end().await, before);
}

#[tokio::test]
async fn the_configuration_is_changed_for_all_if_it_fits_all() {
    let (_store, one, other) = pair().await;
    report(&one, A, value!({})).await;
    let strange = value!({"config_hash": "other", "configuration": {"rules": [{"name": "b", "match": {}, "ttl_seconds": 5}]}});
    report(&one, B, strange).await;
    let change = |body: Value| async { call(&other, "PUT", "/api/cache/config", &{ body }).await };
    let changed = change(value!({"default_ttl_seconds": 600})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let version = json(&changed)["version"].clone();
    let shown = get(&one, "/api/cache/config").await;
    assert_eq!(shown["version"], version);
    assert_eq!(shown["default_ttl_seconds"], 600);
    assert_eq!(shown["patch"], value!({"default_ttl_seconds": 600}));
    assert_eq!(
        (
            &shown["changed"],
            shown["configurations"].as_array().unwrap().len()
        ),
        (&value!(true), 2)
    );
    for (body, problem) in [
        (
            value!({"default_ttl_secs": 1}),
            "default_ttl_secs: is unknown",
        ),
        (value!({"management": {}}), "management: cannot be changed"),
        // Only one of both has such a rule, and a new one would have to say what it matches.
        (
            value!({"rules": {"a": {"ttl_seconds": 7}}}),
            "at 1 instances",
        ),
    ] {
        let refused = change(body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        let message = json(&refused)["error"]["message"].to_string();
        assert!(message.contains(problem), "{body}: {message}");
    }
    assert_eq!(get(&one, "/api/cache/config").await["version"], version);
    let reset = call(&one, "DELETE", "/api/cache/config", &Value::Null).await;
    assert_eq!(reset.status, 200, "{reset:?}");
    let shown = get(&other, "/api/cache/config").await;
    assert_eq!(
        (&shown["patch"], &shown["changed"]),
        (&value!({}), &value!(false))
    );
}

#[tokio::test]
async fn why_is_told_by_the_configuration_of_the_instances() {
    let (_store, one, other) = pair().await;
    report(&one, A, value!({})).await;
    let question = value!({"url": "http://x/a/1", "response": {"status": 200, "body": "b"}});
    let answer = call(&other, "POST", "/api/cache/explain", &question).await;
    let told = json(&answer);
    assert_eq!(told["rule"]["name"], "a", "{told}");
    assert_eq!(told["response"]["is"], "stored", "{told}");
}

#[tokio::test]
async fn numbers_are_those_of_the_fleet_and_the_page_sees_them() {
    let (_store, one, other) = pair().await;
    for id in [A, B] {
        let numbers = value!({"stats": {"total_entries": 2, "stored": 3},
            "performance": {"middleware_metrics": {"hits": 3, "misses": 1, "bypasses": 0}}});
        report(&one, id, numbers).await;
    }
    let stats = get(&other, "/api/cache/stats").await;
    assert_eq!(
        (&stats["total_entries"], &stats["hit_rate"]),
        (&value!(4), &value!("75.0%"))
    );
    assert_eq!(stats["instances"].as_array().unwrap().len(), 2);
    let performance = get(&other, "/api/cache/performance").await;
    assert_eq!(performance["middleware_metrics"]["total_requests"], 8);
    one.invalidate(value!({"tag": "x"})).await;
    let overview = get(&one, "/api/cache/overview").await;
    assert_eq!(
        overview["instances"].as_array().unwrap().len(),
        2,
        "{overview}"
    );
    assert_eq!(one.send(Request::get("/")).await.status, 200);
}
