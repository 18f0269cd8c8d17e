//! Instants, durations and HTTP dates.
//!
//! The host's clock is the system's: it can step in either direction, so no subtraction here can underflow and no
//! sum can overflow. A peer's numbers are clamped where they enter.

mod date;

use std::time::{Duration, UNIX_EPOCH};

pub use date::{parse_http_date, parse_http_date_at};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

const NANOS_PER_SECOND: u64 = 1_000_000_000;

impl Timestamp {
    /// From nanoseconds since the epoch, which is how the host tells the time.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch; saturates in the year 2554.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SECOND
    }

    /// The time that has passed since `earlier`, in whole seconds; zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Timestamp) -> Seconds {
        Seconds::clamped(self.0.saturating_sub(earlier.0) / NANOS_PER_SECOND)
    }

    /// This instant, `seconds` later.
    #[must_use]
    pub const fn plus(self, seconds: Seconds) -> Timestamp {
        Self(
            self.0
                .saturating_add((seconds.get() as u64).saturating_mul(NANOS_PER_SECOND)),
        )
    }
}

/// A span in whole seconds, from 0 to 2³¹.
///
/// "If a cache receives a delta-seconds value greater than the greatest integer it can represent, or if any of its
/// subsequent calculations overflows, the cache MUST consider the value to be 2147483648 (2^31) or the greatest
/// positive integer it can conveniently represent." RFC 9111 section 1.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

impl Seconds {
    /// No time at all.
    pub const ZERO: Seconds = Seconds(0);
    /// What every larger value becomes.
    pub const MAX: Seconds = Seconds(1 << 31);

    /// `value` seconds, or [`Seconds::MAX`] if that is less.
    pub const fn clamped(value: u64) -> Self {
        if value > Self::MAX.0 as u64 {
            Self::MAX
        } else {
            Self(value as u32)
        }
    }

    /// The number of seconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, at most [`Seconds::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Seconds) -> Seconds {
        Self::clamped((self.0 as u64).saturating_add(other.0 as u64))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Seconds) -> Seconds {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Writes an IMF-fixdate, the one form a sender may generate (RFC 9110 section 5.6.7).
pub fn format_http_date(at: Timestamp) -> String {
    // Neither the sum nor the year 9999, beyond which httpdate cannot write, is in reach of a `Timestamp`.
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(at.as_secs()));
    httpdate::fmt_http_date(date.unwrap_or(UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_gives_no_negative_span() {
        let later = Timestamp::from_secs(100);
        assert_eq!(Timestamp::from_secs(40).since(later), Seconds::ZERO);
        assert_eq!(later.since(Timestamp::from_secs(40)), Seconds::clamped(60));
    }

    #[test]
    fn spans_stop_at_two_to_the_thirty_one() {
        assert_eq!(Seconds::clamped(u64::MAX).get(), 2_147_483_648);
        assert_eq!(Seconds::MAX.saturating_add(Seconds::MAX), Seconds::MAX);
        assert_eq!(
            Timestamp::from_nanos(u64::MAX)
                .plus(Seconds::MAX)
                .as_nanos(),
            u64::MAX
        );
    }

    #[test]
    fn the_last_representable_instant_can_be_written() {
        assert!(format_http_date(Timestamp::from_nanos(u64::MAX)).ends_with("GMT"));
    }
}
