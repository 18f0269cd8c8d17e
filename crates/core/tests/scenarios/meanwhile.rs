//! What is stale is given while it is made fresh.

use std::cell::RefCell;
use std::rc::Rc;

use larder_core::epoch::{Mode, Scope};
use larder_core::exchange::Readiness;
use larder_core::flight::{Flights, Joined, Landing, Purpose, Token, Wish};
use larder_core::key::KeyDigest;
use larder_core::report::Outcome;
use larder_core::time::Timestamp;

use crate::stage::{Response, Seen, Stage, get, reply, request};
use crate::ways::ways;

const BY_ORIGIN: &str = "{}";

/// Who leads, on a worker that is alone.
#[derive(Debug, Default)]
struct Sky {
    leads: RefCell<Vec<KeyDigest>>,
    rests: RefCell<Vec<(KeyDigest, Timestamp)>>,
    landed: RefCell<Vec<Landing>>,
}

impl Flights for Sky {
    fn join(&self, wish: &Wish<'_>, now: Timestamp) -> Joined {
        let digest = wish.key.digest();
        let rests = self.rests.borrow();
        let is_resting = |(key, until): &(KeyDigest, Timestamp)| *key == digest && now < *until;
        if wish.purpose == Purpose::Refresh && rests.iter().any(is_resting) {
            return Joined::Resting;
        }
        let mut leads = self.leads.borrow_mut();
        if leads.contains(&digest) {
            return Joined::Behind;
        }
        leads.push(digest);
        Joined::Lead(Token {
            digest,
            holder: 1,
            number: 1,
        })
    }

    fn land(&self, token: &Token, landing: Landing) {
        self.leads.borrow_mut().retain(|lead| *lead != token.digest);
        if let Landing::Failed { rest } = landing {
            self.rests.borrow_mut().push((token.digest, rest));
        }
        self.landed.borrow_mut().push(landing);
    }
}

/// A stage whose flights are known, with `stored` under `/a` for thirteen seconds.
fn stage_with(configuration: &str, readiness: Readiness, stored: Response) -> (Stage, Rc<Sky>) {
    let (mut stage, sky) = (Stage::new(configuration), Rc::new(Sky::default()));
    stage.refresh_through(ways(readiness), Rc::clone(&sky) as Rc<dyn Flights>);
    stage.exchange(get("/a"), stored);
    sky.landed.borrow_mut().clear();
    stage.wait(13);
    (stage, sky)
}

/// Fresh for ten seconds, and of use for twenty more while it is made fresh.
fn kept(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=10, stale-while-revalidate=20")
}

fn tagged(body: &str) -> Response {
    kept(body).with("etag", "\"1\"")
}

fn not_modified() -> Response {
    reply("")
        .status(304)
        .with("etag", "\"1\"")
        .with("cache-control", "max-age=10, stale-while-revalidate=20")
}

#[track_caller]
fn assert_stale(seen: &Seen) {
    assert_eq!(
        seen.cache(),
        ("STALE", "larder; hit; ttl=-3; detail=swr"),
        "{seen:?}"
    );
    assert_eq!((seen.status, seen.text()), (200, "old"));
}

#[test]
fn nobody_waits_while_it_is_made_fresh_behind_their_backs() {
    for (stored, then, text) in [
        (kept("old"), kept("new"), "new"),
        (tagged("old"), tagged("new"), "new"),
        (tagged("old"), not_modified(), "old"),
    ] {
        let (mut stage, sky) = stage_with(BY_ORIGIN, Readiness::Ready, stored.clone());
        for _ in 0..5 {
            assert_stale(&stage.exchange(get("/a"), reply("not asked")));
        }
        assert_eq!((stage.origin_requests, stage.refreshes.len()), (1, 1));
        stage.refresh(then);
        assert_eq!(*sky.landed.borrow(), [Landing::Stored]);
        let hit = stage.exchange(get("/a"), reply("not asked"));
        assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", text));
        assert_eq!(hit.field("age"), "0");
        assert_eq!(stage.refreshes.len(), 0);
        assert_eq!(stage.budget.held(), 0);
        assert_eq!(
            (stage.outcomes(Outcome::Stale), stage.outcomes(Outcome::Hit)),
            (5, 1),
            "a request of the filter's own is no client's"
        );
    }
}

#[test]
fn the_origin_is_asked_as_the_client_would_ask_for_all_of_it() {
    let (mut stage, _) = stage_with(BY_ORIGIN, Readiness::Ready, tagged("old"));
    let asked = request("HEAD", "/a")
        .with("range", "bytes=0-0")
        .with("if-none-match", "\"0\"")
        .with("authorization", "Bearer me")
        .with("accept", "text/html")
        .with("connection", "close");
    let seen = stage.exchange(asked, reply("not asked"));
    assert_eq!(seen.field("x-cache"), "STALE");
    let sent = stage.refresh(not_modified());
    assert_eq!(sent.only(":method"), Some(&b"GET"[..]));
    assert_eq!(sent.only(":path"), Some(&b"/a"[..]));
    assert_eq!(sent.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(sent.only("authorization"), Some(&b"Bearer me"[..]));
    assert_eq!(sent.only("accept"), Some(&b"text/html"[..]));
    for gone in ["range", "connection"] {
        assert!(!sent.contains(gone), "{gone}");
    }
}

#[test]
fn where_that_is_not_possible_one_clients_request_makes_it_fresh() {
    for (stored, then, word) in [
        (tagged("old"), not_modified(), "REVALIDATED"),
        (tagged("old"), tagged("new"), "MISS"),
        (kept("old"), kept("new"), "MISS"),
    ] {
        let (mut stage, sky) = stage_with(BY_ORIGIN, Readiness::Foreground, stored.clone());
        let first = stage.begin(get("/a"));
        for _ in 0..5 {
            assert_stale(&stage.exchange(get("/a"), reply("not asked")));
        }
        let seen = stage.finish(first, then.clone());
        assert_eq!(seen.field("x-cache"), word);
        assert_eq!(*sky.landed.borrow(), [Landing::Stored]);
        let hit = stage.exchange(get("/a"), reply("not asked"));
        assert_eq!(hit.field("x-cache"), "HIT");
        assert_eq!((stage.origin_requests, stage.refreshes.len()), (2, 0));
    }
}

#[test]
fn who_could_not_make_it_fresh_does_not_try() {
    let (mut stage, _) = stage_with(BY_ORIGIN, Readiness::Foreground, kept("old"));
    for asked in [
        request("HEAD", "/a"),
        get("/a").with("range", "bytes=0-0"),
        get("/a").with("if-none-match", "\"0\""),
    ] {
        let seen = stage.exchange(asked, reply("not asked"));
        assert_eq!(seen.field("x-cache"), "STALE");
    }
    assert_eq!((stage.origin_requests, stage.refreshes.len()), (1, 0));
}

#[test]
fn an_origin_that_fails_is_left_alone_for_a_while() {
    for readiness in [Readiness::Ready, Readiness::Foreground] {
        let (mut stage, sky) = stage_with(BY_ORIGIN, readiness, tagged("old"));
        let failing = || reply("broken").status(503);
        let seen = stage.exchange(get("/a"), failing());
        if readiness == Readiness::Ready {
            assert_stale(&seen);
            stage.refresh(failing());
        } else {
            assert_eq!((seen.field("x-cache"), seen.text()), ("STALE", "old"));
        }
        let rest = match sky.landed.borrow()[..] {
            [Landing::Failed { rest }] => rest,
            ref other => panic!("{other:?}"),
        };
        assert!(stage.now < rest);
        let asked = stage.origin_requests;
        for _ in 0..5 {
            assert_stale(&stage.exchange(get("/a"), reply("not asked")));
        }
        assert_eq!((stage.origin_requests, stage.refreshes.len()), (asked, 0));
        stage.wait(2);
        stage.exchange(get("/a"), tagged("new"));
        let tried = stage.refreshes.len() + stage.origin_requests - asked;
        assert_eq!(tried, 1, "{readiness:?}");
    }
}

#[test]
fn a_refusal_leaves_what_is_stored() {
    let (mut stage, _) = stage_with(BY_ORIGIN, Readiness::Ready, kept("old"));
    assert_stale(&stage.exchange(get("/a"), reply("not asked")));
    stage.refresh(reply("no").status(404));
    assert_stale(&stage.exchange(get("/a"), reply("not asked")));
}

#[test]
fn it_is_given_for_as_long_as_somebody_says_and_no_longer() {
    let with = |directives: &str| reply("old").with("cache-control", directives);
    #[rustfmt::skip]
    let rows = [
        ("the last second", kept("old"), 16, "STALE"),
        ("over", kept("old"), 17, "MISS"),
        ("the origin says nothing", with("max-age=10").with("etag", "\"1\""), 0, "MISS"),
        ("must-revalidate", with("max-age=10, stale-while-revalidate=20, must-revalidate").with("etag", "\"1\""), 0, "MISS"),
        ("proxy-revalidate", with("max-age=10, stale-while-revalidate=20, proxy-revalidate").with("etag", "\"1\""), 0, "MISS"),
        ("no-cache", with("no-cache, stale-while-revalidate=20").with("etag", "\"1\""), 0, "MISS"),
        ("s-maxage with a window", with("s-maxage=10, stale-while-revalidate=20"), 0, "STALE"),
        ("never fresh, but of use", with("max-age=0, stale-while-revalidate=20"), 0, "STALE"),
    ];
    for (name, stored, later, word) in rows {
        let (mut stage, _) = stage_with(BY_ORIGIN, Readiness::Ready, stored);
        stage.wait(later);
        let seen = stage.exchange(get("/a"), reply("new"));
        assert_eq!(seen.field("x-cache"), word, "{name}");
    }
}

#[test]
fn a_rule_says_for_how_long_where_the_origin_does_not() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10,"stale_while_revalidate_seconds":20}]}"#;
    let (mut stage, _) = stage_with(rule, Readiness::Ready, reply("old"));
    assert_stale(&stage.exchange(get("/a"), reply("not asked")));
    assert_eq!(stage.refresh(reply("new")).only(":path"), Some(&b"/a"[..]));
    assert_eq!(stage.exchange(get("/a"), reply("x")).text(), "new");
}

#[test]
fn each_user_has_what_is_theirs_made_fresh() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10,"stale_while_revalidate_seconds":60,
        "identity":{"header":"x-user","trusted":true}}]}"#;
    let (mut stage, _) = stage_with(rule, Readiness::Ready, reply("nobody's"));
    let of = |user: &str| get("/a").with("x-user", user);
    stage.exchange(of("1"), reply("of 1"));
    stage.exchange(of("2"), reply("of 2"));
    stage.wait(13);
    for user in ["1", "2"] {
        let seen = stage.exchange(of(user), reply("not asked"));
        assert_eq!(
            (seen.field("x-cache"), seen.text()),
            ("STALE", format!("of {user}").as_str())
        );
    }
    assert_eq!(stage.refreshes.len(), 2);
    let sent = stage.refresh(reply("new of 1"));
    assert_eq!(sent.only("x-user"), Some(&b"1"[..]));
    assert_eq!(stage.exchange(of("1"), reply("x")).text(), "new of 1");
    assert_eq!(stage.exchange(of("2"), reply("x")).text(), "of 2");
}

#[test]
fn each_variant_is_made_fresh_by_itself() {
    let varying = |body: &str| kept(body).with("vary", "accept-language");
    let in_language = |language: &str| get("/a").with("accept-language", language);
    let (mut stage, _) = stage_with(BY_ORIGIN, Readiness::Ready, varying("none"));
    stage.exchange(in_language("de"), varying("alt"));
    stage.exchange(in_language("en"), varying("old"));
    stage.wait(13);
    assert_stale(&stage.exchange(in_language("en"), reply("not asked")));
    let sent = stage.refresh(varying("new"));
    assert_eq!(sent.only("accept-language"), Some(&b"en"[..]));
    assert_eq!(stage.exchange(in_language("en"), reply("x")).text(), "new");
    assert_eq!(stage.exchange(in_language("de"), reply("x")).text(), "alt");
}

#[test]
fn a_soft_purge_is_made_fresh_and_what_comes_too_late_for_a_hard_one_is_not_used() {
    let (mut stage, _) = stage_with(
        BY_ORIGIN,
        Readiness::Ready,
        kept("old").with("surrogate-key", "news"),
    );
    stage.exchange(get("/b"), kept("fresh").with("surrogate-key", "news"));
    stage.invalidate(&[Scope::Tag(b"news")], Mode::Soft);
    let seen = stage.exchange(get("/b"), reply("not asked"));
    assert_eq!((seen.field("x-cache"), seen.text()), ("STALE", "fresh"));
    assert_eq!(stage.refreshes.len(), 1);
    stage.invalidate(&[Scope::Tag(b"news")], Mode::Hard);
    stage.refresh(kept("asked before").with("surrogate-key", "news"));
    let seen = stage.exchange(get("/b"), kept("asked after"));
    assert_eq!(
        (seen.field("x-cache"), seen.text()),
        ("MISS", "asked after")
    );
}

#[test]
fn a_trial_rule_gives_nothing_stale() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":10,"stale_while_revalidate_seconds":60,"shadow":true}]}"#;
    let (mut stage, _) = stage_with(rule, Readiness::Ready, reply("old"));
    let seen = stage.exchange(get("/a"), reply("new"));
    assert_eq!((seen.field("x-cache"), seen.text()), ("BYPASS", "new"));
    assert_eq!(stage.refreshes.len(), 0);
}

#[test]
fn it_is_seen_whether_requests_are_altered_where_it_will_matter() {
    for (stored, expected) in [
        (kept("a"), 1),
        (reply("a").with("cache-control", "max-age=10"), 0),
    ] {
        let (stage, _) = stage_with(BY_ORIGIN, Readiness::Ready, stored);
        assert_eq!(stage.watched, expected);
    }
}

#[test]
fn what_is_asked_for_often_is_made_fresh_before_its_time_is_over() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":100,"refresh_ahead":0.2}]}"#;
    let (mut stage, _) = stage_with(rule, Readiness::Ready, reply("old"));
    let ask = |stage: &mut Stage| {
        let seen = stage.exchange(get("/a"), reply("not asked"));
        assert_eq!(seen.field("x-cache"), "HIT");
        seen.text().to_owned()
    };
    // Thirteen seconds have passed.
    for _ in 0..3 {
        stage.wait(2);
        assert_eq!(ask(&mut stage), "old");
    }
    assert_eq!(stage.refreshes.len(), 0, "there is time");
    stage.wait(61);
    for _ in 0..3 {
        stage.wait(1);
        assert_eq!(ask(&mut stage), "old");
    }
    assert_eq!(stage.refreshes.len(), 1, "a fifth of it is left");
    stage.refresh(reply("new"));
    assert_eq!(ask(&mut stage), "new");
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn what_is_asked_for_once_waits_for_its_time() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":100,"refresh_ahead":0.2}]}"#;
    let (mut stage, _) = stage_with(rule, Readiness::Ready, reply("old"));
    stage.wait(80);
    stage.exchange(get("/a"), reply("not asked"));
    assert_eq!(stage.refreshes.len(), 0);
}
