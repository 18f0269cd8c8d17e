//! Requests that ask by their content.

use larder_core::exchange::{Event, Unheld};
use larder_core::http::Headers;
use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{Request, Stage, get, reply, request};

const BY_CONTENT: &str = r#"{
    "rules": [{"name": "search", "match": {"path": "/.*", "methods": ["GET", "HEAD", "POST", "QUERY"]}, "ttl_seconds": 60,
               "key": {"body": true}, "hold_headers": true}],
    "limits": {"max_key_bytes": 256}
}"#;

fn post(body: &str) -> Request {
    request("POST", "/search").body(body)
}

fn query(body: &str) -> Request {
    request("QUERY", "/search").body(body)
}

#[test]
fn a_post_is_answered_by_its_content() {
    let mut stage = Stage::new(BY_CONTENT);
    assert_eq!(stage.exchange(post("one"), reply("1")).cache().0, "MISS");
    assert_eq!(stage.exchange(post("two"), reply("2")).cache().0, "MISS");
    let seen = stage.exchange(post("one"), reply("other"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "1"));
    let json = post("one").with("content-type", "application/json");
    assert_eq!(
        stage.exchange(json, reply("3")).text(),
        "3",
        "read in another way"
    );
    let seen = stage.exchange(post(""), reply("4"));
    assert_eq!(seen.text(), "4");
    let seen = stage.exchange(request("POST", "/search"), reply("other"));
    assert_eq!(
        (seen.cache().0, seen.text()),
        ("HIT", "4"),
        "none is as good as empty"
    );
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn methods_do_not_share_answers() {
    let mut stage = Stage::new(BY_CONTENT);
    let asks = |method: &str| request(method, "/search").body("q");
    for method in ["GET", "POST", "QUERY"] {
        assert_eq!(stage.exchange(asks(method), reply(method)).text(), method);
        assert_eq!(
            stage
                .exchange(request(method, "/search"), reply("bare"))
                .text(),
            "bare"
        );
    }
    for method in ["GET", "POST", "QUERY"] {
        let seen = stage.exchange(asks(method), reply("other"));
        assert_eq!((seen.cache().0, seen.text()), ("HIT", method));
    }
    let seen = stage.exchange(asks("HEAD"), reply("other"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "GET"));
    assert_eq!(stage.origin_requests, 6);
}

#[test]
fn a_plain_get_has_one_key_under_any_rule() {
    let mut stage = Stage::new(r#"{"rules": [{"name": "all", "match": {}, "ttl_seconds": 60}]}"#);
    stage.exchange(get("/search"), reply("1").with("etag", "\"1\""));
    stage.reconfigure(BY_CONTENT);
    let seen = stage.exchange(get("/search"), reply("").status(304).with("etag", "\"1\""));
    assert_eq!((seen.cache().0, seen.text()), ("REVALIDATED", "1"));
}

#[test]
fn what_is_too_long_is_not_held() {
    let mut stage = Stage::new(BY_CONTENT);
    let long = "x".repeat(256);
    let room = 256 - 59; // what else stands in the key
    let announces = |length| {
        request("POST", "/search")
            .unannounced("x")
            .with("content-length", length)
    };
    let key = ("BYPASS", "larder; fwd=bypass; detail=key-invalid");
    for asks in [
        post(&long),
        post(&"x".repeat(room + 1)),
        announces("18446744073709551615"),
    ] {
        assert_eq!(stage.exchange(asks, reply("1")).cache(), key);
    }
    assert_eq!(stage.count(Counter::Bypassed(Reason::KeyInvalid)), 3);
    let seen = stage.exchange(post(&"x".repeat(room)), reply("1"));
    assert_eq!(seen.cache().0, "MISS");
    let body = ("BYPASS", "larder; fwd=bypass; detail=request-body");
    let unannounced = request("POST", "/search").unannounced("x");
    for asks in [
        unannounced.clone(),
        unannounced.with("content-length", "two"),
        announces("1").with("content-length", "1"),
    ] {
        assert_eq!(stage.exchange(asks, reply("1")).cache(), body);
    }
    stage.reconfigure(&BY_CONTENT.replace("256", "65536"));
    let limit = 32 << 10;
    assert_eq!(
        stage
            .exchange(post(&"x".repeat(limit)), reply("1"))
            .cache()
            .0,
        "MISS"
    );
    assert_eq!(
        stage
            .exchange(post(&"x".repeat(limit + 1)), reply("1"))
            .cache(),
        body
    );
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn what_is_held_counts_against_the_budget() {
    let config = BY_CONTENT.replace(
        "\"limits\": {",
        r#""limits": {"max_object_bytes": 600, "capture_bytes": 2000, "#,
    );
    let mut stage = Stage::new(&config);
    stage.exchange(post("1234567890"), reply("1"));
    let with_ten = stage.most_held;
    stage.exchange(post(&"x".repeat(99)), reply("1"));
    assert_eq!(stage.most_held, with_ten + 89);
    let others: Vec<_> = (0..2000 / with_ten)
        .map(|_| {
            let mut exchange = stage.new_exchange();
            assert!(stage.begin_to_ask(&mut exchange, &post("1234567890")));
            exchange
        })
        .collect();
    let seen = stage.exchange(post("1234567890"), reply("1"));
    assert_eq!(seen.cache(), ("BYPASS", "larder; fwd=bypass; detail=busy"));
    drop(others);
    assert_eq!(stage.budget.held(), 0);
}

#[test]
fn a_request_that_cannot_be_held_goes_on() {
    for (why, reason) in [
        (Unheld::Full, Reason::Busy),
        (Unheld::Overdue, Reason::NoBody),
    ] {
        let mut stage = Stage::new(BY_CONTENT);
        let mut exchange = stage.new_exchange();
        let mut sent = Headers::new();
        assert!(stage.begin_to_ask(&mut exchange, &post("x")));
        assert_eq!(exchange.held_request(), Some(1));
        assert!(
            stage
                .drive(&mut exchange, Event::Unheld(why), &mut sent)
                .is_none()
        );
        assert_eq!(exchange.held_request(), None);
        let seen = stage.respond(&mut exchange, reply("1"));
        let detail = format!("larder; fwd=bypass; detail={}", reason.code());
        assert_eq!(seen.cache(), ("BYPASS", detail.as_str()));
        assert_eq!(stage.count(Counter::Bypassed(reason)), 1);
        assert_eq!((stage.budget.held(), stage.stored.len()), (0, 0));
    }
}

#[test]
fn a_client_that_leaves_while_it_asks_leaves_nothing() {
    let mut stage = Stage::new(BY_CONTENT);
    let mut exchange = stage.new_exchange();
    let mut sent = Headers::new();
    assert!(stage.begin_to_ask(&mut exchange, &post("x")));
    assert!(stage.budget.held() > 0);
    stage.drive(&mut exchange, Event::Aborted, &mut sent);
    assert_eq!((stage.budget.held(), exchange.held_request()), (0, None));
}

#[test]
fn a_body_that_is_not_what_was_announced_is_no_key() {
    let mut stage = Stage::new(BY_CONTENT);
    let mut exchange = stage.new_exchange();
    let mut sent = Headers::new();
    assert!(stage.begin_to_ask(&mut exchange, &post("x")));
    assert!(
        stage
            .drive(&mut exchange, Event::RequestBody(b"xy"), &mut sent)
            .is_none()
    );
    let seen = stage.respond(&mut exchange, reply("1"));
    assert_eq!(seen.cache().1, "larder; fwd=bypass; detail=request-body");
}

#[test]
fn a_query_is_asked_about_and_a_post_is_asked_again() {
    let mut stage = Stage::new(BY_CONTENT);
    let tagged = reply("1").with("etag", "\"1\"");
    let confirmed = reply("").status(304).with("etag", "\"1\"");
    stage.exchange(query("q"), tagged.clone());
    stage.exchange(post("q"), tagged);
    stage.wait(61);
    let seen = stage.exchange(query("q"), confirmed);
    assert_eq!((seen.cache().0, seen.text()), ("REVALIDATED", "1"));
    assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    let seen = stage.exchange(post("q"), reply("2"));
    assert_eq!((seen.cache().0, seen.text()), ("MISS", "2"));
    assert_eq!(stage.asked.only("if-none-match"), None);
    assert_eq!(stage.exchange(post("q"), reply("3")).text(), "2");
}

#[test]
fn conditions_are_judged_for_a_query_and_left_to_the_origin_for_a_post() {
    let mut stage = Stage::new(BY_CONTENT);
    let then = "Thu, 01 Jan 1970 00:00:00 GMT";
    let tagged = reply("1").with("etag", "\"1\"").with("last-modified", then);
    stage.exchange(query("q"), tagged.clone());
    stage.exchange(post("q"), tagged);
    let none_match = |asks: Request| asks.with("if-none-match", "\"1\"");
    let since = |asks: Request| asks.with("if-modified-since", then);
    assert_eq!(
        stage.exchange(none_match(query("q")), reply("2")).status,
        304
    );
    assert_eq!(stage.exchange(since(query("q")), reply("2")).status, 304);
    let seen = stage.exchange(none_match(post("q")), reply("2").status(412));
    assert_eq!(
        seen.cache(),
        ("BYPASS", "larder; fwd=bypass; detail=precondition")
    );
    let seen = stage.exchange(since(post("q")), reply("2"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "1"));
    let ranged = query("q").with("range", "bytes=0-0");
    assert_eq!(stage.exchange(ranged, reply("2")).status, 200);
}

#[test]
fn only_if_cached_is_obeyed() {
    let mut stage = Stage::new(BY_CONTENT);
    let only = |asks: Request| asks.with("cache-control", "only-if-cached");
    assert_eq!(stage.exchange(only(query("q")), reply("1")).status, 504);
    stage.exchange(query("q"), reply("1"));
    assert_eq!(stage.exchange(only(query("q")), reply("2")).text(), "1");
    assert_eq!(stage.exchange(only(query("r")), reply("2")).status, 504);
}

#[test]
fn what_varies_has_variants_of_each_content() {
    let mut stage = Stage::new(BY_CONTENT);
    let asks = |content, language| query(content).with("accept-language", language);
    for (content, language) in [("q", "de"), ("q", "en"), ("r", "de")] {
        let text = format!("{content} {language}");
        let seen = stage.exchange(
            asks(content, language),
            reply(&text).with("vary", "accept-language"),
        );
        assert_eq!(seen.cache().0, "MISS");
    }
    for (content, language) in [("q", "de"), ("q", "en"), ("r", "de")] {
        let seen = stage.exchange(asks(content, language), reply("other"));
        assert_eq!(
            (seen.cache().0, seen.text()),
            ("HIT", format!("{content} {language}").as_str())
        );
    }
}

#[test]
fn its_age_begins_when_the_question_is_complete() {
    let mut stage = Stage::new(BY_CONTENT);
    let mut exchange = stage.new_exchange();
    let mut sent = Headers::new();
    assert!(stage.begin_to_ask(&mut exchange, &query("q")));
    stage.wait(30);
    assert!(
        stage
            .drive(&mut exchange, Event::RequestBody(b"q"), &mut sent)
            .is_none()
    );
    stage.respond(&mut exchange, reply("1"));
    let seen = stage.exchange(query("q"), reply("2"));
    assert_eq!(seen.field("age"), "0");
}

/// GET, a POST that asks and a PUT, of one URI, each under its rule.
fn with_writes() -> Stage {
    let mut stage = Stage::new(
        r#"{"rules": [
            {"name": "asked", "match": {"path": "/search", "methods": ["POST", "QUERY"]}, "ttl_seconds": 60,
             "key": {"body": true}, "hold_headers": true},
            {"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 60}],
            "limits": {"max_key_bytes": 256}}"#,
    );
    stage.exchange(get("/search"), reply("got"));
    stage.exchange(post("q"), reply("posted"));
    stage.exchange(query("q"), reply("queried"));
    stage
}

#[test]
fn a_post_that_asks_is_no_write_whatever_becomes_of_it() {
    let mut stage = with_writes();
    for asks in [
        post("other"),
        post(&"x".repeat(300)),
        request("POST", "/search").unannounced("x"),
        post("x").with("if-none-match", "*"),
        post("x").with("cache-control", "no-store"),
        post("x").with("content-type", "application/grpc"),
        request("QUERY", "/search?other").body("x"),
    ] {
        stage.exchange(asks, reply("asked"));
    }
    assert_eq!(stage.count(Stage::WRITE), 0);
    let seen = stage.exchange(get("/search"), reply("other"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "got"));
}

#[test]
fn a_write_ends_what_was_asked_by_content() {
    for method in ["PUT", "DELETE"] {
        let mut stage = with_writes();
        stage.exchange(request(method, "/search"), reply("written"));
        for asks in [get("/search"), post("q"), query("q")] {
            assert_eq!(stage.exchange(asks, reply("new")).text(), "new", "{method}");
        }
        assert_eq!(stage.exchange(post("q"), reply("other")).text(), "new");
    }
}

#[test]
fn what_is_written_while_a_question_is_read_does_not_count_against_its_answer() {
    let mut stage = with_writes();
    let mut exchange = stage.new_exchange();
    assert!(stage.begin_to_ask(&mut exchange, &post("slow")));
    stage.exchange(request("PUT", "/search"), reply("written"));
    let asked = stage.drive(
        &mut exchange,
        Event::RequestBody(b"slow"),
        &mut Headers::new(),
    );
    assert!(asked.is_none());
    stage.respond(&mut exchange, reply("new"));
    let seen = stage.exchange(post("slow"), reply("other"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "new"));
}

#[test]
fn parameters_that_say_nothing_say_nothing_for_one_content() {
    let mut stage = Stage::new(&BY_CONTENT.replace("\"ttl", "\"no_vary_search\": true, \"ttl"));
    let asks = |target: &str, body: &str| request("POST", target).body(body);
    let says = |text: &str| reply(text).with("no-vary-search", "except=()");
    stage.exchange(asks("/search?a=1", "q"), says("q"));
    let seen = stage.exchange(asks("/search?a=2", "q"), says("other"));
    assert_eq!((seen.cache().0, seen.text()), ("HIT", "q"));
    let seen = stage.exchange(asks("/search?a=2", "r"), says("r"));
    assert_eq!((seen.cache().0, seen.text()), ("MISS", "r"));
    let seen = stage.exchange(get("/search?a=2"), says("got"));
    assert_eq!((seen.cache().0, seen.text()), ("MISS", "got"));
}
