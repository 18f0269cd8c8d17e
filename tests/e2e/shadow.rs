//! A rule that is only tried, on both workers.

use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{Stage, assert_seen, pattern};

const RULES: &str = r#"{"rules": [
    {"name": "tried", "match": {"path": "/tried/.*"}, "ttl_seconds": 60, "shadow": true},
    {"name": "live", "match": {"path": "/live/.*"}, "ttl_seconds": 60}]}"#;

#[tokio::test]
async fn a_rule_is_tried_and_says_what_it_would_have_done() {
    let stage = Stage::with_workers(2, RULES).await;
    let large = pattern(300_000);
    stage.origin.on("/tried/same", Reply::ok(large.clone()));
    stage.origin.on("/tried/new", Reply::ok("first"));
    for path in ["/tried/same", "/tried/new"] {
        assert_seen(
            &stage.get(path).await,
            "BYPASS",
            "larder; fwd=bypass; stored; detail=shadow-miss",
        );
    }
    stage.origin.on("/tried/new", Reply::ok("second"));
    for round in 1..=3 {
        let same = stage.get("/tried/same").await;
        assert_seen(&same, "BYPASS", "larder; fwd=bypass; detail=shadow-hit");
        assert_eq!(same.body, large);
        assert_eq!(stage.get("/tried/new").await.text(), "second");
        assert_eq!(stage.origin.count("/tried/same"), round + 1);
    }
    eventually("what was compared", PATIENCE, async || {
        let matches = stage.sum("larder_shadow_match_total", "tried").await;
        let mismatches = stage.sum("larder_shadow_mismatch_total", "tried").await;
        (matches, mismatches) == (3, 3)
    })
    .await;
    stage.assert_unharmed().await;
}
