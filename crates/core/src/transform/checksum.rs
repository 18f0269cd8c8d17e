//! CRC-32 as gzip has it (RFC 1952 section 8), eight bytes at a step.

use std::sync::OnceLock;

/// Contributions of a byte that has seven, six … no bytes behind it.
type Tables = [[u32; 256]; 8];

/// They are made when they are first needed: in the module they would be eight kilobytes.
static TABLES: OnceLock<Box<Tables>> = OnceLock::new();

fn tables() -> Box<Tables> {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut last = [0; 256];
    for (byte, sum) in (0..).zip(&mut last) {
        *sum = (0..8).fold(byte, |sum: u32, _| match sum & 1 {
            1 => (sum >> 1) ^ POLYNOMIAL,
            _ => sum >> 1,
        });
    }
    let mut tables = Box::new([[0; 256]; 8]);
    let mut behind = last;
    for table in tables.iter_mut().rev() {
        *table = behind;
        behind = behind.map(|sum| {
            let [low, ..] = sum.to_le_bytes();
            (sum >> 8) ^ at(&last, low)
        });
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
        let tables = TABLES.get_or_init(tables);
        let (blocks, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, behind @ ..] in blocks {
            let [e, f, g, h] = (self.0 ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
            let [i, j, k, l] = *behind;
            let bytes = [e, f, g, h, i, j, k, l];
            let parts = tables
                .iter()
                .zip(bytes)
                .map(|(table, byte)| at(table, byte));
            self.0 = parts.fold(0, |sum, part| sum ^ part);
        }
        let [.., last] = &**tables;
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
