//! From a response's head to a draft of an entry: what is stored, for how long, and where.

use std::rc::Rc;

use super::request::Subject;
use super::response::Forwarding;
use super::store::{Draft, Placement};
use super::{Shareable, Surroundings, serve};
use crate::config::{CachePolicy, Limits, Switch};
use crate::entry::{
    Lifetime, MAX_STAMPS, Meta, Stamp, TagList, TagNames, Validation, VariantMark, Variants,
};
use crate::http::{Headers, ResponseHead, Target, list, remove_tags};
use crate::key::Key;
use crate::policy::freshness::Times;
use crate::policy::request::RequestFacts;
use crate::policy::stale::Terms;
use crate::policy::storable::{self, Storability};
use crate::policy::{Reason, deception, invalidation, jitter, tags};
use crate::time::{Seconds, Timestamp};

impl Forwarding {
    /// What is stored of a response with this head, which had these tags `before` it was updated.
    pub(super) fn draft(
        &self,
        around: &Surroundings,
        response: (&ResponseHead, TagNames<'_>),
        now: Timestamp,
    ) -> Result<Draft, Reason> {
        self.draft_for(self.subject.facts, around, response, now)
    }

    /// The same, of a response to a request like this.
    pub(super) fn draft_for(
        &self,
        facts: RequestFacts,
        around: &Surroundings,
        (response, before): (&ResponseHead, TagNames<'_>),
        now: Timestamp,
    ) -> Result<Draft, Reason> {
        let config = &around.config;
        let policy = config.policy(self.subject.policy).ok_or(Reason::Internal)?;
        let started = self.subject.started;
        let times = Times {
            request: started,
            response: now,
        };
        let mut plan = match storable::judge(facts, response, policy, times, &config.limits) {
            Storability::Store(plan) if serve::is_storable(&plan.headers) => plan,
            Storability::Store(_) => return Err(Reason::TooLarge),
            Storability::Skip(reason) => return Err(reason),
        };
        // That of a target which has been read before.
        let target = Target::parse(self.subject.head.target()).map_err(|_| Reason::Internal)?;
        let source = plan.lifetime.source;
        deception::judge(target.path().as_bytes(), &response.headers, source)?;
        let meta = Meta {
            request_time: started,
            response_time: now,
            initial_age: plan.initial_age,
            lifetime: jitter::shortened(&plan, policy, &self.subject.key, now),
            validation: plan.validation,
            staleness: plan.staleness,
            epoch: self.subject.epoch,
            rule: policy.hash,
        };
        let terms = Terms::of(policy, response.status);
        let stale = terms.worth(&meta.staleness, config.breaker.max_stale);
        let expires = now.plus(usefulness(&meta, stale));
        // What the stored response says of itself counts, not what a `Connection` or a `private` has taken away.
        let max = config.limits.max_key_bytes;
        let destination = self
            .trail
            .destination(&self.subject, &plan.headers, expires, max);
        let mut stamps = invalidation::stamps_of_groups(&self.subject.head, &response.headers)?;
        let key = &destination.key;
        stamps.extend(invalidation::stamps_of_request(&self.subject.head, key));
        let (tags, stamps_of_tags) =
            self.tags(around, (policy, &target), &response.headers, before)?;
        stamps.extend(stamps_of_tags);
        if stamps.len() > MAX_STAMPS {
            return Err(Reason::TagLimit);
        }
        // Who may see them gets them from here, and else their names are enough.
        if config.headers.expose_tags == Switch::Off {
            remove_tags(&mut plan.headers);
        }
        let times = (expires, now);
        let place = self.place(&config.limits, destination.key, &response.headers, times)?;
        Ok(Draft {
            meta,
            stamps: stamps.into_iter().collect(),
            tags,
            status: response.status,
            headers: plan.headers,
            expires,
            place,
            notes: destination.notes,
            // What is only tried is nobody's answer.
            shareable: match policy.shadow {
                Switch::Off => Shareable::Since(meta.epoch),
                Switch::On => Shareable::Here,
            },
        })
    }

    /// The tags of a response with these fields, and their stamps.
    fn tags(
        &self,
        around: &Surroundings,
        (policy, target): (&CachePolicy, &Target),
        response: &Headers,
        before: TagNames<'_>,
    ) -> Result<(TagList, Vec<Stamp>), Reason> {
        let Subject { head, key, .. } = &self.subject;
        let names = &policy.tagging.groups;
        let captures = around.config.captures(self.subject.policy, target, names);
        let values = tags::Values {
            captures: &captures,
            headers: head.headers(),
            identity: key.identity(),
        };
        tags::of(
            (policy, values),
            response,
            before,
            around.config.limits.max_tags,
        )
    }

    /// Where the response goes: what varies has a place of its own.
    fn place(
        &self,
        limits: &Limits,
        primary: Rc<Key>,
        headers: &Headers,
        (expires, now): (Timestamp, Timestamp),
    ) -> Result<Placement, Reason> {
        let names = vary_names(headers)?;
        if names.is_empty() {
            return Ok(Placement::Primary(primary));
        }
        let unknown = Variants::default();
        let known = match self.known.key == primary {
            true => &self.known.variants,
            false => &unknown,
        };
        let variants = known.with_fields(names).ok_or(Reason::VaryLimit)?;
        let key = primary
            .variant(
                variants.fields(),
                self.subject.head.headers(),
                limits.max_key_bytes,
            )
            .map_err(|_| Reason::KeyInvalid)?;
        let mark = VariantMark {
            digest: key.digest().short(),
            expires,
        };
        let variants = variants
            .with_variant(mark, limits.max_variants, now)
            .ok_or(Reason::VaryLimit)?;
        Ok(Placement::Variant {
            primary,
            variants,
            key: Rc::new(key),
        })
    }
}

/// How long a response is worth its place: while it is fresh; where it may be used `stale`, as long as that, but no longer
/// than a month; and where the origin can be asked about it, as long again as it is fresh, but at least a minute and at
/// most an hour.
fn usefulness(meta: &Meta, stale: Seconds) -> Seconds {
    const LEAST: Seconds = Seconds::clamped(60);
    const MOST: Seconds = Seconds::clamped(3600);
    const MOST_STALE: Seconds = Seconds::clamped(30 * 24 * 3600);
    let Lifetime { seconds, .. } = meta.lifetime;
    let fresh = seconds.saturating_sub(meta.initial_age);
    let used = seconds
        .saturating_add(stale.min(MOST_STALE))
        .saturating_sub(meta.initial_age);
    match meta.validation {
        Validation::Always => fresh.saturating_add(fresh.clamp(LEAST, MOST)),
        Validation::Never => used,
        Validation::WhenStale => used.max(fresh.saturating_add(fresh.clamp(LEAST, MOST))),
    }
}

/// The fields that the response says it varies on; [`Reason::VaryStar`] for a name that no request can have.
fn vary_names(headers: &Headers) -> Result<Vec<&str>, Reason> {
    let names = list::elements(headers.all("vary")).map(|member| str::from_utf8(member.bytes()));
    names
        .collect::<Result<_, _>>()
        .map_err(|_| Reason::VaryStar)
}
