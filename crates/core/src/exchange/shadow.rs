//! A rule that is only tried: everything is looked up, and the client gets the origin's answer all the same.
//!
//! Where there would have been a hit, what would have been sent is held against what comes. Of the first only status and
//! digest are kept, and of the second a digest is made while it streams, so that a rule can be tried on bodies of any size.
//! Nothing is stored then: what is there is fresh. Where there would have been none, the request goes on as a miss, but without
//! a question of ours, since the answer to that would not be the client's.
//!
//! Compared are whole answers: those to HEAD have no body, those to a range or with a condition may rightly be others than
//! what is stored. An error of the origin (5xx), an answer of the proxy, and one that breaks off say nothing about the rule.

use md5::{Digest, Md5};

use super::event::{Arriving, ResponseBody};
use super::form::Unfit;
use super::lookup::Looking;
use super::validate::{Maker, maker};
use super::{Effect, Passage, State, Step, Surroundings, annotate};
use crate::config::{PolicyId, Switch};
use crate::entry::{Coding, StoredResponse};
use crate::http::{Headers, Method, ResponseHead};
use crate::policy::Reason;
use crate::policy::validation::Preconditions;
use crate::report::{Annotation, Counter, Outcome, RuleCounter};
use crate::time::Timestamp;
use crate::transform::unzip;

const HIT: Annotation = Annotation::Bypass(Reason::ShadowHit);

/// What would have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sketch {
    status: u16,
    digest: [u8; 16],
}

/// The request is on its way to the origin, although there was an answer.
#[derive(Debug)]
pub(super) struct Shadowing {
    rule: PolicyId,
    sketch: Sketch,
}

/// The origin's body comes by.
#[derive(Debug)]
pub(super) struct Comparing {
    rule: PolicyId,
    expected: [u8; 16],
    came: Md5,
}

impl Looking {
    /// Whether its rule is only tried.
    pub(super) fn is_shadow(&self, around: &Surroundings) -> bool {
        let policy = around.config.policy(self.subject.policy);
        policy.is_some_and(|policy| policy.shadow == Switch::On)
    }

    /// There would have been this answer.
    pub(super) fn shadow_hit<'a>(
        self,
        around: &Surroundings,
        stored: &StoredResponse<'_>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let head = &self.subject.head;
        let is_whole = head.method() != Method::Head
            && !head.headers().contains("range")
            && Preconditions::of(head).is_none();
        if !is_whole {
            return self.uncompared(around);
        }
        match Sketch::of(stored, around) {
            Ok(sketch) => {
                let shadowing = Shadowing {
                    rule: self.subject.policy,
                    sketch,
                };
                (State::Shadowing(Box::new(shadowing)), self.counted(around))
            }
            Err(Unfit::Corrupt) => self.corrupt(around, now),
            Err(Unfit::NoMemory) => self.uncompared(around),
        }
    }

    /// There would have been an answer, which nothing that comes can be held against.
    pub(super) fn uncompared<'a>(self, around: &Surroundings) -> (State, Step<'a>) {
        (
            State::Passing(Passage::Annotated(HIT)),
            self.counted(around),
        )
    }

    fn counted<'a>(&self, around: &Surroundings) -> Step<'a> {
        around.tally.request(self.subject.policy, Outcome::Bypass);
        Step::continue_with(vec![Effect::Count(Counter::Bypassed(Reason::ShadowHit))])
    }
}

impl Sketch {
    fn of(stored: &StoredResponse<'_>, around: &Surroundings) -> Result<Self, Unfit> {
        let digest = match stored.coding {
            Coding::AsReceived | Coding::Compressible => Md5::digest(stored.body),
            Coding::Gzip { length } => {
                let most = around.config.limits.max_object_bytes;
                Md5::digest(unzip(stored.body, length, most)?)
            }
        };
        Ok(Self {
            status: stored.status,
            digest: digest.into(),
        })
    }
}

impl Shadowing {
    /// Takes in the response's head.
    pub(super) fn responded<'a>(
        self,
        around: &Surroundings,
        arriving: Arriving<'_>,
    ) -> (State, Step<'a>) {
        let maker = maker(arriving.attributes);
        let Ok(response) = ResponseHead::parse(arriving.headers) else {
            return (State::done(), annotate(around, HIT, Some(&Headers::new())));
        };
        let step = annotate(around, HIT, Some(&response.headers));
        let state = match maker {
            Maker::Proxy | Maker::Router | Maker::Unknown => State::done(),
            Maker::Upstream => self.compare(around, response.status, arriving.body),
        };
        (state, step)
    }

    fn compare(self, around: &Surroundings, status: u16, body: ResponseBody) -> State {
        let Self { rule, sketch } = self;
        if status >= 500 {
            return State::done();
        }
        if status != sketch.status {
            around.tally.note(rule, RuleCounter::ShadowMismatch);
            return State::done();
        }
        let comparing = Comparing {
            rule,
            expected: sketch.digest,
            came: Md5::new(),
        };
        match body {
            ResponseBody::Follows => State::Comparing(Box::new(comparing)),
            ResponseBody::None => {
                comparing.finish(around);
                State::done()
            }
        }
    }
}

impl Comparing {
    /// Takes the next chunk.
    pub(super) fn grow<'a>(mut self: Box<Self>, chunk: &[u8]) -> (State, Step<'a>) {
        self.came.update(chunk);
        (State::Comparing(self), Step::pass())
    }

    /// The response is complete.
    pub(super) fn finish(self, around: &Surroundings) {
        let came: [u8; 16] = self.came.finalize().into();
        let counter = match came == self.expected {
            true => RuleCounter::ShadowMatch,
            false => RuleCounter::ShadowMismatch,
        };
        around.tally.note(self.rule, counter);
    }
}
