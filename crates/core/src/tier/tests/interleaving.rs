//! Workers against each other, in every order of their host calls up to a bound, and in many random ones.
//!
//! At the end of each run the claims run out, the workers tick a few times, and then everything must add up: the
//! gauge, the charged bytes and the bytes in the slots are one number, and every slot belongs to a published entry.

use super::super::random::Random;
use super::super::{ByteGauge, Geometry, MemoryGauge, SharedTier};
use super::audit::audit;
use super::baton::{Baton, Part, Stage, in_every_order, in_random_order};
use super::{at, key, look, put, tier};

/// Where the play begins, in seconds; claims made then have run out when it ends, entries have not.
const START: u64 = 1_000;

struct Scene {
    stage: Stage,
    gauge: MemoryGauge,
    workers: Vec<SharedTier>,
}

impl Scene {
    /// Workers that have joined, and one set with so many entries from 10 seconds ago.
    fn with(workers: u8, entries: u32) -> Self {
        let (stage, gauge) = (Stage::default(), MemoryGauge::new());
        let mut workers: Vec<SharedTier> = (1..=workers)
            .map(|seed| tier(8, u128::from(seed)))
            .collect();
        for worker in &mut workers {
            worker.tick(&stage.kv, &gauge, at(START - 10));
        }
        for n in 0..entries {
            put(
                &mut workers[0],
                (&stage.kv, &gauge),
                &n.to_string(),
                START - 10,
                START - 10,
            );
        }
        Self {
            stage,
            gauge,
            workers,
        }
    }

    fn settle(&mut self) {
        for now in START + 40..START + 50 {
            for worker in &mut self.workers {
                worker.tick(&self.stage.kv, &self.gauge, at(now));
            }
        }
        let audit = audit(&self.stage.kv);
        assert_eq!(audit.complaints, [""; 0]);
        assert_eq!(audit.held, audit.charged);
        assert_eq!(audit.charged, self.gauge.read());
    }
}

type Act = fn(&mut SharedTier, &Baton<'_>, &MemoryGauge);

/// Plays the acts at once, one worker each, in every order with so many interruptions; gives how many orders.
fn every_order(bound: usize, entries: u32, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let mut scene = Scene::with(acts.len() as u8, entries);
        let gauge = &scene.gauge;
        let workers = scene.workers.iter_mut().zip(acts);
        let parts = workers
            .map(|(worker, act)| -> Part<'_> { Box::new(move |host| act(worker, host, gauge)) });
        scene.stage.play(parts.collect(), choose);
        scene.settle();
    })
}

fn store_a(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    put(worker, (host, gauge), "a", START - 1, START);
}

fn store_a_anew(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    put(worker, (host, gauge), "a", START, START + 1);
}

fn store_b(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    put(worker, (host, gauge), "b", START, START);
}

/// So much later that claims made at the start have run out: their holders seem dead, and are merely slow.
fn store_b_late(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    put(worker, (host, gauge), "b", START, START + 11);
}

fn store_a_late(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    put(worker, (host, gauge), "a", START, START + 11);
}

fn look_up_a(worker: &mut SharedTier, host: &Baton<'_>, _: &MemoryGauge) {
    for _ in 0..3 {
        let _ = look(worker, host, "a", START + 1);
    }
}

fn remove_a(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    worker.remove(host, gauge, &key("0"), at(START));
    worker.remove(host, gauge, &key("a"), at(START));
}

fn tick_late(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge) {
    worker.tick(host, gauge, at(START + 12));
}

fn wipe(_: &mut SharedTier, host: &Baton<'_>, _: &MemoryGauge) {
    host.wipe();
}

#[test]
fn two_fills_of_one_key() {
    assert!(every_order(4, 0, &[store_a, store_a_anew]) > 30);
}

#[test]
fn two_fills_of_one_key_in_a_full_set() {
    assert!(every_order(4, 8, &[store_a_anew, store_a]) > 30);
}

#[test]
fn two_fills_of_one_set() {
    assert!(every_order(4, 8, &[store_a, store_b]) > 30);
}

#[test]
fn a_slow_fill_whose_way_is_taken() {
    assert!(every_order(4, 8, &[store_a, store_b_late]) > 30);
}

#[test]
fn a_slow_fill_whose_way_is_taken_by_the_same_key() {
    assert!(every_order(4, 8, &[store_a, store_a_late]) > 30);
}

#[test]
fn a_slow_fill_that_is_swept_away() {
    assert!(every_order(3, 8, &[tick_late, store_a]) > 30);
}

#[test]
fn a_fill_while_others_look() {
    assert!(every_order(4, 7, &[store_a, look_up_a]) > 30);
}

#[test]
fn a_removal_during_a_fill() {
    assert!(every_order(4, 3, &[store_a, remove_a]) > 30);
}

#[test]
fn a_wipe_during_two_fills() {
    assert!(every_order(3, 8, &[store_a, store_b_late, wipe]) > 30);
}

/// What one worker does in a random play: about so many things, by its own slightly wrong clock.
fn improvise(worker: &mut SharedTier, host: &Baton<'_>, gauge: &MemoryGauge, seed: u128) {
    let mut random = Random::new(seed);
    let mut now = START;
    for _ in 0..25 {
        // Now and then beyond a claim's time, so that slow workers lose their ways.
        now += [0, 0, 0, 1, 12][random.below(5) as usize];
        let now = now.min(START + 30);
        let name = random.below(14).to_string();
        match random.below(10) {
            0 => _ = worker.tick(host, gauge, at(now)),
            1 => _ = worker.remove(host, gauge, &key(&name), at(now)),
            2..5 => {
                _ = put(
                    worker,
                    (host, gauge),
                    &name,
                    now - u64::from(random.below(5)),
                    now,
                )
            }
            _ => _ = look(worker, host, &name, now),
        }
    }
}

#[test]
fn eight_workers_on_two_sets() {
    for seed in 0..48u128 {
        let (stage, gauge) = (Stage::default(), MemoryGauge::new());
        let geometry = Geometry::new(16).unwrap();
        // Room for about twelve entries, so that fills evict from each other's sets.
        let mut workers: Vec<SharedTier> = (1..=8)
            .map(|n| SharedTier::new(geometry, 4_500, seed * 100 + n))
            .collect();
        let parts = workers
            .iter_mut()
            .enumerate()
            .map(|(n, worker)| -> Part<'_> {
                let (gauge, seed) = (&gauge, seed * 1_000 + n as u128);
                Box::new(move |host| improvise(worker, host, gauge, seed))
            });
        let wiper: Part<'_> = Box::new(|host| {
            for _ in 0..20 {
                let _ = super::super::SharedKv::get(host, "larder1i");
            }
            host.wipe();
        });
        let parts: Vec<Part<'_>> = match seed % 3 {
            0 => parts.chain([wiper]).collect(),
            _ => parts.collect(),
        };
        stage.play(parts, &mut in_random_order(&mut Random::new(seed)));
        Scene {
            stage,
            gauge,
            workers,
        }
        .settle();
    }
}
