//! CRC-32 as gzip has it (RFC 1952 section 8), eight bytes at a step.

/// Contributions of a byte that has seven, six … no bytes behind it.
static TABLES: [[u32; 256]; 8] = tables();

#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "evaluated while compiling, where a mistake is an error"
)]
const fn tables() -> [[u32; 256]; 8] {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ POLYNOMIAL
            } else {
                sum >> 1
            };
            bit += 1;
        }
        tables[7][byte] = sum;
        byte += 1;
    }
    let mut table = 7;
    while table > 0 {
        let mut byte = 0;
        while byte < 256 {
            let behind = tables[table][byte];
            tables[table - 1][byte] = (behind >> 8) ^ tables[7][(behind & 0xff) as usize];
            byte += 1;
        }
        table -= 1;
    }
    tables
}

/// The CRC-32 of bytes that come piece by piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crc32(u32);

impl Crc32 {
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// Takes in the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, behind @ ..] in blocks {
            let [e, f, g, h] = (self.0 ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
            let [i, j, k, l] = *behind;
            let bytes = [e, f, g, h, i, j, k, l];
            let parts = TABLES
                .iter()
                .zip(bytes)
                .map(|(table, byte)| at(table, byte));
            self.0 = parts.fold(0, |sum, part| sum ^ part);
        }
        let [.., last] = &TABLES;
        for byte in rest {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = (self.0 >> 8) ^ at(last, low ^ byte);
        }
    }

    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

fn at(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crc(bytes: &[u8]) -> u32 {
        let mut sum = Crc32::new();
        sum.update(bytes);
        sum.value()
    }

    /// Bit by bit, as RFC 1952 says it.
    fn slow(bytes: &[u8]) -> u32 {
        let mut sum = u32::MAX;
        for byte in bytes {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                let odd = sum & 1 == 1;
                sum = (sum >> 1) ^ if odd { 0xedb8_8320 } else { 0 };
            }
        }
        !sum
    }

    #[test]
    fn the_check_value() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc(b""), 0);
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn it_is_that_of_single_bits_in_any_pieces(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            cut in 0..100_usize,
        ) {
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            let mut sum = Crc32::new();
            sum.update(first);
            sum.update(rest);
            prop_assert_eq!(sum.value(), slow(&bytes));
        }
    }
}
