//! In which form a stored body stands.

use super::codec::DecodeError;
use super::reader::Reader;

/// In which form a stored body stands. The fields beside it are those it came with, whatever its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it came, and so it stays: Larder must not code it, or has found that not worth it.
    AsReceived,
    /// As it came, and it may be compressed.
    Compressible,
    /// As Larder has compressed it (RFC 1952).
    Gzip {
        /// How many bytes it had when it came. Nobody has counted them since.
        length: usize,
    },
}

impl Coding {
    /// How many bytes the body has that came, where so many are stored.
    pub fn length(self, stored: usize) -> usize {
        match self {
            Self::AsReceived | Self::Compressible => stored,
            Self::Gzip { length } => length,
        }
    }
}

const AS_RECEIVED: u8 = 1;
const COMPRESSIBLE: u8 = 2;
const GZIP: u8 = 3;

/// Writes what [`read_coding`] reads.
// Bodies are capped far below 4 GiB by the limits; the length of a longer one could not be read back as anything else.
pub(super) fn push_coding(out: &mut Vec<u8>, coding: Coding) {
    match coding {
        Coding::AsReceived => out.push(AS_RECEIVED),
        Coding::Compressible => out.push(COMPRESSIBLE),
        Coding::Gzip { length } => {
            out.push(GZIP);
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
}

pub(super) fn read_coding(reader: &mut Reader<'_>) -> Result<Coding, DecodeError> {
    match reader.u8()? {
        AS_RECEIVED => Ok(Coding::AsReceived),
        COMPRESSIBLE => Ok(Coding::Compressible),
        GZIP => {
            let length = usize::try_from(reader.u32()?).map_err(|_| DecodeError::Invalid)?;
            Ok(Coding::Gzip { length })
        }
        _ => Err(DecodeError::Invalid),
    }
}
