//! What is damaged, lost or behind is never taken for what it was.

use crate::epoch::{Currency, Mode};
use crate::time::Timestamp;

use super::super::{Cas, SharedKv};
use super::fleet_log::FleetLog;
use super::invalidations::{hard, of_all};
use super::process::Process;

#[test]
fn a_damaged_sheet_is_no_contact_and_a_damaged_outbox_another_instance() {
    for cell in ["larder1j", "larder1u", "larder1n"] {
        let (mut process, mut log) = (Process::new(), FleetLog::default());
        process.follow(&log);
        process.note(0, &hard(1));
        process.post(&mut log);
        process.note(0, &hard(2));
        let before = process.bearings();
        process.kv.set(cell, b"", Cas::UNCONDITIONAL).unwrap();
        let after = process.bearings();
        assert_eq!(after.cursor(), None, "{cell}");
        let is_same = before.instance() == after.instance();
        assert_eq!(is_same, cell == "larder1j", "{cell}");
        assert_eq!(after.instance(), process.bearings().instance());
        let epoch = process.now();
        process.follow(&log);
        assert_eq!(process.judge(epoch, 9), Currency::Gone, "{cell}");
        // What had not been said is said, and everything where that is lost.
        process.post(&mut log);
        let lost = match cell {
            "larder1u" => of_all(Mode::Hard),
            _ => hard(2),
        };
        let mut said = log.records.iter();
        assert!(said.any(|record| record.invalidation == lost), "{cell}");
        process.note(1, &hard(3));
        process.post(&mut log);
        let last = log.records.last().unwrap();
        assert_eq!(last.invalidation, hard(3), "{cell}");
        process.follow(&log);
        assert!(process.bearings().epoch_at(log.end()).is_some());
    }
}

/// A store that fails over to one that is behind gives its place to another.
#[test]
fn what_the_store_has_lost_is_said_again() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    log.say(hard(1));
    process.follow(&log);
    process.note(0, &hard(2));
    process.post(&mut log);
    assert_eq!(process.bearings().pending(), 0);
    log.records.pop();
    log.say(hard(3));
    process.follow(&log);
    assert_eq!(process.bearings().pending(), 1);
    process.post(&mut log);
    let last = log.records.last().unwrap();
    assert_eq!(last.invalidation, hard(2));
    process.follow(&log);
    assert_eq!(process.journals[0].batch(&process.kv), Ok(None));
    assert_eq!(process.bearings().epoch_at(log.end()), Some(process.now()));
}

/// What was noted in it would not be met in the next.
#[test]
fn when_the_local_order_ends_nothing_is_brought_in_that_it_would_have_met() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    log.say(hard(1));
    process.follow(&log);
    process.note(0, &hard(2));
    process.kv.set("larder1e", b"", Cas::UNCONDITIONAL).unwrap();
    process
        .epochs
        .iter()
        .for_each(|epochs| epochs.borrow_mut().doubt());
    process.follow(&log);
    let bearings = process.bearings();
    assert_eq!(bearings.epoch_at(log.end()), None, "it has not come back");
    assert_eq!(bearings.cursor_at(process.now()), Some(log.end()));
    process.post(&mut log);
    process.follow(&log);
    let bearings = process.bearings();
    let known = |count| bearings.epoch_at(log.at(count));
    assert_eq!([0, 1].map(known), [None, None]);
    let brought_in = known(2).unwrap();
    assert_eq!(process.judge(brought_in, 2), Currency::Current);
}

#[test]
fn a_log_that_was_lost_is_followed_from_its_end() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    process.note(0, &hard(1));
    process.post(&mut log);
    let mut next = FleetLog {
        log: 2,
        ..FleetLog::default()
    };
    next.say(hard(7));
    let epoch = process.now();
    process.follow(&next);
    assert_eq!(process.judge(epoch, 9), Currency::Gone);
    let bearings = process.bearings();
    assert_eq!(bearings.cursor(), Some(next.end()));
    // What was durable in the log that is gone stands in nobody's way.
    assert_eq!(bearings.epoch_at(next.end()), Some(process.now()));
    let _: Timestamp = bearings.synced().unwrap();
}
