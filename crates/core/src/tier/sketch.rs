//! How often each key was asked for lately, roughly and in little memory.
//!
//! A count-min sketch: a key has four counters, which it shares with others by chance, and the least of them is its
//! popularity. Only the least are raised, so that sharing counts for little, and now and then all are halved, so that
//! what was popular once is forgotten. The four stand in 64 bytes that are aligned as the processor reads them: noting a
//! request touches memory once.

use super::incarnation::Place;
use super::random::scramble;

/// A counter goes no higher: four bits.
pub(super) const HIGHEST: u8 = 15;

/// The words at most, of sixteen counters each: 256 KiB of each worker's memory. There is one for each slot, up to this.
const WORDS: usize = 1 << 15;

/// The words in which a key's counters stand.
const BLOCK: usize = 8;

const ROWS: u32 = 4;

/// Requests noted lately, by key.
#[derive(Debug)]
pub(super) struct Sketch {
    blocks: Vec<[u64; BLOCK]>,
}

/// Where a key's counters stand.
struct Spot {
    block: usize,
    hash: u64,
}

impl Spot {
    /// The word of the block and the shift in it, for one row.
    fn counter(&self, row: u32) -> (usize, u32) {
        let bits = self.hash >> row.wrapping_mul(5);
        let word = row.wrapping_mul(2).wrapping_add(bits as u32 & 1);
        (word as usize, ((bits >> 1) as u32 & 15) << 2)
    }
}

impl Sketch {
    /// Counters for so many slots; without memory for them nothing is noted.
    pub(super) fn new(slots: u32) -> Self {
        let words = (slots as usize).next_power_of_two().clamp(BLOCK, WORDS);
        let len = words / BLOCK;
        let mut blocks = Vec::new();
        if blocks.try_reserve_exact(len).is_ok() {
            blocks.resize(len, [0; BLOCK]);
        }
        Self { blocks }
    }

    /// Notes a request.
    pub(super) fn note(&mut self, place: Place) {
        let Some(spot) = self.spot(place) else { return };
        let Some(block) = self.blocks.get_mut(spot.block) else {
            return;
        };
        let least = least(block, &spot);
        if least >= HIGHEST {
            return;
        }
        for row in 0..ROWS {
            let (word, shift) = spot.counter(row);
            if let Some(word) = block.get_mut(word)
                && nibble(*word, shift) == least
            {
                *word = word.wrapping_add(1 << shift); // less than 15, so nothing is carried
            }
        }
    }

    /// How often a key was asked for lately, up to [`HIGHEST`]; seldom more than it really was, never less.
    pub(super) fn count(&self, place: Place) -> u8 {
        let Some(spot) = self.spot(place) else {
            return 0;
        };
        let block = self.blocks.get(spot.block);
        block.map_or(0, |block| least(block, &spot))
    }

    /// Forgets half of everything.
    pub(super) fn halve(&mut self) {
        for word in self.blocks.as_flattened_mut() {
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.blocks.as_flattened_mut().fill(0);
    }

    fn spot(&self, place: Place) -> Option<Spot> {
        let mask = self.blocks.len().checked_sub(1)?;
        let hash = scramble(place.id());
        Some(Spot {
            block: (hash >> 32) as usize & mask,
            hash,
        })
    }
}

fn least(block: &[u64; BLOCK], spot: &Spot) -> u8 {
    let counts = (0..ROWS).map(|row| {
        let (word, shift) = spot.counter(row);
        block.get(word).map_or(0, |&word| nibble(word, shift))
    });
    counts.min().unwrap_or(0)
}

fn nibble(word: u64, shift: u32) -> u8 {
    (word >> shift) as u8 & 15
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: u32) -> Place {
        Place {
            set: n % 7,
            fingerprint: n.wrapping_mul(0x9e37_79b9),
        }
    }

    #[test]
    fn a_key_is_as_popular_as_it_was_asked_for_up_to_fifteen() {
        let mut sketch = Sketch::new(64);
        for times in 1..=20 {
            sketch.note(place(1));
            assert_eq!(sketch.count(place(1)), times.min(HIGHEST));
        }
        assert_eq!(sketch.count(place(2)), 0);
        sketch.halve();
        assert_eq!(sketch.count(place(1)), 7);
        sketch.clear();
        assert_eq!(sketch.count(place(1)), 0);
    }

    #[test]
    fn a_hundred_popular_keys_stand_out_of_a_thousand_others() {
        let mut sketch = Sketch::new(1_024);
        for _ in 0..10 {
            (0..100).for_each(|n| sketch.note(place(n)));
        }
        (100..1_100).for_each(|n| sketch.note(place(n)));
        assert!((0..100).all(|n| sketch.count(place(n)) >= 10));
        let mistaken = (100..1_100).filter(|&n| sketch.count(place(n)) > 2);
        assert!(mistaken.count() < 20);
    }

    #[test]
    fn it_is_bounded_for_any_number_of_slots() {
        for (slots, bytes) in [(8, 64), (1_024, 8 << 10), (1 << 24, 256 << 10)] {
            assert_eq!(size_of_val(&Sketch::new(slots).blocks[..]), bytes);
        }
    }
}
