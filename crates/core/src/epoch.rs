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

mod pattern;

use std::fmt;

use md5::{Digest, Md5};

use crate::entry::{Epoch, Stamp, Stamps};
use crate::key::{Key, Resource};
use crate::time::Timestamp;

pub use pattern::{MAX_PATTERN_BYTES, NameMatcher, NamePattern};

/// What an invalidation names, and an entry is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Every stored response that stands for many queries of a path, which only the response tells, and whose name begins
    /// with this, up to the query ([`crate::key::Key::is_of_any_query`]).
    AnyQuery(&'a [u8]),
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
    /// Every stored response whose key has this name ([`crate::key::KeyName`]).
    Name(&'a [u8]),
    /// Every stored response of a resource: under any scheme, for any identity, in any variant.
    Resource(&'a Resource),
    /// Every stored response with this tag, of whatever origin. Tags are compared byte by byte.
    Tag(&'a [u8]),
}

impl Scope<'_> {
    /// What stands for it.
    pub fn stamp(self) -> Stamp {
        let mut digest = Md5::new();
        match self {
            Self::AnyQuery(name) => {
                digest.update([5]);
                digest.update(name);
            }
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
            Self::Name(name) => {
                digest.update([4]);
                digest.update(name);
            }
            Self::Resource(resource) => {
                digest.update([2]);
                digest.update(resource.as_bytes());
            }
            Self::Tag(tag) => {
                digest.update([6]);
                digest.update(tag);
            }
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 16]>::from(digest.finalize());
        Stamp(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// How much an invalidation takes away, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// What it covers is gone: nothing of it is used again, not even as a question to the origin.
    Hard,
    /// What it covers is "in need of a mandatory validation before [it] can be sent in response to a subsequent request"
    /// (RFC 9111 section 4.4).
    Invalid,
    /// What it covers is stale from now on, and may be used where a stale response may.
    Soft,
}

impl Mode {
    /// All of them, the one that takes away most first.
    pub const ALL: &'static [Self] = &[Self::Hard, Self::Invalid, Self::Soft];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Invalid => "invalid",
            Self::Soft => "soft",
        }
    }
}

/// What an invalidation covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every entry.
    All,
    /// Every entry whose key has a name like this.
    Names(NamePattern),
    /// Every entry with one of these stamps.
    Stamps(Vec<Stamp>),
}

impl Coverage {
    /// Every entry whose key has this name, and those that stand for this query among others.
    pub fn of_name(name: &str) -> Self {
        let named = Scope::Name(name.as_bytes());
        Self::Stamps(vec![
            named.stamp(),
            Scope::AnyQuery(up_to_query(name)).stamp(),
        ])
    }

    /// Every entry with this tag, or with one below it: `a` covers what is tagged `a:b`.
    pub fn of_tag(tag: &[u8]) -> Self {
        Self::Stamps(vec![Scope::Tag(tag).stamp()])
    }
}

/// An invalidation's coverage, to be held against many entries.
#[derive(Debug)]
pub enum Covering {
    /// As [`Coverage::All`].
    All,
    /// As [`Coverage::Names`].
    Names(NameMatcher),
    /// As [`Coverage::Stamps`].
    Stamps(Vec<Stamp>),
}

impl Coverage {
    /// What holds it against entries.
    ///
    /// # Errors
    /// As [`NamePattern::compile`]: never in fact.
    pub fn compile(&self) -> Result<Covering, String> {
        Ok(match self {
            Self::All => Covering::All,
            Self::Names(pattern) => Covering::Names(pattern.compile()?),
            Self::Stamps(stamps) => Covering::Stamps(stamps.clone()),
        })
    }
}

impl Covering {
    /// Whether it covers an entry, whenever that was asked for.
    pub fn covers(&self, stored: Stamped<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Names(matcher) => matcher.matches(&stored.key.name()),
            Self::Stamps(stamps) => stored.stamps.iter().any(|stamp| stamps.contains(&stamp)),
        }
    }
}

/// The stamps by which an entry under this key is found by its name.
pub fn stamps_of_name(key: &Key) -> impl Iterator<Item = Stamp> {
    let name = key.name();
    let name = name.as_str();
    let any_query = key
        .is_of_any_query()
        .then(|| Scope::AnyQuery(up_to_query(name)).stamp());
    [Scope::Name(name.as_bytes()).stamp()]
        .into_iter()
        .chain(any_query)
}

// A template may hold a `?` of its own; then this is shorter, on both sides.
fn up_to_query(name: &str) -> &[u8] {
    name.split('?').next().unwrap_or_default().as_bytes()
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

/// Whether an entry has been met by an invalidation; what leaves the least of it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Currency {
    /// A hard one has, or nobody can say.
    Gone,
    /// One has, of which the origin can say that it changed nothing.
    Invalidated,
    /// A soft one has.
    Softened {
        /// Since when it has been stale, or longer; `None` where nobody knows.
        since: Option<Timestamp>,
    },
    /// None has.
    Current,
}

impl Currency {
    /// What an invalidation of this mode makes of what it covers, from then on.
    pub fn met_by(mode: Mode, since: Option<Timestamp>) -> Self {
        match mode {
            Mode::Hard => Self::Gone,
            Mode::Invalid => Self::Invalidated,
            Mode::Soft => Self::Softened { since },
        }
    }
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
            Scope::AnyQuery(b"abc").stamp(),
            Scope::Name(b"abc").stamp(),
            Scope::Tag(b"abc").stamp(),
        ];
        for (at, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..at].contains(stamp), "{at}");
        }
        assert_eq!(group("a", "bc"), group("a", "bc"));
    }

    /// A key with these fields, and behind them one without content.
    fn key(fields: &[(u8, &[u8])]) -> Key {
        let mut canonical = vec![1];
        for (tag, content) in fields {
            canonical.push(*tag);
            canonical.extend_from_slice(&(content.len() as u32).to_le_bytes());
            canonical.extend_from_slice(content);
        }
        Key::from_canonical(canonical)
    }

    #[test]
    fn a_name_covers_its_keys_and_those_that_stand_for_its_query() {
        let (host, path) = ((2, &b"a"[..]), (3, &b"/p"[..]));
        let reduced = b"\x06\0\0\0params\x01\0\0\0x\x01\0\0\x002";
        let stands_for_many = key(&[host, path, (13, b""), (14, reduced)]);
        assert_eq!(stands_for_many.name().as_str(), "GET:a/p?x=2");
        let other_path = key(&[host, (3, b"/q"), (13, b""), (14, reduced)]);
        let plain = key(&[host, path, (5, b"x=1"), (9, b"")]);
        for (name, covered) in [
            ("GET:a/p?x=1", [true, true, false]),
            ("GET:a/p?x=2", [false, true, false]),
            ("GET:a/p", [false, true, false]),
            ("GET:a/q?x=2&y", [false, false, true]),
            ("GET:b/p?x=1", [false, false, false]),
        ] {
            let Coverage::Stamps(stamps) = Coverage::of_name(name) else {
                panic!("{name} is covered by stamps");
            };
            let is_covered = [&plain, &stands_for_many, &other_path]
                .map(|key| stamps_of_name(key).any(|stamp| stamps.contains(&stamp)));
            assert_eq!(is_covered, covered, "{name}");
        }
    }
}
