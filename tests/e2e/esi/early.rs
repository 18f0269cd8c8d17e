//! Clients and origins that speak at the same time: pages whose requests are not over when they begin.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use larder_harness::envoy::{Cluster, Envoy};

use super::ESI;
use super::heads::held;
use crate::stage::{MAIN, larder};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";

/// Reads until that has come, and gives what came with it.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await.unwrap_or(0) {
            0 => break,
            size => read.extend_from_slice(piece.get(..size).unwrap_or_default()),
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Answers with half a template before the request's body has come, and with the rest behind it.
async fn converse(mut stream: TcpStream) {
    let head = until(&mut stream, "\r\n\r\n").await;
    let answer = match head.starts_with("GET /a") {
        true => format!("{HEAD}content-length: 1\r\n\r\nA"),
        false => {
            let begun = format!("{HEAD}transfer-encoding: chunked\r\n\r\n1\r\n<\r\n");
            stream.write_all(begun.as_bytes()).await.unwrap();
            until(&mut stream, "the end").await;
            let rest = "<esi:include src=\"/a\"/>>";
            format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len())
        }
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

async fn conversing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_comes_before_the_requests_body_does_not_stop_that() {
    for rules in [ESI, &held()] {
        let envoy = Envoy::builder()
            .cluster(Cluster::new("origin", conversing().await))
            .listener(larder(rules))
            .start()
            .await
            .unwrap();
        let mut client = TcpStream::connect(envoy.address(MAIN)).await.unwrap();
        let head = "POST /page HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 17\r\n\r\nbegins, ";
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = async {
            until(&mut client, "\r\n\r\n").await;
            client.write_all(b"  the end").await.unwrap();
            until(&mut client, "0\r\n\r\n").await
        };
        let answer = timeout(Duration::from_secs(10), answer).await;
        let page = answer.expect("the request's body does not come through");
        assert!(page.contains("<A>"), "{page}");
    }
}
