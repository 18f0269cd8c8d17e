//! Thousands of fills, writes and purges of every kind at once at two workers, and one rule: what is asked for after a purge was
//! answered was made by the origin after that purge had begun.
//!
//! The origin's body is the next number of its clock. Who purges reads the clock first; when the purge is answered, that is
//! the least number that may be seen of what it covers.

mod hammer;

use std::sync::Arc;

use larder_harness::client::{self, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use crate::management::{call, json, managed};
use crate::stage::{MAIN, Stage};
use hammer::{World, hammer};

const MANAGED: &str = r#"{"rules":[
    {"name":"write","match":{"path":"/w/(?P<group>[0-9]+)"},
     "invalidates":{"tags":["g:{group}"],"patterns":["/p/{group}/*"]}},
    {"name":"template","match":{"path":"/t/(?P<group>[0-9]+)/(?P<page>[0-9]+)"},"ttl_seconds":600,
     "key":{"template":"t:{group}:{page}"}},
    {"name":"all","match":{"path":"/.*"},"ttl_seconds":600}],
    "storage": {"slots": 1024, "log_records": 256}, "management":{}}"#;

const HAMMERS: usize = 8;

async fn stage() -> Stage {
    let listener = Listener::to_cluster(MAIN, "origin").wasm(managed(MANAGED));
    Stage::with_listener(2, listener).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_after_a_purge_is_younger_than_the_purge() {
    let (stage, world) = (stage().await, World::new());
    let answers = Arc::clone(&world);
    stage
        .origin
        .on_call("/*", move |request| answers.reply(request));
    let mut clients = Vec::new();
    for number in 0..HAMMERS {
        let connect = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        clients.push(connect(number % 2).await.unwrap());
    }
    let hammers = clients
        .into_iter()
        .zip(0..)
        .map(|(client, seed)| tokio::spawn(hammer(client, Arc::clone(&world), seed)));
    for hammer in hammers.collect::<Vec<_>>() {
        hammer.await.unwrap();
    }
    // Else the play is about nothing.
    let hits = world.hits();
    assert!(hits > 500, "{hits} hits");
    eventually("the sweep frees what was purged", PATIENCE, async || {
        stage
            .sum("larder_evictions_total", ".cause.invalidated")
            .await
            > 0
    })
    .await;
    for name in [
        "larder_corrupt_entries_total",
        "larder_host_failures_total",
        "larder_invalidations_failed_total",
    ] {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    stage.assert_unharmed().await;
}

/// The origin has sent a head and half of a body when the purge comes, and the rest only when the sweep has carried the
/// purge out.
#[tokio::test]
async fn a_fill_that_a_purge_and_its_sweep_overtake_is_not_served_after() {
    let stage = stage().await;
    let connect = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let [mut one, mut other] = [connect(0).await.unwrap(), connect(1).await.unwrap()];
    let invalidate = |what: &str| call("POST", &format!("/api/cache/invalidate{what}"));
    for (row, purge) in [
        invalidate("/tag/g"),
        invalidate("/pattern?pattern=/p/1/*"),
        invalidate("/pattern?pattern=regex:/p/2/.%2B"),
        invalidate("").body(r#"{"prefixes": ["GET:api.example.com/p/3"]}"#),
        invalidate("").body(r#"{"all": true}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let get =
            |name: &str| Request::get(&format!("/p/{row}/{name}")).authority("api.example.com");
        let tagged = |reply: Reply| reply.header("surrogate-key", "g");
        let gate = Gate::closed();
        let chunk = |text: &'static str| Step::Chunk(text.as_bytes().into());
        let slow = Reply::steps([chunk("o"), Step::Wait(gate.clone()), chunk("ld")]);
        let slow_path = format!("/p/{row}/slow");
        stage.origin.on(&slow_path, tagged(slow));
        stage
            .origin
            .on(&format!("/p/{row}/swept"), tagged(Reply::ok("swept")));
        assert_eq!(one.send(get("swept")).await.unwrap().text(), "swept");
        let address = stage.address();
        let fill = tokio::spawn(client::send(address, get("slow")));
        eventually("the origin is asked", PATIENCE, async || {
            stage.origin.count(&slow_path) == 1
        })
        .await;
        let swept = || stage.sum("larder_evictions_total", ".cause.invalidated");
        let before = swept().await;
        assert_eq!(other.send(purge).await.unwrap().status, 200, "{row}");
        eventually("the sweep", PATIENCE, async || swept().await > before).await;
        stage.origin.on(&slow_path, tagged(Reply::ok("new")));
        gate.open();
        assert_eq!(fill.await.unwrap().unwrap().text(), "old");
        for client in [&mut one, &mut other] {
            assert_eq!(
                client.send(get("slow")).await.unwrap().text(),
                "new",
                "{row}"
            );
        }
    }
    stage.assert_unharmed().await;
}

/// What a worker keeps of a deleted user goes by itself, without another request, and the receipt says so when it has.
#[tokio::test]
async fn a_deleted_user_leaves_every_workers_own_memory() {
    const USERS: &str = r#"{"rules":[{"name":"users","match":{"path":"/users/(?P<id>[^/]+)"},
        "ttl_seconds":600,"tags":["user:{id}"]}],"storage":{"slots":64},"management":{}}"#;
    const LENGTH: u64 = 50_000;
    let listener = Listener::to_cluster(MAIN, "origin").wasm(managed(USERS));
    let stage = Stage::with_listener(2, listener).await;
    stage
        .origin
        .on("/users/*", Reply::ok(vec![b'x'; LENGTH as usize]));
    for worker in 0..2 {
        let client = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        let mut client = client.await.unwrap();
        for path in ["/users/7", "/users/8"].repeat(4) {
            let request = Request::get(path).authority("api.example.com");
            assert_eq!(client.send(request).await.unwrap().status, 200);
        }
    }
    let kept = || stage.counter("larder_hot_bytes.vm_id.larder");
    eventually("both workers keep both", PATIENCE, async || {
        kept().await > 4 * LENGTH
    })
    .await;
    let answer = stage.send(call("DELETE", "/api/cache/users/7")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = json(&answer)["receipt"].as_str().unwrap().to_owned();
    eventually("the receipt", PATIENCE, async || {
        let path = format!("/api/cache/users/receipts/{id}");
        let receipt = stage.send(call("GET", &path)).await;
        json(&receipt)["status"] == "done"
    })
    .await;
    eventually("their memory", PATIENCE, async || {
        (2 * LENGTH..3 * LENGTH).contains(&kept().await)
    })
    .await;
}
