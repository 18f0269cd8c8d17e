//! What a page's head says, in each way in which a page gets to its client.

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::origin::{Gate, Reply, Step};

use super::{ESI, assert_page, get, html, include};
use crate::stage::{MAIN, Stage, filter, larder};

use larder_harness::envoy::Listener;

/// The same, where heads wait for their pages.
pub fn held() -> String {
    ESI.replace("\"esi\": true", "\"esi\": true, \"hold_headers\": true")
}

async fn origin_of_a_page(stage: &Stage) {
    let template = html(&["<", &include("/a"), ">"].concat());
    let template = template
        .header("etag", "\"t\"")
        .header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    stage.origin.on("/page", template);
    stage
        .origin
        .on("/a", html("A").header("cache-control", "max-age=30"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_gone_lets_nobody_keep_the_page() {
    for listener in [
        larder(ESI),
        Listener::to_cluster(MAIN, "origin").wasm(filter(ESI).held_heads_stop_bodies()),
    ] {
        let stage = Stage::with_listener(1, listener).await;
        origin_of_a_page(&stage).await;
        let answer = stage.get("/page").await;
        assert_page(&answer, "<A>");
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
        for name in ["etag", "last-modified", "content-length", "accept-ranges"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_waits_says_what_is_true_of_the_page() {
    let stage = Stage::start(&held()).await;
    origin_of_a_page(&stage).await;
    for _ in 0..3 {
        let answer = stage.get("/page").await;
        assert_page(&answer, "<A>");
        assert_eq!(answer.header("content-length"), Some("3"));
        let control = answer.header("cache-control").unwrap();
        assert!(control.contains("max-age=30"), "{control}");
        assert_ne!(answer.header("etag"), Some("\"t\""));
    }
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_body_comes_behind_a_held_head_the_head_goes_and_the_page_comes_behind_it() {
    let stops = Listener::to_cluster(MAIN, "origin").wasm(filter(&held()).held_heads_stop_bodies());
    for listener in [stops, larder(&held())] {
        let stage = Stage::with_listener(1, listener).await;
        let gate = Gate::closed();
        let text = ["<", &include("/a"), ">"].concat();
        let slow = Reply::steps([Step::Wait(gate.clone()), Step::Chunk(text.into())]);
        let slow = slow.header("content-type", "text/html");
        let slow = slow.header("cache-control", "max-age=60");
        stage.origin.on("/page", slow.header("etag", "\"t\""));
        stage.origin.on("/a", html("A"));
        let client = Client::connect(stage.address(), Protocol::Http1).await;
        let mut answer = client.unwrap().begin(get("/page")).await.unwrap();
        assert_eq!(
            answer.headers.one("cache-control"),
            Some("private, no-cache")
        );
        assert_eq!(answer.headers.one("etag"), None);
        gate.open();
        assert_eq!(answer.read(3).await.unwrap(), b"<A>");
        assert_eq!(stage.sum("larder_templates_raw_total", "").await, 0);
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_page_is_told_so_and_none_gets_a_part() {
    let stage = Stage::start(&held()).await;
    origin_of_a_page(&stage).await;
    let page = stage.get("/page").await;
    let tag = page.header("etag").expect("a page has a tag").to_owned();
    let again = stage.send(get("/page").header("if-none-match", &tag)).await;
    assert_eq!((again.status, again.text().as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    let template = stage
        .send(get("/page").header("if-none-match", "\"t\""))
        .await;
    assert_page(&template, "<A>");
    let part = stage.send(get("/page").header("range", "bytes=0-1")).await;
    assert_page(&part, "<A>");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_request_may_ask_for_a_part_or_have_a_condition() {
    for (name, value) in [("range", "bytes=0-1"), ("if-none-match", "\"t\"")] {
        for configuration in [ESI.to_owned(), held()] {
            let stage = Stage::start(&configuration).await;
            origin_of_a_page(&stage).await;
            let answer = stage.send(get("/page").header(name, value)).await;
            assert_page(&answer, "<A>");
            let asked = stage.origin.requests();
            assert_eq!(asked[0].header(name), None);
            assert_eq!(
                asked[0].header("surrogate-capability"),
                Some("larder=\"ESI/1.0\"")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_asked_for_alone() {
    let stage = Stage::start(ESI).await;
    origin_of_a_page(&stage).await;
    stage.get("/page").await;
    let head = stage.send(Request::new("HEAD", "/page")).await;
    assert_eq!(
        (
            head.status,
            head.header("content-length"),
            head.text().as_str()
        ),
        (200, Some("3"), "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_gzip_get_the_page() {
    for configuration in [ESI.to_owned(), held()] {
        let stage = Stage::start(&configuration).await;
        origin_of_a_page(&stage).await;
        for _ in 0..3 {
            let answer = stage
                .send(get("/page").header("accept-encoding", "gzip"))
                .await;
            assert_page(&answer, "<A>");
            assert_eq!(answer.header("content-encoding"), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_template_goes_as_it_is_and_is_counted() {
    let stage = Stage::start(ESI).await;
    stage
        .origin
        .on("/page", html("zipped").header("content-encoding", "gzip"));
    assert_eq!(stage.get("/page").await.text(), "zipped");
    assert_eq!(
        stage
            .counter("larder_templates_raw_total.reason.template-coded")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_comes_in_pieces_is_one_page() {
    for configuration in [ESI.to_owned(), held()] {
        let stage = Stage::start(&configuration).await;
        let template = ["<", &include("/a"), "|", &include("/b"), ">"].concat();
        stage.origin.on(
            "/page",
            Reply::chunked(template.as_bytes(), 7)
                .header("content-type", "text/html")
                .header("cache-control", "max-age=60"),
        );
        stage.origin.on("/a", html("A"));
        stage.origin.on("/b", html("B"));
        for _ in 0..3 {
            assert_page(&stage.get("/page").await, "<A|B>");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_page_is_one_too_and_keeps_its_status() {
    for configuration in [ESI.to_owned(), held()] {
        let stage = Stage::start(&configuration).await;
        let template = html(&["none: ", &include("/a")].concat());
        stage.origin.on("/page", template.clone().status(404));
        stage.origin.on("/posted", template.status(422));
        stage.origin.on("/a", html("A"));
        for _ in 0..3 {
            let answer = stage.get("/page").await;
            assert_eq!((answer.status, answer.text().as_str()), (404, "none: A"));
            let posted = stage.send(Request::new("POST", "/posted")).await;
            assert_eq!((posted.status, posted.text().as_str()), (422, "none: A"));
        }
        assert_eq!(stage.origin.count("/page"), 1); // it says how long it may be kept
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_over_http_2() {
    for configuration in [ESI.to_owned(), held()] {
        let stage = Stage::start(&configuration).await;
        origin_of_a_page(&stage).await;
        let mut connection = Client::connect(stage.address(), Protocol::Http2)
            .await
            .unwrap();
        for _ in 0..3 {
            let answer = connection
                .send(get("/page").authority("api.example.com"))
                .await
                .unwrap();
            assert_page(&answer, "<A>");
        }
    }
}
