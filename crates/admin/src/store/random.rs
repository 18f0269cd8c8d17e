//! Numbers that two runs do not share.

use std::hash::{BuildHasher, RandomState};

/// A number that nobody else has: names of logs, checks of records. Nothing secret rests on it.
pub(crate) fn number() -> u64 {
    // Keys from the operating system, other ones at each call.
    RandomState::new().hash_one(())
}

/// Half of one.
pub(crate) fn check() -> u32 {
    let [a, b, c, d, ..] = number().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
