//! Workers in lock-step: each runs on a thread of its own, and one at a time gets to make one host call.
//!
//! Between two host calls a worker touches nothing shared, so an order of calls is an interleaving, and to try all
//! orders is to try all interleavings. The order is decided here, call by call, so any run can be repeated. Moving the
//! gauge is a call of its own, because nothing keeps it in step with the cells. A worker can be made to die at a call,
//! as a VM that traps does: it never comes back to what it had begun.

use std::cell::{Cell as Count, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};

use super::super::random::Random;
use super::super::{ByteGauge, Cas, Cell, KvError, SetError, SharedKv};
use super::act::Act;
use super::stage::Stage;

/// What a worker does, given its view of the host.
pub(super) type Part<'a> = Box<dyn FnOnce(&Baton<'_>) + Send + 'a>;

/// Picks one of the waiting workers for the next call.
pub(super) type Choose<'a> = &'a mut (dyn FnMut(Waiting) -> usize + Send);

/// The workers that wait for their turn.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    workers: usize,
    /// Whether the one that made the last call is among them; it is choice 0 then.
    last_may_go_on: bool,
}

/// One worker's view of the host: each call waits for its turn.
pub(super) struct Baton<'a> {
    pub(super) stage: &'a Stage,
    /// What it is doing, for those who judge it.
    pub(super) act: RefCell<Act>,
    worker: usize,
    turns: &'a dyn Turns,
    calls_left: Count<Option<usize>>,
}

trait Turns: Sync {
    /// Waits for this worker's turn.
    fn wait(&self, worker: usize);

    /// This worker makes no more calls.
    fn leave(&self, worker: usize);
}

struct Ring<'a> {
    round: Mutex<Round<'a>>,
    cues: Vec<AtomicBool>,
}

struct Round<'a> {
    waiting: BTreeSet<usize>,
    threads: Vec<Option<Thread>>,
    running: usize,
    last: usize,
    choose: Choose<'a>,
}

/// What a worker that dies is unwound with.
struct Dead;

impl fmt::Debug for Baton<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.worker)
    }
}

impl Baton<'_> {
    /// Makes so many more calls, and dies at the next.
    pub(super) fn die_after(&self, calls: usize) {
        self.calls_left.set(Some(calls));
    }

    /// Waits for the turn to make a call.
    pub(super) fn wait(&self) {
        if let Some(left) = self.calls_left.get() {
            match left.checked_sub(1) {
                Some(left) => self.calls_left.set(Some(left)),
                None => resume_unwind(Box::new(Dead)),
            }
        }
        self.turns.wait(self.worker);
        self.stage.tick();
    }

    /// Loses all cells, as one call.
    pub(super) fn wipe(&self) {
        self.wait();
        self.stage.wipe();
    }
}

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        self.turns.leave(self.worker);
    }
}

impl SharedKv for Baton<'_> {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.wait();
        self.stage.kv.get(name)
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.wait();
        let mut act = self.act.borrow_mut();
        self.stage.set(name, value, expected, &mut act)
    }
}

impl ByteGauge for Baton<'_> {
    fn read(&self) -> u64 {
        self.wait();
        let held = self.stage.gauge.read();
        self.act.borrow_mut().held = held;
        held
    }

    fn add(&self, delta: i64) {
        self.wait();
        self.stage.gauge.add(delta);
    }
}

impl Turns for Ring<'_> {
    fn wait(&self, worker: usize) {
        self.change(|round| {
            round.waiting.insert(worker);
            round.threads[worker].get_or_insert_with(thread::current);
        });
        while !self.cues[worker].swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    fn leave(&self, _: usize) {
        self.change(|_| {});
    }
}

impl Ring<'_> {
    /// One worker runs no longer; when all wait, one of them has its turn.
    fn change(&self, change: impl FnOnce(&mut Round<'_>)) {
        // A worker whose check failed must not keep the others from their ends.
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut round);
        round.running -= 1;
        if round.running > 0 || round.waiting.is_empty() {
            return;
        }
        let next = round.pick();
        round.waiting.remove(&next);
        (round.last, round.running) = (next, 1);
        self.cues[next].store(true, Ordering::Release);
        if let Some(thread) = &round.threads[next] {
            thread.unpark();
        }
    }
}

impl Round<'_> {
    fn pick(&mut self) -> usize {
        // Whoever made the last call comes first, so that choice 0 lets it go on.
        let goes_on = self.waiting.contains(&self.last).then_some(self.last);
        let others = self.waiting.iter().copied();
        let others = others.filter(|worker| Some(*worker) != goes_on);
        let order: Vec<usize> = goes_on.into_iter().chain(others).collect();
        order[(self.choose)(Waiting {
            workers: order.len(),
            last_may_go_on: goes_on.is_some(),
        })]
    }
}

/// Plays all parts to their end, or their death; `choose` picks, for each call, one of the waiting workers.
pub(super) fn play(stage: &Stage, parts: Vec<Part<'_>>, choose: Choose<'_>) {
    let count = parts.len();
    let ring = Ring {
        round: Mutex::new(Round {
            waiting: BTreeSet::new(),
            threads: vec![None; count],
            running: count,
            last: usize::MAX,
            choose,
        }),
        cues: (0..count).map(|_| AtomicBool::new(false)).collect(),
    };
    thread::scope(|scope| {
        for (worker, part) in parts.into_iter().enumerate() {
            let turns: &dyn Turns = &ring;
            scope.spawn(move || {
                let baton = Baton {
                    stage,
                    act: RefCell::default(),
                    worker,
                    turns,
                    calls_left: Count::new(None),
                };
                let ended = catch_unwind(AssertUnwindSafe(|| part(&baton)));
                if let Err(cause) = ended
                    && !cause.is::<Dead>()
                {
                    drop(baton);
                    resume_unwind(cause);
                }
            });
        }
    });
}

/// Runs a play once for every order of its calls in which a worker that could go on is interrupted at most
/// `interruptions` times; gives how many orders there were.
///
/// Without that bound, workers that retry make more orders than there is time for; faults that need more
/// interruptions are left to chance, in the random plays.
pub(super) fn in_every_order(interruptions: usize, mut run: impl FnMut(Choose<'_>)) -> usize {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut runs = 0;
    loop {
        let (mut step, mut interrupted) = (0, 0);
        run(&mut |waiting: Waiting| {
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

/// An order in which each next call is anybody's; in three plays of four, whoever made the last call goes on more often,
/// so that a worker also gets far while another stands still.
pub(super) fn in_random_order(random: &mut Random) -> impl FnMut(Waiting) -> usize + Send {
    let patience = [1, 2, 4, 8][random.below(4) as usize];
    move |waiting| {
        if waiting.last_may_go_on && random.below(patience) > 0 {
            0
        } else {
            random.below(waiting.workers as u32) as usize
        }
    }
}
