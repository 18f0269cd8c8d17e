//! Pages for requests that Larder does not look up: nobody is given a template.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_harness::client::{Answer, Request};
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use larder_harness::origin::Step;

use super::heads::held;
use super::{ESI, assert_asked, assert_page, get, html, include};
use crate::fleet;
use crate::stage::Stage;

/// Requests that are not looked up.
fn passed_by() -> Vec<Request> {
    vec![
        Request::new("POST", "/page"),
        Request::new("POST", "/page").body("name=value"),
        Request::new("PUT", "/page").body("text"),
        Request::new("DELETE", "/page"),
        Request::new("OPTIONS", "/page"),
        get("/page").body("text"),
        get("/page").header("if-match", "\"t\""),
        get("/page").header("cache-control", "no-store"),
        get("/page").header("x-http-method-override", "PUT"),
    ]
}

fn template() -> Reply {
    html(&["<", &include("/a"), ">"].concat()).header("etag", "\"t\"")
}

#[track_caller]
fn assert_nobodys(answer: &Answer) {
    let control = answer.header("cache-control");
    assert_eq!(control, Some("private, no-cache"), "{answer:?}");
    assert_eq!(answer.header("etag"), None, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_a_template() {
    // For other methods than GET and HEAD no rule holds, and it does not matter what becomes of those.
    let left_alone = ESI.replacen('{', r#"{"unmatched": "bypass", "#, 1);
    let writes = r#"[{"name": "writes", "match": {"path": "/.*", "methods": ["POST", "PUT"]}, "invalidates": {"tags": ["x"]}}, "#;
    let written = ESI.replacen('[', writes, 1);
    let by_origin = ESI.replace(", \"esi\": true", "");
    for rules in [ESI, &left_alone, &written, &by_origin] {
        let stage = Stage::start(rules).await;
        let mark = "content=\"ESI/1.0\"";
        let marked = template().header("surrogate-control", mark);
        stage.origin.on("/page", marked);
        stage.origin.on("/a", html("A"));
        for asked in passed_by() {
            for _ in 0..2 {
                let answer = stage.send(asked.clone()).await;
                assert_page(&answer, "<A>");
                assert_nobodys(&answer);
                assert_eq!(answer.header("surrogate-control"), None);
            }
        }
        // Its fragments are kept as any, but for those of who wants nothing stored.
        assert_asked(&stage, &[("/page", 18), ("/a", 3)]);
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_oddity_of_a_request_brings_its_client_the_template() {
    for rules in [ESI, &held()] {
        let stage = Stage::start(rules).await;
        for path in ["/page", "/x/../page", "/page%"] {
            stage.origin.on(path, template());
        }
        stage.origin.on("/a", html("A"));
        let long = ["/page?", &"x".repeat(9000)].concat();
        for asked in [
            get(&long),
            Request::new("POST", &long).body("text"),
            get("/x/../page"),
            get("/page%"),
            get("/page").header("content-type", "application/grpc"),
            Request::new("POST", "/page").header("content-type", "application/grpc-web"),
        ] {
            assert_page(&stage.send(asked).await, "<A>");
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_nobody_may_keep_makes_a_page_that_nobody_may_keep() {
    for rules in [ESI, &held()] {
        let stage = Stage::start(rules).await;
        let secret = template().header("cache-control", "no-store");
        let secret = secret.header("cdn-cache-control", "no-store");
        stage.origin.on("/page", secret);
        stage.origin.on("/a", html("A"));
        for asked in [get("/page"), Request::new("POST", "/page").body("text")] {
            let answer = stage.send(asked).await;
            assert_page(&answer, "<A>");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("cdn-cache-control"), None);
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_heads_wait_only_those_of_changes_leave_at_once() {
    let stage = Stage::start(&held()).await;
    stage.origin.on("/page", template());
    stage.origin.on("/a", html("A"));
    let reads = get("/page").header("cache-control", "no-store");
    let page = stage.send(reads.clone()).await;
    assert_page(&page, "<A>");
    assert_eq!(page.header("content-length"), Some("3"));
    let tag = page.header("etag").expect("the page's").to_owned();
    let again = stage.send(reads.header("if-none-match", &tag)).await;
    assert_eq!((again.status, again.header("etag")), (304, Some(&*tag)));
    let changes = Request::new("POST", "/page").body("text");
    let page = stage.send(changes).await;
    assert_page(&page, "<A>");
    assert_nobodys(&page);
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_template_passes_as_it_is() {
    let stage = Stage::start(ESI).await;
    let text = include("/a");
    let zipped = html(&text).header("content-encoding", "gzip");
    let json = Reply::ok(text.clone()).header("content-type", "application/json");
    for reply in [html(&text).status(302), zipped, json] {
        stage.origin.on("/page", reply);
        for asked in passed_by() {
            assert_eq!(stage.send(asked).await.text(), text);
        }
    }
    assert_eq!(stage.origin.count("/a"), 0);
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_has_changed_is_on_the_page_that_answers_it() {
    let rules = r#"{"rules": [
        {"name": "cart", "match": {"path": "/cart", "methods": ["POST"]}, "invalidates": {"tags": ["cart"]}},
        {"name": "count", "match": {"path": "/count"}, "ttl_seconds": 60, "tags": ["cart"]},
        {"name": "pages", "match": {"path": "/.*"}, "esi": true}]}"#;
    let stage = Stage::start(rules).await;
    let count = Arc::new(AtomicUsize::new(0));
    let (shown, raised) = (Arc::clone(&count), count);
    stage.origin.on_call("/count", move |_| {
        html(&shown.load(Ordering::SeqCst).to_string())
    });
    stage.origin.on_call("/cart", move |request| {
        if request.method == "POST" {
            raised.fetch_add(1, Ordering::SeqCst);
        }
        html(&["items: ", &include("/count")].concat())
    });
    for number in 0..5 {
        let page = format!("items: {number}");
        for _ in 0..2 {
            assert_page(&stage.get("/cart").await, &page);
        }
        let answer = stage.send(Request::new("POST", "/cart").body("one")).await;
        assert_page(&answer, &format!("items: {}", number + 1));
    }
    assert_eq!(stage.origin.count("/count"), 6);
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_fleet_the_page_that_answers_a_change_has_its_token() {
    for rules in [ESI, &held()] {
        let fleet = fleet::start(Fleet::plan(rules)).await;
        fleet.origin.on("/page", template());
        fleet.origin.on("/a", html("A"));
        for envoy in 0..2 {
            for _ in 0..2 {
                assert_page(&fleet.get(envoy, "/page").await, "<A>");
            }
        }
        fleet.origin.on("/page", html("new"));
        let written = fleet.send(0, Request::new("POST", "/page")).await;
        assert_page(&written, "new");
        let token = written.header("larder-token").expect("it is a write");
        let read = Request::get("/page").header("larder-token", token);
        assert_page(&fleet.send(1, read).await, "new");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_may_have_trailers_and_come_in_any_pieces() {
    for rules in [ESI, &held()] {
        let stage = Stage::start(rules).await;
        let text = ["<", &include("/a"), ">"].concat();
        let chunks = text.as_bytes().chunks(5);
        let chunks = chunks.map(|chunk| Step::Chunk(chunk.to_vec().into()));
        let trailers = vec![("x-sum".to_owned(), "1".to_owned())];
        let steps = chunks.chain([Step::Trailers(trailers)]);
        let reply = Reply::steps(steps).header("content-type", "text/html");
        let reply = reply.header("cache-control", "max-age=60");
        stage.origin.on("/page", reply);
        stage.origin.on("/a", html("A"));
        for asked in [Request::new("POST", "/page"), get("/page"), get("/page")] {
            let asked = asked.header("te", "trailers");
            assert_page(&stage.send(asked).await, "<A>");
        }
        stage.assert_unharmed().await;
    }
}
