//! Many who ask for the same at once: one of them asks the origin, and the others get what it brings.

use larder_core::epoch::{Mode, Scope};
use larder_core::report::Outcome;

use crate::crowd::{Crowd, Id};
use crate::stage::{CACHE_ALL, Request, Response, Stage, get, reply, request};

const COLLAPSED: (&str, &str) = ("HIT", "larder; fwd=uri-miss; collapsed");

fn fresh(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=60")
}

fn tagged(body: &str, tag: &str) -> Response {
    fresh(body).with("etag", tag).with("xkey", "t")
}

/// What all but the first of a crowd of eight got.
fn others(crowd: &Crowd, first: Id) -> Vec<(u16, String, (String, String))> {
    let seen = (first + 1..first + 8).map(|id| {
        let seen = crowd.seen(id);
        let (word, status) = seen.cache();
        let said = (word.to_owned(), status.to_owned());
        (seen.status, seen.text().to_owned(), said)
    });
    let mut seen: Vec<_> = seen.collect();
    seen.dedup();
    seen
}

fn all_got(body: &str, (word, status): (&str, &str)) -> Vec<(u16, String, (String, String))> {
    let said = (word.to_owned(), status.to_owned());
    vec![(200, body.to_owned(), said)]
}

/// Eight clients of two workers, after what was stored has come to an end in some way.
fn after(old: Response, end: impl FnOnce(&mut Crowd)) -> Crowd {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    let first = crowd.ask(&get("/a"));
    crowd.answer(first, old);
    end(&mut crowd);
    crowd.ask_times(8, &get("/a"));
    assert_eq!((crowd.leader(), crowd.waiting().len()), (1, 7));
    crowd
}

#[test]
fn many_who_ask_for_what_is_not_there_cost_one_request() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(8, &get("/a"));
    assert_eq!((crowd.leader(), crowd.waiting().len()), (0, 7));
    crowd.head(0, reply("one"));
    assert_eq!(crowd.waiting().len(), 7, "until all of it is here");
    crowd.rest(0);
    let miss = ("MISS", "larder; fwd=uri-miss; stored");
    assert_eq!(crowd.seen(0).cache(), miss);
    assert_eq!(others(&crowd, 0), all_got("one", COLLAPSED));
    assert_eq!(crowd.seen(1).field("age"), "0");
    let outcome = |outcome| -> u64 { crowd.workers.iter().map(|one| one.outcomes(outcome)).sum() };
    let counted = [Outcome::Miss, Outcome::Collapsed, Outcome::Hit].map(outcome);
    assert_eq!(counted, [1, 7, 0]);
    let late = crowd.ask(&get("/a"));
    assert_eq!(crowd.seen(late).cache(), ("HIT", "larder; hit; ttl=60"));
    assert_eq!(crowd.origin_requests(), 1);
    crowd.assert_idle();
}

#[test]
fn what_is_said_to_who_has_waited_is_said_to_nobody_else() {
    let mut crowd = Crowd::new(CACHE_ALL, 1);
    crowd.ask_times(8, &get("/a"));
    crowd.answer(0, reply("one"));
    for _ in 0..3 {
        let later = crowd.ask(&get("/a"));
        assert_eq!(crowd.seen(later).cache(), ("HIT", "larder; hit; ttl=60"));
    }
}

#[test]
fn what_has_expired_is_asked_about_by_one() {
    let later = |crowd: &mut Crowd| crowd.wait(61);
    let mut crowd = after(tagged("old", "\"1\""), later);
    assert_eq!(crowd.asked(1).only("if-none-match"), Some(&b"\"1\""[..]));
    crowd.answer(1, reply("").status(304));
    assert_eq!(crowd.seen(1).field("x-cache"), "REVALIDATED");
    let collapsed = ("HIT", "larder; fwd=stale; collapsed");
    assert_eq!(others(&crowd, 1), all_got("old", collapsed));

    let mut crowd = after(tagged("old", "\"1\""), later);
    crowd.answer(1, tagged("new", "\"2\""));
    assert_eq!(others(&crowd, 1), all_got("new", collapsed));

    let mut crowd = after(fresh("old"), later);
    crowd.answer(1, fresh("new"));
    assert_eq!(others(&crowd, 1).len(), 1);
    assert_eq!(others(&crowd, 1)[0].1, "new");
    assert_eq!(crowd.origin_requests(), 2);
    crowd.assert_idle();
}

#[test]
fn what_was_invalidated_is_fetched_by_one() {
    let purge = |mode| move |crowd: &mut Crowd| crowd.invalidate(&[Scope::Tag(b"t")], mode);
    let write = |crowd: &mut Crowd| {
        let write = request("PUT", "/a");
        crowd.workers[1].exchange(write, reply("").status(204));
    };
    let asked = |mut crowd: Crowd| {
        let asked = crowd.asked(1).contains("if-none-match");
        crowd.answer(1, tagged("new", "\"2\""));
        let got = others(&crowd, 1);
        assert_eq!((got.len(), got[0].1.as_str()), (1, "new"));
        (asked, got[0].2.1.clone())
    };
    let old = || tagged("old", "\"1\"");
    let hard = asked(after(old(), purge(Mode::Hard)));
    assert!(!hard.0 && hard.1.contains("; collapsed"), "{hard:?}");
    let soft = asked(after(old(), purge(Mode::Soft)));
    let said = "larder; fwd=stale; collapsed; detail=soft-purged";
    assert_eq!(soft, (true, said.to_owned()));
    let written = asked(after(old(), write));
    let said = "larder; fwd=stale; collapsed; detail=invalidated";
    assert_eq!(written, (true, said.to_owned()));
}

#[test]
fn who_comes_after_a_purge_does_not_get_what_was_asked_for_before_it() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask_times(2, &get("/a"));
    crowd.invalidate(&[Scope::Tag(b"t")], Mode::Hard);
    let late = crowd.ask_times(4, &get("/a"));
    crowd.answer(0, tagged("old", "\"1\""));
    let next = crowd.leader();
    assert_ne!(next, 0);
    crowd.answer(next, tagged("new", "\"2\""));
    for id in late {
        assert_eq!(crowd.seen(id).text(), "new");
    }
    assert_eq!(crowd.origin_requests(), 2);

    // What names the URL itself is known of a flight too: who comes after it need not wait for that.
    crowd.ask_times(2, &get("/b"));
    let write = request("PUT", "/b");
    crowd.workers[0].exchange(write, reply("").status(204));
    let late = crowd.ask(&get("/b"));
    assert_eq!(crowd.at_origin().len(), 2);
    crowd.answer(late, fresh("new"));
    crowd.answer(6, fresh("old"));
    assert_eq!((crowd.seen(7).text(), crowd.seen(6).text()), ("new", "old"));
    crowd.assert_idle();
}

#[test]
fn each_variant_is_fetched_once() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    let languages = ["en", "de", "fr"];
    let ask = |language: &str| get("/a").with("accept-language", language);
    let vary = |language: &str| fresh(language).with("vary", "accept-language");
    for _ in 0..4 {
        for language in languages {
            crowd.ask(&ask(language));
        }
    }
    crowd.answer(crowd.leader(), vary("en"));
    assert_eq!(crowd.at_origin(), [1, 2], "one for each that is missing");
    assert_eq!(crowd.waiting().len(), 6);
    crowd.answer(2, vary("fr"));
    crowd.answer(1, vary("de"));
    for id in 0..12 {
        assert_eq!(crowd.seen(id).text(), languages[id % 3]);
    }
    assert_eq!(crowd.origin_requests(), 3);
    crowd.assert_idle();
}

#[test]
fn conditions_ranges_and_heads_are_answered_from_what_comes() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    crowd.ask(&get("/a"));
    let has_it = crowd.ask(&get("/a").with("if-none-match", "\"1\""));
    let part = crowd.ask(&get("/a").with("range", "bytes=1-2"));
    let head = crowd.ask(&request("HEAD", "/a"));
    assert_eq!(crowd.waiting(), [has_it, part, head]);
    crowd.answer(0, tagged("0123", "\"1\""));
    assert_eq!(crowd.seen(has_it).status, 304);
    assert_eq!(
        (crowd.seen(part).status, crowd.seen(part).text()),
        (206, "12")
    );
    assert_eq!(crowd.seen(head).status, 200);
    for id in [has_it, part, head] {
        assert_eq!(crowd.seen(id).cache(), COLLAPSED);
    }
    crowd.assert_idle();
}

#[test]
fn who_cannot_bring_it_for_all_leads_nobody() {
    for ask in [get("/a").with("range", "bytes=1-2"), request("HEAD", "/a")] {
        let mut crowd = Crowd::new(CACHE_ALL, 2);
        crowd.ask_times(3, &ask);
        assert_eq!(crowd.at_origin().len(), 3);
        crowd.ask(&get("/a"));
        crowd.ask(&ask);
        assert_eq!(crowd.waiting(), [4]);
    }
}

/// A 304 is all that its client wants, and of no use to others: one of those asks for all of it.
#[test]
fn who_has_waited_asks_for_all_of_it() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    let conditional = get("/a").with("if-none-match", "\"1\"");
    let conditional = conditional.with("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    crowd.ask_times(3, &conditional);
    assert!(crowd.asked(0).contains("if-none-match"), "as it came");
    crowd.answer(0, reply("").status(304).with("etag", "\"1\""));
    assert_eq!(crowd.seen(0).status, 304);
    let second = crowd.leader();
    let asked = crowd.asked(second);
    assert!(!asked.contains("if-none-match") && !asked.contains("if-modified-since"));
    crowd.answer(second, tagged("all", "\"1\""));
    assert_eq!(crowd.seen(second).text(), "all");
    let last = [1, 2].into_iter().find(|id| *id != second).unwrap();
    assert_eq!(crowd.seen(last).status, 304, "from the cache");
    assert_eq!(crowd.origin_requests(), 2);
}

#[test]
fn a_question_is_asked_once_too() {
    let mut crowd = Crowd::new(
        r#"{"rules":[{"name":"asked","match":{"methods":["POST","QUERY"],"path":"/.*"},
            "ttl_seconds":60,"key":{"body":true},"hold_headers":true}]}"#,
        2,
    );
    for method in ["POST", "QUERY"] {
        let first = crowd.ask(&request(method, "/a").body("1"));
        let same = crowd.ask(&request(method, "/a").body("1"));
        let other = crowd.ask(&request(method, "/a").body("2"));
        assert_eq!(
            (crowd.at_origin(), crowd.waiting()),
            (vec![first, other], vec![same])
        );
        crowd.answer(first, reply("one"));
        crowd.answer(other, reply("two"));
        assert_eq!(
            (crowd.seen(same).text(), crowd.seen(other).text()),
            ("one", "two")
        );
    }
    crowd.assert_idle();
}

#[test]
fn urls_that_no_vary_search_makes_one_are_fetched_once() {
    let mut crowd = Crowd::new(r#"{"no_vary_search":true}"#, 2);
    let say = |body| fresh(body).with("no-vary-search", "params=(\"utm\")");
    let purge = |crowd: &mut Crowd| {
        crowd.invalidate(&[Scope::AnyQuery(b"GET:api.example.com/n")], Mode::Hard);
        (1..5)
            .map(|utm| crowd.ask(&get(&format!("/n?a=1&utm={utm}"))))
            .collect::<Vec<_>>()
    };
    let first = crowd.ask(&get("/n?a=1&utm=0"));
    crowd.answer(first, say("old"));
    let all = purge(&mut crowd);
    crowd.answer(crowd.leader(), say("new"));
    assert!(all.iter().all(|id| crowd.seen(*id).text() == "new"));

    // The origin has changed its mind: each URL is one of its own, and they do not ask one after the other.
    let all = purge(&mut crowd);
    crowd.answer(crowd.leader(), fresh("own"));
    assert_eq!((crowd.at_origin().len(), crowd.waiting().len()), (3, 0));
    for id in crowd.at_origin() {
        crowd.answer(id, fresh("own"));
    }
    assert!(all.iter().all(|id| crowd.seen(*id).text() == "own"));
    crowd.assert_idle();
}

#[test]
fn who_is_known_does_not_stand_in_the_way_of_who_is_not() {
    let mut crowd = Crowd::new(CACHE_ALL, 2);
    let known = |who: &str| get("/a").with("authorization", who);
    let ann = crowd.ask(&known("ann"));
    let bob = crowd.ask(&known("bob"));
    let anybody = crowd.ask_times(2, &get("/a"));
    assert_eq!(crowd.at_origin(), [ann, anybody[0]]);
    crowd.answer(ann, fresh("ann's"));
    assert_eq!(crowd.at_origin(), [bob, anybody[0]], "it is let go");
    crowd.answer(bob, fresh("bob's"));
    crowd.answer(anybody[0], fresh("everybody's"));
    assert_eq!(crowd.seen(bob).text(), "bob's");
    assert_eq!(crowd.seen(anybody[1]).text(), "everybody's");
    // For a while nobody with credentials waits; everybody else does.
    crowd.wait(61);
    crowd.ask_times(2, &known("carl"));
    crowd.ask_times(2, &get("/a"));
    assert_eq!((crowd.at_origin().len(), crowd.waiting().len()), (3, 1));
}

#[test]
fn those_whom_the_key_tells_apart_wait_for_their_own() {
    let mut crowd = Crowd::new(
        r#"{"rules":[{"name":"mine","match":{"path":"/.*"},"ttl_seconds":60,"identity":{"header":"x-user"}}]}"#,
        2,
    );
    let ask = |user: &str| get("/a").with("x-user", user).with("authorization", user);
    let all: Vec<_> = ["ann", "bob", "ann", "bob"]
        .map(|user| crowd.ask(&ask(user)))
        .into();
    assert_eq!(crowd.at_origin(), all[..2]);
    crowd.answer(all[1], reply("bob's"));
    crowd.answer(all[0], reply("ann's"));
    let got: Vec<_> = all.iter().map(|id| crowd.seen(*id).text()).collect();
    assert_eq!(got, ["ann's", "bob's", "ann's", "bob's"]);
}

#[test]
fn a_rule_that_is_only_tried_and_only_if_cached_wait_for_nobody() {
    let mut crowd = Crowd::new(
        r#"{"rules":[{"name":"tried","match":{"path":"/tried"},"ttl_seconds":60,"shadow":true},
            {"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#,
        2,
    );
    crowd.ask_times(3, &get("/tried"));
    assert_eq!(crowd.at_origin().len(), 3);
    crowd.ask(&get("/a"));
    let only = crowd.ask(&get("/a").with("cache-control", "only-if-cached"));
    assert_eq!(crowd.seen(only).status, 504);
}

#[test]
fn what_a_client_wants_confirmed_nobody_else_confirms_for_it() {
    let mut crowd = Crowd::new(r#"{"request_cache_control":"honor"}"#, 2);
    let ask = |directive: &str| get("/a").with("cache-control", directive);
    crowd.ask(&get("/a"));
    let confirmed = crowd.ask(&ask("no-cache"));
    let young = crowd.ask(&ask("max-age=5"));
    let lasting = crowd.ask(&ask("min-fresh=100"));
    assert_eq!(
        (crowd.at_origin(), crowd.waiting()),
        (vec![0, confirmed], vec![young, lasting])
    );
    crowd.answer(0, tagged("one", "\"1\""));
    assert_eq!(crowd.seen(young).cache(), COLLAPSED);
    assert_eq!(
        crowd.at_origin(),
        [confirmed, lasting],
        "what came does not last long enough"
    );
}

#[test]
fn requests_of_two_rules_for_one_key_are_answered_by_their_own() {
    let mut crowd = Crowd::new(
        r#"{"rules":[
            {"name":"a","match":{"path":"/a"},"ttl_seconds":30,"key":{"template":"one"}},
            {"name":"b","match":{"path":"/b"},"ttl_seconds":60,"key":{"template":"one"}}]}"#,
        2,
    );
    crowd.ask_times(3, &get("/a"));
    crowd.ask_times(3, &get("/b"));
    assert_eq!(crowd.leader(), 0);
    crowd.answer(0, reply("one"));
    assert_eq!(crowd.seen(2).cache(), COLLAPSED);
    let others = (crowd.leader(), crowd.waiting().len());
    assert_eq!(others, (3, 2), "what another rule keeps is not theirs");
    crowd.answer(3, reply("two"));
    assert_eq!((crowd.seen(4).text(), crowd.seen(5).text()), ("two", "two"));
    crowd.assert_idle();
}

/// Without flights each goes by itself, as it came.
#[test]
fn switched_off_nobody_waits() {
    let mut crowd = Crowd::new(
        r#"{"coalesce":{"max_waiters":0},"default_ttl_seconds":60}"#,
        2,
    );
    let ask = |request: &Request, crowd: &mut Crowd| crowd.ask(request);
    let conditional = get("/a").with("if-none-match", "\"1\"");
    ask(&get("/a"), &mut crowd);
    let second = ask(&conditional, &mut crowd);
    assert_eq!(crowd.at_origin().len(), 2);
    assert!(crowd.asked(second).contains("if-none-match"));
    let mut stage = Stage::new(CACHE_ALL);
    let first = stage.begin(get("/a"));
    let second = stage.begin(get("/a"));
    stage.finish(first, reply("one"));
    assert_eq!(stage.finish(second, reply("two")).text(), "two");
}
