//! How the origin is spared: what may be given stale, who waits for whom, and when nobody asks.

use super::Share;
use crate::time::Seconds;

/// For how long the operator lets responses be used that are stale, where the origin says nothing (RFC 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleWindows {
    /// While they are made fresh.
    pub while_revalidate: Seconds,
    /// When the origin fails.
    pub if_error: Seconds,
}

impl StaleWindows {
    /// Not at all.
    pub const NONE: Self = Self {
        while_revalidate: Seconds::ZERO,
        if_error: Seconds::ZERO,
    };
}

/// An error that is stored although the origin gives it no freshness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negative {
    /// A status from 400 to 599.
    pub status: u16,
    /// For how long.
    pub ttl: Seconds,
}

/// How a rule spares the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparing {
    /// What may be given stale.
    pub stale: StaleWindows,
    /// The statuses that are an origin's failure, in order.
    pub failures: Vec<u16>,
    /// The errors that are stored.
    pub negative: Vec<Negative>,
    /// What is asked for often is made fresh in this last part of its lifetime; none: when it is over.
    pub refresh_ahead: Share,
    /// By how much of it a lifetime may be cut, at random.
    pub ttl_jitter: Share,
}

impl Sparing {
    /// What holds where nothing is said.
    pub fn new() -> Self {
        Self {
            stale: StaleWindows::NONE,
            failures: vec![500, 502, 503, 504],
            negative: Vec::new(),
            refresh_ahead: Share::thousandths(0),
            ttl_jitter: Share::thousandths(0),
        }
    }
}

impl Default for Sparing {
    fn default() -> Self {
        Self::new()
    }
}

/// Who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalescing {
    /// How long a request waits for another; after that one of those that wait asks itself, and the others wait once more.
    pub wait: Seconds,
    /// How many wait for one key on one worker; none switches it off.
    pub max_waiters: usize,
    /// For how long it is remembered that what stands under a key is not for others to wait for.
    pub hit_for_miss: Seconds,
}

/// When an origin counts as failed, so that it is asked by one request at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// The time that is looked at.
    pub window: Seconds,
    /// The share of failures among its answers in that time from which on it counts as failed.
    pub failure_ratio: Share,
    /// As long as there are fewer answers in that time, it does not.
    pub min_requests: u32,
    /// For how long beyond its windows a stale response is used while it does.
    pub max_stale: Seconds,
}
