//! Errors that are stored for a while, and errors that are not.

use larder_harness::origin::Reply;

use crate::stage::{Stage, assert_seen};

const NEGATIVE: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
    "negative":[{"status":[404,503],"ttl_seconds":600}]}]}"#;

#[tokio::test]
async fn an_error_that_is_named_reaches_the_origin_once() {
    let stage = Stage::start(NEGATIVE).await;
    for status in [404, 503] {
        let path = format!("/{status}");
        stage
            .origin
            .on_call(&path, move |_| Reply::new(status, "there is none"));
        assert_seen(
            &stage.get(&path).await,
            "MISS",
            "larder; fwd=uri-miss; stored",
        );
        for _ in 0..3 {
            let again = stage.get(&path).await;
            assert_eq!(
                (again.status, again.text().as_str()),
                (status, "there is none")
            );
            assert_eq!(again.header("x-cache"), Some("HIT"));
            assert_eq!(again.header("cache-control"), None);
        }
        assert_eq!(stage.origin.count(&path), 1);
    }
    stage.assert_outcome("negative", 6).await;
    stage.assert_outcome("hit", 0).await;
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn another_error_and_one_of_the_proxy_are_asked_for_each_time() {
    let stage = Stage::start(NEGATIVE).await;
    stage
        .origin
        .on_call("/403", |_| Reply::new(403, "not for you"));
    for _ in 0..2 {
        assert_seen(
            &stage.get("/403").await,
            "MISS",
            "larder; fwd=uri-miss; detail=status",
        );
    }
    assert_eq!(stage.origin.count("/403"), 2);
    let private = |_: &_| Reply::new(404, "your page is gone").header("cache-control", "private");
    stage.origin.on_call("/private", private);
    for _ in 0..2 {
        assert_seen(
            &stage.get("/private").await,
            "MISS",
            "larder; fwd=uri-miss; detail=private",
        );
    }
    stage.assert_outcome("negative", 0).await;
}
