//! What ties an entry to invalidations: when it was asked for, and what an invalidation that concerns it would name.
//!
//! Invalidations are counted, not timed: a clock can step back, and then an entry could look younger than the
//! invalidation that was meant for it. An entry keeps the count at the start of its request, and is over once
//! something that it is stamped with was invalidated at a later one ([`crate::epoch`]).

/// A place in the order of a process's invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Which count: it begins anew, under another random number, when the shared memory is lost.
    pub log: u64,
    /// How many invalidations there had been.
    pub position: u64,
}

impl Epoch {
    /// That of no log: nothing stored with it is ever current.
    pub const UNKNOWN: Epoch = Epoch {
        log: 0,
        position: 0,
    };
}

/// A hash of something that can be invalidated. Equal hashes of different things only invalidate too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp(pub u64);

/// The stamps of an entry, over the bytes it was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps<'a>(&'a [[u8; 8]]);

/// The stamps of an entry to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StampList(Vec<[u8; 8]>);

impl<'a> Stamps<'a> {
    /// From their bytes; those behind the last whole stamp are not looked at.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Self {
        let (stamps, _) = bytes.as_chunks();
        Self(stamps)
    }

    /// Their bytes.
    pub(super) fn as_bytes(self) -> &'a [u8] {
        self.0.as_flattened()
    }

    /// How many bytes they take.
    pub(crate) fn size(self) -> usize {
        self.as_bytes().len()
    }

    /// How many there are.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Stamp> + 'a {
        self.0.iter().map(|bytes| Stamp(u64::from_le_bytes(*bytes)))
    }
}

impl StampList {
    /// To be read like those of an entry.
    pub fn as_stamps(&self) -> Stamps<'_> {
        Stamps(&self.0)
    }
}

impl FromIterator<Stamp> for StampList {
    fn from_iter<I: IntoIterator<Item = Stamp>>(stamps: I) -> Self {
        Self(
            stamps
                .into_iter()
                .map(|stamp| stamp.0.to_le_bytes())
                .collect(),
        )
    }
}
