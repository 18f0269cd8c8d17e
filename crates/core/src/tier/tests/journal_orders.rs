//! A fleet's log and a process's own order, with workers in every order of their host calls up to a bound, and in many random ones.
//!
//! What is promised: no request received after an invalidation was acknowledged here, or after an answer of the service with it was
//! applied, is answered with what was fetched before it, wherever that was fetched. And what was noted here comes to stand in the
//! fleet's log, whoever dies. The origin is a number that every write raises; an entry is the number that its fetch met, and a
//! record's label the number that its write made.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::Epoch;
use crate::epoch::{Currency, Invalidation, Mode};
use crate::fleet::Cursor;
use crate::wire::{Label, Record, WriteToken};

use super::super::random::Random;
use super::super::{EpochLog, Journal, LocalOrder};
use super::NOW;
use super::baton::{Baton, Part, in_every_order, in_random_order, play};
use super::epochs::Hint;
use super::fleet_log::FleetLog;
use super::invalidations::{Entry, of_all, of_names, of_stamps};
use super::stage::Stage;

#[derive(Debug, Default)]
struct World {
    stage: Stage,
    hint: AtomicU64,
    origin: AtomicU64,
    wipes: AtomicU64,
    /// The newest number that an answer of the service has brought.
    applied: AtomicU64,
    /// The numbers of writes here that have been acknowledged, and how many wipes there had been when they came.
    acknowledged: Mutex<Vec<(u64, u64)>>,
    /// What clients have been given for them.
    tokens: Mutex<Vec<WriteToken>>,
    log: Mutex<FleetLog>,
    /// What is stored here.
    entries: Mutex<Vec<Stored>>,
    /// What the fleet has, and up to where it was applied where that was fetched.
    shared: Mutex<Vec<(Cursor, u64)>>,
}

/// An entry, and which version of the origin it is.
#[derive(Clone, Debug)]
struct Stored {
    entry: Entry,
    version: u64,
    from: From,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Fleet,
    Origin,
}

struct Worker {
    epochs: RefCell<EpochLog>,
    journal: Journal,
}

impl Worker {
    fn new(seed: u128) -> Self {
        Self {
            epochs: RefCell::new(EpochLog::new(seed, 256)),
            journal: Journal::new(seed << 32),
        }
    }

    fn with_order<T>(
        &mut self,
        world: &World,
        host: &Baton<'_>,
        act: impl FnOnce(&mut Journal, &LocalOrder<'_>) -> T,
    ) -> T {
        let order = LocalOrder {
            kv: host,
            hint: &Hint(host, &world.hint),
            epochs: &self.epochs,
            now: NOW,
        };
        act(&mut self.journal, &order)
    }
}

/// All cover the entries.
const COVERING: [fn() -> Invalidation; 3] = [
    || of_stamps(&[1], Mode::Invalid),
    || of_names("/a*", Mode::Hard),
    || of_all(Mode::Hard),
];

fn label(version: u64) -> Label {
    Label::new("version", &version.to_string())
}

fn version(record: &Record) -> u64 {
    record.label.as_ref().unwrap().value().parse().unwrap()
}

impl World {
    /// As after a first contact.
    fn begin() -> Self {
        let world = Self::default();
        let part: Part<'_> = Box::new(|host| {
            world.poll(&mut Worker::new(77), host);
        });
        play(&world.stage, vec![part], &mut |_| 0);
        world
    }

    fn log(&self) -> std::sync::MutexGuard<'_, FleetLog> {
        self.log.lock().unwrap()
    }

    /// A client's write here.
    fn write(&self, by: &Invalidation, worker: &mut Worker, host: &Baton<'_>) {
        host.wait();
        let wipes = self.wipes.load(Ordering::SeqCst);
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        let noted = worker.with_order(self, host, |journal, order| {
            journal.note(order, by, Some(&label(version))).unwrap()
        });
        let token = noted.token.unwrap();
        let mut tokens = self.tokens.lock().unwrap();
        assert!(!tokens.contains(&token), "{token} is given twice");
        tokens.push(token);
        self.acknowledged.lock().unwrap().push((version, wipes));
    }

    fn wipe(&self, host: &Baton<'_>) {
        host.wipe();
        self.wipes.fetch_add(1, Ordering::SeqCst);
    }

    /// The newest number that must be served of what comes from there. What had not been posted is lost with the cells, and the
    /// fleet does not hear of it.
    fn least(&self, from: From) -> u64 {
        let wipes = self.wipes.load(Ordering::SeqCst);
        let acknowledged = self.acknowledged.lock().unwrap();
        let counts = |(version, then): &(u64, u64)| {
            (from == From::Origin || *then == wipes).then_some(*version)
        };
        let newest = acknowledged.iter().filter_map(counts).max();
        newest.unwrap_or(0).max(self.applied.load(Ordering::SeqCst))
    }

    fn store(&self, epoch: Epoch, version: u64, from: From) {
        let entry = Entry::new(epoch, &[7, 1], "/ab");
        let stored = Stored {
            entry,
            version,
            from,
        };
        self.entries.lock().unwrap().push(stored);
    }

    /// A client's write elsewhere.
    fn write_elsewhere(&self, by: Invalidation) {
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        let mut log = self.log();
        log.say(by);
        let record = log.records.last_mut().unwrap();
        record.label = Some(label(version));
    }

    fn post(&self, worker: &mut Worker, host: &Baton<'_>) {
        let Some(batch) = worker.journal.batch(host).unwrap() else {
            return;
        };
        let posted = self.log().post(&batch);
        let acknowledged = worker.journal.acknowledge(host, &batch, &posted);
        acknowledged.unwrap();
    }

    fn poll(&self, worker: &mut Worker, host: &Baton<'_>) {
        let asked = worker.journal.bearings(host).unwrap().cursor();
        let answer = self.log().poll(asked, 9);
        let applied = worker.with_order(self, host, |journal, order| {
            journal.apply(order, asked, &answer, NOW)
        });
        if applied.is_ok() {
            let log = self.log();
            let known = log.records.iter().take(answer.cursor.position as usize);
            let newest = known.map(version).max().unwrap_or(0);
            self.applied.fetch_max(newest, Ordering::SeqCst);
        }
    }

    /// A request that is answered by the origin and stored.
    fn fetch(&self, worker: &mut Worker, host: &Baton<'_>) {
        let hint = Hint(host, &self.hint);
        let epoch = worker.epochs.borrow_mut().now(host, &hint);
        let version = self.origin.load(Ordering::SeqCst);
        self.store(epoch, version, From::Origin);
    }

    /// What is stored here is given to the fleet.
    fn share(&self, worker: &mut Worker, host: &Baton<'_>) {
        let bearings = worker.journal.bearings(host).unwrap();
        let entries = self.entries.lock().unwrap().clone();
        let shared = entries
            .iter()
            .filter_map(|it| Some((bearings.cursor_at(it.entry.epoch)?, it.version)));
        self.shared.lock().unwrap().extend(shared);
    }

    /// Another instance that is up to date fetches, and gives that to the fleet.
    fn fetch_elsewhere(&self) {
        let end = self.log().end();
        let version = self.origin.load(Ordering::SeqCst);
        self.shared.lock().unwrap().push((end, version));
    }

    /// What the fleet has is stored here, where the service says that nothing has ended it.
    fn import(&self, worker: &mut Worker, host: &Baton<'_>) {
        let bearings = worker.journal.bearings(host).unwrap();
        let (found, end) = self.ask();
        for version in found {
            if let Some(epoch) = bearings.epoch_at(end) {
                self.store(epoch, version, From::Fleet);
            }
        }
    }

    /// The same, where the answer comes before the worker looks where it stands.
    fn import_late(&self, worker: &mut Worker, host: &Baton<'_>) {
        host.wait();
        let (found, end) = self.ask();
        let bearings = worker.journal.bearings(host).unwrap();
        for version in found {
            if let Some(epoch) = bearings.epoch_at(end) {
                self.store(epoch, version, From::Fleet);
            }
        }
    }

    /// What the service answers with; every record covers every entry.
    fn ask(&self) -> (Vec<u64>, Cursor) {
        let end = self.log().end();
        let shared = self.shared.lock().unwrap();
        let current = shared.iter().filter(|(cursor, _)| *cursor == end);
        (current.map(|(_, version)| *version).collect(), end)
    }

    /// A request that is answered by whatever is stored and current.
    fn look(&self, worker: &mut Worker, host: &Baton<'_>) {
        let least = [From::Fleet, From::Origin].map(|from| self.least(from));
        let hint = Hint(host, &self.hint);
        let mut epochs = worker.epochs.borrow_mut();
        epochs.now(host, &hint);
        let entries = self.entries.lock().unwrap().clone();
        for stored in entries {
            let is_current = stored.entry.judge(&mut epochs, host) == Currency::Current;
            let is_allowed = stored.version >= least[stored.from as usize];
            assert!(!is_current || is_allowed, "{stored:?} after {least:?}");
        }
    }

    /// Nobody disturbs: all that was promised comes to stand in the log, and everything is known.
    fn settle(&self) {
        let part: Part<'_> = Box::new(|host| {
            let mut worker = Worker::new(99);
            for _ in 0..3 {
                self.post(&mut worker, host);
                self.poll(&mut worker, host);
            }
            self.look(&mut worker, host);
            self.fetch_elsewhere();
            self.import(&mut worker, host);
            self.share(&mut worker, host);
            self.look(&mut worker, host);
            let bearings = worker.journal.bearings(host).unwrap();
            assert_eq!(bearings.pending(), 0);
            let end = self.log().end();
            assert_eq!(bearings.cursor(), Some(end));
            let epoch = bearings.epoch_at(end).unwrap();
            assert_eq!(bearings.cursor_at(epoch), Some(end));
        });
        play(&self.stage, vec![part], &mut |_| 0);
        let log = self.log();
        let said: Vec<u64> = log.records.iter().map(version).collect();
        let wipes = self.wipes.load(Ordering::SeqCst);
        for (lost, then) in self.acknowledged.lock().unwrap().iter() {
            assert!(*then < wipes || said.contains(lost), "{lost} is lost");
        }
    }
}

type Act<'a> = &'a (dyn Fn(&World, &mut Worker, &Baton<'_>) + Sync);

/// Plays the acts at once, one worker each, in every order with so many interruptions.
fn every_order(bound: usize, prelude: Act<'_>, acts: &[Act<'_>]) -> usize {
    in_every_order(bound, |choose| {
        let world = World::begin();
        let part: Part<'_> = Box::new(|host| prelude(&world, &mut Worker::new(50), host));
        play(&world.stage, vec![part], &mut |_| 0);
        let parts = acts.iter().zip(1..).map(|(act, seed)| -> Part<'_> {
            let world = &world;
            Box::new(move |host| act(world, &mut Worker::new(seed), host))
        });
        play(&world.stage, parts.collect(), choose);
        world.settle();
    })
}

fn nothing(_: &World, _: &mut Worker, _: &Baton<'_>) {}

fn import_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.import(worker, host);
    world.look(worker, host);
}

fn import_late_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.import_late(worker, host);
    world.look(worker, host);
}

/// As [`every_order`], with each way to bring in.
fn with_imports(bound: usize, prelude: Act<'_>, acts: &[Act<'_>]) {
    for import in [import_and_look, import_late_and_look] {
        let import: Act<'_> = &import;
        let acts: Vec<_> = acts.iter().copied().chain([import]).collect();
        let orders = every_order(bound, prelude, &acts);
        assert!(orders > 50, "{orders}");
    }
}

#[test]
fn two_that_poll_while_one_imports() {
    let elsewhere: Act<'_> = &|world, _, _| {
        world.fetch_elsewhere();
        world.write_elsewhere(of_stamps(&[1], Mode::Hard));
        world.fetch_elsewhere();
    };
    with_imports(1, elsewhere, &[&World::poll, &World::poll]);
}

#[test]
fn a_write_here_while_one_polls_and_one_imports() {
    for covering in COVERING {
        let elsewhere: Act<'_> = &|world, _, _| {
            world.write_elsewhere(of_stamps(&[1], Mode::Hard));
            world.fetch_elsewhere();
        };
        let write: Act<'_> = &|world, worker, host| {
            world.write(&covering(), worker, host);
            world.look(worker, host);
        };
        with_imports(1, elsewhere, &[write, &World::poll]);
    }
}

#[test]
fn a_write_goes_out_and_comes_back_while_one_imports() {
    let prelude: Act<'_> = &|world, _, _| world.fetch_elsewhere();
    let write: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
        world.fetch_elsewhere();
        world.poll(worker, host);
    };
    with_imports(2, prelude, &[write]);
}

#[test]
fn two_that_write_and_post_at_once() {
    let prelude: Act<'_> = &|world, worker, host| world.fetch(worker, host);
    let write: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
    };
    every_order(2, prelude, &[write, write]);
}

#[test]
fn what_is_posted_by_one_is_polled_by_another() {
    let prelude: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.fetch_elsewhere();
    };
    let poll: Act<'_> = &|world, worker, host| {
        world.poll(worker, host);
        world.look(worker, host);
    };
    with_imports(1, prelude, &[&World::post, poll]);
}

#[test]
fn what_is_given_away_was_fetched_behind_its_cursor() {
    let share: Act<'_> = &|world, worker, host| {
        world.fetch(worker, host);
        world.share(worker, host);
        world.import(worker, host);
        world.look(worker, host);
    };
    let elsewhere: Act<'_> = &|world, worker, host| {
        world.write_elsewhere(of_stamps(&[1], Mode::Hard));
        world.poll(worker, host);
        world.import(worker, host);
        world.look(worker, host);
    };
    every_order(2, &nothing, &[share, elsewhere]);
}

/// Whoever dies, at whichever call, what it had written down gets there.
#[test]
fn a_worker_that_dies_while_it_writes() {
    for calls in 0..16 {
        let prelude: Act<'_> = &|world, _, _| world.fetch_elsewhere();
        let write: Act<'_> = &|world, worker, host| {
            host.die_after(calls);
            world.write(&of_stamps(&[1], Mode::Hard), worker, host);
            world.post(worker, host);
        };
        let import: Act<'_> = &|world, worker, host| {
            import_and_look(world, worker, host);
            world.poll(worker, host);
        };
        every_order(1, prelude, &[write, import]);
    }
}

#[test]
fn a_worker_that_dies_while_it_polls() {
    for calls in 0..30 {
        let prelude: Act<'_> = &|world, worker, host| {
            world.write(&of_stamps(&[1], Mode::Hard), worker, host);
            world.post(worker, host);
            world.write_elsewhere(of_names("/a*", Mode::Hard));
            world.fetch_elsewhere();
        };
        let poll: Act<'_> = &|world, worker, host| {
            host.die_after(calls);
            world.poll(worker, host);
        };
        every_order(1, prelude, &[poll, &import_and_look]);
    }
}

#[test]
fn a_wipe_in_between() {
    let wipe: Act<'_> = &|world, _, host| world.wipe(host);
    let prelude: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.write_elsewhere(of_stamps(&[1], Mode::Hard));
        world.fetch_elsewhere();
    };
    let write: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
    };
    let import: Act<'_> = &|world, worker, host| {
        world.poll(worker, host);
        import_and_look(world, worker, host);
    };
    every_order(2, prelude, &[write, &wipe]);
    every_order(2, prelude, &[import, &wipe]);
}

/// After a wipe numbers are given anew: none may be taken for one that was said before.
#[test]
fn what_is_written_after_a_wipe_is_not_taken_for_said() {
    let prelude: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
    };
    let write: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
    };
    let wipe: Act<'_> = &|world, worker, host| {
        world.wipe(host);
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
    };
    every_order(2, prelude, &[write, wipe]);
    let write_and_wipe: Act<'_> = &|world, worker, host| {
        world.write(&of_stamps(&[1], Mode::Hard), worker, host);
        world.post(worker, host);
        world.wipe(host);
    };
    every_order(2, prelude, &[write, write_and_wipe]);
}

#[test]
fn six_workers_at_random() {
    for seed in 0..60u128 {
        let world = World::begin();
        let wipes = seed % 3 == 0;
        let parts = (0..6u128).map(|number| -> Part<'_> {
            let world = &world;
            Box::new(move |host| {
                let mut random = Random::new(seed * 100 + number);
                let mut worker = Worker::new(seed * 1_000 + number);
                if random.below(4) == 0 {
                    host.die_after(random.below(150) as usize);
                }
                for _ in 0..14 {
                    let by = COVERING[random.below(3) as usize];
                    match random.below(12) {
                        0 => world.write(&by(), &mut worker, host),
                        1 => world.write_elsewhere(by()),
                        2 => world.post(&mut worker, host),
                        3 | 4 => world.poll(&mut worker, host),
                        5 => world.fetch(&mut worker, host),
                        6 => world.share(&mut worker, host),
                        7 => world.fetch_elsewhere(),
                        8 => world.import(&mut worker, host),
                        9 => world.import_late(&mut worker, host),
                        10 if wipes && number == 0 => world.wipe(host),
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
        world.settle();
    }
}
