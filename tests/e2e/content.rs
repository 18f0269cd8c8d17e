//! Requests that ask by their content: POST and QUERY.

mod held;

use larder_harness::client::{Answer, Client, Protocol, Request};
use larder_harness::origin::{Reply, Step};

use crate::stage::{MAIN, Stage, assert_seen, larder, x_cache};

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
