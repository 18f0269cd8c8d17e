//! Where workers show one another what they have seen: a cell of shared data for each.
//!
//! There are 32 cells, since a cell can never be deleted; whoever has none takes one that nobody has, or whose owner has not
//! written for ten minutes. A worker without a cell keeps what it has seen to itself.

use std::cell::Cell;

use larder_core::tier::{Cas, SharedKv};
use larder_core::time::Timestamp;

use crate::distinct::Distinct;
use crate::observer::Observer;
use crate::seen::Seen;
use crate::wire::{self, Report};

/// Cells, so workers that can show something at a time.
const CELLS: u8 = 32;

/// Between two reports of a worker, in seconds.
const PERIOD: u64 = 5;

/// The report of a worker that was not heard of for so many seconds counts no more.
const FORGOTTEN: u64 = 600;

/// One worker's place among the others.
#[derive(Debug)]
pub struct Board {
    worker: u64,
    cell: Cell<Option<u8>>,
    shown: Cell<u64>,
}

impl Board {
    /// That of a worker with this number, which nobody else may have.
    pub fn new(worker: u64) -> Self {
        Self {
            worker,
            cell: Cell::new(None),
            shown: Cell::new(0),
        }
    }

    /// Shows what was seen, where it is time.
    pub fn show(&self, kv: &dyn SharedKv, observer: &Observer, now: Timestamp) {
        let now = now.as_secs();
        if now.abs_diff(self.shown.get()) < PERIOD {
            return;
        }
        self.shown.set(now);
        let (seen, tags) = observer.seen();
        if seen.is_empty() {
            return;
        }
        let report = Report {
            configuration: observer.configuration(),
            worker: self.worker,
            at: now,
            tags,
            seen,
        };
        self.write(kv, &report.encode(), now);
    }

    fn write(&self, kv: &dyn SharedKv, report: &[u8], now: u64) {
        let own = self.cell.get().into_iter();
        for cell in own.chain(0..CELLS) {
            let Ok(found) = kv.get(&name(cell)) else {
                return;
            };
            let cas = match &found {
                Some(found) if !self.is_mine_to_take(&found.value, now) => continue,
                Some(found) => found.cas,
                None => Cas::NEVER,
            };
            if kv.set(&name(cell), report, cas).is_ok() {
                self.cell.set(Some(cell));
                return;
            }
        }
        self.cell.set(None);
    }

    fn is_mine_to_take(&self, value: &[u8], now: u64) -> bool {
        match wire::owner(value) {
            Some((worker, at)) => worker == self.worker || now.abs_diff(at) > FORGOTTEN,
            None => true,
        }
    }

    /// What all workers have seen under this configuration, and about how many tags they have stored.
    pub fn collect(
        &self,
        kv: &dyn SharedKv,
        observer: &Observer,
        now: Timestamp,
    ) -> (Vec<Seen>, u64) {
        let (mut all, mut tags) = observer.seen();
        for cell in 0..CELLS {
            let found = kv.get(&name(cell)).ok().flatten();
            let Some(report) = found.and_then(|found| Report::decode(&found.value)) else {
                continue;
            };
            let is_old = now.as_secs().abs_diff(report.at) > FORGOTTEN;
            let is_of_this = report.configuration == observer.configuration();
            if report.worker != self.worker && is_of_this && !is_old {
                merge(&mut all, &mut tags, &report);
            }
        }
        (all, tags.count())
    }
}

fn merge(all: &mut Vec<Seen>, tags: &mut Distinct, report: &Report) {
    tags.merge(&report.tags);
    for seen in &report.seen {
        let is_same =
            |known: &&mut Seen| known.template == seen.template && known.rule == seen.rule;
        match all.iter_mut().find(is_same) {
            Some(known) => known.merge(seen),
            None => all.push(seen.clone()),
        }
    }
}

fn name(cell: u8) -> String {
    ["larder1o", &cell.to_string()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_core::config::Config;
    use larder_core::tier::MemoryKv;

    const START: u64 = 1_000_000;

    fn observer() -> std::rc::Rc<Observer> {
        Observer::of(&Config::parse(b"{}").unwrap())
    }

    #[test]
    fn hostile_bytes_in_a_cell_are_nobodys_report() {
        let kv = MemoryKv::new();
        for (cell, value) in [(0, &b"LOB1"[..]), (1, b"\xff"), (2, b"")] {
            kv.set(&name(cell), value, Cas::UNCONDITIONAL).unwrap();
        }
        let board = Board::new(7);
        let (seen, tags) = board.collect(&kv, &observer(), Timestamp::from_secs(START));
        assert_eq!((seen.len(), tags), (0, 0));
    }
}
