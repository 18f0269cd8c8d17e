//! The cells of the journal under a host that fails, forgets or garbles at any one call: whatever happens, what is invalidated
//! later is invalidated here and in the fleet.

use std::cell::RefCell;

use crate::epoch::{Currency, Invalidation, Mode};
use crate::wire::Label;

use super::super::{EpochLog, Journal, LocalOrder};
use super::NOW;
use super::faults::{Fault, Faulty};
use super::fleet_log::FleetLog;
use super::invalidations::{Entry, Plain, of_names, of_stamps};

struct Process {
    kv: Faulty,
    hint: Plain,
    epochs: [RefCell<EpochLog>; 2],
    journals: [Journal; 2],
}

impl Process {
    fn order(&self, worker: usize) -> LocalOrder<'_> {
        LocalOrder {
            kv: &self.kv,
            hint: &self.hint,
            epochs: &self.epochs[worker],
            now: NOW,
        }
    }

    fn note(&mut self, worker: usize, invalidation: &Invalidation) -> bool {
        let label = Label::new("version", "1");
        let mut journal = std::mem::replace(&mut self.journals[worker], Journal::new(0));
        let noted = journal.note(&self.order(worker), invalidation, Some(&label));
        self.journals[worker] = journal;
        noted.is_ok_and(|noted| noted.token.is_some())
    }

    fn post(&mut self, worker: usize, log: &mut FleetLog) {
        let journal = &mut self.journals[worker];
        if let Ok(Some(batch)) = journal.batch(&self.kv) {
            let posted = log.post(&batch);
            let _ = journal.acknowledge(&self.kv, &batch, &posted);
        }
    }

    fn poll(&mut self, worker: usize, log: &FleetLog) {
        let Ok(bearings) = self.journals[worker].bearings(&self.kv) else {
            return;
        };
        let answer = log.poll(bearings.cursor(), 9);
        let mut journal = std::mem::replace(&mut self.journals[worker], Journal::new(0));
        let _ = journal.apply(&self.order(worker), bearings.cursor(), &answer, NOW);
        self.journals[worker] = journal;
    }

    fn fetch(&self) -> Entry {
        let epoch = self.epochs[0].borrow_mut().now(&self.kv, &self.hint);
        Entry::new(epoch, &[1], "/ab")
    }

    fn judge(&self, entry: &Entry) -> Currency {
        let mut epochs = self.epochs[0].borrow_mut();
        epochs.now(&self.kv, &self.hint);
        entry.judge(&mut epochs, &self.kv)
    }
}

fn play(fault: Fault, nth: usize) -> bool {
    let mut log = FleetLog::default();
    let mut process = Process {
        kv: Faulty::of_cells(fault, nth, &["larder1j", "larder1u", "larder1n"]),
        hint: Plain::default(),
        epochs: [1, 2].map(|seed| RefCell::new(EpochLog::new(seed, 4096))),
        journals: [3, 4].map(Journal::new),
    };
    let hard = of_stamps(&[1], Mode::Hard);
    for worker in [0, 1] {
        process.poll(worker, &log);
        process.note(worker, &of_names("/x", Mode::Soft));
        log.say(hard.clone());
        process.post(worker, &mut log);
        process.note(worker, &hard);
        process.poll(1 - worker, &log);
    }
    let struck = process.kv.is_spent();
    process.kv.spend();
    // Whatever is left of it.
    for worker in [0, 1] {
        process.post(worker, &mut log);
        process.poll(worker, &log);
        process.poll(worker, &log);
    }
    let bearings = process.journals[0].bearings(&process.kv).unwrap();
    assert_eq!(bearings.cursor(), Some(log.end()), "{fault:?} at {nth}");
    assert_eq!(bearings.pending(), 0, "{fault:?} at {nth}");
    let epoch = bearings.epoch_at(log.end()).unwrap();
    let (brought_in, fetched) = (Entry::new(epoch, &[1], "/ab"), process.fetch());
    assert_eq!(
        process.judge(&brought_in),
        Currency::Current,
        "{fault:?} at {nth}"
    );
    log.say(hard.clone());
    process.poll(1, &log);
    for entry in [&brought_in, &fetched] {
        assert_eq!(process.judge(entry), Currency::Gone, "{fault:?} at {nth}");
    }
    let refetched = process.fetch();
    assert!(process.note(1, &hard), "{fault:?} at {nth}");
    assert_eq!(
        process.judge(&refetched),
        Currency::Gone,
        "{fault:?} at {nth}"
    );
    let before = log.records.len();
    process.post(0, &mut log);
    assert_eq!(log.records.len(), before + 1, "{fault:?} at {nth}");
    struck
}

#[test]
fn the_journal_recovers_from_any_one_fault_at_any_call() {
    let flips = [0, 5, 21, 60].map(Fault::Flip);
    let cuts = [0, 50].map(Fault::Truncate);
    // One cell alone is lost by no host, and numbers might then be given twice.
    let others = [Fault::Fail, Fault::Wipe];
    for fault in others.into_iter().chain(cuts).chain(flips) {
        let calls = (1..1_000).take_while(|&nth| play(fault, nth)).count();
        assert!(calls > 50, "{fault:?} struck {calls} times");
    }
}
