//! What is given in place of a failure (RFC 5861 section 4).
//!
//! The origin was asked, since what is stored may not be used as long as it answers, and it has failed. The tiers are asked once
//! more then: what stood there need not be kept in the worker while the origin takes its time, and something better may have
//! come, or an invalidation.
//!
//! The answer goes out as one does that a 304 has confirmed, past the proxy's response filters.

use std::rc::Rc;

use super::event::{Answer, ResponseBody};
use super::present::present;
use super::response::Forwarding;
use super::serve::Warrant;
use super::validate::{Maker, replace};
use super::{Effect, State, Step, Surroundings, landing, serve};
use crate::config::CachePolicy;
use crate::entry::Payload;
use crate::epoch::{Stamped, Whereabouts};
use crate::http::{Headers, ResponseHead};
use crate::key::Key;
use crate::policy::Reason;
use crate::policy::request::Demands;
use crate::policy::reuse::{self, Need, Reuse, Stale};
use crate::policy::stale::Terms;
use crate::report::Counter;
use crate::time::Timestamp;

/// Something stale, for the case that the origin fails.
#[derive(Debug)]
pub(super) struct Spare {
    /// Where it stands.
    pub(super) key: Rc<Key>,
    /// What its client demands.
    pub(super) demands: Demands,
}

/// What has arrived in answer to the request.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) head: ResponseHead,
    pub(super) body: ResponseBody,
    pub(super) maker: Maker,
}

/// The origin has failed, and the tiers have been asked.
#[derive(Debug)]
pub(super) struct Rescuing {
    forwarding: Box<Forwarding>,
    demands: Demands,
    failure: Arrived,
}

/// What is left where this client is given nothing.
enum Left {
    /// What others would be given: the failure, which might be stored, does not take its place.
    ForOthers,
    Nothing,
}

impl Arrived {
    /// Whether it says that the origin has failed.
    ///
    /// "In this context, an error is any situation that would result in a 500, 502, 503, or 504 HTTP response status code being
    /// returned." RFC 5861 section 4. What another filter of the proxy says of its own accord is its business.
    pub(super) fn is_failure(&self, policy: &CachePolicy) -> bool {
        match self.maker {
            Maker::Proxy | Maker::Unknown => false,
            Maker::Router => true,
            Maker::Upstream => policy.sparing.failures.contains(&self.head.status),
        }
    }
}

impl Rescuing {
    /// Looks for something that can be given in place of this.
    #[cold]
    pub(super) fn begin<'a>(
        forwarding: Box<Forwarding>,
        Spare { key, demands }: Spare,
        failure: Arrived,
    ) -> (State, Step<'a>) {
        let rescuing = Self {
            forwarding,
            demands,
            failure,
        };
        (State::Rescuing(Box::new(rescuing)), Step::lookup(key))
    }

    /// Takes in what the tiers hold.
    #[cold]
    pub(super) fn answered<'a>(
        mut self,
        around: &Surroundings,
        answer: Answer<'a>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let given = match answer {
            Answer::Absent | Answer::Expired => Err(Left::Nothing),
            Answer::Found(bytes) => self.rescue(around, bytes, now),
        };
        match given {
            Ok(step) => (State::done(), step),
            Err(Left::Nothing) => self.forwarding.judge(around, self.failure, now),
            Err(Left::ForOthers) => {
                let Arrived { head, .. } = self.failure;
                let sent = (head.status, &head.headers);
                self.forwarding.skipped(around, sent, Reason::Status, now)
            }
        }
    }

    fn rescue<'a>(
        &mut self,
        around: &Surroundings,
        bytes: &'a [u8],
        now: Timestamp,
    ) -> Result<Step<'a>, Left> {
        let Ok(Payload::Response(stored)) = Payload::decode(bytes) else {
            return Err(Left::Nothing);
        };
        let subject = &self.forwarding.subject;
        let policy = around.config.policy(subject.policy).ok_or(Left::Nothing)?;
        let headers = Headers::copy_of_pairs(stored.pairs).map_err(|_| Left::Nothing)?;
        if !serve::is_sendable(&headers) {
            return Err(Left::Nothing);
        }
        around.epochs.now(); // it has been a while
        let stamped = Stamped {
            epoch: stored.meta.epoch,
            stamps: stored.stamps,
            key: &self.forwarding.known.key,
            whereabouts: Whereabouts::Shared,
        };
        let currency = around.judge(stamped, &stored.meta, now).currency;
        let terms = Terms::of(policy, stored.status);
        let facts = (&stored.meta, currency);
        let (age, warrant) = match reuse::judge(facts, terms, self.demands, now) {
            Reuse::Fresh { age, ttl_left } => (age, Warrant::Fresh(ttl_left)),
            Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_)
            | Reuse::Validate(_) => {
                let need = Need::Failed;
                let stale = reuse::judge_in_need(facts, terms, self.demands, need, now);
                let stale = stale.ok_or_else(|| match reuse::stands_in(facts, terms, now) {
                    true => Left::ForOthers,
                    false => Left::Nothing,
                })?;
                (stale.age, self.warrant(stale))
            }
        };
        let asked = (subject, policy);
        let presented = present(&stored, (headers, age, warrant), asked, around);
        let (mut answered, _) = presented.map_err(|_| Left::Nothing)?;
        let status = self.failure.head.status;
        let reason = match self.failure.maker {
            Maker::Proxy | Maker::Router | Maker::Unknown => Reason::LocalReply,
            Maker::Upstream => Reason::Status,
        };
        let not_stored = Effect::Count(Counter::NotStored(reason));
        answered.effects.push(not_stored);
        let landing = landing::of_skipped((status, reason), subject.policy, around, now);
        answered.effects.extend(self.forwarding.land(landing, now));
        let Arrived { head, body, .. } = &self.failure;
        Ok(replace(&head.headers, *body, answered))
    }

    fn warrant(&self, Stale { overdue, why, .. }: Stale) -> Warrant {
        let status = match self.failure.maker {
            Maker::Proxy | Maker::Router | Maker::Unknown => None,
            Maker::Upstream => Some(self.failure.head.status),
        };
        Warrant::Instead {
            forward: self.forwarding.forward,
            status,
            overdue,
            why,
        }
    }
}
