//! Whether a stored response may answer a request (RFC 9111 section 4).
//!
//! The key has found it and its bytes were compared; that covers the section's first three conditions (target, method,
//! Vary). Left are the age, what the client demands, and whether the rule under which it was stored still stands: an
//! operator who changes a rule expects the next answer to follow it.
//!
//! A hard purge comes before all of that: what it met is not asked about either. A soft one has made its entries stale, no
//! more.
//!
//! What is stale is used where the client takes it so and the origin has not forbidden it. What cannot be used goes to the
//! origin: with the question whether it is still good, where the origin gave a validator to ask with, else as if there were
//! nothing.

use crate::config::RuleHash;
use crate::entry::{Meta, StalePermission, Validation};
use crate::epoch::Currency;
use crate::policy::Reason;
use crate::policy::freshness::current_age;
use crate::policy::request::Demands;
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
    Stale {
        /// Its age: the value of the answer's Age field.
        age: Seconds,
        /// By how much it has outlived its freshness.
        overdue: Seconds,
        /// Who lets it be used: a [`Reason`] that permits.
        why: Reason,
    },
    /// It does not answer this request.
    Unusable(Reason),
    /// It does if the origin says that it is still good.
    Validate(Reason),
}

/// Judges a stored response for a request under the rule `rule`.
pub fn judge(
    (meta, currency): (&Meta, Currency),
    rule: RuleHash,
    demands: Demands,
    now: Timestamp,
) -> Reuse {
    let reuse = match currency {
        Currency::Gone => return Reuse::Unusable(Reason::Invalidated),
        // "Here, "invalidate" means that the cache will either remove all stored responses whose target URI matches the
        // given URI or mark them as "invalid" and in need of a mandatory validation before they can be sent in response to a
        // subsequent request." RFC 9111 section 4.4.
        Currency::Invalidated => Err(Reason::Invalidated),
        Currency::Softened => usable(meta, rule, demands, (now, Freshness::Ended)),
        Currency::Current => usable(meta, rule, demands, (now, Freshness::Own)),
    };
    match (reuse, meta.validation) {
        (Ok(reuse), _) => reuse,
        (Err(reason), Validation::Never) => Reuse::Unusable(reason),
        (Err(reason), Validation::Always | Validation::WhenStale) => Reuse::Validate(reason),
    }
}

/// Until when a response is fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// A soft purge has ended it.
    Ended,
    /// As long as it was stored for.
    Own,
}

impl Freshness {
    /// By how much a response has outlived it; `None` while it lasts.
    ///
    /// Invalidations are counted, not timed, so of a purge is only known that it came after the response's request. A client
    /// that takes what has been stale for so long gets nothing that may have been so for longer.
    fn overdue(self, meta: &Meta, age: Seconds, now: Timestamp) -> Option<Seconds> {
        let own = age.saturating_sub(meta.lifetime.seconds);
        match self {
            Self::Ended => Some(own.max(now.since(meta.request_time))),
            // "response_is_fresh = (freshness_lifetime > current_age)" RFC 9111 section 4.2.
            Self::Own => (meta.lifetime.seconds <= age).then_some(own),
        }
    }

    /// Why what has outlived it is not used.
    fn reason(self) -> Reason {
        match self {
            Self::Ended => Reason::SoftPurged,
            Self::Own => Reason::Expired,
        }
    }
}

/// How it answers the request as it is, or what stands against that.
fn usable(
    meta: &Meta,
    rule: RuleHash,
    demands: Demands,
    (now, freshness): (Timestamp, Freshness),
) -> Result<Reuse, Reason> {
    if meta.rule != rule {
        return Err(Reason::OtherRule);
    }
    // "the response MUST NOT be used to satisfy any other request without forwarding it for validation and receiving a
    // successful response" RFC 9111 section 5.2.2.4.
    if meta.validation == Validation::Always {
        return Err(Reason::NoCache);
    }
    let age = current_age(meta, now);
    if let Some(overdue) = freshness.overdue(meta, age, now) {
        let why = leave(meta.staleness.permission, demands, age, overdue);
        return why
            .map(|why| Reuse::Stale { age, overdue, why })
            .ok_or(freshness.reason());
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

/// Who lets a stale response be used; nobody against the origin's word.
fn leave(
    permission: StalePermission,
    demands: Demands,
    age: Seconds,
    overdue: Seconds,
) -> Option<Reason> {
    // "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive" RFC 9111
    // section 4.2.4.
    match permission {
        StalePermission::Granted => {}
        StalePermission::Forbidden | StalePermission::ForbiddenBySMaxage => return None,
    }
    let is_enough = match demands {
        Demands::Confirmed | Demands::Nothing => false,
        // "If a value is present, then the client is willing to accept a response that has exceeded its freshness lifetime by
        // no more than the specified number of seconds." RFC 9111 section 5.2.1.2. What else the client demands still holds;
        // what is stale is not fresh for any time.
        Demands::Within {
            max_age,
            max_stale,
            min_fresh,
        } => {
            age <= max_age
                && min_fresh == Seconds::ZERO
                && max_stale.is_some_and(|most| overdue <= most)
        }
    };
    is_enough.then_some(Reason::MaxStale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Staleness;
    use crate::policy::sample;

    #[test]
    fn age_demands_and_rule_decide() {
        let within = |max_age, min_fresh| Demands::Within {
            max_age: Seconds::clamped(max_age),
            max_stale: None,
            min_fresh: Seconds::clamped(min_fresh),
        };
        let fresh = |age, ttl_left| Reuse::Fresh {
            age: Seconds::clamped(age),
            ttl_left: Seconds::clamped(ttl_left),
        };
        let not = Reuse::Unusable;
        // The sample arrived at 1000, ten seconds old, and is fresh until it is 70 seconds old.
        #[rustfmt::skip]
        let rows = [
            ("on arrival", 1, Demands::Nothing, 1000, fresh(10, 60)),
            ("before arrival: the clock stepped", 1, Demands::Nothing, 5, fresh(10, 60)),
            ("in its last second", 1, Demands::Nothing, 1059, fresh(69, 1)),
            ("as old as it may get", 1, Demands::Nothing, 1060, not(Reason::Expired)),
            ("ages later", 1, Demands::Nothing, u64::MAX, not(Reason::Expired)),
            ("under another rule", 2, Demands::Nothing, 1000, not(Reason::OtherRule)),
            ("to be confirmed", 1, Demands::Confirmed, 1000, not(Reason::RequestDirective)),
            ("just young enough", 1, within(20, 0), 1010, fresh(20, 50)),
            ("too old for this client", 1, within(19, 0), 1010, not(Reason::RequestDirective)),
            ("just long enough", 1, within(99, 50), 1010, fresh(20, 50)),
            ("too short for this client", 1, within(99, 51), 1010, not(Reason::RequestDirective)),
            ("expired for everyone", 1, Demands::Confirmed, 1060, not(Reason::Expired)),
        ];
        for (name, rule, demands, now, expected) in rows {
            let now = Timestamp::from_secs(now);
            let found = judge(
                (&sample::meta(), Currency::Current),
                RuleHash(rule),
                demands,
                now,
            );
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_is_stale_is_used_where_client_and_origin_agree() {
        use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
        let taking = |max_stale, max_age, min_fresh| Demands::Within {
            max_age: Seconds::clamped(max_age),
            max_stale: Some(Seconds::clamped(max_stale)),
            min_fresh: Seconds::clamped(min_fresh),
        };
        let up_to = |max_stale| taking(max_stale, u64::MAX, 0);
        let stale = |overdue: u64| Reuse::Stale {
            age: Seconds::clamped(overdue.saturating_add(70)),
            overdue: Seconds::clamped(overdue),
            why: Reason::MaxStale,
        };
        let expired = Reuse::Validate(Reason::Expired);
        let fresh = |ttl_left| Reuse::Fresh {
            age: Seconds::clamped(70 - ttl_left),
            ttl_left: Seconds::clamped(ttl_left),
        };
        // The sample is no longer fresh at 1060, when it is 70 seconds old.
        #[rustfmt::skip]
        let rows = [
            ("just stale", Granted, up_to(5), 1060, stale(0)),
            ("just stale enough", Granted, up_to(5), 1065, stale(5)),
            ("too stale", Granted, up_to(5), 1066, expired),
            ("not at all", Granted, up_to(0), 1061, expired),
            ("still fresh", Granted, up_to(5), 1059, fresh(1)),
            ("of any age", Granted, up_to(u64::MAX), 2_000_000, stale(1_998_940)),
            ("the client says nothing", Granted, Demands::Nothing, 1060, expired),
            ("the client wants it confirmed", Granted, Demands::Confirmed, 1060, expired),
            ("the origin forbids it", Forbidden, up_to(5), 1060, expired),
            ("s-maxage forbids it", ForbiddenBySMaxage, up_to(5), 1060, expired),
            ("forbidden, but fresh", Forbidden, up_to(5), 1059, fresh(1)),
            ("stale and young enough", Granted, taking(9, 75, 0), 1065, stale(5)),
            ("stale and too old", Granted, taking(9, 74, 0), 1065, expired),
            ("stale, and to stay fresh", Granted, taking(9, 99, 1), 1065, expired),
        ];
        for (name, permission, demands, now, expected) in rows {
            let meta = Meta {
                staleness: Staleness {
                    permission,
                    ..sample::meta().staleness
                },
                validation: Validation::WhenStale,
                ..sample::meta()
            };
            let now = Timestamp::from_secs(now);
            let found = judge((&meta, Currency::Current), RuleHash(1), demands, now);
            assert_eq!(found, expected, "{name}");
            let over = judge((&meta, Currency::Invalidated), RuleHash(1), demands, now);
            assert_eq!(over, Reuse::Validate(Reason::Invalidated), "{name}");
            let gone = judge((&meta, Currency::Gone), RuleHash(1), demands, now);
            assert_eq!(gone, Reuse::Unusable(Reason::Invalidated), "{name}");
            let other = judge((&meta, Currency::Current), RuleHash(2), demands, now);
            assert_eq!(other, Reuse::Validate(Reason::OtherRule), "{name}");
            let always = Meta {
                validation: Validation::Always,
                ..meta
            };
            let always = judge((&always, Currency::Current), RuleHash(1), demands, now);
            assert_eq!(always, Reuse::Validate(Reason::NoCache), "{name}");
        }
    }

    #[test]
    fn a_soft_purge_makes_stale_and_no_more() {
        use StalePermission::{Forbidden, Granted};
        let up_to = |most| Demands::Within {
            max_age: Seconds::MAX,
            max_stale: Some(Seconds::clamped(most)),
            min_fresh: Seconds::ZERO,
        };
        let stale = |age, overdue| Reuse::Stale {
            age: Seconds::clamped(age),
            overdue: Seconds::clamped(overdue),
            why: Reason::MaxStale,
        };
        let asked = Reuse::Validate(Reason::SoftPurged);
        // The sample was asked for at 999, and arrived at 1000, ten seconds old; it would be fresh until 1060.
        #[rustfmt::skip]
        let rows = [
            ("nobody takes it stale", Granted, Demands::Nothing, 1004, asked),
            ("to be confirmed", Granted, Demands::Confirmed, 1004, asked),
            ("stale since its request at the longest", Granted, up_to(5), 1004, stale(14, 5)),
            ("perhaps for longer than that", Granted, up_to(4), 1004, asked),
            ("the origin forbids it", Forbidden, up_to(5), 1004, asked),
            ("when it would be stale anyway", Granted, up_to(99), 1065, stale(75, 66)),
        ];
        for (name, permission, demands, now, expected) in rows {
            let mut meta = sample::meta();
            meta.staleness.permission = permission;
            meta.validation = Validation::WhenStale;
            let now = Timestamp::from_secs(now);
            let found = judge((&meta, Currency::Softened), RuleHash(1), demands, now);
            assert_eq!(found, expected, "{name}");
            let other = judge((&meta, Currency::Softened), RuleHash(2), demands, now);
            assert_eq!(other, Reuse::Validate(Reason::OtherRule), "{name}");
            meta.validation = Validation::Never;
            let found = judge((&meta, Currency::Softened), RuleHash(1), demands, now);
            let unasked = match expected {
                Reuse::Validate(reason) => Reuse::Unusable(reason),
                Reuse::Fresh { .. } | Reuse::Stale { .. } | Reuse::Unusable(_) => expected,
            };
            assert_eq!(found, unasked, "{name}");
        }
    }

    #[test]
    fn what_the_origin_can_be_asked_about_is_not_thrown_away() {
        let meta = |validation| Meta {
            validation,
            ..sample::meta()
        };
        let at = |meta: &Meta, seconds| {
            let now = Timestamp::from_secs(seconds);
            judge(
                (meta, Currency::Current),
                RuleHash(1),
                Demands::Nothing,
                now,
            )
        };
        let stale = meta(Validation::WhenStale);
        assert!(matches!(at(&stale, 1000), Reuse::Fresh { .. }));
        assert_eq!(at(&stale, 1060), Reuse::Validate(Reason::Expired));
        assert_eq!(
            at(&meta(Validation::Always), 1000),
            Reuse::Validate(Reason::NoCache)
        );
        assert_eq!(
            at(&meta(Validation::Never), 1060),
            Reuse::Unusable(Reason::Expired)
        );
    }
}
