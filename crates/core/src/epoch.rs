//! What an invalidation is, and whether an entry has been met by one.
//!
//! > A cache MUST invalidate the target URI (Section 7.1 of [HTTP]) when it receives a non-error status code in response to
//! > an unsafe request method (including methods whose safety is unknown). (RFC 9111 section 4.4)
//!
//! Shared memory cannot be searched, so nothing is deleted. An invalidation takes the next position in the process's
//! order of invalidations and notes it under the stamp of what it names; an entry keeps its stamps and the position at
//! the start of its request, and is over once one of its stamps has a later one. That also meets the response that was
//! on its way while the invalidation came, whichever is stored or noted first.
//!
//! [`Epochs`] is the port: who implements it ([`crate::tier::EpochLog`]) may say that an entry is over when it is not, never
//! the other way round.

use std::fmt;

use md5::{Digest, Md5};

use crate::entry::{Epoch, Stamp, Stamps};
use crate::key::{Key, Resource};

/// What an invalidation names, and an entry is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Every stored response in any cache group of an origin.
    AnyGroup {
        /// As that of [`Scope::Group`].
        origin: &'a str,
    },
    /// Every stored response in a cache group of an origin (RFC 9875 section 2.1). Names are compared byte by byte.
    Group {
        /// The host, and the port unless it is the scheme's own. Not the scheme: whether a proxy in front has taken
        /// the encryption away must not tell a group from itself.
        origin: &'a str,
        /// The group.
        name: &'a [u8],
    },
    /// Every stored response of a resource: under any scheme, for any identity, in any variant.
    Resource(&'a Resource),
}

impl Scope<'_> {
    /// What stands for it.
    pub fn stamp(self) -> Stamp {
        let mut digest = Md5::new();
        match self {
            Self::AnyGroup { origin } => {
                digest.update([3]);
                digest.update(origin);
            }
            Self::Group { origin, name } => {
                digest.update([1]);
                digest.update((origin.len() as u64).to_le_bytes());
                digest.update(origin);
                digest.update(name);
            }
            Self::Resource(resource) => {
                digest.update([2]);
                digest.update(resource.as_bytes());
            }
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 16]>::from(digest.finalize());
        Stamp(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// How much an invalidation takes away, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// What it covers is gone: nothing of it is used again, not even as a question to the origin.
    Hard,
    /// What it covers is "in need of a mandatory validation before [it] can be sent in response to a subsequent request"
    /// (RFC 9111 section 4.4).
    Invalid,
    /// What it covers is stale from now on, and may be used where a stale response may.
    Soft,
}

/// What an invalidation covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every entry with one of these stamps.
    Stamps(Vec<Stamp>),
}

/// Entries that are over, for every worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// Which.
    pub coverage: Coverage,
    /// How much so.
    pub mode: Mode,
}

/// Something stored that may have been invalidated.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<'a> {
    /// That of the request that fetched it.
    pub epoch: Epoch,
    /// What an invalidation that concerns it would name.
    pub stamps: Stamps<'a>,
    /// The key it stands under, whose name patterns are held against.
    pub key: &'a Key,
    /// Where it is.
    pub whereabouts: Whereabouts,
}

/// Where something is that may have been invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// On its way, or in a worker's own memory, where no sweep comes by; it was last judged, or begun, at this epoch.
    Aside(Epoch),
    /// In the memory that all workers share.
    Shared,
}

/// Whether an entry has been met by an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// None has.
    Current,
    /// A hard one has, or nobody can say.
    Gone,
    /// One has, of which the origin can say that it changed nothing.
    Invalidated,
    /// A soft one has.
    Softened,
}

/// The order of a process's invalidations, as one worker knows it.
pub trait Epochs: fmt::Debug {
    /// The epoch of a request that is received now: every invalidation acknowledged by now is in it.
    fn now(&self) -> Epoch;

    /// Whether something was invalidated before the last [`Epochs::now`].
    fn judge(&self, stored: Stamped<'_>) -> Currency;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_things_have_different_stamps() {
        let group = |origin, name: &'static str| {
            Scope::Group {
                origin,
                name: name.as_bytes(),
            }
            .stamp()
        };
        let stamps = [
            group("a", "bc"),
            group("ab", "c"),
            group("a", "BC"),
            group("a:1", "bc"),
            Scope::AnyGroup { origin: "a" }.stamp(),
            Scope::Resource(&Resource::sample(b"abc")).stamp(),
            Scope::Resource(&Resource::sample(b"")).stamp(),
        ];
        for (at, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..at].contains(stamp), "{at}");
        }
        assert_eq!(group("a", "bc"), group("a", "bc"));
    }
}
