//! How a flight ends, as the response to its leader tells.
//!
//! That nobody shall wait for a key is remembered only where it was the resource that said so. What is due to the one request
//! (its credentials, its fields, the state of this worker) lets those go that wait, and the next ones wait again.

use super::Surroundings;
use crate::config::PolicyId;
use crate::entry::{Meta, Validation};
use crate::flight::Landing;
use crate::policy::Reason;
use crate::policy::stale::Terms;
use crate::time::{Seconds, Timestamp};

/// For how long nobody refreshes what the origin could not give.
pub(super) const REST: Seconds = Seconds::clamped(1);

/// That of what is stored, with this status. Nobody waits for what is not fresh on arrival, nor to be used while it is made
/// fresh: each has to ask about it by itself.
#[inline(never)]
pub(super) fn of_stored(
    (status, rule): (u16, PolicyId),
    meta: &Meta,
    around: &Surroundings,
    now: Timestamp,
) -> Landing {
    let window = around.config.policy(rule).map_or(Seconds::ZERO, |policy| {
        Terms::of(policy, status).while_revalidate(&meta.staleness)
    });
    // That it came slowly, perhaps to a client that reads slowly, says nothing about the next one.
    let is_of_use = meta.initial_age < meta.lifetime.seconds.saturating_add(window);
    match meta.validation {
        Validation::Never | Validation::WhenStale if is_of_use => Landing::Stored,
        Validation::Always | Validation::Never | Validation::WhenStale => unshared(around, now),
    }
}

/// That of a response with this status which is not stored, for this reason.
#[cold]
#[inline(never)]
pub(super) fn of_skipped(
    (status, reason): (u16, Reason),
    rule: PolicyId,
    around: &Surroundings,
    now: Timestamp,
) -> Landing {
    let policy = around.config.policy(rule);
    let failures = policy.map(|policy| policy.sparing.failures.as_slice());
    if status >= 500 || failures.is_some_and(|failures| failures.contains(&status)) {
        let rest = now.plus(REST);
        return Landing::Failed { rest };
    }
    // The client's own condition was met, and what others want has not come: one of those that wait asks for all of it.
    if status == 304 {
        return Landing::Abandoned;
    }
    // What else is wrong with a request is not wrong with the next one.
    let is_about_request = matches!(status, 400..=499) && !matches!(status, 404 | 410);
    match reason {
        _ if is_about_request => let_go(now),
        Reason::Authorization
        | Reason::Expired
        | Reason::MediaType
        | Reason::NoCache
        | Reason::NoFreshness
        | Reason::NoStore
        | Reason::Private
        | Reason::SetCookie
        | Reason::Status
        | Reason::StoreIf
        | Reason::TagLimit
        | Reason::TooLarge
        | Reason::VaryLimit
        | Reason::VaryStar => unshared(around, now),
        // Another one's fields may well make a key, and its body may come whole.
        Reason::Incomplete | Reason::KeyInvalid => Landing::Abandoned,
        Reason::AmbiguousPath
        | Reason::BreakerOpen
        | Reason::Busy
        | Reason::FragmentAddress
        | Reason::FragmentBound
        | Reason::FragmentOverdue
        | Reason::FragmentStatus
        | Reason::FragmentUnreachable
        | Reason::FragmentUnreadable
        | Reason::Grpc
        | Reason::IdentityInvalid
        | Reason::Internal
        | Reason::Invalidated
        | Reason::LocalReply
        | Reason::MaxStale
        | Reason::Method
        | Reason::NoBody
        | Reason::NoRoom
        | Reason::NoRule
        | Reason::NotAdmitted
        | Reason::OnlyIfCached
        | Reason::OtherRule
        | Reason::OutOfContact
        | Reason::OtherValidator
        | Reason::PartialContent
        | Reason::Precondition
        | Reason::Range
        | Reason::RangeGap
        | Reason::RequestBody
        | Reason::RequestDirective
        | Reason::RouteMetadata
        | Reason::RuleBypass
        | Reason::ShadowHit
        | Reason::ShadowMiss
        | Reason::Sie
        | Reason::SlotContention
        | Reason::SoftPurged
        | Reason::Swr
        | Reason::TemplateCoded
        | Reason::Upgrade => let_go(now),
    }
}

fn unshared(around: &Surroundings, now: Timestamp) -> Landing {
    Landing::Unshared {
        until: now.plus(around.config.coalescing.hit_for_miss),
    }
}

/// Whoever waits goes by itself, and nothing is remembered.
fn let_go(now: Timestamp) -> Landing {
    Landing::Unshared { until: now }
}
