//! Bodies in the gzip format (RFC 1952), of one member, with the plainest head there is.
//!
//! What is unzipped here was written here, but it comes out of memory that others can write to. So its length is agreed on
//! beforehand and bounded twice, by the caller's cap and by what deflate can do at most; no more than that is ever
//! allocated or written. Whatever does not come to just that length and checksum is refused.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::checksum::Crc32;

/// Deflate, no flags, no time, no extra flags, unknown system.
pub(super) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// CRC-32 and length.
pub(super) const TAIL_BYTES: usize = 8;

/// What a gzip member has beside its deflated bytes.
pub const OVERHEAD: usize = HEAD.len().saturating_add(TAIL_BYTES);

/// How many bytes one deflated byte can stand for: two bits for 258 bytes.
pub const MAX_RATIO: usize = 1032;

/// Why a body cannot be unzipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GzipError {
    /// Its bytes are no gzip member as it is written here, or not that of a body of this length.
    Damaged,
    /// There is no memory for what it would be.
    NoMemory,
    /// It would be longer than is allowed, or than it can be.
    TooLong,
}

/// The CRC-32 and the length of a body, as they end a member.
pub(super) fn tail(sum: Crc32, length: usize) -> [u8; TAIL_BYTES] {
    let [a, b, c, d] = sum.value().to_le_bytes();
    // "the size of the original (uncompressed) input data modulo 2^32" RFC 1952 section 2.3.1.
    let [e, f, g, h, ..] = length.to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The body of `length` bytes that was compressed to this; `length` is believed up to `cap`.
pub fn unzip(member: &[u8], length: usize, cap: usize) -> Result<Vec<u8>, GzipError> {
    if length > cap || length / MAX_RATIO > member.len() {
        return Err(GzipError::TooLong);
    }
    let deflated = member.strip_prefix(&HEAD);
    let parts = deflated.and_then(<[u8]>::split_last_chunk::<TAIL_BYTES>);
    let (deflated, end) = parts.ok_or(GzipError::Damaged)?;
    let mut body = Vec::new();
    body.try_reserve_exact(length)
        .map_err(|_| GzipError::NoMemory)?;
    body.resize(length, 0);
    let mut state = Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = decompress(&mut state, deflated, &mut body, 0, flags);
    if status != TINFLStatus::Done || (read, written) != (deflated.len(), length) {
        return Err(GzipError::Damaged);
    }
    let mut sum = Crc32::new();
    sum.update(&body);
    if *end != tail(sum, length) {
        return Err(GzipError::Damaged);
    }
    Ok(body)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use crate::transform::compressor::tests::zip;
    use proptest::prelude::*;

    const TEXT: &[u8] = b"one and two and one and two and one and two and one and two";

    #[test]
    fn what_was_zipped_is_unzipped() {
        let member = zip(TEXT);
        assert_eq!(unzip(&member, TEXT.len(), 1000), Ok(TEXT.to_vec()));
        assert_eq!(unzip(&member, TEXT.len(), TEXT.len()), Ok(TEXT.to_vec()));
    }

    #[test]
    fn no_more_is_unzipped_than_was_agreed() {
        let member = zip(TEXT);
        let length = TEXT.len();
        for (name, claimed, cap, error) in [
            ("beyond the cap", length, length - 1, GzipError::TooLong),
            ("a shorter one", length - 1, 1000, GzipError::Damaged),
            ("a longer one", length + 1, 1000, GzipError::Damaged),
            ("none", 0, 1000, GzipError::Damaged),
            (
                "more than deflate can do",
                member.len() * MAX_RATIO + MAX_RATIO,
                usize::MAX,
                GzipError::TooLong,
            ),
            ("everything", usize::MAX, usize::MAX, GzipError::TooLong),
        ] {
            assert_eq!(unzip(&member, claimed, cap), Err(error), "{name}");
        }
    }

    #[test]
    fn a_bomb_stays_within_its_bounds() {
        let body = vec![0; 1 << 20];
        let bomb = zip(&body);
        assert!(body.len() / bomb.len() > 900, "{} bytes", bomb.len());
        assert_eq!(unzip(&bomb, 1024, 1 << 19), Err(GzipError::Damaged));
        assert_eq!(unzip(&bomb, body.len(), 1 << 19), Err(GzipError::TooLong));
        assert_eq!(unzip(&bomb, body.len(), body.len()), Ok(body));
    }

    #[test]
    fn a_flipped_bit_is_found_or_stands_for_nothing() {
        let member = zip(TEXT);
        for bit in 0..member.len() * 8 {
            let mut changed = member.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = unzip(&changed, TEXT.len(), 1000);
            let is_padding = found == Ok(TEXT.to_vec()); // behind the last code, to the end of its byte
            assert!(found == Err(GzipError::Damaged) || is_padding, "bit {bit}");
        }
        for cut in 0..member.len() {
            assert!(unzip(&member[..cut], TEXT.len(), 1000).is_err());
        }
        let longer = [&member[..], b"\0"].concat();
        assert_eq!(unzip(&longer, TEXT.len(), 1000), Err(GzipError::Damaged));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_unzipped_within_bounds_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            (length, cap) in (0..2000_usize, 0..2000_usize),
        ) {
            let member = [&HEAD[..], &bytes].concat();
            for member in [&bytes, &member] {
                if let Ok(body) = unzip(member, length, cap) {
                    prop_assert!(body.len() == length && length <= cap);
                }
            }
        }
    }
}
