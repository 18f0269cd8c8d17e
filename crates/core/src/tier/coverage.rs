//! What an invalidation covers, as it is written down in shared cells.
//!
//! ```text
//! 'a' │ 's' u16 count, count × u64 │ form: g p r, u16 length, text                                all little-endian
//! ```

use super::record::{Corrupt, Fields};
use crate::entry::Stamp;
use crate::epoch::{Coverage, NamePattern};

/// Writes a coverage of at most 65,535 stamps.
pub(super) fn push_coverage(out: &mut Vec<u8>, coverage: &Coverage) {
    match coverage {
        Coverage::All => out.push(b'a'),
        Coverage::Names(pattern) => {
            let (form, text) = pattern.to_parts();
            out.push(form);
            push_count(out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        Coverage::Stamps(stamps) => {
            out.push(b's');
            push_count(out, stamps.len());
            for Stamp(stamp) in stamps {
                out.extend_from_slice(&stamp.to_le_bytes());
            }
        }
    }
}

pub(super) fn push_count(out: &mut Vec<u8>, count: usize) {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}

/// Reads one whose form has been read.
pub(super) fn read_coverage(
    fields: &mut Fields<'_>,
    form: u8,
    most_stamps: usize,
) -> Result<Coverage, Corrupt> {
    let count = match form {
        b'a' => return Ok(Coverage::All),
        _ => fields.u16()?,
    };
    if form != b's' {
        let text = std::str::from_utf8(fields.slice(count.into())?).map_err(|_| Corrupt)?;
        let pattern = NamePattern::from_parts(form, text).ok_or(Corrupt)?;
        return Ok(Coverage::Names(pattern));
    }
    if usize::from(count) > most_stamps {
        return Err(Corrupt);
    }
    let stamps = (0..count).map(|_| fields.u64().map(Stamp));
    stamps.collect::<Result<_, _>>().map(Coverage::Stamps)
}
