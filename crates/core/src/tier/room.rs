//! Who has to go when the bytes of all sets are over budget.
//!
//! A few sets are drawn at random and the least of all their entries goes, until there is room: the cost is
//! bounded whatever the size of the cache, and no list is shared. Nothing goes before it is known that the newcomer may
//! displace it. Where few large entries fill
//! the budget, most draws find an empty set: draws are many and cheap (one read), evictions few, and when chance has
//! found nothing, the sets are tried that this worker remembers filling. The gauge only hints at the bytes held:
//! where it says more than twice the widest budget so far it is taken for broken (it outlives a wipe and can wrap). Then
//! an entry takes the place of as many bytes as can be found, and is stored in any case.

use super::claim::{Host, Reading, Snapshot};
use super::directory::Ways;
use super::evict::{Claimant, Worth};
use super::outcome::WhyNot;
use super::shared::SharedTier;
use super::way::{Condition, Way};
use crate::time::Timestamp;

/// The sets that one store draws at most.
const DRAWS: u32 = 256;

/// The draws that are left to chance; after them come the sets this worker filled, the oldest first.
const BLIND_DRAWS: u32 = 64;

/// The fills a worker remembers.
const FILLS: usize = 1_024;

/// The sets with something in them that are compared in one round.
const SAMPLE: usize = 3;

/// The sets that one store takes something out of at most.
const EVICTIONS: u32 = 24;

/// The ways that are taken out of one set in one round at most, so that no set is emptied for a single large entry.
const WAYS_AT_ONCE: usize = 4;

/// What is too much goes by so many times the bytes of what comes. That the gauge says so can be an error, which the next
/// sweep will find.
const STEPS_DOWN: u64 = 8;

/// What the gauge says about room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    /// The gauge cannot be right.
    Broken,
    /// So many bytes should go, whoever comes: there is more than may be, because the bound was lowered for instance.
    Exceeded(u64),
    /// So many bytes must go first.
    Over(u64),
    /// There is room.
    Within,
}

impl Budget {
    fn judge(held: u64, growth: u64, limit: u64, widest: u64) -> Self {
        let wanted = held.saturating_add(growth);
        if held > widest.saturating_mul(2) {
            Self::Broken
        } else if held > limit {
            let excess = wanted.saturating_sub(limit);
            Self::Exceeded(excess.min(growth.saturating_mul(STEPS_DOWN)))
        } else if wanted <= limit {
            Self::Within
        } else {
            Self::Over(wanted.saturating_sub(limit))
        }
    }
}

/// What a store has done for its room so far.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    draws: u32,
    evictions: u32,
    /// Current entries that went or are about to.
    victims: u32,
}

/// A set that was drawn, and what is taken out of it.
struct Drawn {
    set: u32,
    before: Snapshot,
    chosen: Ways,
    bytes: u64,
}

impl Drawn {
    /// The way of least worth that may still be chosen.
    fn least(&self, tier: &SharedTier, now: Timestamp) -> Option<(Worth, usize)> {
        if self.chosen.iter().count() >= WAYS_AT_ONCE {
            return None;
        }
        let ways = self.before.directory.ways().iter().enumerate();
        ways.filter(|(at, way)| !self.chosen.contains(*at) && **way != Way::Free)
            .map(|(at, way)| (tier.worth(self.set, way, now), at))
            .filter(|(worth, _)| worth.condition != Condition::Held)
            .min()
    }

    fn choose(&mut self, way: usize) -> u64 {
        let bytes = u64::from(self.before.directory.way(way).charged());
        self.chosen.insert(way);
        self.bytes = self.bytes.saturating_add(bytes);
        bytes
    }
}

impl SharedTier {
    /// Makes room for `growth` bytes, in other sets than `own`.
    pub(super) fn make_room(
        &mut self,
        host: &Host<'_>,
        own: u32,
        growth: u64,
        claimant: Claimant,
    ) -> Result<(), WhyNot> {
        if growth == 0 {
            return Ok(());
        }
        let (need, claimant, otherwise) =
            match Budget::judge(host.gauge.read(), growth, self.max_bytes, self.widest) {
                Budget::Within => return Ok(()),
                Budget::Broken => (growth, Claimant::Successor, Ok(())),
                Budget::Exceeded(need) => (need, Claimant::Successor, Err(WhyNot::NoRoom)),
                Budget::Over(need) => (need, claimant, Err(WhyNot::NoRoom)),
            };
        let mut effort = Effort::default();
        let mut freed = 0u64;
        while effort.draws < DRAWS && effort.evictions < EVICTIONS {
            let mut drawn = self.draw_some(host, own, &mut effort)?;
            self.choose(
                &mut drawn,
                need.saturating_sub(freed),
                claimant,
                (&mut effort, host.now),
            )?;
            for drawn in drawn {
                freed = freed.saturating_add(self.evict(host, drawn, &mut effort)?);
            }
            if freed >= need {
                return Ok(());
            }
        }
        // What comes takes no more than has gone.
        if freed >= growth { Ok(()) } else { otherwise }
    }

    /// Draws sets until a few have something in them.
    fn draw_some(
        &mut self,
        host: &Host<'_>,
        own: u32,
        effort: &mut Effort,
    ) -> Result<Vec<Drawn>, WhyNot> {
        let sets = self.life()?.geometry.sets();
        let mut all: Vec<Drawn> = Vec::with_capacity(SAMPLE);
        while all.len() < SAMPLE && effort.draws < DRAWS {
            let is_blind = effort.draws < BLIND_DRAWS;
            effort.draws = effort.draws.saturating_add(1);
            let remembered = if is_blind {
                None
            } else {
                self.filled.pop_front()
            };
            let remembered = remembered.filter(|&set| set < sets);
            let set = remembered.unwrap_or_else(|| self.random.below(sets));
            if set == own || all.iter().any(|drawn| drawn.set == set) {
                continue;
            }
            let mut before = match self.read(host, set)? {
                Reading::Missing => continue,
                reading @ (Reading::Other(..) | Reading::Own(_)) => self.resolve(host, reading)?,
            };
            let taken = before.directory.ways_where(|way| *way != Way::Free);
            if taken.is_empty() {
                continue;
            }
            self.fold_touches(&mut before.directory, set, host.now);
            all.push(Drawn {
                set,
                before,
                chosen: Ways::NONE,
                bytes: 0,
            });
        }
        Ok(all)
    }

    /// Chooses what goes, the least of all first, until it is enough.
    fn choose(
        &self,
        drawn: &mut [Drawn],
        need: u64,
        claimant: Claimant,
        (effort, now): (&mut Effort, Timestamp),
    ) -> Result<(), WhyNot> {
        let mut bytes = 0u64;
        while bytes < need {
            let leasts = drawn.iter_mut().filter_map(|drawn| {
                let (worth, way) = drawn.least(self, now)?;
                Some((worth, way, drawn))
            });
            let Some((worth, way, drawn)) = leasts.min_by_key(|(worth, ..)| *worth) else {
                break;
            };
            if !self.may_displace(claimant, worth, effort.victims) {
                return Err(WhyNot::NotAdmitted);
            }
            if worth.condition == Condition::Current {
                effort.victims = effort.victims.saturating_add(1);
            }
            bytes = bytes.saturating_add(drawn.choose(way));
        }
        Ok(())
    }

    /// Takes out of a set what was chosen; gives the bytes that are free now.
    fn evict(&mut self, host: &Host<'_>, drawn: Drawn, effort: &mut Effort) -> Result<u64, WhyNot> {
        let Drawn {
            set,
            before,
            chosen,
            bytes,
        } = drawn;
        if chosen.is_empty() {
            return Ok(0);
        }
        effort.evictions = effort.evictions.saturating_add(1);
        match self.empty(host, set, &before, chosen) {
            Ok(()) => {
                self.touches.clear(set);
                let current = |way| before.directory.way(way).condition(host.now);
                let gone = chosen
                    .iter()
                    .filter(|&way| current(way) == Condition::Current);
                self.evicted = self.evicted.saturating_add(gone.count() as u32);
                Ok(bytes)
            }
            Err(WhyNot::Contended | WhyNot::Overtaken) => Ok(0),
            Err(why) => Err(why),
        }
    }

    /// Remembers where this worker has put something.
    pub(super) fn remember_fill(&mut self, set: u32) {
        if self.filled.len() >= FILLS {
            self.filled.pop_front();
        }
        self.filled.push_back(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_is_believed_up_to_twice_the_budget() {
        for (held, growth, budget) in [
            (0, 100, Budget::Within),
            (90, 11, Budget::Over(1)),
            (100, 1, Budget::Over(1)),
            (102, 10, Budget::Exceeded(12)),
            (200, 10, Budget::Exceeded(80)),
            (201, 10, Budget::Broken),
            (u64::MAX, u64::MAX, Budget::Broken),
        ] {
            assert_eq!(Budget::judge(held, growth, 100, 100), budget, "{held}");
            let lowered = Budget::judge(1_000, 50, 100, 1_000);
            assert_eq!(
                lowered,
                Budget::Exceeded(400),
                "a bound that was lowered is kept to"
            );
        }
    }
}
