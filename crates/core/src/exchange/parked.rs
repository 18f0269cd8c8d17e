//! A request that waits for another's response, and looks again when it is woken.
//!
//! It waits until its deadline and no longer. Then one of those that wait takes the lead, and the others wait once more; after
//! that each goes by itself. What it is given after a wake it could have been given had it come at that moment: it is looked
//! up as if it had, with the epoch of that moment, so that an invalidation since its arrival counts too.

use super::boarding::Lead;
use super::event::Wake;
use super::lookup::Looking;
use super::{Parking, State, Step, Surroundings, Verdict};
use crate::key::KeyDigest;
use crate::policy::reuse::Need;
use crate::report::Forward;
use crate::time::Timestamp;

/// So often a request waits at most, whatever wakes it: what is stored again and again and is never for it, it fetches itself.
const MOST_TIMES: u8 = 8;

/// How a request has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waited {
    /// Why it would have gone to the origin.
    pub(super) why: Forward,
    deadline: Timestamp,
    chance: Chance,
    times: u8,
}

/// What comes after the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chance {
    /// It waits once more, or takes the lead.
    First,
    /// It goes by itself.
    Last,
}

impl Looking {
    /// How it waits for the flight to what stands under the key with this digest.
    pub(super) fn park(
        &mut self,
        around: &Surroundings,
        (why, digest): (Forward, KeyDigest),
        now: Timestamp,
    ) -> Parking {
        let latest = now.plus(around.config.coalescing.wait);
        let waited = match self.turn.waited {
            None => Waited {
                why,
                deadline: latest,
                chance: Chance::First,
                times: 1,
            },
            Some(waited) => Waited {
                deadline: waited.deadline.min(latest), // the clock can step
                times: waited.times.saturating_add(1),
                ..waited
            },
        };
        self.turn.waited = Some(waited);
        Parking {
            digest,
            deadline: waited.deadline,
        }
    }

    /// Waits.
    pub(super) fn parked<'a>(self, parking: Parking) -> (State, Step<'a>) {
        let step = Step {
            verdict: Verdict::Park(parking),
            effects: Vec::new(),
        };
        (State::Parked(Box::new(self)), step)
    }

    /// Looks again.
    #[cold]
    #[inline(never)]
    pub(super) fn woken<'a>(
        mut self,
        around: &Surroundings,
        wake: Wake,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let turn = &mut self.turn;
        if let Some(waited) = &mut turn.waited {
            turn.lead = waited.after(wake, now.plus(around.config.coalescing.wait));
            if wake == Wake::Full && waited.times == 1 {
                turn.waited = None; // it has not
            }
        }
        turn.need = (wake == Wake::Failed).then_some(Need::Failed);
        self.again(around, now)
    }

    /// Looks it up as if it had just come, but for what is known of its turn.
    pub(super) fn again<'a>(self, around: &Surroundings, now: Timestamp) -> (State, Step<'a>) {
        let Self {
            mut subject,
            lookup,
            turn,
            ..
        } = self;
        subject.started = now;
        subject.epoch = around.epochs.now();
        let mut again = Self::new(subject, lookup);
        again.turn = turn;
        again.ask_tiers(around)
    }
}

impl Waited {
    /// Who asks the origin, if nothing is there after this wake; `next` is the deadline of who waits once more.
    fn after(&mut self, wake: Wake, next: Timestamp) -> Lead {
        match (wake, self.chance) {
            (Wake::LetGo, _) => Lead::Released,
            (Wake::Failed | Wake::Full, _) | (Wake::Overdue, Chance::Last) => Lead::Alone,
            (Wake::Overdue, Chance::First) => {
                (self.chance, self.deadline) = (Chance::Last, next);
                Lead::Open
            }
            (Wake::Look, _) if self.times < MOST_TIMES => Lead::Open,
            (Wake::Look, _) => Lead::Alone,
        }
    }
}
