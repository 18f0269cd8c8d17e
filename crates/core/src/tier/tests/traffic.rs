//! Flights at once, in every order of the workers' host calls up to a bound; `rush` has them in many random ones.
//!
//! What is promised: while a flight is in force nobody else leads to the same key, and nobody is told to wait where nobody
//! leads; whoever was told to wait is woken after that, unless the leader never lands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::flight::{Joined, Landing, Purpose, Token};
use crate::key::{Key, KeyDigest};

use super::super::flights::Whom;
use super::act::Trouble;
use super::baton::{Baton, Choose, Part, in_every_order, play};
use super::flights::{Pilot, START, WAIT};
use super::stage::Stage;
use super::{at, key};

/// Everything that happens, as somebody sees who sees everything.
#[derive(Debug, Default)]
struct Tower {
    led: Vec<Led>,
    waiting: Vec<Waiting>,
    /// Cells were lost, or damaged: what stood in them is known to nobody.
    is_blind: bool,
}

/// A flight that was begun.
#[derive(Debug)]
struct Led {
    token: Token,
    position: u64,
    until: u64,
    has_landed: bool,
    /// Those that waited have been woken since.
    has_woken: bool,
    /// Somebody else leads in its place, who came when it was over.
    is_succeeded: bool,
}

/// Somebody who waits, on this worker.
#[derive(Debug)]
struct Waiting {
    worker: u8,
    digest: KeyDigest,
    is_woken: bool,
}

impl Led {
    /// Whether it keeps others from leading who ask from this position on, now.
    fn is_in_force(&self, position: u64, now: u64) -> bool {
        let latest = now + u64::from(WAIT.get()) + 1;
        self.leads() && self.position >= position && now < self.until && self.until <= latest
    }

    fn leads(&self) -> bool {
        !self.has_landed && !self.is_succeeded
    }
}

/// What one worker does.
pub(super) type Deed<'a> = Box<dyn FnOnce(&mut Flyer<'_, '_>) + Send + 'a>;

pub(super) struct World {
    pub(super) stage: Stage,
    tower: Mutex<Tower>,
    /// How much was invalidated.
    position: AtomicU64,
}

/// One worker at work.
pub(super) struct Flyer<'a, 'b> {
    world: &'a World,
    pub(super) host: &'a Baton<'b>,
    pilot: Pilot,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::new(Trouble::Damage),
            tower: Mutex::default(),
            position: AtomicU64::new(1),
        }
    }

    fn tower(&self) -> MutexGuard<'_, Tower> {
        self.tower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays the acts at once, each on a worker of its own.
    pub(super) fn play<'a>(&'a self, acts: Vec<Deed<'a>>, choose: Choose<'_>) {
        let crew = Pilot::crew(&self.stage.kv, 1..=acts.len() as u128);
        let parts = crew.into_iter().zip(acts).map(|(pilot, act)| -> Part<'_> {
            Box::new(move |host: &Baton<'_>| {
                let world = self;
                act(&mut Flyer { world, host, pilot });
            })
        });
        play(&self.stage, parts.collect(), choose);
    }

    /// How many have led, and how many have waited.
    pub(super) fn count(&self) -> (usize, usize) {
        let tower = self.tower();
        (tower.led.len(), tower.waiting.len())
    }

    /// Nobody is left who waits for what has landed.
    pub(super) fn settle(&self) {
        let tower = self.tower();
        let left = tower.waiting.iter().filter(|waiting| !waiting.is_woken);
        for waiting in left {
            let mut led = tower.led.iter();
            let is_on_its_way = led.any(|led| led.token.digest == waiting.digest && !led.has_woken);
            assert!(is_on_its_way || tower.is_blind, "{waiting:?} in {tower:?}");
        }
    }
}

impl Flyer<'_, '_> {
    pub(super) fn ask(&mut self, key: &Key, purpose: Purpose, now: u64) -> Option<Token> {
        let position = self.world.position.load(Ordering::SeqCst);
        let joined = self.pilot.join(self.host, (key, purpose), position, now);
        let (digest, mut tower) = (key.digest(), self.world.tower());
        let is_blind = tower.is_blind;
        let mut led = tower.led.iter().filter(|led| led.token.digest == digest);
        match joined {
            Joined::Lead(token) => {
                let other = led.find(|led| led.is_in_force(position, now));
                assert!(other.is_none() || is_blind, "{token:?} beside {other:?}");
                let former = tower.led.iter_mut();
                former
                    .filter(|led| led.token.digest == digest)
                    .for_each(|led| led.is_succeeded = true);
                tower.led.push(Led {
                    token,
                    position,
                    until: now + u64::from(WAIT.get()),
                    has_landed: false,
                    has_woken: false,
                    is_succeeded: false,
                });
                Some(token)
            }
            Joined::Behind => {
                let is_led = led.any(Led::leads);
                assert!(is_led || is_blind, "nobody leads: {tower:?}");
                if purpose != Purpose::Refresh {
                    tower.waiting.push(Waiting {
                        worker: self.pilot.member.worker(),
                        digest,
                        is_woken: false,
                    });
                }
                None
            }
            Joined::Alone(_) | Joined::Resting => None,
        }
    }

    fn fill(&mut self, now: u64) -> Option<Token> {
        self.ask(&key("a"), Purpose::Fill, now)
    }

    pub(super) fn land(&self, token: &Token, landing: Landing, now: u64) {
        let landed = self.pilot.land(self.host, token, landing, now);
        self.note(token, |led| led.has_landed = true);
        let Some(landed) = landed else {
            return self.note(token, |led| led.has_woken = true);
        };
        let own = self.pilot.member.worker();
        self.wake(own, token.digest);
        let workers = match landed.whom {
            Whom::These(workers) => workers,
            Whom::Everybody => self.pilot.member.everybody(self.host, at(now)),
        };
        for worker in workers.ids() {
            self.host.wait();
            self.wake(worker, token.digest);
        }
        self.note(token, |led| led.has_woken = true);
    }

    fn note(&self, token: &Token, note: impl Fn(&mut Led)) {
        let mut tower = self.world.tower();
        tower
            .led
            .iter_mut()
            .filter(|led| led.token == *token)
            .for_each(note);
    }

    fn wake(&self, worker: u8, digest: KeyDigest) {
        for waiting in &mut self.world.tower().waiting {
            waiting.is_woken |= (waiting.worker, waiting.digest) == (worker, digest);
        }
    }

    /// Fills, where nobody else does.
    fn fill_and_land(&mut self, now: u64, landing: Landing) {
        if let Some(token) = self.fill(now) {
            self.land(&token, landing, now);
        }
    }

    pub(super) fn invalidate(&self) {
        self.host.wait();
        self.world.position.fetch_add(1, Ordering::SeqCst);
    }
}

type Act = fn(&mut Flyer<'_, '_>);

/// Plays the acts in every order with so many interruptions; gives how many orders.
fn every_order(bound: usize, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let world = World::new();
        let acts = acts.iter().map(|act| Box::new(*act) as Box<_>);
        world.play(acts.collect(), choose);
        world.settle();
    })
}

const UNSHARED: Landing = Landing::Unshared {
    until: at(START + 60),
};

fn fill(worker: &mut Flyer<'_, '_>) {
    worker.fill_and_land(START, Landing::Stored);
}

/// Two requests of one worker, and a third when the first has landed.
fn fill_for_two(worker: &mut Flyer<'_, '_>) {
    let token = worker.fill(START);
    worker.fill(START);
    if let Some(token) = token {
        worker.land(&token, Landing::Abandoned, START);
    }
    worker.fill_and_land(START, Landing::Stored);
}

fn fail(worker: &mut Flyer<'_, '_>) {
    let rest = at(START + 1);
    worker.fill_and_land(START, Landing::Failed { rest });
}

fn find_unshared(worker: &mut Flyer<'_, '_>) {
    worker.fill_and_land(START, UNSHARED);
}

/// When flights that began at the start are over.
fn fill_late(worker: &mut Flyer<'_, '_>) {
    worker.fill_and_land(START + 5, Landing::Stored);
}

fn refresh(worker: &mut Flyer<'_, '_>) {
    if let Some(token) = worker.ask(&key("a"), Purpose::Refresh, START) {
        worker.land(&token, Landing::Stored, START);
    }
}

fn write_and_fill(worker: &mut Flyer<'_, '_>) {
    worker.invalidate();
    worker.fill_and_land(START, Landing::Stored);
}

fn wipe(worker: &mut Flyer<'_, '_>) {
    worker.host.wait();
    worker.world.tower().is_blind = true;
    worker.world.stage.wipe();
    worker.fill_and_land(START, Landing::Stored);
}

pub(super) fn damage(worker: &mut Flyer<'_, '_>) {
    worker.host.wait();
    worker.world.tower().is_blind = true;
    let cell = worker.pilot.member.name(key("a").digest());
    let stage = &worker.world.stage;
    stage.damage(cell.as_str(), Some(b"something else"));
    worker.fill_and_land(START, Landing::Stored);
}

#[test]
fn three_that_want_the_same() {
    assert!(every_order(3, &[fill, fill, fill]) > 100);
}

#[test]
fn three_that_want_the_same_again_and_again() {
    assert!(every_order(2, &[fill_for_two, fill, fill_for_two]) > 100);
}

#[test]
fn what_fails_and_what_is_nobody_elses() {
    assert!(every_order(3, &[fail, find_unshared, fill]) > 100);
}

#[test]
fn one_who_comes_when_the_others_are_over() {
    assert!(every_order(3, &[fill_for_two, fill_late]) > 50);
    assert!(every_order(2, &[fill, fill_late, fill]) > 100);
}

#[test]
fn an_invalidation_in_between() {
    assert!(every_order(3, &[fill_for_two, write_and_fill]) > 50);
    assert!(every_order(2, &[fill, write_and_fill, fill]) > 100);
}

#[test]
fn refreshes_and_those_that_wait_for_them() {
    assert!(every_order(2, &[refresh, fill, refresh]) > 100);
}

#[test]
fn a_wipe_in_between() {
    assert!(every_order(2, &[fill, wipe, fill]) > 100);
}

#[test]
fn a_damaged_cell_in_between() {
    assert!(every_order(2, &[fill, damage, fill]) > 100);
}
