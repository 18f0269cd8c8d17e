//! Writes, and what they leave of what was stored before them (RFC 9111 section 4.4, RFC 9875).

use larder_core::exchange::Event;
use larder_core::http::Headers;
use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Response, Seen, Stage, get, reply, request};

const BY_ORIGIN: &str = "{}";

fn fresh(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=60")
}

fn done() -> Response {
    reply("").status(204)
}

/// Stores the first answer, writes, and asks again; the second answer would be new.
fn after(stage: &mut Stage, path: &str, write: (&str, &str), response: Response) -> Seen {
    stage.exchange(get(path), fresh("old"));
    let hit = stage.exchange(get(path), fresh("never asked"));
    assert_eq!(hit.text(), "old", "{path} is stored");
    stage.exchange(request(write.0, write.1), response);
    stage.exchange(get(path), fresh("new"))
}

#[test]
fn a_write_that_succeeds_invalidates_its_target() {
    let rows = [
        ("POST", 200, "new"),
        ("PUT", 201, "new"),
        ("DELETE", 204, "new"),
        ("PATCH", 303, "new"),
        ("M-SEARCH", 200, "new"),
        ("PUT", 100, "old"),
        ("PUT", 404, "old"),
        ("POST", 503, "old"),
        ("OPTIONS", 200, "old"),
        ("TRACE", 200, "old"),
        ("QUERY", 200, "old"),
    ];
    for (method, status, expected) in rows {
        let mut stage = Stage::new(BY_ORIGIN);
        let answer = reply("").status(status);
        let seen = after(&mut stage, "/a?b", (method, "/a?b"), answer);
        assert_eq!(seen.text(), expected, "{method} {status}");
        let written = u64::from(expected == "new");
        assert_eq!(stage.count(Stage::WRITE), written, "{method}");
    }
}

#[test]
fn the_operator_sees_why_it_was_not_used() {
    let mut stage = Stage::new(BY_ORIGIN);
    let seen = after(&mut stage, "/a", ("POST", "/a"), done());
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=invalidated")
    );
    let hit = stage.exchange(get("/a"), fresh("never asked"));
    assert_eq!(hit.cache().0, "HIT");
}

#[test]
fn other_resources_stay() {
    for target in ["/b", "/a/b", "/a?x=1", "/A"] {
        let mut stage = Stage::new(BY_ORIGIN);
        let seen = after(&mut stage, "/a", ("POST", target), done());
        assert_eq!(seen.text(), "old", "{target}");
    }
}

#[test]
fn another_spelling_of_the_target_is_the_target() {
    for target in ["/a/b", "/a/%62", "/x/../a/b", "/a/./b", "/a//b"] {
        let mut stage = Stage::new(BY_ORIGIN);
        let seen = after(&mut stage, "/a/b", ("POST", target), done());
        assert_eq!(seen.text(), "new", "{target}");
    }
}

#[test]
fn location_and_content_location_of_the_same_origin_are_invalidated_too() {
    let rows = [
        ("location", "/made/7", "new"),
        ("location", "7", "new"),
        (
            "content-location",
            "http://API.example.com:80/made/7#top",
            "new",
        ),
        ("location", "//api.example.com/made/7", "new"),
        ("location", "http://other.example.com/made/7", "old"),
        ("location", "https://api.example.com/made/7", "old"),
        (
            "content-location",
            "http://api.example.com:81/made/7",
            "old",
        ),
        ("location", "mailto:a", "old"),
    ];
    for (name, value, expected) in rows {
        let mut stage = Stage::new(BY_ORIGIN);
        let answer = done().with(name, value);
        let seen = after(&mut stage, "/made/7", ("POST", "/made/"), answer);
        assert_eq!(seen.text(), expected, "{name}: {value}");
    }
    let mut stage = Stage::new(BY_ORIGIN);
    let failed = reply("").status(409).with("location", "/made/7");
    let seen = after(&mut stage, "/made/7", ("POST", "/made/"), failed);
    assert_eq!(seen.text(), "old", "a write that failed");
}

#[test]
fn what_is_asked_for_while_the_write_is_on_its_way_is_over() {
    let mut stage = Stage::new(BY_ORIGIN);
    let fetch = stage.begin(get("/a"));
    stage.exchange(request("POST", "/a"), done());
    // The origin may have made it before the write.
    stage.finish(fetch, fresh("old"));
    let seen = stage.exchange(get("/a"), fresh("new"));
    assert_eq!(seen.text(), "new");
}

#[test]
fn what_another_filter_answers_is_no_write() {
    let mut stage = Stage::new(BY_ORIGIN);
    let redirect = reply("").status(301).because("ext_authz_denied");
    let seen = after(&mut stage, "/a", ("POST", "/a"), redirect);
    assert_eq!(seen.text(), "old");
}

/// The origin may have done what it did not answer any more.
#[test]
fn a_write_that_nobody_answers_may_have_been_done() {
    for details in [
        "response_timeout",
        "upstream_reset_before_response_started{connection_termination}",
        "upstream_per_try_timeout",
    ] {
        let mut stage = Stage::new(BY_ORIGIN);
        let answer = reply("late").status(504).because(details);
        let seen = after(&mut stage, "/a", ("POST", "/a"), answer);
        assert_eq!(seen.text(), "new", "{details}");
    }
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), fresh("old"));
    let mut write = stage.begin(request("POST", "/a"));
    assert!(write.minds_the_end());
    stage.drive(&mut write, Event::Aborted, &mut Headers::new());
    assert_eq!(stage.exchange(get("/a"), fresh("new")).text(), "new");
}

/// What cannot be read here may be read by the origin.
#[test]
fn a_write_to_an_odd_target_is_one_to_what_it_names() {
    const RULES: &str = r#"{"rules": [
        {"name": "report", "match": {"path": "/report"}, "ttl_seconds": 60, "tags": ["reports"]},
        {"name": "write", "match": {"path": "/tag/.*"}, "invalidates": {"tags": ["reports"]}}]}"#;
    for target in [
        "/tag/100%",
        "/tag/a%5Cb",
        "/tag/a\\b",
        "/tag/\u{e9}",
        "/tag/x?q=\u{e9}",
        "/tag/x#y",
        "/tag/a/..%2Fb",
    ] {
        let mut stage = Stage::new(RULES);
        let seen = after(&mut stage, "/report", ("POST", target), done());
        assert_eq!(seen.text(), "new", "{target}");
    }
    let mut stage = Stage::new(BY_ORIGIN);
    let seen = after(&mut stage, "/a", ("POST", "/a#b"), done());
    assert_eq!(seen.text(), "new", "its own URL");
}

#[test]
fn a_write_that_breaks_off_after_its_head_has_been_done() {
    let mut stage = Stage::new(BY_ORIGIN);
    let answer = reply("half").breaking_off();
    let seen = after(&mut stage, "/a", ("POST", "/a"), answer);
    assert_eq!(seen.text(), "new");
}

#[test]
fn every_rule_that_could_have_stored_it_is_met() {
    const RULES: &str = r#"{"rules":[
        {"name":"never","match":{"path":"/users/.*","methods":["POST","DELETE"]},"cache":false},
        {"name":"beta","match":{"path":"/users/[0-9]+","headers":{"x-beta":"1"}},"ttl_seconds":60,
         "key":{"query":{"include":["page"]}}},
        {"name":"user","match":{"path":"/users/(?P<id>[0-9]+)(/.*)?"},"ttl_seconds":60,
         "key":{"template":"user:{id}","headers":["accept-language"]},
         "identity":{"header":"x-user","trusted":true}}]}"#;
    let asks = [
        get("/users/7").with("x-beta", "1"),
        get("/users/7").with("x-user", "ann"),
        get("/users/7")
            .with("x-user", "bob")
            .with("accept-language", "de"),
        get("/users/7/posts").with("x-user", "carl"),
    ];
    for (row, ask) in asks.into_iter().enumerate() {
        let mut stage = Stage::new(RULES);
        stage.exchange(ask.clone(), reply("old"));
        let other = stage.exchange(request("DELETE", "/users/8"), done());
        assert_eq!(other.cache().1, "larder; fwd=bypass; detail=rule-bypass");
        assert_eq!(
            stage.exchange(ask.clone(), reply("x")).text(),
            "old",
            "{row}"
        );
        stage.exchange(request("DELETE", "/users/7"), done());
        assert_eq!(stage.exchange(ask, reply("new")).text(), "new", "{row}");
    }
}

#[test]
fn what_another_configuration_stored_is_met_where_the_url_is_the_same() {
    const BY_PAGE: &str = r#"{"rules":[{"name":"page","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"query":{"include":["page"]}}}]}"#;
    const NOTHING: &str = r#"{"unmatched":"bypass"}"#;
    let mut stage = Stage::new(BY_PAGE);
    stage.exchange(get("/a?x=2&page=1"), reply("old"));
    stage.reconfigure(NOTHING);
    stage.exchange(request("PUT", "/b?x=2&page=1"), done());
    stage.reconfigure(BY_PAGE);
    let hit = stage.exchange(get("/a?x=2&page=1"), reply("never asked"));
    assert_eq!(hit.text(), "old");
    stage.reconfigure(NOTHING);
    stage.exchange(request("PUT", "/a?x=2&page=1"), done());
    stage.reconfigure(BY_PAGE);
    let seen = stage.exchange(get("/a?page=1"), reply("new"));
    assert_eq!(seen.text(), "new");
}

#[test]
fn all_variants_are_met() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = |language| get("/a").with("accept-language", language);
    for language in ["de", "en"] {
        let answer = reply(language).with("vary", "accept-language");
        stage.exchange(ask(language), answer);
    }
    stage.exchange(request("PUT", "/a"), done());
    for language in ["de", "en"] {
        let answer = reply("new").with("vary", "accept-language");
        assert_eq!(stage.exchange(ask(language), answer).text(), "new");
    }
}

#[test]
fn what_can_be_asked_about_is_asked_about() {
    let mut stage = Stage::new(BY_ORIGIN);
    let tagged = |body| fresh(body).with("etag", "\"1\"");
    stage.exchange(get("/a"), tagged("the same"));
    stage.exchange(request("POST", "/a"), done());
    let seen = stage.exchange(get("/a"), tagged("").status(304));
    assert_eq!(
        (seen.text(), seen.cache()),
        (
            "the same",
            (
                "REVALIDATED",
                "larder; fwd=stale; fwd-status=304; stored; detail=invalidated"
            )
        )
    );
    assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(stage.exchange(get("/a"), done()).cache().0, "HIT");
}

#[test]
fn a_group_is_invalidated_where_its_origin_says_so() {
    let rows = [
        (r#""a", "scripts""#, "new"),
        (r#""Scripts""#, "old"),
        (r#""script""#, "old"),
        ("scripts", "old"),
        (r#""scripts", bad"#, "old"),
    ];
    for (groups, expected) in rows {
        let mut stage = Stage::new(BY_ORIGIN);
        let grouped = |body| fresh(body).with("cache-groups", r#""styles", "scripts";v=1"#);
        stage.exchange(get("/a.js"), grouped("old"));
        stage.exchange(get("/alone"), fresh("alone"));
        let write = done().with("cache-group-invalidation", groups);
        stage.exchange(request("POST", "/deploy"), write);
        let seen = stage.exchange(get("/a.js"), grouped("new"));
        assert_eq!(seen.text(), expected, "{groups}");
        let alone = stage.exchange(get("/alone"), fresh("x"));
        assert_eq!(alone.text(), "alone");
    }
}

#[test]
fn a_safe_request_and_another_origin_invalidate_no_group() {
    let grouped = |body| fresh(body).with("cache-groups", r#""g""#);
    let order = || done().with("cache-group-invalidation", r#""g""#);
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), grouped("old"));
    stage.exchange(get("/safe"), order());
    stage.exchange(request("OPTIONS", "/safe"), order());
    let elsewhere = request("POST", "/a").at("other.example.com");
    stage.exchange(elsewhere, order());
    let failed = order().status(500);
    stage.exchange(request("POST", "/x"), failed);
    assert_eq!(stage.exchange(get("/a"), grouped("x")).text(), "old");
    let with_port = request("POST", "/x").at("API.example.com:80");
    stage.exchange(with_port, order());
    assert_eq!(stage.exchange(get("/a"), grouped("new")).text(), "new");
}

#[test]
fn more_groups_than_can_be_remembered_are_none_to_keep_and_all_to_invalidate() {
    let many = vec!["\"g\""; 65].join(", ");
    let mut stage = Stage::new(BY_ORIGIN);
    let seen = stage.exchange(get("/a"), fresh("a").with("cache-groups", &many));
    assert_eq!(seen.cache().1, "larder; fwd=uri-miss; detail=tag-limit");
    assert_eq!(stage.count(Counter::NotStored(Reason::TagLimit)), 1);

    let grouped = |body| fresh(body).with("cache-groups", r#""h""#);
    stage.exchange(get("/b"), grouped("old"));
    let write = done().with("cache-group-invalidation", &many);
    stage.exchange(request("POST", "/x"), write);
    assert_eq!(stage.exchange(get("/b"), grouped("new")).text(), "new");
}

#[test]
fn a_write_is_remembered_when_the_worker_has_no_room() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a"), fresh("old"));
    stage.budget.set_limit(0);
    stage.exchange(request("POST", "/a"), done());
    stage.budget.set_limit(1_000_000);
    assert_eq!(stage.exchange(get("/a"), fresh("new")).text(), "new");
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn a_write_whose_outcome_nobody_can_read_invalidates() {
    let rows = [
        ("whose answer it is", done().by_nobody()),
        ("its status", done().status(7)),
    ];
    for (what, unreadable) in rows {
        let mut stage = Stage::new(BY_ORIGIN);
        let seen = after(&mut stage, "/a", ("PUT", "/a"), unreadable);
        assert_eq!(seen.text(), "new", "{what}");
    }
}
