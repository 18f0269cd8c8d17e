//! All that a journal is for, with workers that may be interrupted at each host call: an origin, a fleet, and what is stored.
//!
//! The origin is a number that every write raises; an entry is the number that its fetch met, and a record's label the number that
//! its write made.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::entry::Epoch;
use crate::epoch::{Currency, Invalidation, Mode};
use crate::fleet::Cursor;
use crate::wire::{Label, Record, WriteToken};

use super::super::{EpochLog, Journal, LocalOrder};
use super::NOW;
use super::baton::{Baton, Part, in_every_order, play};
use super::epochs::Hint;
use super::fleet_log::FleetLog;
use super::invalidations::{Entry, of_all, of_names, of_stamps};
use super::stage::Stage;

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) stage: Stage,
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

pub(super) struct Worker {
    epochs: RefCell<EpochLog>,
    journal: Journal,
}

impl Worker {
    pub(super) fn new(seed: u128) -> Self {
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
pub(super) const COVERING: [fn() -> Invalidation; 3] = [
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
    pub(super) fn begin() -> Self {
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
    pub(super) fn write(&self, by: &Invalidation, worker: &mut Worker, host: &Baton<'_>) {
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

    pub(super) fn wipe(&self, host: &Baton<'_>) {
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
    pub(super) fn write_elsewhere(&self, by: Invalidation) {
        let version = self.origin.fetch_add(1, Ordering::SeqCst) + 1;
        let mut log = self.log();
        log.say(by);
        let record = log.records.last_mut().unwrap();
        record.label = Some(label(version));
    }

    pub(super) fn post(&self, worker: &mut Worker, host: &Baton<'_>) {
        let Some(batch) = worker.journal.batch(host).unwrap() else {
            return;
        };
        let posted = self.log().post(&batch);
        let acknowledged = worker.journal.acknowledge(host, &batch, &posted);
        acknowledged.unwrap();
    }

    pub(super) fn poll(&self, worker: &mut Worker, host: &Baton<'_>) {
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
    pub(super) fn fetch(&self, worker: &mut Worker, host: &Baton<'_>) {
        let hint = Hint(host, &self.hint);
        let epoch = worker.epochs.borrow_mut().now(host, &hint);
        let version = self.origin.load(Ordering::SeqCst);
        self.store(epoch, version, From::Origin);
    }

    /// What is stored here is given to the fleet.
    pub(super) fn share(&self, worker: &mut Worker, host: &Baton<'_>) {
        let bearings = worker.journal.bearings(host).unwrap();
        let entries = self.entries.lock().unwrap().clone();
        let shared = entries
            .iter()
            .filter_map(|it| Some((bearings.cursor_at(it.entry.epoch)?, it.version)));
        self.shared.lock().unwrap().extend(shared);
    }

    /// Another instance that is up to date fetches, and gives that to the fleet.
    pub(super) fn fetch_elsewhere(&self) {
        let end = self.log().end();
        let version = self.origin.load(Ordering::SeqCst);
        self.shared.lock().unwrap().push((end, version));
    }

    /// What the fleet has is stored here, where the service says that nothing has ended it.
    pub(super) fn import(&self, worker: &mut Worker, host: &Baton<'_>) {
        let bearings = worker.journal.bearings(host).unwrap();
        let (found, end) = self.ask();
        for version in found {
            if let Some(epoch) = bearings.epoch_at(end) {
                self.store(epoch, version, From::Fleet);
            }
        }
    }

    /// The same, where the answer comes before the worker looks where it stands.
    pub(super) fn import_late(&self, worker: &mut Worker, host: &Baton<'_>) {
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
    pub(super) fn look(&self, worker: &mut Worker, host: &Baton<'_>) {
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
    pub(super) fn settle(&self) {
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

pub(super) type Act<'a> = &'a (dyn Fn(&World, &mut Worker, &Baton<'_>) + Sync);

/// Plays the acts at once, one worker each, in every order with so many interruptions.
pub(super) fn every_order(bound: usize, prelude: Act<'_>, acts: &[Act<'_>]) -> usize {
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

pub(super) fn nothing(_: &World, _: &mut Worker, _: &Baton<'_>) {}

pub(super) fn import_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.import(worker, host);
    world.look(worker, host);
}

fn import_late_and_look(world: &World, worker: &mut Worker, host: &Baton<'_>) {
    world.import_late(worker, host);
    world.look(worker, host);
}

/// As [`every_order`], with each way to bring in.
pub(super) fn with_imports(bound: usize, prelude: Act<'_>, acts: &[Act<'_>]) {
    for import in [import_and_look, import_late_and_look] {
        let import: Act<'_> = &import;
        let acts: Vec<_> = acts.iter().copied().chain([import]).collect();
        let orders = every_order(bound, prelude, &acts);
        assert!(orders > 50, "{orders}");
    }
}
