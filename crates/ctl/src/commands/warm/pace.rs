//! How soon the next one may be asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// No more than so many a second, at even distances.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    apart: Option<Duration>,
    next: AtomicU64,
}

impl Pace {
    /// Begins now.
    pub(super) fn of(rate: Option<u32>) -> Self {
        Self {
            begun: Instant::now(),
            apart: rate.and_then(|rate| Duration::from_secs(1).checked_div(rate)),
            next: AtomicU64::new(0),
        }
    }

    /// Since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until it is this one's turn.
    pub(super) fn wait(&self) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.left(turn, self.elapsed()));
    }

    fn left(&self, turn: u64, elapsed: Duration) -> Duration {
        let Some(apart) = self.apart else {
            return Duration::ZERO;
        };
        let turn = u32::try_from(turn).unwrap_or(u32::MAX);
        apart.saturating_mul(turn).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_even_distances_and_what_is_late_is_not_waited_for() {
        let pace = Pace::of(Some(10));
        let ms = Duration::from_millis;
        assert_eq!(pace.left(0, ms(0)), ms(0));
        assert_eq!(pace.left(5, ms(120)), ms(380));
        assert_eq!(pace.left(5, ms(700)), ms(0));
        assert_eq!(Pace::of(None).left(5, ms(0)), ms(0));
    }
}
