//! What somebody who means no good, or has bad luck, must not be able to do to those who share a cache with them.

use std::rc::Rc;

use larder_core::exchange::Readiness;
use larder_core::flight::{Alone, Flights, Joined, Landing, Token, Wish};
use larder_core::time::Timestamp;

use crate::crowd::Crowd;
use crate::stage::{Response, Stage, get, reply};
use crate::ways::ways;

const BY_ORIGIN: &str = "{}";

/// Everybody goes alone.
#[derive(Debug)]
struct NoFlights;

impl Flights for NoFlights {
    fn join(&self, _: &Wish<'_>, _: Timestamp) -> Joined {
        Joined::Alone(Alone::Unavailable)
    }

    fn land(&self, _: &Token, _: Landing) {}
}

/// One worker with `stored` under `/a`, thirteen seconds old.
fn crowd(configuration: &str, readiness: Readiness, stored: Response) -> Crowd {
    let mut crowd = Crowd::new(configuration, 1);
    crowd.workers[0].refresh_through(ways(readiness), Rc::new(NoFlights));
    let first = crowd.ask(&get("/a"));
    crowd.answer(first, stored);
    crowd.wait(13);
    crowd
}

/// Fresh for ten seconds, and of use for a minute more.
fn kept(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=10, stale-while-revalidate=60")
}

#[test]
fn only_if_cached_is_answered_with_what_may_be_given_stale() {
    for readiness in [Readiness::Ready, Readiness::Foreground] {
        for stored in [kept("old"), kept("old").with("etag", "\"1\"")] {
            let mut crowd = crowd(BY_ORIGIN, readiness, stored);
            let id = crowd.ask(&get("/a").with("cache-control", "only-if-cached"));
            let seen = crowd.seen(id);
            assert_eq!((seen.status, seen.text()), (200, "old"), "{readiness:?}");
        }
    }
}

#[test]
fn a_trial_rule_gives_nothing_in_place_of_a_failure() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10,"stale_if_error_seconds":60,"shadow":true}]}"#;
    let mut stage = Stage::new(rule);
    stage.exchange(get("/a"), reply("old"));
    stage.wait(13);
    let seen = stage.exchange(get("/a"), reply("broken").status(503));
    assert_eq!((seen.status, seen.text()), (503, "broken"));
}

#[test]
fn a_failure_that_could_be_stored_does_not_take_the_place_of_what_is_stale() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.refresh_through(ways(Readiness::Ready), Rc::new(NoFlights));
    stage.exchange(get("/a"), kept("old"));
    stage.wait(13);
    stage.exchange(get("/a"), reply("not asked"));
    let failure = reply("broken").status(500);
    stage.refresh(failure.with("cache-control", "max-age=60"));
    let seen = stage.exchange(get("/a"), reply("not asked"));
    assert_eq!((seen.status, seen.text()), (200, "old"));
}

/// The origin has turned private, or refuses: that is no reason to ask it as often as anybody asks here.
#[test]
fn what_cannot_be_stored_any_more_is_not_refreshed_at_each_request() {
    let private = || reply("mine").with("cache-control", "private");
    let refused = || reply("no").status(403);
    for (settings, response) in [
        (BY_ORIGIN, refused()),
        (r#"{"hit_for_miss_seconds":0}"#, refused()),
        (r#"{"hit_for_miss_seconds":0}"#, private()),
    ] {
        let mut crowd = crowd(settings, Readiness::Ready, kept("old"));
        let mut refreshes = [0, 0];
        for number in &mut refreshes {
            for _ in 0..20 {
                crowd.ask(&get("/a"));
                while !crowd.workers[0].refreshes.is_empty() {
                    *number += 1;
                    crowd.workers[0].refresh(response.clone());
                }
            }
            crowd.wait(2);
        }
        assert_eq!(refreshes, [1, 1], "{settings}");
    }
}

/// Then what is stored is not what the origin would say, and nobody is given it for the rest of its window.
#[test]
fn what_is_nobody_elses_any_more_is_asked_for_by_each() {
    let mut crowd = crowd(BY_ORIGIN, Readiness::Ready, kept("old"));
    let first = crowd.ask(&get("/a"));
    assert_eq!(crowd.got(first).unwrap().text(), "old");
    let private = reply("mine").with("cache-control", "private");
    crowd.workers[0].refresh(private);
    let others = crowd.ask_times(2, &get("/a"));
    assert_eq!(crowd.at_origin(), others, "each by itself");
    crowd.answer(others[0], kept("new"));
    let last = crowd.ask(&get("/a"));
    assert_eq!(crowd.got(last).unwrap().text(), "new", "for all again");
}

#[test]
fn a_refresh_that_takes_longer_than_clients_wait_is_still_the_only_one() {
    let settings = r#"{"coalesce":{"wait_seconds":1}}"#;
    let mut crowd = crowd(settings, Readiness::Ready, kept("old"));
    for _ in 0..20 {
        crowd.ask(&get("/a"));
        crowd.wait(1);
    }
    assert_eq!(crowd.workers[0].refreshes.len(), 1);
    crowd.wait(20);
    crowd.ask(&get("/a"));
    assert_eq!(crowd.workers[0].refreshes.len(), 2, "that one is lost");
}

/// The filter's own request leaves some of the client's fields out; a response to it must not stand in for one that is told
/// apart by them.
#[test]
fn what_is_told_apart_by_a_field_is_refreshed_with_that_field() {
    for (name, value) in [
        ("priority", "u=1"),
        ("content-type", "text/html"),
        ("x-envoy-external-address", "10.0.0.1"),
        ("te", "trailers"),
    ] {
        let by_rule = format!(
            r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":10,"stale_while_revalidate_seconds":60,"key":{{"headers":["{name}"]}}}}]}}"#
        );
        for settings in [&*by_rule, BY_ORIGIN] {
            let varying = |body: &str| kept(body).with("vary", name);
            let mut stage = Stage::new(settings);
            stage.refresh_through(ways(Readiness::Ready), Rc::new(NoFlights));
            let asked = || get("/a").with(name, value);
            stage.exchange(asked(), varying("old"));
            stage.wait(13);
            let seen = stage.exchange(asked(), varying("new"));
            if stage.refreshes.is_empty() {
                assert_eq!(seen.text(), "new", "{name}: in the foreground");
                continue;
            }
            let sent = stage.refresh(varying("new"));
            assert!(sent.contains(name), "{name} under {settings}");
        }
    }
}

#[test]
fn a_part_does_not_take_the_place_of_the_whole_that_others_are_given_stale() {
    let tagged = |body: &str, tag: &str| kept(body).with("etag", tag);
    let mut crowd = crowd(BY_ORIGIN, Readiness::Foreground, tagged("old", "\"1\""));
    let id = crowd.ask(&get("/a").with("range", "bytes=0-0"));
    if crowd.at_origin().contains(&id) {
        let part = tagged("n", "\"2\"")
            .status(206)
            .with("content-range", "bytes 0-0/3");
        crowd.answer(id, part);
    }
    let others = crowd.ask_times(2, &get("/a"));
    let stale = others.iter().filter(|id| crowd.got(**id).is_some());
    assert!(stale.count() >= 1, "nobody but the one who refreshes waits");
}

/// A head is kept to be compared with what was sent until its client has read the response.
#[test]
fn a_large_head_is_not_kept_while_its_client_reads_slowly() {
    for (bytes, expected) in [(100, 1), (60_000, 0)] {
        let mut stage = Stage::new(BY_ORIGIN);
        stage.refresh_through(ways(Readiness::Ready), Rc::new(NoFlights));
        stage.exchange(get("/a").with("x-large", &"x".repeat(bytes)), kept("new"));
        assert_eq!(stage.watched, expected, "{bytes}");
    }
}
