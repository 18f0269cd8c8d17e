//! Asking the origin whether a stored response is still good, and what its yes changes (RFC 9111 section 4.3).
//!
//! A client's conditions are about what the client has, ours about what is stored. For the time of the question ours
//! take their place; when the answer is known, theirs are evaluated on it ([`super::validation`]).

use crate::config::SetCookie;
use crate::http::{EntityTag, Headers, ResponseHead, Strength};
use crate::policy::fields;
use crate::policy::storable::announced_length;
use crate::time::{Timestamp, parse_http_date};

/// The request fields that carry the question.
pub const CONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// The response fields that are asked about with them.
const VALIDATORS: [&str; 2] = ["etag", "last-modified"];

/// Fields about the stored bytes, which an update leaves alone: they are not sent again, so these can only be right as they
/// are. RFC 9111 section 3.2 excepts Content-Length, "header fields that the cache's stored response depends upon" and those
/// that are "automatically processed and removed", such as Content-Range, from what an update replaces. Content-Type is none
/// of them where nothing is made of the bytes: "the Content-* prefix is not a signal that a header field is omitted from
/// update" (as before).
const ABOUT_THE_BODY: [&str; 3] = ["content-encoding", "content-length", "content-range"];

/// Whether the origin gave something to ask with. Only a 200 is ever confirmed by a 304: conditions are not evaluated
/// for other statuses (RFC 9110 section 13.2.1).
pub fn has_validator(response: &ResponseHead) -> bool {
    response.status == 200 && conditions(&response.headers).next().is_some()
}

/// The question whether a stored response is still good, as request fields.
pub fn conditions(stored: &Headers) -> impl Iterator<Item = (&'static str, &[u8])> {
    let [none_match, modified_since] = CONDITIONS;
    // "MUST send the relevant entity tags (using If-Match, If-None-Match, or If-Range) if the entity tags were provided in
    // the stored response(s) being validated" RFC 9111 section 4.3.1.
    let tag = stored.only("etag");
    let tag = tag.filter(|tag| EntityTag::parse(tag).is_some());
    // "SHOULD send the Last-Modified value (using If-Modified-Since) if the request is not for a subrange, a single stored
    // response is being validated, and that response contains a Last-Modified value" (as before).
    let date = stored.only("last-modified");
    let date = date.filter(|date| parse_http_date(date).is_some());
    let tag = tag.map(|tag| (none_match, tag));
    tag.into_iter()
        .chain(date.map(|date| (modified_since, date)))
}

/// Whether a 304 is about the stored response that was asked about, and so may update it.
pub fn is_about(stored: &Headers, update: &Headers) -> bool {
    let ours = stored.only("etag").and_then(EntityTag::parse);
    let Some(theirs) = update.only("etag").and_then(EntityTag::parse) else {
        // One response was asked about, and the answer names no other.
        let date = |headers: &Headers| headers.only("last-modified").and_then(parse_http_date);
        return date(update).is_none_or(|theirs| date(stored).is_none_or(|ours| ours == theirs));
    };
    match theirs.strength() {
        // "If none of the initial set contains at least one of the same strong validators, then the cache MUST NOT use the
        // new response to update any stored responses." RFC 9111 section 4.3.4.
        Strength::Strong => ours.is_some_and(|ours| ours.matches_strongly(&theirs)),
        // "If the new response contains no strong validators but does contain one or more weak validators, and if those
        // validators correspond to one of the initial set's stored responses, then the most recent of those matching stored
        // responses is identified for update." (as before)
        Strength::Weak => ours.is_some_and(|ours| ours.matches_weakly(&theirs)),
    }
}

/// Whether a head names its representation beyond doubt.
pub fn has_strong_tag(headers: &Headers) -> bool {
    let tag = headers.only("etag").and_then(EntityTag::parse);
    tag.is_some_and(|tag| tag.strength() == Strength::Strong)
}

/// Whether the response to a HEAD is about the stored body, which has `length` bytes.
///
/// "if the stored response and HEAD response have matching values for any received validator fields (ETag and
/// Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches that of the
/// stored response" RFC 9111 section 4.3.5. A length alone proves nothing, so without a validator it is about another.
pub fn describes(head: &ResponseHead, stored: &Headers, length: usize) -> bool {
    let agrees = |name| match head.headers.only(name) {
        Some(value) => stored.only(name) == Some(value),
        None => !head.headers.contains(name),
    };
    let is_named = VALIDATORS.iter().any(|name| head.headers.contains(name));
    let has_length = match announced_length(&head.headers) {
        Some(announced) => usize::try_from(announced) == Ok(length),
        None => true,
    };
    is_named && has_length && VALIDATORS.into_iter().all(agrees)
}

/// The stored response's head with what the 304 says of it, received at `received`.
pub fn freshen(
    stored: Headers,
    update: &Headers,
    cookies: SetCookie,
    received: Timestamp,
) -> Headers {
    let mut update_kept = fields::stored(update, cookies, received);
    for name in ABOUT_THE_BODY {
        update_kept.remove(name);
    }
    replace(stored, &update_kept)
}

/// The fields of `stored` with those of `update` in place of others of the same name: "the cache MUST add each header field
/// in the provided response to the stored response, replacing field values that are already present" RFC 9111 section
/// 3.2.
pub(super) fn replace(stored: Headers, update: &Headers) -> Headers {
    let mut merged = stored;
    merged.retain(|name, _| !update.iter().any(|(new, _)| new.eq_ignore_ascii_case(name)));
    for (name, value) in update.iter() {
        merged.push(name, value);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;

    const NOW: Timestamp = Timestamp::from_secs(784_111_777);
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const DAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const OTHER_DAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn headers(fields: Fields<'_>) -> Headers {
        fields.iter().copied().collect()
    }

    #[test]
    fn all_usable_validators_are_asked_with() {
        let rows: [(&str, Fields<'_>, Fields<'_>); 5] = [
            ("a tag", &[("etag", "\"1\"")], &[("if-none-match", "\"1\"")]),
            (
                "both",
                &[("last-modified", DAY), ("etag", "W/\"1\"")],
                &[("if-none-match", "W/\"1\""), ("if-modified-since", DAY)],
            ),
            ("nothing", &[DATE], &[]),
            (
                "what is no tag and no date",
                &[("etag", "1"), ("last-modified", "monday")],
                &[],
            ),
            ("two tags", &[("etag", "\"1\""), ("etag", "\"2\"")], &[]),
        ];
        for (name, stored, expected) in rows {
            let stored = headers(stored);
            let asked: Headers = conditions(&stored).collect();
            assert_eq!(asked, headers(expected), "{name}");
        }
    }

    #[test]
    fn a_304_updates_only_what_it_is_about() {
        let rows: [(&str, Fields<'_>, Fields<'_>, bool); 9] = [
            (
                "the same tag",
                &[("etag", "\"1\"")],
                &[("etag", "\"1\"")],
                true,
            ),
            (
                "another tag",
                &[("etag", "\"1\"")],
                &[("etag", "\"2\"")],
                false,
            ),
            (
                "a weak one of ours",
                &[("etag", "\"1\"")],
                &[("etag", "W/\"1\"")],
                true,
            ),
            (
                "a strong one of a weak",
                &[("etag", "W/\"1\"")],
                &[("etag", "\"1\"")],
                false,
            ),
            (
                "a tag where there was none",
                &[("last-modified", DAY)],
                &[("etag", "\"1\"")],
                false,
            ),
            ("no tag", &[("etag", "\"1\"")], &[], true),
            (
                "the same date",
                &[("last-modified", DAY)],
                &[("last-modified", DAY)],
                true,
            ),
            (
                "another date",
                &[("last-modified", DAY)],
                &[("last-modified", OTHER_DAY)],
                false,
            ),
            (
                "what is no tag",
                &[("etag", "\"1\"")],
                &[("etag", "1")],
                true,
            ),
        ];
        for (name, stored, update, expected) in rows {
            assert_eq!(
                is_about(&headers(stored), &headers(update)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_head_describes_the_stored_body_if_nothing_it_says_differs() {
        let stored = headers(&[("etag", "\"1\""), ("last-modified", DAY)]);
        let rows: [(&str, Fields<'_>, bool); 9] = [
            ("the same tag", &[("etag", "\"1\"")], true),
            ("the same date", &[("last-modified", DAY)], true),
            (
                "both, and the length",
                &[
                    ("etag", "\"1\""),
                    ("last-modified", DAY),
                    ("content-length", "5"),
                ],
                true,
            ),
            (
                "another tag",
                &[("etag", "\"2\""), ("last-modified", DAY)],
                false,
            ),
            ("a weak one", &[("etag", "W/\"1\"")], false),
            (
                "another date",
                &[("etag", "\"1\""), ("last-modified", OTHER_DAY)],
                false,
            ),
            (
                "another length",
                &[("etag", "\"1\""), ("content-length", "6")],
                false,
            ),
            ("two tags", &[("etag", "\"1\""), ("etag", "\"1\"")], false),
            ("the length alone", &[("content-length", "5")], false),
        ];
        for (name, fields, expected) in rows {
            let head = ResponseHead {
                status: 200,
                headers: headers(fields),
            };
            assert_eq!(describes(&head, &stored, 5), expected, "{name}");
        }
    }

    #[test]
    fn a_304_replaces_what_it_names_but_not_how_the_body_is_coded() {
        let stored = headers(&[
            DATE,
            ("content-type", "text/html"),
            ("content-encoding", "gzip"),
            ("link", "<a>"),
            ("link", "<b>"),
            ("x-kept", "1"),
            ("cache-control", "max-age=1"),
        ]);
        let update = headers(&[
            ("date", OTHER_DAY),
            ("content-type", "text/plain"),
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("content-length", "0"),
            ("Link", "<c>"),
            ("cache-control", "max-age=60"),
            ("age", "3"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ]);
        let expected = headers(&[
            ("content-encoding", "gzip"),
            ("x-kept", "1"),
            ("date", OTHER_DAY),
            ("content-type", "text/plain"),
            ("Link", "<c>"),
            ("cache-control", "max-age=60"),
        ]);
        let merged = freshen(stored, &update, SetCookie::Bypass, NOW);
        assert_eq!(merged, expected);
        assert_eq!(
            freshen(merged, &update, SetCookie::Bypass, NOW),
            expected,
            "the second time changes nothing"
        );
    }
}
