//! What the client already has: its preconditions against a stored response (RFC 9111 section 4.3.2).
//!
//! Only If-None-Match and If-Modified-Since are a cache's to judge, and only for GET and HEAD, and for QUERY, to which they
//! apply as to a GET of the query's result (RFC 10008 section 2.6). A POST has none here: If-None-Match has sent it to the
//! origin, and so have the others every request ([`super::request`]). The origin is not asked anything here.
//!
//! Stored responses always have a Date ([`super::fields`]), so a modification date is never made up.

use md5::{Digest, Md5};

use crate::http::{EntityTag, Headers, Method, RequestHead, list};
use crate::time::{Timestamp, parse_http_date};

/// The preconditions of a request that a cache can judge; which of the two counts is already decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preconditions {
    /// The client has what was last modified at this time.
    ModifiedSince(Timestamp),
    /// The client has what these tags name: the value of If-None-Match, its lines joined with commas.
    NoneMatch(Vec<u8>),
}

/// What the answer to a conditional request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The whole response.
    Full,
    /// 304: the client has it.
    NotModified,
}

impl Preconditions {
    /// Captures a request's preconditions; `None`, and no allocation, where there are none that count.
    pub fn of(head: &RequestHead) -> Option<Self> {
        match head.method() {
            Method::Get | Method::Head | Method::Query => {}
            Method::Delete
            | Method::Options
            | Method::Other
            | Method::Patch
            | Method::Post
            | Method::Put => return None,
        }
        let headers = head.headers();
        let mut lines = headers.all("if-none-match");
        if let Some(first) = lines.next() {
            // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field" RFC 9110
            // section 13.1.3.
            let mut tags = first.to_vec();
            for line in lines {
                tags.push(b',');
                tags.extend_from_slice(line);
            }
            return Some(Self::NoneMatch(tags));
        }
        // "A recipient MUST ignore the If-Modified-Since header field if the received field value is not a valid
        // HTTP-date, the field value has more than one member, or if the request method is neither GET nor HEAD." RFC
        // 9110 section 13.1.3, which is older than QUERY.
        let since = headers.only("if-modified-since")?;
        parse_http_date(since).map(Self::ModifiedSince)
    }

    /// Judges them for a stored response.
    pub fn evaluate(&self, status: u16, stored: &Headers) -> Condition {
        // "If a cache receives a request that can be satisfied by reusing a stored 200 (OK) or 206 (Partial Content)
        // response [...] the cache SHOULD evaluate any applicable conditional header field preconditions" RFC 9111
        // section 4.3.2.
        if status != 200 {
            return Condition::Full;
        }
        let has_it = match self {
            Self::ModifiedSince(since) => is_unmodified(stored, *since),
            Self::NoneMatch(tags) => is_named(stored, tags),
        };
        if has_it {
            Condition::NotModified
        } else {
            Condition::Full
        }
    }
}

fn is_named(stored: &Headers, tags: &[u8]) -> bool {
    // "If the field value is "*", the condition is false if the origin server has a current representation for the
    // target resource." RFC 9110 section 13.1.2.
    if list::trim(tags) == b"*" {
        return true;
    }
    // "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match" RFC 9110 section
    // 13.1.2.
    stored
        .only("etag")
        .and_then(EntityTag::parse)
        .is_some_and(|own| EntityTag::list(tags).any(|tag| tag.matches_weakly(&own)))
}

fn is_unmodified(stored: &Headers, since: Timestamp) -> bool {
    // "If a request contains an If-Modified-Since header field and the Last-Modified header field is not present in a
    // stored response, a cache SHOULD use the stored response's Date field value [...] to evaluate the conditional." RFC
    // 9111 section 4.3.2.
    let modified = if stored.contains("last-modified") {
        stored.only("last-modified")
    } else {
        stored.only("date")
    };
    // "If the selected representation's last modification date is earlier or equal to the date provided in the field
    // value, the condition is false." RFC 9110 section 13.1.3.
    modified
        .and_then(parse_http_date)
        .is_some_and(|modified| modified <= since)
}

/// The fields of a stored 200 that a 304 in its place carries.
pub fn not_modified_fields(stored: &Headers) -> Headers {
    // "The server generating a 304 response MUST generate any of the following header fields that would have been sent
    // in a 200 (OK) response to the same request: Content-Location, Date, ETag, and Vary; Cache-Control and Expires.
    // [...] a sender SHOULD NOT generate representation metadata other than the above listed fields unless said metadata
    // exists for the purpose of guiding cache updates (e.g., Last-Modified might be useful if the response does not have
    // an ETag field)." RFC 9110 section 15.4.5.
    // What is no representation metadata, such as the permission of another origin's page to read the answer, stays.
    let has_tag = stored.contains("etag");
    let is_sent = |name: &[u8]| {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let is_content = name
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
        let is_metadata = is_content && !is("content-location") && !is("content-security-policy");
        !(is_metadata || (is("last-modified") && has_tag))
    };
    stored.iter().filter(|(name, _)| is_sent(name)).collect()
}

/// A strong entity tag of a body: its MD5 in hexadecimal digits, quoted.
pub fn content_etag(body: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().map(char::from);
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in Md5::digest(body) {
        tag.extend(digit(byte >> 4));
        tag.extend(digit(byte & 15));
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;
    use proptest::prelude::*;

    const SOONER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn preconditions(fields: Fields<'_>) -> Option<Preconditions> {
        let pseudo = [(":method", "GET"), (":authority", "a"), (":path", "/")];
        let headers = pseudo.iter().chain(fields).copied().collect();
        Preconditions::of(&RequestHead::parse(headers).unwrap())
    }

    fn evaluate(conditions: Fields<'_>, status: u16, stored: Fields<'_>) -> Condition {
        let stored = stored.iter().copied().collect();
        preconditions(conditions).map_or(Condition::Full, |it| it.evaluate(status, &stored))
    }

    #[test]
    fn none_match_is_a_weak_comparison() {
        let rows = [
            ("the same", "\"a\"", "\"a\"", Condition::NotModified),
            ("another", "\"b\"", "\"a\"", Condition::Full),
            (
                "one of a list",
                "\"b\", W/\"a\"",
                "\"a\"",
                Condition::NotModified,
            ),
            ("weak", "\"a\"", "W/\"a\"", Condition::NotModified),
            ("with a comma", "\"a,b\"", "\"a,b\"", Condition::NotModified),
            ("within another", "\"x\\\"a\"", "\"a\"", Condition::Full),
            ("case", "\"A\"", "\"a\"", Condition::Full),
            ("any", " * ", "\"a\"", Condition::NotModified),
            ("any within a list", "\"b\", *", "\"a\"", Condition::Full),
            ("nothing", "", "\"a\"", Condition::Full),
            ("unquoted", "a", "a", Condition::Full),
        ];
        for (name, tags, etag, expected) in rows {
            let found = evaluate(&[("If-None-Match", tags)], 200, &[("ETag", etag)]);
            assert_eq!(found, expected, "{name}");
        }
        let lines = [("if-none-match", "\"b\""), ("if-none-match", "\"a\"")];
        let two_lines = evaluate(&lines, 200, &[("etag", "\"a\"")]);
        assert_eq!(two_lines, Condition::NotModified);
        assert_eq!(
            evaluate(&[("if-none-match", "\"a\"")], 200, &[]),
            Condition::Full
        );
        assert_eq!(
            evaluate(&[("if-none-match", "*")], 200, &[]),
            Condition::NotModified
        );
    }

    #[test]
    fn modified_since_compares_dates() {
        #[rustfmt::skip]
        let rows: [(&str, &str, Fields<'_>, Condition); 9] = [
            ("the same", THEN, &[("last-modified", THEN)], Condition::NotModified),
            ("later", LATER, &[("last-modified", THEN)], Condition::NotModified),
            ("sooner", SOONER, &[("last-modified", THEN)], Condition::Full),
            ("another form", "Sunday, 06-Nov-94 08:49:37 GMT", &[("last-modified", THEN)], Condition::NotModified),
            ("no date", "yesterday", &[("last-modified", THEN)], Condition::Full),
            ("by Date", THEN, &[("date", THEN)], Condition::NotModified),
            ("by Date, sooner", SOONER, &[("date", THEN)], Condition::Full),
            ("not by Date", THEN, &[("date", THEN), ("last-modified", "yesterday")], Condition::Full),
            ("by nothing", THEN, &[], Condition::Full),
        ];
        for (name, since, stored, expected) in rows {
            let found = evaluate(&[("if-modified-since", since)], 200, stored);
            assert_eq!(found, expected, "{name}");
        }
        let twice = [("if-modified-since", THEN), ("if-modified-since", THEN)];
        assert_eq!(preconditions(&twice), None);
    }

    #[test]
    fn tags_win_over_dates() {
        let stored: Fields<'_> = &[("etag", "\"a\""), ("last-modified", THEN)];
        let other = [("if-modified-since", THEN), ("if-none-match", "\"b\"")];
        assert_eq!(evaluate(&other, 200, stored), Condition::Full);
        let same = [("if-modified-since", SOONER), ("if-none-match", "\"a\"")];
        assert_eq!(evaluate(&same, 200, stored), Condition::NotModified);
    }

    #[test]
    fn only_a_200_can_be_not_modified() {
        for status in [203, 204, 301, 404, 500] {
            let found = evaluate(&[("if-none-match", "*")], status, &[("etag", "\"a\"")]);
            assert_eq!(found, Condition::Full, "{status}");
        }
        assert_eq!(
            preconditions(&[("if-match", "\"a\""), ("accept", "*/*")]),
            None
        );
    }

    #[test]
    fn a_304_carries_what_guides_caches() {
        let stored = Headers::from_iter([
            ("content-type", "text/plain"),
            ("ETag", "\"a\""),
            ("vary", "accept"),
            ("vary", "accept-encoding"),
            ("last-modified", THEN),
            ("cache-control", "max-age=5"),
            ("cdn-cache-control", "max-age=9"),
            ("expires", THEN),
            ("date", THEN),
            ("content-location", "/a"),
            ("content-encoding", "gzip"),
        ]);
        let sent: Vec<u8> = not_modified_fields(&stored)
            .iter()
            .flat_map(|(name, _)| [name, b" "].concat())
            .collect();
        let expected =
            "ETag vary vary cache-control cdn-cache-control expires date content-location ";
        assert_eq!(String::from_utf8(sent).unwrap(), expected);

        let untagged = Headers::from_iter([
            ("last-modified", THEN),
            ("access-control-allow-origin", "*"),
            ("content-security-policy", "default-src 'self'"),
        ]);
        assert_eq!(not_modified_fields(&untagged), untagged);
    }

    #[test]
    fn a_body_has_a_strong_tag() {
        // RFC 1321, appendix A.5.
        let tag = content_etag(b"abc");
        assert_eq!(tag, "\"900150983cd24fb0d6963f7d28e17f72\"");
        let found = evaluate(&[("if-none-match", &tag)], 200, &[("etag", &tag)]);
        assert_eq!(found, Condition::NotModified);
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_tags_are_judged_and_its_own_tag_matches(
            tags in proptest::collection::vec(any::<u8>(), 0..60),
            etag in prop_oneof!["(W/)?\"[!#-~]{0,8}\"", "[ -~]{0,8}"],
        ) {
            let stored = Headers::from_iter([("etag", &etag)]);
            let found = Preconditions::NoneMatch(tags.clone()).evaluate(200, &stored);
            let has_tag = EntityTag::parse(etag.as_bytes()).is_some();
            prop_assert!(has_tag || list::trim(&tags) == b"*" || found == Condition::Full);
            let mut with_own = tags;
            with_own.extend_from_slice(b"\"x\",");
            let quotes = with_own.iter().filter(|&&byte| byte == b'"').count();
            with_own.extend_from_slice(etag.as_bytes());
            if has_tag && quotes == 2 {
                let found = Preconditions::NoneMatch(with_own).evaluate(200, &stored);
                prop_assert_eq!(found, Condition::NotModified);
            }
        }
    }
}
