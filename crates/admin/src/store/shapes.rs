//! What goes into the store and comes out of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_core::fleet::{Cursor, InstanceId};

/// After so long a request counts half in [`Heat`].
pub const HEAT_HALF_LIFE: Duration = Duration::from_secs(600);

/// Bytes of a name in [`Heat`]; longer ones are not counted.
pub const MAX_HEAT_NAME: usize = 8 << 10;

/// Bytes of records in one [`Reading`]; a longer one comes alone.
pub(super) const READ_BYTES: usize = 4 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records in the log; who was further behind begins anew.
    pub log_records: usize,
    /// Bytes of the log in memory; Redis keeps `log_records`.
    pub log_bytes: usize,
    /// Bytes of one entry, as it comes.
    pub entry_bytes: usize,
    /// Bytes of all entries in memory; in Redis its `maxmemory` does that.
    pub entries_bytes: usize,
    /// Documents in memory.
    pub documents: usize,
    /// Names in the table of what is asked for most.
    pub heat: usize,
}

impl Bounds {
    /// What the service takes where nothing else is said.
    pub const USUAL: Self = Self {
        log_records: 100_000,
        log_bytes: 64 << 20,
        entry_bytes: 8 << 20,
        entries_bytes: 256 << 20,
        documents: 10_000,
        heat: 10_000,
    };
}

/// A record, before it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Who says so, and its own number for it: what was said before is not said again. `None`: the service itself, which
    /// does not count; the record has the [`Said`] of [`Said::by_the_service`] then.
    pub said: Option<Said>,
    /// The invalidation in JSON, as it goes to the filters.
    pub body: Arc<str>,
}

/// Whose word a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// Whose.
    pub by: InstanceId,
    /// Its own count, from 1.
    pub seq: u64,
}

impl Said {
    /// No instance: 0 is nobody's id, and the record's position does for a count.
    #[must_use]
    pub const fn by_the_service(position: u64) -> Self {
        Self {
            by: InstanceId(0),
            seq: position,
        }
    }
}

/// What became of records that were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where each stands, in the order they came. `None`: it was said before, and is not retained any more.
    pub ids: Vec<Option<Cursor>>,
    /// The end of the log after that.
    pub end: Cursor,
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
    pub body: Arc<str>,
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
    /// Nobody can say.
    Reset {
        /// The end of the log.
        cursor: Cursor,
        /// Why nobody can.
        loss: Loss,
    },
}

/// Why nobody can say what stands behind a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is not retained any more.
    Trimmed,
    /// The cursor is of another log: the store was emptied, or it is another store.
    OtherLog,
    /// The cursor's record is not there or is another one: the store has lost its newest records, in a failover for
    /// example. Whoever has followed that far knows that something was lost which others have never seen.
    Rewritten,
}

/// Where the log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The position of the oldest record that is retained; `None` when none is.
    pub oldest: Option<u64>,
    /// The place behind the newest.
    pub end: Cursor,
}

/// An entry that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// How far the log had been followed when the request was sent that fetched it.
    pub cursor: Cursor,
    /// That of the lead under which it was fetched; 0 where there was none.
    pub fence: u64,
    /// How long it is to stand there.
    pub keep: Duration,
    /// The frame (`larder_core::wire::Frame`).
    pub frame: Bytes,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// As in [`NewEntry`].
    pub cursor: Cursor,
    /// As in [`NewEntry`].
    pub fence: u64,
    /// How long it has stood there, by the store's clock.
    pub age: Duration,
    /// How long it will stand there.
    pub left: Duration,
    /// As in [`NewEntry`].
    pub frame: Bytes,
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
    /// Whoever asked; this number is greater than all before it for that key, and never 0.
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
    pub report: Arc<str>,
}

/// A record, and who has applied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which.
    pub record: Record,
    /// In the order in which they have.
    pub by: Vec<Acknowledgement>,
}

/// That an instance has applied a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which.
    pub instance: InstanceId,
    /// How long after the record it said so, at the latest, by the store's clock.
    pub lag: Duration,
}

/// The fleet's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Greater than all before it, also those of a store that was emptied since; never 0.
    pub version: u64,
    /// JSON.
    pub body: Arc<str>,
}

/// What became of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is there, with this version.
    Stored(u64),
    /// Nothing was done: the version there is this (0: there is none).
    Conflict(u64),
}

/// What is asked for, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heat {
    /// Whatever tells it apart, for whoever counts; at most [`MAX_HEAT_NAME`] bytes.
    pub name: Arc<str>,
    /// How often, of late.
    pub count: u64,
}
