//! How the origin is spared: what may be given stale, who waits for whom, and when nobody asks.

use super::Share;
use crate::time::Seconds;

/// For how long the operator lets responses be used that are stale (RFC 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleWindows {
    /// While they are made fresh.
    pub while_revalidate: StaleWindow,
    /// When the origin fails.
    pub if_error: StaleWindow,
}

impl StaleWindows {
    /// Not at all, unless the origin lets them.
    pub const NONE: Self = Self {
        while_revalidate: StaleWindow::NONE,
        if_error: StaleWindow::NONE,
    };
}

/// For how long the operator lets a response be used that is stale, and what the origin's word for it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleWindow {
    /// So long, whatever the origin says: the rule says so itself, and its TTL too stands in place of the origin's.
    Instead(Seconds),
    /// So long where the origin says nothing.
    Otherwise(Seconds),
}

impl StaleWindow {
    /// Not at all, unless the origin lets it.
    pub const NONE: Self = Self::Otherwise(Seconds::ZERO);

    /// For how long, where this is what the origin says.
    pub fn beside(self, origin: Option<Seconds>) -> Seconds {
        match self {
            Self::Instead(seconds) => seconds,
            Self::Otherwise(seconds) => origin.unwrap_or(seconds),
        }
    }
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
    /// The errors that are stored, in the order of their statuses, each once.
    pub negative: Vec<Negative>,
    /// What is asked for often is made fresh in this last part of its lifetime; none: when it is over.
    pub refresh_ahead: Share,
    /// By how much of it a lifetime may be cut, at random.
    pub ttl_jitter: Share,
}

impl Sparing {
    /// For how long an error is stored to which the origin gives no freshness; `None`: it is not.
    pub fn negative(&self, status: u16) -> Option<Seconds> {
        let found = self.negative.iter().find(|error| error.status == status);
        found.map(|error| error.ttl)
    }

    /// What holds where nothing is said.
    pub fn new() -> Self {
        Self {
            stale: StaleWindows::NONE,
            failures: vec![500, 502, 503, 504],
            negative: Vec::new(),
            refresh_ahead: Share::NONE,
            ttl_jitter: Share::NONE,
        }
    }
}

impl Default for Sparing {
    fn default() -> Self {
        Self::new()
    }
}

/// Who waits for whom; by default as if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalescing {
    /// How long a request waits for another; after that one of those that wait asks itself, and the others wait once more.
    pub wait: Seconds,
    /// How many wait for one key on one worker; none switches it off.
    pub max_waiters: usize,
    /// For how long it is remembered that what stands under a key is not for others to wait for.
    pub hit_for_miss: Seconds,
}

impl Default for Coalescing {
    fn default() -> Self {
        Self {
            wait: Seconds::clamped(5),
            max_waiters: 1024,
            hit_for_miss: Seconds::clamped(120),
        }
    }
}

/// When an origin counts as failed, so that it is asked by one request at a time; by default as if nothing is said.
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

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Seconds::clamped(10),
            failure_ratio: Share::thousandths(500),
            min_requests: 20,
            max_stale: Seconds::ZERO,
        }
    }
}
