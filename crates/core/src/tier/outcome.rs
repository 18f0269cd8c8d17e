//! What is asked of the shared tier, and what comes of it; every refusal has its reason, for a counter.

use std::fmt;
use std::ops::Range;

use crate::epoch::Currency;
use crate::key::Key;
use crate::policy::Reason;
use crate::report::Counter;
use crate::time::Timestamp;

/// What a lookup found.
#[derive(Debug)]
pub enum Lookup {
    /// No entry that may be used.
    Absent(AbsentReason),
    /// The entry of this key.
    Found(Found),
}

/// An entry as it stood in its slot.
#[derive(Debug)]
pub struct Found {
    pub(super) value: Vec<u8>,
    pub(super) payload: Range<usize>,
    /// When the request that fetched it was received.
    pub started: Timestamp,
    /// When it is no longer of any use.
    pub expires: Timestamp,
}

impl Found {
    /// The bytes that were stored.
    pub fn payload(&self) -> &[u8] {
        self.value.get(self.payload.clone()).unwrap_or_default()
    }
}

/// Why a lookup found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbsentReason {
    /// The set's directory cannot be read; the next store in the set replaces it.
    CorruptDirectory,
    /// The slot cannot be read; it is repaired at the next tick.
    CorruptSlot,
    /// The slot holds something else than the directory says, or nothing: it is just being replaced, or a late write
    /// hit it. Looked after at the next tick.
    Displaced,
    /// The cells have failed too often, or were slow, and are left alone for a while.
    Distrusted,
    /// The entry is past.
    Expired,
    /// The host did not answer.
    Failed,
    /// There is no entry under this key.
    NoEntry,
    /// Another key with the same fingerprint has the way.
    OtherKey,
    /// The cells were lost since the last call; the next lookup uses what replaced them.
    Reset,
    /// Nothing was ever stored.
    Unfounded,
}

impl AbsentReason {
    /// What is counted, where somebody should look at it.
    pub fn counter(self) -> Option<Counter> {
        match self {
            Self::CorruptDirectory | Self::CorruptSlot | Self::OtherKey => Some(Counter::Corrupt),
            Self::Distrusted => Some(Counter::TierSkipped),
            Self::Failed => Some(Counter::HostFailed),
            Self::Displaced | Self::Expired | Self::NoEntry | Self::Reset | Self::Unfounded => None,
        }
    }
}

/// Of what no invalidation can concern ([`Candidate::currency`]).
pub const UNCONCERNED: &dyn Fn() -> Currency = &|| Currency::Current;

/// An entry to store.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// What it answers.
    pub key: &'a Key,
    /// When the request that fetched it was received.
    pub started: Timestamp,
    /// When it is no longer of any use, all stale windows included.
    pub expires: Timestamp,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Whether something has been invalidated by now that covers it. It is asked before anything is moved for it, and again
    /// when its place is taken: a sweep that has passed there by then had begun with all that is known here.
    pub currency: &'a dyn Fn() -> Currency,
}

impl Candidate<'_> {
    /// What stands against it by now.
    pub(super) fn still_stands(&self) -> Result<(), WhyNot> {
        match (self.currency)() {
            Currency::Current | Currency::Softened { .. } => Ok(()),
            Currency::Gone | Currency::Invalidated => Err(WhyNot::Invalidated),
        }
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("key", self.key)
            .finish_non_exhaustive()
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Every worker finds it from now on.
    Published,
    /// It was not stored, and nothing else of this key was harmed.
    Skipped(WhyNot),
}

/// Why an entry was not stored, or not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// Another worker is storing this key, or all ways of its set are being written.
    Busy,
    /// Other workers changed the set each time.
    Contended,
    /// It is past already, or from before the clock was set back.
    Expired,
    /// The host failed.
    Failed,
    /// Something that covers it was invalidated after it was asked for.
    Invalidated,
    /// There is an entry of this key whose request started later.
    Newer,
    /// There is no room, and it is not popular enough to take another's place.
    NotAdmitted,
    /// All worker ids are taken.
    NoLease,
    /// No memory to build the slot's bytes.
    NoMemory,
    /// `storage.max_bytes` is used up, and not enough could be evicted within the effort a store may take.
    NoRoom,
    /// This worker took so long that another took the way.
    Overtaken,
    /// The cells were lost; the next store goes to what replaced them.
    Reset,
    /// It is larger than all that may be stored.
    TooLarge,
}

impl WhyNot {
    /// Whether the next to store under this key would not fare better, and there is nothing under it that is newer.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Expired | Self::Invalidated | Self::Newer => false,
            Self::Busy
            | Self::Contended
            | Self::Failed
            | Self::NoLease
            | Self::NoMemory
            | Self::NoRoom
            | Self::NotAdmitted
            | Self::Overtaken
            | Self::Reset
            | Self::TooLarge => true,
        }
    }

    /// The reason as operators know it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Busy | Self::Contended | Self::Newer | Self::Overtaken => Reason::SlotContention,
            Self::Expired => Reason::Expired,
            Self::Invalidated => Reason::Invalidated,
            Self::Failed | Self::NoLease | Self::Reset => Reason::Internal,
            Self::NoMemory | Self::NoRoom => Reason::NoRoom,
            Self::NotAdmitted => Reason::NotAdmitted,
            Self::TooLarge => Reason::TooLarge,
        }
    }
}

/// What a removal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// There was none.
    Absent,
    /// It is gone for every worker, and its bytes are free.
    Emptied,
    /// It may still be there.
    Failed(WhyNot),
}
