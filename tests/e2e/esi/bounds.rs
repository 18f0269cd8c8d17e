//! Pages, templates and fragments that are too large, or too many.

use larder_harness::envoy::Listener;

use super::heads::held;
use super::{ESI, assert_page, html, include};
use crate::stage::{MAIN, Stage, filter, larder};

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_too_large_goes_as_it_is() {
    for configuration in [ESI.to_owned(), held()] {
        let small = configuration.replacen('{', r#"{"composition": {"max_bytes": 1000}, "#, 1);
        let stage = Stage::start(&small).await;
        let template = ["x".repeat(200_000), include("/a")].concat();
        stage.origin.on("/page", html(&template));
        for _ in 0..3 {
            assert_page(&stage.get("/page").await, &template);
        }
        let raw = stage
            .counter("larder_templates_raw_total.reason.too-large")
            .await;
        assert_eq!(raw, 3);
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_be_larger_than_the_template() {
    for configuration in [ESI.to_owned(), held()] {
        let stage = Stage::start(&configuration).await;
        let large = "y".repeat(900_000);
        stage.origin.on("/page", html(&include("/a")));
        stage.origin.on("/a", html(&large));
        for _ in 0..3 {
            assert_page(&stage.get("/page").await, &large);
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_the_proxy_does_not_buffer_ends_one_stream_and_no_process() {
    let listener = larder(ESI).buffer_limit(16_384);
    let mut stage = Stage::with_listener(1, listener).await;
    stage.origin.on("/page", html(&include("/a")));
    stage.origin.on("/a", html(&"y".repeat(100_000)));
    let first = larder_harness::client::send(
        stage.address(),
        super::get("/page").authority("api.example.com"),
    )
    .await;
    assert!(first.is_err(), "the head is gone: {first:?}");
    assert!(stage.envoy.is_alive());
    assert_eq!(stage.get("/page").await.body.len(), 100_000);
    stage.assert_unharmed().await;
    let listener = Listener::to_cluster(MAIN, "origin")
        .wasm(filter(&held()))
        .buffer_limit(16_384);
    let stage = Stage::with_listener(1, listener).await;
    stage.origin.on("/page", html(&include("/a")));
    stage.origin.on("/a", html(&"y".repeat(100_000)));
    assert_eq!(stage.get("/page").await.body.len(), 100_000);
    stage.assert_unharmed().await;
}
