//! From a complete capture to entries.
//!
//! A response that varies is stored under its variant's key first and listed under the URL's key after that, so that
//! nobody is sent to a place where nothing stands yet. What No-Vary-Search needs ([`super::search`]) comes last of all.

use std::rc::Rc;

use super::budget::Hold;
use super::capture::Capture;
use super::form::Held;
use super::incomplete::Extent;
use super::response::Known;
use super::search::Note;
use super::{
    Candidate, Effect, Provenance, Shareable, State, Step, Surroundings, Ticket, landing,
    not_stored,
};
use crate::config::PolicyId;
use crate::entry::{
    Coding, Meta, StampList, StoredPart, StoredResponse, TagList, Variants, encode_part,
    encode_response, encode_variants,
};
use crate::flight::Flight;
use crate::http::{ContentRange, Headers};
use crate::key::Key;
use crate::policy::{Reason, store_if, validation};
use crate::time::Timestamp;
use crate::transform::is_suitable;

/// An entry without its body.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) meta: Meta,
    pub(super) stamps: StampList,
    pub(super) tags: TagList,
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) expires: Timestamp,
    pub(super) place: Placement,
    pub(super) notes: Vec<Note>,
    pub(super) shareable: Shareable,
}

/// Where an entry goes.
#[derive(Debug)]
pub(super) enum Placement {
    /// Under the URL's own key.
    Primary(Rc<Key>),
    /// Under its variant's key, and into the list under the URL's.
    Variant {
        primary: Rc<Key>,
        variants: Variants,
        key: Rc<Key>,
    },
}

impl Draft {
    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let keys = match &self.place {
            Placement::Primary(key) => key.canonical().len(),
            Placement::Variant { primary, key, .. } => primary
                .canonical()
                .len()
                .saturating_add(key.canonical().len()),
        };
        let notes = self.notes.iter().map(Note::size);
        notes.fold(
            self.headers
                .size()
                .saturating_add(keys)
                .saturating_add(self.tags.size()),
            usize::saturating_add,
        )
    }

    /// With this body, what is to be stored, in order; [`Reason::NoRoom`] where there is no memory to write it down.
    pub(super) fn with_body(mut self, body: &[u8]) -> Result<Vec<Candidate>, Reason> {
        let has_validator = self.headers.contains("etag") || self.headers.contains("last-modified");
        if self.status == 200 && !has_validator {
            self.headers.push("etag", validation::content_etag(body));
        }
        let coding = match is_suitable(self.status, &self.headers) {
            true => Coding::Compressible,
            false => Coding::AsReceived,
        };
        self.with_coded(body, coding)
    }

    /// With the body that was stored before, in the form it has.
    pub(super) fn with_held(self, held: &Held) -> Result<Vec<Candidate>, Reason> {
        self.with_coded(&held.bytes, held.coding)
    }

    fn with_coded(self, body: &[u8], coding: Coding) -> Result<Vec<Candidate>, Reason> {
        let payload = encode_response(&self.stored(&self.headers.to_pairs(), coding, body));
        Ok(self.with_payload(payload.ok_or(Reason::NoRoom)?))
    }

    /// With this part of a body, the same.
    pub(super) fn with_part(
        mut self,
        range: ContentRange,
        body: &[u8],
    ) -> Result<Vec<Candidate>, Reason> {
        // Elsewhere it could take the place of more.
        self.shareable = Shareable::Here;
        let pairs = self.headers.to_pairs();
        let response = self.stored(&pairs, Coding::AsReceived, body);
        let payload = encode_part(&StoredPart { range, response });
        Ok(self.with_payload(payload.ok_or(Reason::NoRoom)?))
    }

    fn stored<'a>(&'a self, pairs: &'a [u8], coding: Coding, body: &'a [u8]) -> StoredResponse<'a> {
        StoredResponse {
            meta: self.meta,
            status: self.status,
            stamps: self.stamps.as_stamps(),
            tags: self.tags.as_names(),
            pairs,
            coding,
            body,
        }
    }

    fn with_payload(self, payload: Vec<u8>) -> Vec<Candidate> {
        let (started, expires) = (self.meta.request_time, self.expires);
        let shareable = self.shareable;
        let response = |key| Candidate {
            key,
            started,
            expires,
            payload,
            provenance: Some(Provenance {
                epoch: self.meta.epoch,
                stamps: self.stamps,
                judged: self.meta.epoch,
            }),
            shareable,
        };
        let mut candidates = match self.place {
            Placement::Primary(key) => vec![response(key)],
            Placement::Variant {
                primary,
                variants,
                key,
            } => {
                let list = Candidate {
                    key: primary,
                    started,
                    expires: variants.expires().unwrap_or(expires),
                    payload: encode_variants(&variants),
                    provenance: None,
                    shareable,
                };
                vec![response(key), list]
            }
        };
        let notes = self.notes.into_iter();
        candidates.extend(notes.map(|note| note.into_candidate(started)));
        candidates
    }
}

impl Placement {
    /// Whether it is the place that was `known` to a request, and in which something was found.
    pub(super) fn is_among(&self, known: &Known) -> bool {
        let (primary, fields) = match self {
            Self::Primary(key) => (key, &[][..]),
            Self::Variant {
                primary, variants, ..
            } => (primary, variants.fields()),
        };
        *primary == known.key && fields == known.variants.fields()
    }
}

/// A response's body is being captured.
#[derive(Debug)]
pub(super) struct Capturing {
    pub(super) policy: PolicyId,
    pub(super) draft: Draft,
    pub(super) capture: Capture,
    /// What the body is of the representation.
    pub(super) extent: Extent,
    /// Who wants to see the body.
    pub(super) ticket: Option<Ticket>,
    /// Where others wait for it.
    pub(super) flight: Option<Flight>,
    /// For the draft, which waits as long as the body takes.
    pub(super) _hold: Hold,
}

impl Capturing {
    /// Takes the next chunk.
    pub(super) fn grow<'a>(
        mut self: Box<Self>,
        around: &Surroundings,
        chunk: &[u8],
        now: Timestamp,
    ) -> (State, Step<'a>) {
        match self.capture.push(chunk) {
            Ok(()) => (State::Capturing(self), Step::pass()),
            Err(reason) => unstored(self.flight.take(), self.of(), (around, reason), now),
        }
    }

    /// The response is complete.
    pub(super) fn finish<'a>(mut self, around: &Surroundings, now: Timestamp) -> (State, Step<'a>) {
        let flight = self.flight.take();
        let of = self.of();
        let landing = landing::of_stored(of, &self.draft.meta, around, now);
        match self.into_candidates(around, now) {
            Ok(candidates) => {
                let mut effects: Vec<_> = candidates.into_iter().map(Effect::Store).collect();
                effects.extend(flight.map(|flight| Effect::Land(flight, landing)));
                (State::done(), Step::continue_with(effects))
            }
            Err(reason) => unstored(flight, of, (around, reason), now),
        }
    }

    /// Its status, and the rule by which it is stored.
    fn of(&self) -> (u16, PolicyId) {
        (self.draft.status, self.policy)
    }

    fn into_candidates(
        self,
        around: &Surroundings,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, Reason> {
        let policy = around.config.policy(self.policy).ok_or(Reason::Internal)?;
        let body = self.capture.finish()?;
        if let (Some(witness), Some(ticket)) = (around.witness.get(), self.ticket) {
            witness.read(ticket, body.as_bytes(), now);
        }
        match self.extent {
            Extent::Part(growth) => growth.into_candidates(self.draft, policy, body),
            Extent::Whole => {
                store_if::judge_body(&policy.store_if, body.as_bytes())?;
                self.draft.with_body(body.as_bytes())
            }
        }
    }
}

/// The body has turned out to be nothing that is stored; whoever waits for it need not.
fn unstored<'a>(
    flight: Option<Flight>,
    (status, rule): (u16, PolicyId),
    (around, reason): (&Surroundings, Reason),
    now: Timestamp,
) -> (State, Step<'a>) {
    let (state, mut step) = not_stored(reason);
    step.effects.extend(flight.map(|flight| {
        let landing = landing::of_skipped((status, reason), rule, around, now);
        Effect::Land(flight, landing)
    }));
    (state, step)
}
