//! A small generator for choices that need no more than to be spread evenly.
//!
//! Its seed is an argument: the host's entropy in the filter, a fixed number in a test. It also names incarnations,
//! so two workers must not be given the same seed.

/// Two SplitMix64 streams, combined.
#[derive(Clone, Debug)]
pub(super) struct Random {
    left: u64,
    right: u64,
}

impl Random {
    pub(super) fn new(seed: u128) -> Self {
        Self {
            left: seed as u64,
            right: (seed >> 64) as u64,
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.left = self.left.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.right = self.right.wrapping_add(0xd1b5_4a32_d192_ed03);
        scramble(self.left) ^ scramble(self.right).rotate_left(32)
    }

    /// A number below `bound`, or 0 if that is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let product = (self.next() >> 32).wrapping_mul(u64::from(bound));
        (product >> 32) as u32
    }
}

pub(super) fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(7);
        let mut seen = [0u32; 5];
        for _ in 0..1_000 {
            seen[random.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }
}
