//! A stored part of a response as bytes; [`super::codec`] draws them.
//!
//! It is the 200 that it is a part of, with its place in front and less of a body. A kind of its own, so that nobody who
//! looks for a response can take a part for one: "the stored response is recorded as being incomplete" RFC 9111 section
//! 3.3.

use super::codec::{DecodeError, PARTIAL, VERSION, sealed};
use super::response::{StoredResponse, push_response, read_response, size_of_response};
use super::{Coding, Reader};
use crate::http::ContentRange;

/// A stored part of a response, over the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPart<'a> {
    /// Which part; never the whole.
    pub range: ContentRange,
    /// The 200, with these bytes of its body.
    pub response: StoredResponse<'a>,
}

/// Writes a part; `None` where there is no memory for it.
pub fn encode_part(part: &StoredPart<'_>) -> Option<Vec<u8>> {
    let (range, response) = (part.range, &part.response);
    let mut out = Vec::new();
    out.try_reserve_exact(size_of_response(response).saturating_add(8))
        .ok()?;
    out.extend_from_slice(&[VERSION, PARTIAL]);
    for number in [range.span().first(), range.length()] {
        out.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    }
    push_response(&mut out, response);
    Some(sealed(out))
}

/// Reads what stands behind the head.
pub(super) fn read_part<'a>(reader: &mut Reader<'a>) -> Result<StoredPart<'a>, DecodeError> {
    let mut number = || {
        let number = reader.u32()?;
        usize::try_from(number).map_err(|_| DecodeError::Invalid)
    };
    let (first, length) = (number()?, number()?);
    let response = read_response(reader)?;
    let last = response.body.len().checked_sub(1);
    let range = last
        .and_then(|last| last.checked_add(first))
        .and_then(|last| ContentRange::new(first, last, length))
        .filter(|range| !range.is_whole() && response.status == 200)
        .filter(|_| response.coding == Coding::AsReceived)
        .ok_or(DecodeError::Invalid)?;
    Ok(StoredPart { range, response })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Payload;
    use crate::entry::codec::tests::sample;

    fn part() -> StoredPart<'static> {
        StoredPart {
            range: ContentRange::new(2, 5, 10).unwrap(),
            response: sample(),
        }
    }

    #[test]
    fn a_part_written_is_a_part_read() {
        let bytes = encode_part(&part()).unwrap();
        assert_eq!(Payload::decode(&bytes), Ok(Payload::Partial(part())));
    }

    #[test]
    fn what_is_no_part_of_a_200_is_refused() {
        let decode = |first: u32, length: u32, status, body| {
            let mut out = vec![VERSION, PARTIAL];
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
            let response = StoredResponse {
                status,
                body,
                ..sample()
            };
            push_response(&mut out, &response);
            Payload::decode(&sealed(out)).map(|_| ())
        };
        assert_eq!(decode(2, 10, 200, b"body"), Ok(()));
        assert_eq!(decode(6, 10, 200, b"body"), Ok(()));
        for (name, first, length, status, body) in [
            ("behind the end", 7, 10, 200, &b"body"[..]),
            ("far behind", u32::MAX, 10, 200, b"body"),
            ("the whole", 0, 4, 200, b"body"),
            ("nothing", 2, 10, 200, b""),
            ("of nothing", 0, 0, 200, b""),
            ("of an error", 2, 10, 404, b"body"),
            ("by its status", 2, 10, 206, b"body"),
        ] {
            let found = decode(first, length, status, body);
            assert_eq!(found, Err(DecodeError::Invalid), "{name}");
        }
    }
}
