//! The management API: what is invalidated or changed is so for every worker when the call is answered.

use larder_harness::client::{self, Protocol, Request};
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait;
use serde_json::Value;

use crate::management::{TOKEN, call, json, listener, managed, refused, stage};
use crate::stage::{MAIN, Stage, x_cache};

#[tokio::test]
async fn what_is_named_is_gone_for_every_worker() {
    let stage = stage(2).await;
    let client = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let [mut caller, mut reader] = [client(0).await.unwrap(), client(1).await.unwrap()];
    stage.origin.on("/a/b", Reply::ok("body"));
    let get = || Request::get("/a/b?c=d").authority("api.example.com");
    for request in [
        call(
            "POST",
            "/api/cache/invalidate/key/GET:api.example.com/a/b?c=d",
        ),
        call(
            "POST",
            "/api/cache/invalidate/key/GET%3Aapi.example.com%2Fa%2Fb%3Fc%3Dd",
        ),
        call("POST", "/api/cache/invalidate/pattern?pattern=/a/*"),
        call(
            "POST",
            "/api/cache/invalidate/pattern?pattern=%2Fa%2F*&mode=soft",
        ),
        call(
            "POST",
            "/api/cache/invalidate/pattern?pattern=regex:/a/b%5C?c=.",
        ),
        call("POST", "/api/cache/invalidate")
            .body(r#"{"urls": ["http://api.example.com/a/b?c=d"]}"#),
        call("POST", "/api/cache/invalidate").body(r#"{"urls": ["/a/b?c=d"], "mode": "soft"}"#),
        call("POST", "/api/cache/invalidate").body(r#"{"keys": ["GET:api.example.com/a/b?c=d"]}"#),
        call("POST", "/api/cache/invalidate").body(r#"{"prefixes": ["GET:api.example.com/a"]}"#),
        call("POST", "/api/cache/invalidate").body(r#"{"patterns": ["*/b*"]}"#),
        call("POST", "/api/cache/invalidate").body(r#"{"all": true}"#),
        call("PURGE", "/a/b?c=d"),
        call("PURGE", "/").header("clear-cache", "true"),
        call("BAN", "/").header("x-ban-url", "^/a/"),
        call("BAN", "/")
            .header("x-url", "^/a/.*$")
            .header("x-host", r"^(www|api)\.example\.com$"),
        call("PURGE", "/.*").header("x-purge-method", "regex"),
    ] {
        let shown = format!("{request:?}");
        for reader in [&mut caller, &mut reader] {
            reader.send(get()).await.unwrap();
            assert_eq!(
                x_cache(&reader.send(get()).await.unwrap()),
                "HIT",
                "{shown}"
            );
        }
        let before = stage.origin.count("/a/b");
        let answer = caller.send(request).await.unwrap();
        assert_eq!(answer.status, 200, "{shown} {answer:?}");
        assert_eq!(json(&answer)["status"], "invalidated", "{answer:?}");
        let read = reader.send(get()).await.unwrap();
        assert_eq!(x_cache(&read), "MISS", "{shown} {read:?}");
        assert_eq!(stage.origin.count("/a/b"), before + 1, "{shown}");
    }
    let others = stage.origin.requests();
    assert!(
        others.iter().all(|one| one.path == "/a/b?c=d"),
        "{others:?}"
    );
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_fill_that_began_before_is_not_served_after() {
    let stage = stage(2).await;
    let gate = Gate::closed();
    stage.origin.on("/slow", Reply::ok("old").behind(&gate));
    let address = stage.address();
    let fill = tokio::spawn(async move {
        client::send(address, Request::get("/slow").authority("api.example.com")).await
    });
    wait::eventually("the origin is asked", wait::PATIENCE, async || {
        stage.origin.count("/slow") == 1
    })
    .await;
    let answer = stage.send(call("PURGE", "/slow")).await;
    assert_eq!(answer.status, 200);
    stage.origin.on("/slow", Reply::ok("new"));
    gate.open();
    assert_eq!(fill.await.unwrap().unwrap().text(), "old");
    assert_eq!(stage.get("/slow").await.text(), "new");
}

#[tokio::test]
async fn a_change_of_the_configuration_holds_for_every_worker_at_once() {
    let configuration =
        r#"{"rules": [{"name": "all", "match": {"path": "/.*"}}], "management": {}}"#;
    let stage = Stage::with_listener(2, listener(managed(configuration))).await;
    stage.origin.on("/doc", Reply::ok("x".repeat(3000)));
    let client = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let [mut caller, mut reader] = [client(0).await.unwrap(), client(1).await.unwrap()];
    let get = || Request::get("/doc").authority("api.example.com");
    for round in 0..20 {
        // Without freshness nothing is stored.
        for client in [&mut caller, &mut reader] {
            client.send(get()).await.unwrap();
            let seen = client.send(get()).await.unwrap();
            assert_eq!(x_cache(&seen), "MISS", "{round} {seen:?}");
        }
        let body = r#"{"default_ttl_seconds": 600, "compression_threshold_bytes": 2048, "enable_compression": true}"#;
        let put = caller
            .send(call("PUT", "/api/cache/config").body(body))
            .await
            .unwrap();
        assert_eq!(put.status, 200, "{put:?}");
        assert_eq!(json(&put)["default_ttl_seconds"], 600);
        assert_eq!(
            json(&put)["configuration"]["compression"]["threshold_bytes"],
            2048
        );
        reader.send(get()).await.unwrap();
        for client in [&mut caller, &mut reader] {
            let seen = client.send(get()).await.unwrap();
            assert_eq!(x_cache(&seen), "HIT", "{round} {seen:?}");
        }
        let shown = reader.send(call("GET", "/api/cache/config")).await.unwrap();
        assert_eq!(json(&shown), json(&put));
        assert!(!shown.text().contains(TOKEN));
        let reset = caller
            .send(call("DELETE", "/api/cache/config"))
            .await
            .unwrap();
        assert_eq!(
            (reset.status, json(&reset)["changed"].as_bool()),
            (200, Some(false))
        );
        caller.send(call("PURGE", "/doc")).await.unwrap();
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_change_is_taken_whole_or_refused_whole() {
    let stage = stage(1).await;
    for (body, problem) in [
        ("", "needs a body"),
        ("nonsense", "expected ident"),
        (
            r#"{"default_ttl": 1}"#,
            "default_ttl: is unknown; did you mean `default_ttl_seconds`?",
        ),
        (
            r#"{"default_ttl_seconds": 600, "limits": {"max_variants": -1}}"#,
            "limits.max_variants: must be",
        ),
        (
            r#"{"storage": {"slots": 8}}"#,
            "storage.slots: cannot be changed",
        ),
        (
            r#"{"management": {"prefix": "/x"}}"#,
            "management: cannot be changed",
        ),
    ] {
        let answer = stage
            .send(call("PUT", "/api/cache/config").body(body))
            .await;
        assert_eq!(refused(&answer, 400), "bad_request");
        let message = json(&answer)["error"]["message"].to_string();
        assert!(message.contains(problem), "{body}: {message}");
    }
    let shown = stage.send(call("GET", "/api/cache/config")).await;
    assert_eq!(json(&shown)["default_ttl_seconds"], Value::Null);
    let rule = r#"{"rules": {"all": {"ttl_seconds": 5}, "more": {"match": {"path": "/more"}, "cache": false}}}"#;
    let answer = stage
        .send(call("PUT", "/api/cache/config").body(rule))
        .await;
    let rules = &json(&answer)["configuration"]["rules"];
    assert_eq!(rules[0]["ttl_seconds"], 5, "{answer:?}");
    assert_eq!(rules[1]["name"], "more", "{answer:?}");
    assert_eq!(stage.origin.total(), 0);
    assert_eq!(
        stage
            .counter("larder_config_reloads_total.result.refused")
            .await,
        6
    );
}

#[tokio::test]
async fn a_purge_of_a_url_says_how_much_that_was() {
    let stage = stage(1).await;
    stage.origin.on("/one", Reply::ok("one"));
    stage.origin.on_call("/varies", |request| {
        let language = request.header("accept-language").unwrap_or("none");
        Reply::ok(language.to_owned()).header("vary", "accept-language")
    });
    stage.get("/one").await;
    for language in ["en", "de", "fr"] {
        let get = Request::get("/varies").header("accept-language", language);
        stage.send(get).await;
    }
    for (path, count) in [("/one", 1), ("/varies", 3), ("/nothing", 0), ("/one", 0)] {
        let answer = stage.send(call("PURGE", path)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(json(&answer)["entries"].as_u64(), Some(count), "{path}");
    }
    let get = Request::get("/varies").header("accept-language", "de");
    assert_eq!(x_cache(&stage.send(get).await), "MISS");
}

#[tokio::test]
async fn the_first_examples_work_as_they_stand() {
    let configuration = r#"{"rules": [{"name": "analytics", "match": {"path": "/api/analytics/.*"}, "ttl_seconds": 300,
        "tags": ["analytics:daily"]}], "management": {}}"#;
    let stage = Stage::with_listener(2, listener(managed(configuration))).await;
    stage.origin.on("/api/analytics/aggregate", Reply::ok("{}"));
    let path = "/api/analytics/aggregate?days=7";
    for request in [
        call(
            "POST",
            "/api/cache/invalidate/key/GET:api.example.com/api/analytics/aggregate?days=7",
        ),
        call("POST", "/api/cache/invalidate/tag/analytics"),
        call("POST", "/api/cache/invalidate/tag/analytics%3Adaily"),
        call(
            "POST",
            "/api/cache/invalidate/pattern?pattern=/api/analytics/*",
        ),
    ] {
        stage.get(path).await;
        assert_eq!(x_cache(&stage.get(path).await), "HIT");
        let shown = format!("{request:?}");
        assert_eq!(stage.send(request).await.status, 200, "{shown}");
        assert_eq!(x_cache(&stage.get(path).await), "MISS", "{shown}");
    }
    let stats = json(&stage.send(call("GET", "/api/cache/stats")).await);
    for field in [
        "total_entries",
        "total_size_mb",
        "hit_rate",
        "compression_ratio",
        "tags_count",
    ] {
        assert!(!stats[field].is_null(), "{field}: {stats}");
    }
    let performance = json(&stage.send(call("GET", "/api/cache/performance")).await);
    for field in ["service_metrics", "middleware_metrics", "recommendations"] {
        assert!(!performance[field].is_null(), "{field}: {performance}");
    }
    let body = r#"{ "default_ttl_seconds": 600, "compression_threshold_bytes": 2048, "enable_compression": true }"#;
    assert_eq!(
        stage
            .send(call("PUT", "/api/cache/config").body(body))
            .await
            .status,
        200
    );
    assert_eq!(stage.origin.count("/api/cache/stats"), 0);
}
