//! Where No-Vary-Search counts: which key is asked for next, and which key a response is stored under.
//!
//! ```text
//! record ──┬─ a value ─▶ reduced ──┬─ something ─▶ (judged like any other, variants and all)
//!          │                       └─ nothing, or superseded ─┐
//!          └─ nothing ────────────────────────────────────────┴─▶ the URL's own key
//! ```
//!
//! So a record hides nothing: what is not found by it is looked for as if it were not there. A response goes under the
//! key that its own field makes of the request's, or under the URL's own where it has none; the record is written after
//! it, and only where it says something else or ends too early.
//!
//! Two stored responses may then answer one URL, and "When more than one suitable response is stored, a cache MUST use the
//! most recent one (as determined by the Date header field)" (RFC 9111 section 4). What stands under the reduced key is
//! asked for first, so it has to be the newer one: whoever stores a response for the same URL elsewhere, because the origin
//! does not send the field any more, or another value, leaves in its place word that it is superseded. That lasts until a
//! response with that value comes again. It leaves one case in which the older of two fresh responses is used: an origin
//! that goes to another value and back, with another URL asked for in between. The draft lets a cache look only at some of
//! the stored responses (section 7), and both are fresh.

use std::rc::Rc;

use super::request::Subject;
use super::{Candidate, Shareable};
use crate::entry::{SearchRecord, encode_search};
use crate::http::{Headers, UrlVariation};
use crate::key::Key;
use crate::time::Timestamp;

/// What a lookup has learned of No-Vary-Search.
#[derive(Debug)]
pub(super) enum Trail {
    /// No value is known for the path, or the field does not count.
    None,
    /// The record holds a value.
    Value(Lead),
}

/// The value that a record holds, and where it leads to.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) variation: UrlVariation,
    pub(super) expires: Timestamp,
    /// The request's reduced key.
    pub(super) key: Rc<Key>,
    pub(super) standing: Standing,
}

/// What stands under a reduced key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing that could be used.
    Nothing,
    /// A response, or the list of its variants.
    Something,
}

/// Where a response goes.
pub(super) struct Destination {
    pub(super) key: Rc<Key>,
    pub(super) notes: Vec<Note>,
}

/// What is written after a response, so that it is found and what it supersedes is not.
#[derive(Debug)]
pub(super) struct Note {
    key: Rc<Key>,
    record: SearchRecord,
    /// When it is of no use any more.
    expires: Timestamp,
}

impl Note {
    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        self.key.canonical().len()
    }

    /// What is to be stored.
    pub(super) fn into_candidate(self, started: Timestamp) -> Candidate {
        Candidate {
            key: self.key,
            started,
            expires: self.expires,
            payload: encode_search(&self.record),
            provenance: None,
            shareable: Shareable::Here,
        }
    }
}

impl Trail {
    /// Follows a record; `None` where it leads nowhere.
    pub(super) fn follow(
        subject: &Subject,
        record: SearchRecord,
        max_key_bytes: usize,
    ) -> Option<(Self, Rc<Key>)> {
        let SearchRecord::Reduced { variation, expires } = record else {
            return None;
        };
        let search = subject.search.as_ref()?;
        let key = Rc::new(
            search
                .reduced(&subject.key, &variation, max_key_bytes)
                .ok()?,
        );
        let lead = Lead {
            variation,
            expires,
            key: Rc::clone(&key),
            standing: Standing::Nothing,
        };
        Some((Self::Value(lead), key))
    }

    /// Something stands where the record led to.
    pub(super) fn arrived(&mut self) {
        match self {
            Self::None => {}
            Self::Value(lead) => lead.standing = Standing::Something,
        }
    }

    /// Where a response with these fields goes that is of use until `expires`.
    pub(super) fn destination(
        &self,
        subject: &Subject,
        headers: &Headers,
        expires: Timestamp,
        max_key_bytes: usize,
    ) -> Destination {
        let said = subject.search.as_ref().and_then(|search| {
            let variation = UrlVariation::parse(headers)?;
            let key = search
                .reduced(&subject.key, &variation, max_key_bytes)
                .ok()?;
            let record = search.record(&subject.key, max_key_bytes).ok()?;
            Some((Rc::new(record), variation, Rc::new(key)))
        });
        let Some((record, variation, key)) = said else {
            let notes = self.superseded(&subject.key, expires).into_iter().collect();
            let key = Rc::clone(&subject.key);
            return Destination { key, notes };
        };
        let mut notes = Vec::new();
        if let Some(until) = self.record_until(&variation, expires) {
            notes.push(Note {
                key: record,
                record: SearchRecord::Reduced {
                    variation,
                    expires: until,
                },
                expires: until,
            });
        }
        notes.extend(self.superseded(&key, expires));
        Destination { key, notes }
    }

    /// When the record is to end that holds this value; `None` where the one that stands will do.
    fn record_until(&self, variation: &UrlVariation, expires: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Value(lead) if lead.variation == *variation => {
                (lead.expires < expires).then_some(expires)
            }
            Self::Value(_) | Self::None => Some(expires),
        }
    }

    /// The word that what was found by the record is superseded by what goes to `key`; none where that is its own place.
    fn superseded(&self, key: &Rc<Key>, expires: Timestamp) -> Option<Note> {
        match self {
            Self::Value(lead) if lead.standing == Standing::Something && lead.key != *key => {
                Some(Note {
                    key: Rc::clone(&lead.key),
                    record: SearchRecord::Exact,
                    expires,
                })
            }
            Self::Value(_) | Self::None => None,
        }
    }
}
