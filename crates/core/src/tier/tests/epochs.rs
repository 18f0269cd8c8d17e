//! Invalidations against requests, in every order of their host calls up to a bound, and in many random ones.
//!
//! What is promised: no request received after an invalidation was acknowledged is answered with what was fetched before
//! the invalidation was received. The origin here is a number that every write raises; an entry is the number that its
//! fetch met.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::Epoch;
use crate::epoch::{Currency, Invalidation, Mode, Whereabouts};

use super::super::random::Random;
use super::super::{ChangeHint, EpochLog};
use super::NOW;
use super::baton::{Baton, Part, in_every_order, in_random_order, play};
use super::invalidations::{Entry, of_all, of_names, of_stamps};
use super::stage::Stage;

#[derive(Debug, Default)]
struct World {
    stage: Stage,
    hint: AtomicU64,
    origin: AtomicU64,
    acknowledged: AtomicU64,
    /// What is stored, and which version of the origin it is.
    entries: Mutex<Vec<(Entry, u64)>>,
}

/// One worker's view of the hint: reading and moving it are calls like others.
pub(super) struct Hint<'a, 'b>(pub(super) &'a Baton<'b>, pub(super) &'a AtomicU64);

impl ChangeHint for Hint<'_, '_> {
    fn read(&self) -> Option<u64> {
        self.0.wait();
        Some(self.1.load(Ordering::SeqCst))
    }

    fn advance(&self) {
        self.0.wait();
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A worker's log, and the answer that it keeps in its own memory, with the epoch at which that was last judged.
struct Worker {
    log: EpochLog,
    kept: Option<(Entry, u64, Epoch)>,
}

impl Worker {
    fn new(seed: u128) -> Self {
        Self {
            log: EpochLog::new(seed, 256),
            kept: None,
        }
    }
}

/// What covers the entries.
const COVERING: [fn() -> Invalidation; 4] = [
    || of_stamps(&[1], Mode::Invalid),
    || of_stamps(&[1, 3], Mode::Soft),
    || of_names("/a*", Mode::Hard),
    || of_all(Mode::Soft),
];

impl World {
    /// A write to what the entries are about, from the origin's yes to the client's.
    fn write(&self, by: &Invalidation, worker: &mut Worker, host: &Baton<'_>) {
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        let hint = Hint(host, &self.hint);
        worker.log.append(host, &hint, by, NOW).unwrap();
        self.acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    /// A write to something else.
    fn write_elsewhere(&self, worker: &mut Worker, host: &Baton<'_>) {
        let by = of_stamps(&[2], Mode::Hard);
        let hint = Hint(host, &self.hint);
        worker.log.append(host, &hint, &by, NOW).unwrap();
    }

    /// A request that is answered by the origin and stored.
    fn fetch(&self, worker: &mut Worker, host: &Baton<'_>) {
        let epoch = worker.log.now(host, &Hint(host, &self.hint));
        let version = self.origin.load(Ordering::SeqCst);
        let entry = (Entry::new(epoch, &[7, 1], "/ab"), version);
        self.entries.lock().unwrap().push(entry);
    }

    /// A request that is answered by whatever is stored and current, and first of all by what this worker has kept.
    fn look(&self, worker: &mut Worker, host: &Baton<'_>) {
        let least = self.acknowledged.load(Ordering::SeqCst);
        let epoch = worker.log.now(host, &Hint(host, &self.hint));
        let serve = |version: u64| assert!(version >= least, "{version} was served after {least}");
        if let Some((entry, version, judged)) = worker.kept.take() {
            let stored = entry.stamped(Whereabouts::Aside(judged));
            if epoch == judged || worker.log.judge(host, stored) == Currency::Current {
                serve(version);
                worker.kept = Some((entry, version, epoch));
            }
        }
        let entries = self.entries.lock().unwrap().clone();
        for (entry, version) in entries {
            let stored = entry.stamped(Whereabouts::Shared);
            if worker.log.judge(host, stored) == Currency::Current {
                serve(version);
                worker.kept = Some((entry, version, epoch));
            }
        }
    }
}

type Act<'a> = &'a (dyn Fn(&World, &mut Worker, &Baton<'_>) + Sync);

/// Plays the acts at once, one worker each, in every order with so many interruptions; gives how many orders there were.
fn every_order(bound: usize, acts: &[Act<'_>]) -> usize {
    in_every_order(bound, |choose| {
        let world = World::default();
        let parts = acts.iter().zip(1..).map(|(act, seed)| -> Part<'_> {
            let world = &world;
            Box::new(move |host| act(world, &mut Worker::new(seed), host))
        });
        play(&world.stage, parts.collect(), choose);
    })
}

fn fetch_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.fetch(worker, host);
    world.look(worker, host);
    world.look(worker, host);
}

/// As a worker whose tick comes in between.
fn look_doubt_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.fetch(worker, host);
    world.look(worker, host);
    worker.log.doubt();
    world.look(worker, host);
    world.look(worker, host);
}

fn wipe(_: &World, _: &mut Worker, host: &Baton<'_>) {
    host.wipe();
}

/// Plays with a write in each way that covers the entries.
fn with_each(bound: usize, acts: &[Act<'_>]) {
    for covering in COVERING {
        let write: Act<'_> = &|world, worker, host| world.write(&covering(), worker, host);
        let acts: Vec<_> = [write].into_iter().chain(acts.iter().copied()).collect();
        assert!(every_order(bound, &acts) > 50);
    }
}

#[test]
fn a_write_while_another_worker_fetches_and_looks() {
    with_each(3, &[&fetch_and_look]);
}

#[test]
fn a_write_while_a_tick_comes_between_two_looks() {
    with_each(3, &[&look_doubt_and_look]);
}

#[test]
fn two_writes_at_once() {
    with_each(
        2,
        &[
            &|world, worker, host| {
                world.write_elsewhere(worker, host);
                world.write(&of_stamps(&[1], Mode::Hard), worker, host);
            },
            &fetch_and_look,
        ],
    );
}

#[test]
fn two_patterns_at_once() {
    with_each(
        2,
        &[
            &|world, worker, host| world.write(&of_names("/ab", Mode::Soft), worker, host),
            &look_doubt_and_look,
        ],
    );
}

#[test]
fn two_that_fetch_while_one_writes() {
    with_each(2, &[&fetch_and_look, &fetch_and_look]);
}

#[test]
fn a_wipe_in_between() {
    with_each(2, &[&fetch_and_look, &wipe]);
}

/// A worker whose log ended while it wrote must not write over the next log's page.
#[test]
fn a_wipe_before_another_writes() {
    with_each(
        2,
        &[&|world, worker, host| {
            host.wipe();
            world.fetch(worker, host);
            world.write(&of_stamps(&[1], Mode::Hard), worker, host);
            world.look(worker, host);
        }],
    );
}

#[test]
fn eight_workers_at_random() {
    for seed in 0..60u128 {
        let world = World::default();
        let parts = (0..8u128).map(|number| -> Part<'_> {
            let world = &world;
            Box::new(move |host| {
                let mut random = Random::new(seed * 100 + number);
                let mut worker = Worker::new(seed * 1_000 + number);
                for _ in 0..12 {
                    match random.below(10) {
                        0 | 1 => {
                            let by = COVERING[random.below(4) as usize];
                            world.write(&by(), &mut worker, host);
                        }
                        2 => world.write_elsewhere(&mut worker, host),
                        3..6 => world.fetch(&mut worker, host),
                        6 => worker.log.doubt(),
                        7 if number == 0 => host.wipe(),
                        _ => world.look(&mut worker, host),
                    }
                }
            })
        });
        let mut random = Random::new(seed);
        play(
            &world.stage,
            parts.collect(),
            &mut in_random_order(&mut random),
        );
    }
}
