//! The head of a response that is stored as gzip, in either form.
//!
//! What is stored is the origin's head; each answer is given what belongs to its form.
//!
//! "When an origin server has negotiated content codings [...] the server would have to use different entity tags" for them if
//! those are strong (RFC 9110 section 8.8.3.3). In gzip a strong tag becomes the weak one of the same name, so a client
//! that comes back with it is recognised by weak comparison, here and, where nothing is stored any more, by the origin
//! too, which never heard of a tag that we would make up. Weak tags promise no equal bytes and stay.

use super::suitability::varies_on_coding;
use crate::http::{EntityTag, Headers, Strength, list};

/// The head as it goes with the body in gzip.
pub fn gzip_fields(stored: Headers) -> Headers {
    let tag = weak_tag(&stored);
    let mut headers = plain_fields(stored);
    headers.remove("etag");
    if let Some(tag) = tag {
        headers.push("etag", tag);
    }
    // Parts are cut from the body as it came; whoever has this one should not try to go on with it.
    headers.remove("accept-ranges");
    headers.push("content-encoding", "gzip");
    headers
}

/// The head as it goes with the body as it came, where others get it in gzip.
pub fn plain_fields(mut stored: Headers) -> Headers {
    // "An origin server might generate a Vary header field [...] when it wishes that field to be used in matching" (RFC 9110
    // section 12.5.5): caches behind us must not give to one client what another accepts.
    if !varies_on_coding(&stored) {
        stored.push("vary", "accept-encoding");
    }
    stored
}

/// The weak tag of the same name; `None` where what is stored is no tag, or more than one.
fn weak_tag(stored: &Headers) -> Option<Vec<u8>> {
    let value = list::trim(stored.only("etag")?);
    match EntityTag::parse(value)?.strength() {
        Strength::Strong => Some([b"W/", value].concat()),
        Strength::Weak => Some(value.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn headers(fields: Fields<'_>) -> Headers {
        fields.iter().copied().collect()
    }

    #[test]
    fn each_form_has_its_head() {
        let rows: [(&str, Fields<'_>, Fields<'_>, Fields<'_>); 5] = [
            (
                "a strong tag",
                &[("ETag", "\"a\""), ("accept-ranges", "bytes"), ("x", "1")],
                &[
                    ("x", "1"),
                    ("vary", "accept-encoding"),
                    ("etag", "W/\"a\""),
                    ("content-encoding", "gzip"),
                ],
                &[
                    ("ETag", "\"a\""),
                    ("accept-ranges", "bytes"),
                    ("x", "1"),
                    ("vary", "accept-encoding"),
                ],
            ),
            (
                "a weak tag",
                &[("etag", "W/\"a\"")],
                &[
                    ("vary", "accept-encoding"),
                    ("etag", "W/\"a\""),
                    ("content-encoding", "gzip"),
                ],
                &[("etag", "W/\"a\""), ("vary", "accept-encoding")],
            ),
            (
                "no tag",
                &[("etag", "a")],
                &[("vary", "accept-encoding"), ("content-encoding", "gzip")],
                &[("etag", "a"), ("vary", "accept-encoding")],
            ),
            (
                "two tags",
                &[("etag", "\"a\""), ("etag", "\"b\"")],
                &[("vary", "accept-encoding"), ("content-encoding", "gzip")],
                &[
                    ("etag", "\"a\""),
                    ("etag", "\"b\""),
                    ("vary", "accept-encoding"),
                ],
            ),
            (
                "it varies already",
                &[("vary", "accept, Accept-Encoding")],
                &[
                    ("vary", "accept, Accept-Encoding"),
                    ("content-encoding", "gzip"),
                ],
                &[("vary", "accept, Accept-Encoding")],
            ),
        ];
        for (name, stored, gzip, plain) in rows {
            let stored = headers(stored);
            assert_eq!(gzip_fields(stored.clone()), headers(gzip), "{name}");
            assert_eq!(plain_fields(stored), headers(plain), "{name}");
        }
    }
}
