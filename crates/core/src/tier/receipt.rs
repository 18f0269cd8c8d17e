//! Receipts: how many entries an invalidation took away, which the sweep tells as it comes by.
//!
//! ```text
//! "LRC1" │ u16 receipts │ receipts × receipt                                                     the oldest first
//! receipt: u64 id │ u64 log │ u64 position │ u8 done: 0 1 │ u64 entries │ u64 bytes │ coverage
//! coverage: 'a' │ 's' u16 count, count × u64 │ form: g p r, u16 length, text │ '-' when the sweep is done
//! ```
//!
//! An entry counts when the sweep empties it and the invalidation covers it, or when the invalidation leaves it where it is and
//! the sweep that is to complete the receipt meets it. What was replaced before the sweep came by is not counted, and
//! neither is what another worker empties between the invalidation and the receipt. A receipt is done when a sweep is
//! complete that began after the invalidation and looked at every entry, and every live worker has let go of what it kept
//! of them in its own memory ([`super::applied`]).

use crate::entry::Epoch;
use crate::epoch::{Coverage, Covering, Stamped};

use super::coverage::{push_count, push_coverage, read_coverage};
use super::kv::{Cas, KvError, SetError, SharedKv};
use super::name::Name;
use super::random::scramble;
use super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LRC1";
/// Receipts that are kept; the oldest done one gives way to the next.
const MOST: usize = 64;
/// An invalidation of more stamps gets none.
const MOST_STAMPS: usize = 256;
/// Every lost compare-and-set is another worker's success.
const TRIES: usize = 100;

/// What has become of an invalidation so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which.
    pub id: u64,
    /// Whether this is all.
    pub progress: Completeness,
    /// Entries that are gone, or met.
    pub entries: u64,
    /// The bytes they take, or took.
    pub bytes: u64,
}

/// Whether a sweep has been everywhere since, and every worker has looked at its own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It has.
    Done,
    /// It has not.
    Pending,
}

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReceipt {
    /// The host failed.
    Failed,
    /// So many invalidations wait already, or it names too much.
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    receipt: Receipt,
    epoch: Epoch,
    /// `None` when the sweep is done.
    coverage: Option<Coverage>,
}

impl Receipt {
    /// Opens one for an invalidation that was noted at this position.
    ///
    /// # Errors
    /// [`NoReceipt`]; the invalidation holds all the same.
    pub fn open(kv: &dyn SharedKv, epoch: Epoch, coverage: &Coverage) -> Result<u64, NoReceipt> {
        if let Coverage::Stamps(stamps) = coverage
            && stamps.len() > MOST_STAMPS
        {
            return Err(NoReceipt::Full);
        }
        let id = scramble(epoch.log ^ scramble(epoch.position));
        let record = Record {
            receipt: Self {
                id,
                progress: Completeness::Pending,
                entries: 0,
                bytes: 0,
            },
            epoch,
            coverage: Some(coverage.clone()),
        };
        change(kv, |records| {
            if records.len() >= MOST {
                let done = records
                    .iter()
                    .position(|record| record.receipt.progress == Completeness::Done);
                records.remove(done.ok_or(NoReceipt::Full)?);
            }
            records.push(record.clone());
            Ok(())
        })?;
        Ok(id)
    }

    /// The one with this id, as far as it is known by now; `None` where there is none any more.
    ///
    /// # Errors
    /// [`NoReceipt::Failed`].
    pub fn find(kv: &dyn SharedKv, id: u64) -> Result<Option<Self>, NoReceipt> {
        let (records, _) = read(kv)?;
        let mut receipts = records.iter().map(|record| record.receipt);
        Ok(receipts.find(|receipt| receipt.id == id))
    }
}

/// What a step of the sweep counts for the receipts that wait.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    waiting: Vec<Tally>,
    /// Those for which the sweep is done.
    swept: Vec<(u64, Epoch)>,
}

#[derive(Debug)]
struct Tally {
    id: u64,
    epoch: Epoch,
    covering: Covering,
    entries: u64,
    bytes: u64,
    /// Of the set at hand.
    fresh: (u64, u64),
}

/// What the sweep does with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Emptied,
    Stays,
}

impl Tallies {
    /// Of the receipts that wait.
    pub(super) fn of(kv: &dyn SharedKv) -> Result<Self, NoReceipt> {
        let (records, _) = read(kv)?;
        let swept = records.iter().filter(|record| record.is_swept());
        let swept = swept
            .map(|record| (record.receipt.id, record.epoch))
            .collect();
        let tally = |record: Record| {
            let covering = record.coverage?.compile().ok()?;
            Some(Tally {
                id: record.receipt.id,
                epoch: record.epoch,
                covering,
                entries: 0,
                bytes: 0,
                fresh: (0, 0),
            })
        };
        Ok(Self {
            waiting: records.into_iter().filter_map(tally).collect(),
            swept,
        })
    }

    /// Whether some are waiting for the workers only.
    pub(super) fn has_swept(&self) -> bool {
        !self.swept.is_empty()
    }

    /// Those are done for which all workers have let go of what they had, up to here.
    pub(super) fn release(&self, kv: &dyn SharedKv, all: Epoch) -> Result<(), NoReceipt> {
        let is_done = |epoch: &Epoch| epoch.log != all.log || epoch.position <= all.position;
        let swept = self.swept.iter().filter(|(_, epoch)| is_done(epoch));
        let done: Vec<u64> = swept.map(|(id, _)| *id).collect();
        if done.is_empty() {
            return Ok(());
        }
        change(kv, |records| {
            for record in records {
                if done.contains(&record.receipt.id) {
                    record.receipt.progress = Completeness::Done;
                }
            }
            Ok(())
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts an entry that is met by a sweep which began here.
    pub(super) fn count(&mut self, stored: Stamped<'_>, bytes: u64, fate: Fate, began: Epoch) {
        for tally in &mut self.waiting {
            let is_older =
                stored.epoch.log == tally.epoch.log && stored.epoch.position < tally.epoch.position;
            let counts = match fate {
                Fate::Emptied => true,
                Fate::Stays => tally.is_completed_by(began),
            };
            if is_older && counts && tally.covering.covers(stored) {
                let (entries, so_far) = tally.fresh;
                tally.fresh = (entries.saturating_add(1), so_far.saturating_add(bytes));
            }
        }
    }

    /// What was counted in a set is so.
    pub(super) fn keep(&mut self) {
        for tally in &mut self.waiting {
            let (entries, bytes) = std::mem::take(&mut tally.fresh);
            tally.entries = tally.entries.saturating_add(entries);
            tally.bytes = tally.bytes.saturating_add(bytes);
        }
    }

    /// It is not: the set has changed meanwhile, and is counted by the next sweep.
    pub(super) fn forget(&mut self) {
        for tally in &mut self.waiting {
            tally.fresh = (0, 0);
        }
    }

    /// Writes down what was counted.
    pub(super) fn settle(&self, kv: &dyn SharedKv) -> Result<(), NoReceipt> {
        if self.waiting.iter().all(|tally| tally.entries == 0) {
            return Ok(());
        }
        self.apply(kv, |_| false)
    }

    /// The sweep is done for those that a complete one which began here has looked for.
    pub(super) fn complete(mut self, kv: &dyn SharedKv, began: Epoch) -> Result<(), NoReceipt> {
        self.waiting.retain(|tally| tally.is_completed_by(began));
        for tally in &mut self.waiting {
            (tally.entries, tally.bytes) = (0, 0); // they were settled
        }
        match self.is_empty() {
            true => Ok(()),
            false => self.apply(kv, |_| true),
        }
    }

    fn apply(&self, kv: &dyn SharedKv, is_done: fn(&Tally) -> bool) -> Result<(), NoReceipt> {
        change(kv, |records| {
            for tally in &self.waiting {
                let Some(record) = records.iter_mut().find(|r| r.receipt.id == tally.id) else {
                    continue;
                };
                let receipt = &mut record.receipt;
                receipt.entries = receipt.entries.saturating_add(tally.entries);
                receipt.bytes = receipt.bytes.saturating_add(tally.bytes);
                if is_done(tally) {
                    record.coverage = None;
                }
            }
            Ok(())
        })
    }
}

impl Record {
    fn is_swept(&self) -> bool {
        self.coverage.is_none() && self.receipt.progress == Completeness::Pending
    }
}

impl Tally {
    /// What was asked for in another log is gone, so any sweep completes it.
    fn is_completed_by(&self, began: Epoch) -> bool {
        self.epoch.log != began.log || self.epoch.position <= began.position
    }
}

fn read(kv: &dyn SharedKv) -> Result<(Vec<Record>, Cas), NoReceipt> {
    let cell = kv.get(Name::receipts().as_str());
    match cell.map_err(|KvError| NoReceipt::Failed)? {
        None => Ok((Vec::new(), Cas::NEVER)),
        // What cannot be read is lost, and nobody finds it.
        Some(cell) => Ok((decode(&cell.value).unwrap_or_default(), cell.cas)),
    }
}

fn change(
    kv: &dyn SharedKv,
    change: impl Fn(&mut Vec<Record>) -> Result<(), NoReceipt>,
) -> Result<(), NoReceipt> {
    for _ in 0..TRIES {
        let (mut records, cas) = read(kv)?;
        change(&mut records)?;
        match kv.set(Name::receipts().as_str(), &encode(&records), cas) {
            Ok(()) => return Ok(()),
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => return Err(NoReceipt::Failed),
        }
    }
    Err(NoReceipt::Failed)
}

fn encode(records: &[Record]) -> Vec<u8> {
    let mut out = TAG.to_vec();
    push_count(&mut out, records.len());
    for record in records {
        let Receipt {
            id,
            progress,
            entries,
            bytes,
        } = record.receipt;
        for number in [id, record.epoch.log, record.epoch.position] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(match progress {
            Completeness::Pending => 0,
            Completeness::Done => 1,
        });
        out.extend_from_slice(&entries.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        match &record.coverage {
            None => out.push(b'-'),
            Some(coverage) => push_coverage(&mut out, coverage),
        }
    }
    out
}

fn decode(value: &[u8]) -> Result<Vec<Record>, Corrupt> {
    let mut fields = Fields::of(value, TAG)?;
    let count = fields.u16()?;
    if usize::from(count) > MOST {
        return Err(Corrupt);
    }
    let records = (0..count).map(|_| decode_record(&mut fields));
    let records = records.collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(records)
}

fn decode_record(fields: &mut Fields<'_>) -> Result<Record, Corrupt> {
    let id = fields.u64()?;
    let epoch = Epoch {
        log: fields.u64()?,
        position: fields.u64()?,
    };
    let progress = match fields.take()? {
        [0] => Completeness::Pending,
        [1] => Completeness::Done,
        _ => return Err(Corrupt),
    };
    let receipt = Receipt {
        id,
        progress,
        entries: fields.u64()?,
        bytes: fields.u64()?,
    };
    let coverage = match fields.take()? {
        b"-" => None,
        [form] => Some(read_coverage(fields, *form, MOST_STAMPS)?),
    };
    Ok(Record {
        receipt,
        epoch,
        coverage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_receipts_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0..3u8) {
            let _ = decode(&bytes);
            bytes.splice(0..0, [b'L', b'R', b'C', b'1', count, 0]);
            if let Ok(records) = decode(&bytes) {
                prop_assert_eq!(encode(&records), bytes);
            }
        }
    }
}
