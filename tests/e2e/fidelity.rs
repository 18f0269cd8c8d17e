//! What a client sees of a stored response is what it saw of the origin's: the same fields, lines, order and bytes, over
//! HTTP/1.1 and HTTP/2.

use std::time::SystemTime;

use larder_core::time::{Timestamp, format_http_date};
use larder_harness::client::{Answer, Client, Protocol, Request, raw};
use larder_harness::envoy::{Cluster, Envoy};
use larder_harness::origin::{RawOrigin, Reply, Step};
use larder_harness::wait::PATIENCE;

use crate::stage::{BY_ORIGIN, CACHE_ALL, MAIN, Stage, assert_same_fields, larder, lines, x_cache};

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

async fn send(stage: &Stage, protocol: Protocol, request: Request) -> Answer {
    let mut client = Client::connect(stage.address(), protocol).await.unwrap();
    client
        .send(request.authority("api.example.com"))
        .await
        .unwrap()
}

fn ago(seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    format_http_date(Timestamp::from_secs(now.as_secs() - seconds))
}

#[tokio::test]
async fn every_line_comes_back_as_it_came() {
    let stage = Stage::start(r#"{"set_cookie":"store"}"#).await;
    let date = ago(30);
    let reply = Reply::ok("body")
        .header("date", &date)
        .header("age", "5")
        .header("cache-control", "max-age=600")
        .header("cache-control", "public")
        .header("etag", "W/\"v1\"")
        .header("last-modified", ago(3600))
        .header("expires", ago(7200))
        .header("content-type", "text/html;charset=\"UTF-8\"")
        .header("content-language", "de, en")
        .header("content-location", "/doc.en")
        .header("link", "</b>; rel=next")
        .header("link", "</a>, </c>")
        .header("link", "</b>; rel=next")
        .header("set-cookie", "a=1; Expires=Sun, 06 Nov 2094 08:49:37 GMT")
        .header("set-cookie", "b=2")
        .header("vary", "accept")
        .header("vary", "X-Never, accept")
        .header("warning", "199 - \"one\"")
        .header("warning", "299 - \"two\"")
        .header("x-many", "2")
        .header("x-many", "")
        .header("x-many", "1")
        .header("x-empty", "")
        .header("x-latin", b"caf\xe9 \xff")
        .header("x-tab", "a\tb  c")
        .header("x-list", "a,,b ,")
        .header("access-control-allow-origin", "*")
        .header("strict-transport-security", "max-age=1");
    for first in PROTOCOLS {
        let path = format!("/doc/{first:?}");
        stage.origin.on(&path, reply.clone());
        let miss = send(&stage, first, Request::get(&path)).await;
        assert_eq!(
            (x_cache(&miss), miss.header("date")),
            ("MISS", Some(date.as_str()))
        );
        assert_eq!(
            lines(&miss, "link"),
            ["</b>; rel=next", "</a>, </c>", "</b>; rel=next"]
        );
        assert_eq!(lines(&miss, "x-many"), ["2", "", "1"]);
        assert_eq!(lines(&miss, "set-cookie").len(), 2);
        assert_eq!(
            miss.headers.all("x-latin").next(),
            Some(&b"caf\xe9 \xff"[..])
        );
        for then in PROTOCOLS {
            for method in ["GET", "HEAD"] {
                let hit = send(&stage, then, Request::new(method, &path)).await;
                assert_eq!((hit.status, x_cache(&hit)), (200, "HIT"));
                assert_same_fields(&miss, &hit, &[]);
                let age: u64 = hit.header("age").unwrap().parse().unwrap();
                assert!(
                    (30..40).contains(&age),
                    "by its Date it was 30 seconds old: {age}"
                );
                if method == "GET" {
                    assert_eq!(hit.body, miss.body);
                }
            }
        }
    }
    assert_eq!(stage.origin.total(), 2);
    assert_eq!(stage.counter("larder_inspected_replies_total").await, 0);
}

#[tokio::test]
async fn the_age_an_origin_gives_counts() {
    let stage = Stage::start(BY_ORIGIN).await;
    let reply = Reply::ok("body").header("cache-control", "max-age=600");
    stage.origin.on("/old", reply.header("age", "100"));
    let miss = stage.get("/old").await;
    assert_eq!(miss.header("age"), Some("100"));
    let age = stage
        .get("/old")
        .await
        .header("age")
        .unwrap()
        .parse::<u64>();
    assert!((100..110).contains(&age.unwrap()));
}

#[tokio::test]
async fn other_statuses_come_back_as_they_came() {
    let stage = Stage::start(BY_ORIGIN).await;
    for status in [
        200, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414, 451, 500, 501,
    ] {
        for (kind, body) in [("full", "a body"), ("empty", "")] {
            let body = if status == 204 { "" } else { body };
            let path = format!("/{status}/{kind}");
            let reply = Reply::new(status, body)
                .header("cache-control", "max-age=600")
                .header("etag", "\"v1\"")
                .header("location", "/elsewhere")
                .header("content-type", "a/b");
            stage.origin.on(&path, reply);
            for protocol in PROTOCOLS {
                let answer = send(&stage, protocol, Request::get(&path)).await;
                let first = send(&stage, Protocol::Http1, Request::get(&path)).await;
                assert_eq!((answer.status, answer.text().as_str()), (status, body));
                assert_eq!(x_cache(&first), "HIT", "{path}");
                assert_same_fields(&answer, &first, &[]);
            }
        }
    }
}

#[tokio::test]
async fn trailers_pass_and_are_not_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    for protocol in PROTOCOLS {
        let path = format!("/trailers/{protocol:?}");
        let trailers = [("x-checksum", "1"), ("x-many", "a"), ("x-many", "b")];
        let trailers = trailers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reply = Reply::steps([
            Step::Chunk("body".into()),
            Step::Trailers(trailers.to_vec()),
        ]);
        stage.origin.on(&path, reply.header("etag", "\"v1\""));
        let ask = || Request::get(&path).header("te", "trailers");
        let miss = send(&stage, protocol, ask()).await;
        assert_eq!((x_cache(&miss), miss.text().as_str()), ("MISS", "body"));
        let checksum: Vec<_> = miss.trailers.all("x-checksum").collect();
        assert_eq!(checksum, [b"1"], "{protocol:?}");
        // Envoy has no trailers on a filter's reply.
        let hit = send(&stage, protocol, ask()).await;
        assert_eq!((x_cache(&hit), hit.text().as_str()), ("HIT", "body"));
        assert!(hit.trailers.0.is_empty());
        assert_eq!(
            hit.header("trailer"),
            None,
            "what does not come is not announced"
        );
        assert_same_fields(
            &miss,
            &hit,
            &["content-length", "trailer", "transfer-encoding"],
        );
    }
}

#[tokio::test]
async fn early_hints_pass_and_are_not_stored() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\netag: \"v1\"\r\nx-final: 1\r\ncontent-length: 4\r\n\r\nbody";
    let origin = RawOrigin::start(format!("{hints}{answer}")).await.unwrap();
    let envoy = Envoy::builder()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(larder(CACHE_ALL));
    let envoy = envoy.start().await.unwrap();
    let address = envoy.address(MAIN);
    let ask = b"GET /hinted HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let text = |reply: Vec<u8>| String::from_utf8(reply).unwrap().to_ascii_lowercase();
    let miss = text(raw(address, ask, PATIENCE).await.unwrap());
    assert!(
        miss.starts_with("http/1.1 103 unknown\r\nlink: </style.css>"),
        "{miss}"
    );
    assert!(
        miss.contains("\r\n\r\nhttp/1.1 200 ok\r\n") && miss.contains("x-cache: miss"),
        "{miss}"
    );
    let hit = text(raw(address, ask, PATIENCE).await.unwrap());
    assert!(
        hit.starts_with("http/1.1 200 ok\r\n") && hit.contains("x-cache: hit"),
        "{hit}"
    );
    assert!(!hit.contains("link:"), "{hit}");
    for (protocol, word) in [(Protocol::Http2, "MISS"), (Protocol::Http2, "HIT")] {
        let mut client = Client::connect(address, protocol).await.unwrap();
        let answer = client.get("/hinted-too").await.unwrap();
        assert_eq!((answer.status, x_cache(&answer)), (200, word));
        assert_eq!(
            (answer.header("link"), answer.header("x-final")),
            (None, Some("1"))
        );
    }
}
