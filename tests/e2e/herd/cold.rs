//! The origin is asked once: for what nobody has asked for yet, for what has expired, and for what was purged.

use larder_harness::client::{Crowd, Protocol, Request};
use larder_harness::origin::{Gate, Reply};

use super::{
    BOTH, LONG, answers, assert_all, brief, collapsed, crowd, fetches, get, in_hand, let_expire,
    page, stage, stampede,
};
use crate::management::call;
use crate::stage::{Stage, x_cache};

const CLIENTS: usize = 500;

/// Everybody asks, the origin is asked once, and all have the same answer of one fetch.
async fn once(stage: &Stage, crowd: Crowd, path: &str, reply: Reply, body: &str) -> Crowd {
    let (crowd, told, asked) = stampede(stage, crowd, path, reply).await;
    assert_eq!(asked, 1, "{path}");
    assert_all(&told, body);
    assert_eq!((told.len(), fetches(&told)), (CLIENTS, 1), "{path}");
    assert_eq!(collapsed(&told), CLIENTS - 1, "{path}");
    let others = answers(&told);
    let hits = others.iter().filter(|answer| x_cache(answer) == "HIT");
    assert_eq!(hits.count(), CLIENTS - 1, "{path}");
    crowd
}

async fn play(workers: usize, protocol: Protocol) {
    let stage = stage(workers, LONG).await;
    let mut crowd = crowd(&stage, protocol, CLIENTS).await;
    crowd = once(&stage, crowd, "/cold", page("first"), "first").await;
    stage.assert_outcome("collapsed", CLIENTS as u64 - 1).await;

    let_expire(&stage, "/plain", brief("old")).await;
    crowd = once(&stage, crowd, "/plain", page("new"), "new").await;

    let_expire(&stage, "/valid", brief("same").header("etag", "\"1\"")).await;
    let confirmed = Reply::new(304, "").header("cache-control", "max-age=60");
    crowd = once(&stage, crowd, "/valid", confirmed, "same").await;
    let asked = stage.origin.requests();
    let validation = asked.iter().rfind(|request| request.path == "/valid");
    assert_eq!(validation.unwrap().header("if-none-match"), Some("\"1\""));

    let_expire(&stage, "/changed", brief("old").header("etag", "\"1\"")).await;
    crowd = once(&stage, crowd, "/changed", page("changed"), "changed").await;

    for (path, purge) in [
        (
            "/keyed",
            "/api/cache/invalidate/key/GET:api.example.com/keyed",
        ),
        ("/tagged", "/api/cache/invalidate/tag/news"),
    ] {
        stage
            .origin
            .on(path, page("old").header("cache-tag", "news"));
        stage.get(path).await;
        assert_eq!(x_cache(&stage.get(path).await), "HIT");
        assert_eq!(
            stage.send(call("POST", purge)).await.status / 100,
            2,
            "{purge}"
        );
        crowd = once(&stage, crowd, path, page("new"), "new").await;
    }
    drop(crowd);
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_ask_once_for_five_hundred() {
    play(2, Protocol::Http1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_asks_once_for_five_hundred() {
    play(1, Protocol::Http1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_it_is_no_different() {
    play(2, Protocol::Http2).await;
}

/// Each of three languages is fetched once, and everybody has their own.
#[tokio::test(flavor = "multi_thread")]
async fn each_variant_is_fetched_once() {
    const LANGUAGES: [&str; 3] = ["da", "de", "fr"];
    for protocol in BOTH {
        let (stage, gate) = (stage(2, LONG).await, Gate::closed());
        let held = gate.clone();
        stage.origin.on_call("/spoken", move |request| {
            let language = request.header("accept-language").unwrap_or_default();
            page(language)
                .header("vary", "accept-language")
                .behind(&held)
        });
        let of = |place: usize| LANGUAGES[place % LANGUAGES.len()];
        let speaking = |place| get("/spoken").header("accept-language", of(place));
        let asking = crowd(&stage, protocol, 150).await.begin(speaking);
        in_hand(&stage, 150).await;
        gate.open();
        let (_, told) = asking.told().await;
        for (place, answer) in answers(&told).into_iter().enumerate() {
            assert_eq!(answer.text(), of(place), "{answer:?}");
        }
        assert_eq!(stage.origin.count("/spoken"), LANGUAGES.len());
    }
}

/// A HEAD is answered from what a GET fetches, and a condition by what it brings.
#[tokio::test(flavor = "multi_thread")]
async fn others_than_plain_gets_wait_as_well() {
    let (stage, gate) = (stage(2, LONG).await, Gate::closed());
    let reply = page("body").header("etag", "\"1\"");
    stage.origin.on("/page", reply.behind(&gate));
    let leader = crowd(&stage, Protocol::Http1, 1)
        .await
        .begin(|_| get("/page"));
    super::seen(&stage, "/page", 1).await;
    let kinds = |place: usize| match place % 4 {
        0 => get("/page").header("if-none-match", "\"1\""),
        1 => Request::new("HEAD", "/page").authority("api.example.com"),
        2 => get("/page").header("range", "bytes=0-1"),
        _ => get("/page"),
    };
    let asking = crowd(&stage, Protocol::Http1, 80).await.begin(kinds);
    in_hand(&stage, 81).await;
    gate.open();
    let (_, told) = asking.told().await;
    for (place, answer) in answers(&told).into_iter().enumerate() {
        let expected = match place % 4 {
            0 => (304, ""),
            1 => (200, ""),
            2 => (206, "bo"),
            _ => (200, "body"),
        };
        assert_eq!(
            (answer.status, answer.text().as_str()),
            expected,
            "{answer:?}"
        );
    }
    let (_, told) = leader.told().await;
    assert_all(&told, "body");
    assert_eq!(stage.origin.count("/page"), 1);
}
