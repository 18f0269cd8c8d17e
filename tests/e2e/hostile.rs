//! Whatever a client or an origin sends: the request is answered, and the same worker answers the next one.

use larder_harness::client::{Request, raw, raw_status};
use larder_harness::envoy::{Cluster, Envoy};
use larder_harness::origin::{RawOrigin, Reply};
use larder_harness::wait::PATIENCE;

use crate::stage::{CACHE_ALL, MAIN, Stage, cache_status, larder, x_cache};

#[tokio::test]
async fn requests_that_nobody_should_send() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/*", Reply::ok("x"));
    let long = format!("/{}", "a".repeat(20_000));
    let many = "x-a: 1\r\n".repeat(90);
    let ambiguous = "larder; fwd=bypass; detail=ambiguous-path";
    let stored = "larder; fwd=uri-miss; stored";
    // What Envoy itself refuses never comes to Larder; everything else is answered, with a reason.
    #[rustfmt::skip]
    let rows: Vec<(&str, Vec<u8>, Result<&str, u16>)> = vec![
        ("dot segments", head("/a/../b", ""), Ok(ambiguous)),
        ("escaped dot segments", head("/a/%2e%2E/b", ""), Ok(ambiguous)),
        ("a backslash", head("/a\\b", ""), Ok(ambiguous)),
        ("a broken escape", head("/a%zz", ""), Ok(ambiguous)),
        ("an escaped NUL", head("/a%00", ""), Ok(ambiguous)),
        ("an over-long target", head(&long, ""), Ok("larder; fwd=bypass; detail=key-invalid")),
        ("many fields", head("/many", &many), Ok(stored)),
        ("bytes over 0x7f in a field", with_bytes("/field", b"x-odd: \xff\xfe\x80\r\n"), Ok(stored)),
        ("bytes over 0x7f in the target", with_target(b"/\xff\xfe"), Err(400)),
        ("a control byte in the target", with_target(b"/a\x01b"), Err(400)),
        ("a fragment", head("/a#b", ""), Err(400)),
        ("conflicting hosts", head("/hosts", "host: other.example.com\r\n"), Ok("larder; fwd=bypass; detail=key-invalid")),
        ("conflicting lengths", head("/lengths", "content-length: 1\r\ncontent-length: 2\r\n"), Err(400)),
        ("repeated cache-control", head("/cc", "cache-control: no-cache\r\ncache-control: max-age=0, \"\r\n"), Ok(stored)),
        ("an unfinished quoted string", head("/quoted", "if-none-match: \"abc\r\n"), Ok(stored)),
        ("half an authorization", head("/auth", "authorization: Bearer\r\n"), Ok("larder; fwd=uri-miss; detail=authorization")),
        ("numbers too large", head("/big", "cache-control: max-age=99999999999999999999\r\n"), Ok(stored)),
    ];
    for (name, bytes, expected) in rows {
        let reply = raw(stage.address(), &bytes, PATIENCE).await.unwrap();
        let status = raw_status(&reply);
        match expected {
            Err(refused) => assert_eq!(status, Some(refused), "{name}"),
            Ok(cache_status) => {
                let head = String::from_utf8_lossy(&reply);
                assert_eq!(status, Some(200), "{name}");
                assert!(
                    head.contains(&format!("cache-status: {cache_status}\r\n")),
                    "{name}: {head}"
                );
            }
        }
        stage.assert_unharmed().await;
    }
}

#[tokio::test]
async fn paths_that_could_be_read_two_ways_are_not_cached() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/*", Reply::ok("x"));
    for path in ["/a/../b", "/a/%2e%2e/b", "/./a", "/a%zz", "/a%5c..%5cb%"] {
        let answer = stage.get(path).await;
        assert_eq!(
            cache_status(&answer),
            "larder; fwd=bypass; detail=ambiguous-path",
            "{path}"
        );
    }
    let long = format!("/long?{}", "x".repeat(5_000));
    assert_eq!(
        cache_status(&stage.get(&long).await),
        "larder; fwd=bypass; detail=key-invalid"
    );
}

#[tokio::test]
async fn no_spelling_of_a_path_slips_past_a_rule_that_forbids_caching() {
    let configuration = r#"{"rules":[{"name":"never","match":{"path":"/api/chat/.*"},"cache":false},
        {"name":"api","match":{"path":"/api/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on("/*", Reply::ok("of one user"));
    for path in ["/api//chat/1", "/api;x/chat/1", "/api%2fchat/1"] {
        let answer = stage.get(path).await;
        assert_eq!(
            cache_status(&answer),
            "larder; fwd=bypass; detail=ambiguous-path",
            "{path}"
        );
    }
    assert_eq!(
        cache_status(&stage.get("/api/a//b;c").await),
        "larder; fwd=uri-miss; stored"
    );
}

#[tokio::test]
async fn a_get_with_a_body_is_not_answered_from_the_cache() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/fat", Reply::ok("x"));
    stage.get("/fat").await;
    let fat = stage.send(Request::get("/fat").body("other=answer")).await;
    assert_eq!(
        cache_status(&fat),
        "larder; fwd=bypass; detail=request-body"
    );
}

#[tokio::test]
async fn grpc_passes() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/doc", Reply::ok("text"));
    stage.get("/doc").await;
    let grpc = Request::get("/doc").header("content-type", "application/grpc");
    assert_eq!(
        cache_status(&stage.send(grpc).await),
        "larder; fwd=bypass; detail=grpc"
    );
}

#[tokio::test]
async fn responses_that_nobody_should_send() {
    let heads: Vec<(&str, Vec<u8>)> = vec![
        (
            "an age that overflows",
            response(b"age: 18446744073709551616\r\ncache-control: max-age=60\r\n"),
        ),
        (
            "a negative age",
            response(b"age: -1\r\ncache-control: max-age=60\r\n"),
        ),
        (
            "directives without end",
            response(b"cache-control: max-age=\"60, private=\"x\r\n"),
        ),
        (
            "bytes over 0x7f",
            response(b"cache-control: max-age=60\r\netag: \"\xff\xfe\"\r\nvary: \xff\r\n"),
        ),
        (
            "commas only",
            response(b"cache-control: ,,,, ,\r\nvary: ,,\r\n"),
        ),
        (
            "dates of nonsense",
            response(b"date: \x80\r\nexpires: 0\r\nlast-modified: tomorrow\r\n"),
        ),
        (
            "a vary of a hundred fields",
            response(
                format!(
                    "vary: {}\r\n",
                    (0..100).map(|n| format!("x-{n},")).collect::<String>()
                )
                .as_bytes(),
            ),
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_vec(),
        ),
        (
            "a chunk that lies",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\nx".to_vec(),
        ),
        ("nothing", Vec::new()),
        ("no HTTP", b"\x00\x01\x02\x03".to_vec()),
        (
            "an informational end",
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec(),
        ),
    ];
    for (name, bytes) in heads {
        let origin = RawOrigin::start(bytes).await.unwrap();
        let envoy = Envoy::builder()
            .cluster(Cluster::new("origin", origin.address()))
            .listener(larder(CACHE_ALL))
            .start()
            .await
            .unwrap();
        for _ in 0..2 {
            // A reset half-way is an answer too; what counts is the worker.
            let _ = raw(envoy.address(MAIN), &head("/hostile", ""), PATIENCE).await;
        }
        let stats = envoy.stats().await.unwrap();
        assert!(
            stats
                .iter()
                .all(|(stat, value)| !stat.contains("vm_reload") || *value == 0),
            "{name}"
        );
        // Asked for nothing but what is stored, the same worker answers without the origin.
        let alive = Request::get("/next").header("cache-control", "only-if-cached");
        let answer = larder_harness::client::send(envoy.address(MAIN), alive)
            .await
            .unwrap();
        assert_eq!(
            cache_status(&answer),
            "larder; detail=only-if-cached",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_response_cannot_speak_for_the_cache() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on(
        "/liar",
        Reply::ok("x")
            .header("x-cache", "HIT")
            .header("x-cache-age", "99")
            .header("cache-status", "cdn; hit"),
    );
    let first = stage.get("/liar").await;
    assert_eq!(x_cache(&first), "MISS");
    assert_eq!(first.header("x-cache-age"), None);
    let hit = stage.get("/liar").await;
    assert_eq!(x_cache(&hit), "HIT");
    let statuses: Vec<_> = hit
        .headers
        .all("cache-status")
        .map(String::from_utf8_lossy)
        .collect();
    assert!(
        statuses
            .join(", ")
            .starts_with("cdn; hit, larder; hit; ttl="),
        "{statuses:?}"
    );
}

fn head(target: &str, fields: &str) -> Vec<u8> {
    with_bytes(target, fields.as_bytes())
}

fn with_bytes(target: &str, fields: &[u8]) -> Vec<u8> {
    let start = format!("GET {target} HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n");
    [start.as_bytes(), fields, b"\r\n"].concat()
}

fn with_target(target: &[u8]) -> Vec<u8> {
    [
        b"GET ",
        target,
        b" HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n\r\n",
    ]
    .concat()
}

fn response(fields: &[u8]) -> Vec<u8> {
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n".as_slice(),
        fields,
        b"\r\nx",
    ]
    .concat()
}
