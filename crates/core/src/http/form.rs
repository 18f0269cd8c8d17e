//! Queries in the form that browsers send: `name=value` pairs between `&`, escaped (URL Standard, section 5.1,
//! "application/x-www-form-urlencoded parsing").
//!
//! A `+` is a space, an escape is its byte, a `%` without two hexadecimal digits is itself. Names and values stay bytes:
//! the standard goes on to decode them as UTF-8 and writes U+FFFD for what is none, which makes different bytes one text
//! ([`text`]).

use std::borrow::Cow;

/// One parameter of a query, its name and value decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// What stands before the first `=`.
    pub name: Cow<'a, [u8]>,
    /// What stands behind it; empty also where there is none.
    pub value: Cow<'a, [u8]>,
}

/// The parameters of a query, in order; empty ones between two `&` are none.
pub fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    pieces.map(|piece| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Parameter {
            name: decode(name.as_bytes()),
            value: decode(value.as_bytes()),
        }
    })
}

/// The text of decoded bytes, with U+FFFD for what is no UTF-8.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Decodes a name or a value.
pub fn decode(escaped: &[u8]) -> Cow<'_, [u8]> {
    if !escaped.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(escaped);
    }
    let mut decoded = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((first, behind)) = rest.split_first() {
        let (byte, behind) = match (*first, behind) {
            (b'+', _) => (b' ', behind),
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high.wrapping_shl(4) | low, behind),
                (Some(_) | None, _) => (b'%', rest.get(1..).unwrap_or_default()),
            },
            (byte, _) => (byte, behind),
        };
        decoded.push(byte);
        rest = behind;
    }
    Cow::Owned(decoded)
}

fn digit(letter: u8) -> Option<u8> {
    let value = char::from(letter).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Writes a text such that [`decode`] gives it back, with no byte in it that means something elsewhere.
pub fn encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |nibble: u8| {
        DIGITS
            .get(usize::from(nibble))
            .map_or('0', |&d| char::from(d))
    };
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            _ => out.extend(['%', hex(byte.wrapping_shr(4)), hex(byte & 15)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_is_read_as_a_form() {
        let read = |query| -> Vec<(String, String)> {
            parameters(query)
                .map(|Parameter { name, value }| (text(&name).into(), text(&value).into()))
                .collect()
        };
        for (query, expected) in [
            ("", &[][..]),
            ("&&", &[]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=a", &[("", "a")]),
            ("=", &[("", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=1&&b=2&", &[("a", "1"), ("b", "2")]),
            ("a+b=c+%20d", &[("a b", "c  d")]),
            ("%61%3d=%26%2B", &[("a=", "&+")]),
            (
                "a=%&b=%4&c=%4g%41&d=%%41",
                &[("a", "%"), ("b", "%4"), ("c", "%4gA"), ("d", "%A")],
            ),
            ("a;b=1;c", &[("a;b", "1;c")]),
            ("%c3%a9=%f6", &[("é", "\u{fffd}")]),
            ("%ef%bb%bfa", &[("\u{feff}a", "")]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(read(query), expected, "{query}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_was_encoded_is_decoded(text in any::<String>()) {
            let mut encoded = String::new();
            encode(&text, &mut encoded);
            prop_assert_eq!(&*decode(encoded.as_bytes()), text.as_bytes());
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*%".contains(&byte)));
        }

        #[test]
        fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(decode(&bytes).len() <= bytes.len());
        }
    }
}
