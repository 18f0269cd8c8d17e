//! The bytes of one entry in its slot.
//!
//! ```text
//! "LSL1" │ u64 incarnation │ u64 generation │ u32 key length │ u32 payload length │ key │ payload    little-endian
//! ```
//!
//! The directory says which generation to expect, and the key is compared in full: a slot that does not answer to
//! both is not this entry, however it came to be there. A write of a cell is atomic in the host, so an entry is never
//! torn; that its bytes are still those that were written is the payload's to check ([`crate::entry`]). An entry is one
//! cell: cutting it into several would shorten the time a copy holds the host's lock, but cost a host call for each.

use std::ops::Range;

use crate::key::Key;

use super::generation::Generation;
use super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LSL1";
const HEADER: usize = 28;

/// What a cell costs beside its value: a node of the host's hash map (two strings, a version, a hash, a link: 72
/// bytes), its share of the buckets, the allocator's rounding of node and value, and the name, which is kept inline.
pub(super) const OVERHEAD: u32 = 120;

/// Which writing of which slot this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) incarnation: u64,
    pub(super) generation: Generation,
}

/// Why a slot does not hold the entry that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    Corrupt,
    Key,
    Stamp,
}

/// The bytes that an entry counts for, or `None` if it is too large to be addressed.
pub(super) fn charge(key: &Key, payload: &[u8]) -> Option<u32> {
    let value = HEADER
        .checked_add(key.canonical().len())?
        .checked_add(payload.len())?;
    u32::try_from(value).ok()?.checked_add(OVERHEAD)
}

/// Writes an entry, or gives `None` if there is no memory for it.
pub(super) fn encode(stamp: Stamp, key: &Key, payload: &[u8]) -> Option<Vec<u8>> {
    let canonical = key.canonical();
    let size = charge(key, payload)?.checked_sub(OVERHEAD)?;
    let mut value = Vec::new();
    value.try_reserve_exact(size as usize).ok()?;
    value.extend_from_slice(TAG);
    value.extend_from_slice(&stamp.incarnation.to_le_bytes());
    value.extend_from_slice(&stamp.generation.raw().to_le_bytes());
    value.extend_from_slice(&u32::try_from(canonical.len()).ok()?.to_le_bytes());
    value.extend_from_slice(&u32::try_from(payload.len()).ok()?.to_le_bytes());
    value.extend_from_slice(canonical);
    value.extend_from_slice(payload);
    Some(value)
}

/// Where the payload stands, if the slot holds this writing of this key's entry.
pub(super) fn open(value: &[u8], stamp: Stamp, key: &Key) -> Result<Range<usize>, Mismatch> {
    let (found, canonical, payload) = split(value).map_err(|Corrupt| Mismatch::Corrupt)?;
    if found != stamp {
        return Err(Mismatch::Stamp);
    }
    if canonical != key.canonical() {
        return Err(Mismatch::Key);
    }
    Ok(value.len().saturating_sub(payload.len())..value.len())
}

/// Which writing a slot holds.
pub(super) fn stamp(value: &[u8]) -> Result<Stamp, Corrupt> {
    split(value).map(|(stamp, _, _)| stamp)
}

/// Which writing a slot holds, the key it is for, and what is stored.
pub(super) fn split(value: &[u8]) -> Result<(Stamp, &[u8], &[u8]), Corrupt> {
    let mut fields = Fields::of(value, TAG)?;
    let stamp = Stamp {
        incarnation: fields.u64()?,
        generation: Generation::from_raw(fields.u64()?),
    };
    let (key, payload) = (fields.u32()?, fields.u32()?);
    let (canonical, rest) = fields
        .rest()
        .split_at_checked(key as usize)
        .ok_or(Corrupt)?;
    if rest.len() == payload as usize {
        Ok((stamp, canonical, rest))
    } else {
        Err(Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAMP: Stamp = Stamp {
        incarnation: 0x0807_0605_0403_0201,
        generation: Generation::from_raw(0x1817_1615_1413_1211),
    };

    fn key(canonical: &[u8]) -> Key {
        Key::from_canonical(canonical.to_vec())
    }

    #[test]
    fn the_layout_is_frozen() {
        let golden = b"LSL1\x01\x02\x03\x04\x05\x06\x07\x08\x11\x12\x13\x14\x15\x16\x17\x18\
            \x03\0\0\0\x05\0\0\0keyhello";
        assert_eq!(
            encode(STAMP, &key(b"key"), b"hello").as_deref(),
            Some(&golden[..])
        );
        assert_eq!(open(golden, STAMP, &key(b"key")), Ok(31..36));
        assert_eq!(charge(&key(b"key"), b"hello"), Some(36 + OVERHEAD));
    }

    #[test]
    fn only_the_same_writing_of_the_same_key_is_opened() {
        let value = encode(STAMP, &key(b"key"), b"hello").unwrap();
        let other_life = Stamp {
            incarnation: 1,
            ..STAMP
        };
        let other_writing = Stamp {
            generation: Generation::from_raw(1),
            ..STAMP
        };
        assert_eq!(open(&value, other_life, &key(b"key")), Err(Mismatch::Stamp));
        assert_eq!(
            open(&value, other_writing, &key(b"key")),
            Err(Mismatch::Stamp)
        );
        for other in [&b"kez"[..], b"ke", b"keyh", b""] {
            assert_eq!(open(&value, STAMP, &key(other)), Err(Mismatch::Key));
        }
    }

    #[test]
    fn every_truncation_and_extension_is_corrupt() {
        let mut value = encode(STAMP, &key(b"key"), b"hello").unwrap();
        for len in 0..value.len() {
            assert_eq!(
                open(&value[..len], STAMP, &key(b"key")),
                Err(Mismatch::Corrupt),
                "{len}"
            );
        }
        value.push(0);
        assert_eq!(open(&value, STAMP, &key(b"key")), Err(Mismatch::Corrupt));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_opened_or_refused(bytes: Vec<u8>, tagged: bool) {
            let mut value = bytes;
            if tagged {
                value.splice(0..0, *TAG);
            }
            let _ = stamp(&value);
            let _ = open(&value, STAMP, &key(b"key"));
        }

        #[test]
        fn what_is_written_is_opened(canonical: Vec<u8>, payload: Vec<u8>) {
            let key = key(&canonical);
            let value = encode(STAMP, &key, &payload).unwrap();
            prop_assert_eq!(stamp(&value), Ok(STAMP));
            let range = open(&value, STAMP, &key).unwrap();
            prop_assert_eq!(&value[range], &payload[..]);
        }
    }
}
