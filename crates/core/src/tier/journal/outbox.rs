//! What the fleet has yet to be told, and what of it has not come back, in one cell. All numbers little-endian.
//!
//! ```text
//! "LFU1" │ u64 instance │ u64 next number │ u64 last number that was posted │ u16 records, each:
//!     u64 first number │ u64 last number │ u64 local log │ u64 local position in front of it │ u16 not noted locally
//!     u8 0 │ or 1 where durable: u64 log │ u64 position │ u32 check
//!     u8 mode: 1 hard 2 invalid 3 soft │ coverage ([`super::super::coverage`])
//!     u8 length, kind │ u16 length, value                         both empty where nobody has said more
//! u64 checksum of all before it
//! ```

use super::super::coverage::{push_count, push_coverage, read_coverage};
use super::super::kv::{Cas, KvError, SetError, SharedKv};
use super::super::name::Name;
use super::super::random::Random;
use super::super::record::{Corrupt, Fields};
use super::sheet::{Place, push, unsealed};
use super::{EVERYTHING, TRIES, Unwritten, instance};
use crate::entry::{Epoch, checksum};
use crate::epoch::{Coverage, Invalidation, Mode};
use crate::fleet::{Cursor, InstanceId};
use crate::wire::{Label, MAX_STAMPS};

const TAG: &[u8; 4] = b"LFU1";

/// Stamps of invalidations that become one record while none of them has been posted.
const TOGETHER: usize = 256;

/// Records that are kept.
pub(super) const MOST: usize = 128;

/// What an instance has invalidated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outbox {
    pub(super) id: InstanceId,
    /// The number of the next.
    pub(super) next: u64,
    /// What has been posted up to here stays as it is, or its answer would fit nothing.
    pub(super) sent: u64,
    /// In the order of their numbers.
    pub(super) records: Vec<Pending>,
}

/// What was invalidated under one number, or several in a row, and has not come back from the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) first: u64,
    /// The number it is posted with: whoever has heard of it has heard of all before it.
    pub(super) seq: u64,
    /// It stands behind this in the local order.
    pub(super) before: Epoch,
    /// How many of its numbers are only intended; none where all of it stands in the local order.
    pub(super) intended: u16,
    /// Its place in the fleet's log, or one behind it, once that is known.
    pub(super) durable: Option<Cursor>,
    pub(super) invalidation: Invalidation,
    pub(super) label: Option<Label>,
}

impl Pending {
    /// Whether it has come back. That its place has been passed is not enough: a store may have lost it, and given the place to
    /// another.
    pub(super) fn is_passed(&self, place: &Place) -> bool {
        self.seq <= place.own
    }

    pub(super) fn has(&self, seq: u64) -> bool {
        (self.first..=self.seq).contains(&seq)
    }

    /// Takes one more in; false where the two have to stay apart.
    fn takes(&mut self, seq: u64, before: Epoch, invalidation: &Invalidation) -> bool {
        let is_alike = self.durable.is_none()
            && self.label.is_none()
            && self.before.log == before.log
            && self.invalidation.mode == invalidation.mode
            && self.intended < u16::MAX;
        let (Coverage::Stamps(all), Coverage::Stamps(more)) =
            (&mut self.invalidation.coverage, &invalidation.coverage)
        else {
            return false;
        };
        if !is_alike || all.len().saturating_add(more.len()) > TOGETHER {
            return false;
        }
        for stamp in more {
            if !all.contains(stamp) {
                all.push(*stamp);
            }
        }
        self.seq = seq;
        self.before.position = self.before.position.min(before.position);
        self.intended = self.intended.saturating_add(1);
        true
    }
}

/// Whether the record of that name is in front of a cursor.
pub(super) fn is_within(id: Cursor, cursor: Cursor) -> bool {
    id.log == cursor.log && id.position <= cursor.position
}

impl Outbox {
    pub(super) fn fresh(id: InstanceId) -> Self {
        Self {
            id,
            next: 1,
            sent: 0,
            records: Vec::new(),
        }
    }

    /// That of an instance whose outbox is lost: whatever was in it, it is in this.
    fn of_everything(id: InstanceId) -> Self {
        let mut outbox = Self::fresh(id);
        outbox.push(Epoch::UNKNOWN, &EVERYTHING, None);
        outbox
    }

    /// That of the instance in force; another is begun where it cannot be read, because it has lost count.
    pub(super) fn open(kv: &dyn SharedKv, random: &mut Random) -> Result<(Self, Cas), Unwritten> {
        for _ in 0..TRIES {
            let cell = kv.get(Name::outbox().as_str());
            let cell = cell.map_err(|KvError| Unwritten)?;
            let Some(cell) = cell else {
                // Read after it: an instance that has had an outbox still has it.
                let id = instance::current(kv, random)?;
                return Ok((Self::fresh(id), Cas::NEVER));
            };
            match Self::decode(&cell.value) {
                Ok(outbox) => {
                    let id = instance::current(kv, random)?;
                    if outbox.id == id {
                        return Ok((outbox, cell.cas));
                    }
                    // Only what has been written has a number: this may have been read before a wipe, and another begun since.
                    outbox.taken_over_by(id).put(kv, cell.cas)?;
                }
                Err(Corrupt) => {
                    let id = instance::begin_anew(kv, random)?;
                    // Else the next to come by would begin yet another.
                    Self::of_everything(id).put(kv, cell.cas)?;
                }
            }
        }
        Err(Unwritten)
    }

    fn put(&self, kv: &dyn SharedKv, cas: Cas) -> Result<(), Unwritten> {
        match self.write(kv, cas) {
            Ok(()) | Err(SetError::Lost) => Ok(()), // read it: it may be another's
            Err(SetError::Failed) => Err(Unwritten),
        }
    }

    /// What is left to tell, under new numbers.
    fn taken_over_by(mut self, id: InstanceId) -> Self {
        self.id = id;
        (self.next, self.sent) = (1, 0);
        for record in &mut self.records {
            (record.first, record.seq) = (self.next, self.next);
            self.next = self.next.saturating_add(1);
        }
        self
    }

    /// Changes it in one write.
    pub(super) fn change(
        kv: &dyn SharedKv,
        random: &mut Random,
        mut change: impl FnMut(&mut Self),
    ) -> Result<Self, Unwritten> {
        for _ in 0..TRIES {
            let (before, cas) = Self::open(kv, random)?;
            let mut outbox = before.clone();
            change(&mut outbox);
            if outbox == before {
                return Ok(outbox);
            }
            match outbox.write(kv, cas) {
                Ok(()) => return Ok(outbox),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(Unwritten),
            }
        }
        Err(Unwritten)
    }

    fn write(&self, kv: &dyn SharedKv, cas: Cas) -> Result<(), SetError> {
        kv.set(Name::outbox().as_str(), &self.encode(), cas)
    }

    /// Another invalidation; gives its number.
    pub(super) fn push(
        &mut self,
        before: Epoch,
        invalidation: &Invalidation,
        label: Option<&Label>,
    ) -> u64 {
        let seq = self.next;
        self.next = self.next.saturating_add(1);
        let sent = self.sent;
        let last = self.records.last_mut().filter(|last| last.first > sent);
        if label.is_none()
            && let Some(last) = last
            && last.takes(seq, before, invalidation)
        {
            return seq;
        }
        let coverage = match &invalidation.coverage {
            Coverage::Stamps(stamps) if stamps.len() > MAX_STAMPS => Coverage::All,
            Coverage::All | Coverage::Names(_) | Coverage::Stamps(_) => {
                invalidation.coverage.clone()
            }
        };
        self.records.push(Pending {
            first: seq,
            seq,
            before,
            intended: 1,
            durable: None,
            invalidation: Invalidation {
                coverage,
                mode: invalidation.mode,
            },
            label: label.cloned(),
        });
        self.squeeze();
        seq
    }

    /// Whether the own record of this number stands in the local order.
    pub(super) fn is_noted(&self, seq: u64) -> bool {
        let record = self.records.iter().find(|record| record.has(seq));
        record.is_some_and(|record| record.intended == 0)
    }

    /// What should have come back, and has not, is lost, and said again.
    pub(super) fn doubt_what_was_passed(&mut self, end: Cursor) {
        for record in &mut self.records {
            record.durable = record.durable.filter(|id| !is_within(*id, end));
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = TAG.to_vec();
        push(&mut out, &[self.id.0, self.next, self.sent]);
        push_count(&mut out, self.records.len());
        for record in &self.records {
            record.encode(&mut out);
        }
        let sum = checksum(&out);
        push(&mut out, &[sum]);
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(unsealed(value)?, TAG)?;
        let (id, next, sent) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let count = fields.u16()?;
        if usize::from(count) > MOST {
            return Err(Corrupt);
        }
        let records = (0..count).map(|_| Pending::decode(&mut fields));
        let records: Vec<_> = records.collect::<Result<_, _>>()?;
        fields.end()?;
        let is_in_order = records.is_sorted_by(|one, other| one.seq < other.first)
            && records.iter().all(|record| record.first <= record.seq);
        if !is_in_order || records.last().is_some_and(|last| last.seq >= next) {
            return Err(Corrupt);
        }
        Ok(Self {
            id: InstanceId(id),
            next,
            sent,
            records,
        })
    }
}

impl Pending {
    fn encode(&self, out: &mut Vec<u8>) {
        let Epoch { log, position } = self.before;
        push(out, &[self.first, self.seq, log, position]);
        out.extend_from_slice(&self.intended.to_le_bytes());
        out.push(self.durable.map_or(0, |_| 1));
        if let Some(id) = self.durable {
            push(out, &[id.log, id.position]);
            out.extend_from_slice(&id.check.to_le_bytes());
        }
        out.push(match self.invalidation.mode {
            Mode::Hard => 1,
            Mode::Invalid => 2,
            Mode::Soft => 3,
        });
        push_coverage(out, &self.invalidation.coverage);
        let label = self.label.as_ref();
        let (kind, value) = label.map_or(("", ""), |label| (label.kind(), label.value()));
        // Both were cut when the label was made.
        out.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(kind.as_bytes());
        push_count(out, value.len());
        out.extend_from_slice(value.as_bytes());
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        let (first, seq) = (fields.u64()?, fields.u64()?);
        let before = Epoch {
            log: fields.u64()?,
            position: fields.u64()?,
        };
        Ok(Self {
            first,
            seq,
            before,
            intended: fields.u16()?,
            durable: match fields.take()? {
                [0] => None,
                [1] => Some(Cursor {
                    log: fields.u64()?,
                    position: fields.u64()?,
                    check: fields.u32()?,
                }),
                _ => return Err(Corrupt),
            },
            invalidation: read_invalidation(fields)?,
            label: read_label(fields)?,
        })
    }
}

fn read_invalidation(fields: &mut Fields<'_>) -> Result<Invalidation, Corrupt> {
    let mode = match fields.take()? {
        [1] => Mode::Hard,
        [2] => Mode::Invalid,
        [3] => Mode::Soft,
        _ => return Err(Corrupt),
    };
    let [form] = *fields.take()?;
    let coverage = read_coverage(fields, form, MAX_STAMPS)?;
    Ok(Invalidation { coverage, mode })
}

fn read_label(fields: &mut Fields<'_>) -> Result<Option<Label>, Corrupt> {
    let [length] = *fields.take()?;
    let kind = fields.slice(length.into())?;
    let length = fields.u16()?;
    let value = fields.slice(length.into())?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Corrupt);
    let (kind, value) = (text(kind)?, text(value)?);
    Ok((!kind.is_empty()).then(|| Label::new(kind, value)))
}

#[cfg(test)]
pub(super) mod tests;
