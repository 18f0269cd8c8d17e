//! The head of the order of invalidations, in one cell; [`super`] draws it.

use super::super::record::{Corrupt, Fields};
use super::noted::Noted;
use crate::entry::Epoch;
use crate::epoch::Mode;
use crate::time::Timestamp;

const TAG: &[u8; 4] = b"LEH3";

/// The last pages that were written to are remembered, so many.
const RING: usize = 128;

/// How far the order has come. Each writing of it raises the position, so that no two have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    /// What was asked for before this is gone.
    pub(super) hard_floor: u64,
    /// What was asked for before this is stale.
    pub(super) soft_floor: Noted,
    /// How many patterns have been announced: all of lower numbers stand in their cell, or are retired.
    pub(super) patterns: u64,
    pub(super) retired: Retired,
    /// How often a page was written to.
    pub(super) changes: u64,
    /// Which ones, the newest at `changes - 1`.
    ring: [u8; RING],
}

/// Patterns that a complete sweep has carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tier) struct Retired {
    /// Where the order was when the last such sweep began.
    pub(in crate::tier) position: u64,
    /// Patterns of lower numbers are, unless they are soft.
    pub(in crate::tier) patterns: u64,
    /// Soft patterns of lower numbers are.
    pub(in crate::tier) soft_patterns: u64,
}

impl Retired {
    /// Whether a pattern of this number is.
    pub(in crate::tier) fn has(&self, number: u64, mode: Mode) -> bool {
        number
            < match mode {
                Mode::Hard | Mode::Invalid => self.patterns,
                Mode::Soft => self.soft_patterns,
            }
    }

    /// Whether everything that is retired there is retired here too.
    pub(in crate::tier) fn includes(&self, other: &Self) -> bool {
        self.patterns >= other.patterns && self.soft_patterns >= other.soft_patterns
    }
}

impl Head {
    /// That of a log in which nothing has happened.
    pub(super) fn first(log: u64) -> Self {
        Self {
            epoch: Epoch { log, position: 0 },
            hard_floor: 0,
            soft_floor: Noted::NEVER,
            patterns: 0,
            retired: Retired::default(),
            changes: 0,
            ring: [0; RING],
        }
    }

    /// Notes that a page was written to.
    pub(super) fn touch(&mut self, page: u8) {
        if let Some(place) = self.ring.get_mut(self.changes as usize % RING) {
            *place = page;
        }
        self.changes = self.changes.wrapping_add(1);
    }

    /// The pages that were written to since there had been so many changes; `None` where that may be any.
    pub(super) fn touched_since(&self, changes: u64) -> Option<impl Iterator<Item = u8> + '_> {
        let count = self.changes.checked_sub(changes)?;
        let count = usize::try_from(count).ok().filter(|&count| count <= RING)?;
        let ring = self.ring.iter().cycle().skip(changes as usize % RING);
        Some(ring.take(count).copied())
    }

    /// Everything so far has been invalidated.
    pub(super) fn raise_floor(&mut self, mode: Mode, at: Timestamp) {
        match mode {
            Mode::Hard | Mode::Invalid => self.hard_floor = self.epoch.position,
            Mode::Soft => self.soft_floor.note(self.epoch.position, at),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let [soft_floor, soft_before, soft_since] = self.soft_floor.numbers();
        let numbers = [
            self.epoch.log,
            self.epoch.position,
            self.hard_floor,
            soft_floor,
            soft_before,
            soft_since,
            self.patterns,
            self.retired.position,
            self.retired.patterns,
            self.retired.soft_patterns,
            self.changes,
        ];
        let mut out = TAG.to_vec();
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.ring);
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        let head = Self {
            epoch: Epoch {
                log: fields.u64()?,
                position: fields.u64()?,
            },
            hard_floor: fields.u64()?,
            soft_floor: Noted::read(&mut fields)?,
            patterns: fields.u64()?,
            retired: Retired {
                position: fields.u64()?,
                patterns: fields.u64()?,
                soft_patterns: fields.u64()?,
            },
            changes: fields.u64()?,
            ring: *fields.take()?,
        };
        fields.end()?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_is_frozen() {
        let mut head = Head::first(0x11);
        head.epoch.position = 2;
        (head.hard_floor, head.patterns) = (3, 5);
        head.soft_floor.note(4, Timestamp::from_nanos(0x44));
        head.retired = Retired {
            position: 6,
            patterns: 7,
            soft_patterns: 8,
        };
        head.touch(0xfe);
        let numbers: Vec<u8> = [0x11, 2, 3, 4, 0, 0x44, 5, 6, 7, 8, 1u64]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let golden = [&b"LEH3"[..], &numbers, b"\xfe", &[0; 127]].concat();
        assert_eq!(head.encode(), golden);
        assert_eq!(Head::decode(&golden), Ok(head));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn the_ring_tells_which_pages_were_written_to_or_that_it_cannot(
            pages: Vec<u8>, more in proptest::collection::vec(any::<u8>(), 0..200), start in 0..3u64,
        ) {
            let mut head = Head::first(1);
            head.changes = start.wrapping_neg(); // it goes round without harm
            pages.iter().for_each(|page| head.touch(*page));
            let before = head.changes;
            more.iter().for_each(|page| head.touch(*page));
            let touched = head.touched_since(before).map(Iterator::collect::<Vec<_>>);
            let is_known = more.len() <= RING && head.changes >= before;
            prop_assert_eq!(touched, is_known.then_some(more));
        }

        #[test]
        fn any_bytes_are_a_head_or_none(bytes in proptest::collection::vec(any::<u8>(), 220), len in 0..226usize) {
            let mut value = [&TAG[..], &bytes[4..]].concat();
            value.resize(len, 0);
            if let Ok(head) = Head::decode(&value) {
                prop_assert_eq!(head.encode(), value);
                let _ = head.touched_since(0).map(Iterator::count);
            }
        }
    }
}
