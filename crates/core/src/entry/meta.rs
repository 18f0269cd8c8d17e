//! The facts about a stored response that decide whether it may be used again.

use super::Epoch;
use crate::config::RuleHash;
use crate::time::{Seconds, Timestamp};

/// How long a response is fresh, and who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From the moment the origin made it (RFC 9111 section 4.2.1).
    pub seconds: Seconds,
    /// Who said so.
    pub source: FreshnessSource,
}

impl Lifetime {
    /// Not at all.
    pub const NONE: Lifetime = Lifetime {
        seconds: Seconds::ZERO,
        source: FreshnessSource::Origin,
    };
}

/// Who said how long a response is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshnessSource {
    /// Nobody: a tenth of the time since its last modification (RFC 9111 section 4.2.2).
    Heuristic,
    /// The operator, for an error with this status (`negative`).
    Negative,
    /// The origin.
    Origin,
    /// The operator, by a rule's TTL.
    Rule,
}

/// When the origin has to be asked whether a stored response is still good, and whether it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Before each use (`no-cache`).
    Always,
    /// The origin gave nothing to ask with; what is not fresh is of no use.
    Never,
    /// When it is no longer fresh.
    WhenStale,
}

/// Whether a response may be used when it is stale (RFC 9111 section 4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StalePermission {
    /// Not at all: `must-revalidate`, `proxy-revalidate` or `no-cache`.
    Forbidden,
    /// Not at all, as `s-maxage` implies.
    ForbiddenBySMaxage,
    /// The origin does not mind.
    Granted,
}

/// What the origin says about using its response when it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Whether at all.
    pub permission: StalePermission,
    /// For how long while it is being validated (RFC 5861 section 3); `None` where the origin says nothing.
    pub while_revalidate: Option<Seconds>,
    /// For how long when the origin fails (RFC 5861 section 4); `None` where the origin says nothing.
    pub if_error: Option<Seconds>,
}

/// The facts about a stored response that decide whether it may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// When the request that fetched it was received.
    pub request_time: Timestamp,
    /// When its head arrived.
    pub response_time: Timestamp,
    /// Its age when it arrived: `corrected_initial_age` of RFC 9111 section 4.2.3.
    pub initial_age: Seconds,
    /// How long it is fresh.
    pub lifetime: Lifetime,
    /// When the origin has to be asked first.
    pub validation: Validation,
    /// What the origin says about using it stale.
    pub staleness: Staleness,
    /// The count of invalidations when that request was received.
    pub epoch: Epoch,
    /// The rule it was stored under.
    pub rule: RuleHash,
}
