//! Eight workers on two sets, thousands of plays in random orders, alone and with everything that can go wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::random::Random;
use super::act::Trouble;
use super::actor::Actor;
use super::audit;
use super::baton::{Baton, Part, in_random_order, play};
use super::scene::{START, Scene};

const WORKERS: usize = 8;
const NAMES: u32 = 20;

/// More than two sets can hold, and room for about twelve entries, so that fills evict from each other's sets.
const BUDGETS: [u64; 2] = [1 << 20, 4_500];

/// What happens beside the workers' doings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    /// The clock is set forward or back by an hour.
    ClockStep,
    /// Some cells are lost, or come to hold something else.
    Damage,
    /// Some workers stop in the middle of a call, for good.
    Death,
    /// Some workers take longer than a claim lasts.
    Delay,
    /// All cells are lost.
    Wipe,
}

const ALL: [Mishap; 5] = [
    Mishap::ClockStep,
    Mishap::Damage,
    Mishap::Death,
    Mishap::Delay,
    Mishap::Wipe,
];

/// One play: what it is like follows from its number.
struct Crowd<'a> {
    mishaps: &'a [Mishap],
    random: Random,
    clock: AtomicU64,
    seed: u128,
}

impl<'a> Crowd<'a> {
    fn new(seed: u128, mishaps: &'a [Mishap]) -> Self {
        Self {
            mishaps,
            random: Random::new(seed),
            clock: AtomicU64::new(START),
            seed,
        }
    }

    fn has(&self, mishap: Mishap) -> bool {
        self.mishaps.contains(&mishap)
    }

    fn trouble(&self) -> Trouble {
        match self.mishaps {
            [] => Trouble::None,
            some if some.contains(&Mishap::Damage) => Trouble::Damage,
            _ => Trouble::Delays,
        }
    }

    /// Two times: everybody acts, and then it is quiet and must add up.
    fn run(mut self) {
        let budget = BUDGETS[self.random.below(2) as usize];
        let mut scene = Scene::new(self.trouble(), 0, 16, budget);
        for round in 0..2 {
            while scene.workers.len() < WORKERS {
                let seed = self.seed * 1_000 + round * 100 + scene.workers.len() as u128;
                scene.enter(seed, budget);
            }
            let doomed = if self.has(Mishap::Death) {
                1 + self.random.below(4) as usize
            } else {
                0
            };
            self.act(&mut scene, doomed);
            scene.workers.drain(..doomed);
            let now = self.clock.load(Ordering::Relaxed);
            if self.trouble() == Trouble::None {
                scene.rest(now + 3);
            } else {
                scene.settle(now + 70);
            }
            self.clock.fetch_add(90, Ordering::Relaxed);
        }
    }

    fn act(&mut self, scene: &mut Scene, doomed: usize) {
        let mut order = Random::new(self.random.next().into());
        let (stage, workers) = (&scene.stage, &mut scene.workers);
        let mut parts: Vec<Part<'_>> = Vec::new();
        for (n, tier) in workers.iter_mut().enumerate() {
            let random = Random::new(self.random.next().into());
            let death = (n < doomed).then(|| self.random.below(150) as usize);
            let (clock, is_late) = (&self.clock, self.has(Mishap::Delay));
            parts.push(Box::new(move |host| {
                if let Some(calls) = death {
                    host.die_after(calls);
                }
                improvise(&mut Actor { tier, host }, random, clock, is_late);
            }));
        }
        for mishap in self.mishaps {
            let mut random = Random::new(self.random.next().into());
            let (clock, mishap) = (&self.clock, *mishap);
            parts.push(Box::new(move |host| {
                for _ in 0..random.below(4) {
                    for _ in 0..random.below(150) {
                        host.wait();
                    }
                    befall(mishap, host, &mut random, clock);
                }
            }));
        }
        play(stage, parts, &mut in_random_order(&mut order));
    }
}

fn befall(mishap: Mishap, host: &Baton<'_>, random: &mut Random, clock: &AtomicU64) {
    match mishap {
        Mishap::ClockStep => {
            let steps = [3_600, 3_600u64.wrapping_neg()];
            clock.fetch_add(steps[random.below(2) as usize], Ordering::Relaxed);
        }
        Mishap::Damage => damage(host, random),
        Mishap::Wipe => host.wipe(),
        Mishap::Death | Mishap::Delay => {} // these are the workers' own
    }
}

/// Another module, say, writes into a cell.
fn damage(host: &Baton<'_>, random: &mut Random) {
    host.wait();
    let (stage, mut names) = (host.stage, host.stage.kv.names());
    if names.is_empty() {
        return;
    }
    let name = names.swap_remove(random.below(names.len() as u32) as usize);
    let held = audit::value(&stage.kv, &name);
    let former = stage.chronicle().former(&name, random.below(4) as usize);
    // No number of a life ever comes back, and no list of leases loses some of them while that life goes on: the host loses
    // all cells at once, and what is written to them afterwards belongs to another life.
    match (random.below(4), name.as_str(), former) {
        (0..=2, "larder1l", _) | (0, _, _) => stage.damage(&name, Some(b"something else")),
        (1, _, _) => stage.damage(&name, None),
        (2, _, _) => stage.damage(&name, Some(&held[..held.len() / 2])),
        (_, "larder1i" | "larder1l", _) | (_, _, None) => {}
        (_, _, Some(former)) => stage.damage(&name, Some(&former)),
    }
}

/// What one worker does, by its own slightly wrong clock.
fn improvise(worker: &mut Actor<'_, '_>, mut random: Random, clock: &AtomicU64, is_late: bool) {
    let mut late = u64::from(random.below(2));
    for _ in 0..20 {
        if is_late {
            // Now and then beyond a claim's time, so that slow workers lose their ways.
            late = (late + [0, 0, 0, 0, 1, 12][random.below(6) as usize]).min(30);
        }
        let now = clock.load(Ordering::Relaxed) + late;
        let name = random.below(NAMES).to_string();
        match random.below(12) {
            0 => _ = worker.tick(now),
            1 => _ = worker.remove(&name, now),
            2..6 => _ = worker.store(&name, now - u64::from(random.below(5)), now),
            _ => _ = worker.look(&name, now),
        }
    }
}

fn many(plays: u128, mishaps: &[Mishap]) {
    for seed in 0..plays {
        Crowd::new(seed, mishaps).run();
    }
}

#[test]
fn where_nothing_goes_wrong() {
    many(300, &[]);
}

#[test]
fn workers_that_are_late() {
    many(250, &[Mishap::Delay]);
}

#[test]
fn workers_that_die() {
    many(200, &[Mishap::Death]);
}

#[test]
fn workers_that_are_late_and_die() {
    many(250, &[Mishap::Delay, Mishap::Death]);
}

#[test]
fn cells_that_are_lost() {
    many(300, &[Mishap::Delay, Mishap::Wipe]);
}

#[test]
fn cells_that_are_damaged() {
    many(250, &[Mishap::Damage]);
}

#[test]
fn a_clock_that_steps() {
    many(200, &[Mishap::ClockStep]);
}

#[test]
fn everything_at_once() {
    many(300, &ALL);
}
