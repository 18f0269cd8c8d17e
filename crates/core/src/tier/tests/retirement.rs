//! Patterns, fills and the sweep that retires patterns, over the real tier, in every order of their host calls up to a
//! bound. What is promised is what [`super::epochs`] promises.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::entry::{Epoch, Meta, Payload, StampList, StoredResponse, encode_response, sample};
use crate::epoch::{Currency, Invalidation, Mode, Stamped, Whereabouts};

use super::super::outcome::{Candidate, Lookup};
use super::super::random::Random;
use super::super::{EpochLog, MemoryKv, Order, SharedKv, SharedTier};
use super::baton::{Baton, Part, in_every_order, in_random_order, play};
use super::epochs::Hint;
use super::invalidations::{of_names, of_path, of_stamps};
use super::stage::Stage;
use super::{at, tier};

const NOW: u64 = 1_000;

#[derive(Debug, Default)]
struct World {
    stage: Stage,
    hint: AtomicU64,
    origin: AtomicU64,
    acknowledged: AtomicU64,
}

struct Worker {
    tier: SharedTier,
    log: RefCell<EpochLog>,
    /// An answer that it keeps, and when that was last judged.
    kept: Option<(Epoch, StampList, u64, Epoch)>,
}

/// A response that is on its way from the origin, and which version it is.
struct Fetch(Epoch, u64);

impl Worker {
    fn new(seed: u128) -> Self {
        Self {
            tier: tier(8, seed),
            log: RefCell::new(EpochLog::new(seed, 256)),
            kept: None,
        }
    }
}

fn stamps() -> StampList {
    [crate::entry::Stamp(1)].into_iter().collect()
}

impl World {
    fn purge(&self, by: &Invalidation, worker: &mut Worker, host: &Baton<'_>) {
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        let hint = Hint(host, &self.hint);
        worker
            .log
            .borrow_mut()
            .append(host, &hint, by, at(NOW))
            .unwrap();
        self.acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    /// A purge of something else.
    fn purge_elsewhere(&self, worker: &mut Worker, host: &Baton<'_>) {
        let hint = Hint(host, &self.hint);
        let by = of_names("/other", Mode::Hard);
        worker
            .log
            .borrow_mut()
            .append(host, &hint, &by, at(NOW))
            .unwrap();
    }

    fn fetch(&self, worker: &mut Worker, host: &Baton<'_>) -> Fetch {
        let epoch = worker.log.borrow_mut().now(host, &Hint(host, &self.hint));
        Fetch(epoch, self.origin.load(Ordering::SeqCst))
    }

    fn store(&self, Fetch(epoch, version): Fetch, worker: &mut Worker, host: &Baton<'_>) {
        let stamps = stamps();
        let key = of_path("/ab");
        let body = version.to_le_bytes();
        let response = StoredResponse {
            meta: Meta {
                epoch,
                ..sample().meta
            },
            stamps: stamps.as_stamps(),
            body: &body,
            ..sample()
        };
        let candidate = Candidate {
            key: &key,
            started: at(NOW),
            expires: at(NOW + 100),
            payload: &encode_response(&response).unwrap(),
            currency: &|| {
                let mut log = worker.log.borrow_mut();
                log.now(host, &Hint(host, &self.hint));
                log.judge(
                    host,
                    Stamped {
                        epoch,
                        stamps: stamps.as_stamps(),
                        key: &key,
                        whereabouts: Whereabouts::Aside(epoch),
                    },
                )
            },
        };
        let _ = worker.tier.store(host, host, candidate, at(NOW));
    }

    fn look(&self, worker: &mut Worker, host: &Baton<'_>) {
        let least = self.acknowledged.load(Ordering::SeqCst);
        let serve = |version: u64| assert!(version >= least, "{version} was served after {least}");
        let key = of_path("/ab");
        let mut log = worker.log.borrow_mut();
        let now = log.now(host, &Hint(host, &self.hint));
        let mut judge = |epoch, stamps: &StampList, whereabouts| {
            log.judge(
                host,
                Stamped {
                    epoch,
                    stamps: stamps.as_stamps(),
                    key: &key,
                    whereabouts,
                },
            )
        };
        if let Some((epoch, stamps, version, judged)) = worker.kept.take()
            && (judged == now
                || judge(epoch, &stamps, Whereabouts::Aside(judged)) == Currency::Current)
        {
            serve(version);
            worker.kept = Some((epoch, stamps, version, now));
        }
        let Lookup::Found(found) = worker.tier.lookup(host, &key, at(NOW)) else {
            return;
        };
        let Some(response) = Payload::outline(found.payload()) else {
            panic!("it is what was stored");
        };
        let epoch = response.meta.epoch;
        if judge(epoch, &stamps(), Whereabouts::Shared) == Currency::Current {
            let version = u64::from_le_bytes(response.body.try_into().unwrap());
            serve(version);
            worker.kept = Some((epoch, stamps(), version, now));
        }
    }

    fn sweep(&self, worker: &mut Worker, host: &Baton<'_>) {
        let mut order = Order {
            log: worker.log.get_mut(),
            hint: &Hint(host, &self.hint),
        };
        worker.tier.sweep_on((host, host), &mut order, at(NOW));
    }
}

/// A part of a play.
type Act<'a> = &'a (dyn Fn(&World, &mut Worker, &Baton<'_>) + Sync);

/// Where the order was when the last sweep began that retired something.
fn retired(kv: &MemoryKv) -> u64 {
    let head = kv.get("larder1p").unwrap().map(|cell| cell.value);
    head.map_or(0, |head| {
        u64::from_le_bytes(head[60..68].try_into().unwrap())
    })
}

/// What one worker does while the others do nothing.
fn alone<T: Send>(
    world: &World,
    worker: &Mutex<Worker>,
    act: impl FnOnce(&World, &mut Worker, &Baton<'_>) -> T + Send,
) -> T {
    let result = Mutex::new(None);
    let part: Part<'_> = Box::new(|host| {
        let done = act(world, &mut worker.lock().unwrap(), host);
        *result.lock().unwrap() = Some(done);
    });
    play(&world.stage, vec![part], &mut |_| 0);
    result.into_inner().unwrap().unwrap()
}

/// The workers as they stand when a play begins: an entry is stored, and each has taken part before.
fn assemble(world: &World, count: usize) -> Vec<Mutex<Worker>> {
    let workers: Vec<_> = (1..=count as u128)
        .map(|seed| Mutex::new(Worker::new(seed)))
        .collect();
    for worker in &workers {
        alone(world, worker, |world, worker, host| {
            worker.tier.tick(host, host, at(NOW - 200)); // the sweep is nobody's any more when the play begins
            let fetch = world.fetch(worker, host);
            world.store(fetch, worker, host);
        });
    }
    workers
}

/// Plays the acts in every order; gives how many there were, and in how many a pattern was retired.
fn every_order(bound: usize, acts: &[Act<'_>]) -> (usize, usize) {
    let retiring = AtomicUsize::new(0);
    let orders = in_every_order(bound, |choose| {
        let world = World::default();
        let workers = assemble(&world, acts.len());
        let parts = acts.iter().zip(&workers).map(|(act, worker)| -> Part<'_> {
            let world = &world;
            Box::new(move |host| act(world, &mut worker.lock().unwrap(), host))
        });
        play(&world.stage, parts.collect(), choose);
        retiring.fetch_add(usize::from(retired(&world.stage.kv) > 0), Ordering::Relaxed);
    });
    (orders, retiring.into_inner())
}

const MODES: [Mode; 2] = [Mode::Hard, Mode::Invalid];

#[test]
fn a_fill_that_is_slower_than_pattern_sweep_and_retirement() {
    for mode in MODES {
        let (orders, retiring) = every_order(
            2,
            &[
                &|world, worker, host| {
                    world.look(worker, host);
                    let fetch = world.fetch(worker, host);
                    world.store(fetch, worker, host);
                    world.look(worker, host);
                    world.look(worker, host);
                },
                &|world, worker, host| {
                    world.purge(&of_names("/a*", mode), worker, host);
                    world.sweep(worker, host);
                    world.look(worker, host);
                },
            ],
        );
        assert!(
            orders > 500 && retiring > orders / 2,
            "{retiring} of {orders}"
        );
    }
}

/// The response was asked for before the play begins, and is looked for when all is done and acknowledged.
#[test]
fn a_fill_that_was_asked_for_before_anything_else() {
    for mode in MODES {
        let retiring = AtomicUsize::new(0);
        let orders = in_every_order(2, |choose| {
            let world = World::default();
            let workers = assemble(&world, 3);
            let [filler, purger, sweeper] = [0, 1, 2].map(|at| &workers[at]);
            let fetch = alone(&world, filler, |world, worker, host| {
                world.fetch(worker, host)
            });
            let parts: Vec<Part<'_>> = vec![
                Box::new(|host| world.store(fetch, &mut filler.lock().unwrap(), host)),
                Box::new(|host| {
                    let by = of_names("/a*", mode);
                    world.purge(&by, &mut purger.lock().unwrap(), host);
                }),
                Box::new(|host| world.sweep(&mut sweeper.lock().unwrap(), host)),
            ];
            play(&world.stage, parts, choose);
            for worker in &workers {
                alone(&world, worker, |world, worker, host| {
                    world.look(worker, host)
                });
            }
            retiring.fetch_add(usize::from(retired(&world.stage.kv) > 0), Ordering::Relaxed);
        });
        let retiring = retiring.into_inner();
        assert!(orders > 1_000 && retiring > 100, "{retiring} of {orders}");
    }
}

/// A worker whose tick comes after the position was taken and before the pattern is announced.
#[test]
fn an_answer_that_is_judged_while_the_pattern_is_noted() {
    for mode in MODES {
        let retiring = AtomicUsize::new(0);
        let orders = in_every_order(2, |choose| {
            let world = World::default();
            let workers = assemble(&world, 2);
            let [keeper, purger] = [0, 1].map(|at| &workers[at]);
            alone(&world, keeper, |world, worker, host| {
                world.look(worker, host);
                worker.log.get_mut().doubt();
            });
            let parts: Vec<Part<'_>> = vec![
                Box::new(|host| {
                    let worker = &mut keeper.lock().unwrap();
                    world.look(worker, host);
                    world.look(worker, host);
                }),
                Box::new(|host| {
                    let worker = &mut purger.lock().unwrap();
                    world.purge(&of_names("/a*", mode), worker, host);
                    world.sweep(worker, host);
                }),
            ];
            play(&world.stage, parts, choose);
            retiring.fetch_add(usize::from(retired(&world.stage.kv) > 0), Ordering::Relaxed);
        });
        let retiring = retiring.into_inner();
        assert!(orders > 100 && retiring > 100, "{retiring} of {orders}");
    }
}

#[test]
fn a_sweep_that_another_worker_begins_while_the_pattern_is_noted() {
    let (orders, retiring) = every_order(
        2,
        &[
            &|world, worker, host| world.purge(&of_names("/a*", Mode::Hard), worker, host),
            &|world, worker, host| {
                let fetch = world.fetch(worker, host);
                world.store(fetch, worker, host);
                world.look(worker, host);
            },
            &|world, worker, host| {
                world.sweep(worker, host);
                world.sweep(worker, host);
            },
        ],
    );
    assert!(orders > 1_000 && retiring > 100, "{retiring} of {orders}");
}

/// Who notes the next pattern drops the records of those that are retired.
#[test]
fn the_next_pattern_after_a_retirement() {
    let (orders, retiring) = every_order(
        2,
        &[
            &|world, worker, host| {
                world.look(worker, host);
                let fetch = world.fetch(worker, host);
                world.store(fetch, worker, host);
                world.look(worker, host);
            },
            &|world, worker, host| {
                world.purge(&of_names("/ab", Mode::Hard), worker, host);
                world.sweep(worker, host);
                world.purge_elsewhere(worker, host);
                world.look(worker, host);
            },
        ],
    );
    assert!(
        orders > 500 && retiring > orders / 2,
        "{retiring} of {orders}"
    );
}

#[test]
fn many_workers_at_random() {
    let retiring = AtomicUsize::new(0);
    for seed in 0..80u128 {
        let world = World::default();
        let workers = assemble(&world, 5);
        let parts = workers.iter().zip(0..).map(|(worker, number)| -> Part<'_> {
            let world = &world;
            Box::new(move |host| {
                let worker = &mut *worker.lock().unwrap();
                let mut random = Random::new(seed * 100 + number);
                let mut under_way = None;
                for _ in 0..20 {
                    match random.below(14) {
                        0 => world.purge(&of_names("/a*", Mode::Hard), worker, host),
                        1 => world.purge(&of_names("/ab", Mode::Invalid), worker, host),
                        2 => world.purge(&of_names("/ab", Mode::Soft), worker, host),
                        3 => world.purge_elsewhere(worker, host),
                        4 => world.purge(&of_stamps(&[1], Mode::Hard), worker, host),
                        5..7 => world.sweep(worker, host),
                        7..9 => under_way = Some(world.fetch(worker, host)),
                        9..11 => {
                            let fetch = under_way.take();
                            let fetch = fetch.unwrap_or_else(|| world.fetch(worker, host));
                            world.store(fetch, worker, host);
                        }
                        11 => worker.log.get_mut().doubt(),
                        12 if seed % 4 == 0 && number == 0 => host.wipe(),
                        _ => world.look(worker, host),
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
        retiring.fetch_add(usize::from(retired(&world.stage.kv) > 0), Ordering::Relaxed);
    }
    assert!(retiring.into_inner() > 20);
}
