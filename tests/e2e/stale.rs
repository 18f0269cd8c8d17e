//! What is stale and given all the same: in place of a failure, or while it is made fresh.

mod refreshed;

use larder_harness::Port;
use larder_harness::client::{self, Answer, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener};
use larder_harness::origin::{Gate, Origin, RawOrigin, Reply};
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::json;

use crate::stage::{BY_ORIGIN, MAIN, Stage, cache_status, filter, larder, x_cache};

/// A minute too old, and of use for an hour if the origin fails.
fn old(body: &str) -> Reply {
    Reply::ok(body.to_owned())
        .header("cache-control", "max-age=60, stale-if-error=3600")
        .header("age", "120")
        .header("content-type", "text/plain")
}

#[tokio::test]
async fn a_failure_of_the_origin_is_answered_with_what_is_stale() {
    for workers in [1, 2] {
        let stage = Stage::with_workers(workers, BY_ORIGIN).await;
        for (path, reply) in [
            ("/bare", old("kept")),
            ("/tagged", old("kept").header("etag", "\"1\"")),
        ] {
            stage.origin.on(path, reply);
            assert_eq!(x_cache(&stage.get(path).await), "MISS");
            for status in [500, 502, 503, 504] {
                stage.origin.on(path, Reply::new(status, "broken"));
                let answer = stage.get(path).await;
                assert_eq!(
                    (answer.status, answer.text().as_str(), x_cache(&answer)),
                    (200, "kept", "STALE"),
                    "{answer:?}"
                );
                let said = format!("larder; fwd=stale; fwd-status={status}; ttl=-6");
                assert!(cache_status(&answer).starts_with(&said), "{answer:?}");
                assert!(
                    cache_status(&answer).ends_with("; detail=sie"),
                    "{answer:?}"
                );
                assert_eq!(answer.header("content-type"), Some("text/plain"));
                assert!(answer.header("age").is_some());
            }
            stage.origin.on(path, Reply::new(503, ""));
            assert_eq!(
                stage.get(path).await.text(),
                "kept",
                "a failure without a body"
            );
            stage.origin.on(path, Reply::new(404, "gone"));
            let answer = stage.get(path).await;
            assert_eq!((answer.status, x_cache(&answer)), (404, "MISS"));
        }
        stage.assert_unharmed().await;
    }
}

/// What is stored stands behind every listener of a process that has the same configuration.
async fn get_at(envoy: &Envoy, listener: &str, path: &str) -> Answer {
    let request = Request::get(path).authority("api.example.com");
    client::send(envoy.address(listener), request)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_origin_that_cannot_be_asked_is_stood_in_for() {
    let (origin, silent) = (
        Origin::start().await.unwrap(),
        Origin::start().await.unwrap(),
    );
    let closing = RawOrigin::start("").await.unwrap();
    let nowhere = Port::reserve().unwrap(); // nobody listens there, and nobody else is given it
    let refusing = nowhere.address();
    let never = Gate::closed();
    silent.on("/doc", Reply::ok("too late").behind(&never));
    let nobody = json!({"load_assignment": {"cluster_name": "nobody"}});
    let full = json!({"circuit_breakers": {"thresholds": [{"max_requests": 0, "max_pending_requests": 0}]}});
    let to = |cluster: &str| Listener::to_cluster(cluster, cluster).wasm(filter(BY_ORIGIN));
    let envoy = Envoy::builder()
        .workers(1)
        .cluster(Cluster::new("origin", origin.address()))
        .cluster(Cluster::new("refusing", refusing))
        .cluster(Cluster::new("closing", closing.address()))
        .cluster(Cluster::new("silent", silent.address()))
        .cluster(Cluster::new("nobody", refusing).members(nobody))
        .cluster(Cluster::new("full", origin.address()).members(full))
        .listener(larder(BY_ORIGIN))
        .listener(to("refusing"))
        .listener(to("closing"))
        .listener(to("silent").route_action(json!({"timeout": "0.1s"})))
        .listener(to("nobody"))
        .listener(to("full"))
        .start()
        .await
        .unwrap();
    origin.on("/doc", old("kept").header("etag", "\"1\""));
    assert_eq!(x_cache(&get_at(&envoy, MAIN, "/doc").await), "MISS");
    for failing in ["refusing", "closing", "silent", "nobody", "full"] {
        let bare = get_at(&envoy, failing, "/other").await;
        assert!(
            bare.status >= 500 || failing == "silent",
            "{failing}: {bare:?}"
        );
        let answer = get_at(&envoy, failing, "/doc").await;
        assert_eq!(
            (answer.status, answer.text().as_str(), x_cache(&answer)),
            (200, "kept", "STALE"),
            "{failing}: {answer:?}"
        );
        assert!(
            cache_status(&answer).starts_with("larder; fwd=stale; ttl=-6"),
            "nothing was said: {answer:?}"
        );
    }
    assert_eq!(origin.count("/doc"), 1);
}

/// A rule that lets everything be given stale for an hour.
const BY_RULE: &str =
    r#"{"rules":[{"name":"all","match":{"path":"/.*"},"stale_while_revalidate_seconds":3600}]}"#;

#[tokio::test]
async fn who_still_reads_warnings_is_warned() {
    let stage = Stage::start(r#"{"headers":{"warning":true}}"#).await;
    stage.origin.on("/a", old("kept"));
    assert_eq!(stage.get("/a").await.header("warning"), None);
    stage.origin.on("/a", Reply::new(503, "broken"));
    let answer = stage.get("/a").await;
    assert_eq!(
        (x_cache(&answer), answer.text().as_str()),
        ("STALE", "kept")
    );
    assert_eq!(
        answer.header("warning"),
        Some("110 - \"Response is Stale\", 111 - \"Revalidation Failed\"")
    );
}

#[tokio::test]
async fn what_must_be_asked_about_is_never_given_stale() {
    for directive in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let stage = Stage::start(BY_RULE).await;
        let said =
            format!("max-age=60, stale-if-error=3600, stale-while-revalidate=3600, {directive}");
        let reply = Reply::ok("old")
            .header("cache-control", said)
            .header("age", "120")
            .header("etag", "\"1\"");
        stage.origin.on("/doc", reply);
        stage.get("/doc").await;
        stage.origin.on("/doc", Reply::new(503, "broken"));
        let answer = stage.get("/doc").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (503, "broken"),
            "{directive}"
        );
        stage.origin.on("/doc", Reply::ok("new"));
        assert_eq!(stage.get("/doc").await.text(), "new", "{directive}");
    }
}

#[tokio::test]
async fn an_origin_that_counts_as_failed_is_left_alone_until_it_answers_again() {
    let configuration = r#"{"breaker":{"min_requests":5},"stale_if_error_seconds":3600}"#;
    let stage = Stage::start(configuration).await;
    let aged = |body: &str| {
        Reply::ok(body.to_owned())
            .header("cache-control", "max-age=60")
            .header("age", "120")
            .header("etag", "\"1\"")
    };
    stage.origin.on("/doc", aged("old"));
    stage.get("/doc").await;
    stage.origin.on("/doc", Reply::new(503, "broken"));
    for _ in 0..5 {
        let answer = stage.get("/doc").await;
        assert_eq!(
            (x_cache(&answer), answer.text().as_str()),
            ("STALE", "old"),
            "{answer:?}"
        );
    }
    let asked = stage.origin.count("/doc");
    for _ in 0..5 {
        let answer = stage.get("/doc").await;
        assert!(
            cache_status(&answer).ends_with("; detail=breaker-open"),
            "{answer:?}"
        );
    }
    assert_eq!(stage.origin.count("/doc"), asked);
    assert_eq!(
        stage
            .counter("larder_breaker_changes_total.state.open")
            .await,
        1
    );
    stage.origin.on(
        "/doc",
        Reply::ok("new").header("cache-control", "max-age=60"),
    );
    eventually("a try", PATIENCE, async || {
        stage.get("/doc").await.text() == "new"
    })
    .await;
    assert_eq!(
        stage
            .counter("larder_breaker_changes_total.state.closed")
            .await,
        1
    );
    stage.assert_unharmed().await;
}
