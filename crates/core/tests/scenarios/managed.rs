//! Calls of the management API on their way in: whatever is wrong with one, it does not go on to the origin.

use std::rc::Rc;

use larder_core::config::Config;
use larder_core::epoch::Epochs;
use larder_core::exchange::{
    Arrival, Body, CaptureBudget, Effect, Event, Exchange, HotTier, Received, Reception, Refused,
    Reply, Said, Stay, Step, Surpluses, Surroundings, Unheld, Verdict,
};
use larder_core::http::{Headers, RequestHead};
use larder_core::key::{Attributes, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::report::{CallOutcome, Counter};
use larder_core::tier::MemoryKv;
use larder_core::time::Timestamp;

use crate::stage::{Log, Request, request};

/// Whatever is asked at `/manage`: `/manage/no` is refused, `/manage/body` needs one of ten bytes at most.
#[derive(Debug)]
struct Desk;

fn said(status: u16) -> Said {
    Said {
        reply: Reply {
            status,
            pairs: Rc::new(Headers::new().to_pairs()),
            body: Body::Owned(Vec::new()),
            details: "larder_management",
        },
        counter: Counter::Called(CallOutcome::Refused),
    }
}

impl Reception for Desk {
    fn receive(&self, head: &RequestHead, _: &dyn Attributes, _: Timestamp) -> Option<Received> {
        match head.target() {
            b"/manage/no" => Some(Received::Answered(said(401))),
            b"/manage/body" => Some(Received::NeedsBody(10)),
            b"/manage" => Some(Received::Complete),
            _ => None,
        }
    }

    fn refuse(&self, why: Refused) -> Said {
        said(match why {
            Refused::Busy => 503,
            Refused::TooLarge(_) => 413,
        })
    }
}

struct Nothing;

impl Attributes for Nothing {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

struct Play {
    exchange: Exchange,
    budget: Rc<CaptureBudget>,
}

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

impl Play {
    fn begin(budget: usize) -> Self {
        let config = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
        let budget = CaptureBudget::new(budget);
        let around = Surroundings::managed(
            Rc::new(Config::parse(config.as_bytes()).unwrap()),
            Rc::clone(&budget),
            Log::new(Rc::new(MemoryKv::new())) as Rc<dyn Epochs>,
            Surpluses::new(),
            HotTier::new(1 << 20, 5),
            Some(Rc::new(Desk)),
        );
        let exchange = Exchange::new(around);
        Self { exchange, budget }
    }

    fn ask(&mut self, request: Request, body: RequestBody) -> Outcome {
        let arrival = Arrival {
            headers: request.headers(),
            body,
            attributes: &Nothing,
        };
        let step = self.exchange.on(Event::Request(arrival), NOW);
        outcome(step)
    }

    fn on(&mut self, event: Event<'_>) -> Outcome {
        outcome(self.exchange.on(event, NOW))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered(u16),
    Call(Vec<u8>),
    GoesOn,
    Held,
    LookedUp,
}

fn outcome(step: Step<'_>) -> Outcome {
    let counted = step
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Count(_)));
    match step.verdict {
        Verdict::Reply(reply) => {
            assert!(counted, "{reply:?}");
            Outcome::Answered(reply.status)
        }
        Verdict::Manage(call) => Outcome::Call(call.content),
        Verdict::Continue | Verdict::Inspect => Outcome::GoesOn,
        Verdict::Hold => Outcome::Held,
        Verdict::Lookup(_) => Outcome::LookedUp,
        Verdict::Compose(template) => panic!("nothing is composed here: {template:?}"),
        Verdict::Consult(asked) => panic!("nobody is asked here: {asked:?}"),
        Verdict::Park(parking) => panic!("nobody waits here: {parking:?}"),
    }
}

fn post(path: &str) -> Request {
    request("POST", path)
}

#[test]
fn what_is_no_call_goes_its_way() {
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(request("GET", "/a"), RequestBody::None),
        Outcome::LookedUp
    );
    assert_eq!(play.exchange.stays_here(), Stay::Free);
}

#[test]
fn what_is_refused_is_answered_at_once_whatever_follows() {
    for body in [RequestBody::None, RequestBody::Follows] {
        let mut play = Play::begin(1 << 20);
        assert_eq!(play.ask(post("/manage/no"), body), Outcome::Answered(401));
        assert_eq!(play.exchange.stays_here(), Stay::Here);
        assert_eq!(play.exchange.held_request(), None);
        assert!(!play.exchange.wants_response() && !play.exchange.expects_own_reply());
    }
}

#[test]
fn what_needs_no_body_does_not_wait_for_one() {
    for body in [RequestBody::None, RequestBody::Follows] {
        let mut play = Play::begin(1 << 20);
        assert_eq!(play.ask(post("/manage"), body), Outcome::Call(Vec::new()));
        assert_eq!(play.exchange.stays_here(), Stay::Here);
    }
}

#[test]
fn a_body_is_waited_for_and_given_with_the_call() {
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::Follows),
        Outcome::Held
    );
    assert_eq!(
        (play.exchange.held_request(), play.exchange.stays_here()),
        (Some(10), Stay::Here)
    );
    assert!(play.budget.held() > 10);
    assert_eq!(
        play.on(Event::RequestBody(b"0123456789")),
        Outcome::Call(b"0123456789".to_vec())
    );
    assert_eq!(play.budget.held(), 0);
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::None),
        Outcome::Call(Vec::new())
    );
}

#[test]
fn a_body_that_is_too_long_is_refused_as_soon_as_that_shows() {
    let mut play = Play::begin(1 << 20);
    let announced = post("/manage/body").with("content-length", "11");
    assert_eq!(
        play.ask(announced, RequestBody::Follows),
        Outcome::Answered(413)
    );
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::Follows),
        Outcome::Held
    );
    assert_eq!(
        play.on(Event::RequestBody(b"01234567890")),
        Outcome::Answered(413)
    );
    assert_eq!(play.exchange.stays_here(), Stay::Here);
}

#[test]
fn what_there_is_no_room_for_is_refused() {
    let mut play = Play::begin(5);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::Follows),
        Outcome::Answered(503)
    );
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::Follows),
        Outcome::Held
    );
    assert_eq!(play.on(Event::Unheld(Unheld::Full)), Outcome::Answered(503));
}

/// It has been answered from outside by then; what comes by is that answer.
#[test]
fn what_is_overdue_stays_here() {
    let mut play = Play::begin(1 << 20);
    assert_eq!(
        play.ask(post("/manage/body"), RequestBody::Follows),
        Outcome::Held
    );
    assert_eq!(play.on(Event::Unheld(Unheld::Overdue)), Outcome::GoesOn);
    assert_eq!(play.exchange.stays_here(), Stay::Here);
    assert_eq!(
        (play.exchange.held_request(), play.budget.held()),
        (None, 0)
    );
    assert_eq!(play.on(Event::RequestBody(b"late")), Outcome::GoesOn);
    assert_eq!(play.on(Event::Aborted), Outcome::GoesOn);
}
