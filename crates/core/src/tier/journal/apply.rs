//! What the fleet has invalidated, on its way into the local order; the steps are in [`super`].

use super::outbox::Outbox;
use super::sheet::{Change, Place, Sheet};
use super::steps::{Steps, Stretch};
use super::{EVERYTHING, Journal, LocalOrder, Unwritten};
use crate::entry::{Epoch, Stamp};
use crate::epoch::{Coverage, Invalidation, Mode};
use crate::fleet::Cursor;
use crate::tier::epochs::Unnoted;
use crate::time::{Seconds, Timestamp};
use crate::wire::{Answer, Record};

/// What came so close together counts as one, soft or not.
const TOGETHER: Seconds = Seconds::clamped(5);

/// An answer of the service is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// So many records, own ones included.
    Followed(usize),
    /// Everything that was stored is dropped.
    Reset,
}

/// Why an answer was not applied. Some of what is in it may have been invalidated all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotApplied {
    /// The host fails.
    Failed,
    /// Another worker was faster: there is nothing to be done but to ask behind what that has reached.
    Moved,
    /// It is no answer to what was asked.
    Unfit,
}

impl From<Unwritten> for NotApplied {
    fn from(_: Unwritten) -> Self {
        Self::Failed
    }
}

impl From<Unnoted> for NotApplied {
    fn from(_: Unnoted) -> Self {
        Self::Failed
    }
}

impl Journal {
    /// Applies what is behind the cursor that was `asked` behind. The service said at `vouched`, by the clock here, that this is
    /// all there is.
    ///
    /// # Errors
    /// [`NotApplied`].
    pub fn apply(
        &mut self,
        order: &LocalOrder<'_>,
        asked: Option<Cursor>,
        answer: &Answer,
        vouched: Timestamp,
    ) -> Result<Applied, NotApplied> {
        // Before the sheet: what comes back now was put there before it was posted.
        let (outbox, _) = Outbox::open(order.kv, &mut self.random)?;
        let (sheet, _) = Sheet::read(order.kv, outbox.id)?;
        if sheet.cursor() != asked {
            return Err(NotApplied::Moved);
        }
        if !answer.reset && !is_behind(asked, answer.cursor) {
            return Err(NotApplied::Unfit);
        }
        let before = order.head().ok_or(NotApplied::Failed)?;
        match answer.reset {
            true => order.append(&EVERYTHING, order.now).map(|_| ())?,
            false => Appending::of(order, vouched).all(&answer.records, &outbox)?,
        }
        let after = order.head().ok_or(NotApplied::Failed)?;
        let moved = Moved {
            asked,
            answer,
            vouched,
            before,
            after,
        };
        self.move_sheet(order, (&sheet, &outbox), &moved)?;
        Ok(match answer.reset {
            true => Applied::Reset,
            false => Applied::Followed(answer.records.len()),
        })
    }

    fn move_sheet(
        &mut self,
        order: &LocalOrder<'_>,
        (read, outbox): (&Sheet, &Outbox),
        moved: &Moved<'_>,
    ) -> Result<(), NotApplied> {
        let mut written = None;
        Sheet::change(order.kv, read.id, |sheet| {
            written = None;
            if sheet.turn != read.turn || sheet.cursor() != moved.asked {
                return Change::Keep;
            }
            sheet.turn = sheet.turn.wrapping_add(1);
            moved.note_seqs(sheet);
            sheet.place = Some(moved.place(sheet.place.take(), outbox, order.now));
            written = Some(sheet.clone());
            Change::Write
        })?;
        let sheet = written.ok_or(NotApplied::Moved)?;
        // Where this fails, it is done the next time.
        let _ = Outbox::change(order.kv, &mut self.random, |outbox| {
            if moved.answer.reset {
                outbox.forget_other_logs(moved.answer.cursor);
            }
            outbox.let_go(&sheet);
            if !moved.answer.more {
                outbox.doubt_what_was_passed(moved.answer.cursor);
            }
        });
        Ok(())
    }
}

/// Whether an answer with this cursor is one to who asked behind that.
fn is_behind(asked: Option<Cursor>, cursor: Cursor) -> bool {
    asked.is_some_and(|asked| {
        asked == cursor || (asked.log == cursor.log && asked.position < cursor.position)
    })
}

/// An answer that has been applied between two local positions.
struct Moved<'a> {
    asked: Option<Cursor>,
    answer: &'a Answer,
    vouched: Timestamp,
    before: Epoch,
    after: Epoch,
}

impl Moved<'_> {
    fn note_seqs(&self, sheet: &mut Sheet) {
        for (id, seq) in &self.answer.instances {
            sheet.seqs.note(*id, *seq);
        }
        for record in &self.answer.records {
            let (id, seq) = record.of;
            sheet.seqs.note(id, seq);
        }
    }

    /// Where the sheet is now.
    fn place(&self, place: Option<Place>, outbox: &Outbox, now: Timestamp) -> Place {
        let cursor = self.answer.cursor;
        let is_own = |(id, seq): &(_, u64)| (*id == outbox.id).then_some(*seq);
        let (own, synced) = place
            .as_ref()
            .map_or((0, Timestamp::from_nanos(0)), |place| {
                (place.own, place.synced)
            });
        let listed = self.answer.instances.iter().filter_map(is_own);
        let came = self
            .answer
            .records
            .iter()
            .filter_map(|record| is_own(&record.of));
        let own = listed.chain(came).fold(own, u64::max);
        // Of what is behind `more` nothing is known. A time from the future is from before the clock was set back.
        let synced = match (self.answer.more, synced > now) {
            (true, _) => synced,
            (false, true) => self.vouched,
            (false, false) => synced.max(self.vouched),
        };
        let steps = match place {
            Some(before) if !self.answer.reset => {
                let next = Place {
                    steps: Steps::from(cursor, self.after),
                    own,
                    synced,
                };
                let stretch = self.stretch(&before, &next, outbox);
                let mut steps = before.steps;
                steps.advance(cursor, stretch);
                steps
            }
            Some(_) | None => Steps::from(cursor, self.after),
        };
        Place { steps, own, synced }
    }

    /// From the first local record of it on: own ones were noted long before.
    fn stretch(&self, before: &Place, next: &Place, outbox: &Outbox) -> Stretch {
        let came =
            |record: &&super::outbox::Pending| record.is_passed(next) && !record.is_passed(before);
        let mut first = Some(self.before);
        for record in outbox.records.iter().filter(came) {
            first = first.filter(|first| first.log == record.before.log);
            first = first.map(|first| Epoch {
                position: first.position.min(record.before.position),
                ..first
            });
        }
        Stretch {
            before: first,
            after: self.after,
        }
    }
}

impl LocalOrder<'_> {
    pub(super) fn append(
        &self,
        invalidation: &Invalidation,
        at: Timestamp,
    ) -> Result<Epoch, Unnoted> {
        let mut epochs = self.epochs.try_borrow_mut().map_err(|_| Unnoted)?;
        epochs.append(self.kv, self.hint, invalidation, at)
    }
}

impl Outbox {
    /// What was durable in a log that is gone does not come back, and nothing that the fleet has is older.
    fn forget_other_logs(&mut self, cursor: Cursor) {
        self.records
            .retain(|record| record.durable.is_none_or(|id| id.log == cursor.log));
    }
}

/// Records on their way into the local order, as few at a time as can be: each costs several writes.
struct Appending<'a> {
    order: &'a LocalOrder<'a>,
    vouched: Timestamp,
    stamps: Vec<Stamp>,
    /// Those of the stamps.
    mode: Mode,
    at: Timestamp,
}

impl<'a> Appending<'a> {
    fn of(order: &'a LocalOrder<'a>, vouched: Timestamp) -> Self {
        Self {
            order,
            vouched,
            stamps: Vec::new(),
            mode: Mode::Hard,
            at: vouched,
        }
    }

    fn all(mut self, records: &[Record], outbox: &Outbox) -> Result<(), Unnoted> {
        for record in records {
            let (id, seq) = record.of;
            if id != outbox.id || !outbox.is_noted(seq) {
                self.add(record)?;
            }
        }
        self.flush()
    }

    fn add(&mut self, record: &Record) -> Result<(), Unnoted> {
        let Invalidation { coverage, mode } = &record.invalidation;
        let age = record.age_ms.saturating_mul(1_000_000);
        let at = Timestamp::from_nanos(self.vouched.as_nanos().saturating_sub(age));
        match coverage {
            Coverage::All | Coverage::Names(_) => {
                self.flush()?;
                self.order.append(&record.invalidation, at).map(|_| ())
            }
            Coverage::Stamps(stamps) => {
                let is_together = *mode == self.mode && at.since(self.at) <= TOGETHER;
                if self.stamps.is_empty() || !is_together {
                    self.flush()?;
                    (self.mode, self.at) = (*mode, at);
                }
                self.at = self.at.min(at);
                self.stamps.extend_from_slice(stamps);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), Unnoted> {
        if self.stamps.is_empty() {
            return Ok(());
        }
        let invalidation = Invalidation {
            coverage: Coverage::Stamps(std::mem::take(&mut self.stamps)),
            mode: self.mode,
        };
        self.order.append(&invalidation, self.at).map(|_| ())
    }
}
