//! Rules that are only tried.

use larder_core::policy::Reason;
use larder_core::report::{Counter, Outcome, RuleCounter};

use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const TRIED: &str = r#"{"request_cache_control": "honor",
    "rules": [{"name": "a", "match": {"path": "/.*"}, "ttl_seconds": 60, "shadow": true}]}"#;
const HIT: &str = "larder; fwd=bypass; detail=shadow-hit";
const MISS: &str = "larder; fwd=bypass; stored; detail=shadow-miss";

fn counts(stage: &Stage) -> (u64, u64) {
    let of = |counter| stage.of_rule("a", counter);
    (
        of(RuleCounter::ShadowMatch),
        of(RuleCounter::ShadowMismatch),
    )
}

/// What a second request sees after `first` was stored, and what the comparison came to.
fn second(ask: Request, first: Response, second: Response) -> (Seen, (u64, u64)) {
    let mut stage = Stage::new(TRIED);
    let seen = stage.exchange(get("/a"), first);
    assert_eq!(seen.cache(), ("BYPASS", MISS));
    let seen = stage.exchange(ask, second);
    assert_eq!(stage.origin_requests, 2, "the origin is always asked");
    assert_eq!(stage.budget.held(), 0);
    (seen, counts(&stage))
}

#[test]
fn the_client_always_gets_the_origins_answer() {
    let mut stage = Stage::new(TRIED);
    for (body, status) in [("one", MISS), ("two", HIT), ("three", HIT)] {
        let seen = stage.exchange(get("/a"), reply(body).with("x-own", body));
        assert_eq!((seen.text(), seen.field("x-own")), (body, body));
        assert_eq!(seen.cache(), ("BYPASS", status));
        assert!(!seen.headers.contains("age") && !seen.headers.contains("cache-control"));
        assert!(!seen.headers.contains("etag"));
    }
    assert_eq!(
        stage.of_rule("a", RuleCounter::Requests(Outcome::Bypass)),
        3
    );
    assert_eq!(stage.count(Counter::Bypassed(Reason::ShadowHit)), 2);
    assert_eq!(stage.count(Counter::Bypassed(Reason::ShadowMiss)), 1);
    assert_eq!(stage.stored.len(), 1, "what is fresh stays");
    assert_eq!(counts(&stage), (0, 2));
}

#[test]
fn what_would_have_been_sent_is_held_against_what_comes() {
    let rows: [(&str, Response, (u64, u64)); 8] = [
        ("the same", reply("same"), (1, 0)),
        (
            "the same in pieces",
            reply("").in_chunks(&["s", "am", "e"]),
            (1, 0),
        ),
        ("another body", reply("Same"), (0, 1)),
        ("a longer one", reply("same!"), (0, 1)),
        ("nothing", reply(""), (0, 1)),
        ("another status", reply("same").status(404), (0, 1)),
        ("an error of the origin", reply("same").status(503), (0, 0)),
        ("a word of the proxy", reply("same").by_the_proxy(), (0, 0)),
    ];
    for (name, answer, expected) in rows {
        let (_, counts) = second(get("/a"), reply("same"), answer);
        assert_eq!(counts, expected, "{name}");
    }
    let (_, counts) = second(get("/a"), reply("same"), reply("same").breaking_off());
    assert_eq!(counts, (0, 0), "who knows what would have come");
    let none = || reply("").status(204);
    let (_, counts) = second(
        get("/a"),
        none().with("cache-control", "max-age=60"),
        none(),
    );
    assert_eq!(counts, (1, 0));
}

#[test]
fn what_is_no_whole_answer_is_a_hit_that_is_not_compared() {
    let part = reply("a").status(206).with("content-range", "bytes 1-1/4");
    for (ask, answer) in [
        (request("HEAD", "/a"), reply("")),
        (get("/a").with("range", "bytes=1-1"), part),
        (
            get("/a").with("if-none-match", "\"1\""),
            reply("").status(304),
        ),
    ] {
        let (seen, counts) = second(ask, reply("same"), answer);
        assert_eq!((seen.cache(), counts), (("BYPASS", HIT), (0, 0)));
    }
    let mut stage = Stage::new(TRIED);
    let part = || {
        let part = reply("bc").status(206).with("content-range", "bytes 1-2/4");
        part.with("etag", "\"1\"")
    };
    for status in [MISS, HIT] {
        let seen = stage.exchange(get("/p").with("range", "bytes=1-2"), part());
        assert_eq!((seen.status, seen.cache()), (206, ("BYPASS", status)));
    }
    assert_eq!(counts(&stage), (0, 0));
}

#[test]
fn what_is_not_fresh_is_a_miss_and_no_question() {
    for wait in [61, 600] {
        let mut stage = Stage::new(TRIED);
        stage.exchange(get("/a"), reply("old").with("etag", "\"1\""));
        stage.wait(wait);
        let taking = get("/a").with("cache-control", "max-stale");
        let seen = stage.exchange(taking, reply("new").with("etag", "\"2\""));
        assert_eq!((seen.text(), seen.cache()), ("new", ("BYPASS", MISS)));
        assert!(
            !stage.asked.contains("if-none-match"),
            "the client has not asked so"
        );
        let seen = stage.exchange(get("/a"), reply("new"));
        assert_eq!(
            (seen.cache().1, counts(&stage)),
            (HIT, (1, 0)),
            "it was stored anew"
        );
    }
}

#[test]
fn why_it_is_not_stored_is_told_and_nobody_gets_a_504() {
    let mut stage = Stage::new(TRIED);
    let seen = stage.exchange(get("/a"), reply("a").with("cache-control", "private"));
    assert_eq!(
        seen.cache(),
        ("BYPASS", "larder; fwd=bypass; detail=private")
    );
    let only = get("/a").with("cache-control", "only-if-cached");
    let seen = stage.exchange(only, reply("b"));
    assert_eq!((seen.status, seen.text()), (200, "b"));
}

#[test]
fn what_is_compressed_is_compared_as_it_came() {
    let text = "a line of a text\n".repeat(100);
    let live = TRIED.replace(r#", "shadow": true"#, "");
    let zipped = || get("/a").with("accept-encoding", "gzip");
    let mut stage = Stage::new(&live);
    stage.exchange(zipped(), reply(&text));
    stage.exchange(zipped(), reply("?"));
    stage.compress();
    stage.reconfigure(TRIED);
    let seen = stage.exchange(zipped(), reply(&text));
    assert_eq!((seen.cache().1, counts(&stage)), (HIT, (1, 0)));
}

#[test]
fn what_was_stored_meanwhile_serves_when_the_trial_is_over() {
    let mut stage = Stage::new(TRIED);
    stage.exchange(get("/a"), reply("a"));
    stage.reconfigure(&TRIED.replace(r#", "shadow": true"#, ""));
    let seen = stage.exchange(get("/a"), reply("b"));
    assert_eq!((seen.text(), seen.field("x-cache")), ("a", "HIT"));
    for _ in 0..3 {
        stage.exchange(get("/a"), reply("b"));
    }
    stage.reconfigure(TRIED);
    let seen = stage.exchange(get("/a"), reply("b"));
    assert_eq!(
        (seen.text(), seen.cache().1),
        ("b", HIT),
        "not from the worker's own memory either"
    );
}

#[test]
fn a_body_of_any_size_is_compared_without_room_for_it() {
    let small = TRIED.replacen(
        '{',
        r#"{"limits": {"max_object_bytes": 4, "capture_bytes": 2000}, "#,
        1,
    );
    let mut stage = Stage::new(&small);
    stage.exchange(get("/a"), reply("same"));
    let exchange = stage.begin(get("/a"));
    assert_eq!(stage.budget.held(), 0);
    stage.finish(exchange, reply(&"x".repeat(100_000)));
    assert_eq!(counts(&stage), (0, 1));
}
