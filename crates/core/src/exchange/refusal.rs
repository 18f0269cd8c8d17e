//! Requests that are not looked up.

use super::write::Writing;
use super::{Effect, Passage, State, Step, Surroundings};
use crate::config::PolicyId;
use crate::http::TargetError;
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
    refusal: Refusal,
    write: Option<Write>,
) -> (State, Step<'a>) {
    let (passage, reason) = match refusal {
        Refusal::Bypass(reason) => (Passage::Annotated(Annotation::Bypass(reason)), reason),
        Refusal::NoRule => (Passage::Silent, Reason::NoRule),
        Refusal::Question(reason) => return bypass(around, rule, reason),
    };
    let state = match write {
        None => State::Passing(passage),
        Some(write) => Writing::begin(around, write, passage),
    };
    around.tally.request(rule, Outcome::Bypass);
    let effects = vec![Effect::Count(Counter::Bypassed(reason))];
    (state, Step::continue_with(effects))
}

/// The request, which changes nothing, passes, and the client is told why it is not looked up.
pub(super) fn bypass<'a>(
    around: &Surroundings,
    rule: PolicyId,
    reason: Reason,
) -> (State, Step<'a>) {
    around.tally.request(rule, Outcome::Bypass);
    let passage = Passage::Annotated(Annotation::Bypass(reason));
    let effects = vec![Effect::Count(Counter::Bypassed(reason))];
    (State::Passing(passage), Step::continue_with(effects))
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
