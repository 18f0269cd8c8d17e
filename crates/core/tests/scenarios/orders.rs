//! Writes, and what the operator says that they make invalid.

use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const REPORTS: &str = r#"{"rules": [
    {"name": "report", "match": {"path": "/report.*"}, "ttl_seconds": 1800, "tags": ["reports", "analytics"]},
    {"name": "user", "match": {"path": "/users/(?P<id>[^/]+)"}, "ttl_seconds": 60, "tags": ["user:{id}"],
     "key": {"template": "profile:{id}"}},
    {"name": "update", "match": {"methods": ["POST"], "path": "/data/update"}, "invalidates": {"tags": ["reports"]}},
    {"name": "user-data", "match": {"path": "/data/users/(?P<id>[^/]+)"}, "invalidates": {"keys": ["profile:{id}"]}},
    {"name": "any-data", "match": {"path": "/data/.*"}, "invalidates": {"tags": ["analytics"], "mode": "soft"}}]}"#;

fn tagged(body: &str) -> Response {
    reply(body).with("etag", "\"1\"")
}

fn done() -> Response {
    reply("").status(204)
}

/// What comes after a write of what was stored before it.
fn after(configuration: &str, path: &str, write: Request, answer: Response) -> (Seen, Stage) {
    let mut stage = Stage::new(configuration);
    stage.exchange(get(path), tagged("old"));
    stage.exchange(write, answer);
    let seen = stage.exchange(get(path), tagged("new"));
    (seen, stage)
}

#[test]
fn a_write_that_succeeds_purges_what_its_rule_names() {
    for (method, path, status, expected) in [
        ("POST", "/data/update", 200, "new"),
        ("POST", "/data/update", 303, "new"),
        ("POST", "/data/update", 409, "old"),
        ("POST", "/data/update", 503, "old"),
        ("GET", "/data/update", 200, "old"),
        ("POST", "/other", 200, "old"),
        ("POST", "/data//update", 200, "new"),
    ] {
        let write = request(method, path);
        let (seen, _) = after(REPORTS, "/report", write, reply("").status(status));
        assert_eq!(seen.text(), expected, "{method} {path} {status}");
    }
}

#[test]
fn every_rule_that_takes_the_write_counts_and_the_hardest_wins() {
    let (seen, stage) = after(REPORTS, "/report", request("POST", "/data/update"), done());
    let hard = "larder; fwd=stale; stored; detail=invalidated";
    assert_eq!(
        (seen.cache().1, stage.asked.contains("if-none-match")),
        (hard, false)
    );
    let (seen, stage) = after(REPORTS, "/report", request("PUT", "/data/update"), done());
    let soft = "larder; fwd=stale; stored; detail=soft-purged";
    assert_eq!(
        (seen.cache().1, stage.asked.contains("if-none-match")),
        (soft, true)
    );
    let (seen, _) = after(
        REPORTS,
        "/users/7",
        request("DELETE", "/data/users/7"),
        done(),
    );
    assert_eq!(seen.text(), "new");
    let (seen, _) = after(
        REPORTS,
        "/users/7",
        request("DELETE", "/data/users/70"),
        done(),
    );
    assert_eq!(seen.text(), "old");
}

#[test]
fn its_own_url_is_invalid_all_the_same() {
    let (seen, stage) = after(REPORTS, "/report", request("PUT", "/report"), done());
    assert_eq!(
        seen.cache().1,
        "larder; fwd=stale; stored; detail=invalidated"
    );
    assert!(
        stage.asked.contains("if-none-match"),
        "the origin may confirm it"
    );
}

#[test]
fn the_write_passes_whatever_stands_around_it() {
    let with = |rule: &str| {
        let rules = format!(r#"{{"rules": [{rule}, "#);
        REPORTS.replacen(r#"{"rules": ["#, &rules, 1)
    };
    let never = with(
        r#"{"name": "never", "match": {"path": "/data/.*", "methods": ["POST"]}, "cache": false}"#,
    );
    let silent = REPORTS.replacen('{', r#"{"unmatched": "bypass", "#, 1);
    for (configuration, status) in [
        (REPORTS, "larder; fwd=method"),
        (never.as_str(), "larder; fwd=bypass; detail=rule-bypass"),
        (silent.as_str(), "larder; fwd=method"),
    ] {
        let mut stage = Stage::new(configuration);
        stage.exchange(get("/report"), tagged("old"));
        let write = stage.exchange(request("POST", "/data/update").body("{}"), reply("done"));
        assert_eq!((write.text(), write.cache()), ("done", ("BYPASS", status)));
        assert_eq!(stage.exchange(get("/report"), tagged("new")).text(), "new");
    }
    let other = REPORTS.replacen("POST", "POST\", \"M-SEARCH", 1);
    let (seen, _) = after(
        &other,
        "/report",
        request("M-SEARCH", "/data/update"),
        done(),
    );
    assert_eq!(seen.text(), "new");
}

/// A rule in front of one whose POSTs are questions says which of them are writes.
#[test]
fn a_write_in_front_of_questions_is_no_question() {
    const GRAPH: &str = r#"{"rules": [
        {"name": "mutation", "match": {"path": "/graph", "methods": ["POST"], "headers": {"x-op": "mutation"}},
         "invalidates": {"tags": ["graph"]}},
        {"name": "query", "match": {"path": "/graph", "methods": ["POST"]}, "ttl_seconds": 60,
         "key": {"body": true}, "hold_headers": true, "tags": ["graph"]},
        {"name": "late", "match": {"path": "/graph"}, "invalidates": {"tags": ["graph"]}}]}"#;
    let mut stage = Stage::new(GRAPH);
    let ask = |body| request("POST", "/graph").body(body);
    stage.exchange(ask("{a}"), reply("old"));
    stage.exchange(ask("{b}"), reply("b"));
    assert_eq!(
        stage.exchange(ask("{a}"), reply("?")).text(),
        "old",
        "a question is no write"
    );
    let mutation = ask("{a}").with("x-op", "mutation");
    let done = stage.exchange(mutation, reply("done"));
    assert_eq!(
        (done.text(), done.cache().1),
        ("done", "larder; fwd=method")
    );
    assert_eq!(stage.exchange(ask("{a}"), reply("new")).text(), "new");
}

#[test]
fn who_writes_can_be_named() {
    const CART: &str = r#"{"rules": [
        {"name": "cart", "match": {"path": "/cart"}, "ttl_seconds": 60, "identity": {"header": "x-user", "trusted": true}},
        {"name": "buy", "match": {"path": "/items/.*"}, "identity": {"header": "x-user", "trusted": true},
         "invalidates": {"tags": ["user:{identity}"]}}]}"#;
    let mut stage = Stage::new(CART);
    let by = |request: Request, user| request.with("x-user", user);
    for user in ["ann", "bob"] {
        stage.exchange(by(get("/cart"), user), reply("old"));
    }
    stage.exchange(by(request("PUT", "/items/7"), "ann"), done());
    stage.exchange(request("PUT", "/items/7"), done());
    assert_eq!(
        stage.exchange(by(get("/cart"), "ann"), reply("new")).text(),
        "new"
    );
    assert_eq!(
        stage.exchange(by(get("/cart"), "bob"), reply("new")).text(),
        "old"
    );
}

#[test]
fn a_pattern_is_known_before_the_write_is_answered() {
    const RULES: &str = r#"{"rules": [{"name": "w", "match": {"path": "/data/(?P<id>.*)"},
        "invalidates": {"patterns": ["/api/{id}/*"]}}]}"#;
    let fresh = |body| reply(body).with("cache-control", "max-age=60");
    let mut stage = Stage::new(RULES);
    for path in ["/api/7/x", "/api/8/x", "/api/*/x"] {
        stage.exchange(get(path), fresh("old"));
    }
    let mut after = |id: &str, path| {
        stage.exchange(request("PUT", &format!("/data/{id}")), done());
        stage.exchange(get(path), fresh("new")).text().to_owned()
    };
    assert_eq!(after("*", "/api/7/x"), "old", "a client's star is a letter");
    assert_eq!(after("*", "/api/*/x"), "new");
    assert_eq!(after("7", "/api/8/x"), "old");
    assert_eq!(after("7", "/api/7/x"), "new");
}
