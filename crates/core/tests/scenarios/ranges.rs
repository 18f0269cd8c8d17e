//! Parts of what is stored, and what becomes of a range that nothing stored can answer.

use larder_core::policy::Reason;
use larder_core::report::{Counter, Outcome};

use crate::stage::{CACHE_ALL, Stage, get, reply, request};

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";

/// A stage that has the alphabet stored under `/a`, with a tag and a type.
fn stocked() -> Stage {
    let mut stage = Stage::new(CACHE_ALL);
    let response = reply(ALPHABET)
        .with("etag", "\"v1\"")
        .with("content-type", "text/plain");
    stage.exchange(get("/a"), response);
    stage
}

#[test]
fn a_part_is_cut_from_the_whole_and_says_that_it_is_from_the_cache() {
    let mut stage = stocked();
    stage.wait(5);
    let part = stage.exchange(get("/a").with("range", "bytes=2-4"), reply("other"));
    assert_eq!((part.status, part.text()), (206, "cde"));
    assert_eq!(part.field("content-range"), "bytes 2-4/26");
    assert_eq!(
        (part.field("etag"), part.field("content-type")),
        ("\"v1\"", "text/plain")
    );
    assert_eq!(part.cache(), ("HIT", "larder; hit; ttl=55"));
    assert_eq!((part.field("age"), part.field("x-cache-age")), ("5", "5"));
    assert_eq!(
        (stage.origin_requests, stage.outcomes(Outcome::Hit)),
        (1, 1)
    );
}

#[test]
fn a_range_behind_the_end_is_refused_with_the_length() {
    let mut stage = stocked();
    let refused = stage.exchange(get("/a").with("range", "bytes=26-"), reply("other"));
    assert_eq!((refused.status, refused.text()), (416, ""));
    assert_eq!(refused.field("content-range"), "bytes */26");
    assert_eq!(
        (refused.field("etag"), refused.field("cache-control")),
        ("", "")
    );
    assert_eq!(refused.cache(), ("HIT", "larder; hit; ttl=60"));
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn what_is_no_range_gets_the_whole() {
    let mut stage = stocked();
    for range in [
        "bytes=4-2",
        "bytes",
        "lines=1-2",
        "bytes=0-5,1-6,2-7",
        "bytes=0-0,25-25",
    ] {
        let whole = stage.exchange(get("/a").with("range", range), reply("other"));
        assert_eq!((whole.status, whole.text()), (200, ALPHABET), "{range}");
    }
    let head = stage.exchange(
        request("HEAD", "/a").with("range", "bytes=0-1"),
        reply("other"),
    );
    assert_eq!(head.status, 200);
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn what_the_client_has_already_comes_before_the_part() {
    let mut stage = stocked();
    let part = || get("/a").with("range", "bytes=0-1");
    let same = stage.exchange(part().with("if-none-match", "\"v1\""), reply("other"));
    assert_eq!(same.status, 304);
    let other = stage.exchange(part().with("if-none-match", "\"v0\""), reply("other"));
    assert_eq!((other.status, other.text()), (206, "ab"));
    let still = stage.exchange(part().with("if-range", "\"v1\""), reply("other"));
    assert_eq!((still.status, still.text()), (206, "ab"));
    let changed = stage.exchange(part().with("if-range", "\"v0\""), reply("other"));
    assert_eq!((changed.status, changed.text()), (200, ALPHABET));
}

#[test]
fn a_stale_entry_is_asked_about_and_then_cut() {
    let mut stage = stocked();
    stage.wait(60);
    let asked = || {
        get("/a")
            .with("range", "bytes=2-4")
            .with("if-range", "\"v1\"")
    };
    let confirmed = reply("").status(304).with("etag", "\"v1\"");
    let part = stage.exchange(asked(), confirmed);
    assert_eq!((part.status, part.text()), (206, "cde"));
    assert_eq!(part.field("content-range"), "bytes 2-4/26");
    assert_eq!(part.field("x-cache"), "REVALIDATED");
    assert_eq!(stage.asked.only("range"), Some(&b"bytes=2-4"[..]));
    assert_eq!(stage.asked.only("if-range"), Some(&b"\"v1\""[..]));
    assert_eq!(stage.exchange(get("/a"), reply("other")).text(), ALPHABET);

    stage.wait(60);
    let changed = stage.exchange(asked(), reply("another alphabet").with("etag", "\"v2\""));
    assert_eq!((changed.status, changed.text()), (200, "another alphabet"));
    let part = stage.exchange(get("/a").with("range", "bytes=0-6"), reply("other"));
    assert_eq!((part.status, part.text()), (206, "another"));
}

#[test]
fn parts_of_one_variant_are_not_those_of_another() {
    let mut stage = Stage::new(CACHE_ALL);
    let in_language = |language| get("/a").with("accept-language", language);
    let varied = |body| reply(body).with("vary", "accept-language");
    stage.exchange(in_language("en"), varied("hello"));
    stage.exchange(in_language("de"), varied("hallo"));
    for (language, text) in [("en", "ell"), ("de", "all")] {
        let part = stage.exchange(
            in_language(language).with("range", "bytes=1-3"),
            reply("other"),
        );
        assert_eq!((part.status, part.text()), (206, text));
        assert_eq!(part.field("vary"), "accept-language");
    }
}

#[test]
fn a_stored_answer_that_is_no_200_has_no_parts() {
    let mut stage = Stage::new(CACHE_ALL);
    let gone = || {
        reply("it is gone")
            .status(404)
            .with("cache-control", "max-age=60")
    };
    stage.exchange(get("/a"), gone());
    let answer = stage.exchange(get("/a").with("range", "bytes=0-1"), gone());
    assert_eq!((answer.status, answer.text()), (404, "it is gone"));
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn a_part_from_the_origin_is_not_stored_but_the_whole_is() {
    let mut stage = Stage::new(CACHE_ALL);
    let asked = || get("/a").with("range", "bytes=0-1");
    let part = reply("ab")
        .status(206)
        .with("content-range", "bytes 0-1/26");
    let first = stage.exchange(asked(), part);
    assert_eq!((first.status, first.text()), (206, "ab"));
    assert_eq!(
        first.cache(),
        ("MISS", "larder; fwd=uri-miss; detail=partial-content")
    );
    assert_eq!(stage.count(Counter::NotStored(Reason::PartialContent)), 1);

    let second = stage.exchange(asked(), reply(ALPHABET));
    assert_eq!(second.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    let third = stage.exchange(asked(), reply("other"));
    assert_eq!(
        (third.status, third.text(), third.field("x-cache")),
        (206, "ab", "HIT")
    );
}

#[test]
fn an_error_about_a_range_is_not_for_those_who_asked_for_none() {
    for status in [400, 416] {
        let mut stage = Stage::new(CACHE_ALL);
        let refusal = reply("no")
            .status(status)
            .with("cache-control", "max-age=60");
        let refused = stage.exchange(get("/a").with("range", "bytes=99-"), refusal);
        assert_eq!(
            refused.cache(),
            ("MISS", "larder; fwd=uri-miss; detail=range")
        );
        assert_eq!(stage.exchange(get("/a"), reply("text")).text(), "text");
    }
}

#[test]
fn from_the_cache_or_not_at_all_holds_for_parts_too() {
    let only_cached = || {
        get("/a")
            .with("range", "bytes=0-1")
            .with("cache-control", "only-if-cached")
    };
    assert_eq!(
        Stage::new(CACHE_ALL)
            .exchange(only_cached(), reply("other"))
            .status,
        504
    );
    assert_eq!(
        stocked().exchange(only_cached(), reply("other")).status,
        206
    );
}
