//! Memory has an end.

use std::sync::Arc;

use larder_admin::store::{Bounds, Heat, NewRecord, Store};
use larder_core::key::KeyDigest;

use crate::stage::{append, at, digest, entry};

#[tokio::test]
async fn entries_make_room_and_the_least_recently_read_go_first() {
    let store = Store::memory(Bounds {
        entries_bytes: 10_000,
        ..Bounds::USUAL
    });
    let frame = "x".repeat(1500);
    for number in 1..=5 {
        let entry = entry(at(5), 9, &frame);
        store.put_entry(digest(number), &entry).await.unwrap();
    }
    assert!(store.entry(digest(1)).await.unwrap().is_some());
    for number in 6..=7 {
        let entry = entry(at(5), 9, &frame);
        store.put_entry(digest(number), &entry).await.unwrap();
    }
    let mut left = Vec::new();
    for number in 1..=7 {
        if store.entry(digest(number)).await.unwrap().is_some() {
            left.push(number);
        }
    }
    assert_eq!(left, [1, 4, 5, 6, 7]);
}

#[tokio::test]
async fn one_that_is_larger_than_all_of_it_is_not_kept() {
    let store = Store::memory(Bounds {
        entries_bytes: 1000,
        ..Bounds::USUAL
    });
    let large = entry(at(5), 9, &"x".repeat(2000));
    store.put_entry(digest(1), &large).await.unwrap();
    assert_eq!(store.entry(digest(1)).await.unwrap(), None);
    let small = entry(at(5), 9, "x");
    store.put_entry(digest(2), &small).await.unwrap();
    assert!(store.entry(digest(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_log_has_an_end_in_bytes_too() {
    let store = Store::memory(Bounds {
        log_bytes: 100_000,
        ..Bounds::USUAL
    });
    let record = NewRecord {
        said: None,
        body: "x".repeat(10_000).into(),
    };
    for _ in 0..20 {
        append(&store, std::slice::from_ref(&record)).await;
    }
    let extent = store.extent().await.unwrap();
    assert_eq!(extent.end.position, 20);
    assert_eq!(extent.oldest, Some(12));
}

#[tokio::test]
async fn what_is_hot_has_a_place_for_so_many() {
    let store = Store::memory(Bounds {
        heat: 10,
        ..Bounds::USUAL
    });
    for number in 1..=100_u64 {
        let name = Arc::from(number.to_string());
        let heat = Heat {
            name,
            count: number,
        };
        store.add_heat(&[heat]).await.unwrap();
    }
    let found = store.hottest(1000).await.unwrap();
    let names: Vec<&str> = found.iter().map(|heat| &*heat.name).collect();
    let expected = ["100", "99", "98", "97", "96", "95", "94", "93", "92", "91"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn many_leads_hold_nobody_up() {
    let store = Store::memory(Bounds::USUAL);
    let minute = std::time::Duration::from_secs(60);
    let mut last = 0;
    for number in 0..70_000_u128 {
        let digest = KeyDigest(number.to_be_bytes());
        match store.lease(digest, minute).await.unwrap() {
            larder_admin::store::Lease::Granted(fence) => {
                assert!(fence > last);
                last = fence;
            }
            lease @ larder_admin::store::Lease::Held(_) => panic!("{lease:?}"),
        }
    }
}
