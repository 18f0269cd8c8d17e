//! Whether a stored response may be sent in another coding than it came in.
//!
//! Only what a 200 has can be: ranges, conditions and confirmations are about it. And only where nobody has said or done
//! anything about its coding: no origin that negotiates it, no `no-transform`, no digest or signature of the bytes as they
//! are. Whether it is worth the effort is seen when it is tried, but for what is known to be compressed by its type.

use super::forbids_transforming;
use crate::http::{Headers, list};

/// Fields that vouch for the very bytes, or say how they are coded: RFC 9530, what came before it (RFC 3230, RFC 1864), and
/// RFC 9421, whose signatures mostly cover one of them or the entity tag.
const ABOUT_THE_BYTES: [&str; 8] = [
    "content-digest",
    "content-encoding",
    "content-md5",
    "content-range",
    "digest",
    "repr-digest",
    "signature",
    "signature-input",
];

/// Types whose bytes are compressed already; all of [`MEDIA`] but for [`PLAIN_MEDIA`], and what ends in `+zip`, are beside them.
const COMPRESSED: [&str; 24] = [
    "application/epub+zip",
    "application/font-woff",
    "application/font-woff2",
    "application/gzip",
    "application/java-archive",
    "application/ogg",
    "application/pdf",
    "application/vnd.android.package-archive",
    "application/vnd.ms-cab-compressed",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-brotli",
    "application/x-bzip",
    "application/x-bzip2",
    "application/x-compress",
    "application/x-gzip",
    "application/x-lzip",
    "application/x-rar-compressed",
    "application/x-xz",
    "application/zip",
    "application/zlib",
    "application/zstd",
    "font/woff",
    "font/woff2",
];

/// Office documents, which are zip archives.
const COMPRESSED_FAMILIES: [&str; 2] = [
    "application/vnd.oasis.opendocument.",
    "application/vnd.openxmlformats-officedocument.",
];

const MEDIA: [&str; 3] = ["audio/", "image/", "video/"];

/// Media that is not.
const PLAIN_MEDIA: [&str; 6] = [
    "audio/midi",
    "image/bmp",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "image/x-icon",
    "image/x-ms-bmp",
];

/// Whether a response with this head may be stored and sent as gzip.
pub fn is_suitable(status: u16, headers: &Headers) -> bool {
    status == 200
        && !ABOUT_THE_BYTES.iter().any(|name| headers.contains(name))
        && !forbids_transforming(headers)
        && !varies_on_coding(headers)
        && !headers.all("content-type").any(is_compressed)
}

/// Whether it says that it depends on what the client accepts: where the origin says so, it has chosen this form for some.
pub(super) fn varies_on_coding(headers: &Headers) -> bool {
    let mut names = list::elements(headers.all("vary"));
    names.any(|name| name.bytes().eq_ignore_ascii_case(b"accept-encoding"))
}

/// Whether a media type is one of compressed bytes. What has none, or an unknown one, may be anything.
fn is_compressed(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next();
    let essence = list::trim(essence.unwrap_or_default());
    let is_zip = essence
        .last_chunk::<4>()
        .is_some_and(|end| end.eq_ignore_ascii_case(b"+zip"));
    (begins_like_one_of(&MEDIA, essence) && !is_one_of(&PLAIN_MEDIA, essence))
        || is_zip
        || is_one_of(&COMPRESSED, essence)
        || begins_like_one_of(&COMPRESSED_FAMILIES, essence)
}

#[inline(never)] // once for each list it would be several kilobytes
fn is_one_of(names: &[&str], essence: &[u8]) -> bool {
    let mut names = names.iter();
    names.any(|name| essence.eq_ignore_ascii_case(name.as_bytes()))
}

fn begins_like_one_of(starts: &[&str], essence: &[u8]) -> bool {
    let mut heads = starts
        .iter()
        .map(|start| (start, essence.get(..start.len())));
    heads.any(|(start, head)| head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suits(fields: &[(&str, &str)]) -> bool {
        is_suitable(200, &fields.iter().copied().collect())
    }

    #[test]
    fn types_of_compressed_bytes_are_left_alone() {
        for (value, expected) in [
            ("text/html; charset=utf-8", true),
            ("application/json", true),
            ("image/svg+xml", true),
            ("IMAGE/SVG+XML ; a=b", true),
            ("application/octet-stream", true),
            ("application/wasm", true),
            ("nonsense", true),
            ("", true),
            ("image/png", false),
            ("Image/WebP", false),
            ("video/mp4", false),
            ("audio/ogg;codecs=opus", false),
            (" application/ZIP ", false),
            ("application/x+zip", false),
            ("application/gzip", false),
            ("font/woff2", false),
            ("font/ttf", true),
            ("application/pdf", false),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                false,
            ),
        ] {
            assert_eq!(suits(&[("Content-Type", value)]), expected, "{value}");
        }
        assert!(suits(&[]), "no type at all");
        let two = [("content-type", "text/html"), ("content-type", "image/png")];
        assert!(!suits(&two));
    }

    #[test]
    fn what_somebody_has_a_say_in_is_left_alone() {
        for (name, value) in [
            ("Content-Encoding", "br"),
            ("content-encoding", "identity"),
            ("Content-MD5", "x"),
            ("Digest", "x"),
            ("Content-Digest", "x"),
            ("Repr-Digest", "x"),
            ("Signature", "x"),
            ("Cache-Control", "max-age=60, No-Transform"),
            ("cdn-cache-control", "no-transform"),
            ("Vary", "accept, Accept-Encoding"),
        ] {
            assert!(!suits(&[(name, value)]), "{name}: {value}");
        }
        for (name, value) in [
            ("cache-control", "max-age=60, x=\"no-transform\""),
            ("vary", "accept, accept-language"),
            ("etag", "\"1\""),
            ("set-cookie", "a=1"),
        ] {
            assert!(suits(&[(name, value)]), "{name}: {value}");
        }
    }

    #[test]
    fn only_a_200_is_compressed() {
        for status in [201, 203, 204, 301, 404, 500] {
            assert!(!is_suitable(status, &Headers::new()), "{status}");
        }
    }
}
