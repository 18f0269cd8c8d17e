//! Who is let in, and with what.

use std::fmt;

use larder_core::config::{Config, Exposure, Management, TokenVerdict};
use larder_core::exchange::{Received, Reception, Refused, Said};
use larder_core::http::RequestHead;
use larder_core::key::Attributes;
use larder_core::time::Timestamp;

use crate::credential::{Credential, credential};
use crate::failures::{Failures, Visitor};
use crate::outcome::Outcome;
use crate::purge::PurgeMethod;
use crate::route::{Addressed, Astray, Content, Place, Verb};

/// No longer JSON is read, in bytes. It fits the buffers of a listener that has Envoy's defaults.
const LONGEST_JSON: usize = 256 << 10;

/// The reception of one configuration on one worker.
pub struct Desks {
    management: Management,
    failures: Failures,
    /// The longest body of a response that can be stored, in bytes.
    max_object_bytes: usize,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// By a path of the API.
    Api(Verb, Place),
    /// By the method alone, on the URL that it is about.
    Purge(PurgeMethod),
}

impl Desks {
    /// That of a configuration; none where it has no management API.
    pub fn of(config: &Config) -> Option<Self> {
        let here = |management: &Management| management.exposure == Exposure::Here;
        Some(Self {
            management: config.management.clone().filter(here)?,
            failures: Failures::default(),
            max_object_bytes: config.limits.max_object_bytes,
        })
    }

    /// What a call asks for that was let in; `None` for what is none.
    pub fn asked(&self, head: &RequestHead) -> Option<Ask> {
        let addressed = Addressed::of(head, &self.management)?;
        Ask::of(addressed, head).ok()
    }

    /// Whether who asks has the token.
    fn admit(
        &self,
        head: &RequestHead,
        addressed: &Addressed,
        visitor: Visitor,
        now: Timestamp,
    ) -> Result<(), Outcome> {
        match credential(head.headers(), addressed) {
            Credential::None => Err(Outcome::unauthorized()),
            Credential::Token(token) => match self.management.judge(&token) {
                TokenVerdict::Right => Ok(()),
                TokenVerdict::Wrong => match self.failures.wait(&visitor, now) {
                    Some(wait) => Err(Outcome::too_many_failures(wait.get())),
                    None => {
                        self.failures.note(visitor, now);
                        Err(Outcome::wrong_token())
                    }
                },
            },
        }
    }

    fn body(&self, ask: &Ask) -> Received {
        let content = match ask {
            Ask::Api(verb, place) => place.content(*verb),
            Ask::Purge(_) => Content::None,
        };
        match content {
            Content::Json => Received::NeedsBody(LONGEST_JSON),
            Content::None => Received::Complete,
            Content::Response => Received::NeedsBody(self.max_object_bytes),
        }
    }
}

impl Ask {
    /// What a call asks for.
    pub(crate) fn of(addressed: Addressed, head: &RequestHead) -> Result<Self, Outcome> {
        match addressed {
            Addressed::Purge(method) => Ok(Self::Purge(method)),
            Addressed::Nearly => Err(Outcome::not_found()),
            Addressed::Api { path, query } => {
                let method = head.headers().first(":method").unwrap_or_default();
                match Place::find(method, &path, query.as_deref()) {
                    Ok((verb, place)) => Ok(Self::Api(verb, place)),
                    Err(Astray::Path) => Err(Outcome::not_found()),
                    Err(Astray::Method(allowed)) => Err(Outcome::method_not_allowed(&allowed)),
                    Err(Astray::Parameter(problem)) => Err(Outcome::bad_request(&problem)),
                }
            }
        }
    }
}

impl Reception for Desks {
    fn receive(
        &self,
        head: &RequestHead,
        attributes: &dyn Attributes,
        now: Timestamp,
    ) -> Option<Received> {
        let addressed = Addressed::of(head, &self.management)?;
        let address = attributes.attribute(&["source", "address"]);
        let visitor = Visitor::of(&address.ok().flatten().unwrap_or_default());
        let asked = self
            .admit(head, &addressed, visitor, now)
            .and_then(|()| Ask::of(addressed, head));
        Some(match asked {
            Ok(ask) => self.body(&ask),
            Err(outcome) => Received::Answered(outcome.said()),
        })
    }

    fn refuse(&self, why: Refused) -> Said {
        let outcome = match why {
            Refused::Busy => Outcome::busy(),
            Refused::TooLarge(most) => Outcome::too_large(most),
        };
        outcome.said()
    }
}

impl fmt::Debug for Desks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Desks").finish_non_exhaustive()
    }
}
