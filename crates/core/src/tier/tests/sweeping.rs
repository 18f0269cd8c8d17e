//! What the sweep does about invalidations, and tells.

use crate::entry::{Coding, Epoch, Meta, Stamp, StampList, StoredResponse, TagList, TagSources};
use crate::entry::{encode_response, sample};
use crate::epoch::{Coverage, Currency, Invalidation, Mode, NamePattern};

use super::super::outcome::{Candidate, Stored, UNCONCERNED};
use super::super::{
    Completeness, EpochLog, MemoryGauge, MemoryKv, NoReceipt, Order, Receipt, SharedTier,
    SweepPace, TickReport,
};
use super::NOW;
use super::invalidations::{Entry, Plain, of_all, of_names, of_path, of_stamps};
use super::{at, tier};

struct Worker {
    kv: MemoryKv,
    gauge: MemoryGauge,
    hint: Plain,
    tier: SharedTier,
    log: EpochLog,
    now: u64,
}

impl Worker {
    fn new() -> Self {
        Self {
            kv: MemoryKv::new(),
            gauge: MemoryGauge::new(),
            hint: Plain::default(),
            tier: tier(8 * 64, 1),
            log: EpochLog::new(1, 4096),
            now: 1_000,
        }
    }

    fn store(&mut self, path: &str, stamp: u64) {
        let epoch = self.log.now(&self.kv, &self.hint);
        let mut tags = TagList::default();
        tags.push(TagSources::RULE, format!("tag:{stamp}").as_bytes());
        let stamps: StampList = [Stamp(stamp)].into_iter().collect();
        let response = StoredResponse {
            meta: Meta {
                epoch,
                ..sample().meta
            },
            stamps: stamps.as_stamps(),
            tags: tags.as_names(),
            coding: Coding::Gzip { length: 400 },
            body: &[7; 100],
            ..sample()
        };
        let candidate = Candidate {
            key: &of_path(path),
            started: at(self.now),
            expires: at(self.now + 1_000),
            payload: &encode_response(&response).unwrap(),
            currency: UNCONCERNED,
        };
        let stored = self
            .tier
            .store(&self.kv, &self.gauge, candidate, at(self.now));
        assert_eq!(stored, Stored::Published);
    }

    fn purge(&mut self, by: &Invalidation) -> (Epoch, u64) {
        let epoch = self.log.append(&self.kv, &self.hint, by, NOW).unwrap();
        (epoch, Receipt::open(&self.kv, epoch, &by.coverage).unwrap())
    }

    fn tick(&mut self) -> TickReport {
        self.now += 1;
        let mut order = Order {
            log: &mut self.log,
            hint: &self.hint,
        };
        let report = self
            .tier
            .tend((&self.kv, &self.gauge), Some(&mut order), at(self.now));
        assert_eq!(report.trouble, None);
        let applied = self.log.now(&self.kv, &self.hint); // it keeps nothing
        self.tier.note_applied(&self.kv, applied);
        report
    }

    /// Ticks until the sweep is in no hurry.
    fn finish(&mut self) -> TickReport {
        for _ in 0..20 {
            let report = self.tick();
            if report.pace == SweepPace::Rest {
                self.tick(); // receipts wait for what this worker says of its own memory
                return report;
            }
        }
        panic!("the sweep hurries for ever");
    }

    fn paths(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        for set in 0..self.tier.geometry().unwrap().sets() {
            let mut see =
                |entry: super::super::Scanned<'_>| paths.push(entry.key.name().to_string());
            self.tier
                .scan(&self.kv, set, at(self.now), &mut see)
                .unwrap();
        }
        paths.sort_unstable();
        paths
    }
}

#[test]
fn what_is_purged_is_freed_and_counted() {
    let by_tag = of_stamps(&[1], Mode::Hard);
    let by_name = of_names("/a*", Mode::Hard);
    for (by, freed) in [(by_tag, 10), (by_name, 10), (of_all(Mode::Hard), 15)] {
        let mut worker = Worker::new();
        for number in 0..10 {
            worker.store(&format!("/a{number}"), 1);
        }
        for number in 0..5 {
            worker.store(&format!("/b{number}"), 2);
        }
        worker.tick();
        assert_eq!(worker.paths().len(), 15);
        let (_, id) = worker.purge(&by);
        worker.store("/a0", 1); // what came afterwards is not its business
        let pending = Receipt::find(&worker.kv, id).unwrap().unwrap();
        assert_eq!(
            (pending.progress, pending.entries),
            (Completeness::Pending, 0)
        );
        worker.finish();
        let done = Receipt::find(&worker.kv, id).unwrap().unwrap();
        let counted = done.entries;
        assert_eq!(done.progress, Completeness::Done);
        assert_eq!(counted, freed - 1, "one of them was replaced");
        assert!(done.bytes > counted * 100);
        assert_eq!(worker.paths().len() as u64, 15 - counted);
        worker.tick();
        assert_eq!(worker.tier.totals().unwrap().entries, 15 - counted);
    }
}

#[test]
fn what_an_invalidation_leaves_in_its_place_is_counted_once() {
    for mode in [Mode::Invalid, Mode::Soft] {
        let mut worker = Worker::new();
        worker.store("/a", 1);
        worker.store("/b", 2);
        let (_, id) = worker.purge(&of_stamps(&[1], mode));
        worker.finish();
        let done = Receipt::find(&worker.kv, id).unwrap().unwrap();
        assert_eq!((done.progress, done.entries), (Completeness::Done, 1));
        assert_eq!(worker.paths(), ["GET:/a", "GET:/b"], "{mode:?}");
    }
}

#[test]
fn a_pattern_is_retired_and_what_is_older_is_not_stored_any_more() {
    let mut worker = Worker::new();
    let old = Entry::new(worker.log.now(&worker.kv, &worker.hint), &[], "/b");
    worker.store("/a", 1);
    worker.purge(&of_names("/a", Mode::Hard));
    worker.finish();
    worker.log.now(&worker.kv, &worker.hint);
    let aside = crate::epoch::Whereabouts::Aside(old.epoch);
    let mut judge = |entry: &Entry, place| worker.log.judge(&worker.kv, entry.stamped(place));
    assert_eq!(
        judge(&old, aside),
        Currency::Gone,
        "nobody can say any more"
    );
    let shared = crate::epoch::Whereabouts::Shared;
    assert_eq!(judge(&old, shared), Currency::Current);
    let covered = Entry::new(old.epoch, &[], "/a");
    assert_eq!(
        judge(&covered, shared),
        Currency::Current,
        "the pattern is gone"
    );
}

#[test]
fn soft_patterns_stay_until_there_are_many() {
    let mut worker = Worker::new();
    worker.store("/a0", 1);
    worker.store("/b", 2);
    for number in 0..128 {
        let by = of_names(&format!("/a{number}"), Mode::Soft);
        worker
            .log
            .append(&worker.kv, &worker.hint, &by, NOW)
            .unwrap();
    }
    assert_eq!(worker.tick().pace, SweepPace::Rest);
    worker.tick();
    assert_eq!(worker.paths().len(), 2);
    let by = of_names("/x", Mode::Soft);
    worker
        .log
        .append(&worker.kv, &worker.hint, &by, NOW)
        .unwrap();
    let hurried = worker.tick();
    assert_eq!((hurried.pace, hurried.ended_entries), (SweepPace::Work, 1));
    worker.finish();
    assert_eq!(worker.paths(), ["GET:/b"]);
}

#[test]
fn the_same_soft_pattern_again_is_one() {
    let mut worker = Worker::new();
    worker.store("/a", 1);
    for _ in 0..200 {
        let by = of_names("/a", Mode::Soft);
        worker
            .log
            .append(&worker.kv, &worker.hint, &by, NOW)
            .unwrap();
        assert_eq!(worker.tick().pace, SweepPace::Rest);
    }
    assert_eq!(worker.paths(), ["GET:/a"]);
}

#[test]
fn entries_of_a_log_that_has_ended_are_freed() {
    let mut worker = Worker::new();
    worker.store("/a", 1);
    worker.tick();
    use super::super::{Cas, SharedKv};
    worker
        .kv
        .set("larder1e", b"garbage", Cas::UNCONDITIONAL)
        .unwrap();
    assert_eq!(worker.tick().ended_entries, 1);
    assert_eq!(worker.paths(), [""; 0]);
}

#[test]
fn a_census_tells_tags_and_what_compression_saves() {
    let mut worker = Worker::new();
    for number in 0..40 {
        worker.store(&format!("/{number}"), number % 20);
    }
    worker.tick();
    let counted = worker.tier.totals().unwrap().counted;
    assert_eq!(
        (counted.original_bytes, counted.stored_bytes),
        (16_000, 4_000)
    );
    assert!(counted.tags.abs_diff(20) <= 1, "{}", counted.tags);
}

#[test]
fn as_many_receipts_wait_as_there_is_room_for() {
    let mut worker = Worker::new();
    let ids: Vec<u64> = (0..64)
        .map(|_| worker.purge(&of_stamps(&[1], Mode::Hard)).1)
        .collect();
    let coverage = Coverage::Names(NamePattern::parse("/a").unwrap());
    let epoch = worker
        .log
        .append(&worker.kv, &worker.hint, &of_all(Mode::Hard), NOW)
        .unwrap();
    assert_eq!(
        Receipt::open(&worker.kv, epoch, &coverage),
        Err(NoReceipt::Full)
    );
    worker.tick();
    worker.finish();
    let id = Receipt::open(&worker.kv, epoch, &coverage).unwrap();
    assert_eq!(
        Receipt::find(&worker.kv, ids[0]),
        Ok(None),
        "the oldest gave way"
    );
    for id in ids[1..].iter().chain([&id]) {
        assert!(Receipt::find(&worker.kv, *id).unwrap().is_some());
    }
    let many = Coverage::Stamps((0..257).map(Stamp).collect());
    assert_eq!(
        Receipt::open(&worker.kv, epoch, &many),
        Err(NoReceipt::Full)
    );
}

/// A receipt is done when everything has been looked at since, and no earlier.
#[test]
fn a_sweep_that_began_before_does_not_complete_a_receipt() {
    let mut worker = Worker::new();
    worker.tier = tier(8 * 32 * 40, 1);
    worker.store("/a", 1);
    let (_, first) = worker.purge(&of_stamps(&[2], Mode::Hard));
    worker.tick();
    let (_, second) = worker.purge(&of_stamps(&[1], Mode::Hard));
    let state = |worker: &Worker, id| Receipt::find(&worker.kv, id).unwrap().unwrap().progress;
    while state(&worker, first) == Completeness::Pending {
        assert_eq!(state(&worker, second), Completeness::Pending);
        worker.tick();
    }
    assert_eq!(state(&worker, second), Completeness::Pending);
    worker.finish();
    assert_eq!(state(&worker, second), Completeness::Done);
}

#[test]
fn a_receipt_waits_for_the_memory_of_every_live_worker() {
    let mut worker = Worker::new();
    worker.store("/a", 1);
    let mut other = tier(8 * 64, 2);
    other.tick(&worker.kv, &worker.gauge, at(worker.now)); // it has an id now
    worker.now += 40; // and leaves the sweep to the first
    let (epoch, id) = worker.purge(&of_stamps(&[1], Mode::Hard));
    let state = |worker: &Worker| Receipt::find(&worker.kv, id).unwrap().unwrap();
    let before = epoch.position - 1;
    for applied in [None, Some(before)] {
        if let Some(position) = applied {
            other.note_applied(&worker.kv, Epoch { position, ..epoch });
        }
        worker.finish();
        let receipt = state(&worker);
        assert_eq!(
            (receipt.progress, receipt.entries),
            (Completeness::Pending, 1)
        );
    }
    other.note_applied(&worker.kv, epoch);
    worker.finish();
    assert_eq!(state(&worker).progress, Completeness::Done);
}

#[test]
fn a_receipt_waits_for_no_worker_that_has_gone() {
    let mut worker = Worker::new();
    worker.store("/a", 1);
    tier(8 * 64, 2).tick(&worker.kv, &worker.gauge, at(worker.now));
    worker.now += 40;
    let (_, id) = worker.purge(&of_stamps(&[1], Mode::Hard));
    worker.finish();
    let state = |worker: &Worker| Receipt::find(&worker.kv, id).unwrap().unwrap();
    assert_eq!(state(&worker).progress, Completeness::Pending);
    worker.now += 30;
    worker.finish();
    assert_eq!(state(&worker).progress, Completeness::Done);
}
