//! What should not be said between Envoys and the service, and what comes of it: a clear error, a number that grows, and never
//! a wrong answer.

use larder_harness::admin::{self, Admin};
use larder_harness::client::{Answer, Request};
use larder_harness::fleet::{Fleet, Plan};
use larder_harness::origin::{Origin, Reply};
use larder_harness::valkey;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::{Value, json};

use super::{DOCS, Version, get, settle, shown, start};
use crate::stage::{pattern, x_cache};

/// Each Envoy answers as if there were no fleet: it keeps what it has fetched, and forgets it when it is told.
async fn assert_alone(fleet: &Fleet, version: &Version) {
    for envoy in 0..fleet.envoys.len() {
        let mut client = fleet.client(envoy).await;
        settle(&mut client, "/doc").await;
        for _ in 0..3 {
            let new = version.raise();
            // It holds here, and is not said to be durable.
            let purge = fleet.send(envoy, admin::call("PURGE", "/doc")).await;
            assert_eq!(purge.status, 202, "{purge:?}");
            let answer = client.send(get("/doc")).await.unwrap();
            assert_eq!(shown(&answer), new, "{answer:?}");
            settle(&mut client, "/doc").await;
        }
        let stats = fleet.envoys[envoy].stats().await.unwrap();
        for (name, value) in stats.iter().filter(|(name, _)| name.contains("vm_reload")) {
            assert_eq!(*value, 0, "{name}");
        }
    }
}

async fn start_unmet(plan: Plan) -> Fleet {
    let fleet = plan.start_unmet().await;
    fleet.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_secret_is_alone() {
    let fleet =
        start_unmet(Fleet::plan(DOCS).secret("another-secret-than-that-of-the-service")).await;
    let version = Version::at(&fleet.origin, "/doc");
    assert_alone(&fleet, &version).await;
    for envoy in 0..2 {
        eventually("it is refused", PATIENCE, async || {
            fleet.told(envoy, "poll", "refused").await > 0
        })
        .await;
    }
}

/// The error of a refusal.
#[track_caller]
fn error(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let text = body["error"].as_str().unwrap_or_else(|| panic!("{body}"));
    assert!(text.len() > 5, "{text}");
    body
}

const DIGEST: &str = "/v1/entries/00112233445566778899aabbccddeeff";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_it_refuses_with_a_word() {
    let service = Admin::over("memory").start().await.unwrap();
    let long = "x".repeat(9 << 20);
    let unlocked = |request: Request| request.header("larder-wire", "1");
    let put = |body: String| admin::wire("PUT", DIGEST).body(body);
    let post = |body: &str| admin::wire("POST", "/v1/invalidations").body(body.to_owned());
    for (name, request, status) in [
        (
            "no secret",
            unlocked(Request::get("/v1/invalidations")),
            401,
        ),
        (
            "a wrong secret",
            unlocked(Request::get("/v1/invalidations")).header("authorization", "Bearer wrong"),
            401,
        ),
        (
            "the token of people",
            unlocked(Request::get("/v1/invalidations"))
                .header("authorization", format!("Bearer {}", admin::TOKEN)),
            401,
        ),
        ("no such thing", admin::wire("GET", "/v1/nothing"), 404),
        ("no JSON", post("nonsense"), 400),
        ("half a document", post(r#"{"wire": 1, "records": ["#), 400),
        (
            "a newer document",
            post(r#"{"wire": 2, "records": []}"#),
            426,
        ),
        ("no digest", admin::wire("GET", "/v1/entries/zz"), 400),
        ("no cursor", put("frame".to_owned()), 400),
        (
            "no frame",
            put("frame".to_owned())
                .header("larder-cursor", "0123456789abcdef.0.00000000")
                .header("larder-keep-ms", "1000"),
            400,
        ),
        (
            "an entry that is too long",
            put(long)
                .header("larder-cursor", "0123456789abcdef.0.00000000")
                .header("larder-keep-ms", "1000"),
            413,
        ),
        (
            "an instance that is none",
            admin::wire("POST", "/v1/instances/x").body("{}"),
            400,
        ),
    ] {
        let answer = service.send(request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        error(&answer, status);
    }
    let newer = Request::get("/v1/invalidations")
        .header("authorization", format!("Bearer {}", admin::SECRET))
        .header("larder-wire", "2");
    let answer = service.send(newer).await.unwrap();
    assert_eq!(error(&answer, 426)["wire"], 1);
    assert_eq!(
        service.send(Request::get("/readyz")).await.unwrap().status,
        200
    );
}

/// Somebody who answers every request of the protocol with this.
async fn impostor(reply: Reply) -> Origin {
    let impostor = Origin::start().await.unwrap();
    impostor.on("/readyz", Reply::ok("ready"));
    impostor.on("/v1/*", reply);
    impostor
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_a_later_version_is_left_alone() {
    let newer = json!({"error": "wire version 1 is not spoken here", "wire": 2}).to_string();
    let newer = Reply::new(426, newer).header("larder-wire", "2");
    let service = impostor(newer).await;
    let plan = Fleet::plan(DOCS).admins(0).instead(service.address());
    let fleet = start_unmet(plan).await;
    let version = Version::at(&fleet.origin, "/doc");
    assert_alone(&fleet, &version).await;
    eventually("it is counted", PATIENCE, async || {
        fleet.told(0, "poll", "version").await > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_talks_nonsense_is_left_alone() {
    let garbage = pattern(100_000);
    let spoken = |reply: Reply| reply.header("larder-wire", "1");
    for (name, reply) in [
        ("bytes", spoken(Reply::ok(garbage.clone()))),
        ("nothing", spoken(Reply::ok(""))),
        ("an array", spoken(Reply::ok("[[[[[[[[[[[[[[[["))),
        ("too much", spoken(Reply::ok("x".repeat(8 << 20)))),
        (
            "half of it",
            spoken(Reply::dies_after("{\"wire\": 1", 1000)),
        ),
        (
            "a cursor that is none",
            spoken(Reply::ok(
                r#"{"wire": 1, "cursor": "no", "reset": false, "more": true, "waited_ms": 0, "records": []}"#,
            )),
        ),
        ("an error", Reply::new(500, "oh")),
    ] {
        let service = impostor(reply).await;
        let plan = Fleet::plan(DOCS)
            .admins(0)
            .envoys(1)
            .instead(service.address());
        let fleet = start_unmet(plan).await;
        let version = Version::at(&fleet.origin, "/doc");
        assert_alone(&fleet, &version).await;
        eventually(name, PATIENCE, async || {
            let counters = fleet.counters(0).await;
            counters.iter().any(|(name, count)| {
                name.contains("fleet_ops") && !name.contains("result.ok") && *count > 0
            })
        })
        .await;
    }
}

/// What an Envoy shares may be longer than the service takes, and than a reader may hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_too_long_to_be_shared_is_cached_all_the_same() {
    let large = r#"{"limits": {"max_object_bytes": 16777216, "capture_bytes": 67108864},
        "rules": [{"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 600}]}"#;
    let fleet = start(Fleet::plan(large)).await;
    let body = pattern(9 << 20);
    fleet.origin.on("/doc/large", Reply::ok(body.clone()));
    for envoy in 0..2 {
        let mut client = fleet.client(envoy).await;
        settle(&mut client, "/doc/large").await;
        let answer = client.send(get("/doc/large")).await.unwrap();
        assert!(answer.body == body, "Envoy {envoy} gives something else");
    }
    assert_eq!(fleet.origin.count("/doc/large"), 2, "each for itself");
}

/// The keys of entries in the store.
pub(super) async fn entry_keys(fleet: &Fleet) -> Vec<String> {
    let reply = fleet.valkey.command(&["KEYS", "*:e"]).await.unwrap();
    let valkey::Reply::List(keys) = reply else {
        panic!("{reply:?}");
    };
    keys.iter()
        .map(|key| key.text().unwrap().to_owned())
        .collect()
}

/// Somebody has written into the store by hand.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_damaged_in_the_store_is_none() {
    let mut fleet = start(Fleet::plan(DOCS).envoys(1)).await;
    let version = Version::at(&fleet.origin, "/doc");
    for all in [false, true] {
        version.raise();
        assert_eq!(
            fleet.send(0, admin::call("PURGE", "/doc")).await.status,
            200
        );
        let shared = fleet.told(0, "put", "ok").await;
        settle(&mut fleet.client(0).await, "/doc").await;
        eventually("it is shared", PATIENCE, async || {
            fleet.told(0, "put", "ok").await > shared
        })
        .await;
        for key in entry_keys(&fleet).await {
            for field in fields(&fleet, &key).await {
                if all || field == "d" {
                    let damaged = ["HSET", &key, &field, "damaged"];
                    fleet.valkey.command(&damaged).await.unwrap();
                }
            }
        }
        let new = version.raise();
        let late = fleet.add_envoy().await.unwrap();
        fleet.meet().await.unwrap();
        let answer = fleet.get(late, "/doc").await;
        assert_eq!((shown(&answer), x_cache(&answer)), (new, "MISS"), "{all}");
    }
}

/// What an entry in the store has; its frame is `d`.
async fn fields(fleet: &Fleet, key: &str) -> Vec<String> {
    let reply = fleet.valkey.command(&["HKEYS", key]).await.unwrap();
    let valkey::Reply::List(fields) = reply else {
        panic!("{reply:?}");
    };
    let texts = fields.iter().map(|field| field.text().unwrap().to_owned());
    texts.collect()
}
