//! The key of one variant of a URL.
//!
//! A response with Vary can answer only requests whose selecting fields match those of the request that fetched it
//! (RFC 9111 section 4.1):
//!
//! > The header fields from two requests are defined to match if and only if those in the first request can be
//! > transformed to those in the second request by applying any of the following: adding or removing whitespace,
//! > where allowed in the header field's syntax; combining multiple header field lines with the same field name […];
//! > normalizing both header field values in a way that is known to have identical semantics
//!
//! So a variant's key is that of the URL and, for each field the response names, the elements of its value without
//! the white space around them, whatever lines they came in. Order and case of elements stay, except in
//! Accept-Encoding and Accept-Language, which are brought to one spelling ([`super::accept`]). In fields whose comma is no
//! separator, lines stay whole.
//!
//! A request has one variant's key, because all responses of a URL are kept by the same fields: those that any of them
//! has named. So there is never a choice between several stored responses that match; under the one key stands what was
//! stored last, which is what RFC 9111 section 4 would have a cache choose: "When more than one suitable response is
//! stored, a cache MUST use the most recent one (as determined by the Date header field)".
//!
//! Names and elements are sorted and counted like every part of a key: a field that is absent is not one that is
//! empty. `Vary: *` matches nothing; it has no key, and whoever asks for one has already been refused.

use std::borrow::Cow;

use super::canonical::{Canonical, List, Tag};
use super::{Key, KeyError, accept};
use crate::http::Headers;
use crate::sorting::sort_by;

/// A response that varies on more fields than this has no key.
const MAX_FIELDS: usize = 32;

/// Fields in which a comma does not separate elements.
const WHOLE: [&str; 9] = [
    "authorization",
    "cookie",
    "date",
    "from",
    "if-modified-since",
    "if-unmodified-since",
    "proxy-authorization",
    "referer",
    "user-agent",
];

impl Key {
    /// The key of the variant that answers a request with these fields, for a response that varies on `names`. It has
    /// at most `max_key_bytes`.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLong`], also for more than 32 names.
    pub fn variant<N: AsRef<str>>(
        &self,
        names: &[N],
        request: &Headers,
        max_key_bytes: usize,
    ) -> Result<Key, KeyError> {
        if names.len() > MAX_FIELDS {
            return Err(KeyError::TooLong);
        }
        let mut names: Vec<Cow<'_, str>> = names.iter().map(|name| lower(name.as_ref())).collect();
        sort_by(&mut names, Ord::cmp);
        names.dedup();
        let mut canonical = Canonical::resume(self.canonical(), max_key_bytes);
        for name in &names {
            canonical.list(Tag::Vary, |list| {
                list.element(&[name.as_bytes()]);
                match accept::normalized(name, request.all(name)) {
                    Some(choices) => accept::write(list, &choices),
                    None => write_lines(list, name, request),
                }
            });
        }
        canonical.finish()
    }
}

/// In lower case, as the names are that a list of variants has.
fn lower(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

fn write_lines(list: &mut List<'_>, name: &str, request: &Headers) {
    for line in request.all(name) {
        match WHOLE.contains(&name) || !is_balanced(line) {
            true => list.element(&[trim(line)]),
            false => write_elements(list, line),
        }
    }
}

/// Where a byte stands (RFC 9110 section 5.6.4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Escaped,
    Inside,
    Outside,
}

impl Quote {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Outside, b'"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, b'"') => Self::Outside,
            (Self::Inside, b'\\') => Self::Escaped,
            (Self::Inside | Self::Outside, _) => self,
        }
    }
}

fn is_balanced(line: &[u8]) -> bool {
    let end = line
        .iter()
        .fold(Quote::Outside, |quote, byte| quote.after(*byte));
    end == Quote::Outside
}

fn write_elements(list: &mut List<'_>, line: &[u8]) {
    let mut quote = Quote::Outside;
    let elements = line.split(|byte| {
        quote = quote.after(*byte);
        *byte == b',' && quote == Quote::Outside
    });
    for element in elements {
        list.element(&[trim(element)]);
    }
}

// OWS: spaces and tabs (RFC 9110 section 5.6.3).
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::canonical::tests::{elements, fields};
    use super::*;
    use proptest::prelude::*;

    fn primary() -> Key {
        let mut canonical = Canonical::new(100);
        canonical.bytes(Tag::Host, &[b"a"]);
        canonical.finish().unwrap()
    }

    fn variant(names: &[&str], lines: &[(&str, &str)]) -> Key {
        let request = Headers::from_iter(lines.iter().copied());
        primary().variant(names, &request, 4096).unwrap()
    }

    #[test]
    fn requests_that_match_share_a_variant() {
        let plain = [("accept", "a, b"), ("x", "1")];
        for (name, names, lines) in [
            (
                "names in other case and order",
                &["X", "ACCEPT"][..],
                &plain[..],
            ),
            ("repeated names", &["accept", "x", "Accept"], &plain),
            (
                "white space",
                &["accept", "x"],
                &[("accept", " a ,\tb "), ("x", "1")],
            ),
            (
                "several lines",
                &["accept", "x"],
                &[("Accept", "a"), ("x", "1"), ("accept", "b")],
            ),
            (
                "other fields",
                &["accept", "x"],
                &[("accept", "a,b"), ("x", "1"), ("y", "2")],
            ),
        ] {
            assert_eq!(
                variant(names, lines),
                variant(&["accept", "x"], &plain),
                "{name}"
            );
        }
    }

    #[test]
    fn requests_that_differ_have_variants_of_their_own() {
        let cases: &[&[(&str, &str)]] = &[
            &[],
            &[("x", "")],
            &[("x", ",")],
            &[("x", "a,b")],
            &[("x", "b,a")],
            &[("x", "A,b")],
            &[("x", "a b")],
            &[("x", "\"a,b\"")],
            &[("x", "\"a, b\"")],
            &[("x", "\"a\\\",b\"")],
            &[("x", "\"a,b")],
            &[("x", "\"a, b")],
            &[("x", "\"a"), ("x", "b")],
            &[("user-agent", "a,b")],
            &[("user-agent", "a, b")],
            &[("user-agent", "a"), ("user-agent", "b")],
        ];
        for (index, one) in cases.iter().enumerate() {
            for other in cases.iter().skip(index + 1) {
                let names = ["x", "user-agent"];
                assert_ne!(
                    variant(&names, one),
                    variant(&names, other),
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_variant_is_no_other_url() {
        assert_ne!(variant(&["x"], &[]), primary());
        assert_ne!(variant(&["x"], &[]), variant(&["y"], &[]));
    }

    #[test]
    fn a_variant_is_bounded() {
        let request = Headers::from_iter([("x", "a".repeat(100))]);
        let key = |most| primary().variant(&["x"], &request, most);
        assert_eq!(key(100), Err(KeyError::TooLong));
        assert!(key(200).is_ok());
        let names: Vec<_> = (0..33).map(|index| format!("x{index}")).collect();
        assert_eq!(
            primary().variant(&names, &request, 4096),
            Err(KeyError::TooLong)
        );
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_lines_make_a_variant_that_can_be_read_back(
            lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..4)
        ) {
            let request = Headers::from_iter(lines.iter().map(|line| ("x", line)));
            let key = primary().variant(&["x"], &request, 4096).unwrap();
            let fields = fields(key.canonical());
            let (tag, content) = fields.last().unwrap();
            prop_assert_eq!(*tag, Tag::Vary as u8);
            let elements = elements(content);
            prop_assert!(elements.len() > lines.len());
            let letters = |bytes: &[u8]| bytes.iter().filter(|b| !b" \t,".contains(b)).count();
            let written: usize = elements.iter().skip(1).map(|element| letters(element)).sum();
            prop_assert_eq!(written, lines.iter().map(|line| letters(line)).sum::<usize>());
        }
    }
}
