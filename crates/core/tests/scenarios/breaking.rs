//! An origin that counts as failed is left alone by those who have something stale.

use larder_core::exchange::Readiness;
use larder_core::policy::Reason;
use larder_core::report::{BreakerState, Counter};

use crate::stage::{Response, Stage, get, reply};
use crate::ways::ways;

/// After four failures, and for ten minutes beyond what is said otherwise.
const BY_ORIGIN: &str = r#"{"breaker": {"min_requests": 4, "max_stale_seconds": 600}}"#;

fn kept(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=10")
}

fn failure() -> Response {
    reply("broken")
        .status(503)
        .with("cache-control", "no-store")
}

/// An origin that has failed so often that it counts as failed, with something stale under `/a`.
fn broken(configuration: &str, stored: Response) -> Stage {
    let mut stage = Stage::new(configuration);
    stage.refresh_behind(ways(Readiness::Foreground));
    stage.exchange(get("/a"), stored);
    stage.wait(13);
    for _ in 0..4 {
        assert_eq!(stage.exchange(get("/other"), failure()).status, 503);
    }
    let opened = Counter::BreakerChanged(BreakerState::Open);
    assert_eq!(stage.count(opened), 1);
    stage
}

#[test]
fn who_has_something_stale_leaves_it_alone() {
    let mut stage = broken(BY_ORIGIN, kept("old").with("etag", "\"1\""));
    let asked = stage.origin_requests;
    for _ in 0..5 {
        let seen = stage.exchange(get("/a"), reply("not asked"));
        assert_eq!(
            seen.cache(),
            ("STALE", "larder; hit; ttl=-3; detail=breaker-open")
        );
        assert_eq!(seen.text(), "old");
    }
    assert_eq!(stage.origin_requests, asked);
    let served = Counter::StaleServed(Reason::BreakerOpen);
    assert_eq!(stage.count(served), 5);
}

#[test]
fn who_has_nothing_else_asks_it_all_the_same() {
    let mut stage = broken(BY_ORIGIN, kept("old"));
    let seen = stage.exchange(get("/b"), kept("new"));
    assert_eq!((seen.field("x-cache"), seen.text()), ("MISS", "new"));
}

#[test]
fn one_tries_when_it_is_time() {
    let mut stage = broken(BY_ORIGIN, kept("old"));
    let opened = Counter::BreakerChanged(BreakerState::Open);
    let closed = Counter::BreakerChanged(BreakerState::Closed);
    stage.wait(5);
    let first = stage.begin(get("/a"));
    let other = stage.exchange(get("/a"), reply("not asked"));
    assert_eq!(other.text(), "old");
    assert_eq!(
        stage.finish(first, failure()).text(),
        "broken",
        "there is no window for that"
    );
    assert_eq!(stage.count(opened), 2);
    stage.wait(9);
    assert_eq!(
        stage.exchange(get("/a"), kept("new")).text(),
        "old",
        "twice as long"
    );
    stage.wait(1);
    assert_eq!(stage.exchange(get("/a"), kept("new")).text(), "new");
    assert_eq!(stage.count(closed), 1);
}

/// Whoever knows one resource that always fails could keep the origin from being tried.
#[test]
fn what_has_nothing_stale_and_fails_does_not_spoil_the_trial() {
    let mut stage = broken(BY_ORIGIN, kept("old"));
    let closed = Counter::BreakerChanged(BreakerState::Closed);
    stage.wait(5);
    stage.exchange(get("/other"), failure());
    let trial = stage.begin(get("/a"));
    stage.exchange(get("/other"), failure());
    assert_eq!(stage.finish(trial, kept("new")).text(), "new");
    assert_eq!(stage.count(closed), 1);
}

#[test]
fn never_what_is_forbidden_gone_or_too_old() {
    let with = |directives: &str| {
        reply("old")
            .with("cache-control", directives)
            .with("etag", "\"1\"")
    };
    #[rustfmt::skip]
    let rows = [
        ("nothing is said", BY_ORIGIN, with("max-age=10"), "old"),
        ("must-revalidate", BY_ORIGIN, with("max-age=10, must-revalidate"), "new"),
        ("proxy-revalidate", BY_ORIGIN, with("max-age=10, proxy-revalidate"), "new"),
        ("no-cache", BY_ORIGIN, with("no-cache"), "new"),
        ("s-maxage alone", BY_ORIGIN, with("s-maxage=10"), "new"),
        ("not beyond its windows", r#"{"breaker": {"min_requests": 4}, "stale_if_error_seconds": 2}"#, with("max-age=10"), "new"),
        ("but within them", r#"{"breaker": {"min_requests": 4}, "stale_if_error_seconds": 9}"#, with("max-age=10"), "old"),
    ];
    for (name, configuration, stored, text) in rows {
        let mut stage = broken(configuration, stored);
        let seen = stage.exchange(get("/a"), kept("new"));
        assert_eq!(seen.text(), text, "{name}");
    }
}

#[test]
fn what_may_be_given_meanwhile_is_not_made_fresh_then() {
    let swr = r#"{"breaker": {"min_requests": 4}, "stale_while_revalidate_seconds": 60}"#;
    let mut stage = broken(swr, kept("old"));
    let seen = stage.exchange(get("/a"), reply("not asked"));
    assert_eq!(
        seen.cache(),
        ("STALE", "larder; hit; ttl=-3; detail=breaker-open")
    );
    stage.wait(5);
    assert_eq!(
        stage.exchange(get("/a"), kept("new")).text(),
        "new",
        "it tries"
    );
}

#[test]
fn another_filters_failures_are_not_the_origins() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.refresh_behind(ways(Readiness::Foreground));
    for _ in 0..9 {
        stage.exchange(get("/other"), failure().because("rate_limited"));
    }
    let opened = Counter::BreakerChanged(BreakerState::Open);
    assert_eq!(stage.count(opened), 0);
}
