//! How many different things there were, in 32 bytes (HyperLogLog: Flajolet and others, AofA 2007): right to about a fifth.

use larder_core::logarithm::ln;

/// Places; each keeps the longest run of zeros that a hash with its number began with.
const PLACES: usize = 32;
const PLACE_BITS: u32 = 5;

/// How many different things there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distinct([u8; PLACES]);

impl Distinct {
    /// One more, the same as before or not.
    pub fn add(&mut self, hash: u64) {
        let place = usize::from(hash as u8) % PLACES;
        let rank = (hash >> PLACE_BITS)
            .trailing_zeros()
            .min(58)
            .saturating_add(1);
        let rank = u8::try_from(rank).unwrap_or(u8::MAX);
        if let Some(longest) = self.0.get_mut(place) {
            *longest = rank.max(*longest);
        }
    }

    /// Those of both.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = theirs.max(*ours);
        }
    }

    /// About how many.
    pub fn count(&self) -> u64 {
        const ALPHA: f64 = 0.697;
        let places = PLACES as f64;
        let sum: f64 = self
            .0
            .iter()
            .map(|rank| 0.5_f64.powi(i32::from(*rank).min(64)))
            .sum();
        let raw = ALPHA * places * places / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        // Few are counted by the places that are still empty.
        let count = match empty {
            0 => raw,
            _ if raw > 2.5 * places => raw,
            empty => places * ln(places / empty as f64),
        };
        count.round() as u64
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// How many bytes it takes.
    pub const BYTES: usize = PLACES;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_right_to_about_a_fifth_and_exact_enough_for_few() {
        for (count, off) in [
            (0_u64, 0),
            (1, 0),
            (5, 1),
            (20, 4),
            (1_000, 450),
            (100_000, 45_000),
        ] {
            let mut distinct = Distinct::default();
            for n in 0..count {
                for _ in 0..3 {
                    distinct.add(crate::hash(&n.to_le_bytes()));
                }
            }
            assert!(
                distinct.count().abs_diff(count) <= off,
                "{count}: {}",
                distinct.count()
            );
        }
    }

    #[test]
    fn what_both_have_counts_once() {
        let of = |range: std::ops::Range<u64>| {
            let mut distinct = Distinct::default();
            range.for_each(|n| distinct.add(crate::hash(&n.to_le_bytes())));
            distinct
        };
        let mut merged = of(0..600);
        merged.merge(&of(300..1000));
        assert_eq!(merged, of(0..1000));
    }

    #[test]
    fn any_bytes_have_a_count() {
        for byte in [0, 1, 64, 255] {
            let _ = Distinct::from_bytes(&[byte; 32]).unwrap().count();
        }
        assert_eq!(Distinct::from_bytes(&[0; 31]), None);
    }
}
