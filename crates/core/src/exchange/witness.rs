//! What exchanges show to whoever wants to learn from them: requests that the cache did not answer by itself, and why. Hits
//! are never shown, so nobody has to be quick about it.

use std::fmt;

use super::Surroundings;
use crate::config::PolicyId;
use crate::entry::{Lifetime, TagNames};
use crate::http::{Headers, RequestHead};
use crate::policy::Reason;
use crate::report::Forward;
use crate::time::Timestamp;

/// A request that the origin was asked for.
#[derive(Debug)]
pub struct Sighting<'a> {
    /// By which rule it is counted.
    pub rule: PolicyId,
    /// The request.
    pub head: &'a RequestHead,
    /// What became of it.
    pub sight: Sight<'a>,
}

/// What became of a request that the origin was asked for.
#[derive(Debug)]
pub enum Sight<'a> {
    /// It was not looked up.
    Bypassed(Reason),
    /// The origin said that what is stored is still good.
    Confirmed(Forward, Lifetime),
    /// Its response is not stored.
    NotStored {
        /// Why it was not answered from the cache.
        forward: Forward,
        /// What came.
        response: &'a Headers,
        /// Its status.
        status: u16,
        /// Why that is not stored.
        why: Reason,
    },
    /// Its response is stored, when it is complete.
    Stored {
        /// Why it was not answered from the cache.
        forward: Forward,
        /// For how long the response is fresh.
        lifetime: Lifetime,
        /// What came.
        response: &'a Headers,
        /// The response's tags.
        tags: TagNames<'a>,
    },
}

/// A sighting that was not complete: what it was about, as the witness knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub [u64; 2]);

/// Who is shown what the cache did not answer by itself.
pub trait Witness: fmt::Debug {
    /// Takes a sighting in. With a ticket the witness asks for the body, when it is complete.
    fn see(&self, sighting: &Sighting<'_>, now: Timestamp) -> Option<Ticket>;

    /// The body that a ticket asks for.
    fn read(&self, ticket: Ticket, body: &[u8], now: Timestamp);
}

impl Surroundings {
    /// From now on this one is shown what there is to see; the first one stays.
    pub fn watch(&self, witness: std::rc::Rc<dyn Witness>) {
        let _ = self.witness.set(witness);
    }

    pub(super) fn show(&self, sighting: &Sighting<'_>, now: Timestamp) -> Option<Ticket> {
        self.witness.get()?.see(sighting, now)
    }
}
