//! Only what is complete and the origin's own is stored; the rest leaves nothing behind.

use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Stage, get, reply};

#[test]
fn a_body_in_pieces_is_one_body() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("").in_chunks(&["one ", "two ", "three"]));
    assert_eq!(
        stage.exchange(get("/a"), reply("other")).text(),
        "one two three"
    );
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn what_breaks_off_is_not_stored() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("half").breaking_off());
    stage.exchange(get("/b"), reply("half").with("content-length", "8"));
    stage.exchange(
        get("/c"),
        reply("more than that").with("content-length", "8"),
    );
    assert_eq!(stage.count(Counter::NotStored(Reason::Incomplete)), 3);
    assert_eq!(stage.budget.held(), 0);
    for path in ["/a", "/b", "/c"] {
        assert_eq!(
            stage.exchange(get(path), reply("whole")).field("x-cache"),
            "MISS"
        );
    }
}

#[test]
fn a_body_where_none_can_be_is_not_stored() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("HTTP/1.1 200 OK").status(204));
    assert_eq!(stage.count(Counter::NotStored(Reason::Incomplete)), 1);
    let again = stage.exchange(get("/a"), reply("").status(204));
    assert_eq!(again.field("x-cache"), "MISS");
}

#[test]
fn what_the_proxy_made_is_not_stored() {
    let mut stage = Stage::new(CACHE_ALL);
    let answer = stage.exchange(get("/a"), reply("sorry").by_the_proxy());
    assert_eq!(
        answer.cache(),
        ("MISS", "larder; fwd=uri-miss; detail=local-reply")
    );
    assert_eq!(
        stage.exchange(get("/a"), reply("one")).field("x-cache"),
        "MISS"
    );
}

#[test]
fn what_grows_over_the_limit_is_let_go_at_once() {
    let configuration = r#"{"limits":{"max_object_bytes":10},"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(configuration);
    let answer = stage.exchange(get("/a"), reply("").in_chunks(&["0123456789", "x", "yz"]));
    assert_eq!(
        (answer.field("x-cache"), answer.text()),
        ("MISS", "0123456789xyz")
    );
    assert_eq!(
        stage.count(Counter::NotStored(Reason::TooLarge)),
        1,
        "once, however many pieces follow"
    );
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn an_empty_body_is_a_body() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply(""));
    let hit = stage.exchange(get("/a"), reply("other"));
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", ""));
}

#[test]
fn a_request_too_large_to_remember_passes() {
    let configuration = r#"{"limits":{"max_object_bytes":1000,"capture_bytes":2000},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(configuration);
    let large = get("/a").with("x-large", &"x".repeat(3_000));
    let answer = stage.exchange(large, reply("one"));
    assert_eq!(
        answer.cache(),
        ("MISS", "larder; fwd=uri-miss; detail=busy")
    );
    assert_eq!(
        stage.exchange(get("/a"), reply("two")).cache(),
        ("MISS", "larder; fwd=uri-miss; stored")
    );
    assert_eq!(stage.budget.held(), 0);
}
