//! What is no longer fresh, and the origin that is asked about it.

use larder_core::report::Outcome;

use crate::stage::{CACHE_ALL, Response, Stage, get, reply, request};

const BY_ORIGIN: &str = "{}";

fn tagged(body: &str) -> Response {
    reply(body)
        .with("cache-control", "max-age=10")
        .with("etag", "\"1\"")
}

fn not_modified() -> Response {
    reply("").status(304).with("etag", "\"1\"")
}

#[test]
fn what_is_stale_is_asked_about_and_confirmed() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one").with("x-kept", "yes"));
    stage.wait(10);
    let update = not_modified()
        .with("cache-control", "max-age=20")
        .with("x-new", "yes");
    let answer = stage.exchange(get("/a"), update);
    assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(
        answer.cache(),
        ("REVALIDATED", "larder; fwd=stale; fwd-status=304; stored")
    );
    assert_eq!((answer.status, answer.text()), (200, "one"));
    assert_eq!(
        (answer.field("x-kept"), answer.field("x-new")),
        ("yes", "yes")
    );
    assert_eq!(answer.field("age"), "", "the origin has just confirmed it");

    stage.wait(15);
    let hit = stage.exchange(get("/a"), reply("two"));
    assert_eq!(
        (hit.field("x-cache"), hit.text(), hit.field("age")),
        ("HIT", "one", "15")
    );
    assert_eq!(
        (
            stage.outcomes(Outcome::Revalidated),
            stage.outcomes(Outcome::Miss)
        ),
        (1, 1)
    );
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn what_has_changed_takes_its_place() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let answer = stage.exchange(
        get("/a"),
        reply("two")
            .with("cache-control", "max-age=10")
            .with("etag", "\"2\""),
    );
    assert_eq!(answer.cache(), ("MISS", "larder; fwd=stale; stored"));
    assert_eq!(stage.exchange(get("/a"), reply("three")).text(), "two");
}

#[test]
fn no_cache_is_asked_about_every_time() {
    let mut stage = Stage::new(BY_ORIGIN);
    let first = reply("one")
        .with("cache-control", "no-cache")
        .with("etag", "\"1\"");
    stage.exchange(get("/a"), first);
    for _ in 0..2 {
        let answer = stage.exchange(get("/a"), not_modified());
        assert_eq!(
            (answer.field("x-cache"), answer.text()),
            ("REVALIDATED", "one")
        );
    }
    assert_eq!(stage.origin_requests, 3);
}

#[test]
fn a_clients_own_condition_is_judged_on_the_answer() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let has_it = get("/a").with("if-none-match", "\"0\", \"1\"");
    let answer = stage.exchange(has_it, not_modified());
    assert_eq!(
        stage.asked.all("if-none-match").collect::<Vec<_>>(),
        [b"\"1\""]
    );
    assert_eq!((answer.status, answer.text()), (304, ""));

    stage.wait(10);
    let has_another = get("/a").with("if-modified-since", "Thu, 01 Jan 1970 00:00:01 GMT");
    let answer = stage.exchange(has_another, not_modified());
    assert_eq!(
        stage.asked.only("if-modified-since"),
        None,
        "there is no Last-Modified to ask with"
    );
    assert_eq!((answer.status, answer.text()), (200, "one"));
}

#[test]
fn dates_are_asked_with_where_there_is_no_tag() {
    let mut stage = Stage::new(BY_ORIGIN);
    let day = "Sun, 06 Nov 1994 08:49:37 GMT";
    stage.exchange(
        get("/a"),
        reply("one")
            .with("cache-control", "max-age=10")
            .with("last-modified", day),
    );
    stage.wait(10);
    let answer = stage.exchange(get("/a"), reply("").status(304));
    assert_eq!(stage.asked.only("if-modified-since"), Some(day.as_bytes()));
    assert_eq!(
        (answer.field("x-cache"), answer.text()),
        ("REVALIDATED", "one")
    );
}

#[test]
fn a_304_about_something_else_updates_nothing() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let other = reply("")
        .status(304)
        .with("etag", "\"9\"")
        .with("cache-control", "max-age=60");
    let answer = stage.exchange(get("/a"), other);
    assert_eq!(
        answer.cache(),
        (
            "REVALIDATED",
            "larder; fwd=stale; fwd-status=304; detail=other-validator"
        )
    );
    assert_eq!((answer.text(), answer.field("age")), ("one", "10"));
    stage.exchange(get("/a"), not_modified());
    assert_eq!(
        stage.asked.only("if-none-match"),
        Some(&b"\"1\""[..]),
        "it is still asked about"
    );
}

#[test]
fn what_the_origin_no_longer_allows_is_sent_once_more_and_not_kept_fresh() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let answer = stage.exchange(get("/a"), not_modified().with("cache-control", "private"));
    assert_eq!(
        answer.cache(),
        (
            "REVALIDATED",
            "larder; fwd=stale; fwd-status=304; detail=private"
        )
    );
    assert_eq!(
        stage.exchange(get("/a"), reply("two")).field("x-cache"),
        "MISS"
    );
}

#[test]
fn without_a_validator_of_the_origin_there_is_nothing_to_ask_with() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("one"));
    assert!(
        stage
            .exchange(get("/a"), reply("?"))
            .headers
            .contains("etag"),
        "ours, for clients"
    );
    stage.wait(60);
    assert_eq!(stage.exchange(get("/a"), reply("two")).text(), "two");
    assert_eq!(stage.asked.only("if-none-match"), None);
}

#[test]
fn a_rules_promise_is_not_taken_for_the_origins_word() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("one").with("etag", "\"1\""));
    stage.wait(60);
    let answer = stage.exchange(get("/a"), not_modified());
    assert_eq!(
        answer.cache(),
        ("REVALIDATED", "larder; fwd=stale; fwd-status=304; stored")
    );
    assert_eq!(answer.field("cache-control"), "public, max-age=60");
    stage.reconfigure(r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":30}]}"#);
    let answer = stage.exchange(get("/a"), not_modified());
    assert_eq!(
        (answer.field("x-cache"), answer.field("cache-control")),
        ("REVALIDATED", "public, max-age=30")
    );
}

#[test]
fn a_head_asks_for_itself() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    stage.exchange(request("HEAD", "/a"), reply(""));
    assert_eq!(stage.asked.only("if-none-match"), None);
}

#[test]
fn a_confirmation_that_comes_from_a_cache_has_an_age() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let answer = stage.exchange(get("/a"), not_modified().with("age", "4"));
    assert_eq!(answer.field("age"), "4");
    stage.wait(5);
    assert_eq!(stage.exchange(get("/a"), reply("?")).field("age"), "9");
    stage.wait(1);
    assert_eq!(
        stage.exchange(get("/a"), not_modified()).field("x-cache"),
        "REVALIDATED"
    );
}

#[test]
fn a_304_of_another_filter_is_no_answer_to_who_asked_for_the_whole() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let answer = stage.exchange(get("/a"), not_modified().by_the_proxy());
    assert_eq!((answer.status, answer.text()), (200, "one"));
    assert_eq!(
        answer.cache(),
        (
            "REVALIDATED",
            "larder; fwd=stale; fwd-status=304; detail=local-reply"
        )
    );
    stage.exchange(get("/a"), reply("two"));
    assert_eq!(stage.origin_requests, 3, "it confirmed nothing for others");
}

#[test]
fn what_the_rule_in_force_would_not_have_kept_is_not_asked_about() {
    const STORE_COOKIES: &str = r#"{"set_cookie": "store"}"#;
    const STORE_IF: &str = r#"{"rules": [{"name": "all", "match": {},
        "store_if": {"json": {"pointer": "/ok", "equals": true}}}]}"#;
    let cookie = tagged("one").with("set-cookie", "sid=alice");
    for (before, response, after) in [
        (STORE_COOKIES, cookie, BY_ORIGIN),
        (BY_ORIGIN, tagged("one"), STORE_IF),
    ] {
        let mut stage = Stage::new(before);
        stage.exchange(get("/a"), response.clone());
        assert_eq!(stage.exchange(get("/a"), response).field("x-cache"), "HIT");
        stage.reconfigure(after);
        let answer = stage.exchange(get("/a"), tagged("two"));
        assert_eq!(stage.asked.only("if-none-match"), None, "{after}");
        assert_eq!((answer.text(), answer.field("set-cookie")), ("two", ""));
    }
}

#[test]
fn what_is_no_longer_allowed_tells_the_age_of_its_confirmation() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), tagged("one"));
    stage.wait(10);
    let update = not_modified()
        .with("cache-control", "no-store")
        .with("age", "4");
    let answer = stage.exchange(get("/a"), update);
    assert_eq!((answer.text(), answer.field("age")), ("one", "4"));
}

#[test]
fn what_the_client_has_is_told_by_the_origin_where_nothing_is_stored() {
    let mut stage = Stage::new(BY_ORIGIN);
    let has_it = || get("/a").with("if-none-match", "\"1\"");
    for _ in 0..2 {
        let answer = stage.exchange(has_it(), not_modified().with("cache-control", "max-age=9"));
        assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
        assert_eq!(
            answer.cache(),
            ("MISS", "larder; fwd=uri-miss; detail=status")
        );
        assert_eq!(answer.status, 304);
    }
    let whole = stage.exchange(get("/a"), tagged("one"));
    assert_eq!((whole.field("x-cache"), whole.text()), ("MISS", "one"));
}

#[test]
fn an_error_instead_of_a_confirmation_is_passed_on_and_changes_nothing() {
    let mut stage = Stage::new(BY_ORIGIN);
    let must = tagged("one").with("cache-control", "must-revalidate");
    stage.exchange(get("/a"), must);
    stage.wait(10);
    let broken = reply("broken").status(500);
    for (error, status) in [
        (broken.clone(), 500),
        (broken.status(503).by_the_proxy(), 503),
    ] {
        let answer = stage.exchange(get("/a"), error);
        assert_eq!((answer.status, answer.text()), (status, "broken"));
    }
    let confirmed = stage.exchange(get("/a"), not_modified());
    assert_eq!((confirmed.status, confirmed.text()), (200, "one"));
}

#[test]
fn what_credentials_allowed_is_asked_about_when_the_origin_said_so() {
    let forced = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"ttl_mode":"override"}]}"#;
    let mut stage = Stage::new(forced);
    let ask = |who: &str| get("/a").with("authorization", who);
    let account = |body: &str| {
        reply(body)
            .with("cache-control", "s-maxage=0")
            .with("etag", "\"1\"")
    };
    stage.exchange(ask("alice"), account("one"));
    let refused = reply("who are you?").status(401);
    let answer = stage.exchange(ask("mallory"), refused);
    assert_eq!((answer.status, answer.text()), (401, "who are you?"));
    assert_eq!(stage.exchange(ask("bob"), not_modified()).text(), "one");
}

#[test]
fn what_varies_still_does_after_a_304_that_does_not_say_so() {
    let mut stage = Stage::new("{}");
    let ask = |language| get("/a").with("accept-language", language);
    let french = reply("bonjour").with("cache-control", "max-age=60");
    let french = french
        .with("etag", "\"fr\"")
        .with("vary", "accept-language");
    // Vary is for all recipients, whatever this says.
    stage.exchange(ask("fr"), french.with("connection", "vary"));
    stage.wait(70);
    let confirmed = reply("").status(304).with("etag", "\"fr\"");
    let seen = stage.exchange(ask("fr"), confirmed);
    assert_eq!((seen.cache().0, seen.text()), ("REVALIDATED", "bonjour"));
    assert_eq!(stage.exchange(ask("fr"), reply("other")).cache().0, "HIT");
    assert_eq!(stage.exchange(ask("en"), reply("hello")).text(), "hello");
}

#[test]
fn what_a_304_says_to_one_user_is_said_to_no_other() {
    let mut stage = Stage::new("{}");
    let shared = reply("for all")
        .with("cache-control", "public, max-age=60")
        .with("etag", "\"1\"");
    stage.exchange(get("/a"), shared);
    stage.wait(70);
    let asks = get("/a").with("authorization", "Bearer ann");
    let to_ann = reply("").status(304).with("etag", "\"1\"");
    let seen = stage.exchange(asks.clone(), to_ann.clone().with("x-user", "ann"));
    assert_eq!((seen.text(), seen.field("x-user")), ("for all", "ann"));
    assert_eq!(
        seen.cache().1,
        "larder; fwd=stale; fwd-status=304; detail=authorization"
    );
    let bob = stage.exchange(get("/a"), reply("").status(304).with("etag", "\"1\""));
    assert_eq!((bob.text(), bob.field("x-user")), ("for all", ""));

    stage.wait(70);
    let permitted = to_ann.with("cache-control", "public, max-age=60");
    stage.exchange(asks, permitted);
    assert_eq!(
        stage.exchange(get("/a"), reply("never asked")).cache().0,
        "HIT"
    );
}
