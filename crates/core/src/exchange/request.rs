//! From a request to a lookup: which rule holds for it, and which key it has.

use std::rc::Rc;

use super::event::Arrival;
use super::hold;
use super::lookup::Looking;
use super::refusal::{Refusal, ambiguity, refused};
use super::relay::Relay;
use super::token::Said;
use super::{Effect, Sight, Sighting, State, Step, Surroundings, Verdict};
use super::{manage, memo};
use crate::config::{PolicyId, Selection};
use crate::entry::Epoch;
use crate::fleet::TOKEN;
use crate::http::{Method, RequestDirectives, RequestHead, Target, overrides_method};
use crate::key::{Attributes, BuiltKey, Key, KeyError, KeyParts, Search};
use crate::policy::Reason;
use crate::policy::invalidation::Write;
use crate::policy::request::{self, Demands, Lookup, RequestBody, RequestFacts, RequestVerdict};
use crate::time::Timestamp;

/// What an exchange remembers of its request.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) policy: PolicyId,
    pub(super) head: RequestHead,
    pub(super) facts: RequestFacts,
    /// The key of the URL itself.
    pub(super) key: Rc<Key>,
    /// Where to find what No-Vary-Search says about the URL, where that counts.
    pub(super) search: Option<Search>,
    pub(super) body: RequestBody,
    pub(super) started: Timestamp,
    pub(super) epoch: Epoch,
}

impl Subject {
    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let search = self.search.as_ref().map_or(0, Search::size);
        let key = self.key.canonical().len();
        let head = self.head.headers().size();
        head.saturating_add(key).saturating_add(search)
    }
}

/// Takes the request in, out of whose fields was taken what it says of its client's writes.
pub(super) fn begin<'a>(
    around: &Surroundings,
    arrival: Arrival<'_>,
    said: &Said,
    now: Timestamp,
) -> (State, Step<'a>) {
    let (state, mut step) = take_in(around, arrival, said, now);
    match (said, &step.verdict) {
        (Said::Nothing, _) | (Said::Behind(_) | Said::Token, Verdict::Reply(_)) => {}
        (Said::Behind(_) | Said::Token, _) => {
            step.effects.push(Effect::RemoveRequestHeader(TOKEN));
        }
    }
    (state, step)
}

fn take_in<'a>(
    around: &Surroundings,
    arrival: Arrival<'_>,
    said: &Said,
    now: Timestamp,
) -> (State, Step<'a>) {
    let Arrival {
        headers,
        body,
        attributes,
    } = arrival;
    let is_behind = matches!(said, Said::Behind(_));
    if body == RequestBody::None
        && !is_behind
        && let Some(answered) = memo::recall(around, &headers, now)
    {
        return answered;
    }
    let Ok(head) = RequestHead::parse(headers) else {
        let refusal = (Refusal::Bypass(Reason::KeyInvalid), None);
        return refused(around, PolicyId::Unmatched, refusal, None);
    };
    let head = match manage::begin(around, head, body, attributes, now) {
        Ok(managed) => return managed,
        Err(head) => head,
    };
    let write = Write::of(&head, attributes, &around.config);
    match prepare(around, head, body, attributes, now) {
        Ok(mut looking) => {
            if is_behind {
                looking.lookup.demands = Demands::Confirmed;
            }
            hold::begin(around, looking, body)
        }
        Err((rule, refusal, relay)) => refused(around, rule, (refusal, relay), write),
    }
}

/// What stands against a lookup, under which rule, and what a page is made for all the same.
type Obstacle = (PolicyId, Refusal, Option<Box<Relay>>);

fn prepare(
    around: &Surroundings,
    head: RequestHead,
    body: RequestBody,
    attributes: &dyn Attributes,
    now: Timestamp,
) -> Result<Looking, Obstacle> {
    let show = |rule, head: &RequestHead, why| {
        let sight = Sight::Bypassed(why);
        around.show(&Sighting { rule, head, sight }, now);
    };
    let target = match Target::parse(head.target()) {
        Ok(target) => target,
        Err(error) => return Err(unread(around, head, ambiguity(error))),
    };
    // A request that is no GET may have another rule than a page at the same place, or none.
    let relay = |rule: Option<PolicyId>, head: RequestHead, why| {
        let rule = match rule {
            Some(PolicyId::Rule(_)) => rule,
            Some(PolicyId::Unmatched) | None if head.method() == Method::Get => rule,
            Some(PolicyId::Unmatched) | None => around.config.document(&head, &target),
        };
        Relay::of(around, rule?, head, why)
    };
    let selected = match around.config.select(&head, &target) {
        Selection::Cache(selected) => selected,
        Selection::Ambiguous => return Err(unread(around, head, Reason::AmbiguousPath)),
        Selection::Bypass(index) => {
            let (rule, why) = (PolicyId::Rule(index), Reason::RuleBypass);
            show(rule, &head, why);
            return Err((rule, Refusal::Bypass(why), relay(None, head, why)));
        }
        Selection::Unmatched => {
            let (rule, why) = (PolicyId::Unmatched, Reason::NoRule);
            show(rule, &head, why);
            return Err((rule, Refusal::NoRule, relay(None, head, why)));
        }
        Selection::Refuse(index) => {
            let (rule, why) = (PolicyId::Rule(index), Reason::RouteMetadata);
            return Err((rule, Refusal::Bypass(why), relay(None, head, why)));
        }
        Selection::Writes(index) => {
            let (rule, why) = (PolicyId::Rule(index), Reason::Method);
            return Err((rule, Refusal::Bypass(why), relay(None, head, why)));
        }
    };
    let parts = KeyParts {
        head: &head,
        target: &target,
        policy: selected.policy,
        captures: &selected.captures,
        attributes,
        max_key_bytes: around.config.limits.max_key_bytes,
    };
    let (lookup, facts, built) = match identify(parts, body) {
        Ok(identified) => identified,
        Err(reason) => {
            let rule = selected.id;
            show(rule, &head, reason);
            let is_question =
                selected.policy.is_question(head.method()) && !overrides_method(&head);
            let refusal = match is_question {
                true => Refusal::Question(reason),
                false => Refusal::Bypass(reason),
            };
            return Err((rule, refusal, relay(Some(rule), head, reason)));
        }
    };
    let subject = Subject {
        policy: selected.id,
        facts,
        key: Rc::new(built.key),
        search: built.search,
        body,
        started: now,
        epoch: around.epochs.now(),
        head,
    };
    Ok(Looking::new(subject, lookup))
}

/// What is not looked up because of its target may be answered with a template all the same: that of the rule which holds for
/// the target as far as it can be read.
#[cold]
#[inline(never)]
fn unread(around: &Surroundings, head: RequestHead, why: Reason) -> Obstacle {
    let target = Target::of_write(head.target());
    let rule = target.and_then(|target| around.config.document(&head, &target));
    let relay = rule.and_then(|rule| Relay::of(around, rule, head, why));
    (PolicyId::Unmatched, Refusal::Bypass(why), relay)
}

/// How a request is looked up, and where.
fn identify(
    parts: KeyParts<'_>,
    body: RequestBody,
) -> Result<(Lookup, RequestFacts, BuiltKey), Reason> {
    let head = parts.head;
    let directives = RequestDirectives::parse(head.headers());
    let lookup = match request::judge(head, &directives, parts.policy, body) {
        RequestVerdict::Lookup(lookup) => lookup,
        RequestVerdict::Bypass(reason) => return Err(reason),
    };
    let built = Key::build(parts).map_err(|error| match error {
        KeyError::IdentityInvalid => Reason::IdentityInvalid,
        KeyError::Authority | KeyError::Scheme | KeyError::TooLong => Reason::KeyInvalid,
    })?;
    let facts = RequestFacts::of(head, &directives, built.principal);
    Ok((lookup, facts, built))
}
