//! An exchange that waits for another, and goes on.

use larder_core::exchange::{Event, Full, Parking, Wake};
use larder_core::flight::Landing;
use larder_core::report::Counter;
use larder_core::tier::Stored;
use larder_core::time::Timestamp;

use super::{Action, Stream};
use crate::host::{self, HostError};

/// Whether a request waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has not.
    Fresh,
    /// It waits, and so does what comes behind its head.
    Parked,
    /// It does no more.
    Released,
}

impl Stream {
    pub(super) fn park(&mut self, parking: Parking, now: Timestamp) -> Result<Action, HostError> {
        let most = self.exchange.surroundings().config().coalescing.max_waiters;
        match self.worker.flights.park(self.id, parking, most, now) {
            Ok(()) => {
                if self.place == Place::Fresh {
                    self.worker.count(Counter::Coalesced);
                }
                self.place = Place::Parked;
                self.live.hurry();
                Ok(Action::Pause)
            }
            Err(Full) => {
                let step = self.exchange.on(Event::Woken(Wake::Full), now);
                self.obey(step, now)
            }
        }
    }

    /// It is over, or has been answered by somebody else.
    pub(super) fn unpark(&mut self) {
        if self.place == Place::Parked {
            self.worker.flights.leave(self.id);
            self.place = Place::Released;
        }
    }

    fn woken(&mut self, why: Wake) -> Result<Action, HostError> {
        let now = host::now()?;
        self.began = now; // an answer from the cache is as old as this
        self.worker.forget_glance();
        let step = self.exchange.on(Event::Woken(why), now);
        self.obey(step, now)
    }

    /// It waits no more for another, in a callback that is not its own.
    pub(crate) fn on_woken(&mut self, why: Wake) {
        self.place = Place::Released;
        if why == Wake::Overdue {
            self.worker.count(Counter::LockTimeout);
        }
        // A stream that the host does not know any more needs no answer.
        if host::speak_for(self.id).is_err() {
            return;
        }
        let outcome = self.woken(why);
        if self.survive(outcome) == Action::Continue {
            self.worker.tolerate(host::resume_request(self.id));
        }
    }
}

/// How a flight ends whose response became this. Where there is no place for it, those that wait would find nothing, and lead
/// one after the other.
pub(crate) fn settled(landing: Landing, stored: Option<Stored>, now: Timestamp) -> Landing {
    match (landing, stored) {
        (Landing::Stored, Some(Stored::Skipped(why))) if why.is_lasting() => {
            Landing::Unshared { until: now }
        }
        (
            Landing::Abandoned
            | Landing::Failed { .. }
            | Landing::Stored
            | Landing::Unshared { .. },
            _,
        ) => landing,
    }
}
