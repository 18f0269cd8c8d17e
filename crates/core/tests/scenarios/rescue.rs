//! The origin fails, and what is stale is given in its place.

use larder_core::epoch::{Mode, Scope};
use larder_core::policy::Reason;
use larder_core::report::{Counter, Outcome};

use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const BY_ORIGIN: &str = "{}";
const HONOR: &str = r#"{"request_cache_control": "honor"}"#;
/// A rule lets it be used for twenty seconds.
const BY_RULE: &str = r#"{"stale_if_error_seconds": 20, "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10}]}"#;

/// Fresh for ten seconds, and of use for twenty more if the origin fails.
fn kept(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=10, stale-if-error=20")
}

fn failure(status: u16) -> Response {
    reply("broken").status(status)
}

/// What a client sees so many seconds later of an origin that answers like this.
fn seen_after(seconds: u64, stored: Response, asked: Request, then: Response) -> (Seen, Stage) {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), stored);
    stage.wait(seconds);
    let seen = stage.exchange(asked, then);
    assert_eq!(stage.budget.held(), 0);
    (seen, stage)
}

#[test]
fn a_failure_is_not_what_the_client_gets() {
    let tagged = kept("old").with("etag", "\"1\"");
    for stored in [kept("old"), tagged] {
        for status in [500, 502, 503, 504] {
            let (seen, stage) = seen_after(13, stored.clone(), get("/a"), failure(status));
            let said = format!("larder; fwd=stale; fwd-status={status}; ttl=-3; detail=sie");
            assert_eq!(seen.cache(), ("STALE", said.as_str()));
            assert_eq!((seen.status, seen.text()), (200, "old"));
            assert_eq!((seen.field("age"), seen.field("x-cache-age")), ("13", "13"));
            assert_eq!(
                (stage.origin_requests, stage.outcomes(Outcome::Stale)),
                (2, 1)
            );
            assert_eq!(stage.count(Counter::NotStored(Reason::Status)), 1);
        }
    }
}

#[test]
fn an_origin_that_cannot_be_asked_has_failed_too() {
    for details in [
        "upstream_reset_before_response_started{connection_failure}",
        "upstream_reset_before_response_started{overflow}",
        "response_timeout",
        "upstream_per_try_timeout",
        "no_healthy_upstream",
        "maintenance_mode",
    ] {
        let failed = failure(503).because(details);
        let (seen, _) = seen_after(13, kept("old"), get("/a"), failed);
        assert_eq!(
            seen.cache(),
            ("STALE", "larder; fwd=stale; ttl=-3; detail=sie"),
            "{details}"
        );
    }
}

#[test]
fn what_is_no_failure_of_the_origin_is_the_answer() {
    #[rustfmt::skip]
    let rows = [
        ("a client's fault", failure(404), "larder; fwd=stale; detail=no-freshness"),
        ("another server error", failure(501), "larder; fwd=stale; detail=no-freshness"),
        ("another filter's word", failure(503).because("rate_limited"), "larder; fwd=stale; detail=local-reply"),
        ("nobody's word", failure(503).by_nobody(), "larder; fwd=stale; detail=local-reply"),
        ("a good answer", reply("new"), "larder; fwd=stale; detail=no-freshness"),
    ];
    for (name, then, said) in rows {
        let (seen, _) = seen_after(13, kept("old"), get("/a"), then.clone());
        assert_eq!(seen.cache(), ("MISS", said), "{name}");
        assert_ne!(seen.text(), "old", "{name}");
    }
}

#[test]
fn it_is_given_for_as_long_as_somebody_says_and_no_longer() {
    let with = |directives: &str| reply("old").with("cache-control", directives);
    #[rustfmt::skip]
    let rows = [
        ("the last second", kept("old"), 29, "STALE"),
        ("over", kept("old"), 30, "MISS"),
        ("also with a validator", kept("old").with("etag", "\"1\""), 30, "MISS"),
        ("nobody says anything", with("max-age=10"), 10, "MISS"),
        ("while it is made fresh is long enough", with("max-age=10, stale-while-revalidate=20, stale-if-error=0"), 29, "STALE"),
        ("must-revalidate", with("max-age=10, stale-if-error=20, must-revalidate"), 13, "MISS"),
        ("proxy-revalidate", with("max-age=10, stale-if-error=20, proxy-revalidate"), 13, "MISS"),
        ("no-cache", with("no-cache, stale-if-error=20").with("etag", "\"1\""), 13, "MISS"),
        ("s-maxage with a window", with("s-maxage=10, stale-if-error=20"), 13, "STALE"),
        ("s-maxage alone", with("s-maxage=10").with("etag", "\"1\""), 13, "MISS"),
    ];
    for (name, stored, seconds, word) in rows {
        let (seen, _) = seen_after(seconds, stored, get("/a"), failure(503));
        assert_eq!(seen.field("x-cache"), word, "{name}");
    }
}

#[test]
fn a_rule_says_for_how_long_where_the_origin_does_not() {
    for (seconds, word) in [(29, "STALE"), (30, "MISS")] {
        let mut stage = Stage::new(BY_RULE);
        stage.exchange(get("/a"), reply("old"));
        stage.wait(seconds);
        let seen = stage.exchange(get("/a"), failure(503));
        assert_eq!(seen.field("x-cache"), word);
    }
}

#[test]
fn heads_conditions_and_ranges_are_judged_on_what_is_given() {
    let stored = || kept("0123456789").with("etag", "\"1\"");
    let range = get("/a").with("range", "bytes=2-4");
    let (part, _) = seen_after(13, stored(), range, failure(503));
    assert_eq!((part.status, part.text()), (206, "234"));
    let has_it = get("/a").with("if-none-match", "\"1\"");
    let (known, _) = seen_after(13, stored(), has_it, failure(503));
    assert_eq!((known.status, known.text()), (304, ""));
    let (head, _) = seen_after(13, stored(), request("HEAD", "/a"), failure(503));
    assert_eq!((head.status, head.field("x-cache")), (200, "STALE"));
}

#[test]
fn each_variant_stands_in_for_itself_only() {
    let mut stage = Stage::new(BY_ORIGIN);
    let in_language = |language: &str| get("/a").with("accept-language", language);
    let varying = |body: &str| kept(body).with("vary", "accept-language");
    stage.exchange(in_language("de"), varying("alt"));
    stage.exchange(in_language("en"), varying("old"));
    stage.wait(13);
    for (language, text) in [("de", "alt"), ("en", "old"), ("fr", "broken")] {
        let seen = stage.exchange(in_language(language), failure(503));
        assert_eq!(seen.text(), text, "{language}");
    }
}

#[test]
fn nobody_gets_what_is_somebody_elses() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10,"stale_if_error_seconds":60,
        "identity":{"header":"x-user","trusted":true}}]}"#;
    let mut stage = Stage::new(rule);
    let of = |user: &str| get("/a").with("x-user", user);
    stage.exchange(of("1"), reply("of 1"));
    stage.wait(13);
    assert_eq!(stage.exchange(of("2"), failure(503)).text(), "broken");
    assert_eq!(stage.exchange(get("/a"), failure(503)).text(), "broken");
    assert_eq!(stage.exchange(of("1"), failure(503)).text(), "of 1");
}

#[test]
fn what_has_been_invalidated_meanwhile_is_not_given() {
    for (mode, text) in [
        (Mode::Hard, "broken"),
        (Mode::Invalid, "broken"),
        (Mode::Soft, "old"),
    ] {
        let mut stage = Stage::new(BY_ORIGIN);
        stage.exchange(get("/a"), kept("old").with("surrogate-key", "news"));
        stage.wait(13);
        let exchange = stage.begin(get("/a"));
        stage.invalidate(&[Scope::Tag(b"news")], mode);
        assert_eq!(
            stage.finish(exchange, failure(503)).text(),
            text,
            "{mode:?}"
        );
    }
}

#[test]
fn what_has_come_meanwhile_is_given_and_what_has_gone_is_not() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), kept("old"));
    stage.wait(13);
    let exchange = stage.begin(get("/a"));
    stage.exchange(get("/a"), kept("new"));
    let seen = stage.finish(exchange, failure(503));
    assert_eq!((seen.field("x-cache"), seen.text()), ("HIT", "new"));
    stage.wait(13);
    let exchange = stage.begin(get("/a"));
    stage.evict_last();
    assert_eq!(stage.finish(exchange, failure(503)).text(), "broken");
}

#[test]
fn a_client_that_wants_it_confirmed_gets_the_failure() {
    let mut stage = Stage::new(HONOR);
    stage.exchange(get("/a"), kept("old"));
    stage.wait(13);
    for (directives, text) in [
        ("no-cache", "broken"),
        ("max-age=12", "broken"),
        ("max-age=13", "old"),
    ] {
        let asked = get("/a").with("cache-control", directives);
        assert_eq!(
            stage.exchange(asked, failure(503)).text(),
            text,
            "{directives}"
        );
    }
}

#[test]
fn the_operator_says_what_a_failure_is() {
    let mut stage = Stage::new(r#"{"stale_if_error_statuses": [500, 599]}"#);
    stage.exchange(get("/a"), kept("old"));
    stage.wait(13);
    for (status, text) in [(500, "old"), (599, "old"), (503, "broken")] {
        assert_eq!(
            stage.exchange(get("/a"), failure(status)).text(),
            text,
            "{status}"
        );
    }
}
