//! What becomes of a request is asked where it would come to.

use larder_harness::fleet::{Fleet, HOST as FLEET};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{HOST, Stage, ctl, x_cache};

const RULES: &str = r#"[
    {"name": "profile", "match": {"path": "/profile"}, "cache": false},
    {"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 300, "tags": ["docs"]}]"#;

async fn explained(stage: &Stage, more: &[&str]) -> String {
    let url = format!("http://{HOST}/doc?x=1");
    let question = ["explain", "--url", &url];
    stage.ctl(&[&question, more].concat()).await.with(0).out
}

#[track_caller]
fn assert_says(out: &str, lines: &[&str]) {
    for line in lines {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_counts_and_nothing_is_done() {
    let stage = Stage::start(RULES).await;
    stage.origin.on("/doc", Reply::ok("body"));
    let unknown = [
        "tried      profile: ",
        "rule       docs caches",
        "key        GET:api.example.com/doc?x=1",
        "stored     nothing",
        "request    goes to the origin",
    ];
    for _ in 0..2 {
        assert_says(&explained(&stage, &[]).await, &unknown);
    }
    assert_eq!(stage.origin.total(), 0);
    eventually("it is stored", PATIENCE, async || {
        x_cache(&stage.get("/doc?x=1").await) == "HIT"
    })
    .await;
    let known = [
        " of 300 s, current, tags docs",
        "request    is answered here with 200",
        "shows      x-cache: HIT",
    ];
    assert_says(&explained(&stage, &[]).await, &known);
    stage.ctl(&["purge", "--tag", "docs"]).await.with(0);
    let gone = [" of 300 s, gone", "request    goes to the origin"];
    assert_says(&explained(&stage, &[]).await, &gone);
    assert_eq!(stage.origin.total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_might_come_is_judged_too() {
    let stage = Stage::start(RULES).await;
    let stored = explained(&stage, &["--response-status", "200"]).await;
    assert_says(
        &stored,
        &["response   is stored for 300 s", "fwd=uri-miss; stored"],
    );
    let private = ["--response-header", "cache-control: no-store"];
    let skipped = explained(&stage, &private).await;
    assert_says(&skipped, &["response   is not stored", "(no-store)"]);
    let json = explained(&stage, &["-o", "json"]).await;
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(said["rule"]["name"], "docs", "{said}");
}

/// Nothing is stored at the service itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_explains_by_the_configuration_of_its_envoys() {
    let rules = format!(r#"{{"rules": {RULES}}}"#);
    let fleet = Fleet::plan(&rules).start().await;
    let fleet = fleet.unwrap_or_else(|error| panic!("{error}"));
    fleet.origin.on("/doc", Reply::ok("body"));
    assert_eq!(fleet.get(0, "/doc").await.status, 200);
    let at = format!("http://{}", fleet.admins[0].address());
    let url = format!("http://{FLEET}/doc");
    let explain = ["explain", "--at", &at, "--url", &url];
    let shown = ctl(&[&explain[..], &["--response-status", "200"]].concat()).await;
    let expected = [
        "rule       docs caches",
        "stored     nothing",
        "response   is stored for 300 s, as the rule says, tags docs",
    ];
    assert_says(&shown.with(0).out, &expected);
}
