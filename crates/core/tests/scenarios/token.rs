//! Who has written is not shown what was before, wherever in the fleet: `larder-token`.

use std::rc::Rc;

use larder_core::exchange::{Arriving, Effect, Event, Exchange, ResponseBody};
use larder_core::fleet::{Contact, Standing};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Unreadable};
use larder_core::report::Counter;

use crate::crowd::Crowd;
use crate::fleet::{FLEET, Port, member};
use crate::stage::{Request, Response, Stage, get, reply, request};

const BEHIND: &str = "0011223344556677.8.aabb";
const APPLIED: &str = "0011223344556677.7.aabb";
const ASKED: &str = "larder; fwd=request; fwd-status=304; stored; detail=request-directive";

fn with_tokens(configuration: &str) -> (Stage, Rc<Port>) {
    let (stage, port) = member(configuration);
    port.stands(BEHIND, Standing::Behind);
    port.stands(APPLIED, Standing::Applied);
    (stage, port)
}

fn after(token: &str) -> Request {
    get("/a").with("larder-token", token)
}

fn tagged(body: &str) -> Response {
    reply(body).with("etag", "\"1\"")
}

fn good() -> Response {
    reply("").status(304).with("etag", "\"1\"")
}

#[test]
fn who_has_written_elsewhere_is_given_only_what_the_origin_confirms() {
    let (mut stage, port) = with_tokens(FLEET);
    let seen = stage.exchange(after(BEHIND), tagged("a"));
    assert_eq!(seen.cache().1, "larder; fwd=uri-miss; stored");
    assert_eq!(
        port.asked(),
        [],
        "another process may have what was before, too"
    );
    for _ in 0..3 {
        let seen = stage.exchange(after(BEHIND), good());
        assert_eq!((seen.text(), seen.cache().1), ("a", ASKED));
    }
    assert!(!stage.asked.contains("larder-token"));
    // Others are not concerned.
    assert_eq!(stage.exchange(get("/a"), good()).cache().0, "HIT");
    let seen = stage.exchange(after(BEHIND), tagged("b"));
    assert_eq!((seen.text(), seen.cache().0), ("b", "MISS"));
    port.stands(BEHIND, Standing::Applied);
    assert_eq!(stage.exchange(after(BEHIND), good()).cache().0, "HIT");
}

#[test]
fn what_a_worker_keeps_ready_is_for_those_whose_writes_it_knows() {
    let (mut stage, _) = with_tokens(FLEET);
    for _ in 0..4 {
        stage.exchange(get("/a"), tagged("a"));
    }
    let hits = stage.count(Counter::HotHit);
    assert_eq!(hits, 1);
    let bytes = stage.hot.bytes();
    assert_eq!(stage.exchange(after(BEHIND), good()).cache().1, ASKED);
    // Whatever the others bring along, it is the same answer.
    stage.exchange(get("/a"), good());
    for token in [APPLIED, "made up", "", "made up again"] {
        let seen = stage.exchange(after(token), good());
        assert_eq!((seen.cache().0, seen.text()), ("HIT", "a"), "{token}");
    }
    assert_eq!(stage.count(Counter::HotHit), hits + 4);
    assert_eq!(stage.hot.bytes(), bytes);
}

#[test]
fn several_tokens_are_none() {
    let (mut stage, _) = with_tokens(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    let several = after(BEHIND).with("larder-token", BEHIND);
    assert_eq!(stage.exchange(several, good()).cache().0, "HIT");
}

#[test]
fn the_origin_sees_no_token_and_no_key_depends_on_one() {
    let ruled = r#"{"rules":[
        {"name":"left","match":{"path":"/left"},"cache":false},
        {"name":"all","match":{"path":"/a"},"ttl_seconds":60,"key":{"headers":["larder-token"]}}],
        "admin":{"cluster":"larder-admin"}}"#;
    let (mut stage, _) = with_tokens(ruled);
    for (path, method) in [
        ("/a", "GET"),
        ("/left", "GET"),
        ("/none", "GET"),
        ("/a", "PUT"),
    ] {
        for token in [APPLIED, BEHIND, "made up"] {
            let asks = request(method, path).with("larder-token", token);
            stage.exchange(asks, tagged("a"));
            assert!(!stage.asked.contains("larder-token"), "{method} {path}");
        }
    }
    stage.exchange(get("/a"), tagged("a"));
    let asked = stage.origin_requests;
    stage.exchange(after(APPLIED), tagged("b"));
    assert_eq!(stage.origin_requests, asked, "one key");
}

#[test]
fn who_wants_what_is_stored_or_nothing_gets_nothing() {
    let (mut stage, _) = with_tokens(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    let asks = || get("/a").with("cache-control", "only-if-cached");
    assert_eq!(stage.exchange(asks(), good()).text(), "a");
    let seen = stage.exchange(asks().with("larder-token", BEHIND), good());
    assert_eq!(seen.status, 504);
}

#[test]
fn who_has_written_waits_for_nobody_who_came_before() {
    let mut crowd = Crowd::new(FLEET, 1);
    let ports = crowd.join(&Rc::default());
    ports[0].stands(BEHIND, Standing::Behind);
    let first = crowd.ask(&get("/a"));
    let second = crowd.ask(&after(BEHIND));
    assert_eq!(crowd.at_origin(), [first, second]);
    crowd.answer(first, reply("old"));
    crowd.answer(second, reply("new"));
    assert_eq!(crowd.got(second).unwrap().text(), "new");
}

#[test]
fn without_a_fleet_it_is_a_field_like_any() {
    let mut stage = Stage::new(crate::stage::CACHE_ALL);
    stage.exchange(after(BEHIND), tagged("a"));
    assert!(stage.asked.contains("larder-token"));
    assert_eq!(stage.exchange(after(BEHIND), good()).cache().0, "HIT");
}

#[test]
fn what_an_origin_says_under_that_name_goes_to_nobody() {
    let (mut stage, _) = with_tokens(FLEET);
    let forged = |response: Response| response.with("larder-token", "forged");
    let seen = stage.exchange(get("/a"), forged(tagged("a")));
    assert_eq!(seen.field("larder-token"), "");
    assert_eq!(stage.exchange(get("/a"), good()).field("larder-token"), "");
    stage.wait(61);
    let seen = stage.exchange(get("/a"), forged(good()));
    assert_eq!((seen.text(), seen.field("larder-token")), ("a", ""));
    for response in [
        reply("b").status(500),
        reply("b").with("cache-control", "private"),
    ] {
        let seen = stage.exchange(get("/b"), forged(response));
        assert_eq!((seen.text(), seen.field("larder-token")), ("b", ""));
    }
    let seen = stage.exchange(request("PUT", "/a"), forged(reply("")));
    assert_eq!(seen.field("larder-token"), "");
}

struct ViaUpstream;

impl Attributes for ViaUpstream {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(Some(b"via_upstream".to_vec()))
    }
}

/// Behind what is invalidated, the outside gives the client its token.
#[test]
fn an_origins_token_is_gone_before_a_write_invalidates() {
    let (mut stage, _) = with_tokens(FLEET);
    let mut exchange = stage.new_exchange();
    assert_eq!(stage.ask(&mut exchange, &request("PUT", "/a")), None);
    let headers = Headers::from_iter([(":status", "204"), ("larder-token", "forged")]);
    let arriving = Arriving {
        headers,
        body: ResponseBody::None,
        attributes: &ViaUpstream,
    };
    let step = exchange.on(Event::Response(arriving), stage.now);
    let place = |is: fn(&Effect) -> bool| step.effects.iter().position(is).unwrap();
    let gone = place(|effect| *effect == Effect::RemoveHeader("larder-token"));
    let invalidated = place(|effect| matches!(effect, Effect::Invalidate(_)));
    assert!(gone < invalidated, "{:?}", step.effects);
}

/// What only looks, for whoever wants a decision explained, hears of all that and asks nobody.
#[test]
fn an_exchange_that_leaves_no_trace_asks_no_fleet() {
    let (mut stage, port) = with_tokens(FLEET);
    stage.exchange(get("/a"), tagged("a"));
    stage.wait(10);
    port.asked();
    let apart = |stage: &Stage| {
        let around = stage.new_exchange().surroundings().apart();
        Exchange::new(around)
    };
    assert!(stage.ask(&mut apart(&stage), &get("/a")).is_some());
    assert_eq!(stage.ask(&mut apart(&stage), &after(BEHIND)), None);
    port.contact.set(Contact::Lost);
    assert_eq!(stage.ask(&mut apart(&stage), &get("/a")), None);
    assert_eq!(stage.ask(&mut apart(&stage), &get("/b")), None);
    assert_eq!(port.asked(), []);
}
