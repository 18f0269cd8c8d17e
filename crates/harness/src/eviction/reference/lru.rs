//! Least recently used: the plainest of all, and what others are measured by.

use super::list::{Links, List};
use super::{Answer, Cache};

/// An LRU cache.
#[derive(Debug)]
pub(in crate::eviction) struct Lru {
    capacity: usize,
    links: Links,
    order: List,
    held: Vec<bool>,
}

impl Lru {
    /// An empty cache of so many entries, for keys below `keys`.
    pub(in crate::eviction) fn new(capacity: usize, keys: u32) -> Self {
        Self {
            capacity,
            links: Links::new(keys),
            order: List::EMPTY,
            held: vec![false; keys as usize],
        }
    }
}

impl Cache for Lru {
    fn ask(&mut self, key: u32) -> Answer {
        if self.held[key as usize] {
            self.order.remove(&mut self.links, key);
            self.order.push_front(&mut self.links, key);
            return Answer::Hit;
        }
        if self.order.len() >= self.capacity
            && let Some(victim) = self.order.pop_back(&mut self.links)
        {
            self.held[victim as usize] = false;
        }
        self.order.push_front(&mut self.links, key);
        self.held[key as usize] = true;
        Answer::Miss
    }
}
