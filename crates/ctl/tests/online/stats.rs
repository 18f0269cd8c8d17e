//! How the cache does.

use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::Stage;

const RULES: &str = r#"[
    {"name": "pages", "match": {"path": "/page/.*"}, "ttl_seconds": 300},
    {"name": "never", "match": {"path": "/never/.*"}, "cache": false}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_shown_by_rule_and_reasons_by_count() {
    let stage = Stage::start(RULES).await;
    stage.origin.on("/page/1", Reply::ok("one"));
    stage.origin.on(
        "/page/2",
        Reply::ok("two").header("cache-control", "private"),
    );
    stage.origin.on("/never/1", Reply::ok("never"));
    for path in ["/page/1", "/page/1", "/page/1", "/page/2", "/never/1"] {
        assert_eq!(stage.get(path).await.status, 200);
    }
    // Workers say what they have counted when they tick.
    eventually("all are counted", PATIENCE, async || {
        let shown = stage.ctl(&["stats", "-o", "json"]).await.with(0).json();
        let counted = &shown["performance"]["middleware_metrics"];
        counted["total_requests"] == 4
            && counted["bypasses"] == 1
            && shown["performance"]["not_stored"]["private"] == 1
    })
    .await;
    let shown = stage.ctl(&["stats"]).await.with(0);
    let line = |start: &str| {
        let mut lines = shown.out.lines();
        let found = lines.find(|line| line.starts_with(start));
        let words = found.unwrap_or_else(|| panic!("{start}: {}", shown.out));
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(
        shown
            .out
            .starts_with(&format!("http://{} (one Envoy)", stage.address()))
    );
    assert_eq!(
        line("hit rate"),
        "hit rate 50.0% of 4 requests looked up; 1 bypassed"
    );
    assert_eq!(line("pages"), "pages 2 2 0 50.0%");
    assert_eq!(line("never"), "never 0 0 1 0.0%");
    assert_eq!(line("private"), "private 1");
}
