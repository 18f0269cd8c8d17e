//! Whether a stored response may answer a request (RFC 9111 section 4).
//!
//! The key has found it and its bytes were compared; that covers the section's first three conditions (target, method,
//! Vary). Left are the age, what the client demands, and whether the rule under which it was stored still stands: an
//! operator who changes a rule expects the next answer to follow it.
//!
//! A hard purge comes before all of that: what it met is not asked about either. A soft one has made its entries stale, no
//! more.
//!
//! What is stale is used while it is made fresh, for as long as the origin or the rule says ([`super::stale`]), and where the
//! client takes it so and the origin has not forbidden it. What cannot be used goes to the origin: with the question whether it is still good, where the origin gave a validator to ask with, else as if there were
//! nothing.

use crate::entry::{Meta, Validation};
use crate::epoch::Currency;
use crate::policy::Reason;
use crate::policy::freshness::current_age;
use crate::policy::request::Demands;
use crate::policy::stale::{Taking, Terms, permits};
use crate::time::{Seconds, Timestamp};

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It answers the request as it is.
    Fresh {
        /// Its age: the value of the answer's Age field.
        age: Seconds,
        /// For how long it stays fresh; more than zero.
        ttl_left: Seconds,
    },
    /// It answers the request although it is stale.
    Stale(Stale),
    /// It does, while it is made fresh.
    StaleMeanwhile {
        /// How it answers.
        stale: Stale,
        /// What makes it stale, for a request that goes to the origin to make it fresh.
        obstacle: Reason,
    },
    /// It does not answer this request.
    Unusable(Reason),
    /// It does if the origin says that it is still good.
    Validate(Reason),
}

/// A stale response that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Its age: the value of the answer's Age field.
    pub age: Seconds,
    /// By how much it has outlived its freshness.
    pub overdue: Seconds,
    /// Who lets it be used: a [`Reason`] that permits.
    pub why: Reason,
}

/// Why a stale response is looked for that may be given in place of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The origin was asked, and failed.
    Failed,
    /// The origin counts as failed, and is not asked. What is stale may be used for so long beyond its windows.
    Open(Seconds),
}

/// Judges a stored response for a request on these terms.
pub fn judge(
    (meta, currency): (&Meta, Currency),
    terms: Terms,
    demands: Demands,
    now: Timestamp,
) -> Reuse {
    let reuse = match Freshness::of(currency) {
        Err(Over::Gone) => return Reuse::Unusable(Reason::Invalidated),
        // "Here, "invalidate" means that the cache will either remove all stored responses whose target URI matches the
        // given URI or mark them as "invalid" and in need of a mandatory validation before they can be sent in response to a
        // subsequent request." RFC 9111 section 4.4.
        Err(Over::Invalidated) => Err(Reason::Invalidated),
        Ok(freshness) => usable(meta, terms, demands, (now, freshness)),
    };
    reuse.unwrap_or_else(|reason| Reuse::refused(meta, reason))
}

impl Reuse {
    /// What a stored response is good for that this stands against.
    pub fn refused(meta: &Meta, reason: Reason) -> Self {
        match meta.validation {
            Validation::Never => Self::Unusable(reason),
            Validation::Always | Validation::WhenStale => Self::Validate(reason),
        }
    }
}

/// Judges a stored response that [`judge`] does not let be used, for a request whose answer from the origin is a failure or is
/// not waited for. What the origin forbids, the client refuses or an invalidation has taken away is not used then either.
///
/// "indicates that when an error is encountered, a cached stale response MAY be used to satisfy the request" RFC 5861
/// section 4. What may be used while it is validated may be used as long where that fails.
pub fn judge_in_need(
    (meta, currency): (&Meta, Currency),
    terms: Terms,
    demands: Demands,
    need: Need,
    now: Timestamp,
) -> Option<Stale> {
    let freshness = Freshness::of(currency).ok()?;
    if meta.rule != terms.rule || meta.validation == Validation::Always {
        return None;
    }
    let age = current_age(meta, now);
    let overdue = freshness.overdue(meta, age, now)?;
    let said = terms.longest(&meta.staleness);
    let (window, why) = match need {
        Need::Failed => (said, Reason::Sie),
        Need::Open(beyond) => (said.saturating_add(beyond), Reason::BreakerOpen),
    };
    let is_within = overdue < window && permits(&meta.staleness, said);
    let is_taken = Taking::of(demands, age, overdue) != Taking::Refused;
    (is_within && is_taken).then_some(Stale { age, overdue, why })
}

/// Whether a stored response answers somebody who demands nothing, now or when the origin fails. A failure is not stored over it.
pub fn stands_in((meta, currency): (&Meta, Currency), terms: Terms, now: Timestamp) -> bool {
    let Ok(freshness) = Freshness::of(currency) else {
        return false;
    };
    if meta.rule != terms.rule || meta.validation == Validation::Always {
        return false;
    }
    let said = terms.longest(&meta.staleness);
    match freshness.overdue(meta, current_age(meta, now), now) {
        Some(overdue) => overdue < said && permits(&meta.staleness, said),
        None => true, // it is fresh, if not for who asks now
    }
}

/// How an invalidation has ended a response.
enum Over {
    Gone,
    Invalidated,
}

/// Until when a response is fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// A soft purge has ended it.
    Ended {
        /// When; `None` where nobody knows.
        since: Option<Timestamp>,
    },
    /// As long as it was stored for.
    Own,
}

impl Freshness {
    fn of(currency: Currency) -> Result<Self, Over> {
        match currency {
            Currency::Current => Ok(Self::Own),
            Currency::Gone => Err(Over::Gone),
            Currency::Invalidated => Err(Over::Invalidated),
            Currency::Softened { since } => Ok(Self::Ended { since }),
        }
    }

    /// By how much a response has outlived it; `None` while it lasts.
    ///
    /// A purge came after the response's request, and of some no more is known. Whoever takes what has been stale for so long
    /// gets nothing that may have been so for longer; a purge from the future says nothing, because the clock has stepped back.
    fn overdue(self, meta: &Meta, age: Seconds, now: Timestamp) -> Option<Seconds> {
        let own = age.saturating_sub(meta.lifetime.seconds);
        match self {
            Self::Ended { since } => {
                let since = since.filter(|since| (meta.request_time..=now).contains(since));
                let since = since.unwrap_or(meta.request_time);
                Some(own.max(now.since(since)))
            }
            // "response_is_fresh = (freshness_lifetime > current_age)" RFC 9111 section 4.2.
            Self::Own => (meta.lifetime.seconds <= age).then_some(own),
        }
    }

    /// Why what has outlived it is not used.
    fn reason(self) -> Reason {
        match self {
            Self::Ended { .. } => Reason::SoftPurged,
            Self::Own => Reason::Expired,
        }
    }
}

/// How it answers the request as it is, or what stands against that.
fn usable(
    meta: &Meta,
    terms: Terms,
    demands: Demands,
    (now, freshness): (Timestamp, Freshness),
) -> Result<Reuse, Reason> {
    if meta.rule != terms.rule {
        return Err(Reason::OtherRule);
    }
    // "the response MUST NOT be used to satisfy any other request without forwarding it for validation and receiving a
    // successful response" RFC 9111 section 5.2.2.4.
    if meta.validation == Validation::Always {
        return Err(Reason::NoCache);
    }
    let age = current_age(meta, now);
    if let Some(overdue) = freshness.overdue(meta, age, now) {
        return stale(meta, terms, demands, (age, overdue), freshness.reason());
    }
    let ttl_left = meta.lifetime.seconds.saturating_sub(age);
    let is_enough = match demands {
        Demands::Confirmed => false,
        Demands::Nothing => true,
        // "the client prefers a response whose age is less than or equal to the specified number of seconds", "a response
        // that will still be fresh for at least the specified number of seconds" RFC 9111 sections 5.2.1.1 and 5.2.1.3.
        Demands::Within {
            max_age,
            max_stale: _,
            min_fresh,
        } => age <= max_age && ttl_left >= min_fresh,
    };
    if is_enough {
        Ok(Reuse::Fresh { age, ttl_left })
    } else {
        Err(Reason::RequestDirective)
    }
}

/// How it answers the request although it is stale, which `obstacle` is the word for.
fn stale(
    meta: &Meta,
    terms: Terms,
    demands: Demands,
    (age, overdue): (Seconds, Seconds),
    obstacle: Reason,
) -> Result<Reuse, Reason> {
    let taking = Taking::of(demands, age, overdue);
    let stale = |why| Stale { age, overdue, why };
    let window = terms.while_revalidate(&meta.staleness);
    // "indicates that caches MAY serve the response [...] after it becomes stale, up to the indicated number of seconds"
    // RFC 5861 section 3.
    let is_within = overdue < window && permits(&meta.staleness, window);
    if is_within && taking != Taking::Refused {
        return Ok(Reuse::StaleMeanwhile {
            stale: stale(Reason::Swr),
            obstacle,
        });
    }
    let is_asked_for = taking == Taking::AskedFor && permits(&meta.staleness, Seconds::ZERO);
    is_asked_for
        .then(|| Reuse::Stale(stale(Reason::MaxStale)))
        .ok_or(obstacle)
}

#[cfg(test)]
mod tests;
