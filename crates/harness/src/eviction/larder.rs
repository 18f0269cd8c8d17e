//! Larder's own shared tier as one of the caches: the code that runs in the filter, over cells in memory.

use larder_core::key::Key;
use larder_core::tier::{
    Candidate, Geometry, Lookup, MemoryGauge, MemoryKv, SharedTier, Stored, UNCONCERNED, WhyNot,
};
use larder_core::time::Timestamp;

use super::random::Random;
use super::reference::{Answer, Cache};

/// What an entry holds; the policy does not look at it.
const PAYLOAD: [u8; 32] = [7; 32];

/// What such an entry is charged: 28 bytes before its key of 4 bytes, the payload, and 120 for the cell.
const CHARGED: u64 = 28 + 4 + PAYLOAD.len() as u64 + 120;

/// Slots for each entry that the bytes have room for, where the bytes are the bound.
const SPARE: u32 = 4;

/// A request takes so long, which makes a thousand a second.
const PACE_NANOS: u64 = 1_000_000;

/// Requests between two ticks of each worker: one second.
const TICK: u64 = 1_000;

/// What bounds the number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// `storage.max_bytes`: there are four times as many slots as entries have room.
    Bytes,
    /// `storage.slots`: there is room for the bytes of any number of entries.
    Slots,
}

/// Workers that share a cache; each request comes to one of them by chance.
#[derive(Debug)]
pub(super) struct Larder {
    kv: MemoryKv,
    gauge: MemoryGauge,
    workers: Vec<SharedTier>,
    random: Random,
    asked: u64,
}

impl Larder {
    /// An empty cache of so many entries for so many workers.
    pub(super) fn new(capacity: u32, bound: Bound, workers: u32) -> Self {
        let (slots, max_bytes) = match bound {
            Bound::Bytes => (capacity * SPARE, u64::from(capacity) * CHARGED),
            Bound::Slots => (capacity, u64::MAX / 4),
        };
        let geometry = Geometry::new(slots).expect("a multiple of eight");
        let tier = |seed| SharedTier::new(geometry, max_bytes, u128::from(seed));
        Self {
            kv: MemoryKv::new(),
            gauge: MemoryGauge::new(),
            workers: (1..=workers).map(tier).collect(),
            random: Random::new(0),
            asked: 0,
        }
    }
}

impl Cache for Larder {
    fn ask(&mut self, key: u32) -> Answer {
        self.asked += 1;
        let now = Timestamp::from_nanos(self.asked * PACE_NANOS);
        if self.asked.is_multiple_of(TICK) {
            for worker in &mut self.workers {
                worker.tick(&self.kv, &self.gauge, now);
            }
        }
        let turn = self.random.below(self.workers.len() as u32);
        let worker = &mut self.workers[turn as usize];
        let key = Key::from_canonical(key.to_le_bytes().to_vec());
        match worker.lookup(&self.kv, &key, now) {
            Lookup::Found(_) => return Answer::Hit,
            Lookup::Absent(_) => {}
        }
        let candidate = Candidate {
            key: &key,
            started: now,
            expires: Timestamp::from_nanos(u64::MAX / 2),
            payload: &PAYLOAD,
            currency: UNCONCERNED,
        };
        let stored = worker.store(&self.kv, &self.gauge, candidate, now);
        assert!(
            matches!(
                stored,
                Stored::Published | Stored::Skipped(WhyNot::NotAdmitted)
            ),
            "a store failed: {stored:?}"
        );
        Answer::Miss
    }
}
