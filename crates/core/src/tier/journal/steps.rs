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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn local(position: u64) -> Epoch {
        Epoch { log: 7, position }
    }

    const fn cursor(position: u64) -> Cursor {
        Cursor {
            log: 1,
            position,
            check: position as u32,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Each step is a part of the log and of the local order; own records may stand further back.
        #[test]
        fn of_many_steps_less_is_known_and_nothing_wrong(
            steps in proptest::collection::vec((1..4u64, 0..3u64, 1..4u64, 0..9u64), 0..200),
        ) {
            let mut known = Steps::from(cursor(5), local(10));
            // Of each record of the log, the local position behind which it stands, and at which it had been applied.
            let mut records: Vec<(u64, u64, u64)> = Vec::new();
            for (count, idle, width, back) in steps {
                let from = known.local.position.saturating_add(idle);
                let after = from.saturating_add(width);
                let before = from.saturating_sub(back);
                let (start, end) = (known.cursor().position, known.cursor().position.saturating_add(count));
                records.extend((start..end).map(|at| (at.saturating_add(1), before, after)));
                let stretch = Stretch { before: Some(local(before)), after: local(after) };
                known.advance(cursor(end), stretch);
            }
            prop_assert!(known.steps.len() <= MOST);
            let end = known.cursor().position;
            for at in 5..=end {
                let mut asked = cursor(at);
                let is_boundary = [&known.base].into_iter().chain(&known.steps).any(|step| step.position == at);
                if !is_boundary {
                    asked.check = 0;
                }
                let epoch = known.epoch_at(asked).unwrap();
                let behind = records.iter().filter(|(place, ..)| *place > at);
                for (place, before, _) in behind {
                    prop_assert!(epoch.position <= *before, "{place} is not met by what has up to {at}");
                }
            }
            for position in 0..=known.local.position.saturating_add(2) {
                let Some(given) = known.cursor_at(local(position)) else {
                    prop_assert!(position < 10);
                    continue;
                };
                let within = records.iter().filter(|(place, ..)| *place <= given.position);
                for (place, _, after) in within {
                    prop_assert!(*after <= position, "{place} had not been applied at {position}");
                }
            }
            prop_assert_eq!(known.cursor_at(known.local), Some(known.cursor()));
        }
    }

    #[test]
    fn what_stands_in_an_order_that_has_ended_is_behind_the_base() {
        let mut steps = Steps::from(cursor(5), local(10));
        let other = |position| Epoch { log: 8, position };
        // The log ended before this answer.
        let stretch = Stretch {
            before: Some(other(2)),
            after: other(4),
        };
        steps.advance(cursor(6), stretch);
        assert_eq!(steps.epoch_at(cursor(4)), None);
        assert_eq!(steps.epoch_at(cursor(5)), Some(other(2)));
        assert_eq!(steps.epoch_at(cursor(6)), Some(other(4)));
        assert_eq!(steps.cursor_at(local(10)), None);
        assert_eq!(steps.cursor_at(other(1)), None);
        assert_eq!(steps.cursor_at(other(2)), Some(cursor(5)));
        // It ended in the middle of it.
        let stretch = Stretch {
            before: Some(other(5)),
            after: local(1),
        };
        steps.advance(cursor(7), stretch);
        assert_eq!(steps.epoch_at(cursor(6)), None);
        assert_eq!(steps.epoch_at(cursor(7)), Some(local(1)));
        // It ended, and there was nothing new.
        let stretch = Stretch {
            before: Some(other(3)),
            after: other(3),
        };
        steps.advance(cursor(7), stretch);
        assert_eq!(steps.epoch_at(cursor(7)), Some(other(3)));
        assert_eq!(steps.epoch_at(cursor(6)), None);
    }
}
