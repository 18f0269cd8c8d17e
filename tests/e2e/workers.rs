//! Several workers are one cache.

use larder_harness::client::{Protocol, Request};
use larder_harness::origin::Reply;

use crate::stage::{CACHE_ALL, MAIN, Stage, x_cache};

#[tokio::test]
async fn what_one_worker_filled_another_answers() {
    let stage = Stage::with_workers(2, CACHE_ALL).await;
    stage.origin.on("/shared", Reply::ok("once"));
    let mut first = stage
        .envoy
        .connect_to_worker(MAIN, 0, Protocol::Http1)
        .await
        .unwrap();
    let mut second = stage
        .envoy
        .connect_to_worker(MAIN, 1, Protocol::Http1)
        .await
        .unwrap();
    let ask = || Request::get("/shared").authority("api.example.com");
    assert_eq!(x_cache(&first.send(ask()).await.unwrap()), "MISS");
    let hit = second.send(ask()).await.unwrap();
    assert_eq!((x_cache(&hit), hit.text().as_str()), ("HIT", "once"));
    assert_eq!(x_cache(&first.send(ask()).await.unwrap()), "HIT");
    assert_eq!(stage.origin.count("/shared"), 1);
}

#[tokio::test]
async fn http_2_on_the_clients_side_shares_with_http_1() {
    let stage = Stage::with_workers(2, CACHE_ALL).await;
    stage.origin.on("/shared", Reply::ok("once"));
    let ask = || Request::get("/shared").authority("api.example.com");
    let mut first = stage
        .envoy
        .connect_to_worker(MAIN, 1, Protocol::Http2)
        .await
        .unwrap();
    assert_eq!(x_cache(&first.send(ask()).await.unwrap()), "MISS");
    assert_eq!(x_cache(&stage.get("/shared").await), "HIT");
}
