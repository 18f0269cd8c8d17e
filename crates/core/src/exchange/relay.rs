//! Requests that are not looked up, but whose responses may be templates: who asks for those gets pages, too.
//!
//! A template is for whoever makes a page of it, and may have on it what no client is to see. So it does not matter by which
//! method, and with which fields, a client asks for it.

use super::budget::Hold;
use super::event::Arriving;
use super::gathering;
use super::validate::{Maker, maker};
use super::{Effect, Passage, State, Step, Surroundings};
use crate::config::{Heads, PolicyId, Switch};
use crate::http::{RequestHead, ResponseHead};
use crate::policy::invalidation::is_safe;
use crate::policy::{Reason, template};

/// A request that is larger needs room. As many as a proxy has at a time, without, are no danger to a VM.
const MOST_BEYOND: usize = 16 << 10;

/// What a page is made for.
#[derive(Debug)]
pub(super) struct Relay {
    rule: PolicyId,
    request: RequestHead,
    /// When a template's head leaves.
    heads: Heads,
    /// Where templates are announced a request of usual size is kept whether there is room for it or not: else its client would be
    /// given one.
    _hold: Option<Hold>,
}

impl Relay {
    /// That of a request that is not looked up for this reason; `None` where no template can come.
    pub(super) fn of(
        around: &Surroundings,
        rule: PolicyId,
        request: RequestHead,
        why: Reason,
    ) -> Option<Box<Self>> {
        let policy = around.config.policy(rule)?;
        let templates = policy.templates;
        let is_only_tried = policy.shadow == Switch::On;
        if why == Reason::Upgrade || is_only_tried || !template::is_possible(templates) {
            return None;
        }
        let heads = match is_safe(&request) && why != Reason::Grpc {
            true => templates.heads,
            // Nobody keeps what answers it; and the outside adds to its head (`larder-token`), which must not be lost. And what
            // the filter itself replies to who says that it speaks gRPC is no page: the proxy makes a gRPC status of it.
            false => Heads::Sent,
        };
        let size = request.headers().size();
        let hold = Hold::of(&around.budget, size).ok();
        let is_needed = template::is_announced(templates) && size <= MOST_BEYOND;
        let is_kept = hold.is_some() || is_needed;
        is_kept.then(|| {
            Box::new(Self {
                rule,
                request,
                heads,
                _hold: hold,
            })
        })
    }

    /// What has to change in the request's head before it goes to the origin.
    pub(super) fn edits(&self, around: &Surroundings) -> Vec<Effect> {
        let Some(policy) = around.config.policy(self.rule) else {
            return Vec::new();
        };
        let request = self.request.headers();
        match is_safe(&self.request) {
            true => gathering::edits_of_reader(policy, request),
            false => gathering::edits(policy, request), // what it may change is the origin's to make conditions for
        }
    }

    /// Takes in the response's head.
    pub(super) fn responded<'a>(
        &self,
        around: &Surroundings,
        said: Passage,
        arriving: Arriving<'_>,
    ) -> (State, Step<'a>) {
        let (body, maker) = (arriving.body, maker(arriving.attributes));
        let head = ResponseHead::parse(arriving.headers).ok();
        let sent = head.as_ref().map(|head| &head.headers);
        let mut step = said.step(around, sent);
        if let Some(head) = &head {
            let arrived = ((head.status, &head.headers), body, None);
            step.effects
                .extend(self.gather(around, arrived, maker, said));
        }
        (State::done(), step)
    }

    /// What is done to a response where it is the origin's and a template. The client is told this of the cache.
    pub(super) fn gather(
        &self,
        around: &Surroundings,
        arrived: gathering::Arrived<'_>,
        maker: Maker,
        said: Passage,
    ) -> Vec<Effect> {
        let Some(policy) = around.config.policy(self.rule) else {
            return Vec::new();
        };
        if maker != Maker::Upstream {
            return Vec::new();
        }
        let asker = (policy, self.request.headers());
        gathering::of_arrived(around, (asker, self.heads), arrived, said)
    }
}
