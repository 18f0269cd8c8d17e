//! The load generator stays within its bounds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use larder_harness::client::{Protocol, Request};
use larder_harness::load::{Limit, Load, NotLoopback};
use larder_harness::origin::{Origin, Reply};

#[test]
fn another_machine_is_refused() {
    for target in ["192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"] {
        let target = target.parse().unwrap();
        assert_eq!(Load::new(target).unwrap_err(), NotLoopback(target));
    }
    assert!(Load::new("127.9.9.9:80".parse().unwrap()).is_ok());
    assert!(Load::new("[::1]:80".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn exactly_the_requests_asked_for_are_sent_in_turn() {
    let origin = Origin::start().await.unwrap();
    origin.on("/a", Reply::ok("a"));
    origin.on("/b", Reply::ok("b"));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let load = Load::new(origin.address())
            .unwrap()
            .connections(4)
            .protocol(protocol);
        let both = vec![Request::get("/a"), Request::get("/b")];
        let report = load.requests(both).limit(Limit::Requests(100)).run().await;
        assert_eq!((report.answers(), report.errors), (100, 0));
        assert!(report.percentile(50) <= report.percentile(99));
        assert!(report.per_second() > 0.0);
    }
    assert_eq!((origin.count("/a"), origin.count("/b")), (100, 100));
}

#[tokio::test]
async fn refusals_and_broken_answers_are_errors_and_do_not_stop_it() {
    let origin = Origin::start().await.unwrap();
    origin.on("/", Reply::dies_after("a", 2));
    let load = |limit| Load::new(origin.address()).unwrap().limit(limit);
    let report = load(Limit::Requests(20)).run().await;
    assert_eq!((report.answers(), report.errors), (0, 20));
    let missing = load(Limit::Requests(20)).requests(vec![Request::get("/missing")]);
    let report = missing.run().await;
    assert_eq!((report.answers(), report.errors), (20, 20));
}

#[tokio::test]
async fn it_ends_in_time() {
    let origin = Origin::start().await.unwrap();
    origin.on("/", Reply::ok("a"));
    let time = Duration::from_millis(50);
    let load = Load::new(origin.address())
        .unwrap()
        .limit(Limit::Time(time));
    let report = load.run().await;
    assert!(report.elapsed >= time && report.answers() > 0);
}
