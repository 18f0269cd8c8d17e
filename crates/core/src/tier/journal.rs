//! Where two orders meet: the fleet's log, and this process's own order of invalidations ([`super::EpochLog`]).
//!
//! ```text
//! larder1n   "LFN1" │ u64 instance                                 which life of these cells this is, to the fleet
//! larder1j   [`sheet`]                                             how far the fleet's log has been followed
//! larder1u   [`outbox`]                                            what the fleet has yet to be told
//! ```
//!
//! The fleet counts by cursors, entries here by local positions. Two questions have to be answered, and each time the answer may
//! be too careful and never too bold:
//!
//! - *What does an entry get that was brought in with a cursor?* The greatest local epoch below every local record that is not
//!   known to be in front of the cursor ([`Bearings::epoch_at`]).
//! - *With which cursor is an entry given away that was asked for at a local epoch?* With the greatest in front of which
//!   everything had been applied by then ([`Bearings::cursor_at`]).
//!
//! So the sheet keeps *steps*: an answer of the service was applied between these two local positions, and then this cursor was
//! reached. And it keeps the local position at which all this was last looked at, which is the highest epoch ever given: what is just
//! being applied, and is in no step yet, stands behind it.
//!
//! **To invalidate here** takes three writes: the outbox first gets what is *intended*, with the local position in front of it; then
//! it is noted locally; then the outbox learns that it was. The other way round, another worker could finish a step between the
//! two, and a third bring in an entry that the fleet has from before, at an epoch behind the invalidation, which would never meet
//! it. And nothing is lost when a worker dies in between: the outbox is posted by whoever comes next, and what comes back from
//! the fleet without having been noted locally is noted then. A worker that cannot write the outbox still invalidates locally, and says
//! that nobody else will hear of it.
//!
//! **To apply an answer**: the sheet is read, and has to stand where the poll asked behind; the local position is read; the
//! records of others are appended, and so are own ones that were never noted; the local position is read again; and the sheet is
//! moved in one write, if nobody has moved it since it was read, which its *turn* tells. Else nothing but a few invalidations too
//! many has happened. What has come back is let go from the outbox last; until then its step and the outbox speak of it both.
//!
//! **A wipe** between any two calls takes all three cells. The instance's cell only ever gets fresh random numbers, and sheet and
//! outbox name theirs, so that one that comes back from before the wipe (the host lets every write to a missing cell through) is
//! another instance's: that sheet counts for nothing, and what was to be posted is taken over under new numbers. Numbers of one
//! instance are never given twice; the service would take the second for a repetition. Whoever has written the outbox looks
//! again whether its instance is still in force.
//!
//! An outbox that cannot be read has lost count, and so another instance is begun. A sheet that cannot be read is begun anew: both
//! mean no contact until the service has answered from the end of its log, and everything has been dropped. That is all there is to
//! recover: *no sheet* and *reset* are the same.

mod apply;
mod bearings;
mod instance;
mod note;
mod outbox;
mod seqs;
mod sheet;
mod squeeze;
mod steps;

use std::cell::RefCell;

use super::epochs::{ChangeHint, EpochLog};
use super::kv::{SetError, SharedKv};
use super::random::Random;
use crate::entry::Epoch;
use crate::epoch::{Coverage, Invalidation, Mode};
use crate::time::{Seconds, Timestamp};
use outbox::Outbox;
use sheet::{Change, Sheet};

pub use apply::{Applied, NotApplied};
pub use bearings::Bearings;
pub use note::Noted;

/// Every lost compare-and-set is another worker's success, so this many in a row are no contention.
const TRIES: usize = 1000;

/// For so long a silent worker stays the one that polls.
const LEAD: Seconds = Seconds::clamped(3);

/// A lead that lasts less long is renewed.
const RENEWAL: Seconds = Seconds::clamped(2);

/// What is said where it is not known what was to be said.
const EVERYTHING: Invalidation = Invalidation {
    coverage: Coverage::All,
    mode: Mode::Hard,
};

/// A cell could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten;

/// Who polls for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// This worker, for the next few seconds.
    Ours,
    /// Another.
    Others,
}

/// The process's own order of invalidations, as a worker reaches it.
#[derive(Clone, Copy)]
pub struct LocalOrder<'a> {
    /// The shared cells.
    pub kv: &'a dyn SharedKv,
    /// What tells that something has changed.
    pub hint: &'a dyn ChangeHint,
    /// What this worker knows of it.
    pub epochs: &'a RefCell<EpochLog>,
    /// The time.
    pub now: Timestamp,
}

/// A worker's hand in the journal.
#[derive(Debug)]
pub struct Journal {
    random: Random,
    /// This worker, among those of the process.
    worker: u64,
}

impl Journal {
    /// A worker that has not touched the host yet. `seed` must be unpredictable and differ from worker to worker: it names
    /// instances.
    pub fn new(seed: u128) -> Self {
        let mut random = Random::new(seed);
        let worker = random.next();
        Self { random, worker }
    }

    /// Where this process stands, read anew. The copy may be used for as long as one likes: an older one is more careful.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn bearings(&mut self, kv: &dyn SharedKv) -> Result<Bearings, Unwritten> {
        for _ in 0..TRIES {
            let id = instance::current(kv, &mut self.random)?;
            let (before, _) = Sheet::read(kv, id)?;
            let (outbox, _) = Outbox::open(kv, &mut self.random)?;
            // What has been let go from an outbox is in the sheet: both have to be of one moment.
            let (sheet, _) = Sheet::read(kv, id)?;
            if outbox.id == id && sheet.turn == before.turn {
                return Ok(Bearings::of(sheet, &outbox));
            }
        }
        Err(Unwritten)
    }

    /// Takes the lead in polling, or keeps it.
    ///
    /// # Errors
    /// [`Unwritten`]: nobody can say; then the worker had better not poll.
    pub fn lead(&mut self, kv: &dyn SharedKv, now: Timestamp) -> Result<Lead, Unwritten> {
        let id = instance::current(kv, &mut self.random)?;
        let worker = self.worker;
        let mut lead = Lead::Others;
        Sheet::change(kv, id, |sheet| {
            lead = sheet.lead_of(worker, now);
            let is_fresh = sheet.leader == worker
                && sheet.led_until >= now.plus(RENEWAL)
                && sheet.led_until <= now.plus(LEAD);
            match lead {
                Lead::Ours if !is_fresh => {
                    (sheet.leader, sheet.led_until) = (worker, now.plus(LEAD));
                    Change::Write
                }
                Lead::Ours | Lead::Others => Change::Keep,
            }
        })?;
        Ok(lead)
    }

    /// Notes that this version of the fleet's configuration is in force.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn note_config(&mut self, kv: &dyn SharedKv, version: u64) -> Result<(), Unwritten> {
        let id = instance::current(kv, &mut self.random)?;
        Sheet::change(kv, id, |sheet| {
            sheet.config = version;
            Change::Write
        })
    }
}

impl LocalOrder<'_> {
    /// The local epoch by now; `None` where nobody can say.
    fn head(&self) -> Option<Epoch> {
        let mut epochs = self.epochs.try_borrow_mut().ok()?;
        epochs.doubt();
        let epoch = epochs.now(self.kv, self.hint);
        (epoch != Epoch::UNKNOWN).then_some(epoch)
    }
}

impl From<SetError> for Unwritten {
    fn from(_: SetError) -> Self {
        Self
    }
}
