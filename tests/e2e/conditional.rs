//! Clients that have the response already, HEAD, and what else RFC 9110 lets a cache answer.

use larder_harness::client::Request;
use larder_harness::origin::Reply;

use crate::stage::{BY_ORIGIN, CACHE_ALL, Stage, assert_seen, x_cache};

#[tokio::test]
async fn a_matching_etag_gets_304_from_the_cache() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on(
        "/doc",
        Reply::ok("text")
            .header("etag", "\"v1\"")
            .header("content-type", "text/plain"),
    );
    stage.get("/doc").await;
    for field in ["\"v1\"", "\"v0\", W/\"v1\"", "*"] {
        let answer = stage
            .send(Request::get("/doc").header("if-none-match", field))
            .await;
        assert_eq!((answer.status, x_cache(&answer)), (304, "HIT"), "{field}");
        assert_eq!(answer.header("etag"), Some("\"v1\""));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("content-length"), None);
    }
    let other = stage
        .send(Request::get("/doc").header("if-none-match", "\"v2\""))
        .await;
    assert_eq!((other.status, other.text().as_str()), (200, "text"));
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn an_origin_without_validators_gets_one_from_the_body() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/doc", Reply::ok("hello world"));
    assert_eq!(
        stage.get("/doc").await.header("etag"),
        None,
        "the head was gone before the body was known"
    );
    let etag = stage.get("/doc").await.header("etag").unwrap().to_owned();
    assert_eq!(etag, "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    assert_eq!(
        stage
            .send(Request::get("/doc").header("if-none-match", &etag))
            .await
            .status,
        304
    );
}

#[tokio::test]
async fn a_date_since_which_nothing_changed_gets_304() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on(
        "/doc",
        Reply::ok("text").header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    );
    stage.get("/doc").await;
    let rows = [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 304),
        ("Sat, 05 Nov 1994 08:49:37 GMT", 200),
        ("not a date", 200),
    ];
    for (date, status) in rows {
        assert_eq!(
            stage
                .send(Request::get("/doc").header("if-modified-since", date))
                .await
                .status,
            status,
            "{date}"
        );
    }
    let both = Request::get("/doc")
        .header("if-none-match", "\"other\"")
        .header("if-modified-since", "Mon, 07 Nov 1994 08:49:37 GMT");
    assert_eq!(
        stage.send(both).await.status,
        200,
        "If-None-Match is the one that counts"
    );
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on(
        "/doc",
        Reply::ok("eleven byte").header("content-type", "text/plain"),
    );
    stage.get("/doc").await;
    let head = stage.send(Request::new("HEAD", "/doc")).await;
    assert_eq!((head.status, x_cache(&head)), (200, "HIT"));
    assert_eq!(head.header("content-length"), Some("11"));
    assert_eq!(head.header("content-type"), Some("text/plain"));
    assert!(head.body.is_empty());
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn a_head_fills_nothing() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/doc", Reply::ok("text"));
    let head = stage.send(Request::new("HEAD", "/doc")).await;
    assert_seen(&head, "MISS", "larder; fwd=uri-miss; detail=method");
    assert_eq!(x_cache(&stage.get("/doc").await), "MISS");
}

#[tokio::test]
async fn an_answer_from_the_cache_or_none() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/doc", Reply::ok("text"));
    let only_cached = || Request::get("/doc").header("cache-control", "only-if-cached");
    assert_eq!(stage.send(only_cached()).await.status, 504);
    assert_eq!(stage.origin.count("/doc"), 0);
    stage.get("/doc").await;
    assert_eq!(stage.send(only_cached()).await.status, 200);
}

#[tokio::test]
async fn repeated_fields_keep_their_number_and_order() {
    let stage = Stage::start(BY_ORIGIN).await;
    let reply = Reply::ok("x")
        .header("cache-control", "max-age=60")
        .header("link", "</a>")
        .header("link", "</b>");
    stage.origin.on("/doc", reply);
    stage.get("/doc").await;
    let hit = stage.get("/doc").await;
    assert_eq!(x_cache(&hit), "HIT");
    assert_eq!(
        hit.headers.all("link").collect::<Vec<_>>(),
        [b"</a>", b"</b>"]
    );
    assert_eq!(hit.headers.all("x-origin-stamp").count(), 1);
}

#[tokio::test]
async fn the_age_a_response_arrives_with_counts() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on(
        "/old",
        Reply::ok("x")
            .header("cache-control", "max-age=100")
            .header("age", "90"),
    );
    stage.origin.on(
        "/too-old",
        Reply::ok("x")
            .header("cache-control", "max-age=100")
            .header("age", "100"),
    );
    stage.get("/old").await;
    let hit = stage.get("/old").await;
    assert_eq!(x_cache(&hit), "HIT");
    let age: u32 = hit.header("age").unwrap().parse().unwrap();
    assert!((90..100).contains(&age), "{age}");
    assert_seen(
        &stage.get("/too-old").await,
        "MISS",
        "larder; fwd=uri-miss; detail=expired",
    );
}

#[tokio::test]
async fn statuses_without_a_body_are_kept_too() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on(
        "/gone",
        Reply::new(204, "").header("cache-control", "max-age=60"),
    );
    stage.origin.on(
        "/moved",
        Reply::new(301, "")
            .header("cache-control", "max-age=60")
            .header("location", "/new"),
    );
    stage.origin.on(
        "/absent",
        Reply::new(404, "no").header("cache-control", "max-age=60"),
    );
    for (path, status) in [("/gone", 204), ("/moved", 301), ("/absent", 404)] {
        assert_eq!(x_cache(&stage.get(path).await), "MISS");
        let hit = stage.get(path).await;
        assert_eq!((hit.status, x_cache(&hit)), (status, "HIT"), "{path}");
    }
    assert_eq!(stage.get("/moved").await.header("location"), Some("/new"));
}
