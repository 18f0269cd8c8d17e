//! Something changes while many wait: what they wait for is purged, the configuration is another, the listener goes.

use larder_harness::client::Protocol;
use larder_harness::envoy::{Cluster, Envoy, Listener, Update};
use larder_harness::origin::{Gate, Origin};
use larder_harness::wait::{PATIENCE, eventually};

use super::{
    LONG, active, answers, assert_all, assert_calm, crowd, first_then, get, in_hand, page, seen,
    stage, waiting,
};
use crate::management::{call, listener, managed};
use crate::stage::{MAIN, Stage};

const CLIENTS: usize = 100;

/// Who asks before the purge may have either; who asks after it has what was fetched after it, without waiting for
/// what was fetched before.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_in_the_middle_divides_those_before_from_those_after() {
    for workers in [1, 2] {
        let stage = stage(workers, LONG).await;
        let gates = [Gate::closed(), Gate::closed()];
        let play = first_then(
            page("before").behind(&gates[0]),
            page("after").behind(&gates[1]),
        );
        stage.origin.on_call("/page", play);
        let early = crowd(&stage, Protocol::Http1, CLIENTS).await;
        let early = early.begin(|_| get("/page"));
        in_hand(&stage, CLIENTS).await;
        seen(&stage, "/page", 1).await;
        let purge = "/api/cache/invalidate/key/GET:api.example.com/page";
        assert_eq!(stage.send(call("POST", purge)).await.status / 100, 2);
        let late = crowd(&stage, Protocol::Http1, CLIENTS).await;
        let late = late.begin(|_| get("/page"));
        in_hand(&stage, 2 * CLIENTS).await;
        seen(&stage, "/page", 2).await;
        gates[1].open();
        let (late, told) = late.told().await;
        assert_all(&told, "after");
        gates[0].open();
        let (_, told) = early.told().await;
        for answer in answers(&told) {
            assert!(["before", "after"].contains(&answer.text().as_str()));
        }
        // What the first has brought is nobody's any more.
        assert_eq!(stage.get("/page").await.text(), "after");
        assert_eq!(stage.origin.count("/page"), 2);
        assert_calm(&stage, late, "/next").await;
    }
}

async fn dynamic() -> Stage {
    let origin = Origin::start().await.unwrap();
    let envoy = Envoy::builder()
        .workers(2)
        .dynamic()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(with("1"))
        .start()
        .await
        .unwrap();
    Stage { origin, envoy }
}

/// Another configuration of the filter for each number.
fn with(number: &str) -> Listener {
    let configuration =
        waiting(LONG).replacen('{', &format!(r#"{{"ttl_jitter": 0.0{number}, "#), 1);
    listener(managed(&configuration))
}

/// Connections that had a request in hand are cut off when their listener has drained; nobody hangs, and the
/// others do not suffer for it.
#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_in_the_middle_leaves_nobody_hanging() {
    let (mut stage, gate) = (dynamic().await, Gate::closed());
    stage.origin.on("/page", page("body").behind(&gate));
    let early = crowd(&stage, Protocol::Http1, CLIENTS).await;
    let early = early.begin(|_| get("/page"));
    in_hand(&stage, CLIENTS).await;
    let update = stage.envoy.update(&[with("2")]).await.unwrap();
    assert_eq!(update, Update::Accepted);
    let late = crowd(&stage, Protocol::Http1, CLIENTS).await;
    let late = late.begin(|_| get("/page"));
    seen(&stage, "/page", 1).await;
    gate.open();
    // Whoever was cut off knows it.
    let (_, told) = early.told().await;
    for answer in told.iter().filter_map(|told| told.answer.as_ref().ok()) {
        assert_eq!(answer.text(), "body");
    }
    let (late, told) = late.told().await;
    assert_all(&told, "body");
    assert!(
        stage.origin.count("/page") <= 3,
        "{}",
        stage.origin.count("/page")
    );
    assert_calm(&stage, late, "/next").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_goes_takes_along_those_who_wait_at_it() {
    let (mut stage, gate) = (dynamic().await, Gate::closed());
    stage.origin.on("/page", page("body").behind(&gate));
    let early = crowd(&stage, Protocol::Http1, CLIENTS).await;
    let early = early.begin(|_| get("/page"));
    in_hand(&stage, CLIENTS).await;
    assert_eq!(stage.envoy.update(&[]).await.unwrap(), Update::Accepted);
    let (_, told) = early.told().await;
    assert_eq!(told.len(), CLIENTS);
    eventually("the listener has ended", PATIENCE, async || {
        let draining = "listener_manager.total_listeners_draining";
        stage.envoy.stat(draining).await.unwrap() == 0
    })
    .await;
    assert_eq!(active(&stage).await, 0);
    gate.open();
    assert_eq!(
        stage.envoy.update(&[with("3")]).await.unwrap(),
        Update::Accepted
    );
    assert_ne!(stage.envoy.address(MAIN).port(), 0);
    let clients = crowd(&stage, Protocol::Http1, CLIENTS).await;
    assert_calm(&stage, clients, "/next").await;
}
