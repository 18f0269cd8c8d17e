//! W-TinyLFU (Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", ACM TOS 2017): a window of
//! 1 % under LRU, before a main cache in two segments, into which comes what a sketch of all requests holds for more
//! popular than what would have to go. The sizes are those of the paper and of Caffeine, without its hill climbing.

use super::super::random::mix;
use super::list::{Links, List};
use super::{Answer, Cache};

/// The window's share of the cache, one in so many.
const WINDOW: usize = 100;

/// The protected segment's share of the main cache, in hundredths.
const PROTECTED: usize = 80;

/// The sketch is halved after so many requests for each entry that the cache has room for.
const SAMPLE: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Probation,
    Protected,
    Window,
}

/// A W-TinyLFU cache.
#[derive(Debug)]
pub(in crate::eviction) struct TinyLfu {
    window_capacity: usize,
    main_capacity: usize,
    protected_capacity: usize,
    links: Links,
    window: List,
    probation: List,
    protected: List,
    places: Vec<Place>,
    sketch: Sketch,
}

impl TinyLfu {
    /// An empty cache of so many entries, for keys below `keys`.
    pub(in crate::eviction) fn new(capacity: usize, keys: u32) -> Self {
        let window_capacity = (capacity / WINDOW).max(1);
        let main_capacity = capacity - window_capacity;
        Self {
            window_capacity,
            main_capacity,
            protected_capacity: main_capacity * PROTECTED / 100,
            links: Links::new(keys),
            window: List::EMPTY,
            probation: List::EMPTY,
            protected: List::EMPTY,
            places: vec![Place::Nowhere; keys as usize],
            sketch: Sketch::new(capacity),
        }
    }

    fn touch(&mut self, key: u32) {
        match self.places[key as usize] {
            Place::Nowhere => {}
            Place::Window => {
                self.window.remove(&mut self.links, key);
                self.window.push_front(&mut self.links, key);
            }
            Place::Protected => {
                self.protected.remove(&mut self.links, key);
                self.protected.push_front(&mut self.links, key);
            }
            Place::Probation => {
                self.probation.remove(&mut self.links, key);
                self.protected.push_front(&mut self.links, key);
                self.places[key as usize] = Place::Protected;
                if self.protected.len() > self.protected_capacity
                    && let Some(demoted) = self.protected.pop_back(&mut self.links)
                {
                    self.probation.push_front(&mut self.links, demoted);
                    self.places[demoted as usize] = Place::Probation;
                }
            }
        }
    }

    fn enter(&mut self, key: u32) {
        self.window.push_front(&mut self.links, key);
        self.places[key as usize] = Place::Window;
        if self.window.len() <= self.window_capacity {
            return;
        }
        let Some(candidate) = self.window.pop_back(&mut self.links) else {
            return;
        };
        if self.probation.len() + self.protected.len() >= self.main_capacity {
            let victim = self.probation.back().or(self.protected.back());
            let Some(victim) = victim else { return };
            if self.sketch.count(candidate) <= self.sketch.count(victim) {
                self.places[candidate as usize] = Place::Nowhere;
                return;
            }
            let segment = match self.places[victim as usize] {
                Place::Protected => &mut self.protected,
                Place::Nowhere | Place::Probation | Place::Window => &mut self.probation,
            };
            segment.remove(&mut self.links, victim);
            self.places[victim as usize] = Place::Nowhere;
        }
        self.probation.push_front(&mut self.links, candidate);
        self.places[candidate as usize] = Place::Probation;
    }
}

impl Cache for TinyLfu {
    fn ask(&mut self, key: u32) -> Answer {
        self.sketch.note(key);
        match self.places[key as usize] {
            Place::Nowhere => {
                self.enter(key);
                Answer::Miss
            }
            Place::Probation | Place::Protected | Place::Window => {
                self.touch(key);
                Answer::Hit
            }
        }
    }
}

/// A count-min sketch with four rows of counters up to 15, of which only the least are raised, halved now and then.
#[derive(Debug)]
struct Sketch {
    rows: [Vec<u8>; 4],
    noted: usize,
    sample: usize,
}

impl Sketch {
    fn new(capacity: usize) -> Self {
        let width = (capacity * 4).next_power_of_two();
        Self {
            rows: std::array::from_fn(|_| vec![0; width]),
            noted: 0,
            sample: capacity * SAMPLE,
        }
    }

    fn places(&self, key: u32) -> [usize; 4] {
        let hash = mix(u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        std::array::from_fn(|row| {
            mix(hash.wrapping_add(row as u64)) as usize & (self.rows[row].len() - 1)
        })
    }

    fn count(&self, key: u32) -> u8 {
        let places = self.places(key);
        let counts = self.rows.iter().zip(places).map(|(row, place)| row[place]);
        counts.min().unwrap_or(0)
    }

    fn note(&mut self, key: u32) {
        let (least, places) = (self.count(key), self.places(key));
        if least < 15 {
            for (row, place) in self.rows.iter_mut().zip(places) {
                row[place] = row[place].max(least + 1);
            }
        }
        self.noted += 1;
        if self.noted >= self.sample {
            self.noted /= 2;
            for row in &mut self.rows {
                row.iter_mut().for_each(|count| *count /= 2);
            }
        }
    }
}
