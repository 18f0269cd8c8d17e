//! A response's head has come: whether it is the answer, and whether it is stored.

use std::rc::Rc;

use super::budget::Hold;
use super::capture::Capture;
use super::event::{Arriving, ResponseBody};
use super::incomplete::{self, Extent, Waiting};
use super::request::Subject;
use super::rescue::{Arrived, Rescuing, Spare};
use super::search::Trail;
use super::store::Capturing;
use super::validate::{Confirmation, Maker, Question, maker};
use super::{
    Effect, Histogram, Passage, Sight, Sighting, State, Step, Surroundings, Ticket, annotate,
    gathering, landing, serve,
};
use crate::config::Switch;
use crate::entry::{TagNames, Variants};
use crate::flight::{Flight, Landing};
use crate::http::{Headers, ResponseHead};
use crate::key::Key;
use crate::policy::storable;
use crate::policy::{Reason, range};
use crate::report::{Annotation, Counter, FetchClass, FetchResult, Forward, Outcome, Storing};
use crate::time::Timestamp;

/// The request is on its way to the origin.
#[derive(Debug)]
pub(super) struct Forwarding {
    pub(super) subject: Subject,
    pub(super) forward: Forward,
    /// The variants the URL was known to have.
    pub(super) known: Known,
    pub(super) trail: Trail,
    pub(super) basis: Basis,
    /// Where others wait for the response.
    pub(super) flight: Option<Flight>,
    /// Where the origin may fail.
    pub(super) spare: Option<Spare>,
    /// Where it was sent to, where that cannot be seen when the response comes.
    pub(super) cluster: Option<Vec<u8>>,
    pub(super) audience: Audience,
    /// For the request's head, which is kept until the response says what it varies on.
    pub(super) _hold: Hold,
}

/// Who waits for the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// A client.
    Client,
    /// Nobody: clients have been given what is stale.
    Nobody,
}

/// The variants a lookup has found.
#[derive(Debug)]
pub(super) struct Known {
    /// Under which key.
    pub(super) key: Rc<Key>,
    pub(super) variants: Variants,
}

/// What is stored already.
#[derive(Debug)]
pub(super) enum Basis {
    /// A response, and the origin is asked whether it is still good.
    Asked(Question),
    /// A response, and the origin is asked by a HEAD, which has something to say about it.
    Compared(Question),
    /// Nothing that could be used.
    Nothing,
    /// A part, which may grow.
    Part(Waiting),
    /// All of a response, fresh, but not what this request wants.
    Whole,
}

impl Forwarding {
    /// Takes in the response's head.
    pub(super) fn responded<'a>(
        self: Box<Self>,
        around: &Surroundings,
        arriving: Arriving<'_>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let nanos = now
            .as_nanos()
            .saturating_sub(self.subject.started.as_nanos());
        let micros = nanos / 1000;
        let (result, (state, mut step)) = self.take_in(around, arriving, now);
        around.tally.fetch(FetchClass::Foreground, result, micros);
        let measure = Effect::Measure(Histogram::Fetch, micros);
        step.effects.push(measure);
        (state, step)
    }

    fn take_in<'a>(
        mut self: Box<Self>,
        around: &Surroundings,
        arriving: Arriving<'_>,
        now: Timestamp,
    ) -> (FetchResult, (State, Step<'a>)) {
        let maker = maker(arriving.attributes);
        match ResponseHead::parse(arriving.headers) {
            Ok(head) => {
                let result = result(head.status, &self.basis, maker);
                let body = arriving.body;
                let response = Arrived { head, body, maker };
                let health = self.note_health(around, &response, now);
                let (state, mut step) = self.judge_or_rescue(around, response, now);
                step.effects.extend(health);
                (result, (state, step))
            }
            Err(_) => {
                let next = self.skipped(around, (502, &Headers::new()), Reason::Status, now);
                (FetchResult::Error, next)
            }
        }
    }

    fn judge_or_rescue<'a>(
        mut self: Box<Self>,
        around: &Surroundings,
        arrived: Arrived,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let policy = around.config.policy(self.subject.policy);
        let is_failure = policy.is_some_and(|policy| arrived.is_failure(policy));
        match (self.spare.take(), self.audience) {
            (Some(spare), Audience::Client) if is_failure => Rescuing::begin(self, spare, arrived),
            // What is stale is better, also where the failure might be stored.
            (_, Audience::Nobody) if is_failure => {
                let Arrived { head, .. } = arrived;
                self.skipped(around, (head.status, &head.headers), Reason::Status, now)
            }
            (_, Audience::Client | Audience::Nobody) => self.judge(around, arrived, now),
        }
    }

    /// Takes in what has arrived, whatever it is.
    pub(super) fn judge<'a>(
        &mut self,
        around: &Surroundings,
        Arrived {
            head: response,
            body,
            maker,
        }: Arrived,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let basis = std::mem::replace(&mut self.basis, Basis::Nothing);
        let basis = match (basis, response.status, maker) {
            (Basis::Asked(question), 304, _) => {
                let update = Confirmation {
                    head: response,
                    body,
                    maker,
                };
                return question.confirmed(self, around, update, now);
            }
            (_, _, Maker::Proxy | Maker::Router | Maker::Unknown) => {
                return self.skipped(
                    around,
                    (response.status, &response.headers),
                    Reason::LocalReply,
                    now,
                );
            }
            (Basis::Compared(question), 200, Maker::Upstream) => {
                return question.compared(self, around, &response, now);
            }
            (basis, _, Maker::Upstream) => basis,
        };
        match self.begin(around, basis, &response, body, now) {
            Err(reason) => {
                let sent = (response.status, &response.headers);
                let annotation = Annotation::Miss(self.forward, Storing::Skipped(reason));
                let (state, mut step) = self.skipped(around, sent, reason, now);
                step.effects
                    .extend(self.gather(around, (sent, body, None), annotation));
                (state, step)
            }
            Ok(mut capturing) => {
                capturing.flight = self.flight.take();
                let watched = (response.status, &capturing.draft.meta, &response.headers);
                let watch = self.watch(around, watched);
                let capturing = self.shown(around, &response.headers, capturing, now);
                let captured = self.captured(around, &response.headers, (capturing, body), now);
                let (state, mut step) = captured;
                step.effects.extend(watch);
                (state, step)
            }
        }
    }

    /// Shows what became of the request to whoever watches.
    pub(super) fn show(
        &self,
        around: &Surroundings,
        sight: Sight<'_>,
        now: Timestamp,
    ) -> Option<Ticket> {
        let sighting = Sighting {
            rule: self.subject.policy,
            head: &self.subject.head,
            sight,
        };
        around.show(&sighting, now)
    }

    fn shown(
        &self,
        around: &Surroundings,
        response: &Headers,
        capturing: Capturing,
        now: Timestamp,
    ) -> Capturing {
        let sight = Sight::Stored {
            forward: self.forward,
            lifetime: capturing.draft.meta.lifetime,
            response,
            tags: capturing.draft.tags.as_names(),
        };
        let ticket = match &capturing.extent {
            Extent::Whole => self.show(around, sight, now),
            Extent::Part(_) => None,
        };
        Capturing {
            ticket,
            ..capturing
        }
    }

    /// The origin's response is the answer, and is not stored.
    pub(super) fn skipped<'a>(
        &mut self,
        around: &Surroundings,
        (status, sent): (u16, &Headers),
        reason: Reason,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let sight = Sight::NotStored {
            forward: self.forward,
            status,
            response: sent,
            why: reason,
        };
        self.show(around, sight, now);
        let annotation = Annotation::Miss(self.forward, Storing::Skipped(reason));
        let mut step = annotate(around, annotation, Some(sent));
        around
            .tally
            .request(self.subject.policy, outcome(self.forward));
        step.effects.push(Effect::Count(Counter::NotStored(reason)));
        let landing = landing::of_skipped((status, reason), self.subject.policy, around, now);
        step.effects.extend(self.land(landing, now));
        (State::done(), step)
    }

    /// Its flight, if it leads one, ends like this. Where it was to make fresh what is stale, and has not, it is not followed by
    /// another at once.
    pub(super) fn land(&mut self, landing: Landing, now: Timestamp) -> Option<Effect> {
        let flight = self.flight.take()?;
        let landing = match (landing, self.audience) {
            (Landing::Unshared { until }, Audience::Nobody) if until <= now => Landing::Failed {
                rest: now.plus(landing::REST),
            },
            (
                Landing::Abandoned
                | Landing::Failed { .. }
                | Landing::Stored
                | Landing::Unshared { .. },
                _,
            ) => landing,
        };
        Some(Effect::Land(flight, landing))
    }

    /// The origin's response is the answer, and is copied on its way.
    fn captured<'a>(
        &self,
        around: &Surroundings,
        sent: &Headers,
        (capturing, body): (Capturing, ResponseBody),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let annotation = Annotation::Miss(self.forward, Storing::Captured);
        let mut step = annotate(around, annotation, Some(sent));
        around
            .tally
            .request(self.subject.policy, outcome(self.forward));
        // The head leaves before `store_if` can judge the body; nothing is promised that may not be kept, or is only tried.
        let policy = around.config.policy(self.subject.policy);
        let promise = policy
            .filter(|policy| policy.store_if.json.is_none() && policy.shadow == Switch::Off)
            .and_then(|policy| serve::cache_control(sent, &capturing.draft.meta, policy, around));
        let status = capturing.draft.status;
        let arrived = ((status, sent), body, promise.as_deref());
        let gathered = self.gather(around, arrived, annotation);
        let promise = promise.map(|value| Effect::AddHeader("cache-control", value));
        step.effects.extend(promise);
        step.effects.extend(gathered);
        match body {
            ResponseBody::Follows => (State::Capturing(Box::new(capturing)), step),
            ResponseBody::None => {
                let (state, stored) = capturing.finish(around, now);
                step.effects.extend(stored.effects);
                (state, step)
            }
        }
    }

    /// What is done where this is a template, of which a client gets a page.
    fn gather(
        &self,
        around: &Surroundings,
        arrived: gathering::Arrived<'_>,
        said: Annotation,
    ) -> Vec<Effect> {
        let subject = &self.subject;
        match (self.audience, around.config.policy(subject.policy)) {
            (Audience::Client, Some(policy)) => {
                let asker = (policy, subject.head.headers());
                let heads = policy.templates.heads;
                gathering::of_arrived(around, (asker, heads), arrived, Passage::Annotated(said))
            }
            (Audience::Client | Audience::Nobody, _) => Vec::new(),
        }
    }

    /// Begins the copy of a response that is to be stored.
    fn begin(
        &self,
        around: &Surroundings,
        basis: Basis,
        response: &ResponseHead,
        body: ResponseBody,
        now: Timestamp,
    ) -> Result<Capturing, Reason> {
        range::judge_answer(&self.subject.head, response.status)?;
        if response.status == 206 {
            return incomplete::begin(self, around, basis, response, now);
        }
        drop(basis); // whatever is stored gives way, and its room is free
        let draft = self.draft(around, (response, TagNames::default()), now)?;
        let promised = match body {
            // "A 204 response is terminated by the end of the header section; it cannot contain content or trailers." RFC 9110
            // section 15.3.5.
            ResponseBody::Follows if response.status == 204 => Some(0),
            ResponseBody::Follows => storable::announced_length(&response.headers),
            ResponseBody::None => Some(0),
        };
        let limit = around.config.limits.max_object_bytes;
        Ok(Capturing {
            policy: self.subject.policy,
            _hold: Hold::of(&around.budget, draft.size())?,
            capture: Capture::begin(&around.budget, promised, limit)?,
            draft,
            extent: Extent::Whole,
            ticket: None,
            flight: None,
        })
    }
}

/// What a response is, as an answer of the origin's.
fn result(status: u16, basis: &Basis, maker: Maker) -> FetchResult {
    match (maker, basis, status) {
        (Maker::Proxy | Maker::Router | Maker::Unknown, _, _) => FetchResult::Local,
        (Maker::Upstream, Basis::Asked(_), 304) => FetchResult::Confirmed,
        (Maker::Upstream, _, 500..) => FetchResult::Error,
        (Maker::Upstream, _, _) => FetchResult::Ok,
    }
}

/// What a request counts as that has gone to the origin.
pub(super) fn outcome(forward: Forward) -> Outcome {
    match forward {
        Forward::Shadow => Outcome::Bypass,
        Forward::Partial
        | Forward::Request
        | Forward::Stale(_)
        | Forward::UriMiss
        | Forward::VaryMiss => Outcome::Miss,
    }
}
