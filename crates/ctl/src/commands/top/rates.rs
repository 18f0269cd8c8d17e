//! What comes by second, from samples: of each process by itself, and then together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sample::{Began, Counts, Instance, Sample};

/// Two reports of one process are never so close together.
const AT_LEAST: Duration = Duration::from_millis(50);

/// What is known now, and what comes by second.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    last: Sample,
    known: BTreeMap<String, Known>,
    has_begun_anew: bool,
}

/// One process.
#[derive(Clone, Debug)]
struct Known {
    said: Duration,
    counts: Counts,
    /// What came between its last two reports, and how long that was.
    since: Option<(Counts, f64)>,
}

/// By second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rate {
    /// By rule: hits, misses, bypasses.
    pub(super) rules: BTreeMap<String, [f64; 3]>,
    /// By reason.
    pub(super) not_stored: BTreeMap<String, f64>,
    /// Stored, evicted, invalidated.
    pub(super) changes: [f64; 3],
    /// Fetched from the origin.
    pub(super) fetches: f64,
    /// Means in milliseconds, of hits and of fetches, where there were any.
    pub(super) times: [Option<f64>; 2],
}

impl Rates {
    /// Another sample has come.
    pub(super) fn note(&mut self, sample: Sample) {
        self.known
            .retain(|id, _| sample.instances.iter().any(|one| one.id == *id));
        self.has_begun_anew = false;
        for one in &sample.instances {
            self.report(one);
        }
        self.last = sample;
    }

    fn report(&mut self, one: &Instance) {
        let Some(known) = self.known.get_mut(&one.id) else {
            let known = Known {
                said: one.said,
                counts: one.counts.clone(),
                since: None,
            };
            self.known.insert(one.id.clone(), known);
            return;
        };
        let apart = one.said.saturating_sub(known.said);
        // An instance of a fleet says its numbers less often than it is asked here, and when it did is not known to the millisecond.
        let is_the_same =
            !one.id.is_empty() && one.counts == known.counts && apart < Duration::from_secs(4);
        if is_the_same || apart < AT_LEAST {
            return;
        }
        let (since, began) = one.counts.since(&known.counts);
        if began == Began::Anew {
            self.has_begun_anew = true;
        }
        *known = Known {
            said: one.said,
            counts: one.counts.clone(),
            since: Some((since, apart.as_secs_f64())),
        };
    }

    /// The last sample.
    pub(super) fn last(&self) -> &Sample {
        &self.last
    }

    /// Whether a process counts from zero since the last sample but one.
    pub(super) fn has_begun_anew(&self) -> bool {
        self.has_begun_anew
    }

    /// Whether there is a rate of any.
    pub(super) fn is_known(&self) -> bool {
        self.known.values().any(|known| known.since.is_some())
    }

    /// What comes by second, of all together; none where there is only one sample of each.
    pub(super) fn rate(&self) -> Option<Rate> {
        let mut rate = Rate::default();
        let mut timed = [[0.0; 2]; 2];
        let mut is_known = false;
        for (since, seconds) in self.known.values().filter_map(|known| known.since.as_ref()) {
            is_known = true;
            rate.add(since, *seconds);
            for (sum, counts) in timed
                .iter_mut()
                .zip([since.flows.hits, since.flows.fetches])
            {
                for (sum, count) in sum.iter_mut().zip(counts) {
                    *sum += count as f64;
                }
            }
        }
        rate.times = timed.map(|[count, micros]| (count > 0.0).then(|| micros / count / 1000.0));
        is_known.then_some(rate)
    }

    /// Totals of all processes by rule, and by reason.
    pub(super) fn totals(&self) -> (BTreeMap<&str, u64>, BTreeMap<&str, u64>) {
        let (mut rules, mut reasons) = (BTreeMap::new(), BTreeMap::new());
        let add = |sums: &mut BTreeMap<_, u64>, name, by: u64| {
            let sum = sums.entry(name).or_insert(0);
            *sum = sum.saturating_add(by);
        };
        for one in &self.last.instances {
            for (name, counts) in &one.counts.rules {
                let count = counts
                    .iter()
                    .fold(0, |sum: u64, count| sum.saturating_add(*count));
                add(&mut rules, name.as_str(), count);
            }
            for (reason, count) in &one.counts.not_stored {
                add(&mut reasons, reason.as_str(), *count);
            }
        }
        (rules, reasons)
    }
}

impl Rate {
    fn add(&mut self, since: &Counts, seconds: f64) {
        for (name, counts) in &since.rules {
            let rule = self.rules.entry(name.clone()).or_default();
            for (sum, count) in rule.iter_mut().zip(counts) {
                *sum += *count as f64 / seconds;
            }
        }
        for (reason, count) in &since.not_stored {
            *self.not_stored.entry(reason.clone()).or_default() += *count as f64 / seconds;
        }
        let flows = &since.flows;
        let changes = [flows.stored, flows.evicted, flows.invalidated];
        for (sum, count) in self.changes.iter_mut().zip(changes) {
            *sum += count as f64 / seconds;
        }
        let [fetches, _] = flows.fetches;
        self.fetches += fetches as f64 / seconds;
    }

    /// Hits, misses and bypasses of all rules.
    pub(super) fn requests(&self) -> [f64; 3] {
        let mut sum = [0.0; 3];
        for rule in self.rules.values() {
            for (sum, count) in sum.iter_mut().zip(rule) {
                *sum += *count;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(instances: &[(&str, u64, u64)]) -> Sample {
        let instances = instances.iter().map(|(id, ms, hits)| {
            let mut counts = Counts::default();
            counts.rules.insert("a".to_owned(), [*hits, 0, 0]);
            Instance {
                id: (*id).to_owned(),
                said: Duration::from_millis(*ms),
                counts,
            }
        });
        Sample {
            instances: instances.collect(),
            ..Sample::default()
        }
    }

    fn rates(samples: &[&[(&str, u64, u64)]]) -> Rates {
        let mut rates = Rates::default();
        for one in samples {
            rates.note(sample(one));
        }
        rates
    }

    fn hits(rates: &Rates) -> Option<f64> {
        rates.rate().map(|rate| rate.requests()[0])
    }

    #[test]
    fn a_rate_is_a_difference_by_the_time_it_took() {
        assert_eq!(hits(&rates(&[&[("", 0, 7)]])), None);
        assert_eq!(
            hits(&rates(&[&[("", 0, 7)], &[("", 2000, 27)]])),
            Some(10.0)
        );
    }

    #[test]
    fn who_begins_anew_is_noticed_and_counts_from_zero() {
        let rates = rates(&[&[("", 0, 1000)], &[("", 2000, 6)]]);
        assert_eq!((hits(&rates), rates.has_begun_anew()), (Some(3.0), true));
    }

    #[test]
    fn instances_are_taken_by_themselves_and_who_goes_takes_its_counts_along() {
        let before = [("1", 0, 100), ("2", 1000, 50)];
        let both = rates(&[&before, &[("1", 5000, 150), ("2", 6000, 100)]]);
        assert_eq!(hits(&both), Some(20.0));
        let one = rates(&[&before, &[("1", 5000, 150)]]);
        assert_eq!((hits(&one), one.has_begun_anew()), (Some(10.0), false));
    }

    #[test]
    fn an_instance_that_has_said_nothing_new_keeps_its_rate() {
        let said = rates(&[&[("1", 0, 100)], &[("1", 5000, 150)], &[("1", 5003, 150)]]);
        assert_eq!(hits(&said), Some(10.0));
        let idle = rates(&[&[("1", 0, 100)], &[("1", 5000, 150)], &[("1", 10_000, 150)]]);
        assert_eq!(hits(&idle), Some(0.0));
    }
}
