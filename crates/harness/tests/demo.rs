//! The demo's API, and the files that `make run` and docker-compose start.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;

use larder_harness::client::{Answer, Client, Protocol, Request};
use larder_harness::demo::Demo;
use larder_harness::origin::Server;
use larder_harness::{template, tools};
use serde_json::Value;

async fn demo() -> (Server, Client) {
    let server = Server::start(([127, 0, 0, 1], 0).into(), Demo::new(0.0))
        .await
        .unwrap();
    let client = Client::connect(server.address(), Protocol::Http1)
        .await
        .unwrap();
    (server, client)
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn every_endpoint_answers_with_its_own_json() {
    let (_server, mut client) = demo().await;
    for (method, path, field) in [
        (
            "GET",
            "/api/analytics/aggregate?days=7",
            "total_conversations",
        ),
        ("GET", "/api/analytics/trends", "series"),
        ("GET", "/api/ml/drift/status/lead-scoring", "score_percent"),
        ("GET", "/api/sales/summary", "text"),
        ("GET", "/api/health", "status"),
        ("GET", "/api/health/live", "status"),
        (
            "GET",
            "/api/predictive/churn?customer=42",
            "probability_percent",
        ),
        ("POST", "/api/predictive/churn", "probability_percent"),
        ("POST", "/api/conversation/7", "reply"),
        ("GET", "/api/conversation/7", "reply"),
        ("GET", "/report", "revenue"),
        ("POST", "/data/update", "updated"),
    ] {
        let answer = client.send(Request::new(method, path)).await.unwrap();
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), None, "the rules decide");
        for field in [field, "generated_at", "revision"] {
            assert!(
                !json(&answer)[field].is_null(),
                "{method} {path}: no {field}"
            );
        }
    }
}

#[tokio::test]
async fn the_days_asked_for_are_the_days_answered() {
    let (_server, mut client) = demo().await;
    for (query, days) in [
        ("days=3", 3),
        ("days=0", 1),
        ("days=x", 7),
        ("a=1&days=2", 2),
        ("days=999", 90),
    ] {
        let answer = client
            .get(&format!("/api/analytics/aggregate?{query}"))
            .await
            .unwrap();
        assert_eq!(
            json(&answer)["series"].as_array().unwrap().len(),
            days,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_write_changes_what_the_report_says() {
    let (_server, mut client) = demo().await;
    let before = json(&client.get("/report").await.unwrap());
    client
        .send(Request::new("POST", "/data/update"))
        .await
        .unwrap();
    let after = json(&client.get("/report").await.unwrap());
    assert_eq!(
        (&before["revision"], &after["revision"]),
        (&1.into(), &2.into())
    );
    assert_ne!(before["regions"], after["regions"]);
}

#[tokio::test]
async fn a_profile_is_shown_to_its_user_alone() {
    let (_server, mut client) = demo().await;
    let path = "/user/123/profile";
    assert_eq!(client.get(path).await.unwrap().status, 401);
    let other = Request::get(path).header("x-user-id", "124");
    assert_eq!(client.send(other).await.unwrap().status, 403);
    let own = client
        .send(Request::get(path).header("x-user-id", "123"))
        .await
        .unwrap();
    assert_eq!(json(&own)["user_id"], "123");
}

#[tokio::test]
async fn what_does_not_exist_is_refused() {
    let (_server, mut client) = demo().await;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/api/analytics", 404),
        ("GET", "/data/update", 405),
        ("DELETE", "/report", 405),
    ] {
        let answer = client.send(Request::new(method, path)).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[test]
fn the_configuration_in_a_file_of_envoys_is_that_beside_it() {
    let read = |name| fs::read_to_string(tools::checkout().join("envoy").join(name)).unwrap();
    for (file, configuration) in [("envoy.yaml", "larder.json"), ("fleet.yaml", "fleet.json")] {
        let inline = template::block(&read(file), "LARDER_CONFIG");
        assert_eq!(inline, Some(read(configuration)), "{file}");
    }
}

/// `fleet.yaml` is `envoy.yaml` and what makes it one of a fleet: what both show of Larder is the same.
#[test]
fn an_envoy_of_a_fleet_shows_its_statistics_as_one_alone_does() {
    let statistics = |name| {
        let text = fs::read_to_string(tools::checkout().join("envoy").join(name)).unwrap();
        let (_, behind) = text.split_once("stats_config:").unwrap();
        behind.split_once("static_resources:").unwrap().0.to_owned()
    };
    assert_eq!(statistics("fleet.yaml"), statistics("envoy.yaml"));
}
