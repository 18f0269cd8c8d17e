//! What stands in the process's journal, as this worker has read it last, and what it writes there.

use larder_core::entry::Epoch;
use larder_core::epoch::Invalidation;
use larder_core::fleet::{Contact, Cursor, InstanceId, Standing};
use larder_core::tier::{Applied, Bearings, Journal, Lead, NotApplied, Noted, Unnoted};
use larder_core::time::Timestamp;
use larder_core::wire::{Answer, Batch, Label, Posted, TokenKey, WriteToken};

use super::{Liaison, milliseconds_between};
use crate::shared_data::SharedData;
use crate::worker::{Worker, random};

/// While what is known says that contact is lost, the journal is asked again after so many milliseconds.
const DOUBTED: u64 = 50;

/// What this worker knows of the journal.
pub(super) struct Notes {
    journal: Journal,
    bearings: Option<Bearings>,
    /// When it was read.
    read: Timestamp,
    lead: Lead,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            journal: Journal::new(random()),
            bearings: None,
            read: Timestamp::from_nanos(0),
            lead: Lead::Others,
        }
    }
}

impl Notes {
    fn read(&mut self, now: Timestamp) {
        // What was read before is old, and holds.
        if let Ok(bearings) = self.journal.bearings(&SharedData) {
            self.bearings = Some(bearings);
            self.read = now;
        }
    }
}

impl Liaison {
    /// Reads the journal anew.
    pub(super) fn look_into_journal(&self, now: Timestamp) {
        if let Ok(mut notes) = self.notes.try_borrow_mut() {
            notes.read(now);
        }
    }

    /// Whether this worker polls, as far as it knows.
    pub(super) fn is_mine(&self) -> bool {
        let notes = self.notes.try_borrow();
        notes.is_ok_and(|notes| notes.lead == Lead::Ours)
    }

    /// Whether this worker polls: takes that upon itself, if nobody does.
    pub(super) fn is_my_turn(&self, now: Timestamp) -> bool {
        let Ok(mut notes) = self.notes.try_borrow_mut() else {
            return false;
        };
        let lead = notes.journal.lead(&SharedData, now);
        notes.lead = lead.unwrap_or(Lead::Others);
        notes.lead == Lead::Ours
    }

    fn of_bearings<T>(&self, of: impl FnOnce(&Bearings) -> Option<T>) -> Option<T> {
        let notes = self.notes.try_borrow().ok()?;
        of(notes.bearings.as_ref()?)
    }

    /// The same, read anew where that was some time ago: another worker may have gone on since.
    #[cold]
    #[inline(never)]
    fn of_bearings_anew<T>(&self, of: impl FnOnce(&Bearings) -> Option<T>) -> Option<T> {
        let now = crate::host::now().ok()?;
        let mut notes = self.notes.try_borrow_mut().ok()?;
        let has_met = notes.bearings.as_ref().and_then(Bearings::cursor).is_some();
        if has_met && notes.read <= now && milliseconds_between(notes.read, now) < DOUBTED {
            return None;
        }
        notes.read(now);
        of(notes.bearings.as_ref()?)
    }

    /// What the fleet knows this process by.
    pub(super) fn instance(&self) -> Option<InstanceId> {
        self.of_bearings(|bearings| Some(bearings.instance()))
    }

    /// Up to where the fleet's log is applied.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.of_bearings(Bearings::cursor)
    }

    /// Up to where it was when this was the process's epoch.
    pub(super) fn cursor_at(&self, epoch: Epoch) -> Option<Cursor> {
        let now = |bearings: &Bearings| bearings.cursor_at(epoch);
        self.of_bearings(now).or_else(|| self.of_bearings_anew(now))
    }

    /// The epoch of this process for what was asked for when the log was that far.
    pub(super) fn epoch_at(&self, cursor: Cursor) -> Option<Epoch> {
        let now = |bearings: &Bearings| bearings.epoch_at(cursor);
        self.of_bearings(now).or_else(|| self.of_bearings_anew(now))
    }

    /// How much the fleet does not know yet.
    pub(super) fn pending_count(&self) -> u64 {
        let count = self.of_bearings(|bearings| Some(bearings.pending()));
        count.unwrap_or_default() as u64
    }

    /// All that it does not know yet.
    pub(super) fn pending(&self) -> Option<Batch> {
        let mut notes = self.notes.try_borrow_mut().ok()?;
        notes.journal.batch(&SharedData).ok()?
    }

    /// Notes an invalidation while there is no fleet: for one that there was, too.
    #[cold]
    #[inline(never)]
    pub(crate) fn enter_apart(
        &self,
        worker: &Worker,
        invalidation: &Invalidation,
        now: Timestamp,
    ) -> Result<Epoch, Unnoted> {
        let mut notes = self.notes.try_borrow_mut().map_err(|_| Unnoted)?;
        notes.journal.note_apart(&worker.order(now), invalidation)
    }

    /// Notes an invalidation here and for the fleet.
    pub(super) fn write_down(
        &self,
        worker: &Worker,
        invalidation: &Invalidation,
        label: Option<&Label>,
        now: Timestamp,
    ) -> Result<Noted, Unnoted> {
        let mut notes = self.notes.try_borrow_mut().map_err(|_| Unnoted)?;
        notes.journal.note(&worker.order(now), invalidation, label)
    }

    /// That stands in the fleet's log.
    pub(super) fn acknowledge(&self, sent: &Batch, posted: &Posted, now: Timestamp) {
        if let Ok(mut notes) = self.notes.try_borrow_mut() {
            // Where it cannot be written, the same is said again.
            let _ = notes.journal.acknowledge(&SharedData, sent, posted);
            notes.read(now);
        }
    }

    /// Which of the fleet's configurations was taken in last, by whichever worker.
    pub(super) fn noted_config(&self) -> u64 {
        let version = self.of_bearings(|bearings| Some(bearings.config()));
        version.unwrap_or_default()
    }

    /// This one was.
    pub(super) fn note_config(&self, version: u64, now: Timestamp) {
        if let Ok(mut notes) = self.notes.try_borrow_mut() {
            let _ = notes.journal.note_config(&SharedData, version); // else the next worker takes it in again
            notes.read(now);
        }
    }

    /// Applies what is behind a cursor, as it was so at `vouched`.
    ///
    /// # Errors
    /// As [`Journal::apply`].
    pub(super) fn apply(
        &self,
        worker: &Worker,
        (after, answer): (Option<Cursor>, &Answer),
        vouched: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, NotApplied> {
        let mut notes = self.notes.try_borrow_mut().map_err(|_| NotApplied::Moved)?;
        let order = worker.order(now);
        let applied = notes.journal.apply(&order, after, answer, vouched);
        notes.read(now);
        applied
    }

    /// How long ago it was known what the fleet has invalidated.
    pub(super) fn contact(&self, now: Timestamp) -> Contact {
        match self.known_contact(now) {
            Contact::Kept => Contact::Kept,
            Contact::Lost => self.doubted_contact(now),
        }
    }

    #[inline]
    fn known_contact(&self, now: Timestamp) -> Contact {
        let (Some(admin), Ok(notes)) = (self.admin(), self.notes.try_borrow()) else {
            return Contact::Lost;
        };
        match &notes.bearings {
            Some(bearings) => bearings.contact(admin.max_unsynced, now),
            None => Contact::Lost,
        }
    }

    /// Another worker may know better.
    #[cold]
    #[inline(never)]
    fn doubted_contact(&self, now: Timestamp) -> Contact {
        if let Ok(mut notes) = self.notes.try_borrow_mut()
            && (now < notes.read || milliseconds_between(notes.read, now) >= DOUBTED)
        {
            notes.read(now);
        }
        self.known_contact(now)
    }

    /// What became of the write that gave a client this token.
    pub(super) fn standing(&self, token: &[u8]) -> Standing {
        let (Some(admin), Ok(now)) = (self.admin(), crate::host::now()) else {
            return Standing::Unknown;
        };
        let token = self
            .token_key()
            .and_then(|key| WriteToken::verify(token, &key));
        let Some(token) = token else {
            return Standing::Unknown;
        };
        let standing =
            |bearings: &Bearings| Some(bearings.standing(&token, admin.max_unsynced, now));
        match self.of_bearings(standing) {
            Some(Standing::Applied) => Standing::Applied,
            _ => {
                self.look_into_journal(now);
                self.of_bearings(standing).unwrap_or(Standing::Behind)
            }
        }
    }

    /// What tokens are signed with: made when it is needed first, and when the secret is another.
    #[cold]
    #[inline(never)]
    pub(super) fn token_key(&self) -> Option<TokenKey> {
        let admin = self.admin()?;
        let secret = admin.secret.as_deref()?;
        let mut kept = self.signing.try_borrow_mut().ok()?;
        if kept.as_ref().is_none_or(|(of, _)| of != secret) {
            *kept = Some((secret.to_owned(), TokenKey::of(secret.as_bytes())));
        }
        kept.as_ref().map(|(_, key)| key.clone())
    }
}
