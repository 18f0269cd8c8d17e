//! A process of a fleet: its own order of invalidations, and two workers that keep a journal.

use std::cell::RefCell;

use crate::entry::Epoch;
use crate::epoch::{Currency, Invalidation};
use crate::fleet::Cursor;
use crate::wire::{Answer, WriteToken};

use super::super::{Applied, Bearings, EpochLog, Journal, LocalOrder, MemoryKv, NotApplied};
use super::NOW;
use super::fleet_log::FleetLog;
use super::invalidations::{Entry, Plain};

/// A process with two workers.
pub(super) struct Process {
    pub(super) kv: MemoryKv,
    pub(super) hint: Plain,
    pub(super) epochs: [RefCell<EpochLog>; 2],
    pub(super) journals: [Journal; 2],
}

impl Process {
    pub(super) fn new() -> Self {
        Self {
            kv: MemoryKv::new(),
            hint: Plain::default(),
            epochs: [1, 2].map(|seed| RefCell::new(EpochLog::new(seed, 4096))),
            journals: [3, 4].map(Journal::new),
        }
    }

    pub(super) fn bearings(&mut self) -> Bearings {
        self.journals[0].bearings(&self.kv).unwrap()
    }

    pub(super) fn note_apart(&mut self, worker: usize, invalidation: &Invalidation) {
        let order = LocalOrder {
            kv: &self.kv,
            hint: &self.hint,
            epochs: &self.epochs[worker],
            now: NOW,
        };
        let noted = self.journals[worker].note_apart(&order, invalidation);
        noted.unwrap();
    }

    pub(super) fn note(&mut self, worker: usize, invalidation: &Invalidation) -> WriteToken {
        let order = LocalOrder {
            kv: &self.kv,
            hint: &self.hint,
            epochs: &self.epochs[worker],
            now: NOW,
        };
        let noted = self.journals[worker].note(&order, invalidation, None);
        noted.unwrap().token.unwrap()
    }

    pub(super) fn apply(
        &mut self,
        worker: usize,
        asked: Option<Cursor>,
        answer: &Answer,
    ) -> Result<Applied, NotApplied> {
        let order = LocalOrder {
            kv: &self.kv,
            hint: &self.hint,
            epochs: &self.epochs[worker],
            now: NOW,
        };
        self.journals[worker].apply(&order, asked, answer, NOW)
    }

    /// Asks and applies, until there is no more.
    pub(super) fn follow(&mut self, log: &FleetLog) {
        loop {
            let asked = self.bearings().cursor();
            let answer = log.poll(asked, 2);
            self.apply(1, asked, &answer).unwrap();
            if !answer.more {
                return;
            }
        }
    }

    pub(super) fn post(&mut self, log: &mut FleetLog) {
        if let Some(batch) = self.journals[1].batch(&self.kv).unwrap() {
            let posted = log.post(&batch);
            self.journals[1]
                .acknowledge(&self.kv, &batch, &posted)
                .unwrap();
        }
    }

    pub(super) fn now(&self) -> Epoch {
        self.epochs[0].borrow_mut().now(&self.kv, &self.hint)
    }

    pub(super) fn judge(&self, epoch: Epoch, stamp: u64) -> Currency {
        self.now();
        let entry = Entry::new(epoch, &[stamp], "/p");
        entry.judge(&mut self.epochs[0].borrow_mut(), &self.kv)
    }
}
