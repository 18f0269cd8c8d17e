//! Who is let in, with what, and how it ends.

use larder_admin::server::Ending;
use larder_admin::store::{Bounds, Store};
use larder_harness::client::{Client, Protocol, Request};
use larder_harness::origin::{Gate, Step};
use larder_harness::wait::PATIENCE;
use serde_json::json as value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{Replica, SECRET, field, frame, json, key, pair, put};

#[tokio::test]
async fn nobody_is_let_in_without_the_secret() {
    let (_store, one, _other) = pair().await;
    for authorization in ["", "Bearer ", "Bearer wrong", "Basic x"] {
        for path in ["/v1/invalidations", "/v1/nothing", "/v1/instances"] {
            let request = Request::get(path).header("authorization", authorization);
            let answer = one.send(request).await;
            assert_eq!(answer.status, 401, "{path} {authorization}");
            assert_eq!(field(&answer, "larder-wire"), Some("1"));
            let error = json(&answer)["error"].to_string();
            assert!(error.contains("needs the secret"), "{error}");
        }
    }
    let counted = one.get("/metrics").await;
    let text = String::from_utf8(counted.body.to_vec()).unwrap();
    let line = "larder_admin_auth_failures_total{what=\"secret\"} 12";
    assert!(text.lines().any(|shown| shown == line), "{text}");
}

#[tokio::test]
async fn a_wire_that_is_not_known_is_said_to_be() {
    let (_store, one, _other) = pair().await;
    for version in ["2", "x", "1.0"] {
        let request = Request::get("/v1/invalidations")
            .header("authorization", format!("Bearer {SECRET}"))
            .header("larder-wire", version);
        let answer = one.send(request).await;
        assert_eq!((answer.status, &json(&answer)["wire"]), (426, &value!(1)));
    }
    let body = value!({"wire": 2, "records": [{"all": true}]}).to_string();
    let request = Request::new("POST", "/v1/invalidations").body(body);
    assert_eq!(one.ask(request).await.status, 426);
    let body = value!({"wire": 2}).to_string();
    let request = Request::new("POST", "/v1/instances/00000000000000aa").body(body);
    assert_eq!(one.ask(request).await.status, 426);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let (_store, one, _other) = pair().await;
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/instances", 405),
        ("POST", "/v1/entries/00", 405),
    ] {
        let answer = one.ask(Request::new(method, path)).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(json(&answer)["error"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &["--max-entry-bytes", "2000"]).await;
    let end = one.end().await;
    let key = key("/p");
    let long = one
        .ask(put(&key, &end, frame(&key, &[], &[b'x'; 3000])))
        .await;
    assert_eq!(long.status, 413, "{long:?}");
    let steps = (0..30).map(|_| Step::Chunk(vec![b'x'; 100].into()));
    let request = Request::new("PUT", &crate::stage::place(&key, ""))
        .header("larder-cursor", &end)
        .header("larder-keep-ms", "1000")
        .steps(steps);
    assert_eq!(one.ask(request).await.status, 413);
    let records = "x".repeat(larder_core::wire::MAX_BYTES + 1);
    let request = Request::new("POST", "/v1/invalidations").body(records);
    assert_eq!(one.ask(request).await.status, 413);
}

#[tokio::test]
async fn a_drain_ends_what_waits_and_lets_nobody_in() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60");
    let waits = async { json(&one.get(&path).await) };
    let drains = async {
        let waiting = "larder_admin_waiting{for=\"invalidations\"} 1";
        larder_harness::wait::eventually("one waits", PATIENCE, async || {
            let shown = one.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        one.service.begin_drain();
    };
    let (answer, ()) = tokio::join!(waits, drains);
    assert_eq!(answer["records"], value!([]));
    assert_eq!(answer["cursor"], end);
    let address = one.address();
    assert_eq!(one.drain().await, Ending::Drained);
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(other.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn too_many_that_wait_are_told_to_come_again() {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &["--max-waiting", "1"]).await;
    let end = one.end().await;
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60");
    let first = one.get(&path);
    let second = async {
        let mut refused = one.get(&path).await;
        while refused.status != 503 {
            refused = one.get(&path).await;
        }
        let text = json(&refused)["error"].to_string();
        one.invalidate(value!({"all": true})).await;
        text
    };
    let (first, text) = tokio::join!(first, second);
    assert_eq!(first.status, 200);
    assert!(text.contains("too many wait"), "{text}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &["--client-timeout-seconds", "1"]).await;
    let gate = Gate::closed();
    let steps = [Step::Chunk("{".into()), Step::Wait(gate.clone())];
    let request = Request::new("POST", "/v1/invalidations").steps(steps);
    let answer = one.ask(request).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    gate.open();
}

/// Whether the other side has closed the connection, once it has said all it has to say.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.is_ok()
}

#[tokio::test]
async fn a_head_that_is_not_whole_in_time_is_not_waited_for() {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &["--client-timeout-seconds", "1"]).await;
    // Nothing at all, and a first line.
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost:"] {
        let mut stream = TcpStream::connect(one.address()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let closed = tokio::time::timeout(PATIENCE, is_closed(&mut stream)).await;
        assert!(closed.is_ok(), "{begun}");
    }
    // Between two requests there is more time, and so there is while one waits.
    let mut client = Client::connect(one.address(), Protocol::Http1)
        .await
        .unwrap();
    let end = one.end().await;
    let path = format!("/v1/invalidations?after={end}&wait_seconds=2");
    for _ in 0..2 {
        let request = Request::get(&path).header("authorization", format!("Bearer {SECRET}"));
        assert_eq!(client.send(request).await.unwrap().status, 200);
    }
}
