//! An Envoy that comes later answers from what the others have fetched.

use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use super::shared::patient;
use super::{DOCS, settle, start};
use crate::stage::x_cache;

/// Each document of these has been fetched once, and is shared.
async fn fetch(fleet: &Fleet, envoy: usize, paths: &[String]) {
    let mut client = fleet.client(envoy).await;
    for path in paths {
        settle(&mut client, path).await;
    }
    let stored = paths.len();
    eventually("all of it is shared", PATIENCE, async || {
        fleet.told(envoy, "put", "ok").await >= stored as u64
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_starts_late_does_not_ask_the_origin() {
    let mut fleet = start(Fleet::plan(DOCS).admin(&patient())).await;
    let paths: Vec<String> = (0..50).map(|number| format!("/doc/{number}")).collect();
    fleet.origin.on_call("/doc/*", |request| {
        Reply::ok(request.path.clone()).header("vary", "accept-language")
    });
    fetch(&fleet, 0, &paths).await;
    let before = fleet.origin.total();
    assert_eq!(before, paths.len());
    let late = fleet.add_envoy().await.unwrap();
    fleet.meet().await.unwrap();
    for path in &paths {
        let answer = fleet.get(late, path).await;
        assert_eq!(answer.text(), *path);
        let counters = fleet.counters(late).await;
        assert_eq!(x_cache(&answer), "HIT", "{path}: {counters:?}");
    }
    assert_eq!(fleet.origin.total(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_as_old_at_every_envoy() {
    let mut fleet = start(Fleet::plan(DOCS).admin(&patient())).await;
    let made = Reply::ok("old").header("age", "100");
    fleet.origin.on("/doc/old", made);
    fetch(&fleet, 0, &["/doc/old".to_owned()]).await;
    let late = fleet.add_envoy().await.unwrap();
    fleet.meet().await.unwrap();
    let answer = fleet.get(late, "/doc/old").await;
    assert_eq!(x_cache(&answer), "HIT", "{answer:?}");
    let age: u64 = answer.header("age").unwrap().parse().unwrap();
    assert!((100..160).contains(&age), "{age}");
}
