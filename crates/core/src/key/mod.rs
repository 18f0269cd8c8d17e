//! What makes two requests the same.
//!
//! A key is a structure; its hash is only an address. The canonical bytes hold every part, tagged and
//! length-prefixed, so that no two different structures can be written alike; they are stored in the entry and
//! compared on every read. Two URLs whose digests collide are therefore two misses, never each other's answer.
//!
//! GET and HEAD ask for one representation, so the method is no part of most keys. It is where the question is in the
//! content ([`Key::with_content`]).

mod accept;
mod build;
mod canonical;
mod content;
mod identity;
mod jwt;
mod name;
mod query;
mod resource;
mod search;
mod variant;

use std::cell::OnceCell;
use std::fmt;

use md5::{Digest, Md5};

use crate::digits::hexadecimal;

pub(crate) use accept::weighted;
pub use build::{BuiltKey, KeyParts, Principal};
pub use identity::{Attributes, Unreadable, identity_of};
pub use jwt::decode_base64url;
pub use name::KeyName;
pub use resource::Resource;
pub use search::Search;

/// The canonical bytes of a key and, once it is asked for, their digest.
#[derive(Clone, Debug)]
pub struct Key {
    canonical: Vec<u8>,
    digest: OnceCell<KeyDigest>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Key {}

/// The MD5 of a key's canonical bytes: where to look, never proof of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 16]);

impl KeyDigest {
    /// Half of it, where telling a few keys apart is enough.
    pub fn short(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// From its text, as it is written and in no other form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (high, low) = text.split_at_checked(16)?;
        let [high, low] = [high, low].map(|half| hexadecimal(half, 16));
        let number = (u128::from(high?) << 64) | u128::from(low?);
        Some(Self(number.to_be_bytes()))
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for KeyDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Why a request has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The authority is no plain host.
    Authority,
    /// The rule wants an identity, and what stands in its place cannot be used.
    IdentityInvalid,
    /// The scheme is none.
    Scheme,
    /// The canonical bytes would be longer than allowed.
    TooLong,
}

impl Key {
    /// A key from its canonical bytes.
    pub fn from_canonical(canonical: Vec<u8>) -> Self {
        Self {
            canonical,
            digest: OnceCell::new(),
        }
    }

    /// The bytes that are stored and compared.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Whose entry it is, in bytes, where the rule has an identity and the request has one.
    pub fn identity(&self) -> Option<&[u8]> {
        let identity = canonical::fields(&self.canonical)
            .find(|(tag, _)| *tag == canonical::Tag::Identity as u8)
            .and_then(|(_, field)| field.get(5..))?;
        canonical::elements(identity).nth(1) // behind its kind; of nobody there is no more
    }

    /// Where to look.
    pub fn digest(&self) -> KeyDigest {
        *self
            .digest
            .get_or_init(|| KeyDigest(Md5::digest(&self.canonical).into()))
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
