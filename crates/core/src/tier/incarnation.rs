//! One life of the shared cells, from the first worker that finds none to the wipe that ends it.
//!
//! ```text
//! "LIN1" │ u64 id │ u64 × 2 seed │ u32 slots                                                  all little-endian
//! ```
//!
//! The cells can vanish while workers hold what they read from them, so every record names the incarnation it
//! belongs to, and one of another incarnation counts as empty. An id never comes back: whoever reads the same id
//! before and after some step knows that no wipe came between. The record is written if absent, so the first worker
//! decides the number of slots for all; a changed configuration is told, not obeyed, because entries placed under
//! one geometry cannot be found under another.
//!
//! The seed keys the way from a key to its set. Digests of chosen keys can be computed by anybody, so sets taken
//! from the digest alone could be flooded at will: a few thousand requests would throw a chosen entry out again and
//! again. Multiplying the two halves of the digest, each blinded by a secret, and folding the 128-bit product makes
//! every bit of the result depend on the secret; without it, keys of one set can only be found by trying. That is no
//! cryptographic promise, and needs none: what a better attacker gains is a colder cache, since keys are compared.

use crate::key::KeyDigest;

use super::kv::{Cas, KvError, SetError, SharedKv};
use super::name::Name;
use super::random::Random;
use super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LIN1";

/// The slots that names and counters are made for: sixteen million.
const MAX_SLOTS: u32 = 1 << 24;

/// The ways of a set in a large cache. The more, the less it matters how keys happen to spread over sets: with eight ways, a loop
/// a quarter longer than the cache is hit 5 points less than with one set of all, with 32 ways 1 point. The fewer, the less
/// a worker reads for a lookup, and the seldomer two workers change one set at once; hence fewer in a small cache.
const WAYS: [u32; 3] = [32, 16, 8];

/// The sets that there should be before ways are added.
const SETS: u32 = 32;

/// How many slots there are: a multiple of 8 up to 2²⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    slots: u32,
}

impl Geometry {
    /// `None` unless `slots` is a multiple of 8 from 8 to 2²⁴.
    pub const fn new(slots: u32) -> Option<Self> {
        if slots == 0 || slots > MAX_SLOTS || !slots.is_multiple_of(8) {
            return None;
        }
        Some(Self { slots })
    }

    /// The nearest geometry to so many slots.
    pub fn clamped(slots: u32) -> Self {
        let down = slots.saturating_sub(slots % 8);
        Self {
            slots: down.clamp(8, MAX_SLOTS),
        }
    }

    /// The number of slots.
    pub const fn slots(self) -> u32 {
        self.slots
    }

    /// The ways of each set.
    pub(super) const fn ways(self) -> u32 {
        let [most, some, least] = WAYS;
        if self.slots >= most.saturating_mul(SETS) {
            most
        } else if self.slots >= some.saturating_mul(SETS) {
            some
        } else {
            least
        }
    }

    /// The sets; what is left over of the slots, at most 24, is not used.
    pub const fn sets(self) -> u32 {
        self.slots.div_euclid(self.ways())
    }
}

/// One life of the shared cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incarnation {
    pub(super) id: u64,
    seed: [u64; 2],
    pub(super) geometry: Geometry,
}

impl Incarnation {
    /// The random numbers that were drawn for it.
    pub(super) fn secret(&self) -> [u64; 3] {
        let [one, other] = self.seed;
        [self.id, one, other]
    }
}

/// Where a key belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) set: u32,
    pub(super) fingerprint: u32,
}

/// Who began the incarnation in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Founder {
    /// Another worker.
    Another,
    /// This one, just now.
    Myself,
}

impl Place {
    /// What tells it from all others.
    pub(super) fn id(self) -> u64 {
        (u64::from(self.set) << 32) | u64::from(self.fingerprint)
    }
}

impl Incarnation {
    /// A new one, if it can be put in force.
    pub(super) fn propose(geometry: Geometry, random: &mut Random) -> Self {
        Self {
            id: random.next(),
            seed: [random.next(), random.next()],
            geometry,
        }
    }

    /// The incarnation in force; one that cannot be read is none.
    pub(super) fn current(kv: &dyn SharedKv) -> Result<Option<Self>, KvError> {
        let cell = kv.get(Name::incarnation().as_str())?;
        Ok(cell.and_then(|cell| Self::decode(&cell.value).ok()))
    }

    /// Puts this incarnation in force unless there is one.
    pub(super) fn found(self, kv: &dyn SharedKv) -> Result<(Self, Founder), SetError> {
        let cell = kv
            .get(Name::incarnation().as_str())
            .map_err(|KvError| SetError::Failed)?;
        let expected = match cell {
            None => Cas::NEVER,
            Some(cell) => match Self::decode(&cell.value) {
                Ok(current) => return Ok((current, Founder::Another)),
                Err(Corrupt) => cell.cas,
            },
        };
        kv.set(Name::incarnation().as_str(), &self.encode(), expected)?;
        Ok((self, Founder::Myself))
    }

    /// Puts this incarnation in force in place of `old`, if that is still in force.
    pub(super) fn succeed(self, kv: &dyn SharedKv, old: u64) -> Result<(), SetError> {
        let cell = kv
            .get(Name::incarnation().as_str())
            .map_err(|KvError| SetError::Failed)?
            .ok_or(SetError::Lost)?;
        match Self::decode(&cell.value) {
            Ok(current) if current.id == old => {
                kv.set(Name::incarnation().as_str(), &self.encode(), cell.cas)
            }
            Ok(_) | Err(Corrupt) => Err(SetError::Lost),
        }
    }

    /// Where a key belongs.
    pub(super) fn place(&self, digest: KeyDigest) -> Place {
        let value = u128::from_le_bytes(digest.0);
        let [low, high] = self.seed;
        let hash = fold((value as u64) ^ low, ((value >> 64) as u64) ^ high);
        let sets = u64::from(self.geometry.sets());
        Place {
            set: ((hash >> 32).wrapping_mul(sets) >> 32) as u32,
            fingerprint: hash as u32,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(32);
        record.extend_from_slice(TAG);
        record.extend_from_slice(&self.id.to_le_bytes());
        for half in self.seed {
            record.extend_from_slice(&half.to_le_bytes());
        }
        record.extend_from_slice(&self.geometry.slots.to_le_bytes());
        record
    }

    fn decode(record: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(record, TAG)?;
        let incarnation = Self {
            id: fields.u64()?,
            seed: [fields.u64()?, fields.u64()?],
            geometry: Geometry::new(fields.u32()?).ok_or(Corrupt)?,
        };
        fields.end()?;
        Ok(incarnation)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::tier::MemoryKv;

    fn geometry(slots: u32) -> Geometry {
        Geometry::new(slots).unwrap()
    }

    #[test]
    fn slots_come_in_whole_sets() {
        for (slots, sets, ways) in [
            (8, 1, 8),
            (504, 63, 8),
            (512, 32, 16),
            (1_024, 32, 32),
            (1_048, 32, 32),
            (65_536, 2_048, 32),
            (MAX_SLOTS, 1 << 19, 32),
        ] {
            let geometry = geometry(slots);
            assert_eq!((geometry.sets(), geometry.ways()), (sets, ways), "{slots}");
        }
        for slots in [0, 1, 7, 9, MAX_SLOTS + 8, u32::MAX] {
            assert_eq!(Geometry::new(slots), None, "{slots}");
        }
    }

    #[test]
    fn the_first_founder_decides() {
        let kv = MemoryKv::new();
        let first = Incarnation::propose(geometry(64), &mut Random::new(1));
        let second = Incarnation::propose(geometry(128), &mut Random::new(2));
        assert_eq!(first.found(&kv), Ok((first, Founder::Myself)));
        assert_eq!(second.found(&kv), Ok((first, Founder::Another)));
        assert_eq!(Incarnation::current(&kv), Ok(Some(first)));
        assert_eq!(second.succeed(&kv, second.id), Err(SetError::Lost));
        assert_eq!(second.succeed(&kv, first.id), Ok(()));
        assert_eq!(Incarnation::current(&kv), Ok(Some(second)));
    }

    #[test]
    fn what_cannot_be_read_is_replaced() {
        for garbage in [&b""[..], b"LIN1", &[0xff; 32], &[0; 33]] {
            let kv = MemoryKv::new();
            kv.set(Name::incarnation().as_str(), garbage, Cas::NEVER)
                .unwrap();
            assert_eq!(Incarnation::current(&kv), Ok(None));
            let new = Incarnation::propose(geometry(8), &mut Random::new(3));
            assert_eq!(new.found(&kv), Ok((new, Founder::Myself)));
            assert_eq!(Incarnation::current(&kv), Ok(Some(new)));
        }
    }

    #[test]
    fn the_record_is_frozen() {
        let incarnation = Incarnation {
            id: 0x0807_0605_0403_0201,
            seed: [1, 2],
            geometry: geometry(64),
        };
        let golden = b"LIN1\x01\x02\x03\x04\x05\x06\x07\x08\
            \x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x40\0\0\0";
        assert_eq!(incarnation.encode(), golden);
        assert_eq!(Incarnation::decode(golden), Ok(incarnation));
    }

    #[test]
    fn keys_spread_over_sets_and_the_seed_moves_them() {
        let here = Incarnation::propose(geometry(64), &mut Random::new(1));
        let there = Incarnation::propose(geometry(64), &mut Random::new(2));
        let mut load = [0u32; 8];
        let mut moved = 0;
        for n in 0..800u32 {
            let digest = Key::from_canonical(n.to_le_bytes().to_vec()).digest();
            let place = here.place(digest);
            load[place.set as usize] += 1;
            moved += u32::from(place.set != there.place(digest).set);
        }
        assert!(
            load.iter().all(|count| (60..140).contains(count)),
            "{load:?}"
        );
        assert!(moved > 600, "{moved}");
    }
}
