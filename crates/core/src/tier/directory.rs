//! A set's directory: what each of its ways holds, and who is at work there.
//!
//! ```text
//! "LDR2" │ u64 incarnation │ ways × way                          300, 588 or 1,164 bytes, all little-endian
//! way: u8 state │ u24 touched │ u32 fingerprint │ u64 generation │ u64 started │ u64 until │ u32 charged
//! ```
//!
//! | state | | `until` | unused, zero |
//! |---|---|---|---|
//! | 0 | free: its slot is empty or was never set | | all else |
//! | 1 | filling: its claimant writes the slot | the claim's deadline | touched |
//! | 2 | emptying: its claimant empties the slot | the claim's deadline | touched, fingerprint, started |
//! | 3 | published: its slot holds an entry | when the entry expires | |
//!
//! The record is changed by compare-and-set alone, so it needs no lock and no checksum. A fingerprint stands in a set
//! at most once: it is the identity of a key here, the full key is compared in the slot. Times are nanoseconds since
//! 1970, as everywhere. A claim carries the bytes it stands for, so that the sum over all directories is the truth
//! about memory at every moment, whoever died in between.

use crate::time::Timestamp;

use super::generation::Generation;
use super::record::{Corrupt, Fields};
use super::way::{Claim, Published, WAY_BYTES, Way};

/// The ways of a set at most.
pub(super) const WAYS: usize = 32;

const TAG: &[u8; 4] = b"LDR2";

/// A few of the ways of one set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways(u32);

impl Ways {
    pub(super) const NONE: Ways = Ways(0);

    pub(super) fn one(way: usize) -> Self {
        Self(bit(way))
    }

    pub(super) fn insert(&mut self, way: usize) {
        self.0 |= bit(way);
    }

    pub(super) fn contains(self, way: usize) -> bool {
        self.0 & bit(way) != 0
    }

    pub(super) fn without(self, other: Ways) -> Ways {
        Ways(self.0 & !other.0)
    }

    pub(super) fn or(self, other: Ways) -> Ways {
        Ways(self.0 | other.0)
    }

    pub(super) fn and(self, other: Ways) -> Ways {
        Ways(self.0 & other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (0..WAYS).filter(move |&way| self.contains(way))
    }
}

impl FromIterator<usize> for Ways {
    fn from_iter<I: IntoIterator<Item = usize>>(ways: I) -> Self {
        let mut all = Ways::NONE;
        ways.into_iter().for_each(|way| all.insert(way));
        all
    }
}

fn bit(way: usize) -> u32 {
    1u32.checked_shl(way as u32).unwrap_or(0)
}

/// A directory as it stands in its cell, read in place.
pub(super) struct View<'a> {
    pub(super) incarnation: u64,
    ways: &'a [[u8; WAY_BYTES]],
}

impl<'a> View<'a> {
    pub(super) fn parse(record: &'a [u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(record, TAG)?;
        let incarnation = fields.u64()?;
        let (ways, rest) = fields.rest().as_chunks::<WAY_BYTES>();
        if matches!(ways.len(), 8 | 16 | WAYS) && rest.is_empty() {
            Ok(Self { incarnation, ways })
        } else {
            Err(Corrupt)
        }
    }

    /// The way and entry of that fingerprint.
    pub(super) fn find(&self, fingerprint: u32) -> Option<(usize, Published)> {
        let wanted = fingerprint.to_le_bytes();
        self.ways.iter().enumerate().find_map(|(way, bytes)| {
            if bytes.first() != Some(&3) || bytes.get(4..8) != Some(&wanted[..]) {
                return None;
            }
            match Way::decode(bytes) {
                Ok(Way::Published(entry)) => Some((way, entry)),
                Ok(Way::Emptying(_) | Way::Filling { .. } | Way::Free) | Err(Corrupt) => None,
            }
        })
    }

    pub(super) fn directory(&self) -> Result<Directory, Corrupt> {
        let mut directory = Directory::free(self.ways.len() as u32);
        for (way, bytes) in directory.ways_mut().iter_mut().zip(self.ways) {
            *way = Way::decode(bytes)?;
        }
        Ok(directory)
    }
}

/// The ways of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    ways: [Way; WAYS],
    /// How many of them there are; those behind are free and stay so.
    len: usize,
}

impl Directory {
    /// So many ways, with nothing in them.
    pub(super) fn free(ways: u32) -> Self {
        Self {
            ways: [Way::Free; WAYS],
            len: (ways as usize).min(WAYS),
        }
    }

    /// These ways.
    #[cfg(test)]
    pub(super) fn of(ways: &[Way]) -> Self {
        let mut directory = Self::free(ways.len() as u32);
        directory.ways_mut().copy_from_slice(ways);
        directory
    }

    pub(super) fn ways(&self) -> &[Way] {
        self.ways.get(..self.len).unwrap_or_default()
    }

    pub(super) fn ways_mut(&mut self) -> &mut [Way] {
        self.ways.get_mut(..self.len).unwrap_or_default()
    }

    /// What becomes of a record that cannot be used, because it cannot be read or belongs to another incarnation.
    ///
    /// Its slots may hold bytes, so its ways are not free: they are claims without time left, which the next taker or
    /// the sweep empties.
    pub(super) fn salvage(record: &[u8], ways: u32) -> Directory {
        let abandoned = |charged| {
            Way::Emptying(Claim {
                generation: Generation::from_raw(0),
                charged,
                deadline: Timestamp::from_nanos(0),
            })
        };
        let foreign = View::parse(record).and_then(|view| view.directory());
        let mut salvaged = Directory::free(ways);
        for (at, way) in salvaged.ways_mut().iter_mut().enumerate() {
            *way = match &foreign {
                Err(Corrupt) => abandoned(0),
                // Of a geometry with fewer ways: what is in the others is not known.
                Ok(foreign) if at >= foreign.len => abandoned(0),
                Ok(foreign) => match foreign.way(at) {
                    Way::Free => Way::Free,
                    taken @ (Way::Emptying(_) | Way::Filling { .. } | Way::Published(_)) => {
                        abandoned(taken.charged())
                    }
                },
            };
        }
        salvaged
    }

    pub(super) fn way(&self, way: usize) -> Way {
        self.ways.get(way).copied().unwrap_or(Way::Free)
    }

    pub(super) fn set(&mut self, way: usize, to: Way) {
        if let Some(place) = self.ways_mut().get_mut(way) {
            *place = to;
        }
    }

    /// The ways for which `test` holds.
    pub(super) fn ways_where(&self, test: impl Fn(&Way) -> bool) -> Ways {
        let ways = self.ways().iter().enumerate();
        ways.filter(|(_, way)| test(way))
            .map(|(at, _)| at)
            .collect()
    }

    /// The bytes of all ways.
    pub(super) fn charged(&self) -> u64 {
        self.ways().iter().map(|way| u64::from(way.charged())).sum()
    }

    pub(super) fn encode(&self, incarnation: u64) -> Vec<u8> {
        let mut record = Vec::with_capacity(self.len.saturating_mul(WAY_BYTES).saturating_add(12));
        record.extend_from_slice(TAG);
        record.extend_from_slice(&incarnation.to_le_bytes());
        for way in self.ways() {
            way.encode(&mut record);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::way::Condition;
    use crate::tier::way::tests::{any_way, at, claim, entry};
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_frozen() {
        let mut directory = Directory::free(8);
        directory.set(1, Way::Published(entry(1, 2)));
        directory.set(2, Way::Emptying(claim(1)));
        let filling = Way::Filling {
            claim: claim(2),
            fingerprint: 5,
            started: at(1),
        };
        directory.set(7, filling);
        let record = directory.encode(0x3837_3635_3433_3231);
        let one = b"\x00\xca\x9a\x3b\0\0\0\0";
        let two = b"\x00\x94\x35\x77\0\0\0\0";
        let mut golden = b"LDR2\x31\x32\x33\x34\x35\x36\x37\x38".to_vec();
        golden.extend([0; 36]);
        golden.extend(b"\x03\x09\x0a\x0b\x01\x02\x03\x04\x11\x12\x13\x14\x15\x16\x17\x18");
        golden.extend([&one[..], two, b"\x21\x22\x23\x24"].concat());
        golden.extend(b"\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        golden.extend([&one[..], b"\x2c\x01\0\0"].concat());
        golden.extend([0; 36 * 4]);
        golden.extend(b"\x01\0\0\0\x05\0\0\0\x07\0\0\0\0\0\0\0");
        golden.extend([&one[..], two, b"\x2c\x01\0\0"].concat());
        assert_eq!(record, golden);
        let view = View::parse(&golden).unwrap();
        assert_eq!(view.incarnation, 0x3837_3635_3433_3231);
        assert_eq!(view.directory(), Ok(directory));
        assert_eq!(view.find(0x0403_0201), Some((1, entry(1, 2))));
        assert_eq!(view.find(5), None, "what is being filled is not found");
    }

    #[test]
    fn nothing_of_an_unusable_record_counts_as_free() {
        let mut foreign = Directory::free(8);
        foreign.set(3, Way::Published(entry(1, 2)));
        let salvaged = Directory::salvage(&foreign.encode(1), 8);
        assert_eq!(salvaged.way(3).condition(at(1)), Condition::Abandoned);
        assert_eq!(salvaged.charged(), foreign.charged());
        assert_eq!(salvaged.way(0), Way::Free);
        for unusable in [&b"?"[..], &Directory::free(8).encode(1)] {
            let salvaged = Directory::salvage(unusable, 16);
            let abandoned = salvaged.ways_where(|way| way.condition(at(1)) == Condition::Abandoned);
            assert!((8..16).all(|way| abandoned.contains(way)));
            assert_eq!(salvaged.ways().len(), 16);
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), shaped: bool) {
            if shaped {
                bytes.resize(12 + 8 * WAY_BYTES, 1);
                bytes[..4].copy_from_slice(TAG);
            }
            if let Ok(view) = View::parse(&bytes) {
                let _ = view.find(0);
                if let Ok(directory) = view.directory() {
                    prop_assert!(directory.charged() <= u64::from(u32::MAX).saturating_mul(8));
                }
            }
            let _ = Directory::salvage(&bytes, 32);
        }

        #[test]
        fn what_is_written_is_read(
            ways in proptest::array::uniform32(any_way()),
            count in proptest::sample::select(vec![8, 16, 32]),
            incarnation: u64,
        ) {
            let directory = Directory::of(&ways[..count]);
            let record = directory.encode(incarnation);
            let view = View::parse(&record).unwrap();
            prop_assert_eq!(view.incarnation, incarnation);
            prop_assert_eq!(view.directory(), Ok(directory));
            for len in (0..record.len()).filter(|len| ![300, 588].contains(len)) {
                prop_assert!(View::parse(&record[..len]).is_err());
            }
        }
    }
}
