//! What Envoy makes of our replies, and what the client must see all the same: no content-type made up or lost, nothing
//! doubled that a route, a virtual host or another filter adds.

use larder_harness::client::{Answer, Request};
use larder_harness::envoy::{HttpFilter, Listener};
use larder_harness::origin::{Received, Reply};
use serde_json::json;

use crate::stage::{
    BY_ORIGIN, CACHE_ALL, Stage, assert_same_fields, field_names, larder, lines, x_cache,
};

/// What the origin says anew with each 304.
const NEWER: [&str; 2] = ["date", "x-origin-stamp"];

/// Has every kind of field: one line, several, and such as Envoy keeps in one.
fn document(request: &Received) -> Reply {
    let body = match request.header("if-none-match") {
        Some("\"v1\"") => Reply::new(304, ""),
        _ => Reply::ok("0123456789").header("content-type", "text/html"),
    };
    let directives = match request.path_only() {
        "/asked" => "no-cache",
        _ => "max-age=60",
    };
    body.header("etag", "\"v1\"")
        .header("cache-control", directives)
        .header("x-also", "1")
        .header("link", "</a>")
        .header("link", "</b>")
        .header("access-control-allow-origin", "https://example.com")
}

/// A filter that adds response headers, as one in front of the router does.
fn mutation(name: &str, value: &str) -> HttpFilter {
    HttpFilter::Json(
        json!({"name": "envoy.filters.http.header_mutation", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"response_mutations": [{"append": {
                "header": {"key": name, "value": value},
                "append_action": "APPEND_IF_EXISTS_OR_ADD",
            }}]},
        }}),
    )
}

/// Adds at every level, to fields of every kind.
fn decorated(configuration: &str) -> Listener {
    larder(configuration)
        .adds_response_header("x-route", "1")
        .adds_response_header("x-also", "1")
        .adds_response_header("link", "</route>")
        .adds_response_header("cache-control", "no-transform")
        .adds_response_header("cache-status", "route; hit")
        .adds_response_header("x-cache", "route")
        .adds_response_header("set-cookie", "route=1")
        .adds_response_header("set-cookie", "route=2")
        .host_adds_response_header("x-host", "1")
        .host_adds_response_header("vary", "x-host")
        .filter(mutation("x-mutated", "1"))
        .filter(mutation("link", "</mutated>"))
        .filter(mutation("cache-control", "stale-if-error=1"))
}

const WITH_COOKIES: &str = r#"{"set_cookie":"store"}"#;

#[tokio::test]
async fn what_is_added_on_the_way_stands_once_on_hits_too() {
    let stage = Stage::with_listener(1, decorated(WITH_COOKIES)).await;
    stage.origin.on_call("/doc", document);
    let miss = stage.get("/doc").await;
    assert_eq!(x_cache(&miss), "MISS");
    assert_eq!(lines(&miss, "x-route"), ["1"]);
    assert_eq!(
        lines(&miss, "x-also"),
        ["1", "1"],
        "the origin's and the route's"
    );
    assert_eq!(
        lines(&miss, "link"),
        ["</a>", "</b>", "</route>", "</mutated>"]
    );
    assert_eq!(
        lines(&miss, "cache-control"),
        ["max-age=60,no-transform,stale-if-error=1"]
    );
    for _ in 0..3 {
        let hit = stage.get("/doc").await;
        assert_eq!(x_cache(&hit), "HIT");
        assert_same_fields(&miss, &hit, &[]);
        assert_eq!(lines(&hit, "cache-status").len(), 2);
        assert_eq!(hit.body, miss.body);
    }
    let part = stage
        .send(Request::get("/doc").header("range", "bytes=2-4"))
        .await;
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_same_fields(&miss, &part, &["content-length", "content-range"]);
    let known = stage
        .send(Request::get("/doc").header("if-none-match", "\"v1\""))
        .await;
    assert_eq!((known.status, x_cache(&known)), (304, "HIT"));
    assert_same_fields(&miss, &known, &["content-length", "content-type"]);
    let head = stage.send(Request::new("HEAD", "/doc")).await;
    assert_same_fields(&miss, &head, &[]);
    assert_eq!(stage.origin.total(), 1);
    assert_eq!(stage.counter("larder_inspected_replies_total").await, 1);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_added_stands_once_in_a_confirmed_304() {
    let stage = Stage::with_listener(1, decorated(WITH_COOKIES)).await;
    stage.origin.on_call("/asked", document);
    let miss = stage.get("/asked").await;
    let known = stage
        .send(Request::get("/asked").header("if-none-match", "\"v1\""))
        .await;
    assert_eq!((known.status, x_cache(&known)), (304, "REVALIDATED"));
    let [date, stamp] = NEWER;
    assert_same_fields(
        &miss,
        &known,
        &["content-length", "content-type", date, stamp],
    );
}

/// Envoy sends a confirmed body past all response filters: what they add is in it once, as it was stored.
#[tokio::test]
async fn what_a_filter_adds_stands_once_in_a_confirmed_body() {
    let listener = larder(BY_ORIGIN)
        .filter(mutation("x-mutated", "1"))
        .filter(mutation("link", "</mutated>"))
        .filter(mutation("cache-control", "no-transform"));
    let stage = Stage::with_listener(1, listener).await;
    stage.origin.on_call("/asked", document);
    let miss = stage.get("/asked").await;
    for _ in 0..2 {
        let confirmed = stage.get("/asked").await;
        assert_eq!(
            (confirmed.status, x_cache(&confirmed)),
            (200, "REVALIDATED")
        );
        assert_same_fields(&miss, &confirmed, &NEWER);
        assert_eq!(confirmed.body, miss.body);
    }
}

/// It applies the route once more all the same, and nobody is asked afterwards. Should this fail, a remainder is gone:
/// then the manual and ADR 005 say too much.
#[tokio::test]
async fn what_the_route_adds_stands_twice_in_a_confirmed_body() {
    let listener = larder(BY_ORIGIN).adds_response_header("x-route", "1");
    let stage = Stage::with_listener(1, listener).await;
    stage.origin.on_call("/asked", document);
    assert_eq!(lines(&stage.get("/asked").await, "x-route"), ["1"]);
    for _ in 0..2 {
        let confirmed = stage.get("/asked").await;
        assert_eq!(x_cache(&confirmed), "REVALIDATED");
        assert_eq!(lines(&confirmed, "x-route"), ["1", "1"]);
    }
}

#[tokio::test]
async fn a_plain_listener_costs_no_second_look() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/doc", document);
    stage
        .origin
        .on("/bare", Reply::ok("body").header("etag", "\"v1\""));
    stage
        .origin
        .on("/empty", Reply::ok("").header("content-type", "a/b"));
    for path in ["/doc", "/bare", "/empty"] {
        for _ in 0..3 {
            stage.get(path).await;
        }
        for (name, value) in [("range", "bytes=0-1"), ("if-none-match", "\"v1\"")] {
            stage.send(Request::get(path).header(name, value)).await;
        }
        stage.send(Request::new("HEAD", path)).await;
    }
    let waits = Request::get("/other").header("cache-control", "only-if-cached");
    assert_eq!(stage.send(waits).await.status, 504);
    assert_eq!(stage.counter("larder_inspected_replies_total").await, 0);
    assert_eq!(stage.origin.total(), 3);
}

#[tokio::test]
async fn what_the_origin_did_not_call_text_is_not_called_text() {
    let stage = Stage::start(CACHE_ALL).await;
    stage
        .origin
        .on("/bare", Reply::ok("0123456789").header("etag", "\"v1\""));
    let miss = stage.get("/bare").await;
    assert_eq!(miss.header("content-type"), None);
    for ask in [
        Request::get("/bare"),
        Request::new("HEAD", "/bare"),
        Request::get("/bare").header("range", "bytes=1-2"),
        Request::get("/bare").header("if-none-match", "\"v1\""),
    ] {
        let hit = stage.send(ask).await;
        assert_eq!((x_cache(&hit), hit.header("content-type")), ("HIT", None));
    }
}

#[tokio::test]
async fn an_empty_body_keeps_its_type_and_length() {
    let stage = Stage::start(CACHE_ALL).await;
    for status in [200, 203, 204, 301, 308] {
        let path = format!("/{status}");
        let reply = Reply::new(status, "")
            .header("content-type", "a/b")
            .header("etag", "\"v1\"");
        stage.origin.on(&path, reply);
        let miss = stage.get(&path).await;
        assert_eq!(
            (miss.status, miss.header("content-type")),
            (status, Some("a/b"))
        );
        let hit = stage.get(&path).await;
        assert_eq!((hit.status, x_cache(&hit)), (status, "HIT"));
        assert_same_fields(&miss, &hit, &[]);
        let head = stage.send(Request::new("HEAD", &path)).await;
        assert_same_fields(&miss, &head, &[]);
    }
}

#[tokio::test]
async fn an_answer_without_a_body_says_nothing_of_one() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/doc", document);
    stage.get("/doc").await;
    let rows = [
        (
            504,
            None,
            Request::get("/other").header("cache-control", "only-if-cached"),
        ),
        (
            504,
            None,
            Request::new("HEAD", "/other").header("cache-control", "only-if-cached"),
        ),
        (
            416,
            Some("bytes */10"),
            Request::get("/doc").header("range", "bytes=10-"),
        ),
    ];
    for (status, range, ask) in rows {
        let answer = stage.send(ask).await;
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (status, range)
        );
        assert_eq!(answer.header("content-length"), Some("0"));
        for name in field_names(&answer) {
            let is_of_a_body = name.starts_with("content-")
                && !name.ends_with("length")
                && name != "content-range";
            assert!(!is_of_a_body && name != "etag", "{status}: {name}");
        }
    }
}

/// Turns into a 304 for who has it; `Cache-Control: no-cache` asks every time.
fn bare(body: &'static str, media_type: Option<&'static str>) -> impl Fn(&Received) -> Reply {
    move |request| {
        let reply = match request.header("if-none-match") {
            Some("\"v1\"") => Reply::new(304, ""),
            _ => match media_type {
                Some(value) => Reply::ok(body).header("content-type", value),
                None => Reply::ok(body),
            },
        };
        reply
            .header("etag", "\"v1\"")
            .header("cache-control", "no-cache")
    }
}

#[tokio::test]
async fn a_confirmed_answer_has_the_type_that_was_stored() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on_call("/typed", bare("body", Some("a/b")));
    stage.origin.on_call("/typed-empty", bare("", Some("a/b")));
    stage.origin.on_call("/bare-empty", bare("", None));
    for path in ["/typed", "/typed-empty", "/bare-empty"] {
        let miss = stage.get(path).await;
        let confirmed = stage.get(path).await;
        assert_eq!(
            (confirmed.status, x_cache(&confirmed)),
            (200, "REVALIDATED")
        );
        assert_same_fields(&miss, &confirmed, &NEWER);
        assert_eq!(confirmed.body, miss.body);
    }
}

/// Envoy sends it past all response filters, so what it adds cannot be taken away; an empty type is none.
#[tokio::test]
async fn a_confirmed_body_without_a_type_is_not_called_text() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on_call("/bare", bare("body", None));
    let miss = stage.get("/bare").await;
    let confirmed = stage.get("/bare").await;
    assert_eq!(x_cache(&confirmed), "REVALIDATED");
    assert_eq!(lines(&confirmed, "content-type"), [""]);
    let [date, stamp] = NEWER;
    assert_same_fields(&miss, &confirmed, &["content-type", date, stamp]);
}

#[tokio::test]
async fn a_reply_that_the_operator_rewrites_is_his() {
    let mapper = json!({"mappers": [{
        "filter": {"status_code_filter": {"comparison": {
            "op": "EQ", "value": {"default_value": 200, "runtime_key": "none"},
        }}},
        "body_format_override": {"json_format": {"rewritten": "%RESPONSE_CODE%"}},
    }]});
    let stage = Stage::with_listener(1, larder(CACHE_ALL).local_reply_config(mapper)).await;
    stage.origin.on_call("/doc", document);
    stage.get("/doc").await;
    let hit: Answer = stage.get("/doc").await;
    assert_eq!(hit.text().trim(), r#"{"rewritten":200}"#);
    assert_eq!(
        lines(&hit, "content-type"),
        ["application/json"],
        "not the type of what was stored"
    );
}
