//! One client never sees what is another's.

use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, HttpFilter, Listener};
use larder_harness::origin::{Origin, Received, Reply};
use serde_json::json;

use crate::stage::{BY_ORIGIN, CACHE_ALL, MAIN, Stage, cache_status, filter, larder, x_cache};

#[tokio::test]
async fn what_is_not_for_everybody_is_not_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    let rows = [
        ("/cookie", "set-cookie", "sid=1", "set-cookie"),
        ("/private", "cache-control", "private", "private"),
        (
            "/private-field",
            "cache-control",
            "private=\"content-type\"",
            "private",
        ),
        ("/no-store", "cache-control", "no-store", "no-store"),
        (
            "/shouted",
            "cache-control",
            "max-age=60, NO-STORE",
            "no-store",
        ),
        ("/no-cache", "cache-control", "no-cache", "no-cache"),
    ];
    for (path, name, value, reason) in rows {
        stage.origin.on(path, Reply::ok("mine").header(name, value));
        for _ in 0..2 {
            let answer = stage.get(path).await;
            assert_eq!(
                cache_status(&answer),
                format!("larder; fwd=uri-miss; detail={reason}"),
                "{path}"
            );
        }
        assert_eq!(stage.origin.count(path), 2, "{path}");
    }
}

#[tokio::test]
async fn what_is_about_who_asked_is_not_stored() {
    let stage = Stage::start(BY_ORIGIN).await;
    for status in [428, 429, 431, 511] {
        let path = format!("/{status}");
        let refusal = Reply::new(status, "not you").header("cache-control", "max-age=60");
        stage.origin.on(&path, refusal);
        stage.get(&path).await;
        stage.origin.on(&path, Reply::ok("for you"));
        assert_eq!(stage.get(&path).await.text(), "for you", "{status}");
    }
}

#[tokio::test]
async fn answers_to_requests_with_credentials_are_not_shared() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/account", Reply::ok("account of alice"));
    let alice = || Request::get("/account").header("authorization", "Bearer alice");
    for _ in 0..2 {
        assert_eq!(
            cache_status(&stage.send(alice()).await),
            "larder; fwd=uri-miss; detail=authorization"
        );
    }
    let bob = stage
        .send(Request::get("/account").header("authorization", "Bearer bob"))
        .await;
    assert_eq!(x_cache(&bob), "MISS");
    assert_eq!(stage.origin.count("/account"), 3);
}

#[tokio::test]
async fn an_origin_may_allow_sharing_what_needed_credentials() {
    let stage = Stage::start(BY_ORIGIN).await;
    for (path, directives) in [
        ("/public", "public, max-age=60"),
        ("/s-maxage", "s-maxage=60"),
        ("/must-revalidate", "max-age=60, must-revalidate"),
    ] {
        stage.origin.on(
            path,
            Reply::ok("for all").header("cache-control", directives),
        );
        let ask = |who: &str| Request::get(path).header("authorization", format!("Bearer {who}"));
        assert_eq!(x_cache(&stage.send(ask("alice")).await), "MISS", "{path}");
        assert_eq!(x_cache(&stage.send(ask("bob")).await), "HIT", "{path}");
    }
}

/// Answers with whom it believes the request to be from: the bearer token, or the trusted header.
fn who(request: &Received) -> Reply {
    let token = request.header("authorization").unwrap_or("nobody");
    let user = request.header("x-user-id").unwrap_or("nobody");
    Reply::ok(format!("token {token}, header {user}"))
}

#[tokio::test]
async fn a_forged_identity_header_opens_nobodys_entry() {
    let configuration = r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,
        "identity":{"header":"x-user-id"}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/me", who);
    let ask = |user: &str, token: &str| {
        Request::get("/me")
            .header("x-user-id", user)
            .header("authorization", format!("Bearer {token}"))
    };
    assert_eq!(x_cache(&stage.send(ask("alice", "a-secret")).await), "MISS");
    assert_eq!(x_cache(&stage.send(ask("alice", "a-secret")).await), "HIT");
    let forged = stage.send(ask("alice", "mallory")).await;
    assert_eq!(
        (x_cache(&forged), forged.text().as_str()),
        ("MISS", "token Bearer mallory, header alice")
    );
    let bare = stage
        .send(Request::get("/me").header("x-user-id", "alice"))
        .await;
    assert_eq!(
        cache_status(&bare),
        "larder; fwd=bypass; detail=identity-invalid",
        "a name without any proof"
    );
    let answer = stage.send(ask("alice", "a-secret")).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
}

#[tokio::test]
async fn a_trusted_identity_header_keeps_users_apart() {
    let configuration = r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,
        "identity":{"header":"x-user-id","trusted":true}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/me", who);
    let ask = |user: &str, token: &str| {
        Request::get("/me")
            .header("x-user-id", user)
            .header("authorization", format!("Bearer {token}"))
    };
    assert_eq!(x_cache(&stage.send(ask("alice", "monday")).await), "MISS");
    assert_eq!(
        x_cache(&stage.send(ask("alice", "tuesday")).await),
        "HIT",
        "a new token of the same user"
    );
    assert_eq!(x_cache(&stage.send(ask("bob", "monday")).await), "MISS");
    let twice = Request::get("/me")
        .header("x-user-id", "alice")
        .header("x-user-id", "bob");
    let answer = stage.send(twice).await;
    assert_eq!(
        cache_status(&answer),
        "larder; fwd=bypass; detail=identity-invalid"
    );
}

/// `{"sub":"alice"}` between a header and a signature that nobody checks.
const ALICE: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmVk";
const FORGED_ALICE: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.Zm9yZ2Vk";

#[tokio::test]
async fn a_token_with_anothers_claim_opens_nobodys_entry() {
    let configuration = r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,
        "identity":{"jwt_claim":"sub"}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/me", who);
    let ask = |token: &str| Request::get("/me").header("authorization", token);
    assert_eq!(x_cache(&stage.send(ask(ALICE)).await), "MISS");
    assert_eq!(x_cache(&stage.send(ask(ALICE)).await), "HIT");
    assert_eq!(x_cache(&stage.send(ask(FORGED_ALICE)).await), "MISS");
    for nonsense in [
        "Bearer x",
        "Bearer a.!!!.c",
        "Bearer a.eyJzdWIiOltdfQ.c",
        "Bearer ..",
        "Bearer ",
    ] {
        let answer = stage.send(ask(nonsense)).await;
        assert_eq!(
            cache_status(&answer),
            "larder; fwd=bypass; detail=identity-invalid",
            "{nonsense}"
        );
    }
}

#[tokio::test]
async fn a_session_cookie_keeps_users_apart() {
    let configuration = r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,
        "identity":{"cookie":"sid"}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/me", who);
    let ask = |cookie: &str| Request::get("/me").header("cookie", cookie);
    assert_eq!(x_cache(&stage.send(ask("sid=1; theme=dark")).await), "MISS");
    assert_eq!(x_cache(&stage.send(ask("theme=light; sid=1")).await), "HIT");
    assert_eq!(x_cache(&stage.send(ask("sid=2")).await), "MISS");
    assert_eq!(
        x_cache(&stage.get("/me").await),
        "MISS",
        "nobody in particular"
    );
}

#[tokio::test]
async fn cookies_are_stripped_or_kept_only_when_the_operator_says_so() {
    for (mode, cookie) in [("strip", None), ("store", Some("sid=1"))] {
        let configuration = format!(
            r#"{{"set_cookie":"{mode}","rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":60}}]}}"#
        );
        let stage = Stage::start(&configuration).await;
        stage
            .origin
            .on("/page", Reply::ok("x").header("set-cookie", "sid=1"));
        let first = stage.get("/page").await;
        assert_eq!(
            first.header("set-cookie"),
            Some("sid=1"),
            "whoever caused the miss gets what the origin sent"
        );
        let hit = stage.get("/page").await;
        assert_eq!(
            (x_cache(&hit), hit.header("set-cookie")),
            ("HIT", cookie),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn what_the_proxy_itself_answers_is_not_stored() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let origin_gone = {
        let stage = Stage::start(configuration).await;
        let Stage { origin, envoy } = stage;
        drop(origin);
        envoy
    };
    let address = origin_gone.address(MAIN);
    for _ in 0..2 {
        let answer = client::get(address, "/anything").await.unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(
            cache_status(&answer),
            "larder; fwd=uri-miss; detail=local-reply"
        );
    }
}

#[tokio::test]
async fn conditions_on_the_response_are_obeyed() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "store_if":{"status":[200],"response_header":{"x-cacheable":"yes"},"json":{"pointer":"/cacheable","equals":true}}}]}"#;
    let stage = Stage::start(configuration).await;
    let yes = |body: &str| Reply::ok(body.to_owned()).header("x-cacheable", "yes");
    stage.origin.on("/good", yes(r#"{"cacheable":true}"#));
    stage.origin.on("/bad-body", yes(r#"{"cacheable":false}"#));
    stage.origin.on("/no-json", yes("<html>"));
    stage.origin.on("/deep", yes(&"[".repeat(100_000)));
    stage.origin.on(
        "/bad-header",
        Reply::ok(r#"{"cacheable":true}"#).header("x-cacheable", "no"),
    );
    stage
        .origin
        .on("/bad-status", yes(r#"{"cacheable":true}"#).status(203));
    for (path, second) in [
        ("/good", "HIT"),
        ("/bad-body", "MISS"),
        ("/no-json", "MISS"),
        ("/deep", "MISS"),
        ("/bad-header", "MISS"),
        ("/bad-status", "MISS"),
    ] {
        assert_eq!(x_cache(&stage.get(path).await), "MISS", "{path}");
        assert_eq!(x_cache(&stage.get(path).await), second, "{path}");
    }
    assert_eq!(
        stage
            .counter("larder_not_stored_total.reason.store-if")
            .await,
        10
    );
}

#[tokio::test]
async fn an_identity_that_another_filter_established_keeps_users_apart() {
    let configuration = r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,
        "identity":{"metadata":["who","sub"],"trusted":true}}]}"#;
    let login = json!({"name": "envoy.filters.http.header_to_metadata", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
        "request_rules": [{
            "header": "x-login",
            "on_header_present": {"metadata_namespace": "who", "key": "sub", "type": "STRING"},
            "remove": true,
        }],
    }});
    let listener = Listener::to_cluster(MAIN, "origin")
        .filter(HttpFilter::Json(login))
        .wasm(filter(configuration));
    let stage = Stage::with_listener(1, listener).await;
    stage.origin.on("/me", Reply::ok("whoever it was"));
    let ask = |who: &str| Request::get("/me").header("x-login", who);
    assert_eq!(x_cache(&stage.send(ask("alice")).await), "MISS");
    assert_eq!(x_cache(&stage.send(ask("alice")).await), "HIT");
    assert_eq!(x_cache(&stage.send(ask("bob")).await), "MISS");
    assert_eq!(
        x_cache(&stage.get("/me").await),
        "MISS",
        "nobody in particular"
    );
}

#[tokio::test]
async fn caches_of_different_vm_ids_share_nothing_and_count_apart() {
    let other = Listener::to_cluster("other", "origin").wasm(filter(CACHE_ALL).vm_id("other"));
    let origin = Origin::start().await.unwrap();
    origin.on("/doc", Reply::ok("text"));
    let envoy = Envoy::builder()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(larder(CACHE_ALL))
        .listener(other)
        .start()
        .await
        .unwrap();
    let ask = async |listener: &str| {
        let request = Request::get("/doc").authority("api.example.com");
        let answer = client::send(envoy.address(listener), request)
            .await
            .unwrap();
        x_cache(&answer).to_owned()
    };
    assert_eq!(ask(MAIN).await, "MISS");
    assert_eq!(ask(MAIN).await, "HIT");
    let bytes = async |vm_id: &str| {
        let name = format!("wasmcustom.larder_bytes.vm_id.{vm_id}");
        envoy.stat(&name).await.unwrap()
    };
    assert!(bytes("larder").await > 0);
    assert_eq!(bytes("other").await, 0);
    assert_eq!(ask("other").await, "MISS");
    assert_eq!(
        bytes("larder").await,
        bytes("other").await,
        "the same entry, once in each"
    );
}
