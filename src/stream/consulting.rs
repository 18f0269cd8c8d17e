//! An exchange that waits for the fleet, and goes on.

use larder_core::exchange::Event;
use larder_core::fleet::{Consultation, Consulted};
use larder_core::time::Timestamp;

use super::{Action, Stream};
use crate::fleet::{Lead, Relief};
use crate::host::{self, HostError};

/// What a stream waits for of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// What stands under a key.
    Look,
}

impl Stream {
    /// Waits for what the fleet has, if it can be asked.
    pub(super) fn consult(
        &mut self,
        asked: &Consultation,
        now: Timestamp,
    ) -> Result<Action, HostError> {
        if self.worker.fleet.look(self.id, asked, now) {
            self.errand = Some(Errand::Look);
            self.live.hurry();
            return Ok(Action::Pause);
        }
        let step = self.exchange.on(Event::Consulted(Consulted::Silent), now);
        self.obey(step, now)
    }

    /// It is over, or has been answered by somebody else.
    pub(super) fn wait_no_more(&mut self) {
        if self.errand.take().is_some()
            && let Ok(now) = host::now()
        {
            self.worker.fleet.leave(&self.worker, self.id, now);
        }
    }

    /// Nothing more comes of the lead that it has, if it has one.
    pub(super) fn release_lead(&mut self) {
        if let Some(lead) = self.lead.take()
            && let Ok(now) = host::now()
        {
            self.worker.fleet.release(&self.worker, lead, now);
        }
    }

    /// It waits no more for the fleet, in a callback that is not its own.
    pub(crate) fn on_relieved(&mut self, relief: Relief) {
        self.errand = None;
        match relief {
            Relief::Consulted(consulted, lead) => self.on_consulted(consulted, lead),
        }
    }

    fn on_consulted(&mut self, consulted: Consulted, lead: Option<Lead>) {
        if lead.is_some() {
            self.release_lead(); // one at a time
            self.lead = lead;
        }
        // A stream that the host does not know any more needs no answer.
        if host::speak_for(self.id).is_err() {
            return;
        }
        let outcome = self.consulted(consulted);
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
}
