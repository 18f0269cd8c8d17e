//! An Envoy that is cut off from the fleet asks about what it has stored, once that was so for too long.

use larder_harness::admin;
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::json;

use super::{DOCS, Version, get, settle, shown, start};
use crate::stage::{cache_status, x_cache};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_asked_about_until_the_fleet_is_back() {
    let plan = Fleet::plan(DOCS)
        .each_its_own()
        .admin(&json!({"max_unsynced_seconds": 1}));
    let mut fleet = start(plan).await;
    let version = Version::at(&fleet.origin, "/doc");
    let tagged = Reply::ok("same").header("etag", "\"1\"");
    fleet.origin.on_call("/doc/etag", move |request| {
        match request.header("if-none-match") {
            Some("\"1\"") => Reply::new(304, ""),
            Some(_) | None => tagged.clone(),
        }
    });
    let mut there = fleet.client(0).await;
    let mut cut_off = fleet.client(1).await;
    for path in ["/doc", "/doc/etag"] {
        settle(&mut there, path).await;
        settle(&mut cut_off, path).await;
    }
    fleet.admins[1].pause().await.unwrap();

    // A purge that it does not hear of: the old one for a while, and never again after that.
    let new = version.raise();
    let purge = fleet.send(0, admin::call("PURGE", "/doc")).await;
    assert_eq!(purge.status, 200, "{purge:?}");
    eventually("it asks about what it has", PATIENCE, async || {
        let answer = cut_off.send(get("/doc")).await.unwrap();
        shown(&answer) == new
    })
    .await;
    eventually("the origin confirms what it has", PATIENCE, async || {
        let answer = cut_off.send(get("/doc/etag")).await.unwrap();
        x_cache(&answer) == "REVALIDATED" && cache_status(&answer).contains("out-of-contact")
    })
    .await;
    // The other one is in touch, and goes on.
    settle(&mut there, "/doc").await;

    fleet.admins[1].resume().await.unwrap();
    // Unasked it gives only what was asked for less than a second ago, until it is in touch again.
    for path in ["/doc", "/doc/etag"] {
        eventually("it gives what is older than that", PATIENCE, async || {
            let answer = cut_off.send(get(path)).await.unwrap();
            let age = answer
                .header("x-cache-age")
                .and_then(|age| age.parse().ok());
            x_cache(&answer) == "HIT" && age.is_some_and(|age: u64| age >= 2)
        })
        .await;
    }
}

/// What cannot be asked about is not given either.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_origin_is_away_too_an_error_is_given_and_not_what_may_be_purged() {
    let plan = Fleet::plan(DOCS).admin(&json!({"max_unsynced_seconds": 1}));
    let mut fleet = start(plan).await;
    Version::at(&fleet.origin, "/doc");
    let mut client = fleet.client(0).await;
    settle(&mut client, "/doc").await;
    for admin in &mut fleet.admins {
        admin.kill();
    }
    fleet.origin.go_down().await.unwrap();
    eventually("nothing is given unasked", PATIENCE, async || {
        client.send(get("/doc")).await.unwrap().status == 503
    })
    .await;
}
