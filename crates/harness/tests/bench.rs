//! What measures stays within its bounds and does not count what it should not.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use larder_harness::bench::drive::{DriveError, Pace, Round, Work, drive, send};
use larder_harness::bench::wire::{Ask, Expect, WireError};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{PATIENCE, poll};

const PACE: Pace = Pace {
    connections: 4,
    warm: Duration::from_millis(10),
    time: Duration::from_millis(50),
};

fn work(asks: Vec<Ask>, body: usize) -> Arc<Work> {
    let expect = Expect {
        status: 200,
        body: Some(body),
        lines: vec!["x-origin-stamp: ".to_owned()],
    };
    Arc::new(Work { asks, expect })
}

/// A round in which something came: on a machine with other things to do that may not be the first of ones so short.
async fn round(address: SocketAddr, work: Arc<Work>) -> Result<Round, DriveError> {
    let round = poll(PATIENCE, async || {
        let cpu = || Ok(Duration::ZERO);
        match drive(address, Arc::clone(&work), PACE, cpu).await {
            Err(DriveError::NoAnswers) => None,
            round => Some(round),
        }
    });
    round.await.unwrap()
}

async fn origin() -> Origin {
    let origin = Origin::start().await.unwrap();
    origin.on("/a", Reply::ok("a"));
    origin.on("/b", Reply::ok("b"));
    origin.on("/new/*", Reply::ok("new"));
    origin.on("/large", Reply::ok(vec![b'x'; 300_000]));
    origin
}

#[tokio::test]
async fn another_machine_is_refused() {
    for target in ["192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"] {
        let sent = send(target.parse().unwrap(), work(vec![Ask::get("/")], 0), 1, 1);
        assert!(matches!(
            sent.await.unwrap_err(),
            DriveError::NotLoopback(_)
        ));
    }
}

#[tokio::test]
async fn exactly_the_requests_asked_for_are_sent() {
    let origin = origin().await;
    let both = work(vec![Ask::get("/a"), Ask::get("/b")], 1);
    send(origin.address(), both, 4, 100).await.unwrap();
    assert_eq!(origin.total(), 100);
    assert!(origin.count("/a") > 0 && origin.count("/b") > 0);
}

#[tokio::test]
async fn no_two_of_distinct_paths_are_the_same() {
    let origin = origin().await;
    let distinct = work(vec![Ask::distinct("/new/")], 3);
    send(origin.address(), distinct, 4, 100).await.unwrap();
    let seen = origin.requests().into_iter();
    let paths: BTreeSet<String> = seen.map(|request| request.path).collect();
    assert_eq!(paths.len(), 100);
}

#[tokio::test]
async fn a_round_counts_what_came_within_it() {
    let origin = origin().await;
    let large = work(vec![Ask::get("/large")], 300_000);
    let round = round(origin.address(), large).await.unwrap();
    assert!(round.answers > 0 && round.answers <= origin.total() as u64);
    assert!(round.per_second > 0.0 && round.p50 <= round.p99);
    assert!(round.cpu_micros.abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_answer_that_is_not_the_one_to_be_measured_ends_the_round() {
    let origin = origin().await;
    for (path, body) in [("/a", 2), ("/missing", 1)] {
        let round = round(origin.address(), work(vec![Ask::get(path)], body));
        let error = round.await.unwrap_err();
        assert!(matches!(
            error,
            DriveError::Wire(WireError::Unexpected { .. })
        ));
    }
}
