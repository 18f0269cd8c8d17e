//! Requests that ask by their content: POST and QUERY.

use std::time::Duration;

use larder_harness::client::{self, Answer, Client, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::{MAIN, Stage, assert_seen, cache_status, filter, larder, pattern, x_cache};

const BY_CONTENT: &str = r#"{
    "rules": [{"name": "search", "match": {"path": "/search.*", "methods": ["GET", "HEAD", "POST", "QUERY"]}, "ttl_seconds": 60,
               "key": {"body": true}, "hold_headers": true}],
    "limits": {"max_key_bytes": 16384}
}"#;

const MISS: (&str, &str) = ("MISS", "larder; fwd=uri-miss; stored");

fn ask(method: &str, body: &str) -> Request {
    Request::new(method, "/search")
        .header("content-type", "application/json")
        .authority("api.example.com")
        .body(body.to_owned())
}

fn post(body: &str) -> Request {
    ask("POST", body)
}

/// An origin that answers with what it was asked.
async fn echo(configuration: &str) -> Stage {
    let stage = Stage::start(configuration).await;
    answers_with_the_question(&stage);
    stage
}

fn answers_with_the_question(stage: &Stage) {
    stage.origin.on_call("/search", |request| {
        let text = [request.method.as_bytes(), b" ", &request.body].concat();
        Reply::ok(text).header("etag", "\"1\"")
    });
}

fn seen(answer: &Answer) -> (&str, String) {
    (x_cache(answer), answer.text())
}

fn hit(text: &str) -> (&'static str, String) {
    ("HIT", text.to_owned())
}

/// Waits until the origin has a request's head.
async fn the_head_is_through(stage: &Stage) {
    eventually("the origin has the head", PATIENCE, async || {
        let active = stage.envoy.stat("cluster.origin.upstream_rq_active").await;
        active.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn a_post_is_answered_by_its_content() {
    let stage = echo(BY_CONTENT).await;
    let one = r#"{"query":"{ user(id: 1) { name } }"}"#;
    let other = r#"{"query":"{ user(id: 2) { name } }"}"#;
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    assert_seen(&client.send(post(one)).await.unwrap(), MISS.0, MISS.1);
    let answer = client.send(post(one)).await.unwrap();
    assert_eq!(seen(&answer), hit(&format!("POST {one}")));
    let answer = client.send(post(other)).await.unwrap();
    assert_seen(&answer, MISS.0, MISS.1);
    assert_eq!(answer.text(), format!("POST {other}"));
    let untyped = Request::new("POST", "/search").body(one);
    assert_eq!(x_cache(&stage.send(untyped).await), "MISS");
    let answer = client.send(post(one)).await.unwrap();
    assert_eq!(
        seen(&answer),
        hit(&format!("POST {one}")),
        "on the same connection"
    );
    let bodies: Vec<_> = stage.origin.requests();
    assert_eq!(bodies.len(), 3);
    assert_eq!(
        (&bodies[0].body[..], &bodies[1].body[..]),
        (one.as_bytes(), other.as_bytes())
    );
    assert_eq!(bodies[0].header("content-length"), Some("36"));
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn methods_do_not_share_answers() {
    let stage = echo(BY_CONTENT).await;
    let questions = ["GET", "POST", "QUERY"].map(|method| [(method, "q"), (method, "")]);
    for (method, body) in questions.as_flattened() {
        let answer = stage.send(ask(method, body)).await;
        assert_seen(&answer, MISS.0, MISS.1);
    }
    for (method, body) in questions.as_flattened() {
        let answer = stage.send(ask(method, body)).await;
        assert_eq!(seen(&answer), hit(&format!("{method} {body}")));
    }
    assert_eq!(stage.origin.total(), 6);
}

fn pieces(body: &[u8], size: usize) -> Vec<Step> {
    let piece = |piece: &[u8]| Step::Chunk(piece.to_vec().into());
    body.chunks(size).map(piece).collect()
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
async fn http_2_asks_as_well() {
    let stage = echo(BY_CONTENT).await;
    let mut client = Client::connect(stage.address(), Protocol::Http2)
        .await
        .unwrap();
    let pieces = ["one", "", " two"].map(|piece| Step::Chunk(piece.into()));
    let asks = ask("QUERY", "").header("content-length", "7").steps(pieces);
    let answer = client.send(asks).await.unwrap();
    assert_seen(&answer, MISS.0, MISS.1);
    let answer = client.send(ask("QUERY", "one two")).await.unwrap();
    assert_eq!(seen(&answer), hit("QUERY one two"));
    let answer = stage.send(ask("QUERY", "one two")).await;
    assert_eq!(seen(&answer), hit("QUERY one two"), "over HTTP/1.1");
}

#[tokio::test]
async fn what_one_worker_asked_another_answers() {
    let stage = Stage::with_workers(2, BY_CONTENT).await;
    answers_with_the_question(&stage);
    let envoy = &stage.envoy;
    let connect = async |worker| envoy.connect_to_worker(MAIN, worker, Protocol::Http1).await;
    let mut first = connect(0).await.unwrap();
    let mut second = connect(1).await.unwrap();
    assert_eq!(x_cache(&first.send(post("q")).await.unwrap()), "MISS");
    assert_eq!(seen(&second.send(post("q")).await.unwrap()), hit("POST q"));
    assert_eq!(seen(&first.send(post("q")).await.unwrap()), hit("POST q"));
}

#[tokio::test]
async fn a_query_that_must_be_confirmed_is_asked_about() {
    let stage = Stage::start(BY_CONTENT).await;
    stage.origin.on_call("/search", |request| {
        let reply = match request.header("if-none-match") {
            Some("\"1\"") => Reply::new(304, ""),
            Some(_) | None => Reply::ok(request.body.clone()),
        };
        reply
            .header("etag", "\"1\"")
            .header("cache-control", "no-cache")
    });
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect(stage.address(), protocol).await.unwrap();
        let body = format!("{protocol:?}");
        let answer = client.send(ask("QUERY", &body)).await.unwrap();
        assert_eq!(seen(&answer), ("MISS", body.clone()));
        let answer = client.send(ask("QUERY", &body)).await.unwrap();
        assert_eq!(seen(&answer), ("REVALIDATED", body.clone()));
        let received = stage.origin.requests().pop().unwrap();
        assert_eq!(received.body, body, "the question goes along");
        let conditional = ask("QUERY", &body).header("if-none-match", "\"1\"");
        assert_eq!(client.send(conditional).await.unwrap().status, 304);
    }
    assert_eq!(x_cache(&stage.send(post("q")).await), "MISS");
    assert_eq!(
        x_cache(&stage.send(post("q")).await),
        "MISS",
        "a POST is not conditional"
    );
}

#[tokio::test]
async fn only_if_cached_is_obeyed() {
    let stage = echo(BY_CONTENT).await;
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let only = || ask("QUERY", "q").header("cache-control", "only-if-cached");
    let answer = client.send(only()).await.unwrap();
    assert_eq!((answer.status, stage.origin.total()), (504, 0));
    client.send(ask("QUERY", "q")).await.unwrap();
    assert_eq!(seen(&client.send(only()).await.unwrap()), hit("QUERY q"));
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

#[tokio::test]
async fn other_rules_leave_bodies_alone() {
    let config = r#"{"rules": [{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 60}]}"#;
    let stage = Stage::with_listener(1, larder(config)).await;
    answers_with_the_question(&stage);
    for _ in 0..2 {
        let answer = stage.send(post("q")).await;
        assert_seen(&answer, "BYPASS", "larder; fwd=method");
        let answer = stage.send(ask("GET", "q")).await;
        assert_seen(&answer, "BYPASS", "larder; fwd=bypass; detail=request-body");
    }
}

#[tokio::test]
async fn a_post_that_asks_is_no_write_and_a_put_is() {
    let stage = echo(BY_CONTENT).await;
    let get = || Request::get("/search");
    for asks in [
        get(),
        post("q"),
        post("other"),
        post("").steps(pieces(b"chunked", 7)),
    ] {
        stage.send(asks).await;
    }
    assert_eq!(seen(&stage.send(get()).await), hit("GET "));
    assert_eq!(seen(&stage.send(post("q")).await), hit("POST q"));
    stage.send(ask("PUT", "q")).await;
    assert_ne!(x_cache(&stage.send(get()).await), "HIT");
    assert_ne!(x_cache(&stage.send(post("q")).await), "HIT");
}
