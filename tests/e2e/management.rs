//! The management API: who is let in, what is refused, and that nothing of it reaches the origin.

use std::fs;

use larder_harness::client::{self, Answer, Client, Protocol, Request};
use larder_harness::envoy::{Listener, Wasm};
use larder_harness::origin::{Reply, Step};
use serde_json::Value;

use crate::stage::{MAIN, Stage, filter};

/// The token.
pub const TOKEN: &str = "correct-horse-battery-staple";

/// The token as the password of a URL (`printf x:$TOKEN | base64`).
const PASSWORD: &str = "Basic eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl";

/// Everything is cached, and there is a management API.
pub const MANAGED: &str =
    r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}],"management":{}}"#;

/// A filter that has the token.
pub fn managed(configuration: &str) -> Wasm {
    filter(configuration).environment("LARDER_TOKEN", TOKEN)
}

/// A listener with this filter alone.
pub fn listener(wasm: Wasm) -> Listener {
    Listener::to_cluster(MAIN, "origin").wasm(wasm)
}

/// So many workers with this filter.
pub async fn stage_of(workers: usize, wasm: Wasm) -> Stage {
    Stage::with_listener(workers, listener(wasm)).await
}

/// So many workers with a management API.
pub async fn stage(workers: usize) -> Stage {
    Stage::with_listener(workers, listener(managed(MANAGED))).await
}

/// A call with the token.
pub fn call(method: &str, path: &str) -> Request {
    Request::new(method, path)
        .authority("api.example.com")
        .header("authorization", format!("Bearer {TOKEN}"))
}

/// The body of an answer.
pub fn json(answer: &Answer) -> Value {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The code of a refusal.
#[track_caller]
pub fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-cache"), None, "{answer:?}");
    let error = &json(answer)["error"];
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.len() > 5, "{answer:?}");
    error["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_call_that_is_refused_is_refused_here() {
    let stage = stage(1).await;
    let plain = |method: &str, path: &str| Request::new(method, path).authority("api.example.com");
    for (request, status, code) in [
        (plain("GET", "/api/cache/stats"), 401, "unauthorized"),
        (plain("GET", "/api/cache/nothing"), 401, "unauthorized"),
        (plain("PURGE", "/a"), 401, "unauthorized"),
        (
            plain("BAN", "/a").header("x-ban-url", ".*"),
            401,
            "unauthorized",
        ),
        (
            plain("POST", "/api/cache/invalidate").body("{}"),
            401,
            "unauthorized",
        ),
        (call("GET", "/api/cache"), 404, "not_found"),
        (call("GET", "/api/cache/nothing"), 404, "not_found"),
        (call("GET", "/api/cache/../x"), 404, "not_found"),
        (call("GET", "//api//cache/stats"), 404, "not_found"),
        (call("GET", "/api/%63ache/stats"), 404, "not_found"),
        (call("POST", "/api/cache/stats"), 405, "method_not_allowed"),
        (call("HEAD2", "/api/cache/stats"), 405, "method_not_allowed"),
        (
            call("GET", "/api/cache/invalidate/tag/a"),
            405,
            "method_not_allowed",
        ),
        (call("GET", "/api/cache/stats?a=b"), 400, "bad_request"),
        (
            call("POST", "/api/cache/invalidate/pattern"),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate/pattern?pattern=regex:("),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate/tag/a?mode=hart"),
            400,
            "bad_request",
        ),
        (call("POST", "/api/cache/invalidate"), 400, "bad_request"),
        (
            call("POST", "/api/cache/invalidate").body("{"),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate").body("\u{0}\u{1}"),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate").body(vec![0xff; 10]),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate").body(r#"{"tag":["a"]}"#),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate").body("[".repeat(100_000)),
            400,
            "bad_request",
        ),
        (
            call("POST", "/api/cache/invalidate").body(vec![b' '; 300_000]),
            413,
            "too_large",
        ),
        (call("BAN", "/"), 400, "bad_request"),
        (
            call("PURGE", "/").header("surrogate-key", " "),
            400,
            "bad_request",
        ),
    ] {
        let shown = format!("{request:?}");
        let answer = client::send(stage.address(), request).await.unwrap();
        assert_eq!(refused(&answer, status), code, "{shown:.200} {answer:?}");
    }
    let answer = stage.send(call("POST", "/api/cache/config")).await;
    assert_eq!(answer.header("allow"), Some("GET, PUT, DELETE"));
    let answer = stage.get("/api/cache/stats").await;
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer")
    );
    assert_eq!(stage.origin.total(), 0, "{:?}", stage.origin.requests());
    stage.assert_unharmed().await;
}

/// A body whose length nobody announces is counted as it comes.
#[tokio::test]
async fn an_endless_body_is_cut_short() {
    let stage = stage(1).await;
    let piece = || Step::Chunk(vec![b' '; 40_000].into());
    let request = call("POST", "/api/cache/invalidate").steps((0..10).map(|_| piece()));
    let answer = stage.send(request).await;
    assert_eq!(refused(&answer, 413), "too_large");
    let request = call("POST", "/api/cache/invalidate").steps([
        Step::Chunk(br#"{"keys": ["#.as_slice().into()),
        Step::Chunk(br#""GET:api.example.com/a"]}"#.as_slice().into()),
    ]);
    let answer = stage.send(request).await;
    assert_eq!(
        (answer.status, json(&answer)["named"]["keys"].as_u64()),
        (200, Some(1))
    );
    assert_eq!(stage.origin.total(), 0);
}

/// What is invalidated by a call is gone for all workers when the call is answered.
/// A response that was under way when its key was invalidated is not served afterwards.
/// Without the setting that lets bodies come while a head is held, what needs none works, and what does is told why not.
#[tokio::test]
async fn a_listener_that_stops_bodies_is_named() {
    let wasm = managed(MANAGED).held_heads_stop_bodies();
    let stage = Stage::with_listener(1, listener(wasm)).await;
    let answer = stage
        .send(call("POST", "/api/cache/invalidate/key/a"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = stage
        .send(call("POST", "/api/cache/invalidate/key/a").body("{}"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = stage
        .send(call("POST", "/api/cache/invalidate").body(r#"{"tags": ["a"]}"#))
        .await;
    assert_eq!(refused(&answer, 501), "no_body");
    assert!(
        answer.text().contains("allow_on_headers_stop_iteration"),
        "{answer:?}"
    );
    assert_eq!(stage.origin.total(), 0);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn who_guesses_has_to_wait() {
    let stage = stage(1).await;
    let mut guesser = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let guess = |token: &str| {
        Request::get("/api/cache/stats").header("authorization", format!("Bearer {token}"))
    };
    for number in 0..10 {
        let answer = guesser
            .send(guess(&format!("guess{number}")))
            .await
            .unwrap();
        assert_eq!(refused(&answer, 401), "unauthorized", "{number}");
    }
    let answer = guesser.send(guess("guess")).await.unwrap();
    assert_eq!(refused(&answer, 429), "too_many_attempts");
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // An address may be forged, so nobody locks the operator out by it.
    assert_eq!(guesser.send(guess(TOKEN)).await.unwrap().status, 200);
    assert_eq!(stage.origin.total(), 0);
    // Requests that are no calls are nobody's guesses.
    guesser.send(Request::get("/a")).await.unwrap();
    assert_eq!(stage.origin.total(), 1);
}

#[tokio::test]
async fn without_a_token_there_is_no_api() {
    for (wasm, why) in [
        (filter(MANAGED), "not set"),
        (filter(MANAGED).environment("LARDER_TOKEN", ""), "empty"),
        (managed(crate::stage::CACHE_ALL), "not asked for"),
    ] {
        let stage = Stage::with_listener(1, listener(wasm)).await;
        for request in [
            call("GET", "/api/cache/stats"),
            call("PURGE", "/a"),
            call("BAN", "/a"),
        ] {
            let before = stage.origin.total();
            stage.send(request).await;
            assert_eq!(stage.origin.total(), before + 1, "{why}");
        }
        let log = fs::read_to_string(stage.envoy.log()).unwrap();
        assert_eq!(
            log.contains("LARDER_TOKEN"),
            why != "not asked for",
            "{why}"
        );
    }
}

#[tokio::test]
async fn the_token_may_be_given_as_a_digest_and_the_api_has_its_place() {
    let configuration = r#"{"management": {"prefix": "/-/larder", "host": "cache.internal",
        "token_sha256": "87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590"}}"#;
    let stage = Stage::with_listener(1, listener(filter(configuration))).await;
    let right = stage.send(call("PURGE", "/a")).await;
    assert_eq!(right.status, 200, "{right:?}");
    let password = Request::new("PURGE", "/a").header("authorization", PASSWORD);
    assert_eq!(stage.send(password).await.status, 200);
    for (host, path, is_call) in [
        ("cache.internal", "/-/larder/stats", true),
        ("CACHE.internal:80", "/-/larder/stats", true),
        ("api.example.com", "/-/larder/stats", false),
        ("cache.internal", "/api/cache/stats", false),
    ] {
        let before = stage.origin.total();
        let request = Request::get(path).authority(host);
        client::send(stage.address(), request).await.unwrap();
        assert_eq!(stage.origin.total() == before, is_call, "{host}{path}");
    }
}

#[tokio::test]
async fn stats_has_the_fields_that_people_know() {
    let stage = stage(1).await;
    let stats = json(&stage.send(call("GET", "/api/cache/stats")).await);
    assert_eq!(stats["total_entries"], 0, "{stats}");
    stage.origin.on("/a", Reply::ok("body"));
    for _ in 0..4 {
        stage.get("/a").await;
    }
    let answer = stage.send(call("GET", "/api/cache/stats")).await;
    let stats = json(&answer);
    assert_eq!(stats["hit_rate"], "75.0%", "{stats}");
    assert!(stats["total_size_mb"].is_number(), "{stats}");
    assert_eq!(stats["total_entries"], 1, "counted now: {stats}");
    assert_eq!(stats["compression_ratio"], "1.00", "{stats}");
    for (name, expected) in [
        ("larder_management_calls_total.outcome.ok", 2),
        ("larder_management_calls_total.outcome.refused", 0),
        ("larder_management_auth_failures_total", 0),
    ] {
        assert_eq!(stage.counter(name).await, expected, "{name}");
    }
}

/// Nothing that somebody sends to open the door is in the log, nor what was asked for.
#[tokio::test]
async fn the_log_has_no_secrets() {
    let stage = stage(1).await;
    stage
        .send(call("POST", "/api/cache/invalidate/key/private-key"))
        .await;
    let wrong = Request::get("/api/cache/stats").header("authorization", "Bearer wrong-guess");
    stage.send(wrong).await;
    stage
        .send(call("POST", "/api/cache/invalidate").body(r#"{"tags": [private-tag]}"#))
        .await;
    let log = fs::read_to_string(stage.envoy.log()).unwrap();
    for secret in [TOKEN, "wrong-guess", "private-key", "private-tag"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

/// The seed's own example: what is put at one worker holds for the next request at the other.
/// "PURGE answers 200 with counts, also for nothing."
/// The calls that the quick start's readers know, as they stand there.
/// Every path there is, asked in every wrong way: a clear answer, and nothing for the origin.
#[tokio::test]
async fn every_path_is_guarded() {
    const PATHS: [(&str, &str); 17] = [
        ("/stats", "GET"),
        ("/performance", "GET"),
        ("/config", "GET, PUT, DELETE"),
        ("/invalidate", "POST"),
        ("/invalidate/key/GET:api.example.com/a?b", "POST"),
        ("/invalidate/key/a%2Fb%3F", "POST"),
        ("/invalidate/tag/a%3Ab", "POST"),
        ("/invalidate/pattern?pattern=%2Fa%2F*", "POST"),
        ("/invalidations/0000000000000000", "GET"),
        ("/entries", "GET"),
        ("/entries/a", "GET, PUT, DELETE"),
        ("/entries/%2Fa%00", "GET, PUT, DELETE"),
        ("/users/a", "DELETE"),
        ("/users/receipts/a", "GET"),
        ("/warm", "POST"),
        ("/warm/a", "GET"),
        ("/explain", "POST"),
    ];
    let stage = stage(1).await;
    let mut client = Client::connect(stage.address(), Protocol::Http2)
        .await
        .unwrap();
    for (path, allowed) in PATHS {
        let path = format!("/api/cache{path}");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let closed = Request::new(method, &path).authority("api.example.com");
            let answer = client.send(closed).await.unwrap();
            assert_eq!(refused(&answer, 401), "unauthorized", "{method} {path}");
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            let answer = client.send(call(method, &path)).await.unwrap();
            assert_eq!(
                refused(&answer, 405),
                "method_not_allowed",
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    for (method, path) in [
        ("POST", "/invalidate"),
        ("PUT", "/config"),
        ("POST", "/explain"),
    ] {
        let path = format!("/api/cache{path}");
        for body in [
            "",
            "{",
            "[]",
            "\"x\"",
            "{\"nothing\": 1}",
            "\u{0}",
            "{\"a\": 1e999}",
        ] {
            let answer = client.send(call(method, &path).body(body)).await.unwrap();
            assert_eq!(
                refused(&answer, 400),
                "bad_request",
                "{method} {path} {body}"
            );
        }
        let huge = vec![b'x'; (256 << 10) + 1];
        let answer = client.send(call(method, &path).body(huge)).await.unwrap();
        assert_eq!(refused(&answer, 413), "too_large", "{method} {path}");
    }
    let huge = call("PUT", "/api/cache/entries//a").body(vec![b'x'; (1 << 20) + 1]);
    assert_eq!(refused(&client.send(huge).await.unwrap(), 413), "too_large");
    assert_eq!(stage.origin.total(), 0, "{:?}", stage.origin.requests());
    stage.assert_unharmed().await;
}
