//! When the shared cells themselves are left alone: the request survives the cache, and so it goes without where looking there
//! only fails, or takes long.
//!
//! ```text
//! trusted ── 20 failures in a row, or 3 slow rounds ─▶ distrusted ── 5 s, doubling to 60 s ─▶ one call tries
//!    ▲                                                    ▲                                      │      │
//!    └───────────────────── it is answered ───────────────│──────────────────────────────────────┘      │
//!                                                         └───────────────── it fails ──────────────────┘
//! ```

use crate::time::{Seconds, Timestamp};

/// So many failures in a row are no accident.
const FAILURES: u32 = 20;
/// Nor are so many slow rounds of maintenance, which is a few calls every half second.
const SLOW_ROUNDS: u32 = 3;
/// A round is slow that takes so long; it is a few milliseconds else.
const SLOW_NANOS: u64 = 1_000_000_000;
const SHORTEST: Seconds = Seconds::clamped(5);
const LONGEST: Seconds = Seconds::clamped(60);

/// Whether this worker asks the shared cells.
#[derive(Debug, Default)]
pub(super) struct Trust {
    state: State,
    slow_rounds: u32,
}

#[derive(Debug)]
enum State {
    /// They are left alone since then, for so long.
    Distrusted(Timestamp, Seconds),
    /// They are asked, and have failed so often in a row.
    Trusted(u32),
    /// One call tries, after they were left alone for so long.
    Trying(Seconds),
}

impl Default for State {
    fn default() -> Self {
        Self::Trusted(0)
    }
}

/// Whether a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Granted,
    Refused,
}

impl Trust {
    /// Whether a call is made now.
    pub(super) fn ask(&mut self, now: Timestamp) -> Leave {
        match self.state {
            State::Distrusted(since, pause) if since <= now && now < since.plus(pause) => {
                Leave::Refused
            }
            State::Distrusted(_, pause) => {
                self.state = State::Trying(pause);
                Leave::Granted
            }
            State::Trusted(_) | State::Trying(_) => Leave::Granted,
        }
    }

    /// A call has been answered, whatever with.
    pub(super) fn note_answer(&mut self) {
        self.state = State::Trusted(0);
    }

    /// A call has failed.
    pub(super) fn note_failure(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::Trusted(before) if before.saturating_add(1) < FAILURES => {
                State::Trusted(before.saturating_add(1))
            }
            State::Trusted(_) => State::Distrusted(now, SHORTEST),
            State::Trying(pause) => {
                State::Distrusted(now, pause.saturating_add(pause).min(LONGEST))
            }
            State::Distrusted(since, pause) => State::Distrusted(since, pause),
        };
    }

    /// A round of maintenance took so many nanoseconds.
    pub(super) fn note_round(&mut self, nanos: u64, now: Timestamp) {
        self.slow_rounds = match nanos < SLOW_NANOS {
            true => 0,
            false => self.slow_rounds.saturating_add(1),
        };
        if self.slow_rounds >= SLOW_ROUNDS {
            self.slow_rounds = 0;
            self.state = State::Distrusted(now, SHORTEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds.saturating_add(1_000))
    }

    /// How often it is asked in so many calls at once that all fail.
    fn failing(trust: &mut Trust, calls: u32, seconds: u64) -> u32 {
        let asked = (0..calls).filter(|_| {
            let leave = trust.ask(at(seconds));
            if leave == Leave::Granted {
                trust.note_failure(at(seconds));
            }
            leave == Leave::Granted
        });
        asked.count() as u32
    }

    #[test]
    fn what_only_fails_is_tried_now_and_then() {
        let mut trust = Trust::default();
        assert_eq!(failing(&mut trust, 100, 0), 20);
        let tries = (1..=200).filter(|seconds| failing(&mut trust, 100, *seconds) > 0);
        let tries: Vec<_> = tries.collect();
        assert_eq!(
            tries,
            [5, 15, 35, 75, 135, 195],
            "5, 10, 20, 40, 60, 60 seconds"
        );
    }

    #[test]
    fn one_answer_brings_back_trust() {
        let mut trust = Trust::default();
        failing(&mut trust, 19, 0);
        trust.note_answer();
        assert_eq!(failing(&mut trust, 100, 0), 20, "they are counted anew");
        assert_eq!(trust.ask(at(5)), Leave::Granted);
        trust.note_answer();
        assert_eq!(failing(&mut trust, 100, 5), 20);
        assert_eq!(failing(&mut trust, 100, 10), 1, "and so is the pause");
    }

    #[test]
    fn slow_rounds_in_a_row_are_enough() {
        const SLOW: u64 = 1_000_000_000;
        let mut trust = Trust::default();
        for nanos in [SLOW, SLOW, SLOW - 1, SLOW, SLOW] {
            trust.note_round(nanos, at(0));
            assert_eq!(trust.ask(at(0)), Leave::Granted);
        }
        trust.note_round(SLOW, at(0));
        assert_eq!(trust.ask(at(4)), Leave::Refused);
        assert_eq!(trust.ask(at(5)), Leave::Granted);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_prolong_it() {
        let mut trust = Trust::default();
        failing(&mut trust, 20, 500);
        assert_eq!(trust.ask(at(500)), Leave::Refused);
        assert_eq!(trust.ask(at(1)), Leave::Granted);
    }
}
