//! Several Envoys as one cache: at the service, and at one of them.

use larder_harness::fleet::{Fleet, HOST};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{Ended, ctl, x_cache};

const DOCS: &str = r#"{"rules": [
    {"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 600, "tags": ["docs"]}]}"#;

async fn fleet() -> Fleet {
    let fleet = Fleet::plan(DOCS).start().await;
    let fleet = fleet.unwrap_or_else(|error| panic!("{error}"));
    fleet.origin.on("/doc*", Reply::ok("body"));
    for envoy in 0..2 {
        eventually("it is stored", PATIENCE, async || {
            x_cache(&fleet.get(envoy, "/doc").await) == "HIT"
        })
        .await;
    }
    fleet
}

fn at_service(fleet: &Fleet) -> String {
    format!("http://{}", fleet.admins[0].address())
}

fn at_envoy(fleet: &Fleet) -> String {
    format!("http://{}", fleet.address(0))
}

async fn purge(more: &[&str]) -> Ended {
    ctl(&[&["purge", "--tag", "docs"], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_at_the_service_is_awaited_until_every_envoy_has_applied_it() {
    let fleet = fleet().await;
    fleet.origin.on("/doc*", Reply::ok("new body"));
    let ended = purge(&["--at", &at_service(&fleet), "--wait"])
        .await
        .with(0);
    assert!(
        ended.out.contains("applied by all instances"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains(": done"), "{}", ended.out);
    // The second may have it from the first, so what counts is what they say and not where they have it from.
    for envoy in 0..2 {
        assert_eq!(fleet.get(envoy, "/doc").await.text(), "new body", "{envoy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_envoy_the_service_is_asked_who_has_applied_it() {
    let fleet = fleet().await;
    let envoy = at_envoy(&fleet);
    let here = ["--at", &envoy, "--host", HOST, "--wait"];
    let alone = purge(&here).await.with(1);
    assert!(
        alone.out.contains("stands in the fleet's log"),
        "{}",
        alone.out
    );
    assert!(alone.err.contains("--service URL"), "{}", alone.err);
    let service = at_service(&fleet);
    let both = purge(&[&here[..], &["--service", &service]].concat())
        .await
        .with(0);
    assert!(
        both.out.contains("applied by all instances"),
        "{}",
        both.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_is_named_and_not_waited_for_without_end() {
    let fleet = Fleet::plan(DOCS).each_its_own().start().await;
    let mut fleet = fleet.unwrap_or_else(|error| panic!("{error}"));
    fleet.admins[1].pause().await.unwrap();
    let service = at_service(&fleet);
    let ended = purge(&["--at", &service, "--wait", "--patience", "1"])
        .await
        .with(1);
    assert!(ended.out.contains("awaited: "), "{}", ended.out);
    assert!(ended.out.contains("(envoy-1)"), "{}", ended.out);
    assert!(
        ended.err.contains("not over after 1 seconds"),
        "{}",
        ended.err
    );
    fleet.admins[1].resume().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_all_and_entries_are_looked_at_elsewhere() {
    let fleet = fleet().await;
    let service = at_service(&fleet);
    eventually("both have told their numbers", PATIENCE, async || {
        let shown = ctl(&["stats", "--at", &service, "-o", "json"])
            .await
            .with(0)
            .json();
        let instances = shown["stats"]["instances"].as_array().unwrap().iter();
        instances
            .filter(|one| one["stats"]["stored"].is_number())
            .count()
            == 2
    })
    .await;
    let shown = ctl(&["stats", "--at", &service]).await.with(0);
    assert!(
        shown.out.contains("(a fleet, instances: 2)"),
        "{}",
        shown.out
    );
    for node in ["envoy-0", "envoy-1", "docs"] {
        assert!(shown.out.contains(node), "{}", shown.out);
    }
    let entries = ctl(&["entries", "--at", &service]).await.with(3);
    assert!(entries.err.contains("each Envoy"), "{}", entries.err);
}
