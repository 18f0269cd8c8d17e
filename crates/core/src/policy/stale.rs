//! For how long, and for whom, a stale response may be used (RFC 5861, RFC 9111 section 4.2.4).

use crate::config::{CachePolicy, RuleHash, StaleWindow, StaleWindows};
use crate::entry::{StalePermission, Staleness};
use crate::policy::request::Demands;
use crate::time::Seconds;

/// Not at all, whatever the origin says.
const NEVER: StaleWindows = StaleWindows {
    while_revalidate: StaleWindow::Instead(Seconds::ZERO),
    if_error: StaleWindow::Instead(Seconds::ZERO),
};

/// What a rule says about reusing what was stored under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The rule.
    pub rule: RuleHash,
    /// What may be given stale.
    pub stale: StaleWindows,
}

impl Terms {
    /// What this rule says about a response with this status. What is itself a failure is not handed out any longer than it
    /// was to be: it would stand for the very thing it is to hide.
    pub fn of(policy: &CachePolicy, status: u16) -> Self {
        let stale = match policy.sparing.failures.contains(&status) {
            true => NEVER,
            false => policy.sparing.stale,
        };
        Self {
            rule: policy.hash,
            stale,
        }
    }

    /// Of what was stored under a rule, whatever the rules say now, and only while it is fresh.
    pub fn while_fresh(rule: RuleHash) -> Self {
        Self { rule, stale: NEVER }
    }

    /// For how long a response is of use after it is no longer fresh, without having been validated; the origin may count as
    /// failed, and what is stale be used for so long `beyond` its windows.
    pub fn worth(self, staleness: &Staleness, beyond: Seconds) -> Seconds {
        let said = self.longest(staleness);
        match permits(staleness, said) {
            true => said.saturating_add(beyond),
            false => Seconds::ZERO,
        }
    }

    /// For how long it may be given while it is made fresh.
    pub fn while_revalidate(self, staleness: &Staleness) -> Seconds {
        let own = self.stale.while_revalidate;
        own.beside(staleness.while_revalidate)
    }

    /// For how long it may be given at all. What may be used while it is validated may be used as long where that fails.
    pub(super) fn longest(self, staleness: &Staleness) -> Seconds {
        let if_error = self.stale.if_error.beside(staleness.if_error);
        if_error.max(self.while_revalidate(staleness))
    }
}

/// Whether the origin lets a response be used stale for which somebody has said for how long that may be.
///
/// "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive (e.g., by a no-cache
/// response directive, a must-revalidate response directive, or an applicable s-maxage or proxy-revalidate response
/// directive)." RFC 9111 section 4.2.4. An s-maxage only names a time, though, and who names another one for what is stale,
/// beside it or in the rule, means it.
pub(super) fn permits(staleness: &Staleness, said: Seconds) -> bool {
    match staleness.permission {
        StalePermission::Forbidden => false,
        StalePermission::ForbiddenBySMaxage => said > Seconds::ZERO,
        StalePermission::Granted => true,
    }
}

/// What a client thinks of a stale response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// It takes one whoever lets it.
    AskedFor,
    /// It does not take this one.
    Refused,
    /// It says nothing.
    Unsaid,
}

impl Taking {
    /// Of one that has this age, and has been stale for so long.
    pub(super) fn of(demands: Demands, age: Seconds, overdue: Seconds) -> Self {
        match demands {
            Demands::Confirmed => Self::Refused,
            Demands::Nothing => Self::Unsaid,
            // "If a value is present, then the client is willing to accept a response that has exceeded its freshness lifetime by
            // no more than the specified number of seconds." RFC 9111 section 5.2.1.2. What else the client demands still holds;
            // what is stale is not fresh for any time.
            Demands::Within {
                max_age,
                max_stale,
                min_fresh,
            } => {
                let is_young = age <= max_age && min_fresh == Seconds::ZERO;
                match max_stale {
                    Some(most) if is_young && overdue <= most => Self::AskedFor,
                    None if is_young => Self::Unsaid,
                    Some(_) | None => Self::Refused,
                }
            }
        }
    }
}
