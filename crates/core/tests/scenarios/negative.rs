//! Errors that are stored for a while, so that who asks for them again and again does not reach the origin; and lifetimes that
//! chance makes shorter.

use larder_core::report::Outcome;

use crate::stage::{Response, Stage, get, reply};

const NEGATIVE: &str = r#"{"negative": [{"status": [404, 410], "ttl_seconds": 10}, {"status": 503, "ttl_seconds": 2}],
    "rules": [{"name": "all", "match": {}, "ttl_seconds": 60}]}"#;

fn error(status: u16) -> Response {
    reply("there is none").status(status)
}

#[test]
fn an_error_that_is_named_is_given_again_until_its_time_is_over() {
    let mut stage = Stage::new(NEGATIVE);
    for (status, seconds) in [(404, 10), (410, 10), (503, 2)] {
        let path = format!("/{status}");
        let first = stage.exchange(get(&path), error(status));
        assert_eq!(first.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
        assert_eq!(
            first.field("cache-control"),
            "",
            "no client is told to keep it"
        );
        stage.wait(seconds - 1);
        let again = stage.exchange(get(&path), reply("here it is"));
        assert_eq!((again.status, again.text()), (status, "there is none"));
        assert_eq!(again.cache(), ("HIT", "larder; hit; ttl=1"));
        assert_eq!(again.field("cache-control"), "");
        stage.wait(1);
        let over = stage.exchange(get(&path), reply("here it is"));
        assert_eq!((over.status, over.text()), (200, "here it is"));
    }
    assert_eq!(stage.outcomes(Outcome::Negative), 3);
    assert_eq!(stage.outcomes(Outcome::Hit), 0);
}

#[test]
fn a_hit_from_memory_is_counted_as_what_it_is() {
    let mut stage = Stage::new(NEGATIVE);
    stage.exchange(get("/a"), error(404));
    stage.exchange(get("/b"), reply("here it is"));
    for _ in 0..5 {
        stage.exchange(get("/a"), error(404));
        stage.exchange(get("/b"), reply("here it is"));
    }
    assert_eq!(stage.outcomes(Outcome::Negative), 5);
    assert_eq!(stage.outcomes(Outcome::Hit), 5);
}

#[test]
fn an_error_that_is_not_named_or_is_somebodys_own_is_not_stored() {
    for (response, reason) in [
        (error(403), "status"),
        (error(404).with("cache-control", "private"), "private"),
        (error(404).with("cache-control", "no-store"), "no-store"),
        (error(404).with("set-cookie", "a=1"), "set-cookie"),
        (error(503).by_the_proxy(), "local-reply"),
    ] {
        let mut stage = Stage::new(NEGATIVE);
        let first = stage.exchange(get("/a"), response);
        assert!(
            first.cache().1.ends_with(&format!("detail={reason}")),
            "{:?}",
            first.cache()
        );
        let again = stage.exchange(get("/a"), reply("here it is"));
        assert_eq!(again.text(), "here it is", "{reason}");
    }
}

#[test]
fn what_the_origin_says_about_its_error_counts() {
    let mut stage = Stage::new(NEGATIVE);
    let long = error(404).with("cache-control", "max-age=60");
    stage.exchange(get("/a"), long);
    stage.wait(59);
    let again = stage.exchange(get("/a"), reply("here it is"));
    assert_eq!(again.cache(), ("HIT", "larder; hit; ttl=1"));
    assert_eq!(stage.outcomes(Outcome::Negative), 1);
}

#[test]
fn lifetimes_are_shortened_by_chance_and_clients_are_told_so() {
    let mut stage = Stage::new(
        r#"{"ttl_jitter": 0.5, "rules": [{"name": "all", "match": {}, "ttl_seconds": 100}]}"#,
    );
    let mut lifetimes = Vec::new();
    for number in 0..20 {
        let path = format!("/{number}");
        let first = stage.exchange(get(&path), reply("a"));
        let promised = first.field("cache-control").to_owned();
        let lifetime = promised.strip_prefix("public, max-age=").unwrap();
        let seconds: u64 = lifetime.parse().unwrap();
        assert!((50..=100).contains(&seconds), "{promised}");
        let again = stage.exchange(get(&path), reply("b"));
        assert_eq!(again.field("cache-control"), promised);
        let hit = format!("larder; hit; ttl={seconds}");
        assert_eq!(again.cache(), ("HIT", &*hit));
        lifetimes.push(seconds);
    }
    lifetimes.sort_unstable();
    lifetimes.dedup();
    assert!(lifetimes.len() > 10, "{lifetimes:?}");
    // The origin's own word is passed on as it is.
    let explicit = reply("a").with("cache-control", "max-age=100");
    let seen = stage.exchange(get("/explicit"), explicit);
    assert_eq!(seen.field("cache-control"), "max-age=100");
}

#[test]
fn a_failure_never_takes_the_place_of_what_may_stand_in_for_it() {
    let configuration = r#"{"request_cache_control": "honor", "stale_if_error_seconds": 60,
        "negative": [{"status": 503, "ttl_seconds": 10}]}"#;
    for demands in ["", "no-cache", "max-age=1"] {
        let mut stage = Stage::new(configuration);
        stage.exchange(get("/a"), reply("old").with("cache-control", "max-age=10"));
        stage.wait(20);
        // Who does not take it stale gets the failure, which is nobody else's.
        let mut asked = get("/a");
        if !demands.is_empty() {
            asked = asked.with("cache-control", demands);
        }
        stage.exchange(asked, error(503));
        let seen = stage.exchange(get("/a"), error(503));
        assert_eq!((seen.status, seen.text()), (200, "old"), "{demands}");
        stage.wait(60);
        let seen = stage.exchange(get("/a"), error(503));
        assert_eq!(seen.cache().1, "larder; fwd=stale; stored", "{demands}");
        let seen = stage.exchange(get("/a"), reply("new"));
        assert_eq!(
            (seen.status, seen.field("x-cache")),
            (503, "HIT"),
            "{demands}"
        );
    }
}

#[test]
fn a_failure_never_takes_the_place_of_what_is_fresh_for_others() {
    let configuration = r#"{"request_cache_control": "honor",
        "negative": [{"status": 503, "ttl_seconds": 10}]}"#;
    let mut stage = Stage::new(configuration);
    stage.exchange(get("/a"), reply("good").with("cache-control", "max-age=60"));
    let strict = get("/a").with("cache-control", "no-cache");
    let failed = stage.exchange(strict, error(503));
    assert_eq!(
        (failed.status, failed.cache().1),
        (503, "larder; fwd=request; detail=status")
    );
    let seen = stage.exchange(get("/a"), error(503));
    assert_eq!((seen.text(), seen.field("x-cache")), ("good", "HIT"));
}
