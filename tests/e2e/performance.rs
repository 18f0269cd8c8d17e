//! The numbers that the management API shows, and what it recommends.

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::origin::Reply;
use larder_harness::wait::{self, PATIENCE, eventually};
use serde_json::Value;

use crate::management::{call, json, managed};
use crate::stage::{MAIN, Stage, x_cache};

const RULES: &str = r#"{"management":{},"rules":[
    {"name":"never","match":{"path":"/api/predictive/.*"},"cache":false},
    {"name":"analytics","match":{"path":"/api/analytics/.*"},"ttl_seconds":300,"tags":["analytics","a:b"]}]}"#;

async fn stage(workers: usize) -> Stage {
    let listener = larder_harness::envoy::Listener::to_cluster(MAIN, "origin").wasm(managed(RULES));
    Stage::with_listener(workers, listener).await
}

async fn ask(client: &mut Client, path: &str) -> String {
    let request = Request::get(path).authority("api.example.com");
    x_cache(&client.send(request).await.unwrap()).to_owned()
}

async fn shown(stage: &Stage, what: &str) -> Value {
    json(&stage.send(call("GET", &format!("/api/cache/{what}"))).await)
}

#[tokio::test]
async fn stats_and_performance_have_the_numbers_of_all_workers() {
    let stage = stage(2).await;
    stage.origin.on("/api/analytics/*", Reply::ok("1,2,3"));
    stage.origin.on("/api/predictive/*", Reply::ok("4"));
    for worker in 0..2 {
        let connected = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        let mut client = connected.await.unwrap();
        for path in ["/api/analytics/a", "/api/analytics/b", "/api/predictive/c"] {
            for _ in 0..10 {
                ask(&mut client, path).await;
            }
        }
    }
    eventually(
        "both workers have said what they counted",
        PATIENCE,
        async || shown(&stage, "performance").await["middleware_metrics"]["bypasses"] == 20,
    )
    .await;
    let performance = shown(&stage, "performance").await;
    let middleware =
        serde_json::json!({"total_requests": 40, "hits": 38, "misses": 2, "bypasses": 20});
    assert_eq!(performance["middleware_metrics"], middleware);
    let service = &performance["service_metrics"];
    assert_eq!(service["hit_rate"], "95.0%");
    let time = |name: &str| service[name].as_f64().unwrap();
    assert!(time("fresh_response_time_ms") > 0.0 && time("cached_response_time_ms") > 0.0);
    assert_eq!(performance["rules"][2]["name"], "analytics");
    assert_eq!(performance["rules"][2]["hits"], 38);
    assert_eq!(performance["bypassed"]["rule-bypass"], 20);
    assert_eq!(performance["recommendations"], serde_json::json!([]));
    let stats = shown(&stage, "stats").await;
    assert_eq!(stats["hit_rate"], "95.0%");
    assert_eq!(stats["compression_ratio"], "1.00");
    eventually(
        "workers have told each other what they stored",
        PATIENCE,
        async || {
            let stats = shown(&stage, "stats").await;
            stats["tags_count"] == 2 && stats["total_entries"].is_u64()
        },
    )
    .await;
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_never_cached_is_recommended_and_the_patch_does_it() {
    let stage = stage(2).await;
    stage.origin.on("/api/ml/models", Reply::ok("models"));
    let mut clients = Vec::new();
    for worker in 0..2 {
        let connected = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        clients.push(connected.await.unwrap());
    }
    for _ in 0..35 {
        for client in &mut clients {
            assert_eq!(ask(client, "/api/ml/models").await, "MISS");
        }
    }
    // Neither worker alone has seen it 50 times.
    let text = "Add caching to /api/ml/models endpoint";
    let performance = wait::poll(PATIENCE, async || {
        let shown = shown(&stage, "performance").await;
        (shown["recommendations"] == serde_json::json!([text])).then_some(shown)
    });
    let performance = performance.await.unwrap();
    let details = &performance["recommendation_details"][0];
    assert_eq!(
        (&details["text"], &details["why"]),
        (&text.into(), &"never-cached".into())
    );
    let put = call("PUT", "/api/cache/config").body(details["patch"].to_string());
    let put = stage.send(put).await;
    assert_eq!(put.status, 200, "{put:?}");
    ask(&mut clients[0], "/api/ml/models").await;
    for client in &mut clients {
        assert_eq!(ask(client, "/api/ml/models").await, "HIT");
    }
    stage.assert_unharmed().await;
}
