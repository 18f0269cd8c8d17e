//! Whether an entry's bytes are still those that were written.
//!
//! Shared memory is anybody's: on Istio every module of the proxy may write into it. Structure, key and generation
//! are checked where they are read; this finds what changed in between, a body included. It is no signature: who
//! means to forge an entry can. Each hit pays for it, so it takes eight bytes at a step, in four lanes that do not
//! wait for one another.

/// Odd, with its bits well mixed; 2⁶⁴ divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The checksum of some bytes.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut lanes = [1u64, 2, 3, 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut sum = lanes.into_iter().fold(bytes.len() as u64, step);
    for byte in rest {
        sum = step(sum, u64::from(*byte));
    }
    sum ^ (sum >> 32)
}

/// Each step is a bijection of the state for a given word, so that no single change is ever lost.
fn step(state: u64, word: u64) -> u64 {
    (state.rotate_left(5) ^ word).wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_one_flipped_bit_shows() {
        let bytes: Vec<u8> = (0..100).collect();
        let whole = checksum(&bytes);
        for bit in 0..800 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&flipped), whole, "bit {bit}");
        }
    }

    #[test]
    fn length_and_order_count() {
        let distinct = [&b""[..], b"\0", b"\0\0", &[0; 32], &[0; 64]];
        for (at, one) in distinct.iter().enumerate() {
            for other in distinct.iter().skip(at + 1) {
                assert_ne!(checksum(one), checksum(other));
            }
        }
        let (mut forth, mut back) = ([1u8; 64], [1u8; 64]);
        (forth[0], back[32]) = (2, 2);
        assert_ne!(
            checksum(&forth),
            checksum(&back),
            "blocks that change places"
        );
    }

    #[test]
    fn golden() {
        assert_eq!(
            checksum(b"The quick brown fox jumps over the lazy dog"),
            6400576320972364013
        );
    }
}
