//! Frames as they are stored: made smaller where that is worth it.

use bytes::Bytes;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::store::StoreError;

/// Below that it is not tried.
const LEAST: usize = 1024;
/// Of more than that, so much is tried first.
const SAMPLE: usize = 16 << 10;
/// Quick: what is stored is read more often than written, but a filter waits for neither.
const LEVEL: u8 = 3;

/// A frame as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) encoding: Encoding,
    /// Of the frame.
    pub(super) length: usize,
    pub(super) bytes: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Deflate,
}

impl Encoding {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Deflate => "1",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, StoreError> {
        match name {
            "0" => Ok(Self::Plain),
            "1" => Ok(Self::Deflate),
            _ => Err(StoreError::Corrupt(format!(
                "{name:?} is not a known encoding"
            ))),
        }
    }
}

/// Whether `small` saves a tenth of `large` at least.
fn saves(small: usize, large: usize) -> bool {
    small <= large.saturating_sub(large.div_ceil(10))
}

pub(super) fn pack(frame: &Bytes) -> Packed {
    let length = frame.len();
    if length >= LEAST && promises(frame) {
        let packed = compress_to_vec(frame, LEVEL);
        if saves(packed.len(), length) {
            return Packed {
                encoding: Encoding::Deflate,
                length,
                bytes: packed.into(),
            };
        }
    }
    Packed {
        encoding: Encoding::Plain,
        length,
        bytes: frame.clone(),
    }
}

/// Whether it is worth trying all of it.
fn promises(frame: &[u8]) -> bool {
    match frame.get(..SAMPLE) {
        Some(sample) if frame.len() > SAMPLE.saturating_mul(2) => {
            saves(compress_to_vec(sample, 1).len(), sample.len())
        }
        Some(_) | None => true,
    }
}

/// The frame; it may have `limit` bytes.
pub(super) fn unpack(packed: &Packed, limit: usize) -> Result<Bytes, StoreError> {
    let wrong = || StoreError::Corrupt("an entry is not as long as it says".to_owned());
    if packed.length > limit {
        return Err(wrong());
    }
    let frame = match packed.encoding {
        Encoding::Plain => packed.bytes.clone(),
        Encoding::Deflate => decompress_to_vec_with_limit(&packed.bytes, packed.length)
            .map_err(|_| wrong())?
            .into(),
    };
    if frame.len() == packed.length {
        Ok(frame)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: u32) -> Bytes {
        let byte = |n: u32| {
            n.wrapping_mul(2_654_435_761)
                .rotate_left(n % 31)
                .to_be_bytes()[0]
        };
        (0..length).map(byte).collect()
    }

    #[test]
    fn it_comes_back_as_it_was() {
        for frame in [
            Bytes::new(),
            noise(10),
            noise(200_000),
            Bytes::from(vec![b'a'; 1023]),
            Bytes::from(vec![b'a'; 200_000]),
        ] {
            let packed = pack(&frame);
            assert_eq!(unpack(&packed, frame.len()), Ok(frame));
        }
    }

    #[test]
    fn it_is_packed_where_that_saves_something() {
        assert_eq!(pack(&vec![b'a'; 1023].into()).encoding, Encoding::Plain);
        let packed = pack(&vec![b'a'; 1024].into());
        assert_eq!(packed.encoding, Encoding::Deflate);
        assert!(packed.bytes.len() < 100);
        assert_eq!(pack(&noise(5000)).encoding, Encoding::Plain);
        assert_eq!(pack(&noise(500_000)).encoding, Encoding::Plain);
        assert!(saves(90, 100) && !saves(91, 100) && saves(0, 0));
    }

    #[test]
    fn what_is_not_as_it_says_is_an_error() {
        let good = pack(&vec![b'a'; 5000].into());
        assert!(unpack(&good, 4999).is_err());
        for length in [0, 4999, 5001] {
            let packed = Packed {
                length,
                ..good.clone()
            };
            assert!(unpack(&packed, usize::MAX).is_err(), "{length}");
        }
        let cut = good.bytes.slice(..good.bytes.len() / 2);
        for bytes in [cut, noise(100), Bytes::new()] {
            let packed = Packed {
                bytes,
                ..good.clone()
            };
            assert!(unpack(&packed, usize::MAX).is_err());
        }
        assert!(Encoding::named("2").is_err());
    }
}
