//! Workers in lock-step: each runs on a thread of its own, and one at a time gets to make one host call.
//!
//! Between two host calls a worker touches nothing shared, so an order of calls is an interleaving, and to try all
//! orders is to try all interleavings. The order is decided here, call by call, so any run can be repeated. Every
//! change of a directory is watched: what the protocol promises is checked at the call that would break it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::time::Timestamp;

use super::super::directory::{Directory, View};
use super::super::random::Random;
use super::super::way::{Published, Way};
use super::super::{Cas, Cell, KvError, MemoryKv, SetError, SharedKv};

/// What a worker does, given its view of the host.
pub(super) type Part<'a> = Box<dyn FnOnce(&Baton<'_>) + Send + 'a>;

/// The cells, watched.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) kv: MemoryKv,
    used: Mutex<BTreeSet<(u64, u64)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    Done,
    Waiting,
}

/// The workers that wait for their turn.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    workers: usize,
    /// Whether the one that made the last call is among them; it is choice 0 then.
    last_may_go_on: bool,
}

/// One worker's view of the host: each call waits for its turn.
pub(super) struct Baton<'a> {
    stage: &'a Stage,
    worker: usize,
    reports: Sender<(usize, Report)>,
    go: Receiver<()>,
}

impl fmt::Debug for Baton<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.worker)
    }
}

impl Baton<'_> {
    /// Waits for the turn to make a call.
    pub(super) fn wait(&self) {
        self.reports.send((self.worker, Report::Waiting)).unwrap();
        self.go.recv().unwrap();
    }

    /// Loses all cells, as one call.
    pub(super) fn wipe(&self) {
        self.wait();
        self.stage.kv.wipe();
    }
}

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        let _ = self.reports.send((self.worker, Report::Done));
    }
}

impl SharedKv for Baton<'_> {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.wait();
        self.stage.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.wait();
        let before = self.stage.kv.get(name).unwrap();
        self.stage.kv.set(name, value, expected)?;
        if name.starts_with("larder1d") {
            self.stage.watch(before, value);
        }
        Ok(())
    }
}

impl Stage {
    fn watch(&self, before: Option<Cell>, after: &[u8]) {
        let view = View::parse(after).unwrap();
        let after = view.directory().unwrap();
        let before = before.and_then(|cell| {
            let old = View::parse(&cell.value).unwrap();
            (old.incarnation == view.incarnation).then(|| old.directory().unwrap())
        });
        // One that was just lost is written again by whoever had read it; it is then another incarnation's.
        let Some(before) = before else {
            return;
        };
        let mut claims = BTreeSet::new();
        for (old, new) in before.ways.iter().zip(&after.ways) {
            let claim = match new {
                Way::Emptying(claim) => Some(claim),
                Way::Filling {
                    claim,
                    fingerprint,
                    started,
                } => {
                    no_newer_entry(&before, *fingerprint, *started);
                    Some(claim)
                }
                Way::Published(entry) => {
                    assert_eq!(
                        old.generation(),
                        Some(entry.generation),
                        "published without a claim"
                    );
                    None
                }
                Way::Free => None,
            };
            if let Some(claim) = claim
                && old.generation() != Some(claim.generation)
            {
                claims.insert((view.incarnation, claim.generation.raw()));
            }
        }
        let fingerprints = after
            .ways
            .iter()
            .filter_map(published)
            .map(|entry| entry.fingerprint);
        let distinct: BTreeSet<u32> = fingerprints.clone().collect();
        assert_eq!(
            distinct.len(),
            fingerprints.count(),
            "a key is published twice"
        );
        let mut used = self.used.lock().unwrap();
        for claim in claims {
            assert!(used.insert(claim), "a generation is used twice");
        }
    }

    /// Plays all parts to their end; `choose` picks, for each call, one of the waiting workers.
    pub(super) fn play(&self, parts: Vec<Part<'_>>, choose: &mut dyn FnMut(Waiting) -> usize) {
        thread::scope(|scope| {
            let (reports, inbox) = channel();
            let mut cues = Vec::new();
            let count = parts.len();
            for (worker, part) in parts.into_iter().enumerate() {
                let (cue, go) = channel();
                cues.push(cue);
                let reports = reports.clone();
                scope.spawn(move || {
                    part(&Baton {
                        stage: self,
                        worker,
                        reports,
                        go,
                    });
                });
            }
            let (mut waiting, mut last) = (BTreeSet::new(), usize::MAX);
            let mut running = count;
            loop {
                while running > 0 {
                    let (worker, report) = inbox.recv().unwrap();
                    running -= 1;
                    if report == Report::Waiting {
                        waiting.insert(worker);
                    }
                }
                if waiting.is_empty() {
                    break;
                }
                // Whoever made the last call comes first, so that choice 0 lets it go on.
                let goes_on = waiting.remove(&last).then_some(last);
                let order: Vec<usize> =
                    goes_on.into_iter().chain(waiting.iter().copied()).collect();
                let next = order[choose(Waiting {
                    workers: order.len(),
                    last_may_go_on: goes_on.is_some(),
                })];
                waiting.extend(goes_on);
                waiting.remove(&next);
                last = next;
                running = 1;
                cues[next].send(()).unwrap();
            }
        });
    }
}

fn published(way: &Way) -> Option<&Published> {
    match way {
        Way::Published(entry) => Some(entry),
        Way::Emptying(_) | Way::Filling { .. } | Way::Free => None,
    }
}

fn no_newer_entry(directory: &Directory, fingerprint: u32, started: Timestamp) {
    let mut same = directory.ways.iter().filter_map(published);
    let newer = same.any(|entry| entry.fingerprint == fingerprint && entry.started > started);
    assert!(
        !newer,
        "a fill replaces an entry whose request started later"
    );
}

/// Runs a play once for every order of its calls in which a worker that could go on is interrupted at most
/// `interruptions` times; gives how many orders there were.
///
/// Without that bound, workers that retry make more orders than there is time for; faults that need more than three
/// interruptions of two workers are left to chance, in the random plays.
pub(super) fn in_every_order(
    interruptions: usize,
    mut run: impl FnMut(&mut dyn FnMut(Waiting) -> usize),
) -> usize {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut runs = 0;
    loop {
        let (mut step, mut interrupted) = (0, 0);
        run(&mut |waiting| {
            let options = if waiting.last_may_go_on && interrupted == interruptions {
                1
            } else {
                waiting.workers
            };
            if step == path.len() {
                path.push((0, options));
            }
            let (choice, known) = path[step];
            assert_eq!(known, options, "a run cannot be repeated");
            step += 1;
            interrupted += usize::from(waiting.last_may_go_on && choice > 0);
            choice
        });
        runs += 1;
        while path
            .last()
            .is_some_and(|(choice, options)| choice + 1 == *options)
        {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return runs,
        }
    }
}

/// An order in which each next call is anybody's.
pub(super) fn in_random_order(random: &mut Random) -> impl FnMut(Waiting) -> usize {
    move |waiting| random.below(waiting.workers as u32) as usize
}
