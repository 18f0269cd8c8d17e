//! This worker's part in the fleet: its calls to the service, and what comes of them.
//!
//! ```text
//! stream ── Verdict::Consult ─▶ consult ─┐                        ┌─▶ consult ─▶ the stream goes on
//! stream, desk ── invalidation ─▶ publish ┼─ transport ─▶ service ┼─▶ publish ─▶ the call is answered
//! tick ─▶ poll, heartbeat ───────────────┘                        └─▶ poll ─▶ journal, order of invalidations
//! ```
//!
//! Nothing here is in the way of a request that is answered from the cache, and nothing without an `admin` block. One worker of a
//! process polls, the others read what it has written into shared data. A call belongs to the root context in whose callback
//! it is made (envoy `Context::httpCall`); one that is not heard of in time has failed.

mod consult;
mod membership;
mod transport;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use larder_core::config::{Admin, BreakerSettings};
use larder_core::fleet::Consulted;
use larder_core::policy::breaker::{Advice, Breaker, Health};
use larder_core::time::Timestamp;

use crate::host;
use crate::worker::{Pace, Worker};
pub(crate) use consult::Lead;
pub(crate) use membership::Member;
use transport::{Letter, Said, Trouble};

/// What the proxy has not said by so many milliseconds after it should have, it does not say.
const GRACE: u32 = 1000;

/// This worker's part in the fleet.
#[derive(Default)]
pub(crate) struct Liaison {
    /// Those of the configurations, the first that lives is in force.
    admins: RefCell<Vec<Weak<Admin>>>,
    calls: RefCell<Vec<Call>>,
    breaker: RefCell<Breaker>,
    /// The streams that go on, the first that came first.
    ready: RefCell<Vec<(u32, Relief)>>,
}

/// A call that is under way.
struct Call {
    token: u32,
    deadline: Timestamp,
    errand: Errand,
}

/// What a call is for.
enum Errand {
    /// A stream wants to know what stands under a key.
    Look(consult::Inquiry),
    /// Something that the service need only know.
    Notice,
}

/// What a stream has waited for.
pub(crate) enum Relief {
    /// What the fleet had, and perhaps a lead.
    Consulted(Consulted, Option<Lead>),
}

impl Liaison {
    /// The block in force; none where there is no fleet.
    fn admin(&self) -> Option<Rc<Admin>> {
        let admins = self.admins.try_borrow().ok()?;
        admins.iter().find_map(Weak::upgrade)
    }

    /// Sends a letter on an errand.
    fn send(&self, admin: &Admin, letter: &Letter<'_>, errand: Errand, now: Timestamp) -> bool {
        if admin.secret.is_none() {
            return false;
        }
        let (Ok(token), Ok(mut calls)) =
            (transport::send(admin, letter), self.calls.try_borrow_mut())
        else {
            return false;
        };
        calls.push(Call {
            token,
            deadline: later(now, letter.patience.saturating_add(GRACE)),
            errand,
        });
        true
    }

    /// A call was answered.
    pub(crate) fn answered(&self, worker: &Rc<Worker>, token: u32, size: (usize, usize)) {
        if let Some(call) = self.take(|call| call.token == token)
            && let Ok(now) = host::now()
        {
            self.end(worker, call.errand, transport::read(size.0), now);
        }
    }

    /// What is due; on a tick.
    pub(crate) fn step(&self, worker: &Rc<Worker>, now: Timestamp) -> Pace {
        if self.admin().is_none() && self.is_idle() {
            return Pace::Rest;
        }
        while let Some(call) = self.take(|call| call.deadline <= now) {
            self.end(worker, call.errand, Err(Trouble::Silence), now);
        }
        match self.is_idle() {
            true => Pace::Rest,
            false => Pace::Watch,
        }
    }

    fn end(
        &self,
        worker: &Rc<Worker>,
        errand: Errand,
        answer: Result<Said, Trouble>,
        now: Timestamp,
    ) {
        match errand {
            Errand::Look(inquiry) => self.looked(worker, inquiry, answer, now),
            Errand::Notice => {}
        }
    }

    fn take(&self, is_it: impl Fn(&Call) -> bool) -> Option<Call> {
        let mut calls = self.calls.try_borrow_mut().ok()?;
        let at = calls.iter().position(is_it)?;
        Some(calls.swap_remove(at))
    }

    /// Whether nobody waits for anything.
    fn is_idle(&self) -> bool {
        let is_waited_for = |call: &Call| match call.errand {
            Errand::Look(_) => true,
            Errand::Notice => false,
        };
        let calls = self.calls.try_borrow();
        let ready = self.ready.try_borrow();
        !calls.is_ok_and(|calls| calls.iter().any(is_waited_for))
            && ready.is_ok_and(|ready| ready.is_empty())
    }

    /// Whether the service may be asked for what can be done without.
    fn is_open(&self, now: Timestamp) -> bool {
        let breaker = self.breaker.try_borrow_mut();
        breaker.is_ok_and(|mut breaker| breaker.advise(now) == Advice::Ask)
    }

    /// How the service has answered who could do without.
    fn note(&self, answer: &Result<Said, Trouble>, now: Timestamp) {
        let health = match answer {
            Ok(said) if said.status < 500 => Health::Well,
            Ok(_) | Err(_) => Health::Failed,
        };
        if let Ok(mut breaker) = self.breaker.try_borrow_mut() {
            breaker.note(health, &BreakerSettings::default(), now);
        }
    }

    fn relieve(&self, stream: u32, relief: Relief) {
        if let Ok(mut ready) = self.ready.try_borrow_mut() {
            ready.push((stream, relief));
        }
    }

    /// The streams that go on in this callback, at most so many.
    pub(crate) fn ready(&self, most: usize) -> Vec<(u32, Relief)> {
        match self.ready.try_borrow_mut() {
            Ok(mut ready) => {
                let count = ready.len().min(most);
                ready.drain(..count).collect()
            }
            Err(_) => Vec::new(),
        }
    }

    /// A stream waits no more, or is over.
    pub(crate) fn leave(&self, worker: &Worker, stream: u32, now: Timestamp) {
        if let Ok(mut calls) = self.calls.try_borrow_mut() {
            for call in calls.iter_mut() {
                if let Errand::Look(inquiry) = &mut call.errand {
                    inquiry.forget(stream);
                }
            }
        }
        let mut leads = Vec::new();
        if let Ok(mut ready) = self.ready.try_borrow_mut() {
            ready.retain_mut(|(other, relief)| {
                if *other == stream {
                    let Relief::Consulted(_, lead) = relief;
                    leads.extend(lead.take());
                }
                *other != stream
            });
        }
        for lead in leads {
            self.release(worker, lead, now);
        }
    }
}

/// So many milliseconds after.
fn later(at: Timestamp, milliseconds: u32) -> Timestamp {
    let nanos = u64::from(milliseconds).saturating_mul(1_000_000);
    Timestamp::from_nanos(at.as_nanos().saturating_add(nanos))
}
