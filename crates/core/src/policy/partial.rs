//! Which of a stored response's fields go with a part of its body, or with none of it (RFC 9110 sections 15.3.7 and
//! 15.5.17).
//!
//! A 206 is the 200 with less of its body, so it carries what the 200 would, except what would be untrue of it or what
//! the client has shown that it knows. A 416 is about the request, so it carries nothing of the representation but its
//! length. Content-Range, and the Content-Type of several parts, are written by who puts the parts together.

use crate::http::Headers;

/// What a 206 says about the representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Everything that a 200 would.
    All,
    /// What it must: by If-Range the client has shown that it knows the rest.
    Required,
}

/// The fields of a stored 200 that a 206 in its place carries; Content-Range, or the Content-Type of several parts, is
/// for the sender of the parts to add.
pub fn partial_fields(stored: &Headers, metadata: Metadata) -> Headers {
    // "A server that generates a 206 response MUST generate the following header fields, in addition to those required in
    // the subsections below, if the field would have been sent in a 200 (OK) response to the same request: Date,
    // Cache-Control, ETag, Expires, Content-Location, and Vary." RFC 9110 section 15.3.7.
    let has_tag = stored.contains("etag");
    let is_sent = |name: &[u8]| {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        // The first is about other parts than these; the others digest the content of the 200, not of this message (RFC
        // 9530 section 2; Content-MD5 went with RFC 7231).
        let is_wrong = is("content-range") || is("content-digest") || is("content-md5");
        // "A sender that generates a 206 response to a request with an If-Range header field SHOULD NOT generate other
        // representation header fields beyond those required because the client already has a prior response containing
        // those header fields." RFC 9110 section 15.3.7. Content-Type and Content-Encoding stay: the host makes up the one
        // where it is missing (Envoy, `source/common/http/utility.cc`, `encodeLocalReply`), and its filters would encode
        // what is encoded already without the other. Last-Modified stays where it is the only validator.
        let is_known = match metadata {
            Metadata::All => false,
            Metadata::Required => is("content-language") || (is("last-modified") && has_tag),
        };
        !(is_wrong || is_known)
    };
    stored.iter().filter(|(name, _)| is_sent(name)).collect()
}

/// The fields of a stored 200 that a 416 in its place carries: not what describes the representation, nor for how long
/// it may be kept, which is said of the 200; but what the request was selected by, and what allows a page of another
/// origin to read the answer.
pub fn unsatisfiable_fields(stored: &Headers) -> Headers {
    let is_sent = |name: &[u8]| {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let allows = name
            .get(..15)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"access-control-"));
        is("date") || is("vary") || is("cross-origin-resource-policy") || allows
    };
    stored.iter().filter(|(name, _)| is_sent(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn fields_of_a_206() {
        let sent = |metadata, stored: Fields<'_>| {
            let fields = partial_fields(&stored.iter().copied().collect(), metadata);
            let names: Vec<_> = fields
                .iter()
                .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                .collect();
            names.join(" ")
        };
        let stored = [
            ("date", THEN),
            ("Cache-Control", "max-age=5"),
            ("etag", "\"a\""),
            ("expires", THEN),
            ("content-location", "/a"),
            ("vary", "accept"),
            ("content-type", "text/plain"),
            ("Content-Language", "en"),
            ("content-encoding", "gzip"),
            ("last-modified", THEN),
            ("Content-Digest", "sha-256=:x:"),
            ("repr-digest", "sha-256=:x:"),
            ("content-md5", "x"),
            ("content-range", "bytes 0-1/2"),
            ("link", "</a>"),
        ];
        let required = "date Cache-Control etag expires content-location vary content-type";
        assert_eq!(
            sent(Metadata::All, &stored),
            format!("{required} Content-Language content-encoding last-modified repr-digest link")
        );
        assert_eq!(
            sent(Metadata::Required, &stored),
            format!("{required} content-encoding repr-digest link")
        );
        assert_eq!(
            sent(Metadata::Required, &[("last-modified", THEN)]),
            "last-modified"
        );
    }

    #[test]
    fn fields_of_a_416() {
        let kept = [
            ("date", THEN),
            ("Vary", "origin"),
            ("Access-Control-Allow-Origin", "*"),
        ];
        let others = [
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("cache-control", "max-age=5"),
            ("access", "1"),
        ];
        let stored = kept.iter().chain(&others).copied().collect();
        assert_eq!(unsatisfiable_fields(&stored), Headers::from_iter(kept));
    }
}
