//! What is no longer fresh, and the origin that is asked about it.

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::envoy::{Cluster, Envoy, Wasm};
use larder_harness::origin::{Origin, Received, Reply};
use larder_harness::tools;

use crate::stage::{BY_ORIGIN, MAIN, Stage, assert_seen, cache_status, larder, pattern, x_cache};

/// Answers 304 to who has the document, and says how often it was asked.
fn document(request: &Received) -> Reply {
    let fresh = |reply: Reply| {
        reply
            .header("cache-control", "no-cache")
            .header("etag", "\"v1\"")
    };
    match request.header("if-none-match") {
        Some("\"v1\"") => fresh(Reply::new(304, "")).header("x-asked", "again"),
        _ => fresh(Reply::ok("the document")).header("content-type", "text/plain"),
    }
}

#[tokio::test]
async fn a_304_from_the_origin_becomes_the_stored_200() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on_call("/doc", document);
    assert_seen(
        &stage.get("/doc").await,
        "MISS",
        "larder; fwd=uri-miss; stored",
    );
    for _ in 0..2 {
        let answer = stage.get("/doc").await;
        assert_seen(
            &answer,
            "REVALIDATED",
            "larder; fwd=stale; fwd-status=304; stored; detail=no-cache",
        );
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "the document")
        );
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("content-length"), Some("12"));
        assert_eq!(
            answer.header("x-asked"),
            Some("again"),
            "what the 304 said is part of the answer"
        );
    }
    assert_eq!(stage.origin.count("/doc"), 3);
    stage.assert_outcome("revalidated", 2).await;
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_has_it_gets_its_304_after_the_question() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on_call("/doc", document);
    stage.get("/doc").await;
    let answer = stage
        .send(Request::get("/doc").header("if-none-match", "\"v0\", \"v1\""))
        .await;
    assert_eq!((answer.status, x_cache(&answer)), (304, "REVALIDATED"));
    let asked = stage.origin.requests();
    assert_eq!(
        asked[1].header("if-none-match"),
        Some("\"v1\""),
        "only what is stored is asked about"
    );
}

#[tokio::test]
async fn a_confirmed_mebibyte_is_whole_over_http_2_too() {
    let stage = Stage::start(BY_ORIGIN).await;
    let body = pattern(1024 * 1024);
    let sent = body.clone();
    stage.origin.on_call("/large", move |request| {
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::new(304, ""),
            None => Reply::ok(sent.clone()),
        };
        reply
            .header("cache-control", "no-cache")
            .header("etag", "\"v1\"")
    });
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect(stage.envoy.address(MAIN), protocol)
            .await
            .unwrap();
        for _ in 0..2 {
            let ask = Request::get("/large").authority("api.example.com");
            assert!(client.send(ask).await.unwrap().body == body, "{protocol:?}");
        }
    }
    stage.assert_outcome("revalidated", 3).await;
}

#[tokio::test]
async fn what_has_changed_is_sent_and_stored() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on(
        "/doc",
        Reply::ok("one")
            .header("cache-control", "no-cache")
            .header("etag", "\"v1\""),
    );
    stage.get("/doc").await;
    stage.origin.on(
        "/doc",
        Reply::ok("two")
            .header("cache-control", "max-age=60")
            .header("etag", "\"v2\""),
    );
    let changed = stage.get("/doc").await;
    assert_seen(
        &changed,
        "MISS",
        "larder; fwd=stale; stored; detail=no-cache",
    );
    assert_eq!(changed.text(), "two");
    let hit = stage.get("/doc").await;
    assert_eq!((x_cache(&hit), hit.text().as_str()), ("HIT", "two"));
}

#[tokio::test]
async fn who_takes_it_stale_is_not_made_to_wait_for_the_origin() {
    let stage = Stage::start(r#"{"request_cache_control":"honor"}"#).await;
    let old = |fields: &str| {
        Reply::ok("old")
            .header("cache-control", fields)
            .header("age", "70")
            .header("etag", "\"v1\"")
    };
    stage.origin.on("/doc", old("max-age=60"));
    stage
        .origin
        .on("/strict", old("max-age=60, must-revalidate"));
    for path in ["/doc", "/strict"] {
        assert_eq!(x_cache(&stage.get(path).await), "MISS");
        stage.origin.on(path, Reply::ok("new"));
    }
    let taking =
        |path, most| Request::get(path).header("cache-control", format!("max-stale{most}"));
    for _ in 0..2 {
        let answer = stage.send(taking("/doc", "")).await;
        assert_eq!((x_cache(&answer), answer.text().as_str()), ("STALE", "old"));
        let (status, age) = (cache_status(&answer), answer.header("age").unwrap());
        let age: i64 = age.parse().unwrap();
        assert_eq!(answer.header("x-cache-age"), answer.header("age"));
        assert_eq!(
            status,
            format!("larder; hit; ttl={}; detail=max-stale", 60 - age)
        );
    }
    assert_eq!(stage.origin.count("/doc"), 1);
    stage.assert_outcome("stale", 2).await;
    let strict = stage.send(taking("/strict", "")).await;
    assert_eq!((x_cache(&strict), strict.text().as_str()), ("MISS", "new"));
    let less = stage.send(taking("/doc", "=5")).await;
    assert_eq!((x_cache(&less), less.text().as_str()), ("MISS", "new"));
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_304_from_a_cache_behind_is_no_answer_to_who_asked_for_the_whole() {
    let origin = Origin::start().await.unwrap();
    let document = Reply::ok("the document")
        .header("cache-control", "max-age=60")
        .header("etag", "\"v1\"");
    origin.on("/doc", document);
    let behind = Wasm::new(tools::module().unwrap(), BY_ORIGIN).vm_id("behind");
    let envoy = Envoy::builder()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(larder(r#"{"request_cache_control":"honor"}"#).wasm(behind))
        .start()
        .await
        .unwrap();
    for _ in 0..2 {
        let confirmed = Request::get("/doc").header("cache-control", "no-cache");
        let answer = client::send(envoy.address(MAIN), confirmed).await.unwrap();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "the document")
        );
    }
    assert_eq!(origin.count("/doc"), 1);
}

#[tokio::test]
async fn a_head_freshens_the_stored_body_that_it_describes() {
    let stage = Stage::start(r#"{"request_cache_control":"honor"}"#).await;
    stage.origin.on(
        "/doc",
        Reply::ok("the document")
            .header("cache-control", "max-age=60")
            .header("etag", "\"v1\""),
    );
    stage.get("/doc").await;
    let head = Request::new("HEAD", "/doc").header("cache-control", "no-cache");
    let seen = stage.send(head.clone()).await;
    assert_seen(
        &seen,
        "MISS",
        "larder; fwd=request; stored; detail=request-directive",
    );
    assert_eq!(seen.header("content-length"), Some("12"));
    let hit = stage.get("/doc").await;
    assert_eq!(
        (x_cache(&hit), hit.text().as_str()),
        ("HIT", "the document")
    );

    stage.origin.on(
        "/doc",
        Reply::ok("another document")
            .header("cache-control", "max-age=60")
            .header("etag", "\"v2\""),
    );
    stage.send(head).await;
    let fetched = stage.get("/doc").await;
    assert_eq!(
        (x_cache(&fetched), fetched.text().as_str()),
        ("MISS", "another document")
    );
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_must_be_validated_is_an_error_without_its_origin() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on(
        "/doc",
        Reply::ok("stale")
            .header("cache-control", "max-age=0, must-revalidate")
            .header("etag", "\"v1\""),
    );
    stage.get("/doc").await;
    let Stage { origin, envoy } = stage;
    drop(origin);
    let request = Request::get("/doc").authority("api.example.com");
    let answer = client::send(envoy.address(MAIN), request).await.unwrap();
    // "the cache MUST generate an error response rather than reuse the stale response. The generated status code SHOULD be
    // 504 (Gateway Timeout) unless another error status code is more applicable." RFC 9111 section 5.2.2.2. The proxy
    // knows which is: there is no connection.
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_seen(&answer, "MISS", "larder; fwd=stale; detail=local-reply");
    assert_ne!(answer.text(), "stale");
}
