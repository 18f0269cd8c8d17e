//! A fleet's log and a process's own order, with workers in every order of their host calls up to a bound, and in many random ones.
//!
//! What is promised: no request received after an invalidation was acknowledged here, or after an answer of the service with it was
//! applied, is answered with what was fetched before it, wherever that was fetched. And what was noted here comes to stand in the
//! fleet's log, whoever dies.

use crate::epoch::Mode;

use super::super::random::Random;
use super::baton::{Part, in_random_order, play};
use super::invalidations::{of_names, of_stamps};
use super::journal_world::{
    Act, COVERING, Worker, World, every_order, import_and_look, nothing, with_imports,
};

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
