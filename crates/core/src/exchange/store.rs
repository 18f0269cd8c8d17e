//! From a complete capture to entries.
//!
//! A response that varies is stored under its variant's key first and listed under the URL's key after that, so that
//! nobody is sent to a place where nothing stands yet.

use std::rc::Rc;

use super::capture::Capture;
use super::{Candidate, Effect, State, Step, Surroundings, not_stored};
use crate::config::PolicyId;
use crate::entry::{Lifetime, Meta, StoredResponse, Variants, encode_response, encode_variants};
use crate::http::Headers;
use crate::key::Key;
use crate::policy::{Reason, store_if, validation};
use crate::time::{Seconds, Timestamp};

/// A response's body is being captured.
#[derive(Debug)]
pub(super) struct Capturing {
    pub(super) policy: PolicyId,
    pub(super) started: Timestamp,
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) lifetime: Lifetime,
    pub(super) initial_age: Seconds,
    pub(super) response_time: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) place: Placement,
    pub(super) capture: Capture,
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

impl Capturing {
    /// Takes the next chunk.
    pub(super) fn grow<'a>(mut self: Box<Self>, chunk: &[u8]) -> (State, Step<'a>) {
        match self.capture.push(chunk) {
            Ok(()) => (State::Capturing(self), Step::pass()),
            Err(reason) => not_stored(reason),
        }
    }

    /// The response is complete.
    pub(super) fn finish<'a>(self, around: &Surroundings) -> (State, Step<'a>) {
        match self.into_candidates(around) {
            Ok(candidates) => {
                let effects = candidates.into_iter().map(Effect::Store).collect();
                (State::done(), Step::continue_with(effects))
            }
            Err(reason) => not_stored(reason),
        }
    }

    fn into_candidates(mut self, around: &Surroundings) -> Result<Vec<Candidate>, Reason> {
        let policy = around.config.policy(self.policy).ok_or(Reason::Internal)?;
        let body = self.capture.finish()?;
        store_if::judge_body(&policy.store_if, body.as_bytes())?;
        if self.status == 200
            && !self.headers.contains("etag")
            && !self.headers.contains("last-modified")
        {
            self.headers
                .push("etag", validation::content_etag(body.as_bytes()));
        }
        let payload = encode_response(&StoredResponse {
            meta: Meta {
                request_time: self.started,
                response_time: self.response_time,
                initial_age: self.initial_age,
                lifetime: self.lifetime,
                rule: policy.hash,
            },
            status: self.status,
            pairs: &self.headers.to_pairs(),
            body: body.as_bytes(),
        });
        let (started, expires) = (self.started, self.expires);
        let candidate = |key, expires, payload| Candidate {
            key,
            started,
            expires,
            payload,
        };
        Ok(match self.place {
            Placement::Primary(key) => vec![candidate(key, expires, payload)],
            Placement::Variant {
                primary,
                variants,
                key,
            } => {
                let listed = variants.expires().unwrap_or(expires);
                vec![
                    candidate(key, expires, payload),
                    candidate(primary, listed, encode_variants(&variants)),
                ]
            }
        })
    }
}
