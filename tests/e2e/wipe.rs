//! The last listener with the filter goes and comes back: all that the workers shared is gone, and it all works again.

use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, Update};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{Stage, larder, pattern, x_cache};

const CONFIGURATION: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}],
    "storage":{"slots":1024}}"#;

/// Asks for a URL with three digits; gives what `x-cache` says, and how long the number is that the origin gave.
async fn get(stage: &Stage, number: usize) -> (String, u64) {
    let request = Request::get(&format!("/{number}")).authority("api.example.com");
    let answer = client::send(stage.address(), request).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 4_000));
    let stamp = answer.header("x-origin-stamp").unwrap().len();
    (x_cache(&answer).to_owned(), stamp as u64)
}

async fn held(stage: &Stage) -> (u64, u64) {
    (
        stage.counter("larder_entries.vm_id.larder").await,
        stage.counter("larder_bytes.vm_id.larder").await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_back_finds_nothing_and_works() {
    let origin = Origin::start().await.unwrap();
    origin.on("/*", Reply::ok(pattern(4_000)));
    let envoy = Envoy::builder()
        .workers(8)
        .dynamic()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(larder(CONFIGURATION))
        .start()
        .await
        .unwrap();
    let mut stage = Stage { origin, envoy };
    let mut stamps = 0;
    for number in 100..200 {
        let (word, stamp) = get(&stage, number).await;
        assert_eq!(word, "MISS");
        stamps += stamp;
    }
    eventually("a hundred entries are counted", PATIENCE, async || {
        held(&stage).await.0 == 100
    })
    .await;
    let (_, full) = held(&stage).await;
    let beside = (full - stamps) / 100;
    assert_eq!(stage.envoy.update(&[]).await.unwrap(), Update::Accepted);
    // Workers and what they share end with the last connection of the listener.
    eventually("the listener has ended", PATIENCE, async || {
        let draining = "listener_manager.total_listeners_draining";
        stage.envoy.stat(draining).await.unwrap() == 0
    })
    .await;
    let back = stage.envoy.update(&[larder(CONFIGURATION)]).await.unwrap();
    assert_eq!(back, Update::Accepted);
    let mut expected = 0;
    for number in 100..110 {
        let (word, stamp) = get(&stage, number).await;
        assert_eq!(word, "MISS", "nothing was kept");
        expected += beside + stamp;
    }
    for number in 100..110 {
        assert_eq!(get(&stage, number).await.0, "HIT");
    }
    // The gauge is the process's and outlives what it counted.
    eventually("the bytes are those of ten entries", PATIENCE, async || {
        held(&stage).await == (10, expected)
    })
    .await;
    assert_eq!(stage.counter("larder_corrupt_entries_total").await, 0);
    stage.assert_unharmed().await;
}
