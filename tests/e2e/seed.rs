//! The quick-start configuration does what its six rules say.

use larder_harness::client::Request;
use larder_harness::origin::Reply;

use crate::stage::{Stage, assert_seen};

const QUICK_START: &str = include_str!("../../envoy/larder.json");

#[tokio::test]
async fn each_rule_of_the_quick_start_gives_its_ttl() {
    let stage = Stage::start(QUICK_START).await;
    let rows = [
        ("/api/analytics/aggregate?days=7", 300),
        ("/api/ml/drift/status/churn", 60),
        ("/api/sales/summary", 600),
        ("/api/health", 30),
    ];
    for (path, ttl) in rows {
        stage.origin.on(
            path.split('?').next().unwrap(),
            Reply::ok(format!("{{\"of\":\"{path}\"}}")),
        );
        let promise = format!("public, max-age={ttl}");

        let first = stage.get(path).await;
        assert_seen(&first, "MISS", "larder; fwd=uri-miss; stored");
        assert_eq!(
            first.header("cache-control"),
            Some(promise.as_str()),
            "{path}"
        );

        let second = stage.get(path).await;
        assert_eq!(second.header("x-cache"), Some("HIT"), "{path}");
        assert_eq!(
            second.header("cache-control"),
            Some(promise.as_str()),
            "{path}"
        );
        assert_eq!(second.body, first.body);
        let age: u32 = second.header("age").unwrap().parse().unwrap();
        assert!(age < 30, "{path}: {age}");
        assert_eq!(second.header("x-cache-age"), second.header("age"));
        assert!(second.header("etag").unwrap().len() == 34, "a quoted MD5");
        assert_eq!(
            stage.origin.count(path.split('?').next().unwrap()),
            1,
            "{path}"
        );
    }
}

#[tokio::test]
async fn predictions_and_conversations_are_never_cached() {
    let stage = Stage::start(QUICK_START).await;
    for path in [
        "/api/predictive/score",
        "/api/conversation/42",
        "/api/predictive/summary",
    ] {
        stage.origin.on(
            path,
            Reply::ok("new each time").header("cache-control", "max-age=60"),
        );
        for _ in 0..2 {
            assert_seen(
                &stage.get(path).await,
                "BYPASS",
                "larder; fwd=bypass; detail=rule-bypass",
            );
        }
        assert_eq!(stage.origin.count(path), 2, "{path}");
    }
}

#[tokio::test]
async fn what_no_rule_names_is_cached_when_the_origin_says_so_and_not_otherwise() {
    let stage = Stage::start(QUICK_START).await;
    stage.origin.on(
        "/said",
        Reply::ok("a").header("cache-control", "max-age=60"),
    );
    stage.origin.on("/unsaid", Reply::ok("b"));

    assert_seen(
        &stage.get("/said").await,
        "MISS",
        "larder; fwd=uri-miss; stored",
    );
    assert_eq!(stage.get("/said").await.header("x-cache"), Some("HIT"));
    for _ in 0..2 {
        assert_seen(
            &stage.get("/unsaid").await,
            "MISS",
            "larder; fwd=uri-miss; detail=no-freshness",
        );
    }
}

#[tokio::test]
async fn a_rules_ttl_never_keeps_an_error() {
    let stage = Stage::start(QUICK_START).await;
    stage
        .origin
        .on("/api/analytics/broken", Reply::new(500, "down"));
    stage
        .origin
        .on("/api/analytics/missing", Reply::new(404, "no such report"));
    for path in ["/api/analytics/broken", "/api/analytics/missing"] {
        for _ in 0..2 {
            assert_seen(
                &stage.get(path).await,
                "MISS",
                "larder; fwd=uri-miss; detail=status",
            );
        }
        assert_eq!(stage.origin.count(path), 2);
    }
}

#[tokio::test]
async fn a_write_passes_and_what_it_changed_is_asked_for_anew() {
    let stage = Stage::start(QUICK_START).await;
    stage
        .origin
        .on("/api/analytics/aggregate", Reply::ok("seven"));
    stage.get("/api/analytics/aggregate").await;
    stage.get("/api/analytics/trends").await;
    let write = stage
        .send(Request::new("POST", "/api/analytics/aggregate").body("{}"))
        .await;
    assert_seen(&write, "BYPASS", "larder; fwd=method");
    assert_seen(
        &stage.get("/api/analytics/aggregate").await,
        "MISS",
        "larder; fwd=stale; stored; detail=invalidated",
    );
}

/// The seed's own example: `POST /data/update` clears the tag of what `GET /report` has stored.
#[tokio::test]
async fn an_update_clears_the_reports() {
    const REPORTS: &str = r#"{"rules": [
        {"name": "report", "match": {"path": "/report.*"}, "ttl_seconds": 1800, "tags": ["reports", "analytics"]},
        {"name": "profile", "match": {"path": "/user/(?P<user_id>[^/]+)/profile"}, "ttl_seconds": 300,
         "key": {"template": "user_profile:{user_id}"}},
        {"name": "update", "match": {"methods": ["POST"], "path": "/data/update"}, "invalidates": {"tags": ["reports"]}},
        {"name": "user", "match": {"path": "/users/(?P<user_id>[^/]+)"}, "invalidates": {"keys": ["user_profile:{user_id}"]}}]}"#;
    let stage = Stage::with_workers(2, REPORTS).await;
    let paths = [
        "/report",
        "/report/daily",
        "/user/7/profile",
        "/user/8/profile",
    ];
    for path in paths {
        stage.origin.on(path, Reply::ok(path));
        stage.get(path).await;
    }
    let words = async || {
        let mut words = Vec::new();
        for path in paths {
            words.push(stage.get(path).await.header("x-cache").unwrap().to_owned());
        }
        words
    };
    let write = async |method, path, status| {
        stage.origin.on(path, Reply::new(status, "{}"));
        stage.send(Request::new(method, path).body("{}")).await
    };
    assert_eq!(words().await, ["HIT"; 4]);
    write("POST", "/data/update", 500).await;
    assert_eq!(words().await, ["HIT"; 4]);
    let updated = write("POST", "/data/update", 200).await;
    assert_seen(&updated, "BYPASS", "larder; fwd=method");
    assert_eq!(words().await, ["MISS", "MISS", "HIT", "HIT"]);
    write("PATCH", "/users/7", 204).await;
    assert_eq!(words().await, ["HIT", "HIT", "MISS", "HIT"]);
}
