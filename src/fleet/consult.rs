//! The fleet is asked for an entry while a request waits.
//!
//! A look has little time, and nothing is lost without an answer: the request goes on as if there were no fleet. Where nothing
//! stands under the key, who asks may be given the lead: for so long the others of the fleet wait for what it brings.

use std::rc::Rc;

use larder_core::config::Switch;
use larder_core::fleet::{Consultation, Consulted, Patience};
use larder_core::key::{Key, KeyDigest};
use larder_core::report::{FleetOp, FleetResult};
use larder_core::time::Timestamp;

use super::entries::{Brought, Expected};
use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison, Relief};
use crate::worker::Worker;

/// So many are asked for at once by one worker.
const MOST_LOOKS: usize = 64;
/// So many of them wait for what another process brings: their questions stay open, and polls and posts need room, too.
const MOST_WAITS: usize = 16;
/// A lead is given for so many milliseconds.
const LEAD: &str = "5000";
/// The service need not hear of a lead's end, but the others of the fleet wait until it does.
const NOTICE: u32 = 2000;

/// What a stream wants to know.
pub(super) struct Inquiry {
    /// None, once it has gone.
    stream: Option<u32>,
    key: Rc<Key>,
    /// The longest body that is stored.
    most_bytes: usize,
    patience: Patience,
}

/// What has come of it.
pub(crate) struct Findings {
    pub(crate) consulted: Consulted,
    pub(crate) lead: Option<Lead>,
    /// What was found, where it does not stand in the shared tier.
    pub(crate) brought: Option<Brought>,
}

/// The right to fetch for the whole fleet what stands under a key.
#[derive(Debug)]
pub(crate) struct Lead {
    /// The key's.
    pub(crate) digest: KeyDigest,
    /// Which lead it is.
    pub(crate) fence: u64,
}

impl Inquiry {
    /// That stream wants to know no more.
    pub(super) fn forget(&mut self, stream: u32) {
        self.stream = self.stream.filter(|own| *own != stream);
    }

    fn op(&self) -> FleetOp {
        match self.patience {
            Patience::Look => FleetOp::Get,
            Patience::Wait(_) => FleetOp::Wait,
        }
    }
}

impl Liaison {
    /// Whether entries may be asked for now, as far as that can be seen.
    pub(super) fn is_inviting(&self) -> bool {
        let shares = self
            .admin()
            .is_some_and(|admin| admin.share_entries == Switch::On && admin.secret.is_some());
        shares && self.looks() < MOST_LOOKS
    }

    fn looks(&self) -> usize {
        let Ok(calls) = self.calls.try_borrow() else {
            return MOST_LOOKS;
        };
        let looks = calls.iter();
        looks
            .filter(|call| matches!(call.errand, Errand::Look(_)))
            .count()
    }

    fn waits(&self) -> usize {
        let Ok(calls) = self.calls.try_borrow() else {
            return MOST_WAITS;
        };
        let is_wait = |errand: &Errand| matches!(errand, Errand::Look(inquiry) if inquiry.op() == FleetOp::Wait);
        calls.iter().filter(|call| is_wait(&call.errand)).count()
    }

    /// Asks for a stream, which waits if that could be done.
    #[cold]
    #[inline(never)]
    pub(crate) fn look(
        &self,
        (stream, most_bytes): (u32, usize),
        asked: &Consultation,
        now: Timestamp,
    ) -> bool {
        let Some(admin) = self.admin().filter(|_| self.is_inviting()) else {
            return false;
        };
        let wait = match asked.patience {
            Patience::Look => 0,
            Patience::Wait(_) if self.waits() >= MOST_WAITS => return false,
            Patience::Wait(seconds) => seconds.get().saturating_mul(1000),
        };
        if !self.is_open(now) {
            return false;
        }
        let path = [
            &entry_path(asked.key.digest()),
            "?lease_ms=",
            LEAD,
            "&wait_ms=",
            &wait.to_string(),
        ]
        .concat();
        let letter = Letter {
            method: "GET",
            path: &path,
            patience: wait.saturating_add(admin.timeout_ms),
            ..Letter::default()
        };
        let errand = Errand::Look(Inquiry {
            stream: Some(stream),
            key: Rc::clone(&asked.key),
            most_bytes,
            patience: asked.patience,
        });
        self.send(&admin, &letter, errand, now).is_some()
    }

    /// The service has answered, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn looked(
        &self,
        worker: &Rc<Worker>,
        inquiry: Inquiry,
        answer: Result<Said, Trouble>,
        now: Timestamp,
    ) {
        self.note(&answer, now);
        let digest = inquiry.key.digest();
        let of = (Expected::Key(&inquiry.key), inquiry.most_bytes);
        let (mut lead, mut brought) = (None, None);
        let result = self.result_of(&answer, |said| match said.status {
            200 => {
                // One that may be stale comes with the lead: whoever asks about it does so for all.
                lead = granted(said, digest);
                match self.take_in(worker, of, said, now) {
                    Ok(found) => {
                        brought = found;
                        FleetResult::Hit
                    }
                    Err(result) => result,
                }
            }
            404 => {
                lead = granted(said, digest);
                match said.head.only("larder-lease") {
                    Some(b"held") => FleetResult::Held,
                    Some(_) | None => FleetResult::Miss,
                }
            }
            _ => FleetResult::Error,
        });
        worker.count_fleet(inquiry.op(), result);
        let consulted = match result {
            FleetResult::Hit if brought.is_some() => Consulted::Lent,
            FleetResult::Hit => Consulted::Found,
            FleetResult::Held => Consulted::Held,
            FleetResult::Miss => Consulted::Absent,
            FleetResult::Busy
            | FleetResult::Error
            | FleetResult::Ok
            | FleetResult::Refused
            | FleetResult::Timeout
            | FleetResult::Version => Consulted::Silent,
        };
        match (inquiry.stream, lead) {
            (Some(stream), lead) => {
                let relief = Relief::Consulted(Findings {
                    consulted,
                    lead,
                    brought,
                });
                self.relieve(stream, relief);
            }
            (None, Some(lead)) => self.release(lead, now),
            (None, None) => {}
        }
    }

    /// Nothing comes of a lead.
    #[cold]
    #[inline(never)]
    pub(crate) fn release(&self, lead: Lead, now: Timestamp) {
        let Some(admin) = self.admin() else {
            return;
        };
        let path = [
            "/v1/leases/",
            &lead.digest.to_string(),
            "?fence=",
            &lead.fence.to_string(),
        ]
        .concat();
        let letter = Letter {
            method: "DELETE",
            path: &path,
            patience: NOTICE,
            ..Letter::default()
        };
        self.send(&admin, &letter, Errand::Release, now); // else it runs out
    }
}

/// The lead that comes with an answer.
fn granted(said: &Said, digest: KeyDigest) -> Option<Lead> {
    let fence = said.number("larder-lease")?;
    Some(Lead { digest, fence })
}

pub(super) fn entry_path(digest: KeyDigest) -> String {
    ["/v1/entries/", &digest.to_string()].concat()
}

/// Two digits a byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}
