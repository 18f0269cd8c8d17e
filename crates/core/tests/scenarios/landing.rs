//! How a flight ends, and what becomes of those that wait.

use crate::crowd::{Crowd, Queues};
use crate::stage::{CACHE_ALL, Response, Stage, get, reply};

/// One that leads and three that wait.
fn four() -> Crowd {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(4, &get("/a"));
    assert_eq!((crowd.leader(), crowd.waiting().len()), (0, 3));
    crowd
}

/// How many of the next three that come go to the origin, after it has said the same to all that were there.
fn next_three(crowd: &mut Crowd, response: &Response) -> usize {
    for id in crowd.at_origin() {
        crowd.answer(id, response.clone());
    }
    let before = crowd.origin_requests();
    crowd.ask_times(3, &get("/a"));
    crowd.origin_requests() - before
}

#[test]
fn who_leaves_is_followed_by_one_of_those_that_wait() {
    for leaves_in_mid_body in [false, true] {
        let mut crowd = four();
        if leaves_in_mid_body {
            crowd.head(0, reply("body"));
        }
        crowd.leave(0);
        assert_eq!((crowd.leader(), crowd.waiting().len()), (1, 2));
        crowd.answer(1, reply("one"));
        assert_eq!((crowd.seen(2).text(), crowd.seen(3).text()), ("one", "one"));
        crowd.assert_idle();
    }
}

#[test]
fn who_leaves_while_it_waits_is_missed_by_nobody() {
    let mut crowd = four();
    crowd.leave(2);
    crowd.answer(0, reply("one"));
    assert_eq!((crowd.seen(1).text(), crowd.seen(3).text()), ("one", "one"));
    crowd.assert_idle();
}

#[test]
fn a_body_that_breaks_off_is_fetched_again_by_one() {
    let mut crowd = four();
    crowd.answer(0, reply("").in_chunks(&["o", "n"]).breaking_off());
    assert_eq!((crowd.leader(), crowd.waiting().len()), (1, 2));
    let short = reply("on").with("content-length", "3");
    crowd.answer(1, short);
    assert_eq!(
        (crowd.leader(), crowd.waiting().len()),
        (2, 1),
        "one that is too short too"
    );
    crowd.answer(2, reply("one"));
    assert_eq!(crowd.seen(3).text(), "one");
    crowd.assert_idle();
}

#[test]
fn of_an_origin_that_fails_each_hears_by_itself() {
    for failure in [
        reply("").status(503),
        reply("").status(503).by_the_proxy(),
        reply("").status(500).with("cache-control", "no-store"),
    ] {
        let mut crowd = four();
        crowd.answer(0, failure);
        assert_eq!(crowd.at_origin(), [1, 2, 3]);
        crowd.answer(1, reply("one"));
        let late = crowd.ask(&get("/a"));
        assert_eq!(crowd.seen(late).text(), "one");
    }
}

/// Those that wait go as soon as the head is here, and for two minutes nobody waits.
#[test]
fn for_what_is_nobody_elses_nobody_waits() {
    let kept = |response: Response| response.with("cache-control", "max-age=60");
    for response in [
        reply("b").with("cache-control", "private"),
        reply("b").with("cache-control", "no-store"),
        kept(reply("b")).with("set-cookie", "a=b"),
        kept(reply("b")).with("vary", "*"),
        kept(reply("b")).with("content-length", "1048577"),
        reply("b").status(302),
        reply("b").status(404),
        // Each has to ask about it: nobody is spared a request by waiting.
        reply("b")
            .with("cache-control", "max-age=0")
            .with("etag", "\"1\""),
        kept(reply("b")).with("age", "60").with("etag", "\"1\""),
    ] {
        let mut crowd = four();
        crowd.head(0, response.clone());
        crowd.rest(0);
        assert_eq!(crowd.at_origin(), [1, 2, 3]);
        assert_eq!(next_three(&mut crowd, &response), 3);
        crowd.wait(119);
        assert_eq!(next_three(&mut crowd, &response), 3);
        crowd.wait(2);
        assert_eq!(next_three(&mut crowd, &response), 1);
    }
}

/// A client that reads slowly, or an origin that sends slowly, lets a response outlive its time on the way. That says nothing
/// about the next one.
#[test]
fn what_has_come_too_slowly_is_still_waited_for() {
    let mut crowd = four();
    let short = || reply("body").with("cache-control", "max-age=2");
    crowd.head(0, short());
    crowd.wait(3);
    crowd.rest(0);
    assert_eq!((crowd.leader(), crowd.waiting().len()), (1, 2));
    crowd.answer(1, short());
    assert_eq!(crowd.seen(3).text(), "body");
}

#[test]
fn what_can_be_stored_after_all_is_waited_for_again() {
    let mut crowd = four();
    for id in 0..4 {
        crowd.answer(id, reply("b").with("set-cookie", "a=b"));
    }
    crowd.ask_times(2, &get("/a"));
    assert_eq!(crowd.at_origin(), [4, 5], "nobody waits");
    crowd.answer(4, reply("b"));
    crowd.answer(5, reply("b").with("cache-control", "private"));
    crowd.wait(61);
    crowd.ask_times(3, &get("/a"));
    assert_eq!((crowd.leader(), crowd.waiting().len()), (6, 2));
}

#[test]
fn who_waits_for_nobody_asks_as_it_came() {
    let mut crowd = four();
    crowd.answer(0, reply("b").with("cache-control", "private"));
    let late = crowd.ask(&get("/a").with("if-none-match", "\"1\""));
    assert!(crowd.asked(late).contains("if-none-match"));
}

#[test]
fn what_has_to_be_confirmed_for_each_is_asked_about_by_each() {
    let mut crowd = four();
    let confirmed = || {
        let response = reply("b").with("cache-control", "no-cache");
        response.with("etag", "\"1\"")
    };
    crowd.answer(0, confirmed());
    assert_eq!(crowd.at_origin(), [1, 2, 3]);
    assert!(crowd.asked(3).contains("if-none-match"));
    crowd.wait(1000);
    assert_eq!(next_three(&mut crowd, &confirmed()), 3);
}

#[test]
fn what_is_wrong_with_one_request_is_not_held_against_the_next() {
    for response in [
        reply("b").status(401),
        reply("b").status(429),
        reply("b").status(403).by_the_proxy(),
    ] {
        let mut crowd = four();
        crowd.answer(0, response.clone());
        assert_eq!(crowd.at_origin(), [1, 2, 3]);
        assert_eq!(next_three(&mut crowd, &response), 1);
    }
}

#[test]
fn a_body_that_grows_too_large_keeps_nobody_until_its_end() {
    let limits = r#"{"limits":{"max_object_bytes":10},"rules":[{"name":"all","match":{},"ttl_seconds":60}]}"#;
    let mut crowd = Crowd::new(limits, 2);
    crowd.ask_times(4, &get("/a"));
    let response = reply("").in_chunks(&["0123456789", "0"]);
    crowd.head(0, response.clone());
    assert_eq!(crowd.waiting().len(), 3);
    crowd.rest(0);
    assert_eq!(crowd.at_origin(), [1, 2, 3]);
    assert_eq!(next_three(&mut crowd, &response), 3);
}

#[test]
fn what_the_rule_says_of_the_body_is_known_at_its_end() {
    let rule = r#"{"rules":[{"name":"all","match":{},"ttl_seconds":60,
        "store_if":{"json":{"pointer":"/ok","equals":true}}}]}"#;
    let mut crowd = Crowd::new(rule, 2);
    crowd.ask_times(4, &get("/a"));
    crowd.head(
        0,
        reply(r#"{"ok":false}"#).with("content-type", "application/json"),
    );
    assert_eq!(crowd.waiting().len(), 3);
    crowd.rest(0);
    assert_eq!(crowd.at_origin(), [1, 2, 3]);
}

#[test]
fn what_the_origin_no_longer_lets_be_kept_is_asked_for_by_each() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    let tagged = |directive: &str| {
        reply("old")
            .with("cache-control", directive)
            .with("etag", "\"1\"")
    };
    crowd.ask(&get("/a"));
    crowd.answer(0, tagged("max-age=60"));
    crowd.wait(61);
    crowd.ask_times(4, &get("/a"));
    crowd.answer(1, reply("").status(304).with("cache-control", "private"));
    assert_eq!(crowd.seen(1).text(), "old");
    assert_eq!(crowd.at_origin(), [2, 3, 4]);
    assert!(
        crowd.asked(2).contains("if-none-match"),
        "it is looked up again"
    );
}

#[test]
fn one_more_variant_than_there_may_be_is_nobody_elses() {
    let rule =
        r#"{"limits":{"max_variants":1},"rules":[{"name":"all","match":{},"ttl_seconds":60}]}"#;
    let mut crowd = Crowd::new(rule, 2);
    let ask = |language: &str| get("/a").with("accept-language", language);
    crowd.ask(&ask("en"));
    crowd.answer(0, reply("en").with("vary", "accept-language"));
    crowd.ask_times(3, &ask("fr"));
    crowd.answer(1, reply("fr").with("vary", "accept-language"));
    assert_eq!(crowd.at_origin(), [2, 3]);
    let late = crowd.ask(&ask("en"));
    assert_eq!(crowd.seen(late).text(), "en");
}

#[test]
fn where_there_is_no_room_to_wait_nobody_does() {
    let few =
        r#"{"coalesce":{"max_waiters":2},"rules":[{"name":"all","match":{},"ttl_seconds":60}]}"#;
    let mut crowd = Crowd::new(few, 1);
    crowd.ask_times(5, &get("/a"));
    assert_eq!(
        (crowd.at_origin(), crowd.waiting()),
        (vec![0, 3, 4], vec![1, 2])
    );
    crowd.answer(0, reply("one"));
    assert_eq!(crowd.seen(2).text(), "one");
    crowd.answer(4, reply("two"));
    assert_eq!(
        crowd.seen(4).cache(),
        ("MISS", "larder; fwd=uri-miss; stored")
    );

    let mut crowd = Crowd::new(CACHE_ALL, 1);
    let before = crowd.workers[0].budget.held();
    crowd.ask_times(3, &get("/a"));
    let each = (crowd.workers[0].budget.held() - before) / 3;
    assert!(each > 50, "each is held: {each}");
    crowd.workers[0].budget.set_limit(3 * each);
    crowd.ask(&get("/a"));
    assert_eq!(
        (crowd.at_origin(), crowd.waiting()),
        (vec![0, 3], vec![1, 2])
    );
    crowd.workers[0].budget.set_limit(1 << 20);
    crowd.answer(0, reply("one"));
    crowd.answer(3, reply("two"));
    assert_eq!(crowd.seen(1).text(), "one");
    crowd.assert_idle();
}

#[test]
fn who_waits_for_what_found_no_room_goes_by_itself() {
    let small = r#"{"storage":{"max_bytes":8192},"limits":{"max_object_bytes":8192},"rules":[{"name":"all","match":{},"ttl_seconds":60}]}"#;
    let mut crowd = Crowd::new(small, 2);
    crowd.ask_times(4, &get("/a"));
    crowd.answer(0, reply(&"one".repeat(2700)));
    assert_eq!(crowd.at_origin(), [1, 2, 3]);
}

#[test]
fn those_under_an_older_configuration_are_answered_too() {
    let mut crowd = four();
    let other = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":30}]}"#;
    crowd
        .workers
        .iter_mut()
        .for_each(|stage: &mut Stage| stage.reconfigure(other));
    let late = crowd.ask_times(2, &get("/a"));
    crowd.answer(0, reply("old"));
    assert_eq!((crowd.seen(1).text(), crowd.seen(3).text()), ("old", "old"));
    crowd.answer(crowd.leader(), reply("new"));
    assert!(late.iter().all(|id| crowd.seen(*id).text() == "new"));
    crowd.assert_idle();
}

#[test]
fn who_never_hears_of_it_looks_at_its_deadline() {
    let mut crowd = four();
    crowd.queues = Queues::Lost;
    crowd.answer(0, reply("one"));
    assert_eq!(crowd.seen(2).text(), "one");
    assert_eq!(crowd.waiting(), [1, 3], "on the other worker");
    crowd.wait(5);
    assert_eq!((crowd.seen(1).text(), crowd.seen(3).text()), ("one", "one"));
    assert_eq!(crowd.origin_requests(), 1);
    crowd.assert_idle();
}
