//! Who has not heard of the fleet for too long serves nothing unasked that may have been invalidated meanwhile.

use larder_core::fleet::Contact;
use larder_core::report::{Counter, Outcome};

use crate::crowd::Crowd;
use crate::fleet::{FLEET, member};
use crate::stage::{Response, get, reply, request};

const ASKED: &str = "larder; fwd=stale; fwd-status=304; stored; detail=out-of-contact";

fn tagged(body: &str) -> Response {
    reply(body).with("etag", "\"1\"")
}

fn good() -> Response {
    reply("").status(304).with("etag", "\"1\"")
}

fn failing() -> Response {
    reply("failed").status(503)
}

#[test]
fn out_of_contact_what_is_fresh_is_asked_about() {
    let (mut stage, port) = member(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    stage.wait(10);
    port.contact.set(Contact::Lost);
    let seen = stage.exchange(get("/a"), good());
    assert_eq!((seen.text(), seen.cache()), ("a", ("REVALIDATED", ASKED)));
    assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    // What was asked about less than the bound ago is within it, whatever has been invalidated since.
    stage.wait(9);
    assert_eq!(stage.exchange(get("/a"), failing()).cache().0, "HIT");
    stage.wait(1);
    let seen = stage.exchange(get("/a"), tagged("b"));
    assert_eq!(
        (seen.text(), seen.cache().1),
        ("b", "larder; fwd=stale; stored; detail=out-of-contact")
    );
    stage.wait(20);
    port.contact.set(Contact::Kept);
    let seen = stage.exchange(get("/a"), failing());
    assert_eq!((seen.text(), seen.cache().0), ("b", "HIT"));
}

#[test]
fn a_workers_own_memory_knows_of_it_too() {
    let (mut stage, port) = member(FLEET);
    for _ in 0..4 {
        stage.exchange(get("/a"), tagged("a"));
    }
    assert_eq!(stage.count(Counter::HotHit), 1, "it is in there");
    stage.wait(10);
    // That the tiers are asked again after a second is not what this is about.
    stage.exchange(get("/a"), failing());
    stage.exchange(get("/a"), failing());
    assert_eq!(stage.count(Counter::HotHit), 2);
    port.contact.set(Contact::Lost);
    let seen = stage.exchange(get("/a"), good());
    assert_eq!((seen.text(), seen.cache()), ("a", ("REVALIDATED", ASKED)));
}

#[test]
fn out_of_contact_nothing_stands_in_for_an_origin_that_fails() {
    let sparing = FLEET.replacen(
        '{',
        r#"{"stale_if_error_seconds":1000,"stale_while_revalidate_seconds":1000,
            "breaker":{"max_stale_seconds":1000},"#,
        1,
    );
    let (mut stage, port) = member(&sparing);
    let stale = stage.exchange(get("/a"), tagged("a"));
    assert_eq!(stale.text(), "a");
    for seconds in [30, 60] {
        stage.wait(seconds);
        port.contact.set(Contact::Lost);
        let seen = stage.exchange(get("/a"), failing());
        assert_eq!((seen.status, seen.text()), (503, "failed"), "{seconds}");
        port.contact.set(Contact::Kept);
    }
    let seen = stage.exchange(get("/a"), failing());
    assert_eq!((seen.text(), seen.cache().0), ("a", "STALE"));
}

#[test]
fn contact_that_is_lost_while_the_origin_fails_counts() {
    let sparing = FLEET.replacen('{', r#"{"stale_if_error_seconds":1000,"#, 1);
    for (contact, expected) in [(Contact::Kept, "a"), (Contact::Lost, "failed")] {
        let (mut stage, port) = member(&sparing);
        stage.exchange(get("/a"), tagged("a"));
        stage.wait(70);
        let exchange = stage.begin(get("/a"));
        port.contact.set(contact);
        let seen = stage.finish(exchange, failing());
        assert_eq!(seen.text(), expected, "{contact:?}");
    }
}

#[test]
fn out_of_contact_what_cannot_be_asked_about_is_fetched() {
    let (mut stage, port) = member(FLEET);
    let part = tagged("od")
        .status(206)
        .with("content-range", "bytes 1-2/4");
    let asks = || get("/part").with("range", "bytes=1-2");
    stage.exchange(asks(), part.clone());
    stage.exchange(get("/a"), reply("a"));
    stage.wait(10);
    assert_eq!(stage.exchange(asks(), failing()).cache().0, "HIT");
    port.contact.set(Contact::Lost);
    assert_eq!(stage.exchange(asks(), part).status, 206);
    let seen = stage.exchange(get("/a"), reply("b"));
    assert_eq!(
        (seen.text(), seen.cache().1),
        ("b", "larder; fwd=stale; stored; detail=out-of-contact")
    );
    stage.wait(10);
    // That its fields are the same is only our conclusion.
    let seen = stage.exchange(request("HEAD", "/a"), reply(""));
    assert_eq!(
        (seen.cache().0, stage.asked.contains("if-none-match")),
        ("MISS", false)
    );
    assert_eq!(stage.origin_requests, 5);
}

#[test]
fn out_of_contact_one_asks_for_many() {
    let mut crowd = Crowd::new(FLEET, 2);
    let ports = crowd.join(&Default::default());
    let first = crowd.ask(&get("/a"));
    crowd.answer(first, tagged("a"));
    crowd.wait(30);
    for port in &ports {
        port.contact.set(Contact::Lost);
    }
    let ids = crowd.ask_times(5, &get("/a"));
    let leader = crowd.leader();
    crowd.answer(leader, tagged("b"));
    for id in ids {
        assert_eq!(crowd.got(id).unwrap().text(), "b");
    }
    assert_eq!(crowd.origin_requests(), 2);
}

#[test]
fn a_clock_that_steps_back_vouches_for_nothing() {
    let (mut stage, port) = member(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    stage.now = larder_core::time::Timestamp::from_nanos(stage.now.as_nanos() - 1);
    port.contact.set(Contact::Lost);
    assert_eq!(stage.exchange(get("/a"), good()).cache().1, ASKED);
}

#[test]
fn in_contact_nothing_changes() {
    let (mut stage, _) = member(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    stage.wait(59);
    assert_eq!(stage.exchange(get("/a"), failing()).cache().0, "HIT");
    assert_eq!(stage.outcomes(Outcome::Hit), 1);
}
