//! An exchange that waits for the fleet, and goes on.

use larder_core::exchange::{Answer, Call, Event};
use larder_core::fleet::{Consultation, Consulted};
use larder_core::key::Key;
use larder_core::time::Timestamp;
use larder_manage::Outcome;

use super::{Action, Stream};
use crate::desk;
use crate::fleet::{Findings, Relief};
use crate::host::{self, HostError};

/// What a stream waits for of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// What stands under a key.
    Look,
    /// Whether it has what a call of the management API has changed.
    Promise,
}

impl Stream {
    /// Waits for what the fleet has, if it can be asked.
    pub(super) fn consult(
        &mut self,
        asked: &Consultation,
        now: Timestamp,
    ) -> Result<Action, HostError> {
        let most = self
            .exchange
            .surroundings()
            .config()
            .limits
            .max_object_bytes;
        if self.worker.fleet.look((self.id, most), asked, now) {
            self.errand = Some(Errand::Look);
            self.live.hurry();
            return Ok(Action::Pause);
        }
        let step = self.exchange.on(Event::Consulted(Consulted::Silent), now);
        self.obey(step, now)
    }

    /// Answers a call of the management API: at once, or when it is known whether the fleet has what it changes.
    pub(super) fn managed(&mut self, call: &Call, now: Timestamp) -> Result<Action, HostError> {
        let (outcome, awaited) = self.manage(call, now);
        let outcome = match awaited {
            None => Some(outcome),
            Some(awaited) => self.worker.fleet.wait(self.id, outcome, awaited, now),
        };
        match outcome {
            Some(outcome) => desk::answer(&outcome)?,
            None => {
                self.errand = Some(Errand::Promise);
                self.live.hurry();
            }
        }
        Ok(Action::Pause)
    }

    /// It is over, or has been answered by somebody else.
    pub(super) fn wait_no_more(&mut self) {
        if self.errand.take().is_some()
            && let Ok(now) = host::now()
        {
            self.worker.fleet.leave(self.id, now);
        }
    }

    /// Nothing more comes of the lead that it has, if it has one.
    pub(super) fn release_lead(&mut self) {
        if let Some(lead) = self.lead.take()
            && let Ok(now) = host::now()
        {
            self.worker.fleet.release(lead, now);
        }
    }

    /// It waits no more for the fleet, in a callback that is not its own.
    pub(crate) fn on_relieved(&mut self, relief: Relief) {
        self.errand = None;
        match relief {
            Relief::Answered(outcome) => self.on_answered(&outcome),
            Relief::Consulted(findings) => self.on_consulted(findings),
        }
    }

    fn on_answered(&self, outcome: &Outcome) {
        self.worker
            .tolerate(desk::answer_from_outside(self.id, outcome));
    }

    fn on_consulted(&mut self, findings: Findings) {
        if findings.lead.is_some() {
            self.release_lead(); // one at a time
            self.lead = findings.lead;
        }
        self.brought = findings.brought.map(Box::new);
        // A stream that the host does not know any more needs no answer.
        if host::speak_for(self.id).is_err() {
            return;
        }
        let outcome = self.consulted(findings.consulted);
        self.brought = None;
        if self.exchange.expects_own_reply() {
            self.release_lead(); // it was as good as fresh here
        }
        if self.survive(outcome) == Action::Continue {
            self.worker.tolerate(host::resume_request(self.id));
        }
    }

    fn consulted(&mut self, consulted: Consulted) -> Result<Action, HostError> {
        let now = host::now()?;
        self.began = now; // an answer from the cache is as old as this
        self.worker.forget_glance();
        let step = self.exchange.on(Event::Consulted(consulted), now);
        self.obey(step, now)
    }

    /// What the fleet has, in place of what the tiers should have under this key.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at_brought(
        &mut self,
        key: &Key,
        now: Timestamp,
    ) -> Option<Result<Action, HostError>> {
        let brought = self.brought.take_if(|brought| *brought.key == *key)?;
        let answer = Answer::Found(&brought.payload);
        let step = self.exchange.on(Event::Answer(answer), now);
        Some(self.obey(step, now))
    }
}
