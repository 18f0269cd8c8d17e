//! Requests that are held until their content is there, or are not.

use std::time::Duration;

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::{MAIN, Stage, assert_seen, cache_status, filter, larder, pattern, x_cache};

use super::{BY_CONTENT, MISS, answers_with_the_question, ask, echo, hit, pieces, post, seen};

/// Waits until the origin has a request's head.
async fn the_head_is_through(stage: &Stage) {
    eventually("the origin has the head", PATIENCE, async || {
        let active = stage.envoy.stat("cluster.origin.upstream_rq_active").await;
        active.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn a_body_that_cannot_be_held_passes_untouched() {
    let stage = Stage::start(BY_CONTENT).await;
    stage
        .origin
        .on_call("/search", |request| Reply::ok(request.body.clone()));
    let body = pattern(3 << 20);
    let too_long = "larder; fwd=bypass; detail=key-invalid";
    let unannounced = "larder; fwd=bypass; detail=request-body";
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (asks, detail) in [
            (post("").body(body.clone()), too_long),
            (post("").body(body[..17_000].to_vec()), too_long),
            (post("").steps(pieces(&body, 10_000)), unannounced),
            (post("").steps(pieces(&body[..100], 10)), unannounced),
        ] {
            let mut client = Client::connect(stage.address(), protocol).await.unwrap();
            let answer = client.send(asks).await.unwrap();
            assert_seen(&answer, "BYPASS", detail);
            let length = answer.body.len();
            assert!(answer.body == body[..length], "{protocol:?}: other bytes");
        }
    }
    let requests = stage.origin.requests();
    let lengths: Vec<_> = requests.iter().map(|seen| seen.body.len()).collect();
    assert_eq!(lengths, [3 << 20, 17_000, 3 << 20, 100].repeat(2));
    stage.assert_unharmed().await;
}

/// Envoy answers 413 when it keeps more for a filter that stops bodies than it may keep for a connection.
#[tokio::test]
async fn the_proxy_keeps_what_is_held_within_its_own_limit() {
    let config = BY_CONTENT.replace("16384", "65536");
    let listener = larder(&config).buffer_limit(32 << 10);
    let stage = Stage::with_listener(1, listener).await;
    stage
        .origin
        .on_call("/search", |request| Reply::ok(request.body.clone()));
    let body = pattern(200_000);
    for (length, announced, word) in [
        (32 << 10, true, "MISS"),
        ((32 << 10) + 1, true, "BYPASS"),
        (200_000, true, "BYPASS"),
        (200_000, false, "BYPASS"),
    ] {
        let gate = Gate::closed();
        let mut steps = pieces(&body[..length], 20_000);
        steps.insert(1, Step::Wait(gate.clone()));
        let mut asks = post("").steps(steps);
        if announced {
            asks = asks.header("content-length", length.to_string());
        }
        let mut client = Client::connect(stage.address(), Protocol::Http1)
            .await
            .unwrap();
        let answer = tokio::spawn(async move { client.send(asks).await });
        arrives(&stage, 1).await;
        gate.open();
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(
            (answer.status, x_cache(&answer)),
            (200, word),
            "{length} {announced}"
        );
        assert!(answer.body == body[..length]);
    }
}

#[tokio::test]
async fn a_slow_body_is_waited_for() {
    let stage = echo(BY_CONTENT).await;
    for (protocol, method) in [(Protocol::Http1, "POST"), (Protocol::Http2, "QUERY")] {
        let gate = Gate::closed();
        let steps = [
            Step::Chunk("slow".into()),
            Step::Wait(gate.clone()),
            Step::Chunk("ly".into()),
        ];
        let mut client = Client::connect(stage.address(), protocol).await.unwrap();
        let asked = stage.origin.total();
        let request = ask(method, "").header("content-length", "6").steps(steps);
        let answer = tokio::spawn(async move { client.send(request).await });
        arrives(&stage, 1).await;
        assert_eq!(stage.origin.total(), asked, "the origin has not been asked");
        gate.open();
        let answer = answer.await.unwrap().unwrap();
        assert_seen(&answer, MISS.0, MISS.1);
        let answer = stage.send(ask(method, "slowly")).await;
        assert_eq!(seen(&answer), hit(&format!("{method} slowly")));
    }
}

/// So many requests are under way on the side of the clients.
async fn arrives(stage: &Stage, count: u64) {
    eventually("requests under way", PATIENCE, async || {
        stage
            .envoy
            .stat("http.main.downstream_rq_active")
            .await
            .unwrap()
            == count
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_asks_leaves_nothing() {
    let stage = echo(BY_CONTENT).await;
    for body in ["", "half"] {
        let mut client = TcpStream::connect(stage.address()).await.unwrap();
        let head = "POST /search HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n";
        client
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        arrives(&stage, 1).await;
        drop(client);
        arrives(&stage, 0).await;
    }
    assert_eq!(stage.origin.total(), 0);
    assert_eq!(x_cache(&stage.send(post("half")).await), "MISS");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_body_with_trailers_is_complete() {
    let stage = echo(BY_CONTENT).await;
    for body in ["", "q"] {
        let asks = || with_trailers(body).header("content-length", body.len().to_string());
        let mut client = Client::connect(stage.address(), Protocol::Http2)
            .await
            .unwrap();
        let answer = client.send(asks()).await.unwrap();
        assert_seen(&answer, MISS.0, MISS.1);
        // The origin's connection is HTTP/1.1, which has no trailers behind an announced length.
        let received = stage.origin.requests().pop().unwrap();
        assert_eq!(received.body, body);
        let answer = client.send(asks()).await.unwrap();
        assert_eq!(seen(&answer), hit(&format!("QUERY {body}")));
    }
    let answer = stage.send(with_trailers("q")).await;
    assert_seen(&answer, "BYPASS", "larder; fwd=bypass; detail=request-body");
    let received = stage.origin.requests().pop().unwrap();
    assert_eq!(
        (&received.body[..], received.trailers.one("x-sum")),
        (&b"q"[..], Some("1"))
    );
}

fn with_trailers(body: &'static str) -> Request {
    let trailers = Step::Trailers(vec![("x-sum".to_owned(), "1".to_owned())]);
    let piece = (!body.is_empty()).then(|| Step::Chunk(body.into()));
    ask("QUERY", "").steps(piece.into_iter().chain([trailers]))
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_not_kept_waiting() {
    let stage = echo(BY_CONTENT).await;
    let gate = Gate::closed();
    let steps = [Step::Wait(gate.clone()), Step::Chunk("q".into())];
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let request = post("")
        .header("expect", "100-continue")
        .header("content-length", "1")
        .steps(steps);
    let answer = tokio::spawn(async move { client.send(request).await });
    the_head_is_through(&stage).await;
    gate.open();
    let answer = answer.await.unwrap().unwrap();
    assert_seen(&answer, "BYPASS", "larder; fwd=bypass; detail=request-body");
}

#[tokio::test]
async fn a_listener_that_holds_the_body_back_does_not_hang() {
    let listener =
        Listener::to_cluster(MAIN, "origin").wasm(filter(BY_CONTENT).held_heads_stop_bodies());
    let stage = Stage::with_listener(1, listener).await;
    answers_with_the_question(&stage);
    // More than are let go at once.
    let questions: Vec<_> = (0..40).map(|number| format!("question {number}")).collect();
    let requests = questions.iter().map(|question| post(question)).collect();
    let patience = Duration::from_secs(30);
    let answers = tokio::time::timeout(patience, client::send_all(stage.address(), requests))
        .await
        .unwrap();
    for (question, answer) in questions.iter().zip(answers) {
        let answer = answer.unwrap();
        assert_eq!(answer.text(), format!("POST {question}"));
        assert_seen(&answer, "BYPASS", "larder; fwd=bypass; detail=no-body");
    }
    assert_eq!(
        stage.counter("larder_bypassed_total.reason.no-body").await,
        40
    );
    assert_eq!(stage.origin.total(), 40, "each is sent once");
    assert_eq!(x_cache(&stage.send(Request::get("/search")).await), "MISS");
    assert_eq!(x_cache(&stage.send(Request::get("/search")).await), "HIT");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_body_that_begins_too_late_follows_its_head() {
    let stage = echo(BY_CONTENT).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let gate = Gate::closed();
        let steps = [Step::Wait(gate.clone()), Step::Chunk("late".into())];
        let mut client = Client::connect(stage.address(), protocol).await.unwrap();
        let asks = post("").header("content-length", "4").steps(steps);
        let answer = tokio::spawn(async move { client.send(asks).await });
        the_head_is_through(&stage).await;
        gate.open();
        let answer = answer.await.unwrap().unwrap();
        assert_seen(&answer, "BYPASS", "larder; fwd=bypass; detail=no-body");
        assert_eq!(answer.text(), "POST late");
    }
}

#[tokio::test]
async fn grpc_is_never_held() {
    let stage = echo(BY_CONTENT).await;
    let request = Request::new("POST", "/search")
        .header("content-type", "application/grpc")
        .body("q");
    assert_eq!(
        cache_status(&stage.send(request).await),
        "larder; fwd=bypass; detail=grpc"
    );
}
