//! Pages in a fleet: a fragment that one Envoy has fetched the others need not fetch.

use larder_harness::client::{Crowd, Protocol};
use larder_harness::fleet::{Fleet, Plan};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use super::shared::patient;
use super::{Version, get, start};
use crate::esi::{assert_page, html, include};

/// A machine under test may take its time over a page, too.
const PAGES: &str = r#"{"composition": {"timeout_ms": 30000}, "coalesce": {"wait_seconds": 20}, "rules": [
    {"name": "pages", "match": {"path": "/page"}, "esi": true},
    {"name": "parts", "match": {"path": "/part.*"}, "tags": ["parts"]}]}"#;

const PARTS: usize = 5;

fn paths() -> impl Iterator<Item = String> {
    (0..PARTS).map(|number| format!("/part/{number}"))
}

fn page() -> String {
    paths().collect()
}

/// An origin of a page whose parts say what they are.
async fn stage(plan: Plan) -> Fleet {
    let fleet = start(plan.admin(&patient())).await;
    let parts: String = paths().map(|path| include(&path)).collect();
    fleet.origin.on("/page", html(&parts));
    fleet
        .origin
        .on_call("/part/*", |request| html(&request.path));
    fleet
}

/// How often the origin was asked for the page, and for each of its parts.
fn asked(fleet: &Fleet) -> Vec<usize> {
    let all = ["/page".to_owned()].into_iter().chain(paths());
    all.map(|path| fleet.origin.count(&path)).collect()
}

const ONCE: [usize; PARTS + 1] = [1; PARTS + 1];

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_starts_late_asks_the_origin_for_no_part_of_a_page() {
    let mut fleet = stage(Fleet::plan(PAGES)).await;
    assert_page(&fleet.get(0, "/page").await, &page());
    eventually("all of it is shared", PATIENCE, async || {
        fleet.told(0, "put", "ok").await >= ONCE.len() as u64
    })
    .await;
    let late = fleet.add_envoy().await.unwrap();
    fleet.meet().await.unwrap();
    assert_page(&fleet.get(late, "/page").await, &page());
    assert_eq!(asked(&fleet), ONCE);
    assert_eq!(fleet.told(late, "get", "hit").await, ONCE.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn crowds_at_two_envoys_have_each_part_of_a_cold_page_fetched_once() {
    let fleet = stage(Fleet::plan(PAGES)).await;
    let mut crowds = Vec::new();
    for envoy in 0..2 {
        let crowd = Crowd::connect(fleet.address(envoy), Protocol::Http1, 100).await;
        crowds.push(crowd.unwrap().begin(|_| get("/page")));
    }
    for crowd in crowds {
        let (_, told) = crowd.told().await;
        assert_eq!(told.len(), 100);
        for one in told {
            assert_page(&one.answer.unwrap(), &page());
        }
    }
    assert_eq!(asked(&fleet), ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_purged_at_one_envoy_is_new_on_the_pages_of_all() {
    let fleet = stage(Fleet::plan(PAGES)).await;
    let version = Version::default();
    let shown = version.clone();
    fleet
        .origin
        .on_call("/part/*", move |_| html(&format!("{} ", shown.now())));
    for round in 0..5 {
        for envoy in 0..2 {
            for _ in 0..2 {
                let old = format!("{round} ").repeat(PARTS);
                assert_page(&fleet.get(envoy, "/page").await, &old);
            }
        }
        let new = format!("{} ", version.raise()).repeat(PARTS);
        let purge = larder_harness::admin::call("POST", "/api/cache/invalidate/tag/parts");
        assert_eq!(fleet.send(round % 2, purge).await.status, 200);
        eventually("all pages are new", PATIENCE, async || {
            let pages = [fleet.get(0, "/page").await, fleet.get(1, "/page").await];
            pages.iter().all(|page| page.text() == new)
        })
        .await;
    }
    assert_eq!(fleet.origin.count("/page"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_service_pages_are_made_alone() {
    let mut fleet = stage(Fleet::plan(PAGES)).await;
    assert_page(&fleet.get(0, "/page").await, &page());
    for admin in &mut fleet.admins {
        admin.pause().await.unwrap();
    }
    assert_page(&fleet.get(1, "/page").await, &page());
    for admin in &mut fleet.admins {
        admin.resume().await.unwrap();
    }
    fleet.origin.on("/page", Reply::ok("other"));
    assert_page(&fleet.get(1, "/page").await, &page());
}
