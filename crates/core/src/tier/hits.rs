//! Which entries this worker was asked for lately, without a shared write for a hit.
//!
//! A row of small counters, indexed by place. Two entries may share a counter, and other workers' hits are unknown
//! until they are folded into a directory (when a set is short of room); both only blur which entry is thrown out.

use super::incarnation::Place;

/// The counters at most: as many bytes of each worker's memory.
const MOST: u32 = 1 << 16;

/// A counter goes no higher, so that yesterday's favourite is forgotten in a few halvings.
const HIGHEST: u8 = 15;

/// Hits noted lately.
#[derive(Debug)]
pub(super) struct Hits {
    counters: Vec<u8>,
    noted: usize,
}

impl Hits {
    /// Room for so many slots' hits; without memory for it, hits are not noted.
    pub(super) fn new(slots: u32) -> Self {
        let len = slots.min(MOST).next_power_of_two() as usize;
        let mut counters = Vec::new();
        if counters.try_reserve_exact(len).is_ok() {
            counters.resize(len, 0);
        }
        Self { counters, noted: 0 }
    }

    pub(super) fn note(&mut self, place: Place) {
        if let Some(counter) = self.counter(place) {
            *counter = counter.saturating_add(1).min(HIGHEST);
        }
        self.noted = self.noted.saturating_add(1);
        if self.noted >= self.counters.len().saturating_mul(4) {
            self.noted = 0;
            self.counters.iter_mut().for_each(|counter| *counter /= 2);
        }
    }

    /// The hits noted for an entry, which are noted no more.
    pub(super) fn take(&mut self, place: Place) -> u8 {
        self.counter(place).map(std::mem::take).unwrap_or(0)
    }

    /// The hits noted for an entry.
    pub(super) fn count(&mut self, place: Place) -> u8 {
        self.counter(place).map_or(0, |counter| *counter)
    }

    fn counter(&mut self, place: Place) -> Option<&mut u8> {
        let mask = self.counters.len().checked_sub(1)?;
        let mixed = place.set.wrapping_mul(0x9e37_79b9) ^ place.fingerprint;
        self.counters.get_mut(mixed as usize & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_add_up_are_taken_once_and_fade() {
        let mut hits = Hits::new(64);
        let (hot, cold) = (
            Place {
                set: 1,
                fingerprint: 2,
            },
            Place {
                set: 1,
                fingerprint: 3,
            },
        );
        for _ in 0..100 {
            hits.note(hot);
        }
        assert_eq!((hits.count(hot), hits.count(cold)), (HIGHEST, 0));
        for _ in 0..156 {
            hits.note(cold);
        }
        assert_eq!(hits.count(hot), HIGHEST / 2);
        assert_eq!((hits.take(hot), hits.take(hot)), (HIGHEST / 2, 0));
    }
}
