//! When something was invalidated, where that was more than once.
//!
//! Of many invalidations the newest position says what is met. For a soft one it counts since when as well, and for that an entry
//! needs the first that came after it. Kept is the newest, and the first of those that came within a few seconds before it: a
//! change to a page of a site often purges the same tag several times. An entry from between them counts as stale for these few
//! seconds longer than it is; of one from before them nobody knows since when.

use super::super::record::{Corrupt, Fields};
use crate::epoch::{Currency, Mode};
use crate::time::{Seconds, Timestamp};

/// Invalidations count as one for so long after the first.
const TOGETHER: Seconds = Seconds::clamped(5);

/// The newest invalidations of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The position of the newest; 0 where there is none.
    newest: u64,
    /// That of the newest which is not counted as one with it; 0 where there is none.
    before: u64,
    /// When the first came of those that are.
    since: Timestamp,
}

impl Noted {
    pub(super) const NEVER: Self = Self {
        newest: 0,
        before: 0,
        since: Timestamp::from_nanos(0),
    };

    /// Another one. A worker that took its position earlier may come later.
    pub(super) fn note(&mut self, position: u64, at: Timestamp) {
        let is_together = self.newest != 0
            && self.since <= at
            && at.as_nanos() <= self.since.plus(TOGETHER).as_nanos();
        if position <= self.newest {
            self.since = self.since.min(at);
        } else if is_together {
            self.newest = position;
        } else {
            *self = Self {
                newest: position,
                before: self.newest,
                since: at,
            };
        }
    }

    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether what was asked for at this position is met.
    pub(super) const fn meets(&self, position: u64) -> bool {
        self.newest > position
    }

    /// What soft ones make of what was asked for at this position.
    pub(super) fn judge(&self, position: u64) -> Currency {
        match self.meets(position) {
            true => Currency::met_by(Mode::Soft, self.since(position)),
            false => Currency::Current,
        }
    }

    /// Since when what is met has been so; never later than the truth, and `None` where nobody knows.
    pub(super) fn since(&self, position: u64) -> Option<Timestamp> {
        (position >= self.before).then_some(self.since)
    }

    pub(super) fn numbers(&self) -> [u64; 3] {
        [self.newest, self.before, self.since.as_nanos()]
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            newest: fields.u64()?,
            before: fields.u64()?,
            since: Timestamp::from_nanos(fields.u64()?),
        })
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

    /// Their positions and times.
    type Invalidations<'a> = &'a [(u64, u64)];

    fn noted(invalidations: Invalidations<'_>) -> Noted {
        let mut noted = Noted::NEVER;
        for (position, at) in invalidations {
            noted.note(*position, Timestamp::from_secs(*at));
        }
        noted
    }

    #[test]
    fn an_entry_is_stale_since_the_first_that_came_after_it() {
        let since = |at| Currency::Softened {
            since: Some(Timestamp::from_secs(at)),
        };
        #[rustfmt::skip]
        let rows: [(&str, Invalidations<'_>, u64, Currency); 10] = [
            ("never", &[], 0, Currency::Current),
            ("one before it", &[(5, 100)], 5, Currency::Current),
            ("one after it", &[(5, 100)], 4, since(100)),
            ("two at once", &[(5, 100), (9, 105)], 4, since(100)),
            ("between two at once", &[(5, 100), (9, 105)], 5, since(100)),
            ("two", &[(5, 100), (9, 106)], 5, since(106)),
            ("before both", &[(5, 100), (9, 106)], 4, Currency::Softened { since: None }),
            ("the earlier one comes later", &[(9, 101), (5, 100)], 4, since(100)),
            ("the clock steps back", &[(5, 100), (9, 20)], 5, since(20)),
            ("before both, and it steps back", &[(5, 100), (9, 20)], 4, Currency::Softened { since: None }),
        ];
        for (name, invalidations, position, expected) in rows {
            assert_eq!(noted(invalidations).judge(position), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        /// Positions and times rise together, but not in the order in which they are noted.
        #[test]
        fn nothing_is_ever_said_to_be_stale_for_less_than_it_is(
            mut steps in proptest::collection::vec((1..4_u64, 0..8_u64), 1..12), swaps in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
            position in 0..40_u64,
        ) {
            let mut last = (0, 100);
            for step in &mut steps {
                last = (last.0 + step.0, last.1 + step.1);
                *step = last;
            }
            let first = steps.iter().find(|(number, _)| *number > position).copied();
            for swap in swaps {
                let at = swap.index(steps.len());
                if at > 0 {
                    steps.swap(at - 1, at);
                }
            }
            let noted = noted(&steps);
            prop_assert_eq!(noted.meets(position), first.is_some());
            if let (Some((_, at)), Some(since)) = (first, noted.since(position)) {
                prop_assert!(since <= Timestamp::from_secs(at));
            }
            let mut bytes = Vec::new();
            noted.numbers().iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
            prop_assert_eq!(Noted::read(&mut Fields::new(&bytes)), Ok(noted));
        }
    }
}
