//! Who has to go in a full set, and who may come in for it.
//!
//! What serves nobody goes first: free ways, claims that have run out, entries that are past. For these nobody has to be
//! wanted. Among current entries it is the one that was asked for least often lately, or the one that nobody asked
//! for for the longest time, whichever keeps more of what is asked for ([`super::miniature`]). In the first case a
//! newcomer comes in only if it is more popular than those that it displaces ([`super::demand::admits`]), so that one
//! pass over any number of keys displaces nothing. How popular something is, is each worker's own reckoning; for how
//! long nobody has asked stands in the directory as well, written there when the set is written anyway, or at a tick.

use super::claim::{Host, Reading};
use super::demand::{Leaning, admits};
use super::directory::Directory;
use super::incarnation::Place;
use super::outcome::WhyNot;
use super::shared::SharedTier;
use super::way::{Condition, Touched, Way};
use crate::time::Timestamp;

/// The sets that a tick looks at for hits to write down.
const LOOKS: u32 = 1_024;

/// The sets that a tick writes for it at most.
const WRITES: u32 = 32;

/// An entry is worth writing to when it seems to have been idle for so long: 8 seconds, in sixteenths.
const NEWS: u32 = 128;

/// What wants room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimant {
    /// The entry of a key that has none.
    Newcomer(Place),
    /// Another entry of a key that has one.
    Successor,
}

/// What a way is worth; the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worth {
    pub(super) condition: Condition,
    /// What counts first and what counts among equals: how often and how lately it was asked for, or the other way
    /// around.
    order: (u32, u32),
    started: Timestamp,
    popularity: u8,
}

impl SharedTier {
    pub(super) fn worth(&self, set: u32, way: &Way, now: Timestamp) -> Worth {
        let condition = way.condition(now);
        let mut worth = Worth {
            condition,
            order: (0, 0),
            started: Timestamp::from_nanos(0),
            popularity: 0,
        };
        if let Way::Published(entry) = way
            && condition == Condition::Current
        {
            let fingerprint = entry.fingerprint;
            worth.popularity = self.demand.popularity(Place { set, fingerprint });
            worth.started = entry.started;
            let often = u32::from(worth.popularity);
            let lately = u32::MAX.saturating_sub(entry.touched.idle(now));
            worth.order = match self.demand.leaning() {
                Leaning::Frequency => (often, lately),
                Leaning::Recency => (lately, often),
            };
        }
        worth
    }

    /// Whether a claimant may displace something, after so many others.
    pub(super) fn may_displace(&self, claimant: Claimant, victim: Worth, before: u32) -> bool {
        match (claimant, self.demand.leaning()) {
            (Claimant::Successor, _) | (_, Leaning::Recency) => true,
            (Claimant::Newcomer(place), Leaning::Frequency) => {
                let newcomer = self.demand.popularity(place);
                victim.condition != Condition::Current
                    || self.demand.is_young()
                    || admits(newcomer, victim.popularity, before)
            }
        }
    }

    /// Where a newcomer goes in its set, whose hits are folded in.
    pub(super) fn place_anew(
        &self,
        directory: &Directory,
        place: Place,
        host: &Host<'_>,
    ) -> Result<usize, WhyNot> {
        let ways = || directory.ways().iter().enumerate();
        let conditions = ways().map(|(_, way)| way.condition(host.now));
        let lowest = conditions.min().ok_or(WhyNot::Busy)?;
        if lowest == Condition::Held {
            return Err(WhyNot::Busy);
        }
        let worths = ways()
            .filter(|(_, way)| way.condition(host.now) == lowest)
            .map(|(at, way)| (self.worth(place.set, way, host.now), at));
        let (worth, way) = worths.min().ok_or(WhyNot::Busy)?;
        if self.may_displace(Claimant::Newcomer(place), worth, 0) {
            Ok(way)
        } else {
            Err(WhyNot::NotAdmitted)
        }
    }

    /// Folds this worker's hits into a directory that may be written; gives the longest that one of those hit had
    /// seemed idle.
    pub(super) fn fold_touches(&self, directory: &mut Directory, set: u32, now: Timestamp) -> u32 {
        let touched = self.touches.of(set);
        let mut longest = 0;
        for (at, way) in directory.ways_mut().iter_mut().enumerate() {
            if let Way::Published(entry) = way
                && touched.contains(at)
            {
                longest = longest.max(entry.touched.idle(now));
                entry.touched = Touched::at(now);
            }
        }
        longest
    }

    /// Writes down hits that other workers should know of, a few sets at each tick: they may be about to throw out what
    /// only this worker is asked for.
    pub(super) fn write_down_touches(&mut self, host: &Host<'_>) -> Result<(), WhyNot> {
        let sets = self.life()?.geometry.sets();
        let mut looks = LOOKS.min(sets);
        for _ in 0..WRITES {
            let Some(set) = self.touches.next(sets, &mut looks) else {
                break;
            };
            if let Reading::Own(before) = self.read(host, set)? {
                let mut after = before.directory.clone();
                if self.fold_touches(&mut after, set, host.now) >= NEWS {
                    match self.commit(host, set, &before, &after) {
                        Ok(()) | Err(WhyNot::Contended) => {}
                        Err(why) => return Err(why),
                    }
                }
            }
            self.touches.clear(set);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::memory::{MemoryGauge, MemoryKv};
    use crate::tier::tests::tier;
    use crate::tier::way::Published;
    use crate::tier::way::tests::{at, claim, entry};

    fn good(fingerprint: u32, touched: u64) -> Way {
        Way::Published(Published {
            fingerprint,
            touched: Touched::at(at(touched)),
            ..entry(1, 200)
        })
    }

    fn place(fingerprint: u32) -> Place {
        Place {
            set: 0,
            fingerprint,
        }
    }

    /// Has this worker find that popularity is what counts.
    fn prefer_frequency(tier: &mut SharedTier) {
        for n in (1_000..1_012).cycle().take(10_000) {
            tier.demand.note(place(n));
        }
        assert_eq!(tier.demand.leaning(), Leaning::Frequency);
    }

    fn asked(tier: &mut SharedTier, fingerprint: u32, times: u32) {
        (0..times).for_each(|_| tier.demand.note(place(fingerprint)));
    }

    #[test]
    fn what_serves_nobody_goes_before_what_few_ask_for_and_of_equals_the_idle_goes() {
        let mut tier = tier(8, 1);
        prefer_frequency(&mut tier);
        let mut directory = Directory::of(&[
            good(1, 90),
            good(2, 99),
            good(3, 80),
            Way::Published(entry(1, 100)),
            Way::Emptying(claim(100)),
            Way::Free,
            good(4, 10),
            Way::Emptying(claim(105)),
        ]);
        asked(&mut tier, 4, 9);
        asked(&mut tier, 2, 1);
        asked(&mut tier, 100, 15);
        let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
        let host = Host::new(&kv, &gauge, at(100));
        let mut order = Vec::new();
        while let Ok(way) = tier.place_anew(&directory, place(100), &host) {
            order.push(way);
            directory.set(way, Way::Emptying(claim(105)));
        }
        assert_eq!(order, [5, 4, 3, 2, 0, 1, 6], "the claim at work is left");
        let busy = tier.place_anew(&directory, place(100), &host);
        assert_eq!(busy, Err(WhyNot::Busy));
    }

    #[test]
    fn a_newcomer_has_to_be_asked_for_more_often_than_what_it_displaces() {
        let mut tier = tier(8, 1);
        prefer_frequency(&mut tier);
        let directory = Directory::of(&[1, 2, 3, 4, 5, 6, 7, 8].map(|n| good(n, 90)));
        (1..=8).for_each(|n| asked(&mut tier, n, 2));
        let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
        let host = Host::new(&kv, &gauge, at(100));
        for times in 1..=3 {
            asked(&mut tier, 9, 1);
            let refused = tier.place_anew(&directory, place(9), &host);
            assert_eq!(refused, Err(WhyNot::NotAdmitted), "asked {times} times");
        }
        asked(&mut tier, 9, 1);
        assert!(tier.place_anew(&directory, place(9), &host).is_ok());
    }
}
