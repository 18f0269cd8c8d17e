//! What a worker is doing, for those who judge what comes of it.

use std::collections::BTreeSet;

use crate::key::KeyDigest;
use crate::time::Timestamp;

use super::super::directory::{Directory, WAYS};
use super::super::way::{CLAIM, Way};

/// What goes wrong in a play, and so what cannot be promised in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Cells change by other hands: nothing is asked why it ended.
    Damage,
    /// Workers are late, die, or sleep through a wipe: one that has lost its way may have written to it.
    #[default]
    Delays,
    /// Nothing.
    None,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Deed {
    #[default]
    Looking,
    Removing(KeyDigest),
    Storing {
        digest: KeyDigest,
        started: Timestamp,
        charged: u64,
        budget: u64,
    },
    Ticking,
}

/// One call of a worker into the tier.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) deed: Deed,
    pub(super) now: Timestamp,
    /// The last call to the host before it.
    pub(super) since: u64,
    /// What the gauge said last.
    pub(super) held: u64,
    /// The ways it has claimed.
    pub(super) claimed: BTreeSet<(u32, usize)>,
}

impl Default for Act {
    fn default() -> Self {
        Self {
            deed: Deed::default(),
            now: Timestamp::from_nanos(0),
            since: 0,
            held: 0,
            claimed: BTreeSet::new(),
        }
    }
}

impl Act {
    /// Notes the ways that a worker claims when it changes a directory; what it only carries on is older, or nobody's.
    pub(super) fn note_claims(&mut self, set: u32, before: Option<&Directory>, after: &Directory) {
        for way in 0..WAYS {
            let before = before.and_then(|before| before.way(way).generation());
            if let Way::Emptying(claim) | Way::Filling { claim, .. } = after.way(way)
                && before != Some(claim.generation)
                && claim.deadline == self.now.plus(CLAIM)
            {
                self.claimed.insert((set, way));
            }
        }
    }
}
