//! Where a process stands in both orders, as it was at one moment.

use super::outbox::{Outbox, is_within};
use super::seqs::Seqs;
use super::sheet::{Place, Sheet};
use crate::entry::Epoch;
use crate::fleet::{Contact, Cursor, InstanceId, Standing};
use crate::time::{Seconds, Timestamp};
use crate::wire::WriteToken;

/// Clocks of one machine, read at different moments of different workers' callbacks.
const ASKEW: Seconds = Seconds::clamped(2);

/// What was noted longer ago than this, and than may go unheard, has arrived, or never will. Clocks differ by less. A token
/// says the minute alone.
const LONG: Seconds = Seconds::clamped(660);

/// Where a process stands in both orders. An old copy says nothing that is wrong; it is only more careful than it would have to
/// be.
#[derive(Clone, Debug)]
pub struct Bearings {
    instance: InstanceId,
    config: u64,
    place: Option<Place>,
    seqs: Seqs,
    /// What has not come back: behind this in the local order, and its place in the fleet's log where that is known.
    own: Vec<(Epoch, Option<Cursor>)>,
}

impl Bearings {
    pub(super) fn of(sheet: Sheet, outbox: &Outbox) -> Self {
        let place = sheet.place;
        let is_passed = |record: &&super::outbox::Pending| {
            place.as_ref().is_some_and(|place| record.is_passed(place))
        };
        let records = outbox.records.iter().filter(|record| !is_passed(record));
        let own = records.map(|record| (record.before, record.durable));
        Self {
            instance: sheet.id,
            config: sheet.config,
            own: own.collect(),
            seqs: sheet.seqs,
            place,
        }
    }

    /// Which instance this process is.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Up to where the fleet's log is applied; `None` before the first contact.
    pub fn cursor(&self) -> Option<Cursor> {
        Some(self.place.as_ref()?.steps.cursor())
    }

    /// When the service said last that this is the end of its log.
    pub fn synced(&self) -> Option<Timestamp> {
        Some(self.place.as_ref()?.synced)
    }

    /// The version of the fleet's configuration that is in force; 0 for none.
    pub fn config(&self) -> u64 {
        self.config
    }

    /// Own invalidations that are not durable yet.
    pub fn pending(&self) -> usize {
        self.own
            .iter()
            .filter(|(_, durable)| durable.is_none())
            .count()
    }

    /// Whether it is known what has been invalidated up to so long ago.
    pub fn contact(&self, max_unsynced: Seconds, now: Timestamp) -> Contact {
        // One from the future is from before the clock was set back.
        let is_kept = self
            .synced()
            .is_some_and(|synced| synced <= now.plus(ASKEW) && now <= synced.plus(max_unsynced));
        match is_kept {
            true => Contact::Kept,
            false => Contact::Lost,
        }
    }

    /// Whether what a client's write has invalidated is applied here. Of what is long past it is, where contact is kept: else nobody
    /// whose write is forgotten would be given anything that is stored again.
    pub fn standing(&self, token: &WriteToken, max_unsynced: Seconds, now: Timestamp) -> Standing {
        let is_kept = match self.contact(max_unsynced, now) {
            Contact::Kept => true,
            Contact::Lost => false,
        };
        let long_past = token.noted().plus(max_unsynced).plus(LONG);
        let is_applied = token.instance == self.instance
            || self.seqs.has(token.instance, token.seq)
            || (is_kept && long_past < now);
        match is_applied {
            true => Standing::Applied,
            false => Standing::Behind,
        }
    }

    /// The local epoch of an entry of which the service says that nothing in front of this cursor has ended it: everything else
    /// is later, whether it has been applied yet or not. `None` where nobody can say, and it may not be brought in.
    pub fn epoch_at(&self, cursor: Cursor) -> Option<Epoch> {
        let mut epoch = self.place.as_ref()?.steps.epoch_at(cursor)?;
        for (before, durable) in &self.own {
            if durable.is_some_and(|id| is_within(id, cursor)) {
                continue;
            }
            // It stands in a local order that has ended, and would not be met in this one.
            if before.log != epoch.log {
                return None;
            }
            epoch.position = epoch.position.min(before.position);
        }
        Some(epoch)
    }

    /// The cursor to give an entry away with that was asked for at this local epoch: everything in front of it had been applied
    /// by then. `None` where nobody can say, and it may not be given away.
    pub fn cursor_at(&self, epoch: Epoch) -> Option<Cursor> {
        self.place.as_ref()?.steps.cursor_at(epoch)
    }
}
