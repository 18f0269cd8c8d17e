//! Parts of a stored body: 206 with one part or several, and 416 (RFC 9110 sections 15.3.7 and 15.5.17).
//!
//! One part is lent from the entry, or what is not of it is dropped. Several become a [`multipart`]. What this costs is
//! bounded by the stored body: the parts never overlap ([`crate::policy::range`]), and where they and their heads would not be
//! shorter than what is stored, or memory is short, they are not sent apart. "it can be less efficient to transfer many
//! small disjoint parts than it is to transfer the entire selected representation" (section 15.3.7.2).

use std::borrow::Cow;

use super::multipart;
use super::serve::{Content, Found};
use crate::http::{ContentRange, Headers, Span};
use crate::policy::partial::{self, Metadata};

/// The 206 with these parts, all of which lie within the part of the representation that is `held`.
///
/// Where several would not be shorter than what is held, that is sent at once: as the 200 that it is, or, where it is a part
/// itself, as one part from the first byte asked for to the last. "a server MAY coalesce any of the ranges that overlap,
/// or that are separated by a gap that is smaller than the overhead of sending multiple parts" (RFC 9110 section
/// 15.3.7.2).
pub(super) fn content<'a>(
    found: Found<'a>,
    held: ContentRange,
    spans: &[Span],
    metadata: Metadata,
) -> Content<'a> {
    if let [span] = spans {
        return one(found, held, *span, metadata);
    }
    if let Some(several) = several(&found, held, spans, metadata) {
        return several;
    }
    let ends = |ends: fn(Span) -> usize| spans.iter().map(move |span| ends(*span));
    let hull = ends(Span::first).min().zip(ends(Span::last).max());
    match hull.and_then(|(first, last)| Span::new(first, last)) {
        Some(hull) if !held.is_whole() => one(found, held, hull, metadata),
        Some(_) | None => Content::whole(found),
    }
}

/// One part.
fn one<'a>(found: Found<'a>, held: ContentRange, span: Span, metadata: Metadata) -> Content<'a> {
    let mut headers = partial::partial_fields(&found.headers, metadata);
    // "If a single part is being transferred, the server generating the 206 response MUST generate a Content-Range header
    // field" RFC 9110 section 15.3.7.1.
    headers.push("content-range", content_range(span, held));
    let place = span.within(held.span());
    with_status(
        headers,
        place.map_or(Cow::Borrowed(&[]), |place| place.cut(found.body)),
    )
}

/// Several parts; `None` where they would not be shorter than what is held.
fn several<'a>(
    found: &Found<'_>,
    held: ContentRange,
    spans: &[Span],
    metadata: Metadata,
) -> Option<Content<'a>> {
    // "the server generating the 206 response MUST generate "multipart/byteranges" content [...] and a Content-Type header
    // field containing the "multipart/byteranges" media type and its required boundary parameter. [...] a server MUST NOT
    // generate a Content-Range header field in the HTTP header section of a multiple part response" RFC 9110 section
    // 15.3.7.2.
    let part = |span: &Span| Some((content_range(*span, held), span.within(held.span())?));
    let parts: Vec<(String, Span)> = spans.iter().map(part).collect::<Option<_>>()?;
    let (boundary, body) = multipart::content(found, &parts)?;
    let mut headers = partial::partial_fields(&found.headers, metadata);
    headers.remove("content-type");
    headers.push(
        "content-type",
        format!("multipart/byteranges; boundary={boundary}"),
    );
    Some(with_status(headers, Cow::Owned(body)))
}

fn with_status(headers: Headers, body: Cow<'_, [u8]>) -> Content<'_> {
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

fn content_range(span: Span, held: ContentRange) -> String {
    format!("bytes {}-{}/{}", span.first(), span.last(), held.length())
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use crate::exchange::serve::Warrant;
    use crate::http::RangeSet;
    use crate::policy::range::Validators;
    use crate::time::Seconds;
    use proptest::prelude::*;

    fn found<'a>(body: &'a [u8], fields: &[(&str, &str)]) -> Found<'a> {
        Found {
            status: 200,
            headers: fields.iter().copied().collect(),
            body: Cow::Borrowed(body),
            validators: Validators::All,
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

    /// The answer from the whole.
    fn content<'a>(found: Found<'a>, spans: &[Span], metadata: Metadata) -> Content<'a> {
        let whole = ContentRange::whole(found.body.len()).unwrap();
        super::content(found, whole, spans, metadata)
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
    fn parts_of_a_part_are_counted_from_the_start_of_the_whole() {
        let body: Vec<u8> = (0..=255).collect();
        let held = ContentRange::new(1000, 1255, 5000).unwrap();
        let get = |range| {
            let spans = spans(range, 5000);
            super::content(found(&body, &[]), held, &spans, Metadata::All)
        };
        let one = get("bytes=1002-1004");
        assert_eq!((one.status, &one.body[..]), (206, &[2, 3, 4][..]));
        assert_eq!(
            one.headers.only("content-range"),
            Some(&b"bytes 1002-1004/5000"[..])
        );

        let two = get("bytes=1250-1251,1000-1000");
        let media_type = two.headers.only("content-type").unwrap();
        assert_eq!(media_type, b"multipart/byteranges; boundary=larder0");
        let parts = read(&two.body, "larder0");
        assert_eq!(
            parts,
            [
                ("content-range: bytes 1250-1251/5000", &[250, 251][..]),
                ("content-range: bytes 1000-1000/5000", &[0][..]),
            ]
        );

        let many = get("bytes=1009-1009,1001-1002,1020-1021,1040-1041,1060-1061");
        assert_eq!(
            (many.status, &many.body[..]),
            (206, &body[1..=61]),
            "never as a 200"
        );
        assert_eq!(
            many.headers.only("content-range"),
            Some(&b"bytes 1001-1061/5000"[..])
        );
    }

    #[test]
    fn a_416_tells_the_length() {
        let content = unsatisfiable(&found(b"0123456789", &[("etag", "\"a\""), ("date", "x")]));
        assert_eq!((content.status, content.body.len()), (416, 0));
        let fields = [("date", "x"), ("content-range", "bytes */10")];
        assert_eq!(content.headers, Headers::from_iter(fields));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

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
