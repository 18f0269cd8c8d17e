//! What of a key names the resource, and not the request's way of asking for it.
//!
//! An invalidation names a URI, while the responses of one URI stand under many keys: one for each identity, chosen
//! header and variant. All of them have the same host, path and query, as the rule reads these; the resource is these
//! three, and what it is invalidated by ([`crate::epoch`]). The scheme is left out, because one resource may be asked for
//! by either, and so is everything behind the query.

use super::build::{write_host, write_locator};
use super::canonical::{Canonical, Tag, fields};
use super::{Key, KeyError};
use crate::config::{CachePolicy, Captures};
use crate::http::{Authority, Target};

/// The fields of a key that name the resource: their canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Vec<u8>);

/// What of a key a resource is made of.
const FIELDS: [Tag; 5] = [
    Tag::Host,
    Tag::Path,
    Tag::Template,
    Tag::Query,
    Tag::Parameters,
];

impl Resource {
    /// The resource that a URI names under a policy, whatever else its requests are told apart by.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] where it has more than `max_key_bytes`; nothing is stored under such a key.
    pub fn of(
        scheme: &[u8],
        authority: Authority<'_>,
        target: &Target,
        (policy, captures): (&CachePolicy, &Captures),
        max_key_bytes: usize,
    ) -> Result<Self, KeyError> {
        let mut canonical = Canonical::resume(&[], max_key_bytes);
        write_host(&mut canonical, scheme, authority);
        write_locator(&mut canonical, target, policy, captures);
        canonical.into_bytes().map(Self)
    }

    /// What makes it this resource.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn sample(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Key {
    /// The resource whose responses stand under this key, among others.
    pub fn resource(&self) -> Resource {
        let named = fields(self.canonical())
            .filter(|(tag, _)| FIELDS.iter().any(|field| *field as u8 == *tag))
            .map(|(_, field)| field);
        Resource(named.collect::<Vec<_>>().concat())
    }
}
