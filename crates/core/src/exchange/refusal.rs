//! Requests that are not looked up.

use super::relay::Relay;
use super::write::Writing;
use super::{Effect, Passage, State, Step, Surroundings};
use crate::config::PolicyId;
use crate::http::{RequestHead, TargetError};
use crate::policy::Reason;
use crate::policy::invalidation::Write;
use crate::report::{Annotation, Counter, Outcome};

/// Why a request is not looked up.
pub(super) enum Refusal {
    Bypass(Reason),
    /// No rule matches, and unmatched requests are left alone.
    NoRule,
    /// Its rule takes it for a question: it is no write, whatever its method.
    Question(Reason),
}

/// The request passes; what it may change is kept in mind.
pub(super) fn refused<'a>(
    around: &Surroundings,
    rule: PolicyId,
    (refusal, relay): (Refusal, Option<Box<Relay>>),
    write: Option<Write>,
) -> (State, Step<'a>) {
    let annotated = |reason| Passage::Annotated(Annotation::Bypass(reason));
    let (passage, reason, write) = match refusal {
        Refusal::Bypass(reason) => (annotated(reason), reason, write),
        Refusal::NoRule => (Passage::Silent, Reason::NoRule, write),
        Refusal::Question(reason) => (annotated(reason), reason, None),
    };
    around.tally.request(rule, Outcome::Bypass);
    let mut effects = vec![Effect::Count(Counter::Bypassed(reason))];
    effects.extend(relay.iter().flat_map(|relay| relay.edits(around)));
    let state = match (write, relay) {
        (Some(write), relay) => Writing::begin(around, write, (passage, relay)),
        (None, Some(relay)) => State::Relaying(relay, passage),
        (None, None) => State::Passing(passage),
    };
    (state, Step::continue_with(effects))
}

/// The request, which changes nothing, passes, and the client is told why it is not looked up.
pub(super) fn bypass<'a>(
    around: &Surroundings,
    (rule, head): (PolicyId, RequestHead),
    reason: Reason,
) -> (State, Step<'a>) {
    let relay = Relay::of(around, rule, head, reason);
    refused(around, rule, (Refusal::Question(reason), relay), None)
}

/// Why a target is not looked up: other servers might read it in another way, or it is just too long.
pub(super) fn ambiguity(error: TargetError) -> Reason {
    match error {
        TargetError::Backslash
        | TargetError::BrokenEscape
        | TargetError::ControlByte
        | TargetError::DotSegment
        | TargetError::Fragment
        | TargetError::NotAPath
        | TargetError::NotAscii => Reason::AmbiguousPath,
        TargetError::TooLong => Reason::KeyInvalid,
    }
}
