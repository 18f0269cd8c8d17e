//! The keys under which a response with No-Vary-Search is found again.
//!
//! Which parameters say nothing stands in the response, which is looked for by them. So it is found in two steps, as the
//! draft proposes to caches that look only at "a smaller number of stored responses" (section 7). Under the *record's key*,
//! that of the URL without its query, stands the value that the origin gave last for this path. By it the request's
//! parameters are reduced: those that say nothing are left out, and where their order says nothing they are sorted by
//! name. The *reduced key* is the record's key, the value, and the parameters that are left.
//!
//! # Why no response is used for a URL that it does not answer
//!
//! A response is stored under a reduced key only with the value that it carries itself, reduced from its own request. Who
//! finds it there has a key that is equal byte for byte, so the value in it is that of the response, everything but the
//! query is equal, and what is left of the two queries is equal. What is left is, for the draft too, what decides:
//!
//! - A parameter is left out only if the draft leaves it out, by the same comparison of its name as text.
//! - Parameters are sorted by that text, as the draft sorts them; parameters of one name keep their order.
//! - Two names or values that are equal as decoded bytes are equal as text.
//!
//! So the two URLs are "equivalent modulo variation config" (section 6), whatever the record said; a record that is missing,
//! old, or not true costs a hit and nothing else. The other direction does not hold, which is allowed:
//!
//! - Bytes that are no UTF-8 stay what they are, while the draft reads each of them as U+FFFD: "lossy decoding can map
//!   distinct query strings onto the same cache key" (section 8).
//! - A query that holds a `;` is compared as a whole, as if no field were there. Some servers split at `;` too; there
//!   `utm_x=1;a=2` is a second `a`, which a client could hide behind a parameter that is left out, and have the answer kept
//!   for those who sent neither. The field says how a parameter is compared, not how the origin finds it.
//!
//! A rule's own choice of parameters comes first: only what it makes part of the key can be reduced, and what it takes to be
//! one request stays one.

use super::canonical::{Canonical, Tag, fields};
use super::{Key, KeyError};
use crate::http::form::{self, Parameter};
use crate::http::{KeyOrder, UrlVariation};
use crate::sorting::sort_by;

/// What is needed of a request, beside its key, to find what No-Vary-Search says about its URL: the parameters that the
/// key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Joined as in a query.
    query: String,
}

impl Search {
    /// For a request with these parameters; `None` where they are not compared one by one.
    pub(super) fn new(query: String) -> Option<Self> {
        (!query.contains(';')).then_some(Self { query })
    }

    /// About how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        self.query.len()
    }

    /// Where the value stands that the origin gave last for the path of a request with this key.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLong`].
    pub fn record(&self, key: &Key, max_key_bytes: usize) -> Result<Key, KeyError> {
        without_query(key, max_key_bytes).finish()
    }

    /// Where a response stands that answers a request with this key and carries this value.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLong`].
    pub fn reduced(
        &self,
        key: &Key,
        variation: &UrlVariation,
        max_key_bytes: usize,
    ) -> Result<Key, KeyError> {
        let mut parameters: Vec<Parameter<'_>> = form::parameters(&self.query)
            .filter(|parameter| variation.varies_on(&parameter.name))
            .collect();
        match variation.key_order() {
            KeyOrder::Significant => {}
            // A stable sort: "keyLessThan" compares nothing but names (section 6).
            KeyOrder::Insignificant => {
                sort_by(&mut parameters, |one, other| {
                    form::text(&one.name).cmp(&form::text(&other.name))
                });
            }
        }
        let mut canonical = without_query(key, max_key_bytes);
        canonical.list(Tag::Reduced, |list| {
            list.element(&[variation.canonical().as_bytes()]);
            for Parameter { name, value } in &parameters {
                list.element(&[name]);
                list.element(&[value]);
            }
        });
        canonical.finish()
    }
}

/// All of a key but the query, and that it is left out.
fn without_query(key: &Key, max_key_bytes: usize) -> Canonical {
    let is_query = |tag| tag == Tag::Query as u8 || tag == Tag::Parameters as u8;
    let mut canonical = Canonical::new(max_key_bytes);
    for (_, field) in fields(key.canonical()).filter(|(tag, _)| !is_query(*tag)) {
        canonical.field(field);
    }
    canonical.bytes(Tag::Search, &[]);
    canonical
}

#[cfg(test)]
mod tests;
