//! What the tier takes beside keys and payloads, the host's part included.

use super::super::incarnation::Incarnation;
use super::super::name::Name;
use super::super::slot::OVERHEAD;
use super::super::{Candidate, MemoryGauge, MemoryKv, Stored, UNCONCERNED};
use super::audit::value;
use super::{at, key, tier};

const LENGTH: usize = 1_000;

/// The bytes of all cells, and of those what a process has once and not for each set.
fn taken(kv: &MemoryKv) -> usize {
    let once = [Name::incarnation(), Name::leases(), Name::sweeper()];
    let names = kv.names().into_iter();
    let of_sets = names.filter(|name| once.iter().all(|other| other.as_str() != name));
    of_sets
        .map(|name| value(kv, &name).len() + OVERHEAD as usize)
        .sum()
}

/// Stores so many entries in 8 sets; gives what each takes beside its key and payload.
fn beside(entries: usize) -> usize {
    let (kv, gauge) = (MemoryKv::new(), MemoryGauge::new());
    let mut tier = tier(64, 1);
    tier.tick(&kv, &gauge, at(1));
    let life = Incarnation::current(&kv).unwrap().unwrap();
    // As many in each set: what is stored is the same in every run, and nothing is evicted.
    let mut room = [entries / 8; 8];
    let (mut number, mut stored, mut keys) = (0, 0, 0);
    while stored < entries {
        let key = key(&format!("key {number:06}"));
        number += 1;
        let room = &mut room[life.place(key.digest()).set as usize];
        if *room == 0 {
            continue;
        }
        *room -= 1;
        let candidate = Candidate {
            key: &key,
            started: at(1),
            expires: at(100),
            payload: &[7; LENGTH],
            currency: UNCONCERNED,
        };
        let outcome = tier.store(&kv, &gauge, candidate, at(1));
        assert_eq!(outcome, Stored::Published);
        stored += 1;
        keys += key.canonical().len();
    }
    (taken(&kv) - keys - entries * LENGTH) / entries
}

/// With the 86 bytes of an entry's own facts (`entry/codec.rs`), and 10 for each of its fields, which the host's form takes.
#[test]
fn a_full_set_takes_two_hundred_bytes_for_each_entry() {
    assert!(beside(64) <= 205, "{}", beside(64));
}

#[test]
fn a_set_with_two_entries_takes_twice_as_much_for_each() {
    assert!(beside(16) <= 365, "{}", beside(16));
}
