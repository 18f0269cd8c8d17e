//! Leads in memory.

use std::collections::HashMap;
use std::time::Duration;

use larder_core::key::KeyDigest;
use tokio::time::Instant;

use crate::store::shapes::Lease;

/// How many leads there are at a time; beyond that nobody is held up.
const MAX: usize = 65_536;

#[derive(Debug)]
pub(super) struct Leases {
    led: HashMap<KeyDigest, Led>,
    /// The last number given, for whatever key.
    fence: u64,
}

#[derive(Debug)]
struct Led {
    fence: u64,
    until: Instant,
}

impl Leases {
    /// Numbers begin behind `fence`: an earlier process must not have given them.
    pub(super) fn new(fence: u64) -> Self {
        let led = HashMap::new();
        Self { led, fence }
    }

    pub(super) fn take(&mut self, digest: KeyDigest, length: Duration, now: Instant) -> Lease {
        if let Some(led) = self.led.get(&digest)
            && now < led.until
        {
            return Lease::Held(led.until.saturating_duration_since(now));
        }
        self.fence = self.fence.saturating_add(1);
        let fence = self.fence;
        self.make_room(now);
        if self.led.len() < MAX
            && let Some(until) = now.checked_add(length)
        {
            self.led.insert(digest, Led { fence, until });
        }
        Lease::Granted(fence)
    }

    fn make_room(&mut self, now: Instant) {
        if self.led.len() >= MAX {
            self.led.retain(|_, led| now < led.until);
        }
    }

    pub(super) fn release(&mut self, digest: KeyDigest, fence: u64, now: Instant) -> bool {
        let Some(led) = self.led.get(&digest) else {
            return false;
        };
        let (holds, ours) = (now < led.until, led.fence == fence);
        if ours || !holds {
            self.led.remove(&digest);
        }
        holds && ours
    }
}
