//! Several parts in one body: `multipart/byteranges` (RFC 9110 section 14.6).
//!
//! ```text
//! --boundary CRLF  [content-type: … CRLF]  content-range: bytes first-last/length CRLF  CRLF  bytes CRLF  …  --boundary-- CRLF
//! ```
//!
//! The boundary does not occur in the parts, by construction and not by luck: an origin that knows this code can only
//! make it longer. It needs no randomness, so the same request gets the same bytes.

use super::serve::Found;
use crate::http::Span;

/// The boundary, and the parts as one body: each has its Content-Range and its place in the stored body. `None` where it
/// would not be shorter than that.
pub(super) fn content(found: &Found<'_>, parts: &[(String, Span)]) -> Option<(String, Vec<u8>)> {
    let boundary = boundary(&found.body, parts)?;
    let mut out = Bounded {
        bytes: Vec::new(),
        limit: found.body.len().saturating_sub(1),
    };
    for (range, place) in parts {
        out.push(&[b"--", boundary.as_bytes(), b"\r\n"])?;
        // "If the selected representation would have had a Content-Type header field in a 200 (OK) response, the server
        // SHOULD generate that same Content-Type header field in the header area of each body part." RFC 9110 section
        // 15.3.7.2.
        if let Some(media_type) = found.headers.only("content-type") {
            out.push(&[b"content-type: ", media_type, b"\r\n"])?;
        }
        out.push(&[b"content-range: ", range.as_bytes(), b"\r\n\r\n"])?;
        out.push(&[place.of(&found.body), b"\r\n"])?;
    }
    out.push(&[b"--", boundary.as_bytes(), b"--\r\n"])?;
    Some((boundary, out.bytes))
}

/// Bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    /// Adds `pieces` where there is room for them.
    fn push(&mut self, pieces: &[&[u8]]) -> Option<()> {
        for piece in pieces {
            let length = self.bytes.len().checked_add(piece.len())?;
            if length > self.limit {
                return None;
            }
            self.bytes.try_reserve(piece.len()).ok()?;
            self.bytes.extend_from_slice(piece);
        }
        Some(())
    }
}

/// How every boundary begins.
const BOUNDARY: &str = "larder";
/// What it goes on with.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A boundary that none of the parts holds: each digit is the one that follows least often what stands before it, until
/// there is one that never does. With each digit at most a sixteenth of the places are left, so that a mebibyte of
/// nothing but boundaries needs five; most bodies need one. Linear in the length of the parts, and far below the 70
/// characters of RFC 2046 section 5.1.1.
fn boundary(body: &[u8], parts: &[(String, Span)]) -> Option<String> {
    let mut boundary = BOUNDARY.to_owned();
    for _ in 0..usize::BITS {
        let mut follows = [0_usize; DIGITS.len()];
        for (_, place) in parts {
            count_followers(place.of(body), boundary.as_bytes(), &mut follows);
        }
        let (rarest, count) = follows
            .iter()
            .enumerate()
            .min_by_key(|(_, count)| **count)?;
        boundary.push(char::from(*DIGITS.get(rarest)?));
        if *count == 0 {
            return Some(boundary);
        }
    }
    None
}

/// Counts which digits follow `text` in `part`.
fn count_followers(part: &[u8], text: &[u8], follows: &mut [usize; DIGITS.len()]) {
    // Nearly all places differ in their first byte, and one byte is compared five times as fast as a slice.
    let windows = part
        .windows(text.len().saturating_add(1))
        .filter(|window| window.first() == text.first());
    for window in windows {
        let follower = window.strip_prefix(text).and_then(<[u8]>::first);
        let place = follower.and_then(|byte| DIGITS.iter().position(|digit| digit == byte));
        if let Some(count) = place.and_then(|place| follows.get_mut(place)) {
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RangeSet;

    #[test]
    fn a_body_full_of_boundaries_makes_the_boundary_longer() {
        let all: Vec<u8> = DIGITS
            .iter()
            .flat_map(|digit| [BOUNDARY.as_bytes(), &[*digit]].concat())
            .collect();
        let asked = |body: &[u8], range: &str| {
            let set = RangeSet::parse(range.as_bytes()).unwrap();
            let spans = set
                .specs()
                .iter()
                .map(|spec| spec.within(body.len()).unwrap());
            spans.map(|span| (String::new(), span)).collect::<Vec<_>>()
        };
        let whole = |body: &[u8]| boundary(body, &asked(body, "bytes=0-")).unwrap();
        assert_eq!(whole(b"larder0 larder1"), "larder2");
        assert_eq!(whole(&all), "larder00");
        assert_eq!(
            boundary(
                b"larder0 larder1",
                &asked(b"larder0 larder1", "bytes=0-5,8-")
            )
            .unwrap(),
            "larder0"
        );
    }
}
