//! Fresh, then not: what a clock does to entries.

use larder_core::policy::Reason;
use larder_core::report::{Counter, Outcome};

use crate::stage::{CACHE_ALL, Stage, get, reply, request};

#[test]
fn an_entry_answers_until_its_time_is_over() {
    let mut stage = Stage::new(CACHE_ALL);
    let first = stage.exchange(get("/a"), reply("one"));
    assert_eq!(first.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    assert_eq!(first.field("cache-control"), "public, max-age=60");

    stage.wait(59);
    let hit = stage.exchange(get("/a"), reply("two"));
    assert_eq!(hit.cache(), ("HIT", "larder; hit; ttl=1"));
    assert_eq!(
        (hit.text(), hit.field("age"), hit.field("x-cache-age")),
        ("one", "59", "59")
    );

    stage.wait(1);
    let again = stage.exchange(get("/a"), reply("two"));
    assert_eq!(again.cache(), ("MISS", "larder; fwd=stale; stored"));
    assert_eq!(again.text(), "two");
    assert_eq!(stage.origin_requests, 2);
}

#[test]
fn a_clock_that_steps_back_does_not_make_entries_older() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.wait(1_000);
    stage.exchange(get("/a"), reply("one"));
    stage.now = larder_core::time::Timestamp::from_secs(1_000_990);
    let hit = stage.exchange(get("/a"), reply("two"));
    assert_eq!((hit.field("x-cache"), hit.field("age")), ("HIT", "0"));
    stage.now = larder_core::time::Timestamp::from_secs(10);
    let long_before = stage.exchange(get("/a"), reply("two"));
    assert_eq!(
        long_before.field("x-cache"),
        "MISS",
        "an end further off than it ever was counts as past"
    );
}

#[test]
fn the_origins_word_beats_the_rules_unless_the_rule_overrides_it() {
    for (mode, seconds, word) in [("default", 20, "MISS"), ("override", 20, "HIT")] {
        let configuration = format!(
            r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":60,"ttl_mode":"{mode}"}}]}}"#
        );
        let mut stage = Stage::new(&configuration);
        stage.exchange(get("/a"), reply("one").with("cache-control", "max-age=10"));
        stage.wait(seconds);
        assert_eq!(
            stage.exchange(get("/a"), reply("two")).field("x-cache"),
            word,
            "{mode}"
        );
    }
}

#[test]
fn a_rule_that_changed_does_not_use_what_another_stored() {
    let mut stage =
        Stage::new(r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#);
    stage.exchange(get("/a"), reply("one"));
    stage.reconfigure(r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":30}]}"#);
    let answer = stage.exchange(get("/a"), reply("two"));
    assert_eq!(
        answer.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=other-rule")
    );
}

#[test]
fn a_client_may_demand_more_only_where_it_is_honoured() {
    for (mode, word) in [("ignore", "HIT"), ("honor", "MISS")] {
        let configuration = format!(
            r#"{{"request_cache_control":"{mode}","rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":60}}]}}"#
        );
        for directive in ["no-cache", "max-age=5", "min-fresh=55"] {
            let mut stage = Stage::new(&configuration);
            stage.exchange(get("/a"), reply("one"));
            stage.wait(10);
            let answer = stage.exchange(get("/a").with("cache-control", directive), reply("two"));
            assert_eq!(answer.field("x-cache"), word, "{mode} {directive}");
        }
    }
}

#[test]
fn other_methods_pass_and_are_counted() {
    let mut stage = Stage::new(CACHE_ALL);
    let answer = stage.exchange(request("POST", "/a"), reply("done"));
    assert_eq!(answer.cache(), ("BYPASS", "larder; fwd=method"));
    assert_eq!(stage.count(Counter::Bypassed(Reason::Method)), 1);
    assert_eq!(stage.outcomes(Outcome::Miss), 0);
}

#[test]
fn losing_all_that_is_shared_is_a_miss() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("one"));
    stage.kv.wipe();
    assert_eq!(
        stage.exchange(get("/a"), reply("two")).field("x-cache"),
        "MISS"
    );
    stage.exchange(get("/a"), reply("three"));
    assert_eq!(
        stage.exchange(get("/a"), reply("four")).field("x-cache"),
        "HIT"
    );
}

#[test]
fn an_error_is_kept_only_at_the_origins_own_word() {
    let mut stage = Stage::new(CACHE_ALL);
    let by_rule = stage.exchange(get("/a"), reply("down").status(503));
    assert_eq!(
        by_rule.cache(),
        ("MISS", "larder; fwd=uri-miss; detail=status")
    );
    stage.exchange(
        get("/a"),
        reply("down").status(503).with("cache-control", "max-age=5"),
    );
    let hit = stage.exchange(get("/a"), reply("up"));
    assert_eq!((hit.status, hit.field("x-cache")), (503, "HIT"));
    stage.wait(5);
    assert_eq!(stage.exchange(get("/a"), reply("up")).text(), "up");
}

#[test]
fn bytes_that_changed_in_the_slot_are_a_miss_and_a_number() {
    for place in [1, 20, 60, 100] {
        let mut stage = Stage::new(CACHE_ALL);
        stage.exchange(get("/a"), reply("one"));
        stage.damage_slots(place);
        let answer = stage.exchange(get("/a"), reply("two"));
        assert_eq!(
            (answer.field("x-cache"), answer.text()),
            ("MISS", "two"),
            "{place} bytes from the end"
        );
        assert_eq!(stage.count(Counter::Corrupt), 1);
        assert_eq!(stage.exchange(get("/a"), reply("three")).text(), "two");
    }
}

#[test]
fn what_may_not_be_kept_is_not_promised_to_caches_behind() {
    let if_body = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "store_if":{"json":{"pointer":"/cacheable","equals":true}}}]}"#;
    let mut stage = Stage::new(if_body);
    let refused = stage.exchange(get("/a"), reply(r#"{"cacheable":false}"#));
    assert_eq!(refused.field("cache-control"), "");
    stage.exchange(get("/b"), reply(r#"{"cacheable":true}"#));
    let hit = stage.exchange(get("/b"), reply("?"));
    assert_eq!(hit.field("cache-control"), "public, max-age=60");

    let strip = r#"{"set_cookie":"strip","rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(strip);
    let with_cookie = stage.exchange(get("/a"), reply("x").with("set-cookie", "sid=alice"));
    assert_eq!(
        (
            with_cookie.field("set-cookie"),
            with_cookie.field("cache-control")
        ),
        ("sid=alice", "")
    );
    let hit = stage.exchange(get("/a"), reply("?"));
    assert_eq!(
        (hit.field("set-cookie"), hit.field("cache-control")),
        ("", "public, max-age=60")
    );
}

#[test]
fn what_is_promised_agrees_with_the_age_beside_it() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("x").with("age", "40"));
    stage.wait(30);
    let hit = stage.exchange(get("/a"), reply("?"));
    assert_eq!(
        (hit.field("age"), hit.field("cache-control")),
        ("70", "public, max-age=100")
    );
    assert_eq!(hit.cache(), ("HIT", "larder; hit; ttl=30"));
}
