//! What is stale is given while it is made fresh, and before it is stale where it is asked for often.

use larder_harness::Port;
use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener};
use larder_harness::origin::{Gate, Origin, Received, Reply};
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::json;

use crate::management::{call, managed, stage_of};
use crate::stage::{BY_ORIGIN, MAIN, Stage, cache_status, filter, larder, lines, x_cache};

use super::BY_RULE;

/// Stale at once, and of use for an hour while it is made fresh; who has it gets 304.
fn passing(request: &Received, body: &str) -> Reply {
    let tag = format!("\"{body}\"");
    let reply = match request.header("if-none-match") {
        Some(known) if known == tag => Reply::new(304, ""),
        _ => Reply::ok(body.to_owned()),
    };
    reply
        .header("cache-control", "max-age=60, stale-while-revalidate=3600")
        .header("age", "120")
        .header("etag", tag)
}

async fn count_at_least(origin: &Origin, path: &str, count: usize) {
    eventually(
        &format!("{count} requests for {path}"),
        PATIENCE,
        async || origin.count(path) >= count,
    )
    .await;
}

#[tokio::test]
async fn what_is_stale_is_made_fresh_behind_the_clients_back() {
    for workers in [1, 2] {
        for configuration in [BY_ORIGIN, BY_RULE] {
            let stage = Stage::with_workers(workers, configuration).await;
            stage
                .origin
                .on_call("/doc", |request| passing(request, "one"));
            assert_eq!(x_cache(&stage.get("/doc").await), "MISS");
            let gate = Gate::closed();
            let behind = gate.clone();
            stage.origin.on_call("/doc", move |request| {
                passing(request, "one").behind(&behind)
            });
            for _ in 0..10 {
                let answer = stage.get("/doc").await; // nobody waits: the origin does not answer
                assert_eq!(
                    (x_cache(&answer), answer.text().as_str()),
                    ("STALE", "one"),
                    "{answer:?}"
                );
                assert!(
                    cache_status(&answer).ends_with("; detail=swr"),
                    "{answer:?}"
                );
            }
            count_at_least(&stage.origin, "/doc", 2).await;
            assert_eq!(stage.origin.count("/doc"), 2, "one refresh at a time");
            let asked = stage.origin.requests().pop().unwrap();
            assert_eq!(asked.header("if-none-match"), Some("\"one\""));
            gate.open();
            let bg = "larder_origin_fetches_total.class.bg.result.confirmed";
            eventually("a confirmation", PATIENCE, async || {
                stage.counter(bg).await >= 1
            })
            .await;
            stage
                .origin
                .on_call("/doc", |request| passing(request, "two"));
            eventually("what is new", PATIENCE, async || {
                stage.get("/doc").await.text() == "two"
            })
            .await;
            stage.assert_unharmed().await;
        }
    }
}

#[tokio::test]
async fn a_refresh_that_brings_nothing_leaves_what_is_stored() {
    for status in [404, 500, 503] {
        let stage = Stage::start(BY_RULE).await;
        stage
            .origin
            .on_call("/doc", |request| passing(request, "kept"));
        stage.get("/doc").await;
        stage.origin.on("/doc", Reply::new(status, "broken"));
        assert_eq!(stage.get("/doc").await.text(), "kept");
        count_at_least(&stage.origin, "/doc", 2).await;
        let bg = "larder_origin_fetches_total.class.bg";
        eventually("its end", PATIENCE, async || stage.sum(bg, "").await >= 1).await;
        if status != 404 {
            let answer = stage.get("/doc").await;
            assert_eq!(
                (x_cache(&answer), answer.text().as_str()),
                ("STALE", "kept"),
                "{status}"
            );
        }
        stage.assert_unharmed().await;
    }
}

/// One client's request makes it fresh where requests of the filter's own would ask for something else.
async fn assert_foreground(listener: Listener) {
    let stage = Stage::with_listener(1, listener).await;
    let gate = Gate::closed();
    let behind = gate.clone();
    stage.origin.on_call("*", |request| passing(request, "one"));
    assert_eq!(x_cache(&stage.get("/api/doc").await), "MISS");
    stage
        .origin
        .on_call("*", move |request| passing(request, "two").behind(&behind));
    let (leader, ()) = tokio::join!(stage.get("/api/doc"), async {
        eventually("a leader", PATIENCE, async || stage.origin.total() >= 2).await;
        for _ in 0..5 {
            let answer = stage.get("/api/doc").await;
            assert_eq!(
                (x_cache(&answer), answer.text().as_str()),
                ("STALE", "one"),
                "{answer:?}"
            );
        }
        gate.open();
    });
    assert_eq!((x_cache(&leader), leader.text().as_str()), ("MISS", "two"));
    assert_eq!(stage.origin.total(), 2);
    let paths: Vec<_> = stage
        .origin
        .requests()
        .iter()
        .map(|seen| seen.path_only().to_owned())
        .collect();
    assert_eq!(paths[0], paths[1], "both by the same way");
    assert_eq!(
        stage.sum("larder_origin_fetches_total.class.bg", "").await,
        0
    );
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn where_the_route_rewrites_one_client_makes_it_fresh() {
    for action in [
        json!({"prefix_rewrite": "/v1"}),
        json!({"host_rewrite_literal": "internal.example.com"}),
        json!({"regex_rewrite": {"pattern": {"regex": "^/api/(.*)$"}, "substitution": "/v2/\\1"}}),
    ] {
        assert_foreground(larder(BY_RULE).route_action(action)).await;
    }
}

#[tokio::test]
async fn what_is_asked_for_often_is_made_fresh_before_it_is_stale() {
    let stage = Stage::start(r#"{"refresh_ahead": 0.9}"#).await;
    let reply = |body: &str| Reply::ok(body.to_owned()).header("cache-control", "max-age=20");
    stage.origin.on("/doc", reply("one"));
    assert_eq!(x_cache(&stage.get("/doc").await), "MISS");
    let gate = Gate::closed();
    stage.origin.on("/doc", reply("two").behind(&gate));
    eventually("a refresh", PATIENCE, async || {
        let answer = stage.get("/doc").await; // nobody waits: the origin does not answer
        assert_eq!((x_cache(&answer), answer.text().as_str()), ("HIT", "one"));
        stage.origin.count("/doc") == 2
    })
    .await;
    gate.open();
    eventually("what is new", PATIENCE, async || {
        let answer = stage.get("/doc").await;
        assert_eq!(x_cache(&answer), "HIT");
        answer.text() == "two"
    })
    .await;
    assert_eq!(stage.origin.count("/doc"), 2);
}

/// What the filter asks for by itself passes no route, which would have had its say about the response too.
#[tokio::test]
async fn where_the_route_adds_to_responses_one_client_makes_it_fresh() {
    let listener = larder(BY_RULE).adds_response_header("link", "</route>");
    let stage = Stage::with_listener(1, listener).await;
    let linked = |body: &str| {
        Reply::ok(body.to_owned())
            .header("cache-control", "max-age=60")
            .header("age", "120")
            .header("link", "</origin>")
    };
    let both = ["</origin>", "</route>"];
    stage.origin.on("/doc", linked("one"));
    assert_eq!(lines(&stage.get("/doc").await, "link"), both);
    stage.origin.on("/doc", linked("two"));
    eventually("what is new", PATIENCE, async || {
        let answer = stage.get("/doc").await;
        assert_eq!(lines(&answer, "link"), both, "{answer:?}");
        answer.text() == "two"
    })
    .await;
    for _ in 0..3 {
        let answer = stage.get("/doc").await;
        assert_eq!(lines(&answer, "link"), both, "{answer:?}");
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_purged_softly_is_given_once_more_and_made_fresh() {
    let configuration = r#"{"stale_while_revalidate_seconds": 60, "management": {}}"#;
    let stage = stage_of(1, managed(configuration)).await;
    let reply = |body: &str| Reply::ok(body.to_owned()).header("cache-control", "max-age=600");
    stage.origin.on("/doc", reply("one"));
    stage.get("/doc").await;
    assert_eq!(x_cache(&stage.get("/doc").await), "HIT");
    stage.origin.on("/doc", reply("two"));
    let purge = call("PURGE", "/doc").header("fastly-soft-purge", "1");
    assert_eq!(stage.send(purge).await.status, 200);
    let answer = stage.get("/doc").await;
    assert_eq!(
        (x_cache(&answer), answer.text().as_str()),
        ("STALE", "one"),
        "{answer:?}"
    );
    eventually("what is new", PATIENCE, async || {
        let answer = stage.get("/doc").await;
        answer.text() == "two" && x_cache(&answer) == "HIT"
    })
    .await;
    assert_eq!(stage.origin.count("/doc"), 2);
    stage.send(call("PURGE", "/doc")).await;
    stage.origin.on("/doc", reply("three"));
    let answer = stage.get("/doc").await;
    assert_eq!(
        (x_cache(&answer), answer.text().as_str()),
        ("MISS", "three"),
        "a hard purge leaves nothing"
    );
}

/// A stage with another listener, `side`, of the same kind behind the cluster that refreshes take, at a port of its own.
async fn looped(configuration: &str, action: serde_json::Value) -> (Stage, Port) {
    let origin = Origin::start().await.unwrap();
    let port = Port::reserve().unwrap();
    let side = port.address();
    let larder = |name| Listener::to_cluster(name, "origin").wasm(filter(configuration));
    let envoy = Envoy::builder()
        .workers(1)
        .cluster(Cluster::new("origin", origin.address()))
        .cluster(Cluster::new("loop", side))
        .listener(larder(MAIN).route_action(action.clone()))
        .listener(larder("side").route_action(action).at(side))
        .start()
        .await
        .unwrap();
    (Stage { origin, envoy }, port)
}

#[tokio::test]
async fn a_cluster_that_leads_back_makes_fresh_what_routes_rewrite() {
    let configuration = r#"{"background":{"cluster":"loop"},
        "rules":[{"name":"all","match":{"path":"/.*"},"stale_while_revalidate_seconds":3600}]}"#;
    let (stage, _port) = looped(configuration, json!({"prefix_rewrite": "/v1/"})).await;
    stage
        .origin
        .on_call("/v1/doc", |request| passing(request, "one"));
    assert_eq!(x_cache(&stage.get("/doc").await), "MISS");
    stage
        .origin
        .on_call("/v1/doc", |request| passing(request, "two"));
    let answer = stage.get("/doc").await;
    assert_eq!((x_cache(&answer), answer.text().as_str()), ("STALE", "one"));
    eventually("what is new", PATIENCE, async || {
        stage.get("/doc").await.text() == "two"
    })
    .await;
    let asked = stage.origin.requests();
    assert!(
        asked.iter().all(|seen| seen.path_only() == "/v1/doc"),
        "{asked:?}"
    );
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("x-larder-own").is_none()),
        "{asked:?}"
    );
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn no_client_passes_for_the_filter_itself() {
    let configuration = r#"{"background":{"cluster":"origin"},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on("/doc", Reply::ok("one"));
    for word in ["", "0", "00000000000000000000000000000000", "\0"] {
        let forged = Request::get("/doc").header("x-larder-own", word);
        let answer = client::send(stage.address(), forged.authority("api.example.com")).await;
        if let Ok(answer) = answer {
            assert!(
                answer.header("x-cache").is_some() || answer.status == 400,
                "{answer:?}"
            );
        }
    }
    assert_eq!(stage.origin.count("/doc"), 1, "they are clients' requests");
    let asked = stage.origin.requests();
    assert!(asked[0].header("x-larder-own").is_none(), "{asked:?}");
}

#[tokio::test]
async fn what_goes_to_where_the_client_meant_to_go_is_made_fresh_by_clients() {
    let origin = Origin::start().await.unwrap();
    let members = json!({
        "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "load_assignment": null,
        "original_dst_lb_config": {"use_http_header": true},
    });
    let envoy = Envoy::builder()
        .workers(1)
        .cluster(Cluster::new("origin", origin.address()).members(members))
        .listener(larder(BY_RULE))
        .start()
        .await
        .unwrap();
    let stage = Stage { origin, envoy };
    let to = stage.origin.address().to_string();
    let ask = async || {
        let request = Request::get("/doc").header("x-envoy-original-dst-host", &to);
        stage.send(request).await
    };
    stage
        .origin
        .on_call("/doc", |request| passing(request, "one"));
    assert_eq!(x_cache(&ask().await), "MISS");
    stage
        .origin
        .on_call("/doc", |request| passing(request, "two"));
    // Those of the filter's own come to nothing, and nobody notices but for the time it takes.
    eventually("what is new", PATIENCE, async || {
        let answer = ask().await;
        assert_eq!(answer.status, 200);
        answer.text() == "two"
    })
    .await;
    stage.assert_outcome("bypass", 0).await;
}
