//! One worker's call with all that others do in the middle of it, whichever of its host calls that is.

use std::cell::{Cell as Count, RefCell};
use std::fmt;

use crate::epoch::{Currency, Mode};
use crate::fleet::Cursor;
use crate::wire::Answer;

use super::super::{
    Applied, Cas, Cell, EpochLog, Journal, KvError, LocalOrder, MemoryKv, NotApplied, SetError,
    SharedKv,
};
use super::NOW;
use super::fleet_log::FleetLog;
use super::invalidations::{Entry, Plain, of_stamps};

/// Cells before whose nth call something else happens.
struct Interrupted<'a> {
    kv: &'a MemoryKv,
    left: Count<usize>,
    between: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl fmt::Debug for Interrupted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Interrupted<'_> {
    fn call(&self) {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 1
            && let Some(between) = self.between.borrow_mut().take()
        {
            between();
        }
    }
}

impl SharedKv for Interrupted<'_> {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.call();
        self.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.call();
        self.kv.set(name, value, expected)
    }
}

#[derive(Default)]
struct World {
    kv: MemoryKv,
    hint: Plain,
    log: RefCell<FleetLog>,
    stored: RefCell<Vec<Entry>>,
}

struct Worker {
    epochs: RefCell<EpochLog>,
    journal: RefCell<Journal>,
}

impl Worker {
    fn new(seed: u128) -> Self {
        Self {
            epochs: RefCell::new(EpochLog::new(seed, 256)),
            journal: RefCell::new(Journal::new(seed << 32)),
        }
    }

    fn ask(&self, world: &World) -> (Option<Cursor>, Answer) {
        let bearings = self.journal.borrow_mut().bearings(&world.kv).unwrap();
        let answer = world.log.borrow().poll(bearings.cursor(), 9);
        (bearings.cursor(), answer)
    }

    fn apply(
        &self,
        world: &World,
        kv: &dyn SharedKv,
        (asked, answer): &(Option<Cursor>, Answer),
    ) -> Result<Applied, NotApplied> {
        let order = LocalOrder {
            kv,
            hint: &world.hint,
            epochs: &self.epochs,
            now: NOW,
        };
        self.journal.borrow_mut().apply(&order, *asked, answer, NOW)
    }

    fn note(&self, world: &World, kv: &dyn SharedKv) {
        let order = LocalOrder {
            kv,
            hint: &world.hint,
            epochs: &self.epochs,
            now: NOW,
        };
        let hard = of_stamps(&[1], Mode::Hard);
        let noted = self.journal.borrow_mut().note(&order, &hard, None);
        assert!(noted.unwrap().token.is_some());
    }

    fn post(&self, world: &World) {
        let mut journal = self.journal.borrow_mut();
        if let Some(batch) = journal.batch(&world.kv).unwrap() {
            let posted = world.log.borrow_mut().post(&batch);
            journal.acknowledge(&world.kv, &batch, &posted).unwrap();
        }
    }

    /// What was fetched elsewhere before the record behind this cursor.
    fn import(&self, world: &World, cursor: Cursor) {
        let bearings = self.journal.borrow_mut().bearings(&world.kv).unwrap();
        if let Some(epoch) = bearings.epoch_at(cursor) {
            let entry = Entry::new(epoch, &[1], "/");
            world.stored.borrow_mut().push(entry);
        }
    }

    fn follow(&self, world: &World) {
        let asked = self.ask(world);
        let _ = self.apply(world, &world.kv, &asked);
    }

    fn check(&self, world: &World, name: &str) {
        let mut epochs = self.epochs.borrow_mut();
        epochs.now(&world.kv, &world.hint);
        for entry in world.stored.borrow().iter() {
            let judged = entry.judge(&mut epochs, &world.kv);
            assert_eq!(judged, Currency::Gone, "{name}: {:?}", entry.epoch);
        }
    }
}

/// Does `whole` once for each of its host calls, with `between` in front of that.
fn at_every_call(
    prelude: impl Fn(&World),
    whole: impl Fn(&World, &dyn SharedKv),
    between: impl Fn(&World),
    epilogue: impl Fn(&World),
) {
    for nth in 1.. {
        let world = World::default();
        Worker::new(1).follow(&world);
        prelude(&world);
        let is_over = {
            let kv = Interrupted {
                kv: &world.kv,
                left: Count::new(nth),
                between: RefCell::new(Some(Box::new(|| between(&world)))),
            };
            whole(&world, &kv);
            kv.left.get() > 0
        };
        if is_over {
            assert!(nth > 5, "{nth}");
            return;
        }
        epilogue(&world);
    }
}

/// What looked at the local order while records were being appended has to keep them from being in a step that ends there.
#[test]
fn an_older_answer_is_applied_in_the_middle_of_a_newer_one() {
    let older = RefCell::new(None);
    let start = RefCell::new(None);
    at_every_call(
        |world| {
            *start.borrow_mut() = Some(world.log.borrow().end());
            *older.borrow_mut() = Some(Worker::new(2).ask(world));
            world.log.borrow_mut().say(of_stamps(&[1], Mode::Hard));
        },
        |world, kv| {
            let worker = Worker::new(3);
            let newer = worker.ask(world);
            let _ = worker.apply(world, kv, &newer);
        },
        |world| {
            let older = older.borrow();
            let _ = Worker::new(2).apply(world, &world.kv, older.as_ref().unwrap());
            Worker::new(4).import(world, start.borrow().unwrap());
        },
        |world| {
            let worker = Worker::new(5);
            worker.import(world, start.borrow().unwrap());
            worker.follow(world);
            worker.check(world, "an older answer");
        },
    );
}

#[test]
fn everything_else_happens_in_the_middle_of_a_note() {
    at_every_call(
        |_| {},
        |world, kv| Worker::new(3).note(world, kv),
        |world| {
            let worker = Worker::new(4);
            let start = world.log.borrow().end();
            worker.follow(world);
            worker.import(world, start);
            worker.post(world);
            worker.follow(world);
            worker.import(world, start);
        },
        |world| {
            let worker = Worker::new(5);
            worker.import(world, world.log.borrow().at(0));
            worker.check(world, "a note");
            worker.post(world);
            worker.follow(world);
            worker.import(world, world.log.borrow().at(0));
            worker.check(world, "a note, and back");
            assert_eq!(world.log.borrow().records.len(), 1);
        },
    );
}

#[test]
fn a_note_goes_out_and_back_in_the_middle_of_an_answer() {
    at_every_call(
        |world| _ = world.log.borrow_mut().say(of_stamps(&[9], Mode::Hard)),
        |world, kv| {
            let worker = Worker::new(3);
            let asked = worker.ask(world);
            let _ = worker.apply(world, kv, &asked);
        },
        |world| {
            let worker = Worker::new(4);
            worker.note(world, &world.kv);
            worker.import(world, world.log.borrow().at(1));
            worker.post(world);
            worker.follow(world);
            worker.import(world, world.log.borrow().at(1));
        },
        |world| {
            let worker = Worker::new(5);
            worker.import(world, world.log.borrow().at(1));
            worker.check(world, "an answer");
            worker.follow(world);
            worker.import(world, world.log.borrow().at(1));
            worker.check(world, "an answer, and the next");
        },
    );
}

#[test]
fn a_note_comes_back_while_a_worker_looks_where_it_stands() {
    at_every_call(
        |world| {
            let worker = Worker::new(2);
            worker.note(world, &world.kv);
            // From now on the last look at the local order is behind the note.
            worker.follow(world);
        },
        |world, kv| {
            let bearings = Journal::new(6).bearings(kv).unwrap();
            if let Some(epoch) = bearings.epoch_at(world.log.borrow().at(0)) {
                world.stored.borrow_mut().push(Entry::new(epoch, &[1], "/"));
            }
        },
        |world| {
            let worker = Worker::new(4);
            worker.post(world);
            worker.follow(world);
        },
        |world| Worker::new(5).check(world, "bearings"),
    );
}
