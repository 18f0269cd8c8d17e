//! What the response to a HEAD says about the stored response to a GET (RFC 9111 section 4.3.5).

use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{Response, Stage, get, reply, request};

const BY_ORIGIN: &str = r#"{"request_cache_control":"honor"}"#;

fn tagged(body: &str, tag: &str) -> Response {
    reply(body)
        .with("cache-control", "max-age=60")
        .with("etag", tag)
}

/// The head of such a response alone.
fn head_of(length: &str, tag: &str) -> Response {
    tagged("", tag).with("content-length", length)
}

/// A stage on which `hello` is stored and over.
fn stale() -> Stage {
    let mut stage = Stage::new(BY_ORIGIN);
    let first = tagged("hello", "\"1\"").with("x-of", "get");
    stage.exchange(get("/a"), first.with("content-type", "text/plain"));
    stage.wait(70);
    stage
}

#[test]
fn a_head_that_agrees_freshens_what_is_stored() {
    let mut stage = stale();
    let head = head_of("5", "\"1\"").with("x-of", "head");
    let seen = stage.exchange(request("HEAD", "/a"), head);
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=stale; stored"));
    assert!(
        !stage.asked.contains("if-none-match"),
        "the client asked for a head, and gets one"
    );
    let hit = stage.exchange(get("/a"), reply("never asked"));
    assert_eq!((hit.cache().0, hit.text()), ("HIT", "hello"));
    assert_eq!(hit.field("x-of"), "head");
    assert_eq!(hit.field("content-type"), "text/plain");
    assert_eq!(hit.field("age"), "0");
}

#[test]
fn a_head_that_differs_freshens_nothing() {
    let rows = [
        ("another tag", head_of("5", "\"2\"")),
        ("another length", head_of("6", "\"1\"")),
        (
            "no validator",
            reply("").with("cache-control", "max-age=60"),
        ),
        ("no 200", head_of("5", "\"1\"").status(404)),
        ("the proxy's", head_of("5", "\"1\"").by_the_proxy()),
    ];
    for (name, head) in rows {
        let mut stage = stale();
        stage.exchange(request("HEAD", "/a"), head);
        let seen = stage.exchange(get("/a"), tagged("", "\"1\"").status(304));
        assert_eq!(seen.cache().0, "REVALIDATED", "{name}");
    }
}

#[test]
fn a_head_that_differs_ends_what_was_fresh() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("hello", "\"1\""));
    let ask = request("HEAD", "/a").with("cache-control", "no-cache");
    let seen = stage.exchange(ask, head_of("7", "\"2\""));
    assert_eq!(
        seen.cache().1,
        "larder; fwd=request; detail=other-validator"
    );
    let after = stage.exchange(get("/a"), tagged("changed", "\"2\""));
    assert_eq!(
        after.cache().1,
        "larder; fwd=stale; stored; detail=invalidated"
    );
}

#[test]
fn a_head_ends_nothing_that_is_never_used_unasked() {
    let mut stage = Stage::new(BY_ORIGIN);
    let asked = |body: &str, tag| {
        reply(body)
            .with("cache-control", "no-cache")
            .with("etag", tag)
    };
    stage.exchange(get("/a"), asked("hello", "\"1\""));
    stage.exchange(request("HEAD", "/a"), asked("", "\"2\""));
    let seen = stage.exchange(get("/a"), asked("", "\"1\"").status(304));
    assert_eq!(
        seen.cache().1,
        "larder; fwd=stale; fwd-status=304; stored; detail=no-cache"
    );
}

#[test]
fn a_head_whose_answer_must_not_be_stored_stores_nothing() {
    let mut stage = stale();
    let head = head_of("5", "\"1\"").with("cache-control", "private");
    let seen = stage.exchange(request("HEAD", "/a"), head);
    assert_eq!(seen.cache().1, "larder; fwd=stale; detail=private");
    assert_eq!(stage.count(Counter::NotStored(Reason::Private)), 1);
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn a_head_revives_nothing_that_a_write_has_ended() {
    let dated = |body| {
        let fresh = reply(body).with("cache-control", "max-age=60");
        fresh.with("last-modified", "Mon, 12 Jan 1970 13:46:40 GMT")
    };
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), dated("old"));
    // Within the same second, and of the same length.
    stage.exchange(request("PUT", "/a"), reply("").status(204));
    stage.exchange(request("HEAD", "/a"), dated("").with("content-length", "3"));
    let seen = stage.exchange(get("/a"), dated("new"));
    assert_eq!(seen.text(), "new");
    assert!(
        stage.asked.contains("if-modified-since"),
        "it is confirmed by a 304 only"
    );
}

#[test]
fn what_a_head_says_to_one_user_is_said_to_no_other() {
    let mut stage = Stage::new(BY_ORIGIN);
    let public = reply("hello").with("cache-control", "max-age=60, public");
    stage.exchange(get("/a"), public.with("etag", "\"1\""));
    stage.wait(70);
    let ask = request("HEAD", "/a").with("authorization", "Bearer ann");
    let own = reply("").with("etag", "\"1\"").with("x-user", "ann");
    let seen = stage.exchange(ask, own);
    assert_eq!(seen.cache().1, "larder; fwd=stale; detail=authorization");
    let other = stage.exchange(get("/a"), tagged("", "\"1\"").status(304));
    assert_eq!(
        (other.cache().0, other.field("x-user")),
        ("REVALIDATED", "")
    );
}
