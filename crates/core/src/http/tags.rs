//! The fields in which origins name the tags of a response, each family's own: none of them is a standard.
//!
//! | field | between its names | known from |
//! |---|---|---|
//! | `Surrogate-Key`, `xkey` | spaces | Fastly, Varnish |
//! | `Cache-Tag`, `Edge-Cache-Tag`, `X-Cache-Tags`, `X-Magento-Tags` | commas | Cloudflare and CloudFront, Akamai, FOSHttpCache, Magento |
//!
//! Whether case matters is told differently by each; here every name is compared byte by byte.

use std::borrow::Cow;

use super::Headers;
use super::list::trim;

/// The fields, in lower case.
pub const TAG_FIELDS: [&str; 6] = [
    "surrogate-key",
    "xkey",
    "cache-tag",
    "edge-cache-tag",
    "x-cache-tags",
    "x-magento-tags",
];

/// The names in all lines of one of [`TAG_FIELDS`], as they came: not empty, without space around them.
pub fn tags<'a>(headers: &'a Headers, field: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let is_spaced = matches!(field, "surrogate-key" | "xkey");
    let separates = move |byte: &u8| match byte {
        b',' => !is_spaced,
        b' ' | b'\t' => is_spaced,
        _ => false,
    };
    let lines = headers.all(field);
    let names = lines.flat_map(move |line| line.split(separates));
    let name = move |name| match is_spaced {
        true => without_commas(name),
        false => trim(name),
    };
    names.map(name).filter(|name| !name.is_empty())
}

/// Without the commas around a name, which may have come between lines that a proxy joined.
fn without_commas(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b",").unwrap_or(name);
    name.strip_suffix(b",").unwrap_or(name)
}

/// A tag's name as it is kept and compared: what is no visible US-ASCII is written as `%` and two digits, so that every
/// name can stand in a header field and in a URL.
pub fn tag_name(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().all(u8::is_ascii_graphic) {
        return Cow::Borrowed(name);
    }
    let mut out = Vec::new();
    for byte in name {
        match byte {
            byte if byte.is_ascii_graphic() => out.push(*byte),
            byte => {
                out.push(b'%');
                let digit = |half: u8| match half {
                    0..=9 => b'0'.wrapping_add(half),
                    _ => b'A'.wrapping_sub(10).wrapping_add(half),
                };
                out.extend([digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    Cow::Owned(out)
}

/// Takes away what only caches should see.
pub fn remove_tags(headers: &mut Headers) {
    for name in TAG_FIELDS {
        if headers.contains(name) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str, lines: &[&str]) -> Vec<String> {
        let headers = lines.iter().map(|line| (field, *line)).collect();
        tags(&headers, field)
            .map(|name| String::from_utf8(name.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn names_are_separated_as_their_family_does() {
        let rows: [(&str, &[&str], &[&str]); 10] = [
            ("surrogate-key", &[" a  b:c\td "], &["a", "b:c", "d"]),
            ("xkey", &["a", "b c"], &["a", "b", "c"]),
            ("xkey", &["a, b,c,"], &["a", "b,c"]),
            ("cache-tag", &["a, b:c ,,d"], &["a", "b:c", "d"]),
            ("edge-cache-tag", &["a b, c"], &["a b", "c"]),
            ("x-cache-tags", &["A,a", "a"], &["A", "a", "a"]),
            (
                "x-magento-tags",
                &["cat_c,cat_c_38"],
                &["cat_c", "cat_c_38"],
            ),
            ("x-cache-tags", &["\"a,b\""], &["\"a", "b\""]),
            ("cache-tag", &["", " , "], &[]),
            ("surrogate-key", &[], &[]),
        ];
        for (field, lines, expected) in rows {
            assert_eq!(read(field, lines), expected, "{field} {lines:?}");
        }
    }

    #[test]
    fn every_name_can_be_seen() {
        for (name, expected) in [
            (&b"user:7%2F!~"[..], &b"user:7%2F!~"[..]),
            (b"a b\0", b"a%20b%00"),
            ("\u{e9}\u{7f}".as_bytes(), b"%C3%A9%7F"),
        ] {
            assert_eq!(&*tag_name(name), expected);
        }
    }
}
