//! Entries, and who may fetch them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use larder_admin::store::{Lease, NewEntry, Put, Store, StoreError};
use larder_core::key::KeyDigest;
use larder_harness::wait::{PATIENCE, eventually};
use tokio::time::{Instant, timeout};

use crate::stage::{BOUNDS, Stage, at, digest, entry};

const MINUTE: Duration = Duration::from_secs(60);

async fn put(store: &Store, entry: &NewEntry) -> Put {
    store.put_entry(digest(1), entry).await.unwrap()
}

async fn frame(store: &Store) -> Option<Bytes> {
    let found = store.entry(digest(1)).await.unwrap();
    found.map(|entry| entry.frame)
}

async fn granted(store: &Store) -> u64 {
    match store.lease(digest(1), MINUTE).await.unwrap() {
        Lease::Granted(fence) => fence,
        lease @ Lease::Held(_) => panic!("{lease:?}"),
    }
}

pub(crate) async fn an_entry_comes_back_as_it_was(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert_eq!(one.entry(digest(1)).await.unwrap(), None);
    let compressible = "abc".repeat(10_000);
    for text in ["", "short", &compressible] {
        assert_eq!(put(&one, &entry(at(5), 9, text)).await, Put::Stored);
        let found = other.entry(digest(1)).await.unwrap().unwrap();
        assert_eq!((found.cursor, found.fence), (at(5), 9));
        assert_eq!(found.frame, text.as_bytes());
        assert!(found.age < PATIENCE);
        assert!(found.left <= MINUTE && found.left > MINUTE - PATIENCE);
    }
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let noisy = NewEntry {
        frame: Bytes::from(noise.clone()),
        ..entry(at(u64::MAX), u64::MAX, "")
    };
    assert_eq!(put(&one, &noisy).await, Put::Stored);
    let found = other.entry(digest(1)).await.unwrap().unwrap();
    assert_eq!((found.cursor, found.fence), (at(u64::MAX), u64::MAX));
    assert!(found.frame == noise);
}

pub(crate) async fn an_entry_leaves_when_its_time_is_up(stage: &Stage) {
    let store = stage.replica().await;
    let keep = Duration::from_millis(300);
    let before = Instant::now();
    put(
        &store,
        &NewEntry {
            keep,
            ..entry(at(5), 9, "a")
        },
    )
    .await;
    eventually("the entry leaves", PATIENCE, async || {
        frame(&store).await.is_none()
    })
    .await;
    assert!(before.elapsed() >= keep);
    // And what has left outranks nothing.
    assert_eq!(put(&store, &entry(at(1), 1, "b")).await, Put::Stored);
}

pub(crate) async fn what_was_fetched_earlier_does_not_replace(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    put(&one, &entry(at(5), 9, "a")).await;
    assert_eq!(put(&other, &entry(at(4), 9, "b")).await, Put::Older);
    assert_eq!(frame(&one).await.unwrap(), "a");
    assert_eq!(put(&other, &entry(at(5), 9, "c")).await, Put::Stored);
    assert_eq!(put(&other, &entry(at(10), 9, "d")).await, Put::Stored);
    assert_eq!(frame(&one).await.unwrap(), "d");
}

pub(crate) async fn a_later_lead_wins_over_an_earlier_one(stage: &Stage) {
    let store = stage.replica().await;
    put(&store, &entry(at(5), 9, "a")).await;
    assert_eq!(put(&store, &entry(at(6), 8, "b")).await, Put::Older);
    assert_eq!(put(&store, &entry(at(4), 10, "c")).await, Put::Stored);
    assert_eq!(frame(&store).await.unwrap(), "c");
}

pub(crate) async fn without_a_lead_the_cursor_decides(stage: &Stage) {
    let store = stage.replica().await;
    put(&store, &entry(at(5), 9, "a")).await;
    assert_eq!(put(&store, &entry(at(4), 0, "b")).await, Put::Older);
    assert_eq!(put(&store, &entry(at(5), 0, "c")).await, Put::Stored);
    assert_eq!(put(&store, &entry(at(4), 10, "d")).await, Put::Older);
    assert_eq!(put(&store, &entry(at(5), 1, "e")).await, Put::Stored);
    assert_eq!(frame(&store).await.unwrap(), "e");
}

pub(crate) async fn an_entry_of_another_log_gives_way(stage: &Stage) {
    let store = stage.replica().await;
    put(&store, &entry(at(5), 9, "a")).await;
    let mut later = entry(at(1), 1, "b");
    later.cursor.log ^= 1;
    assert_eq!(put(&store, &later).await, Put::Stored);
    assert_eq!(frame(&store).await.unwrap(), "b");
}

pub(crate) async fn removed_is_gone(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert!(!one.remove_entry(digest(1)).await.unwrap());
    put(&one, &entry(at(5), 9, "a")).await;
    assert!(other.remove_entry(digest(1)).await.unwrap());
    assert_eq!(frame(&one).await, None);
    assert_eq!(put(&one, &entry(at(1), 1, "b")).await, Put::Stored);
}

pub(crate) async fn only_what_was_seen_is_discarded(stage: &Stage) {
    let store = stage.replica().await;
    put(&store, &entry(at(5), 9, "a")).await;
    let seen = store.entry(digest(1)).await.unwrap().unwrap();
    put(&store, &entry(at(6), 9, "b")).await;
    assert!(!store.discard(digest(1), &seen).await.unwrap());
    assert_eq!(frame(&store).await.unwrap(), "b");
    let seen = store.entry(digest(1)).await.unwrap().unwrap();
    assert!(store.discard(digest(1), &seen).await.unwrap());
    assert_eq!(frame(&store).await, None);
}

pub(crate) async fn an_entry_too_large_is_refused(stage: &Stage) {
    let store = stage.replica().await;
    let limit = BOUNDS.entry_bytes;
    let frame = Bytes::from(vec![b'a'; limit + 1]);
    let large = NewEntry {
        frame,
        ..entry(at(5), 9, "")
    };
    let refused = store.put_entry(digest(1), &large).await;
    let bytes = limit + 1;
    assert_eq!(refused, Err(StoreError::TooLarge { bytes, limit }));
    assert_eq!(store.entry(digest(1)).await.unwrap(), None);
}

pub(crate) async fn a_walk_finds_all_entries(stage: &Stage) {
    let store = stage.replica().await;
    for number in 1..=200 {
        let entry = entry(at(5), 9, &number.to_string());
        store.put_entry(digest(number), &entry).await.unwrap();
    }
    granted(&store).await;
    let mut scan = stage.replica().await.scan();
    let mut found = BTreeMap::new();
    while let Some(piece) = scan.next().await.unwrap() {
        for (KeyDigest([number, ..]), entry) in piece {
            found.insert(number, entry.frame);
        }
    }
    let expected = (1..=200).map(|number: u8| (number, Bytes::from(number.to_string())));
    assert_eq!(found, expected.collect());
}

pub(crate) async fn one_leads_and_the_others_are_told_for_how_long(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert!(granted(&one).await > 0);
    match other.lease(digest(1), MINUTE).await.unwrap() {
        Lease::Held(left) => assert!(left <= MINUTE && left > MINUTE - PATIENCE),
        lease @ Lease::Granted(_) => panic!("{lease:?}"),
    }
    let elsewhere = other.lease(digest(2), MINUTE).await.unwrap();
    assert!(matches!(elsewhere, Lease::Granted(_)));
}

pub(crate) async fn a_lead_ends_with_its_time(stage: &Stage) {
    let store = stage.replica().await;
    let length = Duration::from_millis(300);
    let before = Instant::now();
    store.lease(digest(1), length).await.unwrap();
    eventually("the lead ends", PATIENCE, async || {
        let lease = store.lease(digest(1), MINUTE).await.unwrap();
        matches!(lease, Lease::Granted(_))
    })
    .await;
    assert!(before.elapsed() >= length);
}

pub(crate) async fn only_who_leads_can_end_the_lead(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let fence = granted(&one).await;
    assert!(!other.release(digest(1), fence - 1).await.unwrap());
    assert!(!other.release(digest(1), fence + 1).await.unwrap());
    let held = other.lease(digest(1), MINUTE).await.unwrap();
    assert!(matches!(held, Lease::Held(_)));
    assert!(other.release(digest(1), fence).await.unwrap());
    assert!(!other.release(digest(1), fence).await.unwrap());
    granted(&other).await;
}

pub(crate) async fn numbers_of_leads_only_grow(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let mut last = 0;
    for turn in 0..50 {
        let store = if turn % 2 == 0 { &one } else { &other };
        let fence = granted(store).await;
        assert!(fence > last, "{fence} after {last}");
        last = fence;
        store.release(digest(1), fence).await.unwrap();
    }
}

pub(crate) async fn a_watch_wakes_when_an_entry_comes(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let mut watch = one.watch_digest(digest(1));
    let looking = async {
        while frame(&one).await.is_none() {
            watch.changed().await;
        }
    };
    let entry = entry(at(5), 9, "a");
    let (looked, _) = tokio::join!(timeout(PATIENCE, looking), put(&other, &entry));
    looked.expect("woken");
}

pub(crate) async fn a_watch_wakes_when_a_lead_ends(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let fence = granted(&other).await;
    let mut watch = one.watch_digest(digest(1));
    let looking = async {
        while matches!(one.lease(digest(1), MINUTE).await.unwrap(), Lease::Held(_)) {
            watch.changed().await;
        }
    };
    let ending = other.release(digest(1), fence);
    let (looked, ended) = tokio::join!(timeout(PATIENCE, looking), ending);
    assert!(ended.unwrap());
    looked.expect("woken");
}
