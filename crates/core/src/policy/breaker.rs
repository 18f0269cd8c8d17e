//! When an origin counts as failed, so that it is left alone but for one request at a time.
//!
//! ```text
//! closed ── too many failures in a while ─▶ open ── 5 s, doubling to 60 s ─▶ half open, one request tries
//!    ▲                                        ▲                                   │           │
//!    └──────────────── it succeeds ───────────│───────────────────────────────────┘           │
//!                                             └──────────────── it fails ─────────────────────┘
//! ```
//!
//! Each worker counts by itself what it hears of a cluster, as far as it asks there. A breaker keeps nobody from the origin who
//! has nothing else: it only says when what is stale is preferred to it. So while it is open there are answers from the origin
//! all the same; they say nothing, until it is time to try.

use crate::config::BreakerSettings;
use crate::time::{Seconds, Timestamp};

/// The window is looked at in so many slices, of which the oldest is forgotten at once.
const SLICES: usize = 5;
/// It is open for so long at first.
const SHORTEST: Seconds = Seconds::clamped(5);
/// And so long in the end.
const LONGEST: Seconds = Seconds::clamped(60);
/// Who tries and is not heard of for so long has not tried.
const PATIENCE: Seconds = Seconds::clamped(30);
/// So many clusters are known; of more than that nobody keeps account.
const CLUSTERS: usize = 64;

/// How the origin has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// With a failure, or not at all.
    Failed,
    /// So too, to who had nothing stale, and was not asked whether it may ask. That says as much as any failure as long as nobody
    /// waits for a trial; then it is no trial's, and one resource that always fails would keep the whole origin from being tried.
    Unserved,
    /// With anything else.
    Well,
}

/// What a breaker says about a request that need not be sent, since there is something stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The origin is asked.
    Ask,
    /// It is left alone.
    Spare,
}

/// What an answer has done to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has closed.
    Closed,
    /// Nothing.
    None,
    /// It has opened, for the first time or again.
    Opened,
}

/// The breakers of a worker, one for each cluster.
#[derive(Debug, Default)]
pub struct Breakers(Vec<Named>);

#[derive(Debug)]
struct Named {
    cluster: Vec<u8>,
    breaker: Breaker,
}

impl Breakers {
    /// Whether this cluster is asked for what is there already, though stale.
    pub fn advise(&mut self, cluster: &[u8], now: Timestamp) -> Advice {
        let known = self.0.iter_mut().find(|named| named.cluster == cluster);
        known.map_or(Advice::Ask, |named| named.breaker.advise(now))
    }

    /// How this cluster has answered.
    pub fn note(
        &mut self,
        cluster: &[u8],
        health: Health,
        settings: &BreakerSettings,
        now: Timestamp,
    ) -> Change {
        if let Some(named) = self.0.iter_mut().find(|named| named.cluster == cluster) {
            return named.breaker.note(health, settings, now);
        }
        if health == Health::Well || !self.has_room() {
            return Change::None; // to be known takes a failure
        }
        let mut breaker = Breaker::default();
        let change = breaker.note(health, settings, now);
        self.0.push(Named {
            cluster: cluster.to_vec(),
            breaker,
        });
        change
    }

    /// Whether there is room for another cluster, after one has made room that is well, if need be.
    fn has_room(&mut self) -> bool {
        if self.0.len() >= CLUSTERS
            && let Some(at) = self.0.iter().position(|named| named.breaker.is_closed())
        {
            self.0.swap_remove(at);
        }
        self.0.len() < CLUSTERS
    }
}

/// Whether one cluster is asked.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    recent: Recent,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    /// Since then, and for so long.
    Open(Timestamp, Seconds),
    /// Somebody has tried since then, after it was open for so long.
    HalfOpen(Timestamp, Seconds),
}

impl Breaker {
    /// Whether the origin is asked for what is there already, though stale. The first who is let through when it is time tries
    /// for all.
    pub fn advise(&mut self, now: Timestamp) -> Advice {
        match self.state {
            State::Closed => Advice::Ask,
            State::Open(since, pause) if is_over(since, pause, now) => {
                self.state = State::HalfOpen(now, pause);
                Advice::Ask
            }
            State::HalfOpen(since, pause) if is_over(since, PATIENCE, now) => {
                self.state = State::HalfOpen(now, pause);
                Advice::Ask
            }
            State::Open(..) | State::HalfOpen(..) => Advice::Spare,
        }
    }

    /// How the origin has answered.
    pub fn note(&mut self, health: Health, settings: &BreakerSettings, now: Timestamp) -> Change {
        let pause = match (&self.state, health) {
            (State::Closed, _) => {
                self.recent.note(health, settings.window, now);
                match self.recent.is_failure(settings) {
                    true => SHORTEST,
                    false => return Change::None,
                }
            }
            // Of what was sent before.
            (State::Open(since, pause), _) if !is_over(*since, *pause, now) => {
                return Change::None;
            }
            (State::Open(..) | State::HalfOpen(..), Health::Well) => {
                *self = Self::default();
                return Change::Closed;
            }
            (State::Open(..) | State::HalfOpen(..), Health::Unserved) => return Change::None,
            (State::Open(_, pause) | State::HalfOpen(_, pause), Health::Failed) => {
                pause.saturating_add(*pause).min(LONGEST)
            }
        };
        self.state = State::Open(now, pause);
        Change::Opened
    }

    fn is_closed(&self) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(..) | State::HalfOpen(..) => false,
        }
    }
}

/// Whether so much time has passed since then; where the clock has been set back, it has.
fn is_over(since: Timestamp, span: Seconds, now: Timestamp) -> bool {
    now < since || since.plus(span) <= now
}

/// The answers of a while, slice by slice.
#[derive(Debug, Default)]
struct Recent {
    /// Which slice of all time is the newest.
    newest: u64,
    /// The newest first.
    slices: [Slice; SLICES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    failed: u32,
    all: u32,
}

impl Recent {
    fn note(&mut self, health: Health, window: Seconds, now: Timestamp) {
        let nanos = u64::from(window.get()).saturating_mul(1_000_000_000);
        let length = nanos.checked_div(SLICES as u64).unwrap_or_default().max(1);
        let at = now.as_nanos().checked_div(length).unwrap_or_default();
        match at.checked_sub(self.newest) {
            Some(0) => {}
            Some(passed) => {
                let passed = usize::try_from(passed).unwrap_or(SLICES).min(SLICES);
                self.slices.rotate_right(passed);
                let new = self.slices.iter_mut().take(passed);
                new.for_each(|slice| *slice = Slice::default());
            }
            None => self.slices = Default::default(), // the clock was set back
        }
        self.newest = at;
        if let Some(slice) = self.slices.first_mut() {
            slice.all = slice.all.saturating_add(1);
            match health {
                Health::Failed | Health::Unserved => slice.failed = slice.failed.saturating_add(1),
                Health::Well => {}
            }
        }
    }

    fn is_failure(&self, settings: &BreakerSettings) -> bool {
        let sum = |of: fn(&Slice) -> u32| {
            let counts = self.slices.iter().map(of);
            counts.fold(0, u32::saturating_add)
        };
        let (all, failed) = (sum(|slice| slice.all), sum(|slice| slice.failed));
        // `Share::of` rounds down, and a share of failures is one of them at least.
        let too_many = settings.failure_ratio.of(all as usize).max(1);
        all >= settings.min_requests && failed as usize >= too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Share;

    const SETTINGS: BreakerSettings = BreakerSettings {
        window: Seconds::clamped(10),
        failure_ratio: Share::thousandths(500),
        min_requests: 4,
        max_stale: Seconds::ZERO,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// What becomes of these answers, all at this time.
    fn hear(breaker: &mut Breaker, answers: &[Health], seconds: u64) -> Vec<Change> {
        let note = |health: &Health| breaker.note(*health, &SETTINGS, at(seconds));
        answers.iter().map(note).collect()
    }

    use Health::{Failed, Unserved, Well};

    /// One that has opened at 100.
    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        assert_eq!(hear(&mut breaker, &[Failed; 4], 100)[3], Change::Opened);
        breaker
    }

    #[test]
    fn it_opens_where_half_of_enough_answers_are_failures() {
        for (name, answers, expected) in [
            ("all well", [Well, Well, Well, Well], Change::None),
            ("one of four", [Well, Well, Well, Failed], Change::None),
            ("two of four", [Failed, Well, Well, Failed], Change::Opened),
            ("all", [Failed, Failed, Failed, Failed], Change::Opened),
        ] {
            let mut breaker = Breaker::default();
            let changes = hear(&mut breaker, &answers, 100);
            assert_eq!(changes[..3], [Change::None; 3], "{name}: too few");
            assert_eq!(changes[3], expected, "{name}");
            let advice = match expected {
                Change::Opened => Advice::Spare,
                Change::Closed | Change::None => Advice::Ask,
            };
            assert_eq!(breaker.advise(at(100)), advice, "{name}");
        }
    }

    #[test]
    fn what_is_long_past_does_not_count() {
        let mut breaker = Breaker::default();
        hear(&mut breaker, &[Failed, Failed], 100);
        assert_eq!(hear(&mut breaker, &[Well, Failed], 110), [Change::None; 2]);
        hear(&mut breaker, &[Failed], 119);
        let then = hear(&mut breaker, &[Failed], 117); // the clock was set back
        assert_eq!(then, [Change::None]);
        assert_eq!(hear(&mut breaker, &[Failed; 3], 117)[2], Change::Opened);
    }

    #[test]
    fn one_tries_when_it_is_time_and_the_others_wait_for_it() {
        let mut breaker = open();
        assert_eq!(breaker.advise(at(104)), Advice::Spare);
        assert_eq!(breaker.advise(at(105)), Advice::Ask);
        assert_eq!(breaker.advise(at(105)), Advice::Spare);
        assert_eq!(breaker.advise(at(134)), Advice::Spare);
        assert_eq!(breaker.advise(at(135)), Advice::Ask, "not heard of");
    }

    #[test]
    fn success_closes_it_and_failure_opens_it_for_twice_as_long() {
        let mut breaker = open();
        let mut now = 100_u64;
        for pause in [5, 10, 20, 40, 60, 60] {
            now = now.saturating_add(pause);
            assert_eq!(breaker.advise(at(now.saturating_sub(1))), Advice::Spare);
            assert_eq!(breaker.advise(at(now)), Advice::Ask, "after {pause}");
            assert_eq!(hear(&mut breaker, &[Failed], now), [Change::Opened]);
        }
        now = now.saturating_add(60);
        assert_eq!(breaker.advise(at(now)), Advice::Ask);
        assert_eq!(hear(&mut breaker, &[Well], now), [Change::Closed]);
        assert_eq!(breaker.advise(at(now)), Advice::Ask);
        // All is forgotten, and it opens for as short a time as at first.
        assert_eq!(hear(&mut breaker, &[Failed; 4], now)[3], Change::Opened);
        assert_eq!(breaker.advise(at(now.saturating_add(5))), Advice::Ask);
    }

    #[test]
    fn answers_to_those_who_have_nothing_else_say_nothing_before_it_is_time() {
        let mut breaker = open();
        assert_eq!(hear(&mut breaker, &[Well, Failed], 104), [Change::None; 2]);
        assert_eq!(breaker.advise(at(104)), Advice::Spare);
        assert_eq!(hear(&mut breaker, &[Well], 105), [Change::Closed]);
    }

    #[test]
    fn who_was_let_through_without_being_asked_does_not_spoil_the_trial() {
        let mut breaker = Breaker::default();
        assert_eq!(hear(&mut breaker, &[Unserved; 4], 100)[3], Change::Opened);
        assert_eq!(hear(&mut breaker, &[Unserved], 105), [Change::None]);
        assert_eq!(breaker.advise(at(105)), Advice::Ask);
        assert_eq!(hear(&mut breaker, &[Unserved], 106), [Change::None]);
        assert_eq!(hear(&mut breaker, &[Well], 107), [Change::Closed]);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let mut breaker = open();
        assert_eq!(breaker.advise(at(99)), Advice::Ask);
        assert_eq!(breaker.advise(at(99)), Advice::Spare);
        assert_eq!(breaker.advise(at(98)), Advice::Ask);
    }

    #[test]
    fn a_cluster_has_a_breaker_of_its_own_and_there_is_a_bound() {
        let mut breakers = Breakers::default();
        let fail = |breakers: &mut Breakers, name: &str, times: usize| {
            (0..times)
                .map(|_| breakers.note(name.as_bytes(), Failed, &SETTINGS, at(100)))
                .last()
        };
        assert_eq!(fail(&mut breakers, "a", 4), Some(Change::Opened));
        assert_eq!(breakers.advise(b"a", at(100)), Advice::Spare);
        assert_eq!(breakers.advise(b"b", at(100)), Advice::Ask);
        for number in 0..200 {
            fail(&mut breakers, &number.to_string(), 1);
        }
        assert_eq!(breakers.0.len(), CLUSTERS);
        assert_eq!(breakers.advise(b"a", at(100)), Advice::Spare, "it stays");
        for number in 1000..1200 {
            fail(&mut breakers, &number.to_string(), 4);
        }
        assert_eq!(breakers.0.len(), CLUSTERS);
        let last = breakers.note(b"x", Failed, &SETTINGS, at(100));
        assert_eq!(last, Change::None, "nobody keeps account of it");
        assert_eq!(breakers.advise(b"x", at(100)), Advice::Ask);
    }
}
