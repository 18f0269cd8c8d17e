//! What is no longer fresh, and clients that take it so.

use larder_core::report::Outcome;

use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const HONOR: &str = r#"{"request_cache_control": "honor"}"#;
const IGNORE: &str = "{}";

fn tagged(body: &str) -> Response {
    reply(body)
        .with("cache-control", "max-age=10")
        .with("etag", "\"1\"")
}

fn taking(path: &str, directives: &str) -> Request {
    get(path).with("cache-control", directives)
}

/// What a client sees three seconds after the freshness of `stored` is over.
fn seen_late(configuration: &str, stored: Response, asked: Request) -> (Seen, Stage) {
    let mut stage = Stage::new(configuration);
    stage.exchange(get("/a"), stored);
    stage.wait(13);
    let seen = stage.exchange(asked, reply("new"));
    (seen, stage)
}

#[test]
fn who_takes_it_stale_gets_it_and_is_told() {
    for directives in ["max-stale=3", "max-stale", "max-age=13, max-stale=9"] {
        let (seen, stage) = seen_late(HONOR, tagged("old"), taking("/a", directives));
        assert_eq!(
            seen.cache(),
            ("STALE", "larder; hit; ttl=-3; detail=max-stale"),
            "{directives}"
        );
        assert_eq!((seen.status, seen.text()), (200, "old"));
        assert_eq!((seen.field("age"), seen.field("x-cache-age")), ("13", "13"));
        assert_eq!(
            (stage.origin_requests, stage.outcomes(Outcome::Stale)),
            (1, 1)
        );
        assert_eq!(stage.outcomes(Outcome::Hit), 0);
    }
}

#[test]
fn who_does_not_take_it_that_stale_gets_the_origins_word() {
    let with = |directives: &str| tagged("old").with("cache-control", directives);
    #[rustfmt::skip]
    let rows = [
        ("by one second", HONOR, tagged("old"), "max-stale=2"),
        ("not a number", HONOR, tagged("old"), "max-stale=x"),
        ("too old besides", HONOR, tagged("old"), "max-stale=9, max-age=12"),
        ("and to stay fresh", HONOR, tagged("old"), "max-stale=9, min-fresh=1"),
        ("and confirmed", HONOR, tagged("old"), "max-stale=9, no-cache"),
        ("the operator ignores it", IGNORE, tagged("old"), "max-stale"),
        ("must-revalidate", HONOR, with("must-revalidate"), "max-stale"),
        ("proxy-revalidate", HONOR, with("proxy-revalidate"), "max-stale"),
        ("s-maxage", HONOR, with("s-maxage=10"), "max-stale"),
        ("no-cache", HONOR, with("no-cache"), "max-stale"),
    ];
    for (name, configuration, stored, directives) in rows {
        let (seen, stage) = seen_late(configuration, stored, taking("/a", directives));
        assert_eq!(
            (seen.field("x-cache"), seen.text()),
            ("MISS", "new"),
            "{name}"
        );
        assert_eq!(stage.outcomes(Outcome::Stale), 0, "{name}");
    }
}

#[test]
fn what_is_stale_for_one_client_is_replaced_by_another() {
    let (_, mut stage) = seen_late(HONOR, tagged("old"), taking("/a", "max-stale=5"));
    let fresh = stage.exchange(get("/a"), tagged("new"));
    assert_eq!((fresh.field("x-cache"), fresh.text()), ("MISS", "new"));
    let seen = stage.exchange(taking("/a", "max-stale=5"), reply("?"));
    assert_eq!(seen.cache(), ("HIT", "larder; hit; ttl=10"));
}

#[test]
fn stale_or_nothing() {
    let asked = taking("/a", "only-if-cached, max-stale=3");
    let (seen, _) = seen_late(HONOR, tagged("old"), asked);
    assert_eq!((seen.field("x-cache"), seen.text()), ("STALE", "old"));
    let asked = taking("/a", "only-if-cached, max-stale=2");
    let (seen, stage) = seen_late(HONOR, tagged("old"), asked);
    assert_eq!((seen.status, stage.origin_requests), (504, 1));
}

#[test]
fn heads_conditions_and_ranges_are_judged_on_what_is_stale_too() {
    let head = request("HEAD", "/a").with("cache-control", "max-stale");
    let has_it = taking("/a", "max-stale").with("if-none-match", "\"1\"");
    let part = taking("/a", "max-stale").with("range", "bytes=1-2");
    for (asked, status, body) in [(head, 200, "old"), (has_it, 304, ""), (part, 206, "ld")] {
        let (seen, _) = seen_late(HONOR, tagged("old"), asked);
        assert_eq!(
            (seen.status, seen.text(), seen.field("x-cache")),
            (status, body, "STALE")
        );
    }
}

#[test]
fn what_another_rule_kept_is_not_used_stale() {
    let mut stage = Stage::new(HONOR);
    stage.exchange(get("/a"), tagged("old"));
    stage.wait(13);
    stage.reconfigure(
        r#"{"request_cache_control": "honor", "rules": [{"name": "new", "match": {}}]}"#,
    );
    let seen = stage.exchange(taking("/a", "max-stale"), tagged("new"));
    assert_eq!((seen.field("x-cache"), seen.text()), ("MISS", "new"));
}

#[test]
fn what_a_write_made_invalid_is_not_used_stale() {
    let mut stage = Stage::new(HONOR);
    stage.exchange(get("/a"), tagged("old"));
    stage.exchange(request("POST", "/a"), reply("written"));
    for seconds in [1, 12] {
        stage.wait(seconds);
        let seen = stage.exchange(taking("/a", "max-stale"), reply("new"));
        assert_eq!((seen.field("x-cache"), seen.text()), ("MISS", "new"));
    }
}

#[test]
fn a_part_is_used_stale_like_the_whole() {
    let mut stage = Stage::new(HONOR);
    let part = tagged("cd")
        .status(206)
        .with("content-range", "bytes 2-3/9");
    stage.exchange(get("/a").with("range", "bytes=2-3"), part);
    stage.wait(13);
    let asked = |range| taking("/a", "max-stale=3").with("range", range);
    let within = stage.exchange(asked("bytes=3-3"), reply("new"));
    assert_eq!((within.status, within.text()), (206, "d"));
    assert_eq!(
        within.cache(),
        ("STALE", "larder; hit; ttl=-3; detail=max-stale")
    );
    let beyond = stage.exchange(asked("bytes=3-4"), reply("new"));
    assert_eq!(
        beyond.cache(),
        ("MISS", "larder; fwd=stale; detail=no-freshness")
    );
}

#[test]
fn who_still_reads_warnings_is_warned() {
    let warning = r#"{"request_cache_control": "honor", "headers": {"warning": true}}"#;
    let (seen, _) = seen_late(warning, tagged("old"), taking("/a", "max-stale"));
    assert_eq!(seen.field("warning"), "110 - \"Response is Stale\"");
    let (seen, mut stage) = seen_late(warning, tagged("old"), get("/a"));
    assert_eq!((seen.field("x-cache"), seen.field("warning")), ("MISS", ""));
    let fresh = stage.exchange(get("/a"), reply("?"));
    assert_eq!(fresh.field("warning"), "");
    let (seen, _) = seen_late(HONOR, tagged("old"), taking("/a", "max-stale"));
    assert_eq!(
        (seen.field("x-cache"), seen.field("warning")),
        ("STALE", "")
    );
}

#[test]
fn that_the_origin_failed_is_a_warning_of_its_own() {
    let mut stage = Stage::new(r#"{"headers": {"warning": true}, "stale_if_error_seconds": 60}"#);
    stage.exchange(get("/a"), tagged("old"));
    stage.wait(13);
    let seen = stage.exchange(get("/a"), reply("broken").status(503));
    assert_eq!((seen.field("x-cache"), seen.text()), ("STALE", "old"));
    assert_eq!(
        seen.field("warning"),
        "110 - \"Response is Stale\", 111 - \"Revalidation Failed\""
    );
}
