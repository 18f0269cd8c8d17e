//! The log against one without bounds: with room for all it says the same, with little room too much and never too little.

use proptest::prelude::*;

use crate::entry::Stamp;
use crate::epoch::{Coverage, Currency, Invalidation, Mode, NamePattern};
use crate::time::{Seconds, Timestamp};

use super::super::{EpochLog, MemoryKv};
use super::NOW;
use super::invalidations::{Entry, Plain};

#[derive(Clone, Debug)]
enum Event {
    /// So many seconds after the one before.
    Invalidate(Coverage, Mode, u64),
    Store(Vec<u64>, String),
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Hard), Just(Mode::Invalid), Just(Mode::Soft)]
}

fn events() -> impl Strategy<Value = Event> {
    let numbers = || proptest::collection::vec(0..60u64, 0..4);
    let stamps =
        numbers().prop_map(|numbers| Coverage::Stamps(numbers.into_iter().map(Stamp).collect()));
    let patterns = "/[ab*]{1,3}|regex:/[ab]{1,2}|GET:/[ab]";
    let names = patterns.prop_map(|text| Coverage::Names(NamePattern::parse(&text).unwrap()));
    let coverage = prop_oneof![8 => stamps, 3 => names, 1 => Just(Coverage::All)];
    prop_oneof![
        (coverage, modes(), 0..9_u64)
            .prop_map(|(coverage, mode, later)| Event::Invalidate(coverage, mode, later)),
        (numbers(), "/[ab]{0,3}").prop_map(|(stamps, path)| Event::Store(stamps, path)),
    ]
}

/// What a log without bounds would say.
fn exactly(entry: &Entry, later: &[(Coverage, Mode, Timestamp)]) -> Currency {
    let met = later.iter().filter(|(coverage, ..)| match coverage {
        Coverage::All => true,
        Coverage::Names(pattern) => pattern.compile().unwrap().matches(&entry.key.name()),
        Coverage::Stamps(stamps) => entry
            .stamps
            .as_stamps()
            .iter()
            .any(|stamp| stamps.contains(&stamp)),
    });
    // A floor makes no difference between hard and invalid.
    met.map(|(coverage, mode, at)| match (coverage, mode) {
        (Coverage::All, Mode::Invalid) => Currency::Gone,
        (_, mode) => Currency::met_by(*mode, Some(*at)),
    })
    .min()
    .unwrap_or(Currency::Current)
}

/// How much is left, whenever that came about.
fn what(currency: Currency) -> Currency {
    match currency {
        Currency::Softened { .. } => Currency::Softened { since: None },
        Currency::Current | Currency::Gone | Currency::Invalidated => currency,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Two workers take turns. With room for all of it the log is exact; with little room it says too much. Of what a soft one
    /// has met it never says that it has been stale for less time than it has.
    #[test]
    fn the_log_says_what_one_without_bounds_says(
        events in proptest::collection::vec((events(), any::<bool>()), 0..60),
    ) {
        for (records, is_exact) in [(65_536, true), (256, false)] {
            let (kv, hint) = (MemoryKv::new(), Plain::default());
            let mut logs = [EpochLog::new(1, records), EpochLog::new(2, records)];
            let (mut entries, mut invalidations) = (Vec::new(), Vec::new());
            let mut now = NOW;
            for (event, worker) in &events {
                let log = &mut logs[usize::from(*worker)];
                match event {
                    Event::Invalidate(coverage, mode, later) => {
                        now = now.plus(Seconds::clamped(*later));
                        let invalidation = Invalidation { coverage: coverage.clone(), mode: *mode };
                        log.append(&kv, &hint, &invalidation, now).unwrap();
                        invalidations.push((coverage.clone(), *mode, now));
                    }
                    Event::Store(stamps, path) => {
                        let entry = Entry::new(log.now(&kv, &hint), stamps, path);
                        entries.push((entry, invalidations.len()));
                    }
                }
                log.now(&kv, &hint);
                for (entry, since) in &entries {
                    let judged = entry.judge(log, &kv);
                    let exact = exactly(entry, &invalidations[*since..]);
                    prop_assert!(judged <= exact);
                    prop_assert!(!is_exact || what(judged) == what(exact));
                }
            }
        }
    }
}
