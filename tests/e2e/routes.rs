//! Settings that stand at a route.

use larder_harness::client::Request;
use larder_harness::origin::Reply;
use serde_json::{Value, json};

use crate::stage::{BY_ORIGIN, Stage, assert_seen, larder, x_cache};

const READING: &str = r#"{"route_metadata": true, "rules": [
    {"name": "never", "match": {"path": "/never/.*"}, "cache": false},
    {"name": "slow", "match": {"path": "/elsewhere/(?P<id>.*)"}, "ttl_seconds": 600}]}"#;

async fn stage(configuration: &str, metadata: Value) -> Stage {
    let listener =
        larder(configuration).route_metadata(json!({"larder": metadata, "other": {"a": "b"}}));
    let stage = Stage::with_listener(2, listener).await;
    stage.origin.on("/*", Reply::ok("text"));
    stage
}

#[tokio::test]
async fn a_route_says_how_its_responses_are_cached() {
    let stage = stage(READING, json!({"ttl_seconds": 300, "tags": ["a", "b"]})).await;
    let first = stage.get("/never/x").await;
    assert_seen(&first, "MISS", "larder; fwd=uri-miss; stored");
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    for _ in 0..4 {
        assert_eq!(x_cache(&stage.get("/never/x").await), "HIT");
    }
    stage.send(Request::new("POST", "/never/x").body("x")).await;
    assert_eq!(x_cache(&stage.get("/never/x").await), "MISS");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn every_kind_of_setting_is_read() {
    let json = r#"{"ttl_seconds": 30, "key": {"query": {"include": []}}}"#;
    for (metadata, promise) in [
        (json!({"rule": "slow"}), None),
        (json!({"json": json}), Some("public, max-age=30")),
        (
            json!({"json": json, "ttl_seconds": 40, "tags": "a b"}),
            Some("public, max-age=40"),
        ),
        (json!({"cache": false}), None),
    ] {
        let stage = stage(READING, metadata.clone()).await;
        let seen = stage.get("/page?a=1").await;
        assert_eq!(seen.header("cache-control"), promise, "{metadata}");
        let again = stage.get("/page?a=2").await;
        let expected = if promise.is_some() {
            "HIT"
        } else {
            x_cache(&seen)
        };
        assert_eq!(x_cache(&again), expected, "{metadata}");
    }
    let stage = stage(READING, json!({"rule": "slow"})).await;
    let seen = stage.get("/elsewhere/7").await;
    assert_eq!(seen.header("cache-control"), Some("public, max-age=600"));
}

#[tokio::test]
async fn what_makes_no_sense_lets_requests_pass_and_says_so() {
    for metadata in [
        json!({"ttl": 300}),
        json!({"ttl_seconds": "300"}),
        json!({"ttl_seconds": 0.5}),
        json!({"rule": "none"}),
        json!({"json": "{"}),
        json!({"cache": null}),
    ] {
        let stage = stage(READING, metadata).await;
        for _ in 0..2 {
            assert_seen(
                &stage.get("/page").await,
                "BYPASS",
                "larder; fwd=bypass; detail=route-metadata",
            );
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test]
async fn routes_say_nothing_where_nobody_listens() {
    let stage = stage(BY_ORIGIN, json!({"ttl_seconds": 300})).await;
    let seen = stage.get("/page").await;
    assert_seen(&seen, "MISS", "larder; fwd=uri-miss; detail=no-freshness");
}
