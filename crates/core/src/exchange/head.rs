//! What the response to a HEAD says about the stored response to a GET (RFC 9111 section 4.3.5).
//!
//! Its head is that of a 200 whose body nobody sent. If it is about the body that is stored, the entry is as good as one
//! that the origin has confirmed; if it is not, the stored one is over. Either way the client gets the origin's answer.

use super::response::Forwarding;
use super::validate::Question;
use super::{Effect, State, Step, Surroundings, annotate};
use crate::epoch::{Coverage, Invalidation, Mode, Scope};
use crate::http::ResponseHead;
use crate::policy::{Reason, freshening, storable};
use crate::report::{Annotation, Forward, Outcome, Storing};
use crate::time::Timestamp;

impl Question {
    /// The origin has answered a HEAD with this head.
    pub(super) fn compared<'a>(
        self,
        forwarding: &mut Forwarding,
        around: &Surroundings,
        update: &ResponseHead,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        // After a soft purge a date is not enough: it may be the same before and after the change that was purged for.
        let is_told = forwarding.forward != Forward::Stale(Reason::SoftPurged)
            || freshening::has_strong_tag(&update.headers);
        if !is_told || !freshening::describes(update, &self.headers, self.body.length()) {
            let (state, mut step) = forwarding.skipped(
                around,
                (update.status, &update.headers),
                Reason::OtherValidator,
                now,
            );
            step.effects.extend(Self::ended(forwarding));
            return (state, step);
        }
        match self.freshened(forwarding, around, update, now) {
            Ok(stored) => {
                let annotation = Annotation::Miss(forwarding.forward, Storing::Captured);
                let mut step = annotate(around, annotation, Some(&update.headers));
                around
                    .tally
                    .request(forwarding.subject.policy, Outcome::Miss);
                step.effects.extend(stored);
                (State::done(), step)
            }
            Err(reason) => {
                forwarding.skipped(around, (update.status, &update.headers), reason, now)
            }
        }
    }

    /// "the cache MUST use the header fields provided in the HEAD response to update the stored response" RFC 9111 section
    /// 4.3.5.
    fn freshened(
        mut self,
        forwarding: &Forwarding,
        around: &Surroundings,
        update: &ResponseHead,
        now: Timestamp,
    ) -> Result<Vec<Effect>, Reason> {
        let facts = forwarding.subject.facts.as_of_get();
        let policy = around.config.policy(forwarding.subject.policy);
        let policy = policy.ok_or(Reason::Internal)?;
        storable::judge_sharing(facts, update, policy)?;
        let cookies = policy.set_cookie;
        let mut judged = ResponseHead {
            status: self.status,
            headers: freshening::freshen(self.headers, &update.headers, cookies, now),
        };
        if let Some(age) = update.headers.first("age") {
            judged.headers.push("age", age);
        }
        let draft = forwarding.draft_for(facts, around, (&judged, self.tags.as_names()), now)?;
        self.body.follow(draft.status, &draft.headers)?;
        let stored = draft.with_held(&self.body)?;
        Ok(stored.into_iter().map(Effect::Store).collect())
    }

    /// "otherwise, the cache SHOULD consider the stored response to be stale" RFC 9111 section 4.3.5; what is stale already,
    /// or never used without asking, need not be told.
    fn ended(forwarding: &Forwarding) -> Option<Effect> {
        match forwarding.forward {
            Forward::Stale(
                Reason::Expired | Reason::Invalidated | Reason::NoCache | Reason::SoftPurged,
            ) => None,
            Forward::Partial
            | Forward::Request
            | Forward::Shadow
            | Forward::Stale(_)
            | Forward::UriMiss
            | Forward::VaryMiss => {
                // That of the key under which it was found, which No-Vary-Search may have led to.
                let resource = forwarding.known.key.resource();
                let stamps = vec![Scope::Resource(&resource).stamp()];
                Some(Effect::Invalidate(Invalidation {
                    coverage: Coverage::Stamps(stamps),
                    mode: Mode::Invalid,
                }))
            }
        }
    }
}
