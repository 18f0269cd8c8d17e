//! A page: the newest invalidations of the stamps that fall to it.
//!
//! ```text
//! "LEP3" │ u64 log │ u16 records │ records × record │ 256 × place
//! record: u64 stamp │ u64 hard │ u64 invalid │ 3 × u64 soft   positions; 0 for none; in the order of stamps; soft: [`Noted`]
//! place:  u64 hard │ u64 soft
//! ```
//!
//! A stamp has a record of its own, until more have come than the page may hold; then the one that was invalidated the
//! longest ago is *folded*: its positions go to two of the places that all stamps of the page share, unless something newer
//! stands there. What was folded is read as the older of the two, so an entry falls to a stranger's invalidation only where
//! both places were hit by strangers; never is anything forgotten. An invalid one counts as hard from then on, and when a
//! soft one came nobody knows.

use super::super::kv::{KvError, SharedKv};
use super::super::name::Name;
use super::super::random::scramble;
use super::super::record::{Corrupt, Fields};
use super::noted::Noted;
use crate::entry::{Epoch, Stamp};
use crate::epoch::{Currency, Mode};
use crate::time::Timestamp;

const TAG: &[u8; 4] = b"LEP3";
const PLACES: usize = 256;
/// More records than a page is ever given.
pub(super) const MOST_RECORDS: usize = 256;

/// The newest invalidations of the stamps that fall to one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// In the order of their stamps.
    records: Vec<Record>,
    places: Vec<Folded>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    stamp: u64,
    hard: u64,
    invalid: u64,
    soft: Noted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Folded {
    hard: u64,
    soft: u64,
}

/// Where stamps stand in one log. Chosen with the log's random number, so that nobody can aim at somebody's.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) page: u8,
    places: [u8; 2],
}

impl Spot {
    pub(super) fn of(log: u64, stamp: Stamp) -> Self {
        let [page, first, second, ..] = scramble(stamp.0 ^ log).to_le_bytes();
        Self {
            page,
            places: [first, second],
        }
    }
}

impl Page {
    pub(super) fn empty() -> Self {
        Self {
            records: Vec::new(),
            places: vec![Folded::default(); PLACES],
        }
    }

    /// Notes an invalidation, in a page that may hold so many records.
    pub(super) fn note(
        &mut self,
        epoch: Epoch,
        Stamp(stamp): Stamp,
        (mode, at): (Mode, Timestamp),
        most: usize,
    ) {
        let place = self
            .records
            .binary_search_by_key(&stamp, |record| record.stamp);
        let place = place.unwrap_or_else(|place| {
            let record = Record {
                stamp,
                hard: 0,
                invalid: 0,
                soft: Noted::NEVER,
            };
            self.records.insert(place, record);
            place
        });
        if let Some(record) = self.records.get_mut(place) {
            let position = epoch.position;
            match mode {
                Mode::Hard => record.hard = record.hard.max(position),
                Mode::Invalid => record.invalid = record.invalid.max(position),
                Mode::Soft => record.soft.note(position, at),
            }
        }
        while self.records.len() > most.min(MOST_RECORDS) {
            self.fold_oldest(epoch.log);
        }
    }

    fn fold_oldest(&mut self, log: u64) {
        let oldest = (0..self.records.len())
            .min_by_key(|&at| self.records.get(at).map_or(u64::MAX, Record::newest));
        let Some(record) = oldest.map(|at| self.records.remove(at)) else {
            return;
        };
        for at in Spot::of(log, Stamp(record.stamp)).places {
            if let Some(place) = self.places.get_mut(usize::from(at)) {
                place.hard = place.hard.max(record.hard).max(record.invalid);
                place.soft = place.soft.max(record.soft.newest());
            }
        }
    }

    /// Whether what was asked for at this position, and has this stamp, has been invalidated.
    pub(super) fn judge(&self, spot: Spot, stamp: Stamp, position: u64) -> Currency {
        let place = |at: u8| self.places.get(usize::from(at)).copied();
        let [first, second] = spot.places.map(|at| place(at).unwrap_or_default());
        let hard = first.hard.min(second.hard);
        let soft = first.soft.min(second.soft);
        let record = self
            .records
            .binary_search_by_key(&stamp.0, |record| record.stamp)
            .ok()
            .and_then(|at| self.records.get(at));
        let of = |positions: fn(&Record) -> u64| record.map_or(0, positions);
        if hard.max(of(|record| record.hard)) > position {
            Currency::Gone
        } else if of(|record| record.invalid) > position {
            Currency::Invalidated
        } else if soft > position {
            Currency::Softened { since: None }
        } else {
            record.map_or(Currency::Current, |record| record.soft.judge(position))
        }
    }

    pub(super) fn encode(&self, log: u64) -> Vec<u8> {
        let size = self.records.len().saturating_mul(48).saturating_add(4200);
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(TAG);
        out.extend_from_slice(&log.to_le_bytes());
        let count = u16::try_from(self.records.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for record in &self.records {
            let [newest, before, since] = record.soft.numbers();
            let positions = [record.stamp, record.hard, record.invalid];
            for number in positions.into_iter().chain([newest, before, since]) {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        for place in &self.places {
            out.extend_from_slice(&place.hard.to_le_bytes());
            out.extend_from_slice(&place.soft.to_le_bytes());
        }
        out
    }

    fn decode(value: &[u8]) -> Result<(u64, Self), Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        let log = fields.u64()?;
        let count = usize::from(fields.u16()?);
        if count > MOST_RECORDS {
            return Err(Corrupt);
        }
        let mut record = || -> Result<Record, Corrupt> {
            Ok(Record {
                stamp: fields.u64()?,
                hard: fields.u64()?,
                invalid: fields.u64()?,
                soft: Noted::read(&mut fields)?,
            })
        };
        let records: Vec<_> = (0..count).map(|_| record()).collect::<Result<_, _>>()?;
        let mut place = || -> Result<Folded, Corrupt> {
            Ok(Folded {
                hard: fields.u64()?,
                soft: fields.u64()?,
            })
        };
        let places = (0..PLACES).map(|_| place()).collect::<Result<_, _>>()?;
        fields.end()?;
        // Out of order none would be found.
        match records.is_sorted_by(|one, other| one.stamp < other.stamp) {
            true => Ok((log, Self { records, places })),
            false => Err(Corrupt),
        }
    }
}

impl Record {
    fn newest(&self) -> u64 {
        self.hard.max(self.invalid).max(self.soft.newest())
    }
}

/// What stands where a page should.
pub(super) enum Reading {
    Page(Page),
    /// A page that another log has left behind, or none.
    None,
    Corrupt,
}

impl Reading {
    pub(super) fn of(value: Option<&[u8]>, log: u64) -> Self {
        match value.map(Page::decode) {
            None => Self::None,
            Some(Ok((of, page))) if of == log => Self::Page(page),
            Some(Ok(_)) => Self::None,
            Some(Err(Corrupt)) => Self::Corrupt,
        }
    }
}

/// Reads a page of a log; `None` where nobody can say what it holds.
pub(super) fn read_page(kv: &dyn SharedKv, number: u8, log: u64) -> Option<Page> {
    let cell = kv.get(Name::epoch_page(number).as_str());
    let cell = cell.map_err(|KvError| ()).ok()?;
    match Reading::of(cell.as_ref().map(|cell| cell.value.as_slice()), log) {
        Reading::Page(page) => Some(page),
        Reading::Corrupt => None,
        // No page of this log, if this log is still the one: else it may be that of the next.
        Reading::None => super::is_in_force(kv, log).ok()?.then(Page::empty),
    }
}
