//! Who has to go: in a full set, and when the bytes of all sets are over budget.
//!
//! Within a set, what serves nobody goes first: free ways, claims that have run out, entries that are past. Among
//! good entries it is the one with the fewest noted hits, the oldest of those; the others are then cooled by as many
//! hits, so that a favourite of the past does not stay for ever. An entry that was never asked for again leaves
//! before one that was, which is all the resistance to scans there is in this first version.
//!
//! Over budget, sets are drawn at random until enough has gone: the cost is bounded whatever the size of the cache,
//! and no list is shared. Entries with hits are spared at first. Where few large entries fill
//! the budget, most draws find an empty set: draws are many and cheap (one read), evictions few, and when chance has
//! found nothing, the sets are tried that this worker remembers filling. The gauge only hints at the bytes held:
//! where it says more than twice the widest budget so far it is taken for broken (it outlives a wipe and can wrap). Then
//! an entry takes the place of as many bytes as can be found, and is stored in any case.

use super::claim::{Host, Reading};
use super::directory::{Directory, Ways};
use super::incarnation::Place;
use super::outcome::WhyNot;
use super::shared::SharedTier;
use super::way::{Condition, Way};

/// The sets that one store draws at most.
const DRAWS: u32 = 256;

/// The draws that are left to chance; after them come the sets this worker filled, the oldest first.
const BLIND_DRAWS: u32 = 64;

/// The fills a worker remembers.
const FILLS: usize = 1_024;

/// The sets that one store takes something out of at most.
const EVICTIONS: u32 = 24;

/// The ways that are taken out of one set at most, so that no set is emptied for a single large entry.
const WAYS_AT_ONCE: usize = 4;

/// What the gauge says about room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    /// The gauge cannot be right.
    Broken,
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
        } else if wanted <= limit {
            Self::Within
        } else {
            Self::Over(wanted.saturating_sub(limit))
        }
    }
}

/// The way to take first, among those not excluded; none if all others are held.
fn least(directory: &Directory, host: &Host<'_>, excluded: Ways) -> Option<(usize, Way)> {
    let ways = directory.ways.iter().copied().enumerate();
    ways.filter(|(at, way)| !excluded.contains(*at) && way.condition(host.now) != Condition::Held)
        .min_by_key(|(_, way)| {
            let (heat, started) = match way {
                Way::Published(entry) => (entry.heat, entry.started.as_nanos()),
                Way::Emptying(_) | Way::Filling { .. } | Way::Free => (0, 0),
            };
            (way.condition(host.now), heat, started)
        })
}

/// Where a fill of a key goes in its set, `heat` of the others adjusted; none if all ways are held.
pub(super) fn place_anew(directory: &mut Directory, host: &Host<'_>) -> Option<usize> {
    let (way, victim) = least(directory, host, Ways::NONE)?;
    if let Way::Published(victim) = victim
        && victim.is_current(host.now)
    {
        for way in &mut directory.ways {
            if let Way::Published(entry) = way {
                entry.heat = entry.heat.saturating_sub(victim.heat);
            }
        }
    }
    Some(way)
}

impl SharedTier {
    /// Folds this worker's hits into a directory that is about to be written.
    pub(super) fn fold_hits(&mut self, directory: &mut Directory, set: u32) {
        for way in &mut directory.ways {
            if let Way::Published(entry) = way {
                let fingerprint = entry.fingerprint;
                let hits = self.hits.take(Place { set, fingerprint });
                entry.heat = entry.heat.saturating_add(hits);
            }
        }
    }

    /// Makes room for `growth` bytes, in other sets than `own`.
    pub(super) fn make_room(
        &mut self,
        host: &Host<'_>,
        own: u32,
        growth: u64,
    ) -> Result<(), WhyNot> {
        if growth == 0 {
            return Ok(());
        }
        let (need, otherwise) =
            match Budget::judge(host.gauge.read(), growth, self.max_bytes, self.widest) {
                Budget::Within => return Ok(()),
                Budget::Broken => (growth, Ok(())),
                Budget::Over(need) => (need, Err(WhyNot::NoRoom)),
            };
        let sets = self.life()?.geometry.sets();
        let (mut freed, mut evictions) = (0u64, 0);
        for draw in 0..DRAWS {
            let set = self.draw(draw, sets);
            if set == own {
                continue;
            }
            let spared = match evictions {
                0..8 => 0,
                8..16 => 3,
                _ => u8::MAX,
            };
            let gone = self.evict_from(host, set, need.saturating_sub(freed), spared)?;
            freed = freed.saturating_add(gone.unwrap_or(0));
            evictions = u32::saturating_add(evictions, gone.is_some().into());
            if freed >= need {
                return Ok(());
            }
            if evictions >= EVICTIONS {
                break;
            }
        }
        otherwise
    }

    fn draw(&mut self, draw: u32, sets: u32) -> u32 {
        let known = if draw < BLIND_DRAWS {
            None
        } else {
            self.filled.pop_front().filter(|&set| set < sets)
        };
        known.unwrap_or_else(|| self.random.below(sets))
    }

    /// Remembers where this worker has put something.
    pub(super) fn remember_fill(&mut self, set: u32) {
        if self.filled.len() >= FILLS {
            self.filled.pop_front();
        }
        self.filled.push_back(set);
    }

    /// Takes up to `need` bytes out of a set, of entries with no more hits than `heat`; none where nothing was tried.
    fn evict_from(
        &mut self,
        host: &Host<'_>,
        set: u32,
        need: u64,
        heat: u8,
    ) -> Result<Option<u64>, WhyNot> {
        let before = match self.read(host, set)? {
            Reading::Missing => return Ok(None),
            reading @ (Reading::Other(..) | Reading::Own(_)) => self.resolve(host, reading)?,
        };
        let mut warm = before.directory.clone();
        for way in &mut warm.ways {
            if let Way::Published(entry) = way {
                let fingerprint = entry.fingerprint;
                let hits = self.hits.count(Place { set, fingerprint });
                entry.heat = entry.heat.saturating_add(hits);
            }
        }
        let (ways, bytes) = select(&warm, host, need, heat);
        if ways.is_empty() {
            // A set whose entries are all spared was tried: after a few of them, fewer are.
            let spared = warm.ways_where(|way| way.condition(host.now) == Condition::Current);
            return Ok((!spared.is_empty()).then_some(0));
        }
        match self.empty(host, set, &before, ways) {
            Ok(()) => {
                let gone = ways.iter().filter(|way| {
                    before.directory.way(*way).condition(host.now) == Condition::Current
                });
                self.evicted = self.evicted.saturating_add(gone.count() as u32);
                Ok(Some(bytes))
            }
            Err(WhyNot::Contended | WhyNot::Overtaken) => Ok(Some(0)),
            Err(why) => Err(why),
        }
    }
}

fn select(directory: &Directory, host: &Host<'_>, need: u64, heat: u8) -> (Ways, u64) {
    let mut excluded = directory.ways_where(|way| {
        let hot = matches!(way, Way::Published(entry) if entry.heat > heat);
        *way == Way::Free || (hot && way.condition(host.now) == Condition::Current)
    });
    let (mut chosen, mut bytes) = (Ways::NONE, 0u64);
    for _ in 0..WAYS_AT_ONCE {
        if bytes >= need {
            break;
        }
        let Some((at, way)) = least(directory, host, excluded) else {
            break;
        };
        excluded.insert(at);
        chosen.insert(at);
        bytes = bytes.saturating_add(u64::from(way.charged()));
    }
    (chosen, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::memory::{MemoryGauge, MemoryKv};
    use crate::tier::way::Published;
    use crate::tier::way::tests::{at, claim, entry};

    fn with_host(test: impl FnOnce(&Host<'_>)) {
        test(&Host::new(&MemoryKv::new(), &MemoryGauge::new(), at(100)));
    }

    fn good(started: u64, heat: u8) -> Way {
        Way::Published(Published {
            heat,
            charged: 10,
            ..entry(started, 200)
        })
    }

    #[test]
    fn the_gauge_is_believed_up_to_twice_the_budget() {
        for (held, growth, budget) in [
            (0, 100, Budget::Within),
            (90, 11, Budget::Over(1)),
            (200, 10, Budget::Over(110)),
            (201, 10, Budget::Broken),
            (u64::MAX, u64::MAX, Budget::Broken),
        ] {
            assert_eq!(Budget::judge(held, growth, 100, 100), budget, "{held}");
            let lowered = Budget::judge(1_000, 0, 100, 1_000);
            assert_eq!(
                lowered,
                Budget::Over(900),
                "a bound that was lowered is kept to"
            );
        }
    }

    #[test]
    fn what_serves_nobody_goes_before_the_cold_and_the_cold_before_the_hot() {
        let mut directory = Directory {
            ways: [
                good(5, 4),
                good(9, 2),
                good(3, 2),
                Way::Published(entry(1, 100)),
                Way::Emptying(claim(100)),
                Way::Free,
                good(1, 9),
                Way::Emptying(claim(105)),
            ],
        };
        with_host(|host| {
            let mut order = Vec::new();
            let mut gone = Ways::NONE;
            while let Some((way, _)) = least(&directory, host, gone) {
                order.push(way);
                gone.insert(way);
            }
            assert_eq!(
                order,
                [5, 4, 3, 2, 1, 0, 6],
                "the claim at work is left alone"
            );
            for way in 3..6 {
                directory.set(way, Way::Emptying(claim(105)));
            }
            assert_eq!(place_anew(&mut directory, host), Some(2));
            assert_eq!(directory.way(0), good(5, 2), "the others cool by as much");
            assert_eq!(directory.way(6), good(1, 7));
        });
    }

    #[test]
    fn a_set_gives_no_more_than_is_needed_and_spares_the_hot() {
        let ways = [0, 1, 2, 3, 4, 5, 6, 7].map(|n| good(n, n as u8 % 4));
        let directory = Directory { ways };
        with_host(|host| {
            assert_eq!(
                select(&directory, host, 15, 0),
                ([0, 4].into_iter().collect(), 20)
            );
            assert_eq!(select(&directory, host, 100, 0).1, 20);
            assert_eq!(select(&directory, host, 100, u8::MAX).1, 40);
        });
    }
}
