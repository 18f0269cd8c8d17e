//! Instances whose clocks differ.

use larder_core::entry::Epoch;
use larder_core::time::Timestamp;
use larder_core::wire::Frame;
use larder_harness::admin;
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, poll};
use serde_json::json;

use super::hostile::entry_keys;
use super::{DOCS, settle, start};
use crate::stage::x_cache;

/// The frame of what stands under `/doc` in the fleet, where it stands, and up to where it is good.
async fn frame(fleet: &Fleet) -> (String, Vec<u8>, String) {
    let digest = eventually_shared(fleet).await;
    let path = format!("/v1/entries/{digest}");
    let answer = fleet.admins[0]
        .send(admin::wire("GET", &path))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let cursor = answer.header("larder-cursor").unwrap().to_owned();
    (path, answer.body.to_vec(), cursor)
}

/// The digest of `/doc`, once it is shared: what is in the store under a key that ends in it.
async fn eventually_shared(fleet: &Fleet) -> String {
    let shared = poll(PATIENCE, async || {
        (fleet.told(0, "put", "ok").await > 0).then_some(())
    });
    if shared.await.is_none() {
        panic!("it is not shared: {:?}", fleet.counters(0).await);
    }
    let key = entry_keys(fleet).await.remove(0);
    let (_, behind) = key.split_once('{').unwrap();
    behind.split_once('}').unwrap().0.to_owned()
}

/// As if by an instance whose clock is `skew` seconds ahead of (or behind) all others.
fn skewed(frame: &[u8], skew: i64) -> Vec<u8> {
    let frame = Frame::decode(frame).unwrap();
    let nanos = frame.clock.as_nanos();
    let clock = Timestamp::from_nanos(nanos.saturating_add_signed(skew * 1_000_000_000));
    let imported = frame.import(clock, Epoch::UNKNOWN).unwrap();
    let times = (imported.started, imported.expires);
    Frame::encode(clock, &imported.key, times, &imported.payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_ten_minutes_apart_do_not_meet() {
    for skew in [600, -600] {
        let mut fleet = start(
            Fleet::plan(DOCS)
                .envoys(1)
                .admin(&json!({"timeout_ms": 5000})),
        )
        .await;
        fleet
            .origin
            .on("/doc", Reply::ok("document").header("age", "50"));
        settle(&mut fleet.client(0).await, "/doc").await;
        let (path, bytes, cursor) = frame(&fleet).await;
        let put = admin::wire("PUT", &path)
            .header("larder-cursor", cursor)
            .header("larder-keep-ms", "600000")
            .body(skewed(&bytes, skew));
        let answer = fleet.admins[1].send(put).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
        let late = fleet.add_envoy().await.unwrap();
        fleet.meet().await.unwrap();
        let answer = fleet.get(late, "/doc").await;
        let counters = fleet.counters(late).await;
        assert_eq!(x_cache(&answer), "HIT", "{skew}: {answer:?} {counters:?}");
        let age: u64 = answer.header("age").unwrap().parse().unwrap();
        assert!((50..110).contains(&age), "{skew}: {age}");
        assert_eq!(fleet.origin.count("/doc"), 1);
    }
}
