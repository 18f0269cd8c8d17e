//! What is invalidated here is said to the fleet.
//!
//! It holds here first. Then it stands in the outbox, which all workers of the process share, and goes to the service at once,
//! together with everything that has not been acknowledged; what does not arrive is said again by whoever polls. A call of the
//! management API waits for a moment to be told whether the fleet's log has it; a client's write does not.

use std::cell::Cell;

use larder_core::config::reading::{self, Given};
use larder_core::entry::Epoch;
use larder_core::epoch::Invalidation;
use larder_core::report::{FleetOp, FleetResult};
use larder_core::tier::{Noted, Unnoted};
use larder_core::time::Timestamp;
use larder_core::wire::{Batch, Label, Posted, Said, WriteToken};
use larder_manage::{Change, Fleet, Named, Outcome, Promise};

use super::transport::{self, Letter, Trouble};
use super::{Errand, Liaison, Relief, later};
use crate::worker::Worker;

/// Whoever waits for the service does so for so many milliseconds.
const PATIENCE: u32 = 2000;
/// So many wait at once on one worker; more are answered at once.
const MOST_WAITING: usize = 256;
/// So many calls are under way at once where somebody waits ...
const MOST_CALLS: usize = 4;
/// ... and where nobody does; what comes meanwhile goes with the next.
const MOST_UNHURRIED: usize = 1;
/// After so many milliseconds what did not arrive is said again, where somebody waits.
const AGAIN: u32 = 200;
/// And after so many, where nobody waits.
const LATER: u32 = 1000;
/// An answer to that is no longer than so many bytes.
const MOST_BYTES: usize = 1 << 20;

/// A call of the management API whose answer says whether the fleet has it.
struct Waiter {
    stream: u32,
    awaited: Awaited,
    deadline: Timestamp,
    outcome: Outcome,
}

/// What has to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Everything up to this.
    Invalidation(WriteToken),
    /// A change of the configuration, which goes with this call.
    Change(u32),
}

/// What is said, and who waits for it.
#[derive(Default)]
pub(super) struct Publishing {
    waiters: Vec<Waiter>,
    /// Something was noted that goes with no call yet.
    is_due: bool,
    /// When something was said last.
    said: Option<Timestamp>,
}

/// Who tells the fleet what one call of the management API changes.
pub(crate) struct Herald<'a> {
    worker: &'a Worker,
    now: Timestamp,
    pub(crate) awaited: Cell<Option<Awaited>>,
}

impl<'a> Herald<'a> {
    /// Of a call that is answered now.
    pub(crate) fn new(worker: &'a Worker, now: Timestamp) -> Self {
        Self {
            worker,
            now,
            awaited: Cell::new(None),
        }
    }
}

impl Fleet for Herald<'_> {
    fn invalidate(&self, invalidation: &Invalidation, named: &Named) -> Result<Epoch, Unnoted> {
        let label = Label::new(named.kind.word(), &named.value);
        let fleet = &self.worker.fleet;
        let noted = fleet.enter(self.worker, invalidation, Some(&label), self.now)?;
        if let Some(token) = noted.token {
            self.awaited.set(Some(Awaited::Invalidation(token)));
        }
        Ok(noted.epoch)
    }

    fn configured(&self, change: Change<'_>) {
        if let Some(token) = self.worker.fleet.tell_change(change, self.now) {
            self.awaited.set(Some(Awaited::Change(token)));
        }
    }
}

impl Liaison {
    /// Notes an invalidation, here and for the fleet.
    #[cold]
    #[inline(never)]
    pub(crate) fn enter(
        &self,
        worker: &Worker,
        invalidation: &Invalidation,
        label: Option<&Label>,
        now: Timestamp,
    ) -> Result<Noted, Unnoted> {
        let noted = self.write_down(worker, invalidation, label, now)?;
        if let (Some(_), Ok(mut publishing)) = (noted.token, self.publishing.try_borrow_mut()) {
            publishing.is_due = true;
        }
        Ok(noted)
    }

    /// What a client may show to be given nothing that is older than this.
    pub(crate) fn token(&self, token: WriteToken) -> Option<String> {
        Some(token.mint(&self.token_key()?))
    }

    /// Says what is to be said, if there is something.
    #[inline]
    pub(crate) fn post(&self, worker: &Worker, now: Timestamp) {
        let publishing = self.publishing.try_borrow();
        if publishing.is_ok_and(|publishing| publishing.is_due) {
            self.say(worker, MOST_UNHURRIED, now);
        }
    }

    /// The same at once, since somebody is about to wait for it.
    pub(crate) fn post_in_haste(&self, worker: &Worker, now: Timestamp) {
        let publishing = self.publishing.try_borrow();
        if publishing.is_ok_and(|publishing| publishing.is_due) {
            self.say(worker, MOST_CALLS, now);
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn say(&self, worker: &Worker, most: usize, now: Timestamp) {
        let Some(admin) = self.admin() else {
            return;
        };
        if self.posts() >= most {
            return;
        }
        let batch = self.pending();
        if let Ok(mut publishing) = self.publishing.try_borrow_mut() {
            publishing.is_due = false;
            publishing.said = Some(now);
        }
        let Some(batch) = batch else {
            return;
        };
        let body = batch.write();
        let letter = Letter {
            method: "POST",
            path: "/v1/invalidations",
            body: body.as_bytes(),
            patience: PATIENCE,
            ..Letter::default()
        };
        let errand = Errand::Post(batch);
        if self.send(&admin, &letter, errand, now).is_none() {
            worker.count_fleet(FleetOp::Post, FleetResult::Error);
        }
    }

    fn posts(&self) -> usize {
        let Ok(calls) = self.calls.try_borrow() else {
            return MOST_CALLS;
        };
        let posts = calls.iter();
        posts
            .filter(|call| matches!(call.errand, Errand::Post(_)))
            .count()
    }

    /// The service has answered, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn posted(
        &self,
        worker: &Worker,
        batch: &Batch,
        answer: &Result<transport::Said, Trouble>,
        now: Timestamp,
    ) {
        let posted = answer.as_ref().ok().and_then(|said| {
            let body = said.body(MOST_BYTES).filter(|_| said.status == 200)?;
            Posted::read(&body).ok()
        });
        let result = self.result_of(answer, |_| match posted {
            Some(_) => FleetResult::Ok,
            None => FleetResult::Error,
        });
        worker.count_fleet(FleetOp::Post, result);
        let Some(posted) = posted else {
            return;
        };
        self.acknowledge(batch, &posted, now);
        self.promise(&|awaited| match awaited {
            Awaited::Invalidation(token) if batch.instance == Some(token.instance) => {
                // Several may have become one, which has the number of the last.
                let is_it = |said: &Said| said.seq.is_some_and(|seq| seq >= token.seq);
                let at = batch.records.iter().position(is_it)?;
                let id = posted.ids.get(at).copied().flatten();
                Some(Some(id.unwrap_or(posted.cursor).to_string()))
            }
            Awaited::Change(_) | Awaited::Invalidation(_) => None,
        });
        self.post(worker, now);
    }

    /// Answers those whose end is known: under which name it has arrived, or that it has not.
    fn promise(&self, id: &dyn Fn(Awaited) -> Option<Option<String>>) {
        let Ok(mut publishing) = self.publishing.try_borrow_mut() else {
            return;
        };
        publishing.waiters.retain_mut(|waiter| {
            let Some(id) = id(waiter.awaited) else {
                return true;
            };
            let outcome = waiter.outcome.clone();
            let outcome = match id {
                Some(id) => outcome.in_fleet(&Promise::Kept { id }),
                None => unkept(outcome, waiter.awaited),
            };
            self.relieve(waiter.stream, Relief::Answered(outcome));
            false
        });
    }

    /// A call waits for what it has changed to arrive; where it need not, it is given what to say.
    pub(crate) fn wait(
        &self,
        stream: u32,
        outcome: Outcome,
        awaited: Awaited,
        now: Timestamp,
    ) -> Option<Outcome> {
        let outcome = match awaited {
            Awaited::Change(_) => outcome,
            Awaited::Invalidation(token) => match self.token(token) {
                Some(token) => outcome.with_token(&token),
                None => outcome,
            },
        };
        match self.publishing.try_borrow_mut() {
            Ok(mut publishing)
                if publishing.waiters.len() < MOST_WAITING && self.is_under_way(awaited) =>
            {
                publishing.waiters.push(Waiter {
                    stream,
                    awaited,
                    deadline: later(now, PATIENCE),
                    outcome,
                });
                None
            }
            Ok(_) | Err(_) => Some(unkept(outcome, awaited)),
        }
    }

    /// Whether it makes sense to wait for it.
    fn is_under_way(&self, awaited: Awaited) -> bool {
        let Ok(calls) = self.calls.try_borrow() else {
            return false;
        };
        let is_it = |errand: &Errand, token| match (errand, awaited) {
            (Errand::Post(_), Awaited::Invalidation(_)) => true,
            (Errand::Change, Awaited::Change(change)) => token == change,
            _ => false,
        };
        calls.iter().any(|call| is_it(&call.errand, call.token))
    }

    /// Sends a change of the configuration, which holds here; gives the call's number.
    #[cold]
    #[inline(never)]
    fn tell_change(&self, change: Change<'_>, now: Timestamp) -> Option<u32> {
        let body = match change {
            Change::Patch(patch) => ["{\"wire\":1,\"patch\":", patch, "}"].concat(),
            Change::Reset => "{\"wire\":1,\"reset\":true}".to_owned(),
        };
        let letter = Letter {
            method: "PUT",
            path: "/v1/config",
            body: body.as_bytes(),
            patience: PATIENCE,
            ..Letter::default()
        };
        self.send(&*self.admin()?, &letter, Errand::Change, now)
    }

    /// The service has answered to a change, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn changed(&self, token: u32, answer: &Result<transport::Said, Trouble>) {
        let said = answer.as_ref().ok().filter(|said| said.status == 200);
        let body = said.and_then(|said| said.body(MOST_BYTES));
        let version = body.and_then(|body| read_version(&body));
        let id = version.map(|version| version.to_string());
        self.promise(&|awaited| match awaited {
            Awaited::Change(change) if change == token => Some(id.clone()),
            Awaited::Change(_) | Awaited::Invalidation(_) => None,
        });
    }

    /// What is due where somebody waits, or something has not been said; on a tick.
    pub(super) fn publish(&self, worker: &Worker, now: Timestamp) {
        let Ok(mut publishing) = self.publishing.try_borrow_mut() else {
            return;
        };
        publishing.waiters.retain_mut(|waiter| {
            let is_over = waiter.deadline <= now || later(now, 2 * PATIENCE) < waiter.deadline;
            if is_over {
                let outcome = unkept(waiter.outcome.clone(), waiter.awaited);
                self.relieve(waiter.stream, Relief::Answered(outcome));
            }
            !is_over
        });
        let is_wanted = publishing.is_due || !publishing.waiters.is_empty();
        // What others have said in vain, who polls says again.
        let rest = match is_wanted {
            true => AGAIN,
            false => LATER,
        };
        let is_time = publishing
            .said
            .is_none_or(|said| later(said, rest) <= now || now < said);
        drop(publishing);
        let is_wanted = is_wanted || (self.is_mine() && self.pending_count() > 0);
        if is_wanted && is_time && self.posts() == 0 {
            self.say(worker, MOST_UNHURRIED, now);
        }
    }

    /// A stream waits no more.
    pub(super) fn forget_waiter(&self, stream: u32) {
        if let Ok(mut publishing) = self.publishing.try_borrow_mut() {
            publishing.waiters.retain(|waiter| waiter.stream != stream);
        }
    }

    /// Whether somebody waits.
    pub(super) fn is_waited_for(&self) -> bool {
        let publishing = self.publishing.try_borrow();
        publishing.is_ok_and(|publishing| publishing.is_due || !publishing.waiters.is_empty())
    }
}

/// What is said where the fleet has not said that it has it. Invalidations are said again; a change of the configuration is not,
/// and who made it has to know.
fn unkept(outcome: Outcome, awaited: Awaited) -> Outcome {
    let outcome = outcome.in_fleet(&Promise::Open);
    match awaited {
        Awaited::Change(_) => outcome.with_note(
            "holds at this Envoy alone, until the fleet's configuration changes: the service did not take it",
        ),
        Awaited::Invalidation(_) => outcome,
    }
}

fn read_version(body: &[u8]) -> Option<u64> {
    let read = reading::read(body, |cursor| Given::Value(cursor.value.clone()));
    read.ok()?.get("version")?.as_u64()
}
