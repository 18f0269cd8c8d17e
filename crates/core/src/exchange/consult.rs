//! The fleet is asked before the origin is ([`crate::fleet`]).
//!
//! It is asked by who would go to the origin for others too: who leads a flight, or would if it could be noted, and whose
//! response would be stored under the key that it asks for. Whoever goes by itself (what came last was nobody else's, or what
//! is stored has to be confirmed for this request) asks for nothing that another process could have. It is asked for each key
//! once in an exchange, so a fleet that gives what is of no use is not asked again.
//!
//! ```text
//!               ┌─ Found, Lent ──▶ Looking, from the beginning; those that wait are woken
//! Consulting ───┼─ Held ───▶ Consulting, once more, until who leads has brought it
//!               └─ Absent, Silent ──▶ Forwarding, as if there were no fleet
//! ```
//!
//! What it would be asked with (a question about what is stored, a part that may grow) is kept meanwhile.

use std::rc::Rc;

use super::boarding::{Lead, Provider, Words};
use super::budget::Hold;
use super::lookup::Looking;
use super::response::Basis;
use super::{State, Step, Surroundings, Verdict};
use crate::fleet::{Consultation, Consulted, Contact, Fleet, Invitation, Patience, Standing};
use crate::flight::{Landing, Purpose};
use crate::key::Key;
use crate::report::Forward;
use crate::time::Timestamp;

/// The fleet has been asked.
#[derive(Debug)]
pub(super) struct Consulting {
    looking: Looking,
    key: Rc<Key>,
    /// How it would go to the origin.
    forward: Forward,
    basis: Basis,
    progress: Progress,
}

/// How the fleet has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// For what it has, at this time.
    Looks(Timestamp),
    /// For what somebody is about to bring.
    Waits,
}

/// A fleet for exchanges that leave no trace: they hear of it what others hear, and ask it for nothing.
#[derive(Debug)]
pub(super) struct Overheard(pub(super) Rc<dyn Fleet>);

impl Fleet for Overheard {
    fn invitation(&self, _: Timestamp) -> Invitation {
        Invitation::Shut
    }

    fn contact(&self, now: Timestamp) -> Contact {
        self.0.contact(now)
    }

    fn standing(&self, token: &[u8]) -> Standing {
        self.0.standing(token)
    }
}

impl Looking {
    /// For which key the fleet is asked, before the origin is asked for this reason; none where it is not.
    #[cold]
    #[inline(never)]
    pub(super) fn wants_to_consult(
        &mut self,
        around: &Surroundings,
        (forward, basis): (Forward, &Basis),
        now: Timestamp,
    ) -> Option<Rc<Key>> {
        let fleet = around.fleet.get()?;
        let is_for_others = match &self.turn.lead {
            Lead::Alone | Lead::Outside(_) => false,
            Lead::Open | Lead::Released | Lead::Taken(_) | Lead::Unnoted => {
                self.is_for_others(forward, around)
            }
        };
        let words = match basis {
            Basis::Asked(_) => Words::Ours,
            Basis::Compared(_) | Basis::Nothing | Basis::Part(_) | Basis::Whole => Words::Own,
        };
        let key = Rc::clone(self.to_be_filled());
        let is_wanted = is_for_others
            && self.purpose(words) == Purpose::Fill
            && self.turn.consulted.is_new(&key)
            && fleet.invitation(now) == Invitation::Open;
        if !is_wanted {
            return None;
        }
        if self.turn.hold.is_none() {
            self.turn.hold = Some(Hold::of(&around.budget, self.subject.size()).ok()?);
        }
        self.turn.consulted.note(&key);
        Some(key)
    }
}

impl Consulting {
    /// Asks.
    pub(super) fn begin<'a>(
        looking: Looking,
        key: Rc<Key>,
        (forward, basis): (Forward, Basis),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let consulting = Self {
            looking,
            key,
            forward,
            basis,
            progress: Progress::Looks(now),
        };
        consulting.ask(Patience::Look)
    }

    fn ask<'a>(self, patience: Patience) -> (State, Step<'a>) {
        let consultation = Consultation {
            key: Rc::clone(&self.key),
            patience,
        };
        let step = Step {
            verdict: Verdict::Consult(consultation),
            effects: Vec::new(),
        };
        (State::Consulting(Box::new(self)), step)
    }

    /// Takes in what the fleet had.
    #[cold]
    pub(super) fn answered<'a>(
        mut self,
        around: &Surroundings,
        consulted: Consulted,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        match (consulted, self.progress) {
            (Consulted::Found, _) => self.look_again(around, Landing::Stored, now),
            // Who waits for what has no place goes by itself, and asks for itself.
            (Consulted::Lent, _) => self.look_again(around, Landing::Unshared { until: now }, now),
            (Consulted::Held, Progress::Looks(since)) => {
                let coalescing = &around.config.coalescing;
                let rest = coalescing.wait.saturating_sub(now.since(since));
                // Where nobody waits for anybody in this process, nobody does for another process; nor does who has waited for
                // somebody, for nothing.
                let has_waited = matches!(self.looking.turn.lead, Lead::Released);
                if has_waited || coalescing.max_waiters == 0 || rest.get() == 0 {
                    return self.go_on(around, now);
                }
                self.progress = Progress::Waits;
                self.ask(Patience::Wait(rest))
            }
            (Consulted::Held, Progress::Waits) | (Consulted::Absent | Consulted::Silent, _) => {
                self.go_on(around, now)
            }
        }
    }

    /// It is in the tiers. What is decided about it, and whether somebody has to lead after all, is as if the request had come
    /// now.
    fn look_again<'a>(
        self,
        around: &Surroundings,
        landing: Landing,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let mut looking = self.looking;
        if let Lead::Taken(flight) = std::mem::take(&mut looking.turn.lead) {
            flight.land(landing);
        }
        looking.turn.provider = Provider::Fleet;
        looking.again(around, now)
    }

    /// The origin is asked, as it would have been. The request is made only now, as far as ages go; its place in the order of
    /// invalidations stays, since what it asks about was judged there.
    fn go_on<'a>(self, around: &Surroundings, now: Timestamp) -> (State, Step<'a>) {
        let mut looking = self.looking;
        looking.subject.started = now;
        looking.set_out(around, self.forward, self.basis)
    }
}
