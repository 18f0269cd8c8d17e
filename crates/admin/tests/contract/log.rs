//! The log.

use std::collections::HashSet;
use std::time::Duration;

use larder_admin::store::{Loss, NewRecord, Reading, Said};
use larder_core::fleet::Cursor;
use larder_harness::wait::{PATIENCE, poll};
use tokio::time::timeout;

use crate::stage::{Stage, append, beginning, instance, records, said, word};

pub(crate) async fn records_come_back_in_their_order(stage: &Stage) {
    let store = stage.replica().await;
    let start = beginning(&store).await;
    let appended = append(&store, &[word(1, 1), word(2, 1), word(1, 2)]).await;
    let (found, cursor, more) = records(store.read(start, 10).await);
    let ids: Vec<Option<Cursor>> = found.iter().map(|record| Some(record.at)).collect();
    assert_eq!(ids, appended.ids);
    assert_eq!((cursor, more), (appended.end, false));
    let positions: Vec<u64> = found.iter().map(|record| record.at.position).collect();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(Some(found[2].said), word(1, 2).said);
    assert_eq!(found[2].body, word(1, 2).body);
    assert!(found[2].age < PATIENCE);
}

pub(crate) async fn what_was_said_before_is_not_said_again(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let first = append(&one, &[word(1, 1), word(1, 2)]).await;
    let again = append(&other, &[word(1, 1), word(1, 2), word(1, 3)]).await;
    assert_eq!(again.ids[..2], first.ids[..]);
    assert_eq!(again.end.position, 3);
    assert_eq!(again.ids[2], Some(again.end));
    let all = append(&one, &[word(1, 3)]).await;
    assert_eq!((all.ids, all.end), (vec![Some(again.end)], again.end));
}

pub(crate) async fn the_service_does_not_count(stage: &Stage) {
    let store = stage.replica().await;
    let record = NewRecord {
        said: None,
        body: "{}".into(),
    };
    let appended = append(&store, &[record.clone(), record]).await;
    let found = store.record(appended.end).await.unwrap().unwrap();
    assert_eq!(found.said, Said::by_the_service(2));
    assert_eq!(store.last_said(10).await.unwrap(), []);
}

pub(crate) async fn a_reader_goes_on_behind_what_it_has(stage: &Stage) {
    let store = stage.replica().await;
    let ids = said(&store, 5).await;
    let (found, cursor, more) = records(store.read(ids[0], 3).await);
    assert_eq!((found.len(), cursor, more), (3, ids[3], true));
    let (found, cursor, more) = records(store.read(cursor, 3).await);
    assert_eq!((found.len(), cursor, more), (1, ids[4], false));
    let (found, cursor, more) = records(store.read(cursor, 3).await);
    assert_eq!((found.len(), cursor, more), (0, ids[4], false));
}

pub(crate) async fn a_cursor_of_another_log_is_found_out(stage: &Stage) {
    let store = stage.replica().await;
    let end = said(&store, 2).await[1];
    let elsewhere = Cursor {
        log: end.log ^ 1,
        ..end
    };
    let loss = Loss::OtherLog;
    let reset = Reading::Reset { cursor: end, loss };
    assert_eq!(store.read(elsewhere, 10).await.unwrap(), reset);
    assert_eq!(store.record(elsewhere).await.unwrap(), None);
}

pub(crate) async fn a_cursor_ahead_is_found_out(stage: &Stage) {
    let store = stage.replica().await;
    let end = said(&store, 2).await[1];
    let ahead = Cursor { position: 3, ..end };
    let loss = Loss::Rewritten;
    let reset = Reading::Reset { cursor: end, loss };
    assert_eq!(store.read(ahead, 10).await.unwrap(), reset);
    assert_eq!(store.record(ahead).await.unwrap(), None);
}

pub(crate) async fn another_record_at_that_place_is_found_out(stage: &Stage) {
    let store = stage.replica().await;
    let ids = said(&store, 3).await;
    let other = Cursor {
        check: ids[1].check ^ 1,
        ..ids[1]
    };
    let (cursor, loss) = (ids[2], Loss::Rewritten);
    let reset = Reading::Reset { cursor, loss };
    assert_eq!(store.read(other, 10).await.unwrap(), reset);
    assert_eq!(store.record(other).await.unwrap(), None);
}

pub(crate) async fn a_trimmed_cursor_is_found_out(stage: &Stage) {
    let store = stage.replica().await;
    let start = beginning(&store).await;
    let ids = said(&store, 1000).await;
    let (cursor, loss) = (ids[999], Loss::Trimmed);
    let reset = Reading::Reset { cursor, loss };
    assert_eq!(store.read(start, 10).await.unwrap(), reset);
    assert_eq!(store.read(ids[5], 10).await.unwrap(), reset);
    assert_eq!(store.record(ids[5]).await.unwrap(), None);
    let (found, ..) = records(store.read(ids[990], 10).await);
    assert_eq!(found.len(), 9);
}

pub(crate) async fn a_reader_from_the_oldest_gets_what_is_retained(stage: &Stage) {
    let store = stage.replica().await;
    let start = beginning(&store).await;
    let nothing = (vec![], start, false);
    assert_eq!(records(store.read_oldest(10).await), nothing);
    let ids = said(&store, 1000).await;
    let oldest = store.extent().await.unwrap().oldest.unwrap();
    assert!((400..=901).contains(&oldest), "{oldest}");
    let (found, cursor, more) = records(store.read_oldest(10).await);
    assert_eq!(found[0].at.position, oldest);
    assert_eq!((found.len(), more), (10, true));
    let (rest, cursor, more) = records(store.read(cursor, 1000).await);
    assert_eq!((cursor, more), (ids[999], false));
    assert_eq!(rest.len() as u64, 1000 - oldest - 9);
}

pub(crate) async fn the_place_before_the_first_record_is_a_cursor_too(stage: &Stage) {
    let store = stage.replica().await;
    let start = beginning(&store).await;
    assert_eq!(records(store.read(start, 10).await), (vec![], start, false));
    said(&store, 1).await;
    assert_eq!(records(store.read(start, 10).await).0.len(), 1);
}

pub(crate) async fn a_record_is_found_by_its_cursor(stage: &Stage) {
    let store = stage.replica().await;
    let ids = said(&store, 3).await;
    let found = store.record(ids[1]).await.unwrap().unwrap();
    assert_eq!((found.at, found.body), (ids[1], word(1, 2).body));
    let start = Cursor {
        position: 0,
        check: 0,
        ..ids[1]
    };
    assert_eq!(store.record(start).await.unwrap(), None);
}

pub(crate) async fn who_spoke_last_comes_first(stage: &Stage) {
    let store = stage.replica().await;
    append(&store, &[word(1, 1), word(2, 7), word(3, 1), word(1, 2)]).await;
    let expected = [(1, 2), (3, 1), (2, 7)].map(|(by, seq)| word(by, seq).said.unwrap());
    assert_eq!(store.last_said(10).await.unwrap(), expected);
    assert_eq!(store.last_said(2).await.unwrap(), expected[..2]);
}

pub(crate) async fn a_watch_wakes_when_the_log_grows(stage: &Stage) {
    let (one, other) = (stage.replica().await, stage.replica().await);
    let mut watch = one.watch();
    let start = beginning(&one).await;
    append(&other, &[word(1, 1)]).await;
    poll(PATIENCE, async || {
        watch.changed().await;
        let (found, ..) = records(one.read(start, 10).await);
        (found.len() == 1).then_some(())
    })
    .await
    .expect("woken, and it is there");
}

/// Instances speak through replicas as they like, and repeat themselves; each word is there once, in its speaker's order.
pub(crate) async fn many_append_and_nothing_is_lost_or_twice(stage: &Stage) {
    const EACH: u64 = 20;
    let mut tasks = Vec::new();
    for by in 1..=4 {
        let (one, other) = (stage.replica().await, stage.replica().await);
        tasks.push(tokio::spawn(async move {
            for seq in 1..=EACH {
                let words = [word(by, seq.max(2) - 1), word(by, seq)];
                let (a, b) = tokio::join!(append(&one, &words), append(&other, &words));
                assert_eq!(a.ids, b.ids);
            }
        }));
    }
    for task in tasks {
        timeout(PATIENCE, task).await.expect("in time").unwrap();
    }
    let (found, ..) = records(stage.replica().await.read_oldest(1000).await);
    assert_eq!(found.len() as u64, 4 * EACH);
    let places: HashSet<u64> = found.iter().map(|record| record.at.position).collect();
    assert_eq!(places.len(), found.len());
    for by in 1..=4 {
        let seqs: Vec<u64> = found
            .iter()
            .filter(|record| record.said.by == instance(by))
            .map(|record| record.said.seq)
            .collect();
        assert_eq!(seqs, (1..=EACH).collect::<Vec<u64>>());
    }
    assert!(
        found
            .iter()
            .all(|record| record.age < Duration::from_secs(60))
    );
}
