//! Fifty thousand requests that wait, are answered, are let go, or leave: afterwards there is nothing left of them.

use std::ops::Range;

use larder_harness::client::{Crowd, Protocol};
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use super::{LONG, assert_all, assert_calm, crowd, get, in_hand, page, stage};
use crate::stage::{MAIN, Stage};

const CLIENTS: usize = 500;
const ROUNDS: usize = 100;
/// Until then everything has been allocated that stays.
const WARM: usize = 20;

/// What may be there beyond what was when it was warm: an entry for each round. 25 bytes for each request would be more.
const MORE: u64 = 1 << 20;

/// Everybody asks, each time in another way.
async fn round(stage: &Stage, clients: Crowd, number: usize) -> Crowd {
    let (path, gate) = (format!("/{number}"), Gate::closed());
    let whole = page("body").behind(&gate);
    stage.origin.on(
        &path,
        match number % 5 {
            // Let go.
            3 => Reply::ok("body")
                .header("cache-control", "no-store")
                .behind(&gate),
            // Taken over again and again.
            4 => Reply::steps([
                Step::Chunk("bo".into()),
                Step::Wait(gate.clone()),
                Step::Die,
            ])
            .header("cache-control", "max-age=60"),
            _ => whole.clone(),
        },
    );
    let mut asking = clients.begin(|_| get(&path));
    in_hand(stage, CLIENTS).await;
    match number % 5 {
        1 => {
            asking.leave(0..CLIENTS / 10);
            in_hand(stage, CLIENTS - CLIENTS / 10).await;
        }
        4 => stage.origin.on(&path, whole),
        _ => {}
    }
    gate.open();
    let (clients, told) = asking.told().await;
    match number % 5 {
        1 => drop(clients),
        // One or two were being answered when the origin died.
        4 => {
            let broken = told.iter().filter(|told| told.answer.is_err()).count();
            assert!(broken <= 1, "{broken}");
            drop(clients);
        }
        _ => {
            assert_all(&told, "body");
            return clients;
        }
    }
    in_hand(stage, 0).await;
    crowd(stage, Protocol::Http1, CLIENTS).await
}

/// What the proxy has allocated, and what the system has given it, when there is no connection left.
async fn at_rest(stage: &Stage) -> (u64, u64) {
    stage.origin.go_down().await.unwrap();
    for connections in [
        format!("http.{MAIN}.downstream_cx_active"),
        "cluster.origin.upstream_cx_active".to_owned(),
    ] {
        eventually(&connections, PATIENCE, async || {
            stage.envoy.stat(&connections).await.unwrap() == 0
        })
        .await;
    }
    stage.origin.come_back().unwrap();
    let allocated = stage.envoy.allocated().await.unwrap();
    (allocated, stage.envoy.memory().unwrap())
}

/// Everybody asks in each of these rounds; then they leave.
async fn rounds(stage: &Stage, numbers: Range<usize>) {
    let mut clients = crowd(stage, Protocol::Http1, CLIENTS).await;
    for number in numbers {
        clients = round(stage, clients, number).await;
    }
    in_hand(stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_requests_leave_nothing_behind() {
    let stage = stage(2, LONG).await;
    rounds(&stage, 0..WARM).await;
    let (allocated, resident) = at_rest(&stage).await;
    rounds(&stage, WARM..ROUNDS).await;
    // What a busy machine has not come to free yet is no leak.
    eventually("memory as before", PATIENCE, async || {
        let then = at_rest(&stage).await;
        then.0 < allocated + MORE && then.1 < resident + 4 * MORE
    })
    .await;
    // Else the play is about nothing.
    let waited = stage.sum("larder_coalesced_total", "").await;
    assert!(waited > (ROUNDS * CLIENTS / 2) as u64, "{waited} waited");
    let clients = crowd(&stage, Protocol::Http1, CLIENTS).await;
    assert_calm(&stage, clients, "/next").await;
}
