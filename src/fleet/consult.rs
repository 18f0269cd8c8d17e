//! The fleet is asked for an entry while a request waits.
//!
//! A look has little time, and nothing is lost without an answer: the request goes on as if there were no fleet. Where nothing
//! stands under the key, who asks may be given the lead: for so long the others of the fleet wait for what it brings.

use std::rc::Rc;

use larder_core::config::Switch;
use larder_core::fleet::{Consultation, Consulted, Patience};
use larder_core::key::{Key, KeyDigest};
use larder_core::time::Timestamp;

use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison, Relief};
use crate::worker::Worker;

/// So many are asked for at once by one worker.
const MOST_LOOKS: usize = 64;
/// A lead is given for so many milliseconds.
const LEAD: &str = "5000";
/// The service need not hear of a lead's end, but the others of the fleet wait until it does.
const NOTICE: u32 = 2000;

/// What a stream wants to know.
pub(super) struct Inquiry {
    /// None, once it has gone.
    stream: Option<u32>,
    key: Rc<Key>,
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
        let is_look = |errand: &Errand| match errand {
            Errand::Look(_) => true,
            Errand::Notice => false,
        };
        calls.iter().filter(|call| is_look(&call.errand)).count()
    }

    /// Asks for a stream, which waits if that could be done.
    #[cold]
    #[inline(never)]
    pub(crate) fn look(&self, stream: u32, asked: &Consultation, now: Timestamp) -> bool {
        let Some(admin) = self.admin().filter(|_| self.is_inviting()) else {
            return false;
        };
        if !self.is_open(now) {
            return false;
        }
        let wait = match asked.patience {
            Patience::Look => 0,
            Patience::Wait(seconds) => seconds.get().saturating_mul(1000),
        };
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
        });
        self.send(&admin, &letter, errand, now)
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
        let (consulted, lead) = match &answer {
            Ok(said) if said.status == 404 => match said.number("larder-lease") {
                Some(fence) => (Consulted::Absent, Some(Lead { digest, fence })),
                None if said.head.only("larder-lease") == Some(b"held") => (Consulted::Held, None),
                None => (Consulted::Absent, None),
            },
            Ok(_) | Err(_) => (Consulted::Silent, None),
        };
        match (inquiry.stream, lead) {
            (Some(stream), lead) => self.relieve(stream, Relief::Consulted(consulted, lead)),
            (None, Some(lead)) => self.release(worker, lead, now),
            (None, None) => {}
        }
    }

    /// Nothing comes of a lead.
    #[cold]
    #[inline(never)]
    pub(crate) fn release(&self, _: &Worker, lead: Lead, now: Timestamp) {
        let Some(admin) = self.admin() else {
            return;
        };
        let path = [
            "/v1/leases/",
            &hexadecimal(&lead.digest.0),
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
        self.send(&admin, &letter, Errand::Notice, now); // else it runs out
    }
}

pub(super) fn entry_path(digest: KeyDigest) -> String {
    ["/v1/entries/", &hexadecimal(&digest.0)].concat()
}

/// Two digits a byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}
