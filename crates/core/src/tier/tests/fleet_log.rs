//! The log of a fleet, without a service.

use std::collections::BTreeSet;

use crate::epoch::Invalidation;
use crate::fleet::{Cursor, InstanceId};
use crate::wire::{Answer, Batch, Label, Posted, Record};

/// A fleet's log, as the service keeps it.
#[derive(Debug, Default)]
pub(super) struct FleetLog {
    pub(super) log: u64,
    pub(super) records: Vec<Record>,
}

/// Somebody else.
pub(super) const OTHER: InstanceId = InstanceId(0x99);

impl FleetLog {
    pub(super) fn end(&self) -> Cursor {
        self.at(self.records.len())
    }

    pub(super) fn at(&self, count: usize) -> Cursor {
        Cursor {
            log: self.log,
            position: count as u64,
            check: count as u32 * 7,
        }
    }

    /// Somebody else says something.
    pub(super) fn say(&mut self, invalidation: Invalidation) -> Cursor {
        let seq = self.last(OTHER) + 1;
        self.add((OTHER, seq), invalidation, None)
    }

    pub(super) fn last(&self, id: InstanceId) -> u64 {
        let of = self.records.iter().filter(|record| record.of.0 == id);
        of.map(|record| record.of.1).max().unwrap_or(0)
    }

    fn add(
        &mut self,
        of: (InstanceId, u64),
        invalidation: Invalidation,
        label: Option<Label>,
    ) -> Cursor {
        let id = self.at(self.records.len() + 1);
        self.records.push(Record {
            id,
            of,
            age_ms: 0,
            invalidation,
            label,
        });
        id
    }

    pub(super) fn post(&mut self, batch: &Batch) -> Posted {
        let instance = batch.instance.unwrap();
        let mut ids = Vec::new();
        for said in batch.records.clone() {
            let of = (instance, said.seq.unwrap());
            let known = self.records.iter().find(|record| record.of == of);
            ids.push(match known {
                Some(known) => Some(known.id),
                None if self.last(instance) >= of.1 => None,
                None => Some(self.add(of, said.invalidation, said.label)),
            });
        }
        let cursor = self.end();
        Posted { cursor, ids }
    }

    pub(super) fn poll(&self, asked: Option<Cursor>, most: usize) -> Answer {
        let behind = asked.filter(|asked| *asked == self.at(asked.position as usize));
        let behind = behind.filter(|asked| asked.position <= self.end().position);
        let from = behind.map_or(self.records.len(), |asked| asked.position as usize);
        let until = self.records.len().min(from + most);
        let speakers: BTreeSet<_> = self.records.iter().map(|record| record.of.0).collect();
        let instances = speakers.into_iter().map(|id| (id, self.last(id)));
        Answer {
            cursor: self.at(until),
            reset: behind.is_none(),
            more: until < self.records.len(),
            waited_ms: 0,
            records: self.records[from..until].to_vec(),
            config: None,
            instances: match behind {
                None => instances.collect(),
                Some(_) => Vec::new(),
            },
        }
    }
}
