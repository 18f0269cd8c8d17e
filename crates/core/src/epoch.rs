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
use crate::key::Resource;

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

/// Whether an entry has been met by an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// None has.
    Current,
    /// One has, or nobody can say.
    Invalidated,
}

/// The order of a process's invalidations, as one worker knows it.
pub trait Epochs: fmt::Debug {
    /// The epoch of a request that is received now: every invalidation acknowledged by now is in it.
    fn now(&self) -> Epoch;

    /// Whether an entry of this epoch with these stamps was invalidated before the last [`Epochs::now`].
    fn judge(&self, epoch: Epoch, stamps: Stamps<'_>) -> Currency;
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
