//! Plays on the shared tier as a whole: alone, under a failing host, and with workers in every order.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]

mod act;
mod actor;
mod audit;
mod baton;
mod chronicle;
mod crowd;
mod damage;
mod epochs;
mod exact;
mod faults;
mod fleet_log;
mod flights;
mod footprint;
mod grounded;
mod interleaving;
mod invalidations;
mod journal;
mod journal_between;
mod journal_faults;
mod journal_losses;
mod journal_model;
mod journal_orders;
mod journal_world;
mod overtaken;
mod plays;
mod popular;
mod process;
mod retirement;
mod rush;
mod scene;
mod stage;
mod sweeping;
mod traffic;

use crate::key::Key;
use crate::time::Timestamp;

use super::outcome::{AbsentReason, Candidate, Lookup, Stored, UNCONCERNED};
use super::{ByteGauge, Geometry, SharedKv, SharedTier};

/// When something is invalidated, where that makes no difference.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_000);

pub(super) const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(super) fn key(name: &str) -> Key {
    Key::from_canonical(name.as_bytes().to_vec())
}

pub(super) fn tier(slots: u32, seed: u128) -> SharedTier {
    SharedTier::new(Geometry::new(slots).unwrap(), 1 << 20, seed)
}

/// A payload that tells its key and start, so that one found under another is recognised.
pub(super) fn payload(name: &str, started: u64, len: usize) -> Vec<u8> {
    let mark = format!("{name}@{started};");
    mark.bytes().cycle().take(len.max(mark.len())).collect()
}

/// Stores an entry of a name, fetched at `started`, good for 100 seconds.
pub(super) fn put(
    tier: &mut SharedTier,
    host: (&dyn SharedKv, &dyn ByteGauge),
    name: &str,
    started: u64,
    now: u64,
) -> Stored {
    let candidate = Candidate {
        key: &key(name),
        started: at(started),
        expires: at(started.saturating_add(100)),
        payload: &payload(name, started, 200),
        currency: UNCONCERNED,
    };
    tier.store(host.0, host.1, candidate, at(now))
}

/// When the entry found under a name was fetched; panics where it is not that name's, whole.
pub(super) fn look(
    tier: &mut SharedTier,
    kv: &dyn SharedKv,
    name: &str,
    now: u64,
) -> Result<u64, AbsentReason> {
    match tier.lookup(kv, &key(name), at(now)) {
        Lookup::Absent(reason) => Err(reason),
        Lookup::Found(found) => {
            let started = found.started.as_secs();
            assert_eq!(
                found.payload(),
                payload(name, started, 200),
                "{name} is torn"
            );
            assert!(found.expires > at(now));
            Ok(started)
        }
    }
}
