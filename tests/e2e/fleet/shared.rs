//! What one Envoy has fetched the others need not fetch.

use larder_harness::admin;
use larder_harness::client::{self, Crowd, Protocol, Request};
use larder_harness::fleet::Fleet;
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::json;

use super::{DOCS, get, start};

/// Nobody's patience is at an end before two crowds have come.
const LONG: &str = r#"{"coalesce": {"wait_seconds": 60},
    "rules": [{"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 600}]}"#;

const CLIENTS: usize = 200;

/// A machine under test may take its time over a look.
pub(super) fn patient() -> serde_json::Value {
    json!({"timeout_ms": 5000})
}

/// So many requests are on their way through an Envoy.
async fn in_flight(fleet: &Fleet, envoy: usize, count: u64) {
    eventually("all have asked", PATIENCE, async || {
        let active = fleet.envoys[envoy].stat("http.main.downstream_rq_active");
        active.await.unwrap() == count
    })
    .await;
}

async fn stampede(fleet: &Fleet, path: &str) -> usize {
    let gate = Gate::closed();
    fleet.origin.on(path, Reply::ok("once").behind(&gate));
    let mut crowds = Vec::new();
    for envoy in 0..2 {
        let crowd = Crowd::connect(fleet.address(envoy), Protocol::Http1, CLIENTS).await;
        crowds.push(crowd.unwrap().begin(|_| get(path)));
    }
    for envoy in 0..2 {
        in_flight(fleet, envoy, CLIENTS as u64).await;
    }
    eventually("the origin is asked", PATIENCE, async || {
        fleet.origin.count(path) > 0
    })
    .await;
    gate.open();
    for crowd in crowds {
        let (_, told) = crowd.told().await;
        assert_eq!(told.len(), CLIENTS);
        for one in told {
            let answer = one.answer.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "once"));
        }
    }
    fleet.origin.count(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envoys_ask_once_for_a_cold_key() {
    let fleet = start(Fleet::plan(LONG).admin(&patient())).await;
    for path in ["/doc/a", "/doc/b"] {
        assert_eq!(stampede(&fleet, path).await, 1, "{path}");
    }
}

/// It was asked for before the purge, and comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_purged_while_it_was_fetched_is_given_to_nobody() {
    let mut fleet = start(Fleet::plan(DOCS).admin(&patient())).await;
    for purge in [
        admin::call("PURGE", "/doc"),
        admin::call("POST", "/api/cache/invalidate/tag/docs"),
        admin::call("POST", "/api/cache/invalidate/pattern?pattern=/doc*"),
    ] {
        let gate = Gate::closed();
        fleet.origin.on("/doc", Reply::ok("old").behind(&gate));
        let asked = fleet.origin.count("/doc");
        let address = fleet.address(0);
        let fetch = tokio::spawn(async move { client::send(address, get("/doc")).await });
        eventually("the origin is asked", PATIENCE, async || {
            fleet.origin.count("/doc") == asked + 1
        })
        .await;
        assert_eq!(fleet.send(1, purge).await.status, 200);
        fleet.origin.on("/doc", Reply::ok("new"));
        gate.open();
        assert_eq!(fetch.await.unwrap().unwrap().text(), "old");
        let late = fleet.add_envoy().await.unwrap();
        fleet.catch_up().await.unwrap();
        for envoy in 0..=late {
            let answer = fleet.get(envoy, "/doc").await;
            assert_eq!(answer.text(), "new", "Envoy {envoy}: {answer:?}");
        }
        assert_eq!(fleet.call(0, "PURGE", "/doc").await.status, 200);
        fleet.catch_up().await.unwrap();
    }
}

/// Then each asks for itself, once.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_a_fleet_is_several_caches() {
    let mut fleet = start(Fleet::plan(LONG)).await;
    fleet.valkey.pause().await.unwrap();
    for path in ["/doc/a", "/doc/b", "/doc/c"] {
        assert_eq!(stampede(&fleet, path).await, 2, "{path}");
    }
    fleet.valkey.resume().await.unwrap();
    fleet.catch_up().await.unwrap();
}

/// Whoever has the lead of the fleet may die with it.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_envoy_that_is_gone_asks_for_itself() {
    let mut fleet = start(
        Fleet::plan(r#"{"coalesce": {"wait_seconds": 2}, "rules": [{"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 600}]}"#)
            .admin(&patient()),
    )
    .await;
    let gate = Gate::closed();
    fleet.origin.on("/doc", Reply::ok("late").behind(&gate));
    let leader = fleet.client(0).await;
    let leading = tokio::spawn(async move { leader.begin(get("/doc")).await.is_ok() });
    eventually("the origin is asked", PATIENCE, async || {
        fleet.origin.count("/doc") == 1
    })
    .await;
    fleet.origin.on("/doc", Reply::ok("at last"));
    drop(fleet.envoys.remove(0));
    let answer = fleet.send(0, Request::get("/doc")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "at last"));
    leading.abort();
    drop(gate);
}
