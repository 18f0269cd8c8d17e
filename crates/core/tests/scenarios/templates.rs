//! Templates: what a client asks of a response it asks of the page.

use larder_core::config::Heads;
use larder_core::exchange::Event;
use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{Response, Stage, get, reply, request};

const ESI: &str =
    r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"esi":true}]}"#;
const HELD: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"esi":true,"hold_headers":true}]}"#;
const BY_ORIGIN: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

fn html(body: &str) -> Response {
    reply(body)
        .with("content-type", "text/html")
        .with("etag", "\"t\"")
        .with("last-modified", "Thu, 01 Jan 1970 00:00:01 GMT")
}

fn stage(configuration: &str) -> Stage {
    let mut stage = Stage::new(configuration);
    stage.exchange(get("/a"), html("template"));
    stage
}

#[test]
fn from_the_cache_a_template_is_a_page_and_hot_ones_are_too() {
    let mut stage = stage(ESI);
    for _ in 0..4 {
        let seen = stage.exchange(get("/a"), reply("nobody asks"));
        assert_eq!((seen.status, seen.text()), (200, "template+"));
        assert_eq!(seen.field("content-length"), "9");
        assert_eq!(seen.cache().0, "HIT");
    }
    assert_eq!(stage.origin_requests, 1);
    assert!(stage.count(Counter::HotHit) > 0);
    assert_eq!(stage.count(Counter::PageMade), 4);
}

#[test]
fn a_condition_is_about_the_page_and_a_part_is_none() {
    let mut stage = stage(ESI);
    for _ in 0..3 {
        let mut ask = |name, value| stage.exchange(get("/a").with(name, value), reply(""));
        assert_eq!(ask("if-none-match", "\"t\"").text(), "template+");
        assert_eq!(ask("if-none-match", "\"template+\"").status, 304);
        let part = ask("range", "bytes=0-1");
        assert_eq!((part.status, part.text()), (200, "template+"));
    }
    let head = stage.exchange(request("HEAD", "/a"), reply(""));
    assert_eq!((head.status, head.field("content-length")), (200, "9"));
}

#[test]
fn a_template_is_asked_for_whole_and_uncoded() {
    let mut stage = Stage::new(ESI);
    let asked = get("/a")
        .with("accept-encoding", "br")
        .with("range", "bytes=0-1")
        .with("if-none-match", "\"1\"");
    stage.exchange(asked, html("template"));
    for name in ["accept-encoding", "if-none-match", "range"] {
        assert!(!stage.asked.contains(name), "{name}");
    }
    let capability = stage.asked.only("surrogate-capability");
    assert_eq!(capability, Some(&b"larder=\"ESI/1.0\""[..]));
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(get("/a").with("accept-encoding", "br"), html("template"));
    assert!(stage.asked.contains("accept-encoding"));
    assert!(!stage.asked.contains("surrogate-capability"));
}

#[test]
fn a_head_that_leaves_before_its_page_lets_nobody_keep_it() {
    let mut stage = Stage::new(ESI);
    let mut exchange = stage.begin(get("/a"));
    let came = html("template")
        .with("content-length", "8")
        .with("surrogate-control", "max-age=9");
    let head = stage.head(&mut exchange, &came).unwrap();
    for name in [
        "content-length",
        "etag",
        "last-modified",
        "surrogate-control",
    ] {
        assert!(!head.contains(name), "{name}");
    }
    assert_eq!(head.only("cache-control"), Some(&b"private, no-cache"[..]));
    let template = stage.gathered.take().unwrap();
    assert_eq!(template.delivery.heads(), Heads::Sent);
}

#[test]
fn what_a_template_forbids_stays_forbidden_and_what_it_allows_others_is_not_said_of_its_page() {
    for (said, expected) in [
        ("no-store", "no-store"),
        ("private, No-Store, max-age=0", "no-store"),
        ("max-age=9, no-transform", "private, no-cache, no-transform"),
        ("public, max-age=9", "private, no-cache"),
    ] {
        for asked in [get("/a"), request("POST", "/a").body("x=1")] {
            let mut stage = Stage::new(BY_ORIGIN);
            let came = html("template")
                .with("surrogate-control", "content=\"ESI/1.0\"")
                .with("cdn-cache-control", "max-age=9")
                .with("x-cdn-cache-control", "max-age=9")
                .with("cache-control", said);
            let seen = stage.exchange(asked, came);
            assert_eq!(seen.field("cache-control"), expected, "{seen:?}");
            for name in ["cdn-cache-control", "x-cdn-cache-control"] {
                assert_eq!(seen.field(name), "", "{name}");
            }
        }
    }
}

#[test]
fn a_head_that_waits_is_the_pages() {
    let mut stage = Stage::new(HELD);
    let mut exchange = stage.begin(get("/a"));
    stage.head(&mut exchange, &html("")).unwrap();
    assert!(stage.gathered.is_none(), "nothing comes");
    let mut exchange = stage.begin(get("/b"));
    let came = html("template").with("server", "x");
    let head = stage.head(&mut exchange, &came).unwrap();
    assert!(head.contains("etag"));
    stage.rest(&mut exchange, came, head);
    let template = stage.gathered.take().unwrap();
    assert_eq!(template.delivery.heads(), Heads::Held);
    assert!(template.headers.contains("cache-status") && !template.headers.contains("server"));
    let page = stage.page_of(*template);
    let step = exchange.on(Event::Composed(Box::new(page)), stage.now);
    assert!(matches!(
        step.verdict,
        larder_core::exchange::Verdict::Reply(_)
    ));
}

#[test]
fn the_origin_marks_what_is_a_template() {
    let mut stage = Stage::new(BY_ORIGIN);
    let marked = html("template").with("surrogate-control", "content=\"ESI/1.0\"");
    stage.exchange(get("/a"), marked);
    stage.exchange(get("/plain"), html("plain"));
    for _ in 0..3 {
        let seen = stage.exchange(get("/a"), reply(""));
        assert_eq!(
            (seen.text(), seen.field("surrogate-control")),
            ("template+", "")
        );
        assert_eq!(stage.exchange(get("/plain"), reply("")).text(), "plain");
    }
}

#[test]
fn confirmed_stale_and_rescued_templates_are_pages() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":1,"stale_if_error_seconds":60,"esi":true}]}"#;
    let mut stage = Stage::new(rule);
    stage.exchange(get("/a"), html("template"));
    stage.wait(3);
    let confirmed = reply("").status(304).with("etag", "\"t\"");
    let seen = stage.exchange(get("/a"), confirmed);
    assert_eq!((seen.cache().0, seen.text()), ("REVALIDATED", "template+"));
    stage.wait(3);
    let seen = stage.exchange(get("/a"), reply("broken").status(503));
    assert_eq!((seen.cache().0, seen.text()), ("STALE", "template+"));
}

#[test]
fn what_was_compressed_is_unzipped_for_its_page() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}],"compression":{"threshold_bytes":64}}"#;
    let body = "template ".repeat(100);
    let mut stage = Stage::new(rule);
    stage.exchange(get("/a"), html(&body));
    let zip = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zip(), reply(""));
    stage.compress();
    stage.reconfigure(&rule.replace("60}", "60,\"esi\":true}"));
    let seen = stage.exchange(zip(), html(&body));
    assert!(seen.text().starts_with("template "), "{seen:?}");
}

#[test]
fn a_gap_is_told_and_its_page_not_kept() {
    let mut stage = stage(ESI);
    stage.missing = vec![Reason::FragmentStatus];
    for _ in 0..3 {
        let seen = stage.exchange(get("/a"), reply(""));
        assert_eq!(seen.field("cache-control"), "no-store");
        assert!(
            seen.cache().1.ends_with("; detail=fragment-status"),
            "{seen:?}"
        );
        assert_eq!(seen.field("etag"), "");
    }
    assert_eq!(
        stage.count(Counter::FragmentMissing(Reason::FragmentStatus)),
        3
    );
}

#[test]
fn a_coded_template_is_none_and_is_counted() {
    let mut stage = Stage::new(ESI);
    let coded = html("zipped").with("content-encoding", "gzip");
    assert_eq!(stage.exchange(get("/a"), coded).text(), "zipped");
    assert_eq!(stage.count(Counter::TemplateRaw(Reason::TemplateCoded)), 1);
    assert_eq!(stage.exchange(get("/a"), reply("")).text(), "zipped");
}

#[test]
fn a_rule_that_is_only_tried_makes_no_pages() {
    let rule = ESI.replace("\"esi\":true", "\"esi\":true,\"shadow\":true");
    let mut stage = Stage::new(&rule);
    for _ in 0..3 {
        let seen = stage.exchange(get("/a").with("accept-encoding", "br"), html("template"));
        assert_eq!(seen.text(), "template");
        assert!(stage.asked.contains("accept-encoding"));
    }
    for (asked, why) in passed_by() {
        stage.exchange(asked.with("accept-encoding", "br"), html("template"));
        assert!(stage.gathered.is_none(), "{why}");
        assert!(stage.asked.contains("accept-encoding"), "{why}");
    }
}

#[test]
fn an_error_has_its_page_and_keeps_its_status() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"esi":true,"negative":[{"status":404,"ttl_seconds":60}]}]}"#;
    let mut stage = Stage::new(rule);
    let mut exchange = stage.begin(get("/a"));
    stage
        .head(&mut exchange, &html("none").status(404))
        .unwrap();
    assert_eq!(stage.gathered.take().unwrap().status, 404);
    stage.exchange(get("/a"), html("none").status(404));
    for _ in 0..3 {
        let seen = stage.exchange(get("/a"), reply("nobody asks"));
        assert_eq!((seen.status, seen.text()), (404, "none+"));
    }
    let failed = html("broken").status(500);
    stage.exchange(request("POST", "/a"), failed);
    assert_eq!(stage.gathered.take().unwrap().status, 500);
}

/// Requests that Larder does not look up, and why.
fn passed_by() -> Vec<(crate::stage::Request, &'static str)> {
    vec![
        (request("POST", "/a"), "method"),
        (request("POST", "/a").body("x=1"), "method"),
        (request("PUT", "/a").body("x=1"), "method"),
        (request("OPTIONS", "/a"), "method"),
        (get("/a").body("x"), "request-body"),
        (get("/a").with("if-match", "\"t\""), "precondition"),
        (get("/a").with("cache-control", "no-store"), "no-store"),
        (get("/a").with("x-http-method-override", "POST"), "method"),
        (get("/a").with("content-type", "application/grpc"), "grpc"),
        (
            request("POST", "/a").with("content-type", "application/grpc"),
            "grpc",
        ),
        (get(&["/a?", &"x".repeat(9000)].concat()), "key-invalid"),
        (get("/x/../a"), "ambiguous-path"),
        (get("/a%"), "ambiguous-path"),
        (request("PUT", "/a/%5c"), "ambiguous-path"),
    ]
}

#[test]
fn who_is_passed_by_is_given_a_page_too() {
    let marked = html("template").with("surrogate-control", "content=\"ESI/1.0\"");
    for (rules, template) in [(ESI, html("template")), (BY_ORIGIN, marked)] {
        for (asked, why) in passed_by() {
            let mut stage = Stage::new(rules);
            let seen = stage.exchange(asked, template.clone());
            assert!(seen.cache().1.ends_with(&format!("={why}")), "{seen:?}");
            assert_eq!(seen.field("cache-control"), "private, no-cache", "{why}");
            for name in ["etag", "last-modified", "surrogate-control"] {
                assert_eq!(seen.field(name), "", "{why}");
            }
            let template = stage.gathered.take().expect(why);
            assert_eq!(template.delivery.heads(), Heads::Sent, "{why}");
            assert_eq!(stage.stored.len(), 0, "{why}");
            assert_eq!(stage.budget.held(), 0, "{why}");
        }
    }
}

#[test]
fn who_is_passed_by_asks_the_origin_for_a_whole_template() {
    for (asked, why) in passed_by() {
        let mut stage = Stage::new(ESI);
        let asked = asked
            .with("accept-encoding", "br")
            .with("range", "bytes=0-1");
        stage.exchange(asked, html("template"));
        for name in ["accept-encoding", "range"] {
            assert!(!stage.asked.contains(name), "{why}: {name}");
        }
        assert!(stage.asked.contains("surrogate-capability"), "{why}");
    }
    // A condition is about the page, but that of a change is about what is to be changed.
    for (asked, is_sent) in [
        (get("/a").with("cache-control", "no-store"), false),
        (request("PUT", "/a"), true),
    ] {
        let mut stage = Stage::new(ESI);
        stage.exchange(asked.with("if-none-match", "*"), html("template"));
        assert_eq!(stage.asked.contains("if-none-match"), is_sent);
    }
}

#[test]
fn the_head_waits_for_its_page_unless_it_answers_a_change() {
    for (asked, heads) in [
        (get("/a").with("cache-control", "no-store"), Heads::Held),
        (request("POST", "/a"), Heads::Sent),
        (
            get("/a").with("content-type", "application/grpc"),
            Heads::Sent,
        ),
        (get("/x/../a"), Heads::Held),
    ] {
        let mut stage = Stage::new(HELD);
        stage.exchange(asked, html("template"));
        let template = stage.gathered.take().unwrap();
        assert_eq!(template.delivery.heads(), heads);
    }
}

#[test]
fn what_is_no_template_passes_as_before() {
    for (asked, why) in passed_by() {
        for other in [
            html("moved").status(302),
            reply("{}").with("content-type", "application/json"),
            html("zipped").with("content-encoding", "gzip"),
            html("by the proxy").by_the_proxy(),
        ] {
            let mut stage = Stage::new(ESI);
            let seen = stage.exchange(asked.clone(), other);
            assert!(stage.gathered.is_none(), "{why}: {seen:?}");
            assert_eq!(
                seen.field("etag").is_empty(),
                seen.text() == "{}",
                "{seen:?}"
            );
        }
    }
    let mut stage = Stage::new(ESI);
    let upgrade = get("/a").with("upgrade", "websocket");
    stage.exchange(upgrade, html("template"));
    assert!(stage.gathered.is_none());
}

#[test]
fn a_write_is_over_before_its_page_is_made() {
    let mut stage = stage(ESI);
    assert_eq!(stage.exchange(get("/a"), reply("")).cache().0, "HIT");
    stage.exchange(request("POST", "/a"), html("template"));
    assert!(stage.gathered.take().is_some());
    let seen = stage.exchange(get("/a"), html("new"));
    assert_eq!(seen.cache().0, "MISS");
}

#[test]
fn without_room_for_the_request_there_is_a_page_where_templates_are_announced() {
    let full = |rules: &str| {
        let stage = Stage::new(rules);
        stage.budget.set_limit(0);
        stage
    };
    let marked = || html("template").with("surrogate-control", "content=\"ESI/1.0\"");
    for asked in [get("/a"), get("/a").with("cache-control", "no-store")] {
        let mut stage = full(ESI);
        stage.exchange(asked.clone(), marked());
        assert!(stage.gathered.take().is_some());
        let mut stage = full(BY_ORIGIN);
        stage.exchange(asked.clone(), marked());
        assert!(stage.gathered.is_none());
        let mut stage = full(ESI);
        stage.exchange(asked.with("x-large", &"x".repeat(20_000)), marked());
        assert!(stage.gathered.is_none(), "it would be too much");
    }
}
