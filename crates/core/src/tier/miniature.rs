//! Two ways to choose what to keep, tried out in miniature.
//!
//! Where the same keys stay popular it is best to keep what is asked for most often, and to let in only what is more
//! popular than what has to go. Where other keys become popular all the time that holds on to the past: better to keep
//! what was asked for last. Which is the case cannot be told from one request. So both are played with nothing but keys,
//! in two small caches, for one key in so many that these are as hard pressed as the real one ("Cache Modeling and
//! Optimization using Miniature Simulations", Waldspurger et al., USENIX ATC 2017), and the one that hits more is followed.
//! Both see the same keys, so chance favours neither.

use super::demand::{Leaning, admits};
use super::incarnation::Place;
use super::random::scramble;
use super::sketch::Sketch;

/// The entries of a small cache at most: 8 KiB each.
const ENTRIES: u32 = 1_024;

const WAYS: usize = 8;

/// The requests that count: at twice as many, all that was counted is halved.
const SPAN: u32 = 2_048;

/// Recency is followed when it hits so many more of those, one in a hundred, and frequency when it hits half as many
/// more: where they are about equal it writes less.
const LEAD: i32 = 20;

/// The two small caches, and how they did.
#[derive(Debug)]
pub(super) struct Miniature {
    /// One key in two to the power of this is played.
    shift: u32,
    recency: Model,
    frequency: Model,
    asked: u32,
    /// Hits by recency less those by frequency.
    lead: i32,
}

impl Miniature {
    /// For a cache of about so many entries.
    pub(super) fn new(capacity: u32) -> Self {
        let shift = capacity.div_ceil(ENTRIES).next_power_of_two().ilog2();
        let sets = ((capacity >> shift) as usize / WAYS).max(1);
        Self {
            shift,
            recency: Model::new(sets),
            frequency: Model::new(sets),
            asked: 0,
            lead: 0,
        }
    }

    /// Plays a request, if its key is one of those that are played, and says what is to be followed from now on.
    pub(super) fn play(&mut self, place: Place, sketch: &Sketch, leaning: Leaning) -> Leaning {
        let hash = scramble(place.id().rotate_left(32));
        if hash.trailing_zeros() < self.shift {
            return leaning;
        }
        let hit = |model: &mut Model, leaning| i32::from(model.ask(hash, place, sketch, leaning));
        let recency = hit(&mut self.recency, Leaning::Recency);
        let frequency = hit(&mut self.frequency, Leaning::Frequency);
        self.lead = self.lead.saturating_add(recency).saturating_sub(frequency);
        self.asked = self.asked.saturating_add(1);
        if self.asked >= SPAN.saturating_mul(2) {
            self.asked /= 2;
            self.lead /= 2;
        }
        match leaning {
            Leaning::Frequency if self.lead > LEAD => Leaning::Recency,
            Leaning::Recency if self.lead < -LEAD / 2 => Leaning::Frequency,
            Leaning::Frequency | Leaning::Recency => leaning,
        }
    }
}

/// A small cache of keys in sets of eight, the one that was asked for last in front.
#[derive(Debug)]
struct Model {
    sets: Vec<[Option<Place>; WAYS]>,
}

impl Model {
    fn new(sets: usize) -> Self {
        let mut model = Self { sets: Vec::new() };
        if model.sets.try_reserve_exact(sets).is_ok() {
            model.sets.resize(sets, [None; WAYS]);
        }
        model
    }

    /// Whether the key was there; it is afterwards, if it is let in.
    fn ask(&mut self, hash: u64, place: Place, sketch: &Sketch, leaning: Leaning) -> bool {
        let at = ((hash >> 32).wrapping_mul(self.sets.len() as u64) >> 32) as usize;
        let Some(set) = self.sets.get_mut(at) else {
            return false;
        };
        let known = set.iter().position(|way| *way == Some(place));
        let free = || set.iter().position(Option::is_none);
        let taken = match known.or_else(free) {
            Some(way) => way,
            None => match leaning {
                Leaning::Recency => WAYS - 1,
                Leaning::Frequency => {
                    let (way, least) = least_popular(set, sketch);
                    if !admits(sketch.count(place), least, 0) {
                        return false;
                    }
                    way
                }
            },
        };
        if let Some(front) = set.get_mut(..=taken) {
            front.rotate_right(1);
        }
        if let Some(first) = set.first_mut() {
            *first = Some(place);
        }
        known.is_some()
    }
}

/// The least popular, and of those the one that was asked for the longest ago.
fn least_popular(set: &[Option<Place>; WAYS], sketch: &Sketch) -> (usize, u8) {
    let counted = set.iter().enumerate().rev();
    let counted = counted.map(|(way, held)| (way, held.map_or(0, |held| sketch.count(held))));
    counted.min_by_key(|(_, count)| *count).unwrap_or((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::random::Random;

    fn place(n: u32) -> Place {
        Place {
            set: n % 97,
            fingerprint: n,
        }
    }

    fn follow(capacity: u32, keys: impl Iterator<Item = u32>) -> Leaning {
        let (mut miniature, mut sketch) = (Miniature::new(capacity), Sketch::new(capacity));
        let mut leaning = Leaning::Frequency;
        for key in keys {
            sketch.note(place(key));
            leaning = miniature.play(place(key), &sketch, leaning);
        }
        leaning
    }

    #[test]
    fn a_loop_is_best_met_by_keeping_to_some_of_it() {
        let around = (0..100_000).map(|n| n % 1_250);
        assert_eq!(follow(1_000, around), Leaning::Frequency);
    }

    #[test]
    fn what_is_asked_for_a_few_times_and_never_again_is_best_kept_while_it_lasts() {
        let mut random = Random::new(1);
        let moving = (0..200_000u32).map(|n| n / 20 + random.below(1_000));
        assert_eq!(follow(2_000, moving), Leaning::Recency);
    }

    #[test]
    fn a_large_cache_is_played_with_few_keys() {
        for (capacity, shift, entries) in [(8, 0, 8), (1_024, 0, 1_024), (65_536, 6, 1_024)] {
            let miniature = Miniature::new(capacity);
            assert_eq!(miniature.shift, shift);
            assert_eq!(miniature.recency.sets.len() * WAYS, entries);
        }
    }
}
