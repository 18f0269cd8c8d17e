//! How far the sweep is, in its cell; the layout is drawn in [`super::sweep`].

use crate::time::{Seconds, Timestamp};

use super::census::{Census, Counted};
use super::record::{Corrupt, Fields};
use super::sweep::Totals;
use crate::entry::Epoch;

const TAG: &[u8; 4] = b"LSW2";

/// What a round of the sweep is about; decided when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// How far the order of invalidations had come.
    pub(super) began: Epoch,
    /// How many patterns it had announced.
    pub(super) patterns: u64,
    pub(super) depth: Depth,
    pub(super) softened: Softened,
    pub(super) so_far: Thoroughness,
}

/// Which slots a round looks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// One in eight.
    Audit,
    /// Every one that holds an entry.
    Full,
}

/// What becomes of entries that a soft pattern covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Softened {
    Empty,
    Keep,
}

/// Whether a round has dealt with all that it had to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoroughness {
    Complete,
    /// Somewhere a fill was under way, or something could not be emptied or judged.
    Patchy,
}

impl Plan {
    /// For who knows no order of invalidations.
    pub(super) const AUDIT: Plan = Plan {
        began: Epoch::UNKNOWN,
        patterns: 0,
        depth: Depth::Audit,
        softened: Softened::Keep,
        so_far: Thoroughness::Complete,
    };

    fn flags(self) -> u8 {
        let depth = match self.depth {
            Depth::Audit => 0,
            Depth::Full => 1,
        };
        let softened = match self.softened {
            Softened::Keep => 0,
            Softened::Empty => 2,
        };
        let so_far = match self.so_far {
            Thoroughness::Complete => 0,
            Thoroughness::Patchy => 4,
        };
        depth | softened | so_far
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        let began = Epoch {
            log: fields.u64()?,
            position: fields.u64()?,
        };
        let patterns = fields.u64()?;
        let [flags] = *fields.take()?;
        Ok(Self {
            began,
            patterns,
            depth: match flags & 1 {
                0 => Depth::Audit,
                _ => Depth::Full,
            },
            softened: match flags & 2 {
                0 => Softened::Keep,
                _ => Softened::Empty,
            },
            so_far: match flags & 4 {
                0 => Thoroughness::Complete,
                _ => Thoroughness::Patchy,
            },
        })
    }
}

/// How far the sweep is, and what it has counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Whose turn it is, as [`super::lease::Lease::holder`] names it.
    pub(super) holder: u32,
    pub(super) deadline: Timestamp,
    /// The next set.
    pub(super) position: u32,
    /// Complete sweeps so far.
    pub(super) round: u32,
    /// The bytes met in the sets before `position`.
    pub(super) counted: u64,
    /// The entries met there.
    pub(super) entries: u64,
    /// By how much the sweep itself moved the gauge.
    pub(super) moved: i64,
    /// The gauge without that, summed over the sets before `position`.
    gauge: i128,
    pub(super) plan: Plan,
    /// What is counted of the entries looked into.
    pub(super) census: Census,
    /// Where the order of invalidations was when the last complete sweep began that looked at every entry.
    pub(super) swept: Epoch,
    pub(super) last: Option<Totals>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            holder: 0,
            deadline: Timestamp::from_nanos(0),
            position: 0,
            round: 0,
            counted: 0,
            entries: 0,
            moved: 0,
            gauge: 0,
            plan: Plan::AUDIT,
            census: Census::default(),
            swept: Epoch::UNKNOWN,
            last: None,
        }
    }
}

impl Progress {
    /// Whether the holder may still be at it. A deadline further off than two spans was set before the clock was set
    /// back.
    pub(super) fn is_held(&self, now: Timestamp, span: Seconds) -> bool {
        now < self.deadline && self.deadline <= now.plus(span).plus(span)
    }

    /// Notes the gauge at the beginning of a step of `sets` sets.
    pub(super) fn see_gauge(&mut self, gauge: u64, sets: u32) {
        // A gauge that has wrapped below zero is meant to be negative.
        let own = (gauge as i64).wrapping_sub(self.moved);
        let weighted = i128::from(own).saturating_mul(i128::from(sets));
        self.gauge = self.gauge.saturating_add(weighted);
    }

    /// Ends a sweep over `sets` sets, with the gauge as it stands now; gives by how much that is to be moved.
    ///
    /// Where nobody moved it meanwhile, the difference is exact. Else it is an estimate, and a gauge that is right must not be
    /// moved by an estimate's error: only a difference that cannot be one is made good.
    pub(super) fn complete(&mut self, gauge: u64, sets: u32, now: Timestamp) -> i64 {
        let own = i128::from((gauge as i64).wrapping_sub(self.moved));
        let sets = i128::from(sets);
        let mean = self.gauge.checked_div(sets).unwrap_or(0);
        let difference = i128::from(self.counted).saturating_sub(mean);
        let is_quiet = own.saturating_mul(sets) == self.gauge;
        let trend = own.saturating_sub(mean).saturating_abs();
        let error = trend
            .saturating_mul(2)
            .saturating_add(i128::from(self.counted / 32));
        let correction = match is_quiet || difference.saturating_abs() > error {
            true => difference as i64,
            false => 0,
        };
        let counted = match self.plan.depth {
            Depth::Audit => self.last.map_or(Counted::default(), |last| last.counted),
            Depth::Full => self.census.result(),
        };
        self.last = Some(Totals {
            entries: self.entries,
            bytes: self.counted.saturating_add_signed(self.moved),
            at: now,
            counted,
        });
        let is_thorough = self.plan.so_far == Thoroughness::Complete;
        if self.plan.depth == Depth::Full && is_thorough {
            self.swept = self.plan.began;
        }
        self.round = self.round.wrapping_add(1);
        self.start_over();
        correction
    }

    /// The round begins anew.
    pub(super) fn start_over(&mut self) {
        self.position = 0;
        self.counted = 0;
        self.entries = 0;
        self.moved = 0;
        self.gauge = 0;
        self.census = Census::default();
    }

    pub(super) fn encode(&self, incarnation: u64) -> Vec<u8> {
        let mut record = Vec::with_capacity(2221);
        record.extend_from_slice(TAG);
        record.extend_from_slice(&incarnation.to_le_bytes());
        record.extend_from_slice(&self.holder.to_le_bytes());
        record.extend_from_slice(&self.deadline.as_nanos().to_le_bytes());
        record.extend_from_slice(&self.position.to_le_bytes());
        record.extend_from_slice(&self.round.to_le_bytes());
        record.extend_from_slice(&self.counted.to_le_bytes());
        record.extend_from_slice(&self.entries.to_le_bytes());
        record.extend_from_slice(&self.moved.to_le_bytes());
        record.extend_from_slice(&self.gauge.to_le_bytes());
        let Plan {
            began, patterns, ..
        } = self.plan;
        for number in [began.log, began.position, patterns] {
            record.extend_from_slice(&number.to_le_bytes());
        }
        record.push(self.plan.flags());
        self.census.push(&mut record);
        let last = self.last.map_or([0; 3], |totals| {
            [totals.entries, totals.bytes, totals.at.as_nanos()]
        });
        for number in [self.swept.log, self.swept.position]
            .into_iter()
            .chain(last)
        {
            record.extend_from_slice(&number.to_le_bytes());
        }
        let counted = self.last.map(|totals| totals.counted);
        counted.unwrap_or_default().push(&mut record);
        record
    }

    pub(super) fn decode(record: &[u8]) -> Result<(u64, Self), Corrupt> {
        let mut fields = Fields::of(record, TAG)?;
        let incarnation = fields.u64()?;
        let mut progress = Self {
            holder: fields.u32()?,
            deadline: Timestamp::from_nanos(fields.u64()?),
            position: fields.u32()?,
            round: fields.u32()?,
            counted: fields.u64()?,
            entries: fields.u64()?,
            moved: fields.u64()? as i64,
            gauge: i128::from_le_bytes(*fields.take()?),
            plan: Plan::read(&mut fields)?,
            census: Census::read(&mut fields)?,
            swept: Epoch {
                log: fields.u64()?,
                position: fields.u64()?,
            },
            last: None,
        };
        let (entries, bytes, at) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let counted = Counted::read(&mut fields)?;
        fields.end()?;
        if progress.round > 0 {
            let at = Timestamp::from_nanos(at);
            progress.last = Some(Totals {
                entries,
                bytes,
                at,
                counted,
            });
        }
        Ok((incarnation, progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_correction_is_what_gauge_and_sum_differ_by() {
        let mut progress = Progress::default();
        // The truth is 1,000 bytes, 300 of which the sweep frees in its first step; the gauge says 70 too much.
        progress.see_gauge(1_070, 32);
        progress.counted = 600;
        progress.moved = -300;
        progress.see_gauge(770, 8);
        progress.counted += 400;
        assert_eq!(progress.complete(770, 40, Timestamp::from_secs(1)), -70);
        assert_eq!(progress.last.map(|totals| totals.bytes), Some(700));
    }

    #[test]
    fn what_may_be_an_error_of_counting_while_others_store_moves_nothing() {
        for (counted, gauges, correction) in [
            (1_000, [1_000, 1_010, 1_010], 0),
            (1_000, [900, 1_100, 1_200], 0),
            (1_000, [2_000, 2_010, 2_010], -1_005),
        ] {
            let mut progress = Progress::default();
            progress.see_gauge(gauges[0], 4);
            progress.see_gauge(gauges[1], 4);
            progress.counted = counted;
            let found = progress.complete(gauges[2], 8, Timestamp::from_secs(1));
            assert_eq!(found, correction, "{gauges:?}");
        }
    }

    #[test]
    fn a_gauge_below_zero_is_lifted() {
        let mut progress = Progress::default();
        progress.see_gauge((-50i64) as u64, 8);
        progress.counted = 10;
        assert_eq!(
            progress.complete((-50i64) as u64, 8, Timestamp::from_secs(1)),
            60
        );
    }

    #[test]
    fn the_record_is_frozen() {
        let epoch = |position| Epoch { log: 20, position };
        let progress = Progress {
            holder: 0x0100_0002,
            deadline: Timestamp::from_nanos(3),
            position: 4,
            round: 5,
            counted: 6,
            entries: 7,
            moved: -8,
            gauge: 9,
            plan: Plan {
                began: epoch(21),
                patterns: 22,
                depth: Depth::Full,
                softened: Softened::Empty,
                so_far: Thoroughness::Patchy,
            },
            census: Census::default(),
            swept: epoch(23),
            last: Some(Totals {
                entries: 10,
                bytes: 11,
                at: Timestamp::from_nanos(12),
                counted: Counted {
                    original_bytes: 13,
                    stored_bytes: 14,
                    tags: 15,
                },
            }),
        };
        let numbers = |numbers: &[u64]| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect()
        };
        let golden = [
            &b"LSW2\x01\0\0\0\0\0\0\0\x02\0\0\x01\x03\0\0\0\0\0\0\0\x04\0\0\0\x05\0\0\0"[..],
            &numbers(&[6, 7, 8u64.wrapping_neg(), 9, 0, 20, 21, 22]),
            b"\x07",
            &[0; 16 + 2048],
            &numbers(&[20, 23, 10, 11, 12, 13, 14, 15]),
        ]
        .concat();
        assert_eq!(progress.encode(1), golden);
        assert_eq!(Progress::decode(&golden), Ok((1, progress)));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..2300), shaped: bool) {
            if shaped {
                bytes.resize(2221, 1);
                bytes[..4].copy_from_slice(TAG);
            }
            if let Ok((_, mut progress)) = Progress::decode(&bytes) {
                progress.see_gauge(u64::MAX, u32::MAX);
                progress.complete(u64::MAX, u32::MAX, Timestamp::from_nanos(u64::MAX));
                progress.complete(0, 0, Timestamp::from_nanos(0));
            }
        }
    }
}
