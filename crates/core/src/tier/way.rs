//! One of the ways of a set: what it holds, who is at work there, and for how long that means anything.

use crate::time::{Seconds, Timestamp};

use super::generation::Generation;
use super::record::{Corrupt, Fields};

/// How long a claimant may take, which is one callback: a few host calls and a copy of the entry.
pub(super) const CLAIM: Seconds = Seconds::clamped(10);

/// How much later than a reader's `now` another worker's `now` may be in what it reads. Beyond it, the clock was set
/// back, and every time written before that is worthless.
const SKEW: Seconds = Seconds::clamped(60);

/// The bytes of a way in a directory record.
pub(super) const WAY_BYTES: usize = 36;

/// Somebody's exclusive use of a way's slot, until it is done or out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) generation: Generation,
    /// The bytes that are or will be in the slot, as [`super::slot::charge`] counts them.
    pub(super) charged: u32,
    pub(super) deadline: Timestamp,
}

impl Claim {
    /// A claim that its holder may still be at work under.
    ///
    /// A deadline further off than any claimant sets it was written before the clock was set back: it counts as past.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        now < self.deadline && self.deadline <= now.plus(CLAIM).plus(SKEW)
    }
}

/// An entry that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) fingerprint: u32,
    pub(super) generation: Generation,
    pub(super) charged: u32,
    /// When the request that fetched it was received.
    pub(super) started: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) touched: Touched,
}

/// When an entry was last asked for, as far as that was written down: in sixteenths of a second, in three bytes, which
/// come around every twelve days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touched(u32);

impl Touched {
    const MASK: u32 = (1 << 24) - 1;

    pub(super) fn at(now: Timestamp) -> Self {
        Self((now.as_nanos() / 62_500_000) as u32 & Self::MASK)
    }

    /// For how many sixteenths of a second nobody is known to have asked. What another worker touched a moment ahead of
    /// this one's clock is as if touched now.
    pub(super) fn idle(self, now: Timestamp) -> u32 {
        let idle = Self::at(now).0.wrapping_sub(self.0) & Self::MASK;
        if idle > Self::MASK / 2 { 0 } else { idle }
    }
}

impl Published {
    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        is_current(self.started, self.expires, now)
    }
}

/// Whether an entry with these times can be of use: not past, and not from before the clock was set back.
pub(super) fn is_current(started: Timestamp, expires: Timestamp, now: Timestamp) -> bool {
    now < expires && started <= now.plus(SKEW)
}

/// What a way holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Emptying(Claim),
    Filling {
        claim: Claim,
        fingerprint: u32,
        started: Timestamp,
    },
    Free,
    Published(Published),
}

/// What can be done with a way, from the most to the least willingly taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    Free,
    /// Its claimant ran out of time.
    Abandoned,
    /// Its entry is past.
    Expired,
    /// Its entry is good.
    Current,
    /// Its claimant is at work.
    Held,
}

impl Way {
    pub(super) fn condition(&self, now: Timestamp) -> Condition {
        match self {
            Way::Free => Condition::Free,
            Way::Emptying(claim) | Way::Filling { claim, .. } => {
                if claim.is_held(now) {
                    Condition::Held
                } else {
                    Condition::Abandoned
                }
            }
            Way::Published(entry) if entry.is_current(now) => Condition::Current,
            Way::Published(_) => Condition::Expired,
        }
    }

    /// Whether it holds a good entry of another key than the one with this fingerprint.
    pub(super) fn is_anothers(&self, fingerprint: u32, now: Timestamp) -> bool {
        match self {
            Way::Published(entry) => entry.fingerprint != fingerprint && entry.is_current(now),
            Way::Emptying(_) | Way::Filling { .. } | Way::Free => false,
        }
    }

    pub(super) fn generation(&self) -> Option<Generation> {
        match self {
            Way::Free => None,
            Way::Emptying(claim) | Way::Filling { claim, .. } => Some(claim.generation),
            Way::Published(entry) => Some(entry.generation),
        }
    }

    pub(super) fn charged(&self) -> u32 {
        match self {
            Way::Free => 0,
            Way::Emptying(claim) | Way::Filling { claim, .. } => claim.charged,
            Way::Published(entry) => entry.charged,
        }
    }

    pub(super) fn decode(bytes: &[u8; WAY_BYTES]) -> Result<Self, Corrupt> {
        let mut fields = Fields::new(bytes);
        let [state, touched @ ..] = fields.u32()?.to_le_bytes();
        let [low, middle, high] = touched;
        let touched = Touched(u32::from_le_bytes([low, middle, high, 0]));
        let fingerprint = fields.u32()?;
        let generation = Generation::from_raw(fields.u64()?);
        let started = Timestamp::from_nanos(fields.u64()?);
        let until = Timestamp::from_nanos(fields.u64()?);
        let charged = fields.u32()?;
        let claim = Claim {
            generation,
            charged,
            deadline: until,
        };
        match state {
            0 => Ok(Way::Free),
            1 => Ok(Way::Filling {
                claim,
                fingerprint,
                started,
            }),
            2 => Ok(Way::Emptying(claim)),
            3 => Ok(Way::Published(Published {
                fingerprint,
                generation,
                charged,
                started,
                expires: until,
                touched,
            })),
            _ => Err(Corrupt),
        }
    }

    pub(super) fn encode(&self, record: &mut Vec<u8>) {
        let (state, touched, fingerprint, started, until) = match *self {
            Way::Free => (
                0u32,
                0,
                0,
                Timestamp::from_nanos(0),
                Timestamp::from_nanos(0),
            ),
            Way::Filling {
                claim,
                fingerprint,
                started,
            } => (1, 0, fingerprint, started, claim.deadline),
            Way::Emptying(claim) => (2, 0, 0, Timestamp::from_nanos(0), claim.deadline),
            Way::Published(entry) => (
                3,
                entry.touched.0,
                entry.fingerprint,
                entry.started,
                entry.expires,
            ),
        };
        let generation = self.generation().map_or(0, Generation::raw);
        record.extend_from_slice(&(touched << 8 | state).to_le_bytes());
        record.extend_from_slice(&fingerprint.to_le_bytes());
        record.extend_from_slice(&generation.to_le_bytes());
        record.extend_from_slice(&started.as_nanos().to_le_bytes());
        record.extend_from_slice(&until.as_nanos().to_le_bytes());
        record.extend_from_slice(&self.charged().to_le_bytes());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::tier) fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    pub(in crate::tier) fn claim(deadline: u64) -> Claim {
        Claim {
            generation: Generation::from_raw(7),
            charged: 300,
            deadline: at(deadline),
        }
    }

    pub(in crate::tier) fn entry(started: u64, expires: u64) -> Published {
        Published {
            fingerprint: 0x0403_0201,
            generation: Generation::from_raw(0x1817_1615_1413_1211),
            charged: 0x2423_2221,
            started: at(started),
            expires: at(expires),
            touched: Touched(0x000b_0a09),
        }
    }

    #[test]
    fn a_way_is_judged_by_its_times() {
        let long_after = CLAIM.get() as u64 + SKEW.get() as u64 + 1;
        for (name, way, condition) in [
            ("free", Way::Free, Condition::Free),
            ("claimed", Way::Emptying(claim(101)), Condition::Held),
            (
                "out of time",
                Way::Emptying(claim(100)),
                Condition::Abandoned,
            ),
            (
                "too much time",
                Way::Emptying(claim(100 + long_after)),
                Condition::Abandoned,
            ),
            ("good", Way::Published(entry(1, 101)), Condition::Current),
            ("past", Way::Published(entry(1, 100)), Condition::Expired),
            (
                "a moment ahead",
                Way::Published(entry(160, 170)),
                Condition::Current,
            ),
            (
                "from the future",
                Way::Published(entry(161, 170)),
                Condition::Expired,
            ),
        ] {
            assert_eq!(way.condition(at(100)), condition, "{name}");
        }
    }

    #[test]
    fn how_long_nobody_asked_is_known_for_days() {
        let touched = Touched::at(at(1_000_000));
        for (now, idle) in [
            (1_000_000, 0),
            (1_000_001, 16),
            (1_086_400, 86_400 * 16),
            (999_999, 0),
        ] {
            assert_eq!(touched.idle(at(now)), idle, "{now}");
        }
    }

    pub(in crate::tier) fn any_way() -> impl Strategy<Value = Way> {
        (0u8..4, any::<(u32, u32, u64, u64, u64, u32)>()).prop_map(
            |(state, (touched, fingerprint, generation, started, until, charged))| {
                let generation = Generation::from_raw(generation);
                let (started, until) =
                    (Timestamp::from_nanos(started), Timestamp::from_nanos(until));
                let claim = Claim {
                    generation,
                    charged,
                    deadline: until,
                };
                match state {
                    0 => Way::Free,
                    1 => Way::Filling {
                        claim,
                        fingerprint,
                        started,
                    },
                    2 => Way::Emptying(claim),
                    _ => Way::Published(Published {
                        fingerprint,
                        generation,
                        charged,
                        started,
                        expires: until,
                        touched: Touched(touched & Touched::MASK),
                    }),
                }
            },
        )
    }
}
