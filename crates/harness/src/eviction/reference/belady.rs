//! Belady's optimum: what a cache could hit that knows the future, and need not store what it fetches.

use std::collections::BTreeSet;

/// The most hits that a cache of so many entries can have on these requests, for keys below `keys`.
pub(in crate::eviction) fn belady(capacity: usize, requests: &[u32], keys: u32) -> usize {
    let next = next_uses(requests, keys);
    let mut held = vec![usize::MAX; keys as usize];
    let mut order: BTreeSet<(usize, u32)> = BTreeSet::new();
    let mut hits = 0;
    for (at, &key) in requests.iter().enumerate() {
        if held[key as usize] == at {
            hits += 1;
            order.remove(&(at, key));
        }
        held[key as usize] = usize::MAX;
        if next[at] == usize::MAX {
            continue;
        }
        if order.len() >= capacity {
            match order.last().copied() {
                Some((latest, victim)) if latest > next[at] => {
                    order.remove(&(latest, victim));
                    held[victim as usize] = usize::MAX;
                }
                _ => continue,
            }
        }
        order.insert((next[at], key));
        held[key as usize] = next[at];
    }
    hits
}

/// When each requested key is asked for next; `usize::MAX` for never.
fn next_uses(requests: &[u32], keys: u32) -> Vec<usize> {
    let mut upcoming = vec![usize::MAX; keys as usize];
    let mut next = vec![usize::MAX; requests.len()];
    for (at, &key) in requests.iter().enumerate().rev() {
        next[at] = upcoming[key as usize];
        upcoming[key as usize] = at;
    }
    next
}
