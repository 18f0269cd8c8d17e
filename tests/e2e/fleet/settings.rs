//! Settings that are changed at the service, or at one Envoy, hold at all of them.

use larder_harness::admin;
use larder_harness::client::{Answer, Request};
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use super::{settle, start};
use crate::management::json;
use crate::stage::x_cache;

/// Nothing says for how long `/plain` may be kept.
const NO_TTL: &str = r#"{"rules": [{"name": "plain", "match": {"path": "/plain"}}]}"#;

async fn call(fleet: &Fleet, replica: usize, request: Request) -> Answer {
    let answer = fleet.admins[replica].send(request).await;
    answer.unwrap_or_else(|error| panic!("replica {replica} does not answer: {error}"))
}

/// Every Envoy has this default, and caches by it.
async fn everywhere(fleet: &Fleet, ttl: u64) {
    for envoy in 0..fleet.envoys.len() {
        eventually("the settings have come", PATIENCE, async || {
            let answer = fleet.call(envoy, "GET", "/api/cache/config").await;
            json(&answer)["default_ttl_seconds"] == ttl
        })
        .await;
        settle(&mut fleet.client(envoy).await, "/plain").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_every_envoy_and_survive_all_but_the_store() {
    let mut fleet = start(Fleet::plan(NO_TTL).envoys(3)).await;
    fleet.origin.on("/plain", Reply::ok("plain"));
    assert_eq!(x_cache(&fleet.get(0, "/plain").await), "MISS");
    assert_eq!(x_cache(&fleet.get(0, "/plain").await), "MISS");
    let body = r#"{"default_ttl_seconds": 600}"#;
    let put = admin::call("PUT", "/api/cache/config").body(body);
    let answer = call(&fleet, 0, put).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    everywhere(&fleet, 600).await;

    let wrong = admin::call("PUT", "/api/cache/config").body(r#"{"default_ttl": 1}"#);
    let refused = call(&fleet, 1, wrong).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused.text().contains("default_ttl_seconds"),
        "it says what was meant: {refused:?}"
    );

    for replica in &mut fleet.admins {
        replica.kill();
    }
    fleet.envoys.clear();
    for replica in &mut fleet.admins {
        replica.start_again().await.unwrap();
    }
    for _ in 0..2 {
        fleet.add_envoy().await.unwrap();
    }
    everywhere(&fleet, 600).await;

    // And from an Envoy to the others.
    let body = r#"{"default_ttl_seconds": 300}"#;
    let put = admin::call("PUT", "/api/cache/config").body(body);
    let answer = fleet.send(1, put).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    everywhere(&fleet, 300).await;
}
