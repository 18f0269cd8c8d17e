//! A hash of names that nobody outside can aim at: keyed with the worker's randomness, 16 bytes a step.

use std::hash::{BuildHasher, Hasher};

/// The key.
#[derive(Clone, Copy, Debug)]
pub struct NameHash {
    left: u64,
    right: u64,
}

/// A name on its way through.
#[derive(Debug)]
pub struct NameHasher {
    key: NameHash,
    state: u64,
}

impl NameHash {
    /// `seed` must be unpredictable.
    pub fn new(seed: u128) -> Self {
        Self {
            left: seed as u64,
            right: (seed >> 64) as u64,
        }
    }
}

impl BuildHasher for NameHash {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher {
            key: *self,
            state: self.left,
        }
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<16>();
        for block in blocks {
            self.take(*block);
        }
        let mut last = [0; 16];
        if let Some(place) = last.get_mut(..rest.len()) {
            place.copy_from_slice(rest);
        }
        self.take(last);
        self.state ^= bytes.len() as u64; // what was filled up with zeros is another name
    }

    fn finish(&self) -> u64 {
        fold(self.state ^ self.key.right, self.key.left | 1)
    }
}

impl NameHasher {
    /// Both factors are unknown outside, so nobody can tell what makes the product the same.
    fn take(&mut self, block: [u8; 16]) {
        let (words, _) = block.as_chunks::<8>();
        if let [one, other] = words {
            let one = u64::from_le_bytes(*one) ^ self.state;
            let other = u64::from_le_bytes(*other) ^ self.key.right;
            self.state = fold(one, other) ^ self.state.rotate_left(23);
        }
    }
}

/// Both halves of a product.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one).wrapping_mul(u128::from(other));
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const SEED: u128 = 0x8a91_5f3c_27d6_e04b_61c8_fb92_0d3e_7a55;

    fn hash(seed: u128, name: &[u8]) -> u64 {
        let mut hasher = NameHash::new(seed).build_hasher();
        hasher.write(name);
        hasher.finish()
    }

    #[test]
    fn different_names_and_different_keys_have_different_hashes() {
        let mut seen = HashSet::new();
        for length in 0..70 {
            assert!(seen.insert(hash(SEED, &vec![0; length])), "{length} zeros");
            for bit in 0..length * 8 {
                let mut name = vec![0; length];
                name[bit / 8] |= 1 << (bit % 8);
                assert!(seen.insert(hash(SEED, &name)), "bit {bit} of {length}");
            }
        }
        assert_ne!(hash(SEED, b"name"), hash(SEED + 1, b"name"));
        assert_ne!(hash(SEED, b"name"), hash(SEED ^ (1 << 64), b"name"));
    }

    #[test]
    fn all_bits_of_a_hash_are_used() {
        let ones: Vec<u32> = (0..64)
            .map(|bit| {
                (0..1_000u32)
                    .filter(|n| hash(SEED, &n.to_le_bytes()) >> bit & 1 == 1)
                    .count() as u32
            })
            .collect();
        assert!(
            ones.iter().all(|count| (400..600).contains(count)),
            "{ones:?}"
        );
    }
}
