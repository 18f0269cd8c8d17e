//! What one worker has counted and not yet shown.
//!
//! To count in the host costs as much as a hit from memory, so what happens at each request is counted here, and shown at
//! the worker's next tick, twice a second. A worker that dies takes half a second of it along.

use std::cell::Cell;
use std::rc::Rc;

use super::counter::{Counter, RuleCounter};
use super::label::{FetchClass, FetchResult, Outcome, ServedFrom};
use crate::config::{Config, PolicyId};

/// One hit in so many is timed, since that takes another call to the host.
const SAMPLE: u32 = 16;

/// What a worker has counted under one configuration since it was last shown.
#[derive(Debug)]
pub struct Tally {
    rules: Vec<[Cell<u32>; RuleCounter::ALL.len()]>,
    served: [Cell<u64>; ServedFrom::ALL.len()],
    fetched: [[Cell<u32>; FetchResult::ALL.len()]; FetchClass::ALL.len()],
    fetch_micros: Cell<u64>,
    hot_hits: Cell<u32>,
    not_modified: Cell<u32>,
    timed_hits: Cell<u32>,
    hit_micros: Cell<u64>,
    /// Hits until the next that is timed.
    untimed: Cell<u32>,
}

/// Whether a hit is to be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// It is.
    Timed,
    /// It is not.
    Untimed,
}

impl Tally {
    /// Nothing yet.
    pub fn new(config: &Config) -> Rc<Self> {
        Rc::new(Self {
            rules: config.labels().map(|_| Default::default()).collect(),
            served: Default::default(),
            fetched: Default::default(),
            fetch_micros: Cell::new(0),
            hot_hits: Cell::new(0),
            not_modified: Cell::new(0),
            timed_hits: Cell::new(0),
            hit_micros: Cell::new(0),
            untimed: Cell::new(0), // the first is
        })
    }

    /// What became of a request under this rule.
    pub fn request(&self, rule: PolicyId, outcome: Outcome) {
        self.note(rule, RuleCounter::Requests(outcome));
    }

    /// One more for this rule.
    pub fn note(&self, rule: PolicyId, counter: RuleCounter) {
        let counters = self.rules.get(rule.place());
        if let Some(count) = counters.and_then(|counters| counters.get(counter.index())) {
            grow(count, 1);
        }
    }

    /// A client was sent so many bytes of a body.
    pub fn serve(&self, source: ServedFrom, bytes: usize) {
        if let Some(count) = self.served.get(source as usize) {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            count.set(count.get().saturating_add(bytes));
        }
    }

    /// An answer came from the worker's own memory.
    pub fn hot_hit(&self) {
        grow(&self.hot_hits, 1);
    }

    /// An answer from the cache was 304.
    pub fn not_modified(&self) {
        grow(&self.not_modified, 1);
    }

    /// The origin was asked, and took so many microseconds to say this.
    pub fn fetch(&self, class: FetchClass, result: FetchResult, micros: u64) {
        let results = self.fetched.get(class as usize);
        if let Some(count) = results.and_then(|results| results.get(result as usize)) {
            grow(count, 1);
        }
        let sum = &self.fetch_micros;
        sum.set(sum.get().saturating_add(micros));
    }

    /// Whether the time of this hit is to be taken.
    pub fn sample(&self) -> Sampling {
        match self.untimed.get().checked_sub(1) {
            Some(left) => {
                self.untimed.set(left);
                Sampling::Untimed
            }
            None => {
                self.untimed.set(SAMPLE.saturating_sub(1));
                Sampling::Timed
            }
        }
    }

    /// It took so many microseconds.
    pub fn time_hit(&self, micros: u64) {
        grow(&self.timed_hits, 1);
        let sum = &self.hit_micros;
        sum.set(sum.get().saturating_add(micros));
    }

    /// What was counted since this was last asked.
    #[inline(never)]
    pub fn take(&self, show: &mut dyn FnMut(Counter, u64)) {
        let mut give = |counter, by| {
            if by > 0 {
                show(counter, by);
            }
        };
        give(Counter::HotHit, self.hot_hits.take().into());
        give(Counter::NotModified, self.not_modified.take().into());
        give(Counter::TimedHits, self.timed_hits.take().into());
        give(Counter::HitTime, self.hit_micros.take());
        give(Counter::FetchTime, self.fetch_micros.take());
        for (source, bytes) in ServedFrom::ALL.iter().zip(&self.served) {
            give(Counter::Served(*source), bytes.take());
        }
        for (class, results) in FetchClass::ALL.iter().zip(&self.fetched) {
            for (result, count) in FetchResult::ALL.iter().zip(results) {
                give(Counter::Fetched(*class, *result), count.take().into());
            }
        }
    }

    /// What was counted for rules, by [`PolicyId::place`], since this was last asked.
    #[inline(never)]
    pub fn take_rules(&self, show: &mut dyn FnMut(usize, RuleCounter, u64)) {
        for (place, counters) in self.rules.iter().enumerate() {
            for (counter, count) in RuleCounter::ALL.iter().zip(counters) {
                match count.take() {
                    0 => {}
                    by => show(place, *counter, by.into()),
                }
            }
        }
    }
}

fn grow(count: &Cell<u32>, by: u32) {
    count.set(count.get().saturating_add(by));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Rc<Tally> {
        let config = br#"{"rules":[{"name":"a","match":{}},{"name":"b","match":{}}]}"#;
        Tally::new(&Config::parse(config).unwrap())
    }

    #[test]
    fn what_is_taken_is_not_taken_again() {
        let tally = tally();
        tally.request(PolicyId::Unmatched, Outcome::Miss);
        tally.request(PolicyId::Unmatched, Outcome::Miss);
        tally.serve(ServedFrom::Shared, 7);
        tally.fetch(FetchClass::Foreground, FetchResult::Ok, 30);
        for expected in [3, 0] {
            let mut taken = Vec::new();
            tally.take(&mut |counter, by| taken.push((counter, by)));
            assert_eq!(taken.len(), expected, "{taken:?}");
        }
        let mut taken = Vec::new();
        tally.take_rules(&mut |place, counter, by| taken.push((place, counter, by)));
        let miss = RuleCounter::Requests(Outcome::Miss);
        assert_eq!(taken, [(0, miss, 2)]);
        tally.take_rules(&mut |_, _, _| panic!("again"));
    }

    #[test]
    fn one_hit_in_sixteen_is_timed() {
        let tally = tally();
        let timed = (0..64).filter(|_| tally.sample() == Sampling::Timed);
        assert_eq!(timed.count(), 4);
    }
}
