//! How far the sweep is, in its cell; the layout is drawn in [`super::sweep`].

use crate::time::{Seconds, Timestamp};

use super::record::{Corrupt, Fields};
use super::sweep::Totals;

const TAG: &[u8; 4] = b"LSW1";

/// How far the sweep is, and what it has counted so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        self.last = Some(Totals {
            entries: self.entries,
            bytes: self.counted.saturating_add_signed(self.moved),
            at: now,
        });
        self.round = self.round.wrapping_add(1);
        self.position = 0;
        self.counted = 0;
        self.entries = 0;
        self.moved = 0;
        self.gauge = 0;
        correction
    }

    pub(super) fn encode(&self, incarnation: u64) -> Vec<u8> {
        let last = self.last.map_or([0; 3], |totals| {
            [totals.entries, totals.bytes, totals.at.as_nanos()]
        });
        let mut record = Vec::with_capacity(96);
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
        for number in last {
            record.extend_from_slice(&number.to_le_bytes());
        }
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
            last: None,
        };
        let (entries, bytes, at) = (fields.u64()?, fields.u64()?, fields.u64()?);
        fields.end()?;
        if progress.round > 0 {
            let at = Timestamp::from_nanos(at);
            progress.last = Some(Totals { entries, bytes, at });
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
        let progress = Progress {
            holder: 0x0100_0002,
            deadline: Timestamp::from_nanos(3),
            position: 4,
            round: 5,
            counted: 6,
            entries: 7,
            moved: -8,
            gauge: 9,
            last: Some(Totals {
                entries: 10,
                bytes: 11,
                at: Timestamp::from_nanos(12),
            }),
        };
        let golden = b"LSW1\x01\0\0\0\0\0\0\0\x02\0\0\x01\x03\0\0\0\0\0\0\0\x04\0\0\0\x05\0\0\0\
            \x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\xf8\xff\xff\xff\xff\xff\xff\xff\
            \x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0";
        assert_eq!(progress.encode(1), golden);
        assert_eq!(Progress::decode(golden), Ok((1, progress)));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..140), shaped: bool) {
            if shaped {
                bytes.resize(100, 1);
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
