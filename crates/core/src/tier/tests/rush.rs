//! Flights in many random orders, alone and with what can go wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::flight::{Landing, Purpose, Token};

use super::super::random::Random;
use super::baton::in_random_order;
use super::flights::{Pilot, START};
use super::traffic::{Deed, Flyer, World, damage};
use super::{at, key};

/// Twenty keys that share a cell, which has room for sixteen.
fn crowded() -> Vec<String> {
    let world = World::new();
    let member = Pilot::crew(&world.stage.kv, 1..=1).remove(0).member;
    let cell = |name: &String| member.name(key(name).digest()).as_str().to_owned();
    let names = (0..).map(|n: u32| n.to_string());
    let first = cell(&"0".to_owned());
    names.filter(|name| cell(name) == first).take(20).collect()
}

fn two() -> [String; 2] {
    ["a", "b"].map(str::to_owned)
}

/// What goes wrong beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    ClockStep,
    Damage,
    Death,
    Write,
}

/// What a worker does, by its own slightly wrong clock, with flights that take any time.
fn improvise(
    worker: &mut Flyer<'_, '_>,
    names: &[String],
    clock: &AtomicU64,
    mishaps: &[Mishap],
    mut random: Random,
) {
    if mishaps.contains(&Mishap::Death) && random.below(3) == 0 {
        worker.host.die_after(random.below(60) as usize);
    }
    let mut led = Vec::new();
    for _ in 0..30 {
        let now = clock.load(Ordering::SeqCst) + u64::from(random.below(2));
        let key = key(&names[random.below(names.len() as u32) as usize]);
        let purposes = [
            Purpose::Fill,
            Purpose::Fill,
            Purpose::Follow,
            Purpose::Refresh,
        ];
        match random.below(6) {
            0 | 1 if !led.is_empty() => {
                let token: Token = led.swap_remove(random.below(led.len() as u32) as usize);
                let until = at(now + u64::from(random.below(4)));
                let landings = [
                    Landing::Stored,
                    Landing::Abandoned,
                    Landing::Failed { rest: until },
                    Landing::Unshared { until },
                ];
                worker.land(&token, landings[random.below(4) as usize], now);
            }
            2 if random.below(8) == 0 => mishap(worker, mishaps, clock, &mut random),
            _ => led.extend(worker.ask(&key, purposes[random.below(4) as usize], now)),
        }
        if random.below(6) == 0 {
            clock.fetch_add(1, Ordering::SeqCst);
        }
    }
    let now = clock.load(Ordering::SeqCst);
    for token in led {
        worker.land(&token, Landing::Abandoned, now);
    }
}

fn mishap(worker: &mut Flyer<'_, '_>, mishaps: &[Mishap], clock: &AtomicU64, random: &mut Random) {
    let Some(mishap) = mishaps.get(random.below(mishaps.len() as u32) as usize) else {
        return;
    };
    match mishap {
        Mishap::ClockStep => {
            let steps = [3_600, 3_600u64.wrapping_neg()];
            clock.fetch_add(steps[random.below(2) as usize], Ordering::SeqCst);
        }
        Mishap::Damage => damage(worker),
        Mishap::Death => {}
        Mishap::Write => worker.invalidate(),
    }
}

fn many(plays: u128, names: &[String], mishaps: &[Mishap]) {
    for seed in 0..plays {
        let mut random = Random::new(seed);
        let (world, clock) = (World::new(), AtomicU64::new(START));
        let acts = (0..4).map(|_| {
            let (clock, random) = (&clock, Random::new(random.next().into()));
            let act: Deed<'_> =
                Box::new(move |worker| improvise(worker, names, clock, mishaps, random));
            act
        });
        let acts: Vec<_> = acts.collect();
        world.play(acts, &mut in_random_order(&mut random));
        world.settle();
    }
}

#[test]
fn a_few_keys_and_nothing_goes_wrong() {
    many(300, &two(), &[]);
}

#[test]
fn a_few_keys_and_writes() {
    many(300, &two(), &[Mishap::Write]);
}

#[test]
fn workers_that_die() {
    many(300, &two(), &[Mishap::Death, Mishap::Write]);
}

#[test]
fn a_clock_that_steps() {
    many(300, &two(), &[Mishap::ClockStep]);
}

#[test]
fn cells_that_are_damaged() {
    many(200, &two(), &[Mishap::Damage, Mishap::Write]);
}

#[test]
fn a_cell_that_is_full() {
    let keys = crowded();
    many(200, &keys, &[]);
    many(
        200,
        &keys,
        &[Mishap::ClockStep, Mishap::Death, Mishap::Write],
    );
}

#[test]
fn as_many_workers_as_a_large_machine_has() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let world = World::new();
        let acts = (0..24).map(|_| {
            let act: Deed<'_> = Box::new(|worker| {
                if let Some(token) = worker.ask(&key("a"), Purpose::Fill, START) {
                    (0..200).for_each(|_| worker.host.wait());
                    worker.land(&token, Landing::Stored, START);
                }
            });
            act
        });
        world.play(acts.collect(), &mut in_random_order(&mut random));
        world.settle();
        assert_eq!(world.count(), (1, 23), "one leads, and the others wait");
    }
}
