//! What the replicas share: the log of invalidations, entries, leads, instances, and small documents.
//!
//! One contract, kept by memory and by Redis alike, and tried on both by the same suite (`tests/contract.rs`).

use std::time::Duration;

use larder_core::fleet::{Cursor, InstanceId};

/// The store cannot be reached, or has refused; what was wanted may have been done all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

/// A record, before it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Who says so, and its own number for it: what was said before is not said again.
    pub said: Said,
    /// The invalidation in JSON, as it goes to the filters.
    pub body: String,
}

/// Whose word a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// Whose.
    pub by: InstanceId,
    /// Its own count, from 1.
    pub seq: u64,
}

/// A record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place; also its name.
    pub at: Cursor,
    /// Whose word it is.
    pub said: Said,
    /// How long it has stood there, by the store's clock.
    pub age: Duration,
    /// As in [`NewRecord`].
    pub body: String,
}

/// What stands behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// These; and where that leads.
    Records {
        /// In order, no more than were asked for.
        records: Vec<Record>,
        /// The place behind the last of them.
        cursor: Cursor,
        /// Whether more stand there now.
        more: bool,
    },
    /// Nobody can say: the cursor is of another log, ahead of this one, or what stood behind it is gone.
    Reset {
        /// The end of the log.
        cursor: Cursor,
    },
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// How far the log had been followed when the request was sent that fetched it.
    pub cursor: Cursor,
    /// That of the lead under which it was fetched; 0 where there was none.
    pub fence: u64,
    /// How long it has stood there, by the store's clock.
    pub age: Duration,
    /// How long it will stand there.
    pub left: Duration,
    /// The frame (`larder_core::wire::Frame`).
    pub frame: Vec<u8>,
}

/// What became of an entry that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It stands there.
    Stored,
    /// What stands there was fetched later, or under a later lead.
    Older,
}

/// Who may fetch what stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Whoever asked; this number is greater than all before it for that key.
    Granted(u64),
    /// Somebody else, for so long at most.
    Held(Duration),
}

/// An instance, as it was heard of last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// How far it has applied the log.
    pub applied: Option<Cursor>,
    /// How long ago it was heard of.
    pub age: Duration,
    /// What it said of itself last, in JSON.
    pub report: String,
}
