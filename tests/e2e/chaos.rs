//! Thousands of requests of every kind at once, to an origin that answers in every way, and one rule for what may come
//! back: it is a version of what was asked for, no older than the last write that was answered before.
//!
//! What a request asks and how it is answered is drawn from its number, so each asks and is answered in the same way in
//! every run. How they meet is left to the machine: what is asserted holds however that comes out.

mod asker;
mod oracle;
mod world;

use std::sync::Arc;

use larder_harness::envoy::{Cluster, Envoy};
use larder_harness::origin::Origin;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{MAIN, Stage, larder};
use asker::Asker;
use oracle::Oracle;
pub use world::Dice;
use world::World;

/// A configuration that uses everything there is, with these `limits` and this `storage`.
fn everything(limits: &str, storage: &str) -> String {
    let rules = r#"
        {"name": "asked", "match": {"path": "/q/.*", "methods": ["GET", "HEAD", "POST", "QUERY"]}, "key": {"body": true},
         "hold_headers": true},
        {"name": "reduced", "match": {"path": "/n/.*"}, "no_vary_search": true, "request_cache_control": "honor"},
        {"name": "chosen", "match": {"path": "/k/.*"}, "key": {"query": {"include": ["id"]}}},
        {"name": "place", "match": {"path": "/p/(?<number>[0-9]+)"}, "key": {"template": "/p/{number}"}},
        {"name": "own", "match": {"path": "/u/.*"}, "identity": {"header": "x-user"}},
        {"name": "timed", "match": {"path": "/t/.*"}, "ttl_seconds": 60},
        {"name": "rest", "match": {"path": "/.*"}, "request_cache_control": "honor", "heuristic": true}"#;
    format!(r#"{{"rules": [{rules}], "limits": {{{limits}}}, "storage": {{{storage}}}}}"#)
}

const ASKERS: u64 = 8;
const REQUESTS: u64 = 500;

/// What no play may do without, or it is about nothing.
const SEEN: [(&str, &str); 7] = [
    ("larder_requests_total", ".outcome.hit"),
    ("larder_requests_total", ".outcome.miss"),
    ("larder_requests_total", ".outcome.revalidated"),
    ("larder_invalidations_total", ""),
    ("larder_not_modified_total", ""),
    ("larder_stored_total", ""),
    ("larder_inspected_replies_total", ""),
];

const NEVER: [&str; 4] = [
    "larder_corrupt_entries_total",
    "larder_host_failures_total",
    "larder_invalidations_failed_total",
    "larder_tick_failures_total",
];

async fn play(
    workers: usize,
    seed: u64,
    configuration: &str,
    cluster: impl FnOnce(Cluster) -> Cluster,
) {
    let origin = Origin::start().await.unwrap();
    let world = Arc::new(World::default());
    let answers = Arc::clone(&world);
    origin.on_call("/*", move |request| answers.reply(request));
    let listener = larder(configuration)
        .adds_response_header("x-route", "1")
        .adds_response_header("link", "</route>");
    let envoy = Envoy::builder()
        .workers(workers)
        .cluster(cluster(Cluster::new("origin", origin.address())))
        .listener(listener)
        .start()
        .await
        .unwrap();
    let stage = Stage { origin, envoy };
    let oracle = Arc::new(Oracle::new(world));
    let release = stage.envoy.release().await.unwrap();
    let mut asking = Vec::new();
    for number in 0..ASKERS {
        let oracle = Arc::clone(&oracle);
        let mut asker = Asker::new(stage.address(), release, oracle, seed + number);
        asking.push(tokio::spawn(async move {
            for _ in 0..REQUESTS {
                asker.ask().await;
            }
        }));
    }
    for asker in asking {
        asker.await.unwrap();
    }
    for (name, part) in SEEN {
        eventually(name, PATIENCE, async || stage.sum(name, part).await > 0).await;
    }
    for name in NEVER {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    assert_eq!(
        stage
            .envoy
            .stat(&format!("http.{MAIN}.downstream_rq_active"))
            .await
            .unwrap(),
        0
    );
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_serves_what_is_and_nothing_that_was() {
    play(1, 1_000, &everything("", ""), |cluster| cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_serve_what_is_and_nothing_that_was() {
    play(2, 2_000, &everything("", ""), Cluster::http2).await;
}

/// Half of what belongs together is gone at any time.
#[tokio::test(flavor = "multi_thread")]
async fn in_little_room_it_is_no_different() {
    let limits = r#""capture_bytes": 400000, "max_object_bytes": 100000, "max_variants": 2"#;
    let storage = r#""slots": 64, "max_bytes": 500000"#;
    play(2, 3_000, &everything(limits, storage), |cluster| cluster).await;
}
