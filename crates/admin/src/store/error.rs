//! What can go wrong with a store.

use std::error::Error;
use std::fmt;

/// The store did not do what it was asked for, or did not say that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time; what was wanted may have been done all the same.
    Unreachable(String),
    /// It answered that it will not: no password, out of memory, read-only, not a Redis.
    Refused(String),
    /// What stands there was not written by a Larder that this one understands.
    Corrupt(String),
    /// More than one entry may have.
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(out, "the store does not answer: {why}"),
            Self::Refused(why) => write!(out, "the store refuses: {why}"),
            Self::Corrupt(why) => write!(out, "what is in the store makes no sense: {why}"),
            Self::TooLarge { bytes, limit } => {
                write!(out, "an entry of {bytes} bytes, where {limit} are allowed")
            }
        }
    }
}

impl Error for StoreError {}
