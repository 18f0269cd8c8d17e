//! The journal beside a plain model: which records an entry has met, in any order of what two workers and the fleet do.

use proptest::prelude::*;

use crate::entry::Epoch;
use crate::epoch::{Currency, Mode};
use crate::fleet::Cursor;

use super::fleet_log::FleetLog;
use super::invalidations::of_stamps;
use super::process::Process;

#[derive(Clone, Copy, Debug)]
enum Deed {
    Fetch {
        stamp: u64,
    },
    /// What the fleet has from behind so many of its records, if there are as many.
    Import {
        stamp: u64,
        behind: usize,
    },
    Note {
        worker: usize,
        stamp: u64,
    },
    Poll {
        worker: usize,
        most: usize,
    },
    Post,
    Say {
        stamp: u64,
    },
}

fn deeds() -> impl Strategy<Value = Deed> {
    let stamps = 1..4u64;
    prop_oneof![
        stamps.clone().prop_map(|stamp| Deed::Fetch { stamp }),
        (stamps.clone(), 0..12usize).prop_map(|(stamp, behind)| Deed::Import { stamp, behind }),
        (0..2usize, stamps.clone()).prop_map(|(worker, stamp)| Deed::Note { worker, stamp }),
        (0..2usize, 1..4usize).prop_map(|(worker, most)| Deed::Poll { worker, most }),
        Just(Deed::Post),
        stamps.prop_map(|stamp| Deed::Say { stamp }),
    ]
}

/// A record, as far as the model knows of it.
struct Known {
    stamp: u64,
    /// When it was noted here.
    noted: Option<usize>,
    /// Its place in the fleet's log.
    position: Option<u64>,
    /// Its number, where it is this process's own.
    own: Option<u64>,
}

struct Stored {
    epoch: Epoch,
    stamp: u64,
    from: From,
}

enum From {
    /// At this moment.
    Here(usize),
    Fleet {
        /// What it has.
        cursor: Cursor,
        /// Whether one local epoch tells what it has from what it does not have.
        is_exact: bool,
    },
}

#[derive(Default)]
struct Model {
    known: Vec<Known>,
    stored: Vec<Stored>,
    /// Where the fleet's log has been followed to.
    reached: Vec<u64>,
}

impl Model {
    /// Whether everything in front of a cursor was noted here before everything behind it. An own record is noted first and
    /// gets its place later.
    fn is_told_apart(&self, cursor: Cursor) -> bool {
        let is_within = |known: &&Known| known.position.is_some_and(|at| at <= cursor.position);
        let (within, behind): (Vec<_>, Vec<_>) = self.known.iter().partition(is_within);
        let last = within.iter().map(|known| known.noted).max().flatten();
        let first = behind.iter().map(|known| known.noted).min().flatten();
        let is_back = behind.iter().all(|known| known.position.is_some());
        is_back && (last.is_none() || first.is_none() || last < first)
    }

    /// Whether an entry must have been met by something, and whether it may have been.
    fn expects(&self, stored: &Stored) -> (bool, bool) {
        let mut met = self
            .known
            .iter()
            .filter(|known| known.stamp == stored.stamp);
        match stored.from {
            From::Here(when) => {
                let is_met = met.any(|known| known.noted.is_some_and(|noted| noted > when));
                (is_met, is_met)
            }
            From::Fleet { cursor, is_exact } => {
                let is_within =
                    |known: &&Known| known.position.is_some_and(|at| at <= cursor.position);
                let is_met = met.any(|known| known.noted.is_some() && !is_within(&known));
                (is_met, is_met || !is_exact)
            }
        }
    }
}

fn play(deeds: &[Deed]) {
    let (mut process, mut log, mut model) = (Process::new(), FleetLog::default(), Model::default());
    process.follow(&log);
    model.reached.push(0);
    for (when, deed) in deeds.iter().enumerate() {
        act(*deed, when, &mut process, &mut log, &mut model);
        for stored in &model.stored {
            let is_met = process.judge(stored.epoch, stored.stamp) != Currency::Current;
            let (must, may) = model.expects(stored);
            assert!(
                (must || !is_met || may) && (is_met || !must),
                "{deed:?} at {when}"
            );
        }
    }
}

fn act(deed: Deed, when: usize, process: &mut Process, log: &mut FleetLog, model: &mut Model) {
    match deed {
        Deed::Fetch { stamp } => {
            let epoch = process.now();
            let given = process.bearings().cursor_at(epoch);
            assert_eq!(
                given,
                process.bearings().cursor(),
                "nothing has been applied since"
            );
            let from = From::Here(when);
            model.stored.push(Stored { epoch, stamp, from });
        }
        Deed::Import { stamp, behind } => {
            let cursor = log.at(behind.min(log.records.len()));
            let bearings = process.bearings();
            let epoch = bearings.epoch_at(cursor).unwrap();
            let is_exact = bearings.cursor() == Some(log.end())
                && model.reached.contains(&cursor.position)
                && model.is_told_apart(cursor);
            let from = From::Fleet { cursor, is_exact };
            model.stored.push(Stored { epoch, stamp, from });
        }
        Deed::Note { worker, stamp } => {
            let token = process.note(worker, &of_stamps(&[stamp], Mode::Hard));
            model.known.push(Known {
                stamp,
                noted: Some(when),
                position: None,
                own: Some(token.seq),
            });
        }
        Deed::Poll { worker, most } => {
            let asked = process.bearings().cursor();
            let answer = log.poll(asked, most);
            process.apply(worker, asked, &answer).unwrap();
            let end = answer.cursor.position;
            model.reached.push(end);
            let in_front = |known: &&mut Known| known.position.is_some_and(|at| at <= end);
            for known in model.known.iter_mut().filter(in_front) {
                known.noted.get_or_insert(when);
            }
        }
        Deed::Post => {
            let before = log.records.len();
            process.post(log);
            for known in model
                .known
                .iter_mut()
                .filter(|known| known.position.is_none())
            {
                // Several that were noted between two posts are one record, with the number of the last.
                let mut said = log.records.iter().skip(before);
                let record = said.find(|record| known.own.is_some_and(|seq| seq <= record.of.1));
                known.position = record.map(|record| record.id.position);
            }
        }
        Deed::Say { stamp } => {
            let cursor = log.say(of_stamps(&[stamp], Mode::Hard));
            model.known.push(Known {
                stamp,
                noted: None,
                position: Some(cursor.position),
                own: None,
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn entries_are_met_by_what_they_do_not_have(deeds in proptest::collection::vec(deeds(), 1..50)) {
        play(&deeds);
    }
}
