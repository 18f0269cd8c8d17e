//! Workers against each other, in every order of their host calls up to a bound.
//!
//! At the end of each run the claims run out, the workers tick a few times, and then everything must add up.

use super::super::outcome::Stored;
use super::act::Trouble;
use super::actor::Actor;
use super::baton::{Choose, in_every_order};
use super::scene::{Act, Life, START, Scene};

/// Plays the acts at once, one worker each, in every order with so many interruptions; gives how many orders.
fn every_order(bound: usize, entries: u32, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let mut scene = Scene::new(Trouble::Delays, acts.len() as u128, 8, 1 << 20);
        scene.prepare(entries);
        scene.play(acts, choose);
        scene.settle(START + 70);
    })
}

/// The same where nobody is late: it must all add up at once, and nothing may end without a reason.
fn every_punctual_order(bound: usize, entries: u32, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let mut scene = Scene::new(Trouble::None, acts.len() as u128, 8, 1 << 20);
        scene.prepare(entries);
        scene.play(acts, choose);
        scene.add_up();
        scene.rest(START + 1);
    })
}

/// The first of the acts stops for good after so many calls; `None` when it has come to its end before.
fn with_a_death(calls: usize, choose: Choose<'_>, entries: u32, acts: &[Act]) -> Life {
    let mut scene = Scene::new(Trouble::Delays, acts.len() as u128, 8, 1 << 20);
    scene.prepare(entries);
    let life = scene.play_until_death(calls, acts, choose);
    scene.workers.remove(0);
    scene.settle(START + 70);
    life
}

/// Plays the acts in every order, the first one stopping after each of its calls in turn.
fn every_death(bound: usize, entries: u32, acts: &[Act]) -> usize {
    let mut deaths = 0;
    loop {
        let mut ended = Life::Ended;
        in_every_order(bound, |choose| {
            if with_a_death(deaths, choose, entries, acts) == Life::CutShort {
                ended = Life::CutShort;
            }
        });
        match ended {
            Life::CutShort => deaths += 1,
            Life::Ended => return deaths,
        }
    }
}

/// Nobody has joined yet: everything is founded while it is used.
fn every_founding(bound: usize, acts: &[Act]) -> usize {
    in_every_order(bound, |choose| {
        let mut scene = Scene::new(Trouble::Delays, acts.len() as u128, 8, 1 << 20);
        scene.play(acts, choose);
        scene.settle(START + 70);
    })
}

fn store_a(worker: &mut Actor<'_, '_>) {
    worker.store("a", START - 1, START);
}

fn store_a_anew(worker: &mut Actor<'_, '_>) {
    worker.store("a", START, START + 1);
}

fn store_b(worker: &mut Actor<'_, '_>) {
    worker.store("b", START, START);
}

/// So much later that claims made at the start have run out: their holders seem dead, and are merely slow.
fn store_b_late(worker: &mut Actor<'_, '_>) {
    worker.store("b", START, START + 11);
}

fn store_a_late(worker: &mut Actor<'_, '_>) {
    worker.store("a", START, START + 11);
}

fn look_up_a(worker: &mut Actor<'_, '_>) {
    for _ in 0..3 {
        let _ = worker.look("a", START + 1);
    }
}

fn remove_a(worker: &mut Actor<'_, '_>) {
    worker.remove("0", START);
    worker.remove("a", START);
}

fn tick_late(worker: &mut Actor<'_, '_>) {
    worker.tick(START + 12);
}

/// As [`tick_late`], and nothing keeps it from its work.
fn tick_untroubled(worker: &mut Actor<'_, '_>) {
    assert_eq!(worker.tick(START + 12).trouble, None);
}

fn wipe(worker: &mut Actor<'_, '_>) {
    worker.host.wipe();
}

fn store_and_look(worker: &mut Actor<'_, '_>) {
    if worker.store("a", START, START) == Stored::Published {
        let _ = worker.look("a", START);
    }
}

fn wipe_and_store_a(worker: &mut Actor<'_, '_>) {
    worker.host.wipe();
    // The first meets the life that is over.
    worker.tick(START + 1);
    worker.store("a", START, START + 1);
}

#[test]
fn two_fills_of_one_key() {
    assert!(every_punctual_order(4, 0, &[store_a, store_a_anew]) > 30);
}

#[test]
fn two_fills_of_one_key_in_a_full_set() {
    assert!(every_punctual_order(4, 8, &[store_a_anew, store_a]) > 30);
}

#[test]
fn two_fills_of_one_set() {
    assert!(every_punctual_order(4, 8, &[store_a, store_b]) > 30);
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
    assert!(every_punctual_order(4, 7, &[store_a, look_up_a]) > 30);
}

#[test]
fn a_removal_during_a_fill() {
    assert!(every_punctual_order(4, 3, &[store_a, remove_a]) > 30);
}

#[test]
fn a_fill_that_stops_for_good_while_another_is_at_work() {
    assert!(every_death(1, 8, &[store_a, store_b_late]) > 7);
    assert!(every_death(1, 8, &[store_a, store_a_late]) > 7);
}

#[test]
fn a_removal_that_stops_for_good_while_another_is_at_work() {
    assert!(every_death(1, 4, &[remove_a, store_b_late]) > 5);
}

#[test]
fn a_sweep_that_stops_for_good_while_another_is_at_work() {
    assert!(every_death(1, 8, &[tick_late, store_b_late]) > 5);
}

/// Timers that were set at once go off at once. Where one worker is faster than another, its work is done.
#[test]
fn ticks_at_once_are_no_trouble() {
    let ticks: [Act; 3] = [tick_untroubled; 3];
    assert!(every_founding(2, &ticks[..2]) > 100);
    assert!(every_founding(1, &ticks) > 30);
    assert!(every_order(2, 8, &ticks[..2]) > 30);
}

#[test]
fn two_that_find_nothing() {
    assert!(every_founding(3, &[store_and_look, store_and_look]) > 100);
}

#[test]
fn three_that_find_nothing() {
    assert!(every_founding(1, &[store_a, store_b, tick_late]) > 30);
}

#[test]
fn a_wipe_while_two_find_nothing() {
    assert!(every_founding(2, &[store_a, store_b, wipe]) > 100);
}

/// One has read everything before the wipe and writes after it; the other begins anew.
#[test]
fn a_fill_of_a_life_that_is_over() {
    assert!(every_order(2, 4, &[store_a, wipe_and_store_a, look_up_a]) > 100);
}

#[test]
fn a_removal_of_a_life_that_is_over() {
    assert!(every_order(3, 4, &[remove_a, wipe_and_store_a]) > 100);
}

#[test]
fn a_sweep_of_a_life_that_is_over() {
    assert!(every_order(2, 8, &[tick_late, wipe_and_store_a]) > 100);
}

#[test]
fn a_wipe_during_two_fills() {
    assert!(every_order(3, 8, &[store_a, store_b_late, wipe]) > 30);
}
