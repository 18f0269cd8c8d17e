//! How a request that nothing stored answers goes to the origin: as it came, or with a question about what is stored; for
//! itself, or for others too ([`super::boarding`]).

use super::boarding::{Lead, Turn, Words};
use super::budget::Hold;
use super::consult::Consulting;
use super::echo::Source;
use super::form::Unfit;
use super::lookup::{Looking, Place};
use super::parked::Waited;
use super::relay::Relay;
use super::response::{Audience, Basis, Forwarding, Known, outcome};
use super::serve;
use super::validate::Question;
use super::{Effect, Passage, State, Step, Surroundings, gathering};
use crate::config::CachePolicy;
use crate::entry::StoredResponse;
use crate::http::{Headers, Method};
use crate::policy::request::OnMiss;
use crate::policy::{Reason, freshening};
use crate::report::{Annotation, Counter, Forward, Outcome, Storing};
use crate::time::Timestamp;

impl Looking {
    /// Forwards the request with the question whether the stored response is still good.
    pub(super) fn ask<'a>(
        mut self,
        around: &Surroundings,
        forward: Forward,
        stored: StoredResponse<'_>,
        (headers, policy): (Headers, &CachePolicy),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        // A POST is no conditional request: "the origin server MUST respond with [...] the 412 (Precondition Failed) status
        // code for all other request methods" than GET and HEAD, RFC 9110 section 13.1.2. QUERY is like GET (RFC 10008
        // section 2.6).
        if self.subject.head.method() == Method::Post {
            return self.forward(around, forward, now);
        }
        // Only the origin's own yes brings back what was invalidated. That a HEAD's fields agree with the stored ones is our
        // conclusion, and they may be the same before and after a write: a modification date is whole seconds.
        let is_over = match forward {
            Forward::Stale(Reason::Invalidated | Reason::OutOfContact) => true,
            Forward::Stale(Reason::SoftPurged) => !freshening::has_strong_tag(&headers),
            Forward::Partial
            | Forward::Request
            | Forward::Shadow
            | Forward::Stale(_)
            | Forward::UriMiss
            | Forward::VaryMiss => false,
        };
        if is_over && self.subject.head.method() == Method::Head {
            return self.forward(around, forward, now);
        }
        if let Some(parking) = self.board(around, (forward, Words::Ours), now) {
            return self.parked(parking);
        }
        let asker = (&self.subject.head, policy);
        let question = match Question::about(stored, headers, asker, around) {
            Ok(question) => question,
            Err(Unfit::NoMemory) => return self.depart(around, forward, Basis::Nothing, now),
            Err(Unfit::Corrupt) => return self.corrupt(around, now),
        };
        // The response to a HEAD has no body that a later GET could use, so it asks in its own words.
        let basis = match self.subject.head.method() == Method::Head {
            true => Basis::Compared(question),
            false => Basis::Asked(question),
        };
        self.depart(around, forward, basis, now)
    }

    /// What stood there cannot be sent.
    pub(super) fn unfit<'a>(
        mut self,
        around: &Surroundings,
        why: Unfit,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        match why {
            Unfit::Corrupt => self.corrupt(around, now),
            Unfit::NoMemory => {
                self.turn.lead = Lead::Alone; // another one's response would not fit either
                self.miss(around, now)
            }
        }
    }

    /// What stood there is no entry: a miss, and a number somebody should look at.
    pub(super) fn corrupt<'a>(self, around: &Surroundings, now: Timestamp) -> (State, Step<'a>) {
        let (state, mut step) = self.miss(around, now);
        step.effects.push(Effect::Count(Counter::Corrupt));
        (state, step)
    }

    pub(super) fn miss<'a>(self, around: &Surroundings, now: Timestamp) -> (State, Step<'a>) {
        let forward = match self.place {
            Place::Primary | Place::Record | Place::Reduced => Forward::UriMiss,
            Place::Variant(_) => Forward::VaryMiss,
        };
        self.forward(around, forward, now)
    }

    pub(super) fn forward<'a>(
        mut self,
        around: &Surroundings,
        forward: Forward,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        match self.board(around, (forward, Words::Own), now) {
            None => self.depart(around, forward, Basis::Nothing, now),
            Some(parking) => self.parked(parking),
        }
    }

    /// Forwards the request, which waits for nobody in this process, unless the fleet has what it wants.
    pub(super) fn depart<'a>(
        mut self,
        around: &Surroundings,
        forward: Forward,
        basis: Basis,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        if around.fleet.get().is_some()
            && let Some(key) = self.wants_to_consult(around, (forward, &basis), now)
        {
            return Consulting::begin(self, key, (forward, basis), now);
        }
        self.set_out(around, forward, basis)
    }

    /// Forwards the request.
    pub(super) fn set_out<'a>(
        self,
        around: &Surroundings,
        forward: Forward,
        basis: Basis,
    ) -> (State, Step<'a>) {
        let is_shadow = self.is_shadow(around);
        if self.lookup.on_miss == OnMiss::GatewayTimeout && !is_shadow {
            around.tally.request(self.subject.policy, Outcome::Miss);
            return serve::unanswered(around.config.headers).reply(Source::Nothing);
        }
        let known = Known {
            key: self.primary,
            variants: self.place.into_variants(),
        };
        let Turn {
            lead, hold, waited, ..
        } = self.turn;
        let mut effects = edits(&basis, (&lead, waited), self.subject.head.headers());
        if let Some(policy) = around.config.policy(self.subject.policy)
            && !is_shadow
        {
            let request = self.subject.head.headers();
            effects.extend(match &basis {
                Basis::Asked(_) => gathering::edits(policy, request), // its conditions are ours
                Basis::Compared(_) | Basis::Nothing | Basis::Part(_) | Basis::Whole => {
                    gathering::edits_of_reader(policy, request)
                }
            });
        }
        let flight = match lead {
            Lead::Alone | Lead::Open | Lead::Released | Lead::Unnoted => None,
            Lead::Outside(flight) | Lead::Taken(flight) => Some(flight),
        };
        let rule = self.subject.policy;
        let forward = match is_shadow {
            true => Forward::Shadow,
            false => forward,
        };
        if is_shadow {
            effects.push(Effect::Count(Counter::Bypassed(Reason::ShadowMiss)));
        }
        let hold = hold.map_or_else(|| Hold::of(&around.budget, self.subject.size()), Ok);
        let state = match hold {
            Ok(hold) => State::Forwarding(Box::new(Forwarding {
                subject: self.subject,
                forward,
                known,
                trail: self.trail,
                basis,
                flight,
                spare: self.spare,
                cluster: None,
                audience: Audience::Client,
                _hold: hold,
            })),
            Err(reason) => {
                around.tally.request(rule, outcome(forward));
                effects.push(Effect::Count(Counter::NotStored(reason)));
                let said = Annotation::Miss(forward, Storing::Skipped(reason));
                let passage = Passage::Annotated(said);
                match Relay::of(around, rule, self.subject.head, reason) {
                    Some(relay) => State::Relaying(relay, passage),
                    None => State::Passing(passage),
                }
            }
        };
        (state, Step::continue_with(effects))
    }
}

/// What has to change in the request's head before it goes to the origin.
fn edits(basis: &Basis, (lead, waited): (&Lead, Option<Waited>), request: &Headers) -> Vec<Effect> {
    match (basis, lead, waited) {
        (Basis::Asked(question), ..) => question.edits(request),
        // A 304 would be for this client alone, and who has waited knows that others want all of it.
        (Basis::Nothing | Basis::Part(_), Lead::Taken(_), Some(_)) => {
            let theirs = freshening::CONDITIONS.into_iter();
            let theirs = theirs.filter(|name| request.contains(name));
            theirs.map(Effect::RemoveRequestHeader).collect()
        }
        (Basis::Compared(_) | Basis::Nothing | Basis::Part(_) | Basis::Whole, ..) => Vec::new(),
    }
}
