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
mod entries;
mod heartbeat;
mod heat;
mod journal;
mod membership;
mod poll;
mod publish;
mod transport;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use larder_core::config::{Admin, BreakerSettings};
use larder_core::policy::breaker::{Advice, Breaker, Change, Health};
use larder_core::report::{FleetOp, FleetResult};
use larder_core::time::Timestamp;
use larder_core::wire::TokenKey;
use larder_core::wire::{Batch, Heat};
use larder_manage::Outcome;

use crate::host;
use crate::worker::{Pace, Worker};
pub(crate) use consult::{Findings, Lead};
pub(crate) use entries::{Brought, Parcel};
use heartbeat::Beating;
use heat::Warmth;
use journal::Notes;
pub(crate) use membership::Member;
use poll::{Polling, Question};
use publish::Publishing;
pub(crate) use publish::{Awaited, Herald};
use transport::{Letter, Said, Trouble};

/// What the proxy has not said by so many milliseconds after it should have, it does not say.
const GRACE: u32 = 1000;

/// This worker's part in the fleet.
#[derive(Default)]
pub(crate) struct Liaison {
    /// Those of the configurations: of those that live the newest is in force.
    admins: RefCell<Vec<Weak<Admin>>>,
    calls: RefCell<Vec<Call>>,
    breaker: RefCell<Breaker>,
    /// Whether the breaker is open.
    is_shut: Cell<bool>,
    /// The streams that go on, the first that came first.
    ready: RefCell<Vec<(u32, Relief)>>,
    notes: RefCell<Notes>,
    polling: RefCell<Polling>,
    publishing: RefCell<Publishing>,
    beating: RefCell<Beating>,
    warmth: RefCell<Warmth>,
    /// What tokens are signed with, and the secret that it is made from.
    signing: RefCell<Option<(String, TokenKey)>>,
}

/// A call that is under way.
struct Call {
    token: u32,
    deadline: Timestamp,
    errand: Errand,
}

/// What a call is for.
enum Errand {
    /// How things are here.
    Beat,
    /// A change of the configuration.
    Change,
    /// What the fleet is asked for most ...
    Heat,
    /// ... and one of that.
    Fetch(Box<Heat>),
    /// A stream wants to know what stands under a key.
    Look(consult::Inquiry),
    /// What the fleet's log has that is not applied yet.
    Poll(Question),
    /// What was invalidated here.
    Post(Batch),
    /// A lead ends.
    Release,
    /// An entry of so many bytes.
    Share(usize),
}

/// What a stream has waited for.
pub(crate) enum Relief {
    /// What its call of the management API is answered.
    Answered(Outcome),
    /// What the fleet had.
    Consulted(Findings),
}

impl Liaison {
    /// The block in force; none where there is no fleet.
    fn admin(&self) -> Option<Rc<Admin>> {
        let admins = self.admins.try_borrow().ok()?;
        admins.iter().rev().find_map(Weak::upgrade)
    }

    /// Whether there is a fleet.
    pub(crate) fn is_there(&self) -> bool {
        let admins = self.admins.try_borrow();
        admins.is_ok_and(|admins| admins.iter().any(|admin| admin.strong_count() > 0))
    }

    /// Sends a letter on an errand; gives the call's number.
    fn send(
        &self,
        admin: &Admin,
        letter: &Letter<'_>,
        errand: Errand,
        now: Timestamp,
    ) -> Option<u32> {
        admin.secret.as_ref()?;
        let mut calls = self.calls.try_borrow_mut().ok()?;
        let token = transport::send(admin, letter).ok()?;
        calls.push(Call {
            token,
            deadline: later(now, letter.patience.saturating_add(GRACE)),
            errand,
        });
        Some(token)
    }

    /// A call was answered.
    pub(crate) fn answered(&self, worker: &Rc<Worker>, token: u32, size: (usize, usize)) {
        if let Some(call) = self.take(|call| call.token == token)
            && let Ok(now) = host::now()
        {
            self.end(worker, call, transport::read(size), now);
        }
    }

    /// What is due; on a tick.
    pub(crate) fn step(&self, worker: &Rc<Worker>, now: Timestamp) -> Pace {
        if !self.is_there() && self.is_idle() {
            return Pace::Rest;
        }
        self.work(worker, now)
    }

    #[cold]
    #[inline(never)]
    fn work(&self, worker: &Rc<Worker>, now: Timestamp) -> Pace {
        while let Some(call) = self.take(|call| call.deadline <= now) {
            self.end(worker, call, Err(Trouble::Late), now);
        }
        self.look_into_journal(now);
        let _ = self.token_key(); // made here, it keeps no request waiting
        self.follow(worker, now);
        self.publish(worker, now);
        self.show_heat(worker, now);
        if self.is_mine() {
            self.beat(worker, now);
        }
        match self.is_idle() && !self.is_behind(now) {
            true => Pace::Rest,
            false => Pace::Watch,
        }
    }

    #[cold]
    #[inline(never)]
    fn end(&self, worker: &Rc<Worker>, call: Call, answer: Result<Said, Trouble>, now: Timestamp) {
        match call.errand {
            Errand::Beat => self.beaten(worker, &answer),
            Errand::Change => self.changed(call.token, &answer),
            Errand::Fetch(heat) => self.fetched(worker, &heat, &answer, now),
            Errand::Heat => self.heard_of_heat(worker, &answer, now),
            Errand::Look(inquiry) => self.looked(worker, inquiry, answer, now),
            Errand::Poll(asked) => self.polled(worker, asked, answer, now),
            Errand::Post(batch) => self.posted(worker, &batch, &answer, now),
            Errand::Release => {
                let result = self.result_of(&answer, |_| FleetResult::Ok);
                worker.count_fleet(FleetOp::Release, result);
            }
            Errand::Share(_) => self.shared(worker, &answer),
        }
    }

    fn take(&self, is_it: impl Fn(&Call) -> bool) -> Option<Call> {
        let mut calls = self.calls.try_borrow_mut().ok()?;
        let at = calls.iter().position(is_it)?;
        Some(calls.swap_remove(at))
    }

    /// Whether nobody waits for anything.
    fn is_idle(&self) -> bool {
        let calls = self.calls.try_borrow();
        let ready = self.ready.try_borrow();
        let is_asked = |call: &Call| matches!(call.errand, Errand::Look(_));
        !calls.is_ok_and(|calls| calls.iter().any(is_asked))
            && ready.is_ok_and(|ready| ready.is_empty())
            && !self.is_waited_for()
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
        let Ok(mut breaker) = self.breaker.try_borrow_mut() else {
            return;
        };
        match breaker.note(health, &BreakerSettings::default(), now) {
            Change::Closed => self.is_shut.set(false),
            Change::Opened => self.is_shut.set(true),
            Change::None => {}
        }
    }

    /// What an answer counts as.
    fn result_of(
        &self,
        answer: &Result<Said, Trouble>,
        of: impl FnOnce(&Said) -> FleetResult,
    ) -> FleetResult {
        match answer {
            Ok(said) => of(said),
            Err(trouble) => trouble.result(),
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
            Ok(mut ready) if !ready.is_empty() => {
                let count = ready.len().min(most);
                ready.drain(..count).collect()
            }
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// A stream waits no more, or is over.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave(&self, stream: u32, now: Timestamp) {
        if let Ok(mut calls) = self.calls.try_borrow_mut() {
            for call in calls.iter_mut() {
                if let Errand::Look(inquiry) = &mut call.errand {
                    inquiry.forget(stream);
                }
            }
        }
        self.forget_waiter(stream);
        let mut leads = Vec::new();
        if let Ok(mut ready) = self.ready.try_borrow_mut() {
            ready.retain_mut(|(other, relief)| {
                if *other == stream
                    && let Relief::Consulted(findings) = relief
                {
                    leads.extend(findings.lead.take());
                }
                *other != stream
            });
        }
        for lead in leads {
            self.release(lead, now);
        }
    }
}

/// So many milliseconds after.
fn later(at: Timestamp, milliseconds: u32) -> Timestamp {
    let nanos = u64::from(milliseconds).saturating_mul(1_000_000);
    Timestamp::from_nanos(at.as_nanos().saturating_add(nanos))
}

/// So many milliseconds before.
fn earlier(at: Timestamp, milliseconds: u64) -> Timestamp {
    let nanos = milliseconds.saturating_mul(1_000_000);
    Timestamp::from_nanos(at.as_nanos().saturating_sub(nanos))
}

/// How many milliseconds there are between the two; none, where the clock was set back.
fn milliseconds_between(then: Timestamp, now: Timestamp) -> u64 {
    now.as_nanos().saturating_sub(then.as_nanos()) / 1_000_000
}
