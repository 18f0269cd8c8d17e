//! A leader that takes too long: what becomes of those that wait, and of what comes late.

use larder_core::time::Timestamp;

use crate::crowd::Crowd;
use crate::stage::{CACHE_ALL, get, reply, request};

/// One that leads and three that wait.
fn four() -> Crowd {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(4, &get("/a"));
    crowd
}

#[test]
fn after_five_seconds_one_takes_the_lead_and_after_ten_each_goes_by_itself() {
    let mut crowd = four();
    crowd.wait(4);
    assert_eq!(crowd.origin_requests(), 1);
    crowd.wait(1);
    assert_eq!(
        (crowd.at_origin(), crowd.waiting()),
        (vec![0, 1], vec![2, 3])
    );
    crowd.wait(4);
    assert_eq!(crowd.origin_requests(), 2);
    crowd.wait(1);
    assert_eq!(crowd.at_origin(), [0, 1, 2, 3]);
    for id in 0..4 {
        crowd.answer(id, reply("late"));
        assert_eq!(crowd.seen(id).field("x-cache"), "MISS");
    }
    crowd.assert_idle();
}

#[test]
fn who_took_the_lead_brings_it_to_the_others() {
    let mut crowd = four();
    crowd.wait(5);
    crowd.answer(1, reply("one"));
    assert_eq!((crowd.seen(2).text(), crowd.seen(3).text()), ("one", "one"));
    crowd.answer(0, reply("late"));
    assert_eq!(crowd.seen(0).text(), "late");
    let next = crowd.ask(&get("/a"));
    assert_eq!(crowd.seen(next).text(), "one", "it was asked for later");
    crowd.assert_idle();
}

#[test]
fn what_comes_late_is_as_good() {
    let mut crowd = four();
    crowd.wait(5);
    crowd.answer(0, reply("late"));
    assert_eq!(
        (crowd.seen(2).text(), crowd.seen(3).text()),
        ("late", "late")
    );
    assert_eq!(crowd.at_origin(), [1]);
    crowd.answer(1, reply("one"));
    crowd.assert_idle();
}

#[test]
fn a_late_failure_disturbs_nobody() {
    let mut crowd = four();
    crowd.wait(5);
    crowd.answer(0, reply("").status(503));
    assert_eq!((crowd.at_origin(), crowd.waiting()), (vec![1], vec![2, 3]));
    crowd.leave(1);
    assert_eq!(crowd.at_origin(), [2]);
}

#[test]
fn who_is_woken_again_and_again_does_not_wait_for_longer() {
    let mut crowd = four();
    for _ in 0..2 {
        crowd.wait(2);
        crowd.leave(crowd.leader());
    }
    assert_eq!((crowd.at_origin(), crowd.waiting()), (vec![2], vec![3]));
    crowd.wait(1);
    assert_eq!(
        crowd.waiting(),
        [3],
        "the lead is younger than its own time"
    );
    crowd.wait(4);
    assert_eq!(crowd.waiting(), [3]);
    crowd.wait(1);
    assert_eq!(crowd.at_origin(), [2, 3], "it has waited twice");
}

#[test]
fn who_sees_one_after_the_other_leave_goes_by_itself_in_the_end() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(12, &get("/a"));
    let mut left = 0;
    while crowd.at_origin().len() == 1 {
        crowd.leave(crowd.leader());
        left += 1;
    }
    assert_eq!((left, crowd.at_origin().len()), (8, 4));
}

#[test]
fn a_clock_that_steps_keeps_nobody() {
    let mut crowd = four();
    let start = crowd.now();
    crowd.set_clock(Timestamp::from_secs(start.as_secs() - 1000));
    assert_eq!(crowd.at_origin().len(), 2, "one takes the lead");
    crowd.wait(5);
    assert!(crowd.waiting().is_empty());
    let mut crowd = four();
    crowd.set_clock(Timestamp::from_secs(start.as_secs() + 1_000_000));
    assert_eq!(crowd.at_origin().len(), 2);
    crowd.wait(5);
    assert!(crowd.waiting().is_empty());
}

/// It is the request that was sent at the end, not the one that came, by which ages and invalidations are told.
#[test]
fn who_asks_after_it_has_waited_asks_as_of_then() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(2, &get("/a"));
    crowd.wait(4);
    let write = request("PUT", "/a");
    crowd.workers[0].exchange(write, reply("").status(204));
    crowd.leave(0);
    crowd.answer(1, reply("new").with("age", "0"));
    let next = crowd.ask(&get("/a"));
    assert_eq!(crowd.seen(next).cache(), ("HIT", "larder; hit; ttl=60"));
    assert_eq!(crowd.origin_requests(), 3, "the write among them");
}
