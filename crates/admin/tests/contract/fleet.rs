//! Instances, acknowledgements, configuration, documents, heat.

use std::sync::Arc;
use std::time::Duration;

use larder_admin::store::{Heat, Replaced, Store};
use larder_core::fleet::Cursor;
use larder_harness::wait::{PATIENCE, eventually, poll};
use tokio::time::{Instant, timeout};

use crate::stage::{Stage, instance, said};

pub(crate) async fn instances_are_as_they_were_heard_of_last(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert_eq!(one.instances().await.unwrap(), []);
    let ids = said(&one, 2).await;
    one.report(instance(2), None, "{}").await.unwrap();
    one.report(instance(1), Some(ids[0]), r#"{"a": 1}"#)
        .await
        .unwrap();
    other
        .report(instance(1), Some(ids[1]), r#"{"a": "ä"}"#)
        .await
        .unwrap();
    let all = other.instances().await.unwrap();
    let names = [instance(1), instance(2)];
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), names);
    assert_eq!(all[0].applied, Some(ids[1]));
    assert_eq!(&*all[0].report, r#"{"a": "ä"}"#);
    assert_eq!((all[1].applied, &*all[1].report), (None, "{}"));
    assert!(all.iter().all(|one| one.age < PATIENCE));
    // A poll says how far it is, too.
    one.acknowledge(instance(2), ids[0]).await.unwrap();
    one.acknowledge(instance(1), ids[0]).await.unwrap();
    let all = other.instances().await.unwrap();
    let applied = [all[0].applied, all[1].applied];
    assert_eq!(applied, [Some(ids[1]), Some(ids[0])]);
    // A report that was written before the last poll does not take it back.
    for applied in [Some(ids[0]), None] {
        one.report(instance(1), applied, "{}").await.unwrap();
    }
    assert_eq!(other.instances().await.unwrap()[0].applied, Some(ids[1]));
}

/// The instances that have applied what stands at `cursor`, by the order of their ids.
async fn who(store: &Store, cursor: Cursor) -> Vec<u64> {
    let found = store.acknowledged(cursor).await.unwrap().unwrap();
    assert_eq!(found.record.at, cursor);
    assert!(found.by.iter().all(|one| one.lag <= found.record.age));
    assert!(found.by.is_sorted_by_key(|one| one.lag));
    let mut ids: Vec<u64> = found
        .by
        .iter()
        .map(|one| one.instance.0 & 0xffff_ffff)
        .collect();
    ids.sort_unstable();
    ids
}

pub(crate) async fn an_acknowledgement_says_who_and_when(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let ids = said(&one, 3).await;
    assert!(who(&one, ids[0]).await.is_empty());
    one.acknowledge(instance(1), ids[0]).await.unwrap();
    other.acknowledge(instance(2), ids[2]).await.unwrap();
    one.report(instance(3), Some(ids[1]), "{}").await.unwrap();
    assert_eq!(who(&other, ids[0]).await, [1, 2, 3]);
    assert_eq!(who(&other, ids[1]).await, [2, 3]);
    assert_eq!(who(&other, ids[2]).await, [2]);
    // Going on does not change when that was.
    let before = one.acknowledged(ids[0]).await.unwrap().unwrap().by;
    one.acknowledge(instance(1), ids[2]).await.unwrap();
    one.acknowledge(instance(1), ids[0]).await.unwrap();
    let after = one.acknowledged(ids[0]).await.unwrap().unwrap().by;
    assert_eq!(before, after);
    assert_eq!(who(&other, ids[2]).await, [1, 2]);
}

pub(crate) async fn an_acknowledgement_of_another_log_counts_for_nothing(stage: &Stage) {
    let store = stage.replica().await;
    let ids = said(&store, 2).await;
    let elsewhere = Cursor {
        log: ids[1].log ^ 1,
        ..ids[1]
    };
    let ahead = Cursor {
        position: 1000,
        ..ids[1]
    };
    store.acknowledge(instance(1), elsewhere).await.unwrap();
    store.acknowledge(instance(2), ahead).await.unwrap();
    assert!(who(&store, ids[0]).await.is_empty());
    assert_eq!(store.acknowledged(elsewhere).await.unwrap(), None);
    assert_eq!(store.acknowledged(ahead).await.unwrap(), None);
}

pub(crate) async fn a_configuration_is_replaced_by_who_has_seen_it(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert_eq!(one.config().await.unwrap(), None);
    let none = Replaced::Conflict(0);
    assert_eq!(one.put_config(1, "{}").await.unwrap(), none);
    let (a, b) = tokio::join!(one.put_config(0, "a"), other.put_config(0, "b"));
    let (version, body) = match (a.unwrap(), b.unwrap()) {
        (Replaced::Stored(version), Replaced::Conflict(there)) if version == there => (there, "a"),
        (Replaced::Conflict(there), Replaced::Stored(version)) if version == there => (there, "b"),
        both => panic!("{both:?}"),
    };
    let found = other.config().await.unwrap().unwrap();
    assert_eq!((found.version, &*found.body), (version, body));
    let Replaced::Stored(next) = one.put_config(version, "c").await.unwrap() else {
        panic!("that was seen");
    };
    assert!(next > version);
    let conflict = other.put_config(version, "d").await.unwrap();
    assert_eq!(conflict, Replaced::Conflict(next));
    assert_eq!(&*one.config().await.unwrap().unwrap().body, "c");
}

pub(crate) async fn a_watch_wakes_when_the_configuration_changes(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let mut watch = one.watch();
    let looking = poll(PATIENCE, async || {
        watch.changed().await;
        one.config().await.unwrap()
    });
    let (looked, stored) = tokio::join!(timeout(PATIENCE, looking), other.put_config(0, "{}"));
    let found = looked.expect("woken").unwrap();
    assert_eq!(stored.unwrap(), Replaced::Stored(found.version));
}

pub(crate) async fn a_document_stays_for_its_time(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert_eq!(one.document("receipt:1").await.unwrap(), None);
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(300));
    one.put_document("receipt:1", "a", long).await.unwrap();
    one.put_document("receipt:1", "ä", long).await.unwrap();
    let found = other.document("receipt:1").await.unwrap();
    assert_eq!(found.as_deref(), Some("ä"));
    let before = Instant::now();
    one.put_document("receipt:2", "b", short).await.unwrap();
    eventually("the document leaves", PATIENCE, async || {
        other.document("receipt:2").await.unwrap().is_none()
    })
    .await;
    assert!(before.elapsed() >= short);
    assert!(other.document("receipt:1").await.unwrap().is_some());
    other.remove_document("receipt:1").await.unwrap();
    assert_eq!(one.document("receipt:1").await.unwrap(), None);
}

fn heat(name: &str, count: u64) -> Heat {
    let name = Arc::from(name);
    Heat { name, count }
}

pub(crate) async fn the_hottest_come_first(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    assert_eq!(one.hottest(10).await.unwrap(), []);
    let long = "x".repeat(9 << 10);
    one.add_heat(&[heat("/a", 100), heat("/ä", 250), heat(&long, 900)])
        .await
        .unwrap();
    other.add_heat(&[]).await.unwrap();
    other
        .add_heat(&[heat("/a", 300), heat("/c", 1)])
        .await
        .unwrap();
    let found = one.hottest(2).await.unwrap();
    let names: Vec<&str> = found.iter().map(|heat| &*heat.name).collect();
    assert_eq!(names, ["/a", "/ä"]);
    // It has become a little less since.
    assert!((380..=400).contains(&found[0].count), "{found:?}");
    assert_eq!(other.hottest(10).await.unwrap().len(), 3);
}

pub(crate) async fn it_answers(stage: &Stage) {
    let store = stage.replica().await;
    store.ping().await.unwrap();
    assert!(!store.to_string().contains('@'), "{store}");
}
