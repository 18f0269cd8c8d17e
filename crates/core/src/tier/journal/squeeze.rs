//! What becomes of an outbox for which there is no room: the service has been away for long.
//!
//! It always ends everything that it has ended before; it may end more. Of one that is folded into a later one the number is
//! skipped, which the service does not mind: whoever has said a number has said all before it.

use super::outbox::{Local, MOST, Outbox, Pending};
use crate::entry::Epoch;
use crate::epoch::{Coverage, Invalidation, Mode};
use crate::wire::MAX_STAMPS;

/// What all records may take, in bytes.
const MOST_BYTES: usize = 96 << 10;

impl Outbox {
    pub(super) fn squeeze(&mut self) {
        if self.fits() {
            return;
        }
        // Of what is durable only its place counts; what it ends comes back from the fleet.
        self.fold(|record| record.durable.is_some(), |_, _| Coverage::All);
        for mode in Mode::ALL {
            self.fold(|record| record.is_of(*mode), joined);
        }
        if !self.fits() {
            self.fold(|record| record.durable.is_none(), |_, _| Coverage::All);
        }
    }

    fn fits(&self) -> bool {
        let bytes = self.records.iter().map(Pending::size);
        self.records.len() <= MOST && bytes.fold(0, usize::saturating_add) <= MOST_BYTES
    }

    /// Makes one of all such records, in the place of the last of them.
    fn fold(
        &mut self,
        is_such: impl Fn(&Pending) -> bool,
        join: fn(Coverage, Coverage) -> Coverage,
    ) {
        let mut folded: Option<Pending> = None;
        let mut kept = Vec::new();
        for record in std::mem::take(&mut self.records) {
            match is_such(&record) {
                true => {
                    folded = Some(match folded {
                        Some(earlier) => earlier.folded_into(record, join),
                        None => record,
                    })
                }
                false => kept.push(record),
            }
        }
        if let Some(folded) = folded {
            let place = kept.partition_point(|record| record.seq < folded.seq);
            kept.insert(place, folded);
        }
        self.records = kept;
    }
}

/// As one, where that is not more than one may have.
fn joined(one: Coverage, other: Coverage) -> Coverage {
    match (one, other) {
        (Coverage::Stamps(mut all), Coverage::Stamps(more)) => {
            all.extend(more);
            match all.len() > MAX_STAMPS {
                true => Coverage::All,
                false => Coverage::Stamps(all),
            }
        }
        (Coverage::All | Coverage::Names(_) | Coverage::Stamps(_), _) => Coverage::All,
    }
}

impl Pending {
    fn is_of(&self, mode: Mode) -> bool {
        let is_of_stamps = match self.invalidation.coverage {
            Coverage::Stamps(_) => true,
            Coverage::All | Coverage::Names(_) => false,
        };
        self.durable.is_none() && self.invalidation.mode == mode && is_of_stamps
    }

    fn folded_into(self, later: Self, join: fn(Coverage, Coverage) -> Coverage) -> Self {
        let coverage = join(self.invalidation.coverage, later.invalidation.coverage);
        let mode = self.invalidation.mode.min(later.invalidation.mode);
        Self {
            seq: later.seq,
            before: match self.before.log == later.before.log {
                true => Epoch {
                    log: later.before.log,
                    position: self.before.position.min(later.before.position),
                },
                // That of no order: where it stands cannot be said.
                false => Epoch::UNKNOWN,
            },
            local: match (self.local, later.local) {
                (Local::Noted, Local::Noted) => Local::Noted,
                (Local::Intended, _) | (_, Local::Intended) => Local::Intended,
            },
            durable: match (self.durable, later.durable) {
                (Some(one), Some(other)) if one.log == other.log => {
                    match one.position > other.position {
                        true => Some(one),
                        false => Some(other),
                    }
                }
                (_, durable) => durable,
            },
            invalidation: Invalidation { coverage, mode },
            label: None,
        }
    }

    fn size(&self) -> usize {
        let coverage = match &self.invalidation.coverage {
            Coverage::All => 0,
            Coverage::Names(pattern) => pattern.to_parts().1.len(),
            Coverage::Stamps(stamps) => stamps.len().saturating_mul(8),
        };
        let label = self.label.as_ref();
        let label = label.map_or(0, |label| {
            label.kind().len().saturating_add(label.value().len())
        });
        coverage.saturating_add(label).saturating_add(64)
    }
}
