//! What `envoy/envoy.yaml` lets through, as HTTP asks for it: needs Envoy (`make tools`) and the module (`make wasm`).
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::net::SocketAddr;

use larder_harness::client::{Client, Protocol, Request, raw};
use larder_harness::envoy::Envoy;
use larder_harness::origin::{Origin, RawOrigin, Reply, Step};
use larder_harness::wait::PATIENCE;
use larder_harness::{template, tools};

/// The sample as it is, in front of this origin.
async fn sample(origin: SocketAddr) -> (Envoy, SocketAddr) {
    let directory = tools::checkout().join("envoy");
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let values = [
        ("LARDER_ADMIN_PORT", "0".to_owned()),
        ("LARDER_ADDRESS", "127.0.0.1".to_owned()),
        ("LARDER_PORT", "0".to_owned()),
        (
            "LARDER_WASM",
            tools::module().unwrap().display().to_string(),
        ),
        ("LARDER_CONFIG", read("larder.json")),
        ("ORIGIN_ADDRESS", origin.ip().to_string()),
        ("ORIGIN_PORT", origin.port().to_string()),
    ];
    let text = template::render(&read("envoy.yaml"), &values).unwrap();
    let (envoy, _) = Envoy::from_yaml(&text, 1).await.unwrap();
    let address = envoy.address("api");
    (envoy, address)
}

#[tokio::test]
async fn early_hints_reach_the_client() {
    let reply = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let origin = RawOrigin::start(reply).await.unwrap();
    let (_envoy, address) = sample(origin.address()).await;
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let reply = raw(address, ask, PATIENCE).await.unwrap();
    assert!(
        reply.starts_with(b"HTTP/1.1 103 "),
        "{}",
        String::from_utf8_lossy(&reply)
    );
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let origin = Origin::start().await.unwrap();
    let trailers = vec![("x-checksum".to_owned(), "1".to_owned())];
    let reply = Reply::steps([Step::Chunk("body".into()), Step::Trailers(trailers)]);
    origin.on("/trailers", reply);
    let (_envoy, address) = sample(origin.address()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect(address, protocol).await.unwrap();
        let ask = Request::get("/trailers").header("te", "trailers");
        let answer = client.send(ask).await.unwrap();
        assert_eq!(answer.trailers.one("x-checksum"), Some("1"), "{protocol:?}");
    }
}

#[tokio::test]
async fn methods_of_every_kind_reach_the_origin() {
    let origin = Origin::start().await.unwrap();
    origin.on("/any", Reply::ok("done"));
    let (_envoy, address) = sample(origin.address()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for method in [
            "GET", "OPTIONS", "PURGE", "BAN", "QUERY", "PROPFIND", "X-OWN",
        ] {
            let mut client = Client::connect(address, protocol).await.unwrap();
            // Envoy answers a QUERY without content-type 400, as RFC 10008 section 2 asks of servers.
            let ask = Request::new(method, "/any").header("content-type", "text/plain");
            let answer = client.send(ask.body("what")).await.unwrap();
            assert_eq!(answer.status, 200, "{protocol:?} {method}");
            let seen = origin.requests().pop().unwrap();
            assert_eq!(
                (seen.method.as_str(), &seen.body[..]),
                (method, &b"what"[..])
            );
        }
    }
}
