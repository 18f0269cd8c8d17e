//! What is not in this process may be in another: the fleet is asked before the origin is.

use std::rc::Rc;

use larder_core::epoch::{Mode, Scope};
use larder_core::exchange::{Event, Readiness};
use larder_core::fleet::{Consulted, Invitation, Patience};
use larder_core::flight::{Alone, Flights, Joined, Landing, Token, Wish};
use larder_core::key::KeyDigest;
use larder_core::report::{Counter, Outcome, ServedFrom};
use larder_core::time::{Seconds, Timestamp};

use crate::fleet::{FLEET, Port, Saying, member, member_of};
use crate::stage::{Response, Stage, get, reply, request};
use crate::ways::ways;

const LOOK: Patience = Patience::Look;

/// Two processes of a fleet.
fn two() -> [(Stage, Rc<Port>); 2] {
    let store = Rc::default();
    [(); 2].map(|()| member_of(&store, FLEET))
}

fn never() -> Response {
    reply("the origin must not be asked").status(500)
}

#[test]
fn what_one_process_has_fetched_the_others_need_not_fetch() {
    let [(mut one, first), (mut other, second)] = two();
    let seen = one.exchange(get("/a"), reply("a"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    assert_eq!(first.asked(), [LOOK]);
    other.wait(7);
    let seen = other.exchange(get("/a"), never());
    assert_eq!(seen.cache(), ("HIT", "larder; hit; ttl=53; detail=fleet"));
    assert_eq!((seen.text(), seen.field("age")), ("a", "7"));
    assert_eq!(other.outcomes(Outcome::Hit), 1);
    assert_eq!(other.count(Counter::Served(ServedFrom::Fleet)), 1);
    // From here on it is this process's own.
    for _ in 0..3 {
        let seen = other.exchange(get("/a"), never());
        assert_eq!(seen.cache(), ("HIT", "larder; hit; ttl=53"));
    }
    assert_eq!((second.asked(), other.origin_requests), (vec![LOOK], 0));
}

#[test]
fn a_variant_is_found_by_what_its_url_varies_on() {
    let [(mut one, _), (mut other, port)] = two();
    let in_words = |language: &str| get("/a").with("accept-language", language);
    let varied = |body| reply(body).with("vary", "accept-language");
    one.exchange(in_words("en"), varied("hello"));
    let seen = other.exchange(in_words("en"), never());
    assert_eq!((seen.text(), seen.cache().0), ("hello", "HIT"));
    assert_eq!(
        port.asked(),
        [LOOK, LOOK],
        "for the URL, and for the variant"
    );
    let seen = other.exchange(in_words("fr"), varied("bonjour"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=vary-miss; stored"));
    assert_eq!(port.asked(), [LOOK], "the list is here by now");
}

#[test]
fn what_is_found_and_of_no_use_is_not_asked_for_again() {
    let store = Rc::default();
    let (mut one, _) = member_of(&store, FLEET);
    let ruled = FLEET.replace("60", "61");
    let (mut other, port) = member_of(&store, &ruled);
    one.exchange(get("/a"), reply("a").with("etag", "\"1\""));
    // By another rule, so that the origin has to say that it is still good.
    let seen = other.exchange(get("/a"), reply("").status(304).with("etag", "\"1\""));
    assert_eq!((seen.text(), seen.cache().0), ("a", "REVALIDATED"));
    assert_eq!(other.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(port.asked(), [LOOK]);
}

#[test]
fn what_is_stale_here_may_be_fresh_there() {
    let [(mut one, _), (mut other, port)] = two();
    let tagged = |body| reply(body).with("etag", "\"1\"");
    other.exchange(get("/a"), tagged("old"));
    other.wait(61);
    one.wait(61);
    one.exchange(get("/a"), tagged("new"));
    one.wait(61);
    port.asked();
    let seen = other.exchange(get("/a"), never());
    assert_eq!((seen.text(), seen.field("age")), ("new", "0"));
    other.wait(61);
    // Stale in both: asked about as it would be without a fleet.
    let seen = other.exchange(get("/a"), reply("").status(304).with("etag", "\"1\""));
    assert_eq!((seen.text(), seen.cache().0), ("new", "REVALIDATED"));
    assert_eq!(other.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_eq!(port.asked(), [LOOK, LOOK]);
}

#[test]
fn whatever_else_the_fleet_says_the_origin_is_asked() {
    for said in [Consulted::Absent, Consulted::Silent] {
        let (mut stage, port) = member(FLEET);
        port.says(&[Saying::AtOnce(said)]);
        let seen = stage.exchange(get("/a"), reply("a"));
        assert_eq!(seen.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
        assert_eq!((port.asked(), stage.origin_requests), (vec![LOOK], 1));
    }
}

#[test]
fn what_another_process_fetches_is_waited_for_once() {
    let wait = |seconds| Patience::Wait(Seconds::clamped(seconds));
    for (said, is_found) in [
        (Saying::Truth, true),
        (Saying::AtOnce(Consulted::Held), false),
        (Saying::AtOnce(Consulted::Absent), false),
        (Saying::AtOnce(Consulted::Silent), false),
    ] {
        let [(mut one, _), (mut other, port)] = two();
        one.exchange(get("/a"), reply("one"));
        port.says(&[Saying::AtOnce(Consulted::Held), said]);
        let seen = other.exchange(get("/a"), reply("other"));
        let body = if is_found { "one" } else { "other" };
        assert_eq!(seen.text(), body, "{said:?}");
        assert_eq!(port.asked(), [LOOK, wait(5)], "{said:?}");
    }
}

#[test]
fn what_has_been_waited_for_the_fleet_is_not_waited_for_again() {
    for (seconds, rest) in [(2, Some(3)), (5, None), (9, None)] {
        let (mut stage, port) = member(FLEET);
        port.says(&[Saying::Later]);
        let mut exchange = stage.new_exchange();
        let mut sent = get("/a").headers();
        assert_eq!(stage.ask(&mut exchange, &get("/a")), None);
        assert!(stage.consulting.take().is_some());
        stage.wait(seconds);
        let held = Event::Consulted(Consulted::Held);
        assert_eq!(stage.drive(&mut exchange, held, &mut sent), None);
        let rest = rest.map(|rest| Patience::Wait(Seconds::clamped(rest)));
        assert_eq!(port.asked().get(1).copied(), rest, "{seconds}");
        // Its request to the origin is made only now, which is what its age counts from.
        let seen = stage.respond(&mut exchange, reply("a"));
        assert_eq!(seen.status, 200);
        let seen = stage.exchange(get("/a"), never());
        assert_eq!(
            (seen.field("age"), seen.cache().0),
            ("0", "HIT"),
            "{seconds}"
        );
    }
}

#[test]
fn nobody_waits_for_another_process_where_nobody_waits_at_all() {
    let settings = FLEET.replacen('{', r#"{"coalesce":{"max_waiters":0},"#, 1);
    let (mut stage, port) = member(&settings);
    port.says(&[Saying::AtOnce(Consulted::Held)]);
    stage.exchange(get("/a"), reply("a"));
    assert_eq!((port.asked(), stage.origin_requests), (vec![LOOK], 1));
}

#[test]
fn a_fleet_that_takes_no_questions_gets_none() {
    let [(mut one, _), (mut other, port)] = two();
    one.exchange(get("/a"), reply("one"));
    port.invitation.set(Invitation::Shut);
    let seen = other.exchange(get("/a"), reply("other"));
    assert_eq!((seen.text(), port.asked()), ("other", vec![]));
}

#[test]
fn who_could_fill_nothing_or_wants_nothing_of_others_does_not_ask() {
    let honoring = FLEET.replacen('{', r#"{"request_cache_control":"honor","#, 1);
    for (name, request) in [
        ("confirmed", get("/a").with("cache-control", "no-cache")),
        ("nothing kept", get("/a").with("cache-control", "no-store")),
        ("a part", get("/a").with("range", "bytes=0-0")),
        ("a head", request("HEAD", "/a")),
        ("a write", request("PUT", "/a")),
    ] {
        let (mut stage, port) = member(&honoring);
        stage.exchange(request, reply("a"));
        assert_eq!((port.asked(), stage.origin_requests), (vec![], 1), "{name}");
    }
    let (mut stage, port) = member(&honoring);
    let seen = stage.exchange(get("/a").with("cache-control", "only-if-cached"), never());
    assert_eq!((seen.status, port.asked()), (504, vec![]));
    let tried = FLEET.replace(r#""ttl_seconds""#, r#""shadow":true,"ttl_seconds""#);
    let store = Rc::default();
    let (mut stage, port) = member_of(&store, &tried);
    stage.exchange(get("/a"), reply("a"));
    assert_eq!((port.asked(), store.len()), (vec![], 0), "only tried");
}

#[test]
fn what_is_given_stale_goes_out_at_once() {
    let [(mut one, _), (mut other, port)] = two();
    let kept = || reply("a").with("cache-control", "max-age=10, stale-while-revalidate=20");
    one.exchange(get("/a"), kept());
    other.exchange(get("/a"), never());
    other.wait(13);
    port.asked();
    other.refresh_behind(ways(Readiness::Ready));
    let seen = other.exchange(get("/a"), never());
    assert_eq!((seen.cache().0, port.asked()), ("STALE", vec![]));
    other.refresh(reply("b"));
    assert_eq!(
        port.asked(),
        [],
        "the request behind its back does not ask either"
    );
    assert_eq!(other.exchange(get("/a"), never()).text(), "b");
}

#[test]
fn an_answer_of_somebody_else_ends_it() {
    let (mut stage, port) = member(FLEET);
    port.says(&[Saying::Later]);
    let mut exchange = stage.new_exchange();
    assert_eq!(stage.ask(&mut exchange, &get("/a")), None);
    assert_eq!(
        (stage.consulting.take().is_some(), stage.origin_requests),
        (true, 0)
    );
    let seen = stage.respond(&mut exchange, reply("timed out").status(504).by_the_proxy());
    assert_eq!((seen.status, stage.stored.len()), (504, 0));
    let late = exchange.on(Event::Consulted(Consulted::Found), stage.now);
    assert!(late.effects.is_empty() && stage.budget.held() == 0);
}

#[derive(Debug)]
struct Sky(Joined);

impl Flights for Sky {
    fn join(&self, _: &Wish<'_>, _: Timestamp) -> Joined {
        self.0
    }

    fn land(&self, _: &Token, _: Landing) {}
}

#[test]
fn who_goes_alone_asks_only_where_others_could_have_waited() {
    for (why, is_asked) in [
        (Alone::Unavailable, true),
        (Alone::Unled, false),
        // What came last was nobody else's, so no other process has it either.
        (Alone::Unshared, false),
    ] {
        let (mut stage, port) = member(FLEET);
        stage.coalesce(Rc::new(Sky(Joined::Alone(why))));
        stage.exchange(get("/a"), reply("a"));
        assert_eq!(port.asked().len(), usize::from(is_asked), "{why:?}");
        assert_eq!(stage.origin_requests, 1);
    }
}

#[test]
fn what_is_said_to_be_there_and_is_not_is_fetched() {
    let (mut stage, port) = member(FLEET);
    port.says(&[Saying::AtOnce(Consulted::Found)]);
    let seen = stage.exchange(get("/a"), reply("a"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    assert_eq!(port.asked(), [LOOK]);
}

#[test]
fn what_is_asked_by_its_content_may_be_in_the_fleet() {
    let asking = FLEET.replace(
        r#""match":{"path":"/.*"}"#,
        r#""match":{"path":"/.*","methods":["QUERY"]},"key":{"body":true},"hold_headers":true"#,
    );
    let store = Rc::default();
    let (mut one, _) = member_of(&store, &asking);
    let (mut other, port) = member_of(&store, &asking);
    one.exchange(request("QUERY", "/a").body("q"), reply("a"));
    let seen = other.exchange(request("QUERY", "/a").body("q"), never());
    assert_eq!((seen.text(), port.asked()), ("a", vec![LOOK]));
    let seen = other.exchange(request("QUERY", "/a").body("r"), reply("b"));
    assert_eq!((seen.text(), port.asked()), ("b", vec![LOOK]));
}

#[test]
fn which_parameters_count_each_process_learns_by_itself() {
    let searching = FLEET.replacen('{', r#"{"no_vary_search":true,"#, 1);
    let store = Rc::default();
    let (mut one, _) = member_of(&store, &searching);
    let (mut other, port) = member_of(&store, &searching);
    let searched = |body| reply(body).with("no-vary-search", "params=(\"utm\")");
    one.exchange(get("/a?id=1&utm=x"), searched("one"));
    one.exchange(get("/a?id=2&utm=x"), searched("two"));
    // It does not know yet where to look.
    let seen = other.exchange(get("/a?id=1&utm=y"), searched("one"));
    assert_eq!((seen.cache().0, port.asked()), ("MISS", vec![LOOK]));
    let seen = other.exchange(get("/a?id=2&utm=y"), never());
    assert_eq!((seen.text(), port.asked()), ("two", vec![LOOK]));
    let shared = store.len();
    let part = reply("od").status(206).with("etag", "\"1\"");
    let part = part.with("content-range", "bytes 1-2/4");
    one.exchange(get("/part").with("range", "bytes=1-2"), part);
    assert_eq!((store.len(), shared), (2, 2), "no record, and no part");
}

#[test]
fn who_makes_it_fresh_for_others_asks_the_fleet_first() {
    let [(mut one, _), (mut other, port)] = two();
    let kept = |body| reply(body).with("cache-control", "max-age=10, stale-while-revalidate=20");
    for stage in [&mut one, &mut other] {
        stage.exchange(get("/a"), kept("old"));
        stage.wait(13);
    }
    one.exchange(get("/a"), kept("new"));
    port.asked();
    // Its own request cannot be sent behind its back.
    other.refresh_behind(ways(Readiness::Foreground));
    let lead = Token {
        digest: KeyDigest([0; 16]),
        holder: 1,
        number: 1,
    };
    other.coalesce(Rc::new(Sky(Joined::Lead(lead))));
    let seen = other.exchange(get("/a"), never());
    assert_eq!((seen.text(), seen.cache().0), ("new", "HIT"));
    assert_eq!(port.asked(), [LOOK]);
}

#[test]
fn a_question_waits_until_the_fleet_has_been_asked() {
    let (mut stage, port) = member(FLEET);
    stage.exchange(get("/a"), reply("a").with("etag", "\"1\""));
    stage.wait(61);
    port.says(&[Saying::Later]);
    let mut exchange = stage.new_exchange();
    let mut sent = get("/a").headers();
    assert_eq!(stage.ask(&mut exchange, &get("/a")), None);
    assert!(stage.consulting.take().is_some() && stage.budget.held() > 0);
    let silent = Event::Consulted(Consulted::Silent);
    assert_eq!(stage.drive(&mut exchange, silent, &mut sent), None);
    assert_eq!(sent.only("if-none-match"), Some(&b"\"1\""[..]));
    let seen = stage.respond(&mut exchange, reply("").status(304).with("etag", "\"1\""));
    assert_eq!((seen.text(), seen.cache().0), ("a", "REVALIDATED"));
    assert_eq!(stage.budget.held(), 0);
}

/// The fleet's answer may take a while.
#[test]
fn what_is_purged_while_the_fleet_is_asked_is_not_brought_back() {
    let (mut stage, port) = member(FLEET);
    let tagged = |body| reply(body).with("etag", "\"1\"").with("xkey", "t");
    stage.exchange(get("/a"), tagged("a"));
    stage.wait(61);
    port.says(&[Saying::Later]);
    let mut exchange = stage.new_exchange();
    let mut sent = get("/a").headers();
    assert_eq!(stage.ask(&mut exchange, &get("/a")), None);
    stage.consulting = None;
    stage.invalidate(&[Scope::Tag(b"t")], Mode::Hard);
    let absent = Event::Consulted(Consulted::Absent);
    assert_eq!(stage.drive(&mut exchange, absent, &mut sent), None);
    port.invitation.set(Invitation::Shut); // this one knows nothing of purges
    // It was asked about before the purge; nobody but this client is given it.
    stage.respond(&mut exchange, reply("").status(304).with("etag", "\"1\""));
    assert_eq!(stage.exchange(get("/a"), tagged("b")).text(), "b");
}

#[test]
fn what_is_stale_everywhere_is_asked_about_by_one_process() {
    let [(mut one, first), (mut other, second)] = two();
    let tagged = || reply("a").with("etag", "\"1\"");
    one.exchange(get("/a"), tagged());
    other.exchange(get("/a"), never());
    for stage in [&mut one, &mut other] {
        stage.wait(61);
    }
    // The lead goes to the first, who is given what is stale there, too.
    let seen = one.exchange(get("/a"), reply("").status(304).with("etag", "\"1\""));
    assert_eq!(seen.cache().0, "REVALIDATED");
    second.says(&[Saying::AtOnce(Consulted::Held), Saying::Truth]);
    let seen = other.exchange(get("/a"), never());
    assert_eq!(
        (seen.text(), seen.cache().0, other.origin_requests),
        ("a", "HIT", 0)
    );
    assert_eq!((first.asked().len(), second.asked().len()), (2, 3));
}
