//! S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for cache eviction", SOSP 2023): a small
//! queue for what is new, a main queue for what was asked for again, and a queue of ghosts, which are keys alone.

use super::list::{Links, List};
use super::{Answer, Cache};

/// The small queue's share of the cache, one in so many.
const SMALL: usize = 10;

/// A counter goes no higher: two bits in the paper.
const HIGHEST: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ghost,
    Main,
    Nowhere,
    Small,
}

/// An S3-FIFO cache.
#[derive(Debug)]
pub(in crate::eviction) struct S3Fifo {
    capacity: usize,
    links: Links,
    small: List,
    main: List,
    ghosts: List,
    places: Vec<(Place, u8)>,
}

impl S3Fifo {
    /// An empty cache of so many entries, for keys below `keys`.
    pub(in crate::eviction) fn new(capacity: usize, keys: u32) -> Self {
        Self {
            capacity,
            links: Links::new(keys),
            small: List::EMPTY,
            main: List::EMPTY,
            ghosts: List::EMPTY,
            places: vec![(Place::Nowhere, 0); keys as usize],
        }
    }

    fn small_capacity(&self) -> usize {
        (self.capacity / SMALL).max(1)
    }

    fn make_room(&mut self) {
        while self.small.len() + self.main.len() >= self.capacity {
            if self.small.len() >= self.small_capacity() || self.main.len() == 0 {
                self.evict_from_small();
            } else {
                self.evict_from_main();
            }
        }
    }

    fn evict_from_small(&mut self) {
        while let Some(key) = self.small.pop_back(&mut self.links) {
            // "Evicted objects that were asked for more than once" in the paper's code: more than one hit.
            if self.places[key as usize].1 > 1 {
                self.places[key as usize] = (Place::Main, 0);
                self.main.push_front(&mut self.links, key);
                if self.main.len() > self.capacity - self.small_capacity() {
                    self.evict_from_main();
                    return;
                }
            } else {
                self.bury(key);
                return;
            }
        }
    }

    fn evict_from_main(&mut self) {
        while let Some(key) = self.main.pop_back(&mut self.links) {
            let (_, count) = &mut self.places[key as usize];
            if *count == 0 {
                self.places[key as usize] = (Place::Nowhere, 0);
                return;
            }
            *count -= 1;
            self.main.push_front(&mut self.links, key);
        }
    }

    fn bury(&mut self, key: u32) {
        if self.ghosts.len() >= self.capacity - self.small_capacity()
            && let Some(forgotten) = self.ghosts.pop_back(&mut self.links)
        {
            self.places[forgotten as usize] = (Place::Nowhere, 0);
        }
        self.ghosts.push_front(&mut self.links, key);
        self.places[key as usize] = (Place::Ghost, 0);
    }
}

impl Cache for S3Fifo {
    fn ask(&mut self, key: u32) -> Answer {
        let (place, count) = &mut self.places[key as usize];
        match place {
            Place::Main | Place::Small => {
                *count = (*count + 1).min(HIGHEST);
                Answer::Hit
            }
            Place::Ghost => {
                self.ghosts.remove(&mut self.links, key);
                self.places[key as usize] = (Place::Nowhere, 0);
                self.make_room();
                self.main.push_front(&mut self.links, key);
                self.places[key as usize] = (Place::Main, 0);
                Answer::Miss
            }
            Place::Nowhere => {
                self.make_room();
                self.small.push_front(&mut self.links, key);
                self.places[key as usize] = (Place::Small, 0);
                Answer::Miss
            }
        }
    }
}
