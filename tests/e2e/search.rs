//! Responses that say which part of the query they do not vary on.

use larder_harness::client::Request;
use larder_harness::origin::{Received, Reply};

use crate::stage::{CACHE_ALL, Stage, assert_seen, x_cache};

const SEARCHING: &str =
    r#"{"no_vary_search":true,"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

/// Answers with what it was asked.
fn echo(request: &Received) -> Reply {
    Reply::ok(request.path.clone())
        .header("no-vary-search", r#"params=("utm_source" "utm_medium")"#)
}

#[tokio::test]
async fn what_campaigns_add_to_a_url_is_one_entry() {
    let stage = Stage::start(SEARCHING).await;
    stage.origin.on_call("/page", echo);
    let first = stage.get("/page?id=1&utm_source=mail").await;
    assert_seen(&first, "MISS", "larder; fwd=uri-miss; stored");
    for path in [
        "/page?id=1",
        "/page?utm_medium=x&id=1",
        "/page?%69d=1&&utm_source",
    ] {
        let answer = stage.get(path).await;
        assert_eq!(
            (x_cache(&answer), &answer.body),
            ("HIT", &first.body),
            "{path}"
        );
    }
    for path in ["/page?id=2", "/page?id=1&utm_term=x", "/page"] {
        assert_eq!(x_cache(&stage.get(path).await), "MISS", "{path}");
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn order_and_exceptions() {
    let stage = Stage::start(r#"{"no_vary_search":true}"#).await;
    for (path, field) in [
        ("/ordered", "key-order"),
        ("/except", r#"except=("id"), key-order"#),
    ] {
        stage.origin.on_call(path, move |request: &Received| {
            Reply::ok(request.path.clone())
                .header("cache-control", "max-age=60")
                .header("no-vary-search", field)
        });
    }
    for (first, same, other) in [
        ("/ordered?a=1&b=2", "/ordered?b=2&a=1", "/ordered?b=2&a=1&c"),
        ("/except?id=1&x=2", "/except?y=3&id=1", "/except?id=2"),
    ] {
        let stored = stage.get(first).await;
        assert_eq!(x_cache(&stored), "MISS", "{first}");
        let answer = stage.get(same).await;
        assert_eq!(
            (x_cache(&answer), &answer.body),
            ("HIT", &stored.body),
            "{same}"
        );
        assert_eq!(x_cache(&stage.get(other).await), "MISS", "{other}");
    }
}

#[tokio::test]
async fn variants_and_a_write() {
    let stage = Stage::start(SEARCHING).await;
    stage.origin.on_call("/page", |request| {
        echo(request).header("vary", "accept-language")
    });
    let ask = |path: &str, language: &str| Request::get(path).header("accept-language", language);
    assert_seen(
        &stage.send(ask("/page?id=1&utm_source=x", "de")).await,
        "MISS",
        "larder; fwd=uri-miss; stored",
    );
    assert_seen(
        &stage.send(ask("/page?id=1&utm_source=x", "fr")).await,
        "MISS",
        "larder; fwd=vary-miss; stored",
    );
    for language in ["de", "fr"] {
        assert_eq!(
            x_cache(&stage.send(ask("/page?id=1", language)).await),
            "HIT"
        );
    }
    stage
        .send(Request::new("POST", "/page?id=1&utm_medium=y"))
        .await;
    for language in ["de", "fr"] {
        let answer = stage.send(ask("/page?id=1", language)).await;
        assert_eq!(x_cache(&answer), "MISS", "{language}");
    }
}

#[tokio::test]
async fn without_the_switch_the_field_is_just_a_field() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/page", echo);
    assert_eq!(x_cache(&stage.get("/page?utm_source=x").await), "MISS");
    assert_eq!(x_cache(&stage.get("/page").await), "MISS");
    let again = stage.get("/page?utm_source=x").await;
    assert_eq!(x_cache(&again), "HIT");
    assert_eq!(
        again.header("no-vary-search"),
        Some(r#"params=("utm_source" "utm_medium")"#)
    );
}
