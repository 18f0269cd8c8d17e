//! Bodies in pieces, bodies that break off, bodies that are too large.

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{CACHE_ALL, MAIN, Stage, cache_status, pattern, x_cache};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn a_mebibyte_comes_back_byte_for_byte() {
    let stage = Stage::start(CACHE_ALL).await;
    let body = pattern(MEBIBYTE);
    stage.origin.on("/large", Reply::ok(body.clone()));
    assert!(stage.get("/large").await.body == body);
    let hit = stage.get("/large").await;
    assert_eq!(x_cache(&hit), "HIT");
    assert!(hit.body == body, "the body differs");
}

#[tokio::test]
async fn a_body_in_many_chunks_is_one_body() {
    let stage = Stage::start(CACHE_ALL).await;
    let body = pattern(200_000);
    stage.origin.on("/chunked", Reply::chunked(&body, 500));
    assert!(stage.get("/chunked").await.body == body);
    let hit = stage.get("/chunked").await;
    assert_eq!(
        (x_cache(&hit), hit.header("content-length")),
        ("HIT", Some("200000"))
    );
    assert!(hit.body == body);
}

#[tokio::test]
async fn the_client_does_not_wait_for_the_capture() {
    let stage = Stage::start(CACHE_ALL).await;
    let gate = Gate::closed();
    stage.origin.on("/slow", held_back(&gate));
    let client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let first = client.abort_after(Request::get("/slow"), 5).await.unwrap();
    assert_eq!(
        first, b"first",
        "the first chunk came while the last was held back"
    );
    gate.open();
}

#[tokio::test]
async fn a_body_with_trailers_is_complete() {
    let stage = Stage::start(CACHE_ALL).await;
    let trailers = vec![("x-checksum".to_owned(), "1".to_owned())];
    stage.origin.on(
        "/trailers",
        Reply::steps([Step::Chunk("body".into()), Step::Trailers(trailers)]),
    );
    let ask = || Request::get("/trailers").header("te", "trailers");
    assert_eq!(stage.send(ask()).await.text(), "body");
    let hit = stage.send(ask()).await;
    assert_eq!((x_cache(&hit), hit.text().as_str()), ("HIT", "body"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/dies", Reply::dies_after("half", 8));
    stage.origin.on(
        "/dies-unannounced",
        Reply::steps([Step::Chunk("half".into()), Step::Die]),
    );
    for path in ["/dies", "/dies-unannounced"] {
        for _ in 0..2 {
            let mut client = Client::connect(stage.address(), Protocol::Http1)
                .await
                .unwrap();
            assert!(
                client.get(path).await.is_err(),
                "{path}: the client sees that it broke off"
            );
        }
        assert_eq!(stage.origin.count(path), 2, "{path}");
    }
    eventually("four incomplete bodies are counted", PATIENCE, async || {
        stage
            .counter("larder_not_stored_total.reason.incomplete")
            .await
            == 4
    })
    .await;
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_capture_with_it() {
    let stage = Stage::start(CACHE_ALL).await;
    let gate = Gate::closed();
    stage.origin.on("/left", held_back(&gate));
    let client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    client.abort_after(Request::get("/left"), 5).await.unwrap();
    eventually("the capture is given up", PATIENCE, async || {
        stage
            .counter("larder_not_stored_total.reason.incomplete")
            .await
            == 1
    })
    .await;
    gate.open();
    assert_eq!(x_cache(&stage.get("/left").await), "MISS");
    assert_eq!(x_cache(&stage.get("/left").await), "HIT");
}

#[tokio::test]
async fn a_response_over_the_limit_passes_whole_and_is_not_stored() {
    let configuration = r#"{"limits":{"max_object_bytes":1000},"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    let body = pattern(100_000);
    stage.origin.on("/announced", Reply::ok(body.clone()));
    stage.origin.on("/unannounced", Reply::chunked(&body, 100));
    stage.origin.on("/at-the-limit", Reply::ok(pattern(1000)));
    for path in ["/announced", "/unannounced"] {
        for _ in 0..2 {
            let answer = stage.get(path).await;
            assert_eq!(x_cache(&answer), "MISS", "{path}");
            assert!(answer.body == body, "{path}");
        }
    }
    assert_eq!(
        cache_status(&stage.get("/announced").await),
        "larder; fwd=uri-miss; detail=too-large"
    );
    assert_eq!(
        stage
            .counter("larder_not_stored_total.reason.too-large")
            .await,
        5
    );
    stage.get("/at-the-limit").await;
    assert_eq!(x_cache(&stage.get("/at-the-limit").await), "HIT");
}

#[tokio::test]
async fn a_thousand_concurrent_misses_of_a_mebibyte() {
    let stage = Stage::with_workers(2, CACHE_ALL).await;
    let gate = Gate::closed();
    let body = pattern(MEBIBYTE);
    stage
        .origin
        .on("/large/*", Reply::ok(body.clone()).behind(&gate));
    let requests = (0..1000)
        .map(|n| Request::get(&format!("/large/{n}")).authority("api.example.com"))
        .collect();
    let answers = tokio::spawn(larder_harness::client::send_all(
        stage.envoy.address(MAIN),
        requests,
    ));
    eventually("all of them reach the origin", PATIENCE, async || {
        stage.origin.total() == 1000
    })
    .await;
    gate.open();
    let mut stored = 0;
    for answer in answers.await.unwrap() {
        let answer = answer.unwrap();
        assert!(answer.body == body);
        match cache_status(&answer) {
            "larder; fwd=uri-miss; stored" => stored += 1,
            "larder; fwd=uri-miss; detail=busy" => {}
            other => panic!("{other}"),
        }
    }
    assert!(stored >= 100, "only {stored} were captured");
    for n in 0..20 {
        let answer = stage.get(&format!("/large/again/{n}")).await;
        assert_eq!(
            cache_status(&answer),
            "larder; fwd=uri-miss; stored",
            "every byte of the budget came back"
        );
    }
    stage.assert_unharmed().await;
    let memory = stage.envoy.memory().unwrap();
    assert!(memory < 1_500 * 1024 * 1024, "Envoy holds {memory} bytes");
}

/// A body whose last chunk waits for the gate.
fn held_back(gate: &Gate) -> Reply {
    Reply::steps([
        Step::Chunk("first".into()),
        Step::Wait(gate.clone()),
        Step::Chunk(" last".into()),
    ])
}
