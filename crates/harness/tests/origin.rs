//! Origins against the client: what is scripted is what arrives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::origin::{Gate, Origin, RawOrigin, Reply, Step};
use larder_harness::wait::{self, PATIENCE};

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

#[tokio::test]
async fn answers_as_scripted_and_keeps_a_log() {
    let origin = Origin::start().await.unwrap();
    origin.on(
        "/a",
        Reply::new(203, "body")
            .header("x-a", "1")
            .header("x-a", "2"),
    );
    origin.on("/tree/*", Reply::ok("leaf"));
    for protocol in BOTH {
        let mut client = Client::connect(origin.address(), protocol).await.unwrap();
        let answer = client
            .send(Request::get("/a?q=1").header("x-asks", b"\xff"))
            .await
            .unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (203, "body"));
        assert_eq!(answer.headers.all("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(answer.header("content-length"), Some("4"));
        assert!(answer.header("date").is_some());
        assert_eq!(client.get("/tree/x").await.unwrap().text(), "leaf");
        assert_eq!(client.get("/other").await.unwrap().status, 404);
        let posted = Request::new("POST", "/tree/y").body("sent");
        assert_eq!(client.send(posted).await.unwrap().status, 200);
    }
    assert_eq!((origin.count("/a"), origin.total()), (2, 8));
    let seen = origin.requests();
    assert_eq!(seen[0].path, "/a?q=1");
    assert_eq!(seen[0].headers.all("x-asks").next(), Some(&b"\xff"[..]));
    assert_eq!(
        (seen[3].method.as_str(), &seen[3].body[..]),
        ("POST", &b"sent"[..])
    );
}

#[tokio::test]
async fn every_answer_has_its_own_stamp() {
    let origin = Origin::start().await.unwrap();
    origin.on("/a", Reply::ok(""));
    let one = client::get(origin.address(), "/a").await.unwrap();
    let two = client::get(origin.address(), "/a").await.unwrap();
    assert_ne!(one.header("x-origin-stamp"), two.header("x-origin-stamp"));
}

#[tokio::test]
async fn a_body_in_many_chunks_arrives_whole_with_its_trailers() {
    let origin = Origin::start().await.unwrap();
    let chunk = |text: &'static str| Step::Chunk(text.into());
    let trailers = Step::Trailers(vec![("x-sum".to_owned(), "7".to_owned())]);
    origin.on(
        "/a",
        Reply::steps([chunk("one "), chunk("two "), chunk("three"), trailers]),
    );
    origin.on("/b", Reply::chunked(&[7; 1000], 10));
    for protocol in BOTH {
        let mut client = Client::connect(origin.address(), protocol).await.unwrap();
        let answer = client
            .send(Request::get("/a").header("te", "trailers"))
            .await
            .unwrap();
        assert_eq!(answer.text(), "one two three");
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.trailers.one("x-sum"), Some("7"));
        assert_eq!(client.get("/b").await.unwrap().body, vec![7; 1000]);
    }
}

#[tokio::test]
async fn an_origin_that_dies_sends_what_it_had_and_breaks_off() {
    let origin = Origin::start().await.unwrap();
    origin.on("/a", Reply::dies_after("half", 8));
    for protocol in BOTH {
        let client = Client::connect(origin.address(), protocol).await.unwrap();
        assert_eq!(
            client.abort_after(Request::get("/a"), 4).await.unwrap(),
            b"half"
        );
        let mut client = Client::connect(origin.address(), protocol).await.unwrap();
        assert!(client.get("/a").await.is_err());
    }
}

#[tokio::test]
async fn a_gate_holds_the_answer_until_it_is_opened() {
    let origin = Origin::start().await.unwrap();
    let (head, tail) = (Gate::closed(), Gate::closed());
    let steps = [
        Step::Chunk("a".into()),
        Step::Wait(tail.clone()),
        Step::Chunk("b".into()),
    ];
    origin.on("/a", Reply::steps(steps).behind(&head));
    let address = origin.address();
    let asking = tokio::spawn(async move { client::get(address, "/a").await });
    wait::eventually("the request arrives", PATIENCE, async || {
        origin.count("/a") == 1
    })
    .await;
    assert!(!asking.is_finished());
    head.open();
    let client = Client::connect(address, Protocol::Http1).await.unwrap();
    assert_eq!(
        client.abort_after(Request::get("/a"), 1).await.unwrap(),
        b"a"
    );
    assert!(!asking.is_finished());
    tail.open();
    assert_eq!(asking.await.unwrap().unwrap().text(), "ab");
}

#[tokio::test]
async fn raw_bytes_go_both_ways() {
    let origin = RawOrigin::start("HTTP/1.1 200 OK\r\nx: \x01\r\n\r\nodd")
        .await
        .unwrap();
    let reply = client::raw(origin.address(), b"GET \x80 HTTP/1.1\r\n\r\n", PATIENCE)
        .await
        .unwrap();
    assert!(reply.ends_with(b"\x01\r\n\r\nodd"));
    assert_eq!(client::raw_status(&reply), Some(200));
    assert_eq!(client::raw_status(b"odd"), None);
}

#[tokio::test]
async fn a_server_that_keeps_silent_is_given_up() {
    let origin = Origin::start().await.unwrap();
    let gate = Gate::closed();
    origin.on("/a", Reply::ok("").behind(&gate));
    let patience = Duration::from_millis(20);
    let request = b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let reply = client::raw(origin.address(), request, patience).await;
    assert!(matches!(reply, Err(client::ClientError::Unanswered(_))));
}
