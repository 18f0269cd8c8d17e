//! Parts of a stored body: 206 with one part or several, and 416 (RFC 9110 sections 15.3.7 and 15.5.17).
//!
//! One part is lent from the entry, or what is not of it is dropped. Several become a `multipart/byteranges` of their own:
//!
//! ```text
//! --boundary CRLF  [content-type: … CRLF]  content-range: bytes first-last/length CRLF  CRLF  bytes CRLF  …  --boundary-- CRLF
//! ```
//!
//! What this costs is bounded by the stored body: the parts never overlap ([`crate::policy::range`]), and where they and
//! their heads would not be shorter than the whole, or memory is short, the client gets the whole. "it can be less
//! efficient to transfer many small disjoint parts than it is to transfer the entire selected representation" (section
//! 15.3.7.2).
//!
//! The boundary does not occur in the parts, by construction and not by luck: an origin that knows this code can only
//! make it longer. It needs no randomness, so the same request gets the same bytes.

use std::borrow::Cow;

use super::serve::{Content, Found};
use crate::http::Span;
use crate::policy::partial::{self, Metadata};

/// The 206 with these parts; the whole response where that is shorter.
pub(super) fn content<'a>(found: Found<'a>, spans: &[Span], metadata: Metadata) -> Content<'a> {
    let mut headers = partial::partial_fields(&found.headers, metadata);
    let body = match spans {
        // "If a single part is being transferred, the server generating the 206 response MUST generate a Content-Range
        // header field" RFC 9110 section 15.3.7.1.
        [span] => {
            headers.push("content-range", content_range(*span, found.body.len()));
            span.cut(found.body)
        }
        // "the server generating the 206 response MUST generate "multipart/byteranges" content [...] and a Content-Type
        // header field containing the "multipart/byteranges" media type and its required boundary parameter. [...] a
        // server MUST NOT generate a Content-Range header field in the HTTP header section of a multiple part response"
        // RFC 9110 section 15.3.7.2.
        spans => {
            let multipart = boundary(&found.body, spans)
                .and_then(|boundary| Some((multipart(&found, spans, &boundary)?, boundary)));
            let Some((body, boundary)) = multipart else {
                return Content::whole(found);
            };
            headers.remove("content-type");
            headers.push(
                "content-type",
                format!("multipart/byteranges; boundary={boundary}"),
            );
            Cow::Owned(body)
        }
    };
    Content {
        status: 206,
        headers,
        body,
        details: "larder_partial",
    }
}

/// The 416: nothing of what was asked for exists.
pub(super) fn unsatisfiable<'a>(found: &Found<'_>) -> Content<'a> {
    let mut headers = partial::unsatisfiable_fields(&found.headers);
    // "A server that generates a 416 response to a byte-range request SHOULD generate a Content-Range header field
    // specifying the current length of the selected representation" RFC 9110 section 15.5.17.
    headers.push("content-range", format!("bytes */{}", found.body.len()));
    Content {
        status: 416,
        headers,
        body: Cow::Borrowed(&[]),
        details: "larder_range_not_satisfiable",
    }
}

fn content_range(span: Span, length: usize) -> String {
    format!("bytes {}-{}/{length}", span.first(), span.last())
}

/// The parts as one body; `None` where it would not be shorter than the whole.
fn multipart(found: &Found<'_>, spans: &[Span], boundary: &str) -> Option<Vec<u8>> {
    let mut out = Bounded {
        bytes: Vec::new(),
        limit: found.body.len().saturating_sub(1),
    };
    for span in spans {
        out.push(&[b"--", boundary.as_bytes(), b"\r\n"])?;
        // "If the selected representation would have had a Content-Type header field in a 200 (OK) response, the server
        // SHOULD generate that same Content-Type header field in the header area of each body part." RFC 9110 section
        // 15.3.7.2.
        if let Some(media_type) = found.headers.only("content-type") {
            out.push(&[b"content-type: ", media_type, b"\r\n"])?;
        }
        let range = content_range(*span, found.body.len());
        out.push(&[b"content-range: ", range.as_bytes(), b"\r\n\r\n"])?;
        out.push(&[span.of(&found.body), b"\r\n"])?;
    }
    out.push(&[b"--", boundary.as_bytes(), b"--\r\n"])?;
    Some(out.bytes)
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
fn boundary(body: &[u8], spans: &[Span]) -> Option<String> {
    let mut boundary = BOUNDARY.to_owned();
    for _ in 0..usize::BITS {
        let mut follows = [0_usize; DIGITS.len()];
        for span in spans {
            count_followers(span.of(body), boundary.as_bytes(), &mut follows);
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
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use crate::exchange::serve::Warrant;
    use crate::http::{Headers, RangeSet};
    use crate::time::Seconds;
    use proptest::prelude::*;

    fn found<'a>(body: &'a [u8], fields: &[(&str, &str)]) -> Found<'a> {
        Found {
            status: 200,
            headers: fields.iter().copied().collect(),
            body: Cow::Borrowed(body),
            age: Seconds::ZERO,
            warrant: Warrant::Fresh(Seconds::ZERO),
        }
    }

    fn spans(range: &str, length: usize) -> Vec<Span> {
        let set = RangeSet::parse(range.as_bytes()).unwrap();
        set.specs()
            .iter()
            .filter_map(|spec| spec.within(length))
            .collect()
    }

    /// Reads a multipart body as a client would: the heads and bytes of its parts.
    fn read<'a>(body: &'a [u8], boundary: &str) -> Vec<(&'a str, &'a [u8])> {
        let find =
            |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
        let delimiter = format!("\r\n--{boundary}");
        let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..]).unwrap();
        let mut parts = Vec::new();
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let head = find(part, b"\r\n\r\n").unwrap();
            let content = &part[head + 4..];
            let end = find(content, delimiter.as_bytes()).unwrap();
            parts.push((std::str::from_utf8(&part[..head]).unwrap(), &content[..end]));
            rest = &content[end + delimiter.len()..];
        }
        assert_eq!(rest, b"--\r\n");
        parts
    }

    #[test]
    fn one_part_is_lent_from_the_entry() {
        let content = content(
            found(
                b"0123456789",
                &[("content-type", "text/plain"), ("etag", "\"a\"")],
            ),
            &spans("bytes=2-4", 10),
            Metadata::All,
        );
        assert_eq!(
            (content.status, &content.body),
            (206, &Cow::Borrowed(&b"234"[..]))
        );
        assert!(matches!(content.body, Cow::Borrowed(_)));
        let fields = [
            ("content-type", "text/plain"),
            ("etag", "\"a\""),
            ("content-range", "bytes 2-4/10"),
        ];
        assert_eq!(content.headers, Headers::from_iter(fields));
    }

    #[test]
    fn several_parts_have_a_head_each() {
        let body = [b'x'; 500];
        let content = content(
            found(&body, &[("Content-Type", "text/plain"), ("etag", "\"a\"")]),
            &spans("bytes=0-1,-2", 500),
            Metadata::All,
        );
        let expected = "--larder0\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/500\r\n\r\nxx\r\n\
            --larder0\r\ncontent-type: text/plain\r\ncontent-range: bytes 498-499/500\r\n\r\nxx\r\n--larder0--\r\n";
        assert_eq!(
            String::from_utf8(content.body.into_owned()).unwrap(),
            expected
        );
        let fields = [
            ("etag", "\"a\""),
            ("content-type", "multipart/byteranges; boundary=larder0"),
        ];
        assert_eq!(
            (content.status, content.headers),
            (206, Headers::from_iter(fields))
        );
    }

    #[test]
    fn parts_that_are_not_shorter_than_the_whole_are_the_whole() {
        let two = |length: usize| {
            let body = vec![b'x'; length];
            content(
                found(&body, &[]),
                &spans("bytes=0-1,4-5", length),
                Metadata::All,
            )
            .status
        };
        let part = "--larder0\r\ncontent-range: bytes 0-1/100\r\n\r\nxx\r\n".len();
        let shortest = 2 * part + "--larder0--\r\n".len() + 1;
        assert_eq!((two(10), two(shortest - 1), two(shortest)), (200, 200, 206));

        let body = [b'x'; 1000];
        let long = "a/".repeat(500);
        let content = content(
            found(&body, &[("content-type", &long)]),
            &spans("bytes=0-1,4-5", 1000),
            Metadata::All,
        );
        assert_eq!(
            (content.status, content.body.len()),
            (200, 1000),
            "heads that outgrow the body"
        );
    }

    #[test]
    fn a_416_tells_the_length() {
        let content = unsatisfiable(&found(b"0123456789", &[("etag", "\"a\""), ("date", "x")]));
        assert_eq!((content.status, content.body.len()), (416, 0));
        let fields = [("date", "x"), ("content-range", "bytes */10")];
        assert_eq!(content.headers, Headers::from_iter(fields));
    }

    #[test]
    fn a_body_full_of_boundaries_makes_the_boundary_longer() {
        let all: Vec<u8> = DIGITS
            .iter()
            .flat_map(|digit| [BOUNDARY.as_bytes(), &[*digit]].concat())
            .collect();
        let whole = |body: &[u8]| boundary(body, &spans("bytes=0-", body.len())).unwrap();
        assert_eq!(whole(b"larder0 larder1"), "larder2");
        assert_eq!(whole(&all), "larder00");
        assert_eq!(
            boundary(b"larder0 larder1", &spans("bytes=0-5,8-", 15)).unwrap(),
            "larder0"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_parts_read_back_are_the_slices(
            words in proptest::collection::vec(prop_oneof![
                "larder[0-3]{0,3}", "\r\n--larder[0-1]{1,2}", "[ -~]{0,5}", Just("\r\n\r\n".to_owned()),
            ], 0..30),
            gaps in proptest::collection::vec((1..20_usize, 0..20_usize), 2..6),
        ) {
            let mut body = words.concat().into_bytes();
            body.resize(body.len() + 1000, b'.');
            let mut at = 0;
            let ranges: Vec<String> = gaps.iter().map(|(gap, more)| {
                let first = at + gap;
                at = first + more + 1;
                format!("{first}-{}", first + more)
            }).collect();
            let spans = spans(&format!("bytes={}", ranges.join(",")), body.len());
            let content = content(found(&body, &[("content-type", "a/b")]), &spans, Metadata::All);
            prop_assert_eq!(content.status, 206);
            prop_assert!(content.body.len() < body.len());
            let media_type = std::str::from_utf8(content.headers.only("content-type").unwrap()).unwrap();
            let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
            let parts = read(&content.body, boundary);
            prop_assert_eq!(parts.len(), spans.len());
            for ((head, bytes), span) in parts.into_iter().zip(spans) {
                prop_assert_eq!(bytes, &body[span.first()..=span.last()]);
                let range = format!("content-range: bytes {}-{}/{}", span.first(), span.last(), body.len());
                prop_assert_eq!(head, format!("content-type: a/b\r\n{range}"));
            }
        }
    }
}
