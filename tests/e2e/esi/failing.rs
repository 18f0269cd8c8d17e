//! Fragments that cannot be had.

use larder_harness::origin::{Gate, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use super::{ESI, assert_asked, assert_page, html, include, managed};
use crate::management::call;
use crate::stage::{Stage, cache_status, larder};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_template_says_stands_in_its_place() {
    let stage = Stage::start(ESI).await;
    stage.origin.on("/broken", Reply::new(500, "broken"));
    stage.origin.on("/good", html("good"));
    for (name, template) in [
        ("alt", r#"<esi:include src="/broken" alt="/good"/>"#),
        (
            "onerror",
            r#"good<esi:include src="/broken" onerror="continue"/>"#,
        ),
        (
            "try",
            r#"<esi:try><esi:attempt><esi:include src="/broken"/></esi:attempt><esi:except>good</esi:except></esi:try>"#,
        ),
    ] {
        let path = format!("/{name}");
        stage.origin.on(&path, html(template));
        for _ in 0..2 {
            assert_page(&stage.get(&path).await, "good");
        }
    }
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_nobody_foresaw_is_told_and_not_kept() {
    let stage = Stage::start(ESI).await;
    stage
        .origin
        .on("/page", html(&["<", &include("/broken"), ">"].concat()));
    stage.origin.on("/broken", Reply::new(404, "broken"));
    for _ in 0..2 {
        let answer = stage.get("/page").await;
        assert_page(&answer, "<>");
    }
    let answer = stage.get("/page").await;
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{answer:?}"
    );
    assert!(
        cache_status(&answer).contains("detail=fragment-status"),
        "{answer:?}"
    );
    assert_eq!(
        stage
            .counter("larder_fragments_missing_total.reason.fragment-status")
            .await,
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_fragment_keeps_the_page_for_so_long_and_is_there_for_the_next() {
    let quick = ESI.replacen('{', r#"{"composition": {"timeout_ms": 300}, "#, 1);
    let stage = Stage::start(&quick).await;
    stage
        .origin
        .on("/page", html(&["<", &include("/slow"), ">"].concat()));
    let gate = Gate::closed();
    stage.origin.on("/slow", html("slow").behind(&gate));
    for _ in 0..2 {
        assert_page(&stage.get("/page").await, "<>");
    }
    gate.open();
    eventually("the fragment has come", PATIENCE, async || {
        stage.get("/page").await.text() == "<slow>"
    })
    .await;
    assert_asked(&stage, &[("/page", 1), ("/slow", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_api_and_other_hosts_are_no_fragments() {
    let stage = managed(1).await;
    stage.origin.on(
        "/api",
        html(&["<", &include("/api/cache/stats"), ">"].concat()),
    );
    stage.origin.on(
        "/other",
        html(&["<", &include("http://other.example.com/a"), ">"].concat()),
    );
    for path in ["/api", "/other"] {
        for _ in 0..2 {
            // Who may call it may still not have it on a page.
            assert_page(&stage.send(call("GET", path)).await, "<>");
        }
    }
    assert_eq!(
        stage.origin.count("/api/cache/stats") + stage.origin.count("/a"),
        0
    );
    assert_eq!(
        stage
            .counter("larder_fragments_missing_total.reason.fragment-address")
            .await,
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_route_alters_requests_no_fragment_is_fetched_past_it_and_none_stays() {
    let stage = Stage::with_listener(1, larder(ESI).rewrites("/", "/v1/")).await;
    let page = html(&["<", &include("/a"), ">"].concat());
    stage
        .origin
        .on("/v1/page", page.header("cache-control", "max-age=60"));
    stage.origin.on("/v1/a", html("right"));
    stage.origin.on("/a", html("wrong"));
    stage.get("/page").await;
    eventually(
        "what was fetched past the route is gone",
        PATIENCE,
        async || stage.get("/page").await.text() == "<>",
    )
    .await;
    let answer = stage.get("/page").await;
    assert!(
        cache_status(&answer).contains("detail=fragment-unreachable"),
        "{answer:?}"
    );
    // A client is given what the route brings.
    assert_page(&stage.get("/a").await, "right");
    assert_page(&stage.get("/page").await, "<>");
    assert_asked(&stage, &[("/a", 1)]);
}
