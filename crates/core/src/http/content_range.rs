//! Content-Range: which bytes of a representation a 206 carries (RFC 9110 section 14.4).
//!
//! ```text
//! Content-Range = "bytes" SP first-pos "-" last-pos "/" ( complete-length / "*" )
//! ```
//!
//! Only what names its place in a representation of a known length is one here: other units, the `*` of a 416, and the
//! `*` of a length that nobody knows tell a cache nothing that it could build on.

use std::fmt;

use super::{Span, decimal, list};

/// The longest representation of which a part has a place: 4 GiB, what a 32-bit guest can count. It is the same on all
/// targets, so that tests on one say something about the other.
const MAX_LENGTH: u64 = u32::MAX as u64;

/// A part of a representation, and how long that is: the part lies within it, so neither is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    span: Span,
    length: usize,
}

impl ContentRange {
    /// Reads the value of a Content-Range field.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, rest) = cut(list::trim(value), b' ')?;
        // "All range unit names are case-insensitive" RFC 9110 section 14.1.
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let (range, length) = cut(rest, b'/')?;
        let (first, last) = cut(range, b'-')?;
        Self::new(number(first)?, number(last)?, number(length)?)
    }

    /// The bytes from `first` to `last`, both inclusive, of `length`. "A Content-Range field value is invalid if it
    /// contains a range-resp that has a last-pos value less than its first-pos value, or a complete-length value less than
    /// or equal to its last-pos value." RFC 9110 section 14.4.
    pub fn new(first: usize, last: usize, length: usize) -> Option<Self> {
        let fits = last < length && u64::try_from(length).is_ok_and(|length| length <= MAX_LENGTH);
        let span = Span::new(first, last)?;
        fits.then_some(Self { span, length })
    }

    /// All of a representation; `None` where there is nothing of it.
    pub fn whole(length: usize) -> Option<Self> {
        Self::new(0, length.checked_sub(1)?, length)
    }

    /// Another part of the same representation; `None` where that has no such bytes.
    pub fn with_span(self, span: Span) -> Option<Self> {
        Self::new(span.first(), span.last(), self.length)
    }

    /// The bytes.
    pub fn span(self) -> Span {
        self.span
    }

    /// How long the whole representation is.
    pub fn length(self) -> usize {
        self.length
    }

    /// Whether it is all of the representation.
    pub fn is_whole(self) -> bool {
        self.span.len() == self.length
    }
}

/// The value of the field.
impl fmt::Display for ContentRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span, length } = self;
        write!(out, "bytes {}-{}/{length}", span.first(), span.last())
    }
}

/// What stands before and behind the first `separator`.
fn cut(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

fn number(digits: &[u8]) -> Option<usize> {
    let number = decimal(digits.iter().copied())?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_that_have_a_place() {
        #[rustfmt::skip]
        let rows = [
            ("the first bytes", "bytes 0-499/1234", "bytes 0-499/1234"),
            ("the last byte", "bytes 1233-1233/1234", "bytes 1233-1233/1234"),
            ("all", "bytes 0-1233/1234", "bytes 0-1233/1234"),
            ("another case", " BYTES 0-0/1 ", "bytes 0-0/1"),
            ("leading zeros", "bytes 00-04/0010", "bytes 0-4/10"),
            ("as long as can be", "bytes 0-0/4294967295", "bytes 0-0/4294967295"),
        ];
        for (name, value, written) in rows {
            let found = ContentRange::parse(value.as_bytes());
            assert_eq!(
                found.map(|found| found.to_string()),
                Some(written.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn values_that_have_none() {
        for value in [
            "",
            "bytes",
            "bytes 0-499",
            "bytes 0-499/*",
            "bytes */1234",
            "bytes 499-0/1234",
            "bytes 0-1234/1234",
            "bytes 0-0/0",
            "bytes -5/10",
            "bytes 5-/10",
            "bytes 0 - 4/10",
            "bytes  0-4/10",
            "bytes=0-4/10",
            "bytes 0-4/10, bytes 5-9/10",
            "bytes 0-4/10/10",
            "bytes +0-4/10",
            "lines 0-4/10",
            "bytes 0-0/4294967296",
            "bytes 0-0/99999999999999999999999",
            "bytes 18446744073709551616-18446744073709551616/99999999999999999999999",
        ] {
            assert_eq!(ContentRange::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_part_knows_whether_it_is_all() {
        let whole = ContentRange::whole(10).unwrap();
        let part = whole.with_span(Span::new(0, 8).unwrap()).unwrap();
        assert_eq!((whole.is_whole(), part.is_whole()), (true, false));
        assert_eq!((part.span().len(), part.length()), (9, 10));
        assert_eq!(ContentRange::whole(0), None);
        assert_eq!(part.with_span(Span::new(8, 10).unwrap()), None);
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_have_a_place_or_none(value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "(bytes|x)? ?[0-9\\-/*]{0,30}".prop_map(String::into_bytes),
        ]) {
            if let Some(range) = ContentRange::parse(&value) {
                prop_assert!(range.span().last() < range.length());
                prop_assert_eq!(ContentRange::parse(range.to_string().as_bytes()), Some(range));
            }
        }
    }
}
