//! A request that may change something, on its way to the origin and back.
//!
//! It passes untouched. When the origin says that it succeeded, what it was about is invalidated before its response
//! goes on to the client, so that whoever has seen the answer cannot be shown what was before it. So it is where nobody
//! can say what the origin says.

use super::budget::Hold;
use super::event::Arriving;
use super::relay::Relay;
use super::validate::{Maker, maker};
use super::{Effect, Passage, State, Step, Surroundings, token};
use crate::http::{Headers, ResponseHead};
use crate::key::Attributes;
use crate::policy::invalidation::{Cause, Caused, Write};
use crate::report::{Counter, InvalidationKind, InvalidationSource};

/// A request that may change something is on its way.
#[derive(Debug)]
pub(super) struct Writing {
    write: Write,
    /// How its response passes.
    passage: Passage,
    /// Where it may be a template.
    relay: Option<Box<Relay>>,
    /// What a write is about is kept whether there is room for it or not: to forget it would be to serve what was before.
    _hold: Option<Hold>,
}

impl Writing {
    /// Keeps what the request is about for as long as its response takes.
    pub(super) fn begin(
        around: &Surroundings,
        write: Write,
        (passage, relay): (Passage, Option<Box<Relay>>),
    ) -> State {
        State::Writing(Box::new(Self {
            _hold: Hold::of(&around.budget, write.size()).ok(),
            write,
            passage,
            relay,
        }))
    }

    /// Takes in the response's head.
    pub(super) fn responded<'a>(
        self,
        around: &Surroundings,
        mut arriving: Arriving<'_>,
    ) -> (State, Step<'a>) {
        // Before what is invalidated, behind which the outside gives its own.
        let stripped = token::strip(around, &mut arriving.headers);
        let mut step = self.passage.step(around, Some(&arriving.headers));
        step.effects.extend(stripped);
        let maker = maker(arriving.attributes);
        match maker {
            // It was on its way, and may have been done.
            Maker::Proxy | Maker::Router if was_sent(arriving.attributes) => {
                step.effects
                    .extend(invalidate(around, self.write, 200, &Headers::new()));
            }
            // What another filter answered, the origin has not done.
            Maker::Proxy | Maker::Router => {}
            Maker::Unknown | Maker::Upstream => {
                let body = arriving.body;
                // Of a head that cannot be read nobody knows that it tells of an error.
                let (status, headers) = match ResponseHead::parse(arriving.headers) {
                    Ok(response) => (response.status, response.headers),
                    Err(_) => (200, Headers::new()),
                };
                step.effects
                    .extend(invalidate(around, self.write, status, &headers));
                if let Some(relay) = self.relay {
                    let arrived = ((status, &headers), body, None);
                    step.effects
                        .extend(relay.gather(around, arrived, maker, self.passage));
                }
            }
        }
        (State::done(), step)
    }
}

impl Writing {
    /// The client has gone, or the answer never came: it may have been done all the same.
    pub(super) fn aborted<'a>(self, around: &Surroundings) -> (State, Step<'a>) {
        let effects = invalidate(around, self.write, 200, &Headers::new());
        (State::done(), Step::continue_with(effects))
    }
}

/// Whether the proxy answers because the origin did not, or not in time (`response_timeout`,
/// `upstream_reset_before_response_started{...}`, see envoy `source/common/http/codes` and its response code details).
fn was_sent(attributes: &dyn Attributes) -> bool {
    match attributes.attribute(&["response", "code_details"]) {
        Ok(Some(details)) => {
            let has_timeout = details.windows(7).any(|part| part == b"timeout");
            details.starts_with(b"upstream") || has_timeout
        }
        Ok(None) | Err(_) => true,
    }
}

fn invalidate(around: &Surroundings, write: Write, status: u16, headers: &Headers) -> Vec<Effect> {
    let invalidated = write.invalidates(status, headers, &around.config);
    let effects = |caused: Caused| {
        let (kind, source) = match caused.by {
            Cause::Keys => (InvalidationKind::Key, InvalidationSource::Rule),
            Cause::Patterns => (InvalidationKind::Pattern, InvalidationSource::Rule),
            Cause::Tags => (InvalidationKind::Tag, InvalidationSource::Rule),
            Cause::Write => (InvalidationKind::Write, InvalidationSource::Write),
        };
        let mode = caused.invalidation.mode;
        [
            Effect::Invalidate(caused.invalidation),
            Effect::Count(Counter::Invalidated(kind, mode, source)),
        ]
    };
    invalidated.into_iter().flat_map(effects).collect()
}
