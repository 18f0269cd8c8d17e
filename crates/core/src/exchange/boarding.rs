//! Who asks the origin, where many ask for the same at once.
//!
//! A request that nothing stored can answer takes the lead of a flight ([`crate::flight`]), or waits behind another. What it
//! waits for, it finds by looking again ([`super::parked`]), so whatever it is given then has passed every check that a lookup
//! makes: the flight only tells when to look.
//!
//! ```text
//!                 ┌─ Lead ───▶ Forwarding, with the flight
//! nothing usable ─┼─ Alone ──▶ Forwarding, as it came
//!                 └─ Behind ─▶ Parked ── Woken ─▶ Looking, from the beginning
//! ```

use std::rc::Rc;

use super::budget::Hold;
use super::lookup::{Looking, Place};
use super::memo::AskedKeys;
use super::parked::Waited;
use super::search::Trail;
use super::serve::Warrant;
use super::{Parking, Surroundings};
use crate::flight::{Alone, Flight, Flights, Joined, Purpose, Wish};
use crate::http::{Headers, Method};
use crate::key::Key;
use crate::policy::request::{Demands, OnMiss};
use crate::policy::reuse::Need;
use crate::policy::{Reason, invalidation};
use crate::report::Forward;
use crate::time::{Seconds, Timestamp};

/// What is known of who asks the origin.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) lead: Lead,
    /// Why something stale is better than to ask the origin, if that is known.
    pub(super) need: Option<Need>,
    /// How it has waited, if it has.
    pub(super) waited: Option<Waited>,
    /// The keys that the fleet was asked for.
    pub(super) consulted: AskedKeys,
    pub(super) provider: Provider,
    /// For the request's head, which is kept until the response says what it varies on.
    pub(super) hold: Option<Hold>,
}

/// Who has brought what the tiers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Provider {
    /// Another process of the fleet, when this request had nothing.
    Fleet,
    /// This process, as far as this request knows.
    #[default]
    Process,
}

/// Who asks the origin.
#[derive(Debug, Default)]
pub(super) enum Lead {
    /// This request, for itself.
    Alone,
    /// Nothing is known yet.
    #[default]
    Open,
    /// This request, for itself: the one that it has waited for brought nothing for it.
    Released,
    /// This request, for itself, since what came last was nobody else's; perhaps what comes now is for others again.
    Outside(Flight),
    /// This request, for others too.
    Taken(Flight),
    /// This request, and nobody can be told so.
    Unnoted,
}

/// In what words the origin would be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// The client's own.
    Own,
    /// Ours: whether what is stored is still good.
    Ours,
}

impl Turn {
    /// Why what was found may be used, which is fresh for so long.
    pub(super) fn warrant(&self, ttl: Seconds) -> Warrant {
        match (self.waited, self.provider) {
            (None, Provider::Process) => Warrant::Fresh(ttl),
            (None, Provider::Fleet) => Warrant::Brought(ttl),
            (Some(waited), _) => Warrant::Collapsed(waited.why),
        }
    }
}

impl Looking {
    /// Takes the lead where somebody has to; where somebody else has it, how the request waits for that.
    #[cold]
    #[inline(never)]
    pub(super) fn board(
        &mut self,
        around: &Surroundings,
        (forward, words): (Forward, Words),
        now: Timestamp,
    ) -> Option<Parking> {
        let flights = self.flights(around, forward)?;
        if self.turn.hold.is_none() {
            // Who cannot be kept until the response comes can neither lead nor wait.
            self.turn.hold = Some(Hold::of(&around.budget, self.subject.size()).ok()?);
        }
        let key = self.rendezvous(around);
        let subject = &self.subject;
        let stamps = || invalidation::stamps_of_request(&subject.head, &self.primary).collect();
        let wish = Wish {
            key: &key,
            purpose: self.purpose(words),
            epoch: subject.epoch,
            stamps: &stamps,
        };
        let lead = match flights.join(&wish, now) {
            Joined::Alone(Alone::Unavailable) => Lead::Unnoted,
            Joined::Alone(Alone::Unled) | Joined::Resting => Lead::Alone,
            Joined::Alone(Alone::Unshared) => {
                Lead::Outside(Flight::outside(Rc::clone(flights), key.digest()))
            }
            Joined::Behind => return Some(self.park(around, (forward, key.digest()), now)),
            Joined::Lead(token) => Lead::Taken(Flight::new(Rc::clone(flights), token)),
        };
        self.turn.lead = lead;
        None
    }

    /// Where its flights are; `None` where it goes by itself in any case.
    fn flights<'s>(
        &self,
        around: &'s Surroundings,
        forward: Forward,
    ) -> Option<&'s Rc<dyn Flights>> {
        let is_open =
            matches!(self.turn.lead, Lead::Open) && around.config.coalescing.max_waiters > 0;
        let is_for_others = || is_open && self.is_for_others(forward, around);
        around.flights.get().filter(|_| is_for_others())
    }

    /// Whether others may have what it goes to the origin for, for this reason.
    pub(super) fn is_for_others(&self, forward: Forward, around: &Surroundings) -> bool {
        let is_for_others = match forward {
            // What has to be confirmed for each request is not confirmed by another's, and what this client does not
            // want somebody else may have fetched.
            Forward::Request
            | Forward::Shadow
            | Forward::Stale(Reason::NoCache | Reason::RequestDirective) => false,
            Forward::Partial | Forward::Stale(_) | Forward::UriMiss | Forward::VaryMiss => true,
        };
        is_for_others
            && self.lookup.on_miss == OnMiss::Forward
            && self.lookup.demands != Demands::Confirmed
            && !self.is_shadow(around)
    }

    /// What it can do for others: only the whole response to a GET, or to a question, is stored.
    pub(super) fn purpose(&self, words: Words) -> Purpose {
        let head = &self.subject.head;
        let is_part = head.headers().contains("range") && words == Words::Own;
        match head.method() {
            Method::Get | Method::Post | Method::Query if !is_part => Purpose::Fill,
            Method::Delete
            | Method::Get
            | Method::Head
            | Method::Options
            | Method::Other
            | Method::Patch
            | Method::Post
            | Method::Put
            | Method::Query => Purpose::Follow,
        }
    }

    /// The key under which the response will stand, as far as can be known.
    pub(super) fn to_be_filled(&self) -> &Rc<Key> {
        // The next response will say again which parameters count. Whoever has waited for one that did not say so asks by its
        // own URL: else all the others would ask one after the other.
        match (&self.trail, &self.place, &self.turn.waited) {
            (Trail::Value(lead), Place::Primary, None) => &lead.key,
            (Trail::None | Trail::Value(_), _, _) => &self.last,
        }
    }

    /// The key under which those meet whom one response may serve.
    pub(super) fn rendezvous(&self, around: &Surroundings) -> Rc<Key> {
        let key = self.to_be_filled();
        // What is refused to be stored for one with credentials is not refused to those without.
        let max = around.config.limits.max_key_bytes;
        let apart = self.subject.facts.has_bare_credentials();
        let apart = apart.then(|| key.variant(&["authorization"], &Headers::new(), max));
        match apart {
            Some(Ok(key)) => Rc::new(key),
            Some(Err(_)) | None => Rc::clone(key),
        }
    }
}
