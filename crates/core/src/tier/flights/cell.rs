//! A cell of the flight table: what is known of a few keys.
//!
//! ```text
//! "LFL1" │ u64 incarnation │ u8 records ≤ 16 │ records × record                            all little-endian
//! record: 16 bytes digest │ u8 kind: 'f' 'r' resting 'u' unshared │ u64 until │ u64 span
//! flight: u64 token, the holder above the number │ u64 log │ u64 position │ 4 × u64 workers that follow, a bit each
//! ```
//!
//! A cell without records is emptied: to read one takes half as long, since the host need not ask for memory. It belongs to no
//! incarnation.
//!
//! A record holds until its time, and that lies at most its span ahead: one that lies further ahead was written before the
//! clock was set back, and is over.

use crate::entry::Epoch;
use crate::flight::Token;
use crate::key::KeyDigest;
use crate::time::{Seconds, Timestamp};

use super::super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LFL1";

/// The records of a cell.
pub(super) const MOST: usize = 16;

/// By how much the clocks of two callbacks that run at once differ at most.
const SLACK: Seconds = Seconds::clamped(1);

/// Some of the workers of a process, by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workers([u64; 4]);

impl Workers {
    /// None of them.
    pub const NONE: Self = Self([0; 4]);

    /// One more.
    pub fn add(&mut self, worker: u8) {
        if let Some(word) = self.0.get_mut(usize::from(worker >> 6)) {
            *word |= 1 << (worker & 63);
        }
    }

    /// Whether this is one of them.
    pub fn has(self, worker: u8) -> bool {
        let word = self.0.get(usize::from(worker >> 6));
        word.is_some_and(|word| word & (1 << (worker & 63)) != 0)
    }

    /// Their ids.
    pub fn ids(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |worker| self.has(*worker))
    }
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) digest: KeyDigest,
    pub(super) until: Timestamp,
    pub(super) span: Seconds,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flight(Lead),
    Resting,
    Unshared,
}

/// Who leads, and who follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) holder: u32,
    pub(super) number: u32,
    pub(super) epoch: Epoch,
    /// The workers on which somebody waits; not the leader's own.
    pub(super) followers: Workers,
}

impl Lead {
    pub(super) fn is_of(&self, token: &Token) -> bool {
        (self.holder, self.number) == (token.holder, token.number)
    }

    /// All workers on which somebody may wait.
    pub(super) fn workers(&self) -> Workers {
        let mut workers = self.followers;
        workers.add((self.holder >> 24) as u8);
        workers
    }
}

impl Record {
    pub(super) fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.plus(self.span).plus(SLACK)
    }

    /// Whether it began less than so long ago.
    pub(super) fn is_younger_than(&self, age: Seconds, now: Timestamp) -> bool {
        let end = now.plus(self.span);
        end < self.until.plus(age) && self.until <= end.plus(SLACK)
    }

    fn is_flight(&self) -> bool {
        match self.kind {
            Kind::Flight(_) => true,
            Kind::Resting | Kind::Unshared => false,
        }
    }
}

/// The records of a cell, at most one for a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    records: Vec<Record>,
}

impl Cell {
    /// What is known of this key, in force or not.
    pub(super) fn find(&self, digest: KeyDigest) -> Option<&Record> {
        self.records.iter().find(|record| record.digest == digest)
    }

    /// Nothing is known of this key any more.
    pub(super) fn forget(&mut self, digest: KeyDigest) {
        self.records.retain(|record| record.digest != digest);
    }

    /// Puts this in the place of what was known of its key; `None` where there is no room.
    ///
    /// What is over goes. Only where there is no room does a flight go that is over, because whoever leads it has not landed
    /// yet; or what is no flight, the one that would be over first.
    pub(super) fn put(&mut self, new: Record, now: Timestamp) -> Option<()> {
        self.forget(new.digest);
        self.records
            .retain(|record| record.is_flight() || record.is_in_force(now));
        if self.records.len() >= MOST {
            let over = |record: &Record| record.is_in_force(now);
            let one = self.records.iter().enumerate();
            let one = one.filter(|(_, record)| !over(record) || !record.is_flight());
            let (place, _) = one.min_by_key(|(_, record)| (over(record), record.until))?;
            self.records.remove(place);
        }
        self.records.push(new);
        Some(())
    }

    pub(super) fn encode(&self, incarnation: u64) -> Vec<u8> {
        if self.records.is_empty() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(TAG);
        out.extend_from_slice(&incarnation.to_le_bytes());
        out.push(u8::try_from(self.records.len()).unwrap_or(u8::MAX));
        for record in &self.records {
            record.encode(&mut out);
        }
        out
    }

    /// With the incarnation it belongs to, of one that has records.
    pub(super) fn decode(value: &[u8]) -> Result<(u64, Self), Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        let incarnation = fields.u64()?;
        let [count] = *fields.take()?;
        if count == 0 || usize::from(count) > MOST {
            return Err(Corrupt);
        }
        let mut cell = Self::default();
        for _ in 0..count {
            let record = Record::decode(&mut fields)?;
            if cell.find(record.digest).is_some() {
                return Err(Corrupt);
            }
            cell.records.push(record);
        }
        fields.end()?;
        Ok((incarnation, cell))
    }
}

impl Record {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.digest.0);
        let (kind, lead) = match self.kind {
            Kind::Flight(lead) => (b'f', Some(lead.to_numbers())),
            Kind::Resting => (b'r', None),
            Kind::Unshared => (b'u', None),
        };
        out.push(kind);
        let times = [self.until.as_nanos(), self.span.get().into()];
        for number in times.into_iter().chain(lead.into_iter().flatten()) {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        let digest = KeyDigest(*fields.take()?);
        let [kind] = *fields.take()?;
        let until = Timestamp::from_nanos(fields.u64()?);
        let span = fields.u64()?;
        let kind = match kind {
            b'f' => {
                let mut numbers = [0; 7];
                for number in &mut numbers {
                    *number = fields.u64()?;
                }
                Kind::Flight(Lead::from_numbers(numbers))
            }
            b'r' => Kind::Resting,
            b'u' => Kind::Unshared,
            _ => return Err(Corrupt),
        };
        Ok(Self {
            digest,
            until,
            span: Seconds::clamped(span).min(kind.longest()),
            kind,
        })
    }
}

impl Kind {
    /// The longest span that is ever given: a longer one is damage, which must not keep anybody waiting for years.
    fn longest(&self) -> Seconds {
        match self {
            Self::Flight(_) | Self::Resting => Seconds::clamped(60),
            Self::Unshared => Seconds::clamped(86_401),
        }
    }
}

impl Lead {
    fn to_numbers(self) -> [u64; 7] {
        let token = (u64::from(self.holder) << 32) | u64::from(self.number);
        let Epoch { log, position } = self.epoch;
        let Workers([a, b, c, d]) = self.followers;
        [token, log, position, a, b, c, d]
    }

    fn from_numbers([token, log, position, a, b, c, d]: [u64; 7]) -> Self {
        Self {
            holder: (token >> 32) as u32,
            number: token as u32,
            epoch: Epoch { log, position },
            followers: Workers([a, b, c, d]),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn record(key: u8, kind: Kind, until: u64) -> Record {
        Record {
            digest: KeyDigest([key; 16]),
            until: Timestamp::from_secs(until),
            span: Seconds::clamped(60),
            kind,
        }
    }

    fn flight() -> Kind {
        Kind::Flight(Lead {
            holder: 0x0300_0001,
            number: 5,
            epoch: Epoch {
                log: 6,
                position: 7,
            },
            followers: Workers::NONE,
        })
    }

    fn keys(cell: &Cell) -> Vec<u8> {
        cell.records
            .iter()
            .map(|record| record.digest.0[0])
            .collect()
    }

    #[test]
    fn a_cell_is_frozen() {
        let mut cell = Cell::default();
        cell.put(record(1, flight(), 1_005), NOW).unwrap();
        cell.put(record(2, Kind::Unshared, 1_060), NOW).unwrap();
        let golden = [
            &b"LFL1\x08\x07\x06\x05\x04\x03\x02\x01\x02"[..],
            &[1; 16],
            b"f",
            &1_005_000_000_000u64.to_le_bytes(),
            b"\x3c\0\0\0\0\0\0\0\x05\0\0\0\x01\0\0\x03",
            b"\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0",
            &[0; 32],
            &[2; 16],
            b"u",
            &1_060_000_000_000u64.to_le_bytes(),
            b"\x3c\0\0\0\0\0\0\0",
        ]
        .concat();
        assert_eq!(cell.encode(0x0102_0304_0506_0708), golden);
        assert_eq!(Cell::decode(&golden), Ok((0x0102_0304_0506_0708, cell)));
    }

    #[test]
    fn workers_are_told_apart() {
        let mut some = Workers::NONE;
        for worker in [0, 63, 64, 200, 255] {
            assert!(!some.has(worker));
            some.add(worker);
        }
        assert_eq!(some.ids().collect::<Vec<_>>(), [0, 63, 64, 200, 255]);
    }

    #[test]
    fn a_time_that_is_too_far_ahead_is_over() {
        let record = record(1, Kind::Resting, 1_060);
        for (now, is_in_force) in [(998, false), (999, true), (1_059, true), (1_060, false)] {
            assert_eq!(
                record.is_in_force(Timestamp::from_secs(now)),
                is_in_force,
                "{now}"
            );
        }
    }

    #[test]
    fn nothing_holds_for_longer_than_anything_is_given() {
        for (kind, most) in [
            (flight(), 60),
            (Kind::Resting, 60),
            (Kind::Unshared, 86_401),
        ] {
            let mut cell = Cell::default();
            let long = Record {
                span: Seconds::MAX,
                ..record(1, kind, 1_000_000)
            };
            cell.put(long, NOW).unwrap();
            let (_, read) = Cell::decode(&cell.encode(7)).unwrap();
            let read = read.find(long.digest).unwrap();
            assert_eq!(read.span, Seconds::clamped(most));
            assert!(!read.is_in_force(NOW) && !read.is_younger_than(Seconds::MAX, NOW));
        }
    }

    #[test]
    fn in_a_full_cell_flights_outrank_everything_else() {
        let mut cell = Cell::default();
        let put = |cell: &mut Cell, key, kind, until| cell.put(record(key, kind, until), NOW);
        put(&mut cell, 0, flight(), 999).unwrap(); // over, and its leader on the way
        for key in 1..16 {
            let kind = if key % 2 == 0 {
                Kind::Resting
            } else {
                Kind::Unshared
            };
            put(&mut cell, key, kind, 1_060 - u64::from(key)).unwrap();
        }
        assert_eq!(keys(&cell).len(), MOST);
        put(&mut cell, 100, flight(), 1_005).unwrap();
        assert!(!keys(&cell).contains(&0), "that one is over");
        for key in 101..116 {
            put(&mut cell, key, flight(), 1_005).unwrap();
            assert!(
                !keys(&cell).contains(&(116 - key)),
                "what is over first goes first"
            );
        }
        assert_eq!(put(&mut cell, 116, flight(), 1_005), None);
        assert_eq!(put(&mut cell, 117, Kind::Unshared, 1_005), None);
        put(&mut cell, 115, Kind::Unshared, 1_005).expect("its own place");
        assert_eq!(keys(&cell).len(), MOST);
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_a_cell_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0..4u8) {
            let _ = Cell::decode(&bytes);
            bytes.splice(0..0, [&TAG[..], &[7; 8], &[count]].concat());
            // Where kinds may stand, and the upper halves of spans.
            for (place, kind) in [(29, b'f'), (118, b'u'), (62, b'r')] {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = kind;
                }
                bytes.iter_mut().skip(place + 13).take(4).for_each(|byte| *byte = 0);
            }
            if let Ok((incarnation, cell)) = Cell::decode(&bytes) {
                let again = cell.encode(incarnation);
                prop_assert_eq!(again.len(), bytes.len());
                prop_assert_eq!(Cell::decode(&again), Ok((incarnation, cell)));
            }
        }
    }
}
