//! One fragment, from its request to what has come of it.

use larder_compose::{Failure, Number, Part};
use larder_core::config::{Action, CachePolicy, Config, Selection};
use larder_core::exchange::{
    Answer, Arrival, Arriving, Effect, Event, ResponseBody, Step, Verdict, Wake,
};
use larder_core::fleet::Consulted;
use larder_core::http::{Headers, ROAD, RequestHead, Target};
use larder_core::key::Attributes;
use larder_core::policy::request::RequestBody;
use larder_core::tier::Passage;
use larder_core::time::Timestamp;

use super::taking::{Taking, of_reply, of_template};
use super::{Fetched, Fragment, Road, State, latest};
use crate::callout::{Nobody, OfTheOrigin, PATIENCE, answered_head, mark};
use crate::fleet::Findings;
use crate::host;
use crate::shared_data::SharedData;
use crate::stream::{HostAttributes, settled};
use crate::worker::Worker;

/// What has become of a fragment for now.
pub(super) enum Outcome {
    /// It has come, or cannot be had.
    Found(Result<Fetched, Failure>),
    /// It comes.
    Waits(Fragment),
}

/// Whose a fragment is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// As far as its rule knows, nobody's.
    Anybody,
    /// An identity is part of its key.
    Client,
}

impl Owner {
    /// That of what is answered to this request.
    pub(super) fn of(config: &Config, request: &Headers) -> Self {
        let has_identity = |policy: &CachePolicy| policy.identity.is_some();
        let mut actions = config.rules.iter().map(|rule| &rule.action);
        if !actions.any(|action| matches!(action, Action::Cache(policy) if has_identity(policy))) {
            return Self::Anybody;
        }
        Self::by_rule(config, request)
    }

    #[inline(never)]
    fn by_rule(config: &Config, request: &Headers) -> Self {
        let head = RequestHead::parse(request.clone()).ok();
        let owner = head.and_then(|head| {
            let target = Target::parse(head.target()).ok()?;
            match config.select(&head, &target) {
                Selection::Cache(selected) => {
                    selected.policy.identity.as_ref().map(|_| Self::Client)
                }
                Selection::Ambiguous
                | Selection::Bypass(_)
                | Selection::Refuse(_)
                | Selection::Unmatched
                | Selection::Writes(_) => None,
            }
        });
        owner.unwrap_or(Self::Anybody)
    }

    /// The same fragment, which makes a page its client's where it is that, whatever its origin says of it.
    fn sign(self, mut found: Result<Fetched, Failure>) -> Result<Fetched, Failure> {
        if let (Self::Client, Ok((part, _))) = (self, &mut found) {
            part.headers.push("cache-control", "private");
        }
        found
    }
}

/// What an exchange of a fragment wants.
enum Wish {
    /// The origin is to be asked, or what it has said is the answer.
    GoOn,
    Found(Result<Fetched, Failure>),
    Wait(State),
}

impl Fragment {
    /// Its request arrives.
    pub(super) fn ask(mut self, worker: &Worker, now: Timestamp) -> Outcome {
        if self.is_of_management() {
            return Outcome::Found(Err(Failure::Address));
        }
        let mut headers = self.request.clone();
        if let Road::Cluster(_, cluster) = &self.road {
            headers.push(ROAD, cluster);
        }
        let arrival = Arrival {
            headers,
            body: RequestBody::None,
            attributes: &HostAttributes,
        };
        let step = self.exchange.on(Event::Request(arrival), now);
        let wish = self.obey(worker, step, now);
        self.follow(worker, wish, now)
    }

    /// It waits no more for another's response.
    pub(super) fn woken(
        mut self,
        worker: &Worker,
        why: Wake,
        now: Timestamp,
    ) -> (u32, Number, Outcome) {
        let (stream, number) = (self.stream, self.number);
        let step = self.exchange.on(Event::Woken(why), now);
        let wish = self.obey(worker, step, now);
        (stream, number, self.follow(worker, wish, now))
    }

    /// The same with what the fleet has given it.
    pub(super) fn given(mut self, worker: &Worker, findings: Findings, now: Timestamp) -> Self {
        if findings.lead.is_some() {
            self.release_lead(worker, now); // one at a time
            self.lead = findings.lead;
        }
        self.brought = findings.brought.map(Box::new);
        self
    }

    /// The fleet has been asked.
    pub(super) fn consulted(
        mut self,
        worker: &Worker,
        consulted: Consulted,
        now: Timestamp,
    ) -> (u32, Number, Outcome) {
        let (stream, number) = (self.stream, self.number);
        let step = self.exchange.on(Event::Consulted(consulted), now);
        let wish = self.obey(worker, step, now);
        self.brought = None;
        (stream, number, self.follow(worker, wish, now))
    }

    /// Nobody needs it.
    pub(super) fn let_go(mut self, worker: &Worker, now: Timestamp) {
        match self.state {
            State::Called(..) => {}
            State::Consulting => worker.fleet.leave(self.id, now),
            State::Parked => worker.flights.leave(self.id),
        }
        self.release_lead(worker, now);
    }

    fn release_lead(&mut self, worker: &Worker, now: Timestamp) {
        if let Some(lead) = self.lead.take() {
            worker.fleet.release(lead, now);
        }
    }

    /// No page has a call of the management API on it.
    fn is_of_management(&self) -> bool {
        let config = self.exchange.surroundings().config();
        let Some(management) = &config.management else {
            return false;
        };
        let path = self.request.only(":path").unwrap_or_default();
        // What is no path is nobody's.
        Target::parse(path).is_ok_and(|target| {
            let path = target.path().as_bytes();
            path.starts_with(management.prefix.as_bytes())
        })
    }

    fn follow(mut self, worker: &Worker, wish: Wish, now: Timestamp) -> Outcome {
        match wish {
            Wish::Found(found) => {
                self.release_lead(worker, now); // it was as good as fresh here
                Outcome::Found(self.owner.sign(found))
            }
            Wish::Wait(state) => {
                self.state = state;
                Outcome::Waits(self)
            }
            Wish::GoOn => match self.call(worker, now) {
                Some(token) => {
                    self.state = State::Called(token, latest(now));
                    Outcome::Waits(self)
                }
                None => {
                    let owner = self.owner;
                    Outcome::Found(owner.sign(self.taken_in(worker, None, now)))
                }
            },
        }
    }

    fn call(&mut self, worker: &Worker, now: Timestamp) -> Option<u32> {
        let cluster = match &self.road {
            Road::None => return None,
            Road::Named(cluster) => {
                mark(worker, &mut self.request, now);
                cluster
            }
            Road::Cluster(route, _)
                if Passage::known(&SharedData, *route) == Some(Passage::Altered) =>
            {
                return None;
            }
            Road::Cluster(_, cluster) => cluster,
        };
        host::call(cluster, &self.request.to_pairs(), PATIENCE).ok()
    }

    /// Steps until it is answered, waits, or has to be asked for.
    fn obey(&mut self, worker: &Worker, step: Step<'_>, now: Timestamp) -> Wish {
        self.carry_out(worker, step.effects, now);
        match step.verdict {
            Verdict::Continue => Wish::GoOn,
            Verdict::Compose(template) => Wish::Found(Ok(of_template(*template))),
            Verdict::Reply(reply) => Wish::Found(of_reply(&reply)),
            Verdict::Lookup(key) => match self.brought.take_if(|brought| *brought.key == *key) {
                Some(brought) => {
                    let answer = Answer::Found(&brought.payload);
                    let step = self.exchange.on(Event::Answer(answer), now);
                    self.obey(worker, step, now)
                }
                None => {
                    let found = worker.lookup(&key, now);
                    let step = self.exchange.on(Event::Answer(Answer::of(&found)), now);
                    self.obey(worker, step, now)
                }
            },
            Verdict::Consult(asked) => {
                let most = self
                    .exchange
                    .surroundings()
                    .config()
                    .limits
                    .max_object_bytes;
                if worker.fleet.look((self.id, most), &asked, now) {
                    return Wish::Wait(State::Consulting);
                }
                let step = self.exchange.on(Event::Consulted(Consulted::Silent), now);
                self.obey(worker, step, now)
            }
            Verdict::Park(parking) => {
                let most = self.exchange.surroundings().config().coalescing.max_waiters;
                match worker.flights.park(self.id, parking, most, now) {
                    Ok(()) => Wish::Wait(State::Parked),
                    Err(_) => {
                        let step = self.exchange.on(Event::Woken(Wake::Full), now);
                        self.obey(worker, step, now)
                    }
                }
            }
            Verdict::Hold | Verdict::Inspect | Verdict::Manage(_) => {
                Wish::Found(Err(Failure::Address))
            }
        }
    }

    /// On its way to the origin.
    fn carry_out(&mut self, worker: &Worker, effects: Vec<Effect>, now: Timestamp) {
        for effect in effects {
            match effect {
                Effect::RemoveRequestHeader(name) => self.request.remove(name),
                Effect::SetRequestHeader(name, value) => {
                    self.request.remove(name);
                    self.request.push(name, value);
                }
                Effect::Refresh(refresh) => worker.refreshing.send(worker, *refresh, now),
                Effect::Compress(wish) => worker.note(wish),
                Effect::Count(counter) => worker.count(counter),
                Effect::Land(flight, landing) => flight.land(settled(landing, None, now)),
                Effect::Measure(histogram, micros) => worker.measure(histogram, micros),
                Effect::AddHeader(..)
                | Effect::Gather(_)
                | Effect::Invalidate(_)
                | Effect::RemoveHeader(_)
                | Effect::SetField(_)
                | Effect::SetHeader(..)
                | Effect::Store(_)
                | Effect::Watch(_) => {}
            }
        }
    }

    /// Its call was answered, or was not.
    pub(super) fn answered(
        self,
        worker: &Worker,
        size: Option<(usize, usize)>,
        now: Timestamp,
    ) -> (u32, Number, Outcome) {
        let (stream, number, owner) = (self.stream, self.number, self.owner);
        let found = self.taken_in(worker, size, now);
        (stream, number, Outcome::Found(owner.sign(found)))
    }

    /// The origin's response, as a client's would be taken in, or none.
    fn taken_in(
        mut self,
        worker: &Worker,
        size: Option<(usize, usize)>,
        now: Timestamp,
    ) -> Result<Fetched, Failure> {
        let answer = size.and_then(|(lines, bytes)| Some((answered_head(lines)?, bytes)));
        let is_there = answer.is_some();
        let (headers, bytes) =
            answer.unwrap_or_else(|| (Headers::from_iter([(":status", "503")]), 0));
        let body = match bytes {
            0 => ResponseBody::None,
            _ => ResponseBody::Follows,
        };
        let attributes: &dyn Attributes = match is_there {
            true => &OfTheOrigin,
            false => &Nobody,
        };
        let mut taking = Taking::begin(headers.clone(), self.road.clone());
        let arriving = Arriving {
            headers,
            body,
            attributes,
        };
        let mut step = self.exchange.on(Event::Response(arriving), now);
        let found;
        if let Verdict::Lookup(key) = &step.verdict {
            taking.carry_out(worker, std::mem::take(&mut step.effects), now);
            found = worker.lookup(key, now);
            step = self.exchange.on(Event::Answer(Answer::of(&found)), now);
        }
        taking.carry_out(worker, step.effects, now);
        let outcome = match step.verdict {
            Verdict::Reply(reply) => of_reply(&reply),
            Verdict::Compose(template) => Ok(of_template(*template)),
            Verdict::Continue if is_there => self.body(worker, (&mut taking, bytes), now),
            Verdict::Consult(_)
            | Verdict::Continue
            | Verdict::Hold
            | Verdict::Inspect
            | Verdict::Lookup(_)
            | Verdict::Manage(_)
            | Verdict::Park(_) => Err(Failure::Unreachable),
        };
        let lead = self.lead.take();
        worker.fleet.share(worker, taking.parcel, lead, now);
        outcome
    }

    fn body(
        &mut self,
        worker: &Worker,
        (taking, bytes): (&mut Taking, usize),
        now: Timestamp,
    ) -> Result<Fetched, Failure> {
        let most = self.exchange.surroundings().config().composition.max_bytes;
        if bytes > most.max(self.exchange.wanted_body().unwrap_or_default()) {
            // A copy of it would be memory that nobody needs, and that this worker never gives back.
            if self.exchange.minds_the_end() {
                let step = self.exchange.on(Event::Aborted, now);
                taking.carry_out(worker, step.effects, now);
            }
            return Err(Failure::Bound);
        }
        let body = host::call_response_body(bytes).map_err(|_| Failure::Unreachable)?;
        if let Some(wanted) = self.exchange.wanted_body() {
            let chunk = body.get(..wanted).unwrap_or(&body);
            let step = self.exchange.on(Event::Chunk(chunk), now);
            taking.carry_out(worker, step.effects, now);
            let step = self.exchange.on(Event::ResponseEnded, now);
            taking.carry_out(worker, step.effects, now);
        }
        if bytes > most {
            return Err(Failure::Bound);
        }
        let status = taking.headers.only(":status").unwrap_or_default();
        let status = str::from_utf8(status).ok().and_then(|it| it.parse().ok());
        let mut headers = std::mem::take(&mut taking.headers);
        headers.retain(|name, _| !name.starts_with(b":"));
        let part = Part {
            status: status.ok_or(Failure::Status)?,
            headers,
            body,
        };
        Ok((part, taking.language))
    }
}
