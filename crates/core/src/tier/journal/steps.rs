//! Which part of the fleet's log was applied where in the local order.

use crate::entry::Epoch;
use crate::fleet::Cursor;

/// Steps that are kept; of older ones two become one.
pub(super) const MOST: usize = 64;

/// A part of the fleet's log: behind the step before, up to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) position: u64,
    pub(super) check: u32,
    /// Every local record of it stands behind this local position.
    pub(super) before: u64,
    /// All of it had been applied at this one.
    pub(super) after: u64,
}

/// How the fleet's log lies in the local order, as far back as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// The fleet's log.
    pub(super) log: u64,
    /// The local order, and how far it had come when this was last looked at. What was not known of then stands behind.
    pub(super) local: Epoch,
    /// Up to here all is applied, and of what was before no more is known.
    pub(super) base: Step,
    pub(super) steps: Vec<Step>,
}

/// What has been applied, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Every record of it stands behind this; `None` where some stand in a local order that has ended.
    pub(super) before: Option<Epoch>,
    /// And all had been applied at this.
    pub(super) after: Epoch,
}

impl Steps {
    /// Everything up to this cursor was dropped.
    pub(super) fn from(cursor: Cursor, after: Epoch) -> Self {
        Self {
            log: cursor.log,
            local: after,
            base: Step {
                position: cursor.position,
                check: cursor.check,
                before: 0,
                after: after.position,
            },
            steps: Vec::new(),
        }
    }

    fn last(&self) -> &Step {
        self.steps.last().unwrap_or(&self.base)
    }

    /// Up to where the fleet's log is applied.
    pub(super) fn cursor(&self) -> Cursor {
        self.cursor_of(self.last())
    }

    fn cursor_of(&self, step: &Step) -> Cursor {
        Cursor {
            log: self.log,
            position: step.position,
            check: step.check,
        }
    }

    /// What is behind the last cursor, up to this one, is applied.
    pub(super) fn advance(&mut self, cursor: Cursor, stretch: Stretch) {
        let Stretch { before, after } = stretch;
        let Some(before) = before.filter(|before| before.log == after.log) else {
            // Where the last records stand is not known: an entry has to have been asked for behind all of them.
            *self = Self::from(cursor, after);
            return;
        };
        if self.local.log != after.log {
            *self = Self::from(self.cursor(), before);
        }
        self.local = after;
        if cursor == self.cursor() {
            return;
        }
        if self.steps.len() >= MOST {
            self.merge();
        }
        self.steps.push(Step {
            position: cursor.position,
            check: cursor.check,
            before: before.position,
            after: after.position,
        });
    }

    /// The older half becomes a quarter.
    fn merge(&mut self) {
        let (older, newer) = self.steps.split_at_checked(MOST / 2).unwrap_or_default();
        let (pairs, odd) = older.as_chunks::<2>();
        let merged = pairs.iter().map(|[one, other]| Step {
            before: one.before.min(other.before),
            ..*other
        });
        self.steps = merged
            .chain(odd.iter().copied())
            .chain(newer.iter().copied())
            .collect();
    }

    /// The local epoch of an entry that holds what is in front of this cursor; records of the outbox aside.
    pub(super) fn epoch_at(&self, cursor: Cursor) -> Option<Epoch> {
        if cursor.log != self.log || cursor.position < self.base.position {
            return None;
        }
        let all = || [&self.base].into_iter().chain(&self.steps);
        // A log that was written anew.
        if all().any(|step| step.position == cursor.position && step.check != cursor.check) {
            return None;
        }
        let behind = all().filter(|step| step.position > cursor.position);
        let least = behind.map(|step| step.before).min();
        Some(Epoch {
            log: self.local.log,
            position: least.map_or(self.local.position, |least| least.min(self.local.position)),
        })
    }

    /// The cursor in front of which everything had been applied at this local epoch.
    pub(super) fn cursor_at(&self, epoch: Epoch) -> Option<Cursor> {
        if epoch.log != self.local.log {
            return None;
        }
        let all = [&self.base].into_iter().chain(&self.steps);
        let mut applied = all.filter(|step| step.after <= epoch.position);
        applied.next_back().map(|step| self.cursor_of(step))
    }
}
