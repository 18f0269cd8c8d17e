//! A body on its way into the gzip format, a bounded piece at a time.
//!
//! The worker that compresses has requests to answer, so it takes one step and comes back. It gives up as soon as the result
//! would not save what it has to.

use std::fmt;

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use super::checksum::Crc32;
use super::gzip::{HEAD, OVERHEAD, TAIL_BYTES, tail};

/// How hard is tried, of 9. Measured on text and JSON, 6 saves another 4 % of what 4 leaves and takes twice the time.
const LEVEL: i32 = 4;
/// Deflate without a head of its own.
const RAW: i32 = 0;
const DEFAULT_STRATEGY: i32 = 0;

/// About what the compressor's tables take. They are allocated without a word when there is no memory.
const TABLES: usize = 512 << 10;

/// The compressor of a worker; one body at a time.
pub struct Compressor {
    state: Box<CompressorOxide>,
}

/// A body that is being compressed, without the body.
pub struct Unfinished {
    out: Vec<u8>,
    /// Bytes of it that are written.
    written: usize,
    /// Bytes of the body that were read.
    read: usize,
    sum: Crc32,
}

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Begun(Unfinished),
    /// This is the member.
    Done(Vec<u8>),
    /// It would not save enough.
    Wasted,
}

impl Compressor {
    /// One; `None` where there is no memory for it.
    pub fn new() -> Option<Self> {
        let mut room: Vec<u8> = Vec::new();
        room.try_reserve_exact(TABLES).ok()?;
        drop(room);
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, DEFAULT_STRATEGY);
        let state = Box::new(CompressorOxide::new(flags));
        Some(Self { state })
    }

    /// Begins with another body. Its member may take `room` bytes; `None` where there is no memory for them.
    pub fn begin(&mut self, room: usize) -> Option<Unfinished> {
        self.state.reset();
        let mut out = Vec::new();
        out.try_reserve_exact(room.max(OVERHEAD)).ok()?;
        out.extend_from_slice(&HEAD);
        out.resize(room.max(OVERHEAD), 0);
        Some(Unfinished {
            out,
            written: HEAD.len(),
            read: 0,
            sum: Crc32::new(),
        })
    }

    /// Takes in at most `budget` more bytes of the body, which is the same each time.
    pub fn step(&mut self, mut begun: Unfinished, body: &[u8], budget: usize) -> Progress {
        let rest = body.get(begun.read..).unwrap_or_default();
        let (piece, flush) = match rest.split_at_checked(budget) {
            Some((piece, behind)) if !behind.is_empty() => (piece, TDEFLFlush::None),
            Some(_) | None => (rest, TDEFLFlush::Finish),
        };
        let end = begun.out.len().saturating_sub(TAIL_BYTES);
        let room = begun.out.get_mut(begun.written..end);
        let room = room.unwrap_or_default();
        let full = room.len();
        let (status, read, written) = compress(&mut self.state, piece, room, flush);
        begun.sum.update(piece);
        begun.written = begun.written.saturating_add(written);
        begun.read = begun.read.saturating_add(read);
        match status {
            TDEFLStatus::Done => {
                let end = tail(begun.sum, body.len());
                begun.out.truncate(begun.written);
                begun.out.extend_from_slice(&end);
                Progress::Done(begun.out)
            }
            TDEFLStatus::Okay if written < full && read == piece.len() => Progress::Begun(begun),
            TDEFLStatus::Okay | TDEFLStatus::BadParam | TDEFLStatus::PutBufFailed => {
                Progress::Wasted
            }
        }
    }
}

impl PartialEq for Unfinished {
    fn eq(&self, other: &Self) -> bool {
        (self.read, self.written) == (other.read, other.written) && self.out == other.out
    }
}

impl Eq for Unfinished {}

impl fmt::Debug for Unfinished {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Unfinished");
        shown
            .field("read", &self.read)
            .field("written", &self.written);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Compressor").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
pub(super) mod tests {
    use super::*;
    use crate::transform::unzip;
    use proptest::prelude::*;

    /// Compresses as a worker does, `budget` bytes at a time.
    fn in_steps(body: &[u8], room: usize, budget: usize) -> Option<Vec<u8>> {
        let mut compressor = Compressor::new().unwrap();
        let mut begun = compressor.begin(room).unwrap();
        for _ in 0..=body.len() / budget + 1 {
            begun = match compressor.step(begun, body, budget) {
                Progress::Begun(begun) => begun,
                Progress::Done(member) => return Some(member),
                Progress::Wasted => return None,
            };
        }
        panic!("it takes more steps than there are pieces");
    }

    /// A member, however long.
    pub(in crate::transform) fn zip(body: &[u8]) -> Vec<u8> {
        in_steps(body, body.len() + 1000, usize::MAX / 2).unwrap()
    }

    fn text(length: usize) -> Vec<u8> {
        let words = ["time", "and", "tide", "wait", "for", "no", "man", "\n"];
        let mut state = 1_u32;
        let mut text = Vec::new();
        while text.len() < length {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
            text.extend_from_slice(words[(state >> 16) as usize % 8].as_bytes());
            text.push(b' ');
        }
        text.truncate(length);
        text
    }

    #[test]
    fn pieces_of_any_size_make_one_member() {
        let body = text(100_000);
        for budget in [1000, 32_768, 100_000, usize::MAX] {
            let member = in_steps(&body, body.len(), budget).unwrap();
            assert!(member.len() < body.len() / 3, "{} bytes", member.len());
            assert_eq!(unzip(&member, body.len(), body.len()), Ok(body.clone()));
        }
    }

    #[test]
    fn what_is_left_of_one_body_is_not_in_the_next() {
        let mut compressor = Compressor::new().unwrap();
        let (one, other) = (text(90_000), text(5_000));
        let begun = compressor.begin(90_000).unwrap();
        assert!(matches!(
            compressor.step(begun, &one, 70_000),
            Progress::Begun(_)
        ));
        let begun = compressor.begin(5_000).unwrap();
        let Progress::Done(member) = compressor.step(begun, &other, 5_000) else {
            panic!("one step is enough");
        };
        assert_eq!(member, zip(&other));
    }

    #[test]
    fn what_does_not_fit_is_given_up() {
        let body = text(50_000);
        let member = zip(&body);
        let fits = |room| in_steps(&body, room, 10_000).is_some();
        assert_eq!(
            [member.len() - 1, member.len(), member.len() + 1].map(fits),
            [false, true, true]
        );
        assert!(!fits(0));
        assert_eq!(in_steps(b"", 0, 100), None);
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn zipped_and_unzipped_is_the_same(
            words in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..50),
                    Just(vec![0; 300]),
                    Just(b"abcdefgh".to_vec()),
                ],
                0..100,
            ),
            budget in 1..3000_usize,
        ) {
            let body = words.concat();
            let member = in_steps(&body, body.len() + 200, budget).unwrap();
            prop_assert_eq!(unzip(&member, body.len(), body.len()), Ok(body));
        }
    }
}
