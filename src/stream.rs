//! One exchange: callbacks become events, steps become host calls.

mod composing;
mod consulting;
mod parked;

use std::cell::RefCell;
use std::rc::Rc;

use crate::callout;
use crate::desk;
use crate::fleet::{Awaited, Brought, Lead, Parcel};
use crate::host::{self, HeaderMap, HostError};
use crate::ledger::Ledger;
use crate::live::{Force, Live};
use crate::refresh;
use crate::worker::{Seat, Worker};
use composing::Making;
use consulting::Errand;
use larder_core::exchange::{
    Answer, Arrival, Arriving, Call, Effect, Event, Exchange, Field, Full, HeadSize, Histogram,
    Presence, ResponseBody, Stay, Step, Unheld, Verdict, What,
};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Key, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::report::{Counter, Sampling};
use larder_core::time::Timestamp;
use larder_manage::Outcome;
use parked::Place;
pub(crate) use parked::settled;

/// One exchange on this worker.
pub(crate) struct Stream {
    id: u32,
    exchange: Exchange,
    worker: Rc<Worker>,
    live: Rc<Live>,
    ledger: Rc<Ledger>,
    /// When the request came.
    began: Timestamp,
    /// The request's head, where it matters whether the proxy has sent it as it came.
    watched: RefCell<Option<Headers>>,
    /// While the request's head is held and nothing has come of its body.
    seat: Option<Seat>,
    place: Place,
    /// The page that is made of what is here, or comes.
    making: Option<Box<Making>>,
    /// What it waits for of the fleet.
    errand: Option<Errand>,
    /// The lead that the fleet has given it.
    lead: Option<Lead>,
    /// What the fleet had, while the tiers are asked for it.
    brought: Option<Box<Brought>>,
}

/// What the host is to do with the message, as it reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    Continue = 0,
    Pause = 1,
}

/// What has come of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Some of it, and more comes.
    Another,
    /// The rest.
    Last,
}

/// The proxy's attributes of this stream, read when asked for.
pub(crate) struct HostAttributes;

impl Attributes for HostAttributes {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        host::property(path).map_err(|_| Unreadable)
    }
}

impl Stream {
    /// An exchange that has not begun, on the stream that the host knows by this number.
    pub(crate) fn new(id: u32, live: Rc<Live>) -> Option<Self> {
        let Force {
            surroundings,
            ledger,
        } = live.force()?;
        Some(Self {
            id,
            exchange: Exchange::new(surroundings),
            worker: Rc::clone(live.worker()),
            live,
            ledger,
            began: Timestamp::from_nanos(0),
            watched: RefCell::default(),
            seat: None,
            place: Place::Fresh,
            making: None,
            errand: None,
            lead: None,
            brought: None,
        })
    }

    fn request(&mut self, body: RequestBody) -> Result<Action, HostError> {
        let now = host::now()?;
        self.began = now;
        let mut headers = self.headers(HeaderMap::Request)?;
        if let Some(force) = self.live.other_than(self.exchange.surroundings()) {
            self.exchange = Exchange::new(force.surroundings);
            self.ledger = force.ledger;
        }
        if let Some(force) = self.live.at_this_route() {
            self.exchange = Exchange::new(force.surroundings);
            self.ledger = force.ledger;
        }
        let config = self.exchange.surroundings().config();
        if config.background.is_some() && callout::is_own(&self.worker, &mut headers, now) {
            self.exchange.give_up();
            return Ok(Action::Continue);
        }
        let arrival = Arrival {
            headers,
            body,
            attributes: &HostAttributes,
        };
        let step = self.exchange.on(Event::Request(arrival), now);
        self.worker.forget_glance();
        let action = self.obey(step, now)?;
        if self.exchange.held_request().is_none() {
            return Ok(action);
        }
        let what = match self.exchange.stays_here() {
            Stay::Here => What::Call,
            Stay::Free => What::Request,
        };
        match self.worker.seat(self.id, what, now) {
            Ok(seat) => {
                self.seat = Some(seat);
                Ok(action)
            }
            Err(Full) => self.unheld(Unheld::Full, now),
        }
    }

    fn unheld(&mut self, why: Unheld, now: Timestamp) -> Result<Action, HostError> {
        let step = self.exchange.on(Event::Unheld(why), now);
        self.obey(step, now)
    }

    /// The first word of what follows the request's head; a request that did not wait for it is told so.
    fn take_seat_back(&mut self, now: Timestamp) -> Result<(), HostError> {
        match self.seat.take().map(Seat::leave) {
            Some(Presence::LetGo) => self.unheld(Unheld::Overdue, now).map(drop),
            Some(Presence::Here) | None => Ok(()),
        }
    }

    /// Something comes behind the request's head, and with it there are so many bytes of its body.
    fn request_body(&mut self, bytes: usize, part: Part) -> Result<Action, HostError> {
        if self.place == Place::Parked || self.errand.is_some() || self.holds_request() {
            return Ok(Action::Pause); // the host keeps it, and gives it on in its order
        }
        if self.exchange.held_request().is_none() {
            return Ok(Action::Continue);
        }
        let now = host::now()?;
        self.take_seat_back(now)?;
        match (self.exchange.held_request(), part) {
            (None, _) => Ok(Action::Continue),
            (Some(announced), Part::Another) if bytes <= announced => Ok(Action::Pause),
            (Some(announced), Part::Another | Part::Last) => {
                // One more would show that the announcement is wrong.
                let body = host::request_body(announced.saturating_add(1))?;
                let step = self.exchange.on(Event::RequestBody(&body), now);
                self.obey(step, now)
            }
        }
    }

    /// The core asks for at most four keys, and for none twice: what No-Vary-Search says of the path, what that leads to,
    /// the URL itself, and one of its variants. Its states end the recursion.
    fn look_up(&mut self, key: &Key, now: Timestamp) -> Result<Action, HostError> {
        if self.brought.is_some()
            && let Some(action) = self.look_at_brought(key, now)
        {
            return action;
        }
        let found = self.worker.lookup(key, now);
        let step = self.exchange.on(Event::Answer(Answer::of(&found)), now);
        self.obey(step, now)
    }

    fn response(&mut self, lines: usize, body: ResponseBody) -> Result<Action, HostError> {
        if self.seat.is_some() {
            self.take_seat_back(host::now()?)?;
        }
        if self.place == Place::Parked || self.errand.is_some() {
            // Another filter, or the proxy's clock, has answered the request.
            self.unpark();
            self.wait_no_more();
            self.exchange.give_up();
        }
        self.compose_no_more();
        if self.exchange.expects_own_reply() {
            return self.own_reply(lines);
        }
        if !self.exchange.wants_response() {
            return Ok(Action::Continue);
        }
        let now = host::now()?;
        // The core has to hear of it in any case: a write has an effect although its response cannot be read.
        let headers = match self.exchange.reads_response() {
            false => Headers::new(),
            true => self.headers(HeaderMap::Response).unwrap_or_else(|_| {
                self.worker.count(Counter::HostFailed);
                Headers::new()
            }),
        };
        let step = self.exchange.on(
            Event::Response(Arriving {
                headers,
                body,
                attributes: &HostAttributes,
            }),
            now,
        );
        let action = self.obey(step, now)?;
        Ok(match self.holds_head() {
            true => Action::Pause,
            false => action,
        })
    }

    /// It comes by before the callback that gave it has well ended, so its clock need not be read again.
    fn own_reply(&mut self, lines: usize) -> Result<Action, HostError> {
        // No head is that small: where the host cannot say, it is read.
        let bytes = host::response_head_bytes().unwrap_or_default();
        let size = HeadSize { lines, bytes };
        if self.ledger.tally().sample() == Sampling::Timed {
            self.time_hit();
        }
        let step = self.exchange.on(Event::Returned(size), self.began);
        self.obey(step, self.began)
    }

    fn time_hit(&self) {
        if let Ok(now) = host::now() {
            let nanos = now.as_nanos().saturating_sub(self.began.as_nanos());
            let micros = nanos / 1000;
            self.ledger.tally().time_hit(micros);
            self.worker.measure(Histogram::Hit, micros);
        }
    }

    fn manage(&self, call: &Call, now: Timestamp) -> (Outcome, Option<Awaited>) {
        let Some(settings) = self.live.settings() else {
            return (Outcome::internal(), None); // without a management API nothing is a call
        };
        let around = self.exchange.surroundings();
        self.worker
            .manage(call, (around, settings), &self.ledger, now)
    }

    fn inspect(&mut self, now: Timestamp) -> Result<Action, HostError> {
        let head = self.headers(HeaderMap::Response)?;
        refresh::learn_from_reply();
        let step = self.exchange.on(Event::ReturnedHead(head), now);
        self.obey(step, now)
    }

    fn body(&mut self, size: usize, part: Part) -> Result<Action, HostError> {
        if self.is_composing() {
            return self.template_body(size, part);
        }
        self.exchange.passed(size);
        let Some(wanted) = self.exchange.wanted_body() else {
            return Ok(Action::Continue);
        };
        if size > 0 {
            let chunk = host::response_chunk(size.min(wanted))?;
            // To take a copy takes no time in the core's sense, and the clock is read when the copy is complete.
            let step = self.exchange.on(Event::Chunk(&chunk), self.began);
            self.obey(step, self.began)?;
        }
        match part {
            Part::Another => Ok(Action::Continue),
            Part::Last => self.ended(host::now()?),
        }
    }

    fn trailers(&mut self) -> Result<Action, HostError> {
        if self.is_composing() {
            return self.template_trailers();
        }
        match self.exchange.wanted_body() {
            Some(_) => self.ended(host::now()?),
            None => Ok(Action::Continue),
        }
    }

    fn ended(&mut self, now: Timestamp) -> Result<Action, HostError> {
        let step = self.exchange.on(Event::ResponseEnded, now);
        self.obey(step, now)
    }

    /// A map that cannot be read is an empty one; the core then finds what it needs missing and lets the message pass.
    fn headers(&self, map: HeaderMap) -> Result<Headers, HostError> {
        Ok(Headers::from_pairs(host::header_pairs(map)?).unwrap_or_default())
    }

    fn obey(&mut self, step: Step<'_>, now: Timestamp) -> Result<Action, HostError> {
        let action = match step.verdict {
            Verdict::Compose(template) => self.compose(*template, now)?,
            Verdict::Consult(asked) => self.consult(&asked, now)?,
            Verdict::Continue => Action::Continue,
            Verdict::Hold => Action::Pause,
            Verdict::Inspect => self.inspect(now)?,
            Verdict::Lookup(key) => self.look_up(&key, now)?,
            Verdict::Manage(call) => self.managed(&call, now)?,
            Verdict::Park(parking) => self.park(parking, now)?,
            Verdict::Reply(reply) => {
                host::send_response(reply.status, &reply.pairs, &reply.body, reply.details)?;
                Action::Pause
            }
        };
        self.carry_out_all(step.effects, now);
        Ok(action)
    }

    fn carry_out_all(&mut self, effects: Vec<Effect>, now: Timestamp) {
        if let Some(token) = self.carry_out(effects, now) {
            let added = host::add_response_header(b"larder-token", token.as_bytes());
            self.worker.tolerate(added);
        }
    }

    /// Gives what the client may show to see what it has changed, where that is known to a fleet.
    fn carry_out(&mut self, effects: Vec<Effect>, now: Timestamp) -> Option<String> {
        let (mut stored, mut noted, mut parcel) = (None, None, Parcel::default());
        let mut has_landed = false;
        for effect in effects {
            match effect {
                Effect::AddHeader(name, value) => self
                    .worker
                    .tolerate(host::add_response_header(name.as_bytes(), value.as_bytes())),
                Effect::Compress(wish) => self.worker.note(wish),
                Effect::Count(counter) => self.worker.count(counter),
                Effect::Gather(template) => self.gather(*template, now),
                Effect::Invalidate(invalidation) => {
                    noted = self.worker.invalidate(&invalidation, now).or(noted);
                }
                Effect::Land(flight, landing) => {
                    has_landed = true;
                    flight.land(settled(landing, stored, now));
                }
                Effect::Measure(histogram, micros) => self.worker.measure(histogram, micros),
                Effect::Refresh(refresh) => {
                    self.worker.refreshing.send(&self.worker, *refresh, now);
                }
                Effect::RemoveHeader(name) => {
                    self.worker
                        .tolerate(host::remove_response_header(name.as_bytes()));
                }
                Effect::RemoveRequestHeader(name) => {
                    self.worker.tolerate(host::remove_request_header(name));
                }
                Effect::SetRequestHeader(name, value) => {
                    self.worker
                        .tolerate(host::replace_request_header(name, &value));
                }
                Effect::SetField(field) => self.worker.tolerate(set_field(&field)),
                Effect::SetHeader(name, value) => self.worker.tolerate(
                    host::replace_response_header(name.as_bytes(), value.as_bytes()),
                ),
                Effect::Store(candidate) => {
                    let became = self.worker.store(&candidate, now);
                    parcel.add(&self.worker.fleet, &candidate, became, now);
                    stored = Some(became);
                }
                Effect::Watch(head) => drop(self.watched.replace(Some(head))),
            }
        }
        let fleet = &self.worker.fleet;
        let lead = self.lead.take_if(|_| has_landed || stored.is_some());
        fleet.share(&self.worker, parcel, lead, now);
        let token = noted?;
        fleet.post(&self.worker, now);
        fleet.token(token)
    }

    /// Whatever failed in the host, the message goes on; but not a call of the management API.
    fn survive(&mut self, outcome: Result<Action, HostError>) -> Action {
        outcome.unwrap_or_else(|_| {
            self.worker.count(Counter::HostFailed);
            match self.exchange.stays_here() {
                Stay::Here => {
                    self.worker.tolerate(desk::answer(&Outcome::internal()));
                    Action::Pause
                }
                Stay::Free => {
                    self.exchange.give_up();
                    Action::Continue
                }
            }
        })
    }
}

/// Puts these lines in the place of all lines of that name in the response's head.
fn set_field(field: &Field) -> Result<(), HostError> {
    if let [line] = field.lines.as_slice() {
        return host::replace_response_header(&field.name, line);
    }
    host::remove_response_header(&field.name)?;
    let mut lines = field.lines.iter();
    lines.try_for_each(|line| host::add_response_header(&field.name, line))
}

impl Stream {
    /// The request's head is here.
    pub(crate) fn on_request(&mut self, body: RequestBody) -> Action {
        let outcome = self.request(body);
        self.survive(outcome)
    }

    /// Something comes behind it.
    pub(crate) fn on_request_body(&mut self, bytes: usize, part: Part) -> Action {
        let outcome = self.request_body(bytes, part);
        self.survive(outcome)
    }

    /// A response's head of so many lines is on its way to the client.
    pub(crate) fn on_response(&mut self, lines: usize, body: ResponseBody) -> Action {
        let outcome = self.response(lines, body);
        self.survive(outcome)
    }

    /// So many bytes of its body are.
    pub(crate) fn on_response_body(&mut self, bytes: usize, part: Part) -> Action {
        let outcome = self.body(bytes, part);
        self.survive(outcome)
    }

    /// Its trailers are, and nothing follows.
    pub(crate) fn on_response_trailers(&mut self) -> Action {
        let outcome = self.trailers();
        self.survive(outcome)
    }

    /// What the proxy has made of the request can be seen.
    pub(crate) fn log(&self) {
        if let Some(came) = self.watched.take()
            && let Ok(sent) = self.headers(HeaderMap::Request)
        {
            refresh::learn(&came, &sent);
        }
    }

    /// The stream is over, whole or not.
    pub(crate) fn end(mut self) {
        self.unpark();
        self.wait_no_more();
        self.compose_no_more();
        if self.exchange.minds_the_end()
            && let Ok(now) = host::now()
        {
            let step = self.exchange.on(Event::Aborted, now);
            let _ = self.carry_out(step.effects, now);
        }
        self.release_lead();
    }
}
