//! What a follower says of itself and of the log.

use larder_core::fleet::Cursor;
use tokio::time::Instant;

use crate::store::Record;

/// How it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has not come to the end of the log yet.
    Starting,
    /// It has, and goes on.
    Following,
    /// The store does not answer.
    Lost,
}

/// What has changed, for who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// How it goes.
    pub health: Health,
    /// How far the log was followed.
    pub end: Option<Cursor>,
    /// Which configuration the fleet has; 0 before the first.
    pub config: u64,
}

/// What stands behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// These; there may be more of them.
    Records {
        /// In order.
        records: Vec<Record>,
        /// The place behind the last of them.
        cursor: Cursor,
        /// Whether more stand there.
        more: bool,
        /// When the store said that nothing stands behind what is known.
        confirmed: Instant,
    },
    /// Nothing; the store said so then.
    Nothing(Instant),
    /// It is not kept here.
    Elsewhere,
}
