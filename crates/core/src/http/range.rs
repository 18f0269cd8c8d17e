//! Byte ranges: which parts of a representation a client asks for (RFC 9110 section 14.1).
//!
//! ```text
//! ranges-specifier = range-unit "=" range-set          range-set    = 1#range-spec
//! int-range        = first-pos "-" [ last-pos ]        suffix-range = "-" suffix-length
//! ```
//!
//! Only `bytes` is known; it has no other kinds of range-spec. One range-spec that is none makes the whole field
//! invalid, so nothing is ever guessed from half of it. What a set of ranges comes to depends on the length of the
//! representation ([`RangeSpec::within`]); whether it is answered is for others to say.
//!
//! Total: any bytes give a set or an error. A number too large to be represented lies behind the end of every
//! representation, so it is clamped: "recipients MUST anticipate potentially large decimal numerals and prevent
//! parsing errors due to integer conversion overflows" (section 14.1.2).

use std::borrow::Cow;

use super::{decimal, list};

/// The most ranges that are read of one field. It bounds the memory and the sorting that a field costs; readers of
/// paged documents, which ask for more than a few at once, ask for some dozens.
pub const MAX_RANGES: usize = 64;

/// One range as it is asked for, before the length of the representation is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From an offset to the end.
    From(u64),
    /// From one offset to another, both inclusive, the first not greater than the last.
    FromTo(u64, u64),
    /// So many bytes at the end.
    Suffix(u64),
}

/// The ranges of one field: at least one, at most [`MAX_RANGES`], in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSet(Vec<RangeSpec>);

/// Why a Range field is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// It does not follow the grammar.
    Invalid,
    /// It is about another unit than bytes.
    OtherUnit,
    /// It asks for more than [`MAX_RANGES`] ranges.
    TooMany,
}

/// Bytes of a representation that exist: `first` and `last` are offsets, both inclusive, and never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    first: usize,
    last: usize,
}

impl RangeSet {
    /// Reads the value of a Range field.
    pub fn parse(value: &[u8]) -> Result<Self, RangeError> {
        let value = list::trim(value);
        let equals = value.iter().position(|&byte| byte == b'=');
        let (unit, set) = value
            .split_at_checked(equals.ok_or(RangeError::Invalid)?)
            .ok_or(RangeError::Invalid)?;
        // "All range unit names are case-insensitive" RFC 9110 section 14.1.
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return Err(RangeError::OtherUnit);
        }
        let mut specs = Vec::new();
        // Numbers and hyphens hold no comma and no quote, so a plain split is the grammar of this list; empty elements
        // are passed over, as lists want it (RFC 9110 section 5.6.1.2).
        for element in set.get(1..).unwrap_or_default().split(|&byte| byte == b',') {
            let element = list::trim(element);
            if element.is_empty() {
                continue;
            }
            if specs.len() == MAX_RANGES {
                return Err(RangeError::TooMany);
            }
            // "A ranges-specifier is invalid if it contains any range-spec that is invalid or undefined for the indicated
            // range-unit." RFC 9110 section 14.1.1.
            specs.push(RangeSpec::parse(element).ok_or(RangeError::Invalid)?);
        }
        if specs.is_empty() {
            return Err(RangeError::Invalid);
        }
        Ok(Self(specs))
    }

    /// The ranges in order.
    pub fn specs(&self) -> &[RangeSpec] {
        &self.0
    }
}

impl RangeSpec {
    fn parse(element: &[u8]) -> Option<Self> {
        let hyphen = element.iter().position(|&byte| byte == b'-')?;
        let (first, rest) = element.split_at_checked(hyphen)?;
        let last = rest.get(1..)?;
        let number = |digits: &[u8]| decimal(digits.iter().copied());
        if first.is_empty() {
            return number(last).map(Self::Suffix);
        }
        let first = number(first)?;
        if last.is_empty() {
            return Some(Self::From(first));
        }
        // "An int-range is invalid if the last-pos value is present and less than the first-pos." RFC 9110 section
        // 14.1.1.
        let last = number(last)?;
        (first <= last).then_some(Self::FromTo(first, last))
    }

    /// The bytes that this is of a representation of `length` bytes; `None` where it is unsatisfiable, and for an empty
    /// representation, of which there is no byte to be named.
    pub fn within(self, length: usize) -> Option<Span> {
        let end = length.checked_sub(1)?;
        let clamp = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let span = match self {
            Self::From(first) => Span {
                first: clamp(first),
                last: end,
            },
            // "if the value is greater than or equal to the current length of the representation data, the byte range is
            // interpreted as the remainder of the representation" RFC 9110 section 14.1.2.
            Self::FromTo(first, last) => Span {
                first: clamp(first),
                last: clamp(last).min(end),
            },
            // "If the selected representation is shorter than the specified suffix-length, the entire representation is
            // used." RFC 9110 section 14.1.2.
            Self::Suffix(count) => Span {
                first: length.saturating_sub(clamp(count)),
                last: end,
            },
        };
        // "a valid bytes range-spec is satisfiable if it is either: an int-range with a first-pos that is less than the
        // current length of the selected representation or a suffix-range with a non-zero suffix-length." RFC 9110
        // section 14.1.2. An empty suffix begins behind the end.
        (span.first <= end).then_some(span)
    }
}

impl Span {
    /// From one offset to another, both inclusive.
    pub fn new(first: usize, last: usize) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The offset of its first byte.
    pub fn first(self) -> usize {
        self.first
    }

    /// The offset of its last byte.
    pub fn last(self) -> usize {
        self.last
    }

    /// How many bytes it is: at least one.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(self) -> usize {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The same bytes counted from where `outer` begins; `None` where they are not all of it.
    pub fn within(self, outer: Span) -> Option<Span> {
        let is_inside = outer.first <= self.first && self.last <= outer.last;
        is_inside.then(|| Span {
            first: self.first.saturating_sub(outer.first),
            last: self.last.saturating_sub(outer.first),
        })
    }

    /// Its bytes; none where it was made for a longer representation.
    pub fn of(self, body: &[u8]) -> &[u8] {
        body.get(self.first..=self.last).unwrap_or_default()
    }

    /// The body without what is not of it; nothing is copied but to close the gap before it.
    pub fn cut(self, body: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
        match body {
            Cow::Borrowed(body) => Cow::Borrowed(self.of(body)),
            Cow::Owned(mut body) => {
                body.truncate(self.last.saturating_add(1));
                body.drain(..self.first.min(body.len()));
                Cow::Owned(body)
            }
        }
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Span) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The bytes of both.
    pub fn common(self, other: Span) -> Option<Span> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// The two as one, where they overlap or one begins right behind the other.
    pub fn joined(self, other: Span) -> Option<Span> {
        let touches = self.first <= other.last.saturating_add(1)
            && other.first <= self.last.saturating_add(1);
        touches.then(|| Span {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        })
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::RangeSpec::{From, FromTo, Suffix};
    use super::*;
    use proptest::prelude::*;

    fn span(first: usize, last: usize) -> Span {
        Span { first, last }
    }

    #[test]
    fn fields_that_follow_the_grammar() {
        #[rustfmt::skip]
        let rows: [(&str, &str, &[RangeSpec]); 10] = [
            ("a range", "bytes=0-499", &[FromTo(0, 499)]),
            ("one byte", "bytes=7-7", &[FromTo(7, 7)]),
            ("open-ended", "bytes=9500-", &[From(9500)]),
            ("a suffix", "bytes=-500", &[Suffix(500)]),
            ("first and last byte", "bytes=0-0,-1", &[FromTo(0, 0), Suffix(1)]),
            ("white space", " bytes= 0-999, 4500-5499,\t-1000 ", &[FromTo(0, 999), FromTo(4500, 5499), Suffix(1000)]),
            ("another case", "BYTES=1-", &[From(1)]),
            ("empty elements", "bytes=,0-1,,2-3,", &[FromTo(0, 1), FromTo(2, 3)]),
            ("leading zeros", "bytes=000-0001", &[FromTo(0, 1)]),
            ("too large to count", "bytes=18446744073709551616-99999999999999999999", &[FromTo(u64::MAX, u64::MAX)]),
        ];
        for (name, value, expected) in rows {
            let found = RangeSet::parse(value.as_bytes());
            assert_eq!(found.as_ref().map(RangeSet::specs), Ok(expected), "{name}");
        }
    }

    #[test]
    fn fields_that_do_not() {
        let many = format!("bytes={}", "0-0,".repeat(MAX_RANGES + 1));
        #[rustfmt::skip]
        let rows: [(&str, &str, RangeError); 16] = [
            ("nothing", "", RangeError::Invalid),
            ("no set", "bytes", RangeError::Invalid),
            ("an empty set", "bytes=", RangeError::Invalid),
            ("commas alone", "bytes=,,", RangeError::Invalid),
            ("no hyphen", "bytes=5", RangeError::Invalid),
            ("a hyphen alone", "bytes=-", RangeError::Invalid),
            ("backwards", "bytes=5-4", RangeError::Invalid),
            ("one of them backwards", "bytes=0-1,5-4", RangeError::Invalid),
            ("words", "bytes=a-b", RangeError::Invalid),
            ("signs", "bytes=+1-2", RangeError::Invalid),
            ("two hyphens", "bytes=1-2-3", RangeError::Invalid),
            ("white space within", "bytes=1 - 2", RangeError::Invalid),
            ("two fields in one", "bytes=0-1, bytes=2-3", RangeError::Invalid),
            ("another unit", "pages=1-2", RangeError::OtherUnit),
            ("white space before the equals", "bytes =0-1", RangeError::OtherUnit),
            ("one too many", &many, RangeError::TooMany),
        ];
        for (name, value, expected) in rows {
            assert_eq!(RangeSet::parse(value.as_bytes()), Err(expected), "{name}");
        }
        let just = format!("bytes={}", "0-0,".repeat(MAX_RANGES));
        assert!(RangeSet::parse(just.as_bytes()).is_ok());
    }

    #[test]
    fn ranges_within_a_representation() {
        #[rustfmt::skip]
        let rows = [
            ("inside", FromTo(2, 4), 10, Some(span(2, 4))),
            ("to the end", FromTo(2, 9), 10, Some(span(2, 9))),
            ("beyond the end", FromTo(2, 10), 10, Some(span(2, 9))),
            ("far beyond", FromTo(2, u64::MAX), 10, Some(span(2, 9))),
            ("the last byte", From(9), 10, Some(span(9, 9))),
            ("behind the end", From(10), 10, None),
            ("far behind", FromTo(u64::MAX, u64::MAX), 10, None),
            ("a suffix", Suffix(3), 10, Some(span(7, 9))),
            ("all of it", Suffix(10), 10, Some(span(0, 9))),
            ("more than there is", Suffix(u64::MAX), 10, Some(span(0, 9))),
            ("an empty suffix", Suffix(0), 10, None),
            ("of nothing", From(0), 0, None),
            ("a suffix of nothing", Suffix(5), 0, None),
        ];
        for (name, spec, length, expected) in rows {
            assert_eq!(spec.within(length), expected, "{name}");
        }
    }

    #[test]
    fn spans_beside_each_other_are_one() {
        #[rustfmt::skip]
        let rows = [
            ("apart", span(0, 3), span(5, 6), false, None),
            ("beside", span(0, 4), span(5, 6), false, Some(span(0, 6))),
            ("sharing a byte", span(0, 5), span(5, 6), true, Some(span(0, 6))),
            ("within", span(0, 9), span(5, 6), true, Some(span(0, 9))),
            ("the same", span(5, 6), span(5, 6), true, Some(span(5, 6))),
        ];
        for (name, left, right, overlap, joined) in rows {
            for (one, other) in [(left, right), (right, left)] {
                assert_eq!(
                    (one.overlaps(other), one.joined(other)),
                    (overlap, joined),
                    "{name}"
                );
                assert_eq!(one.common(other).is_some(), overlap, "{name}");
            }
        }
    }

    #[test]
    fn a_span_within_another() {
        #[rustfmt::skip]
        let rows = [
            ("inside", span(5, 6), span(3, 9), Some(span(2, 3))),
            ("the same", span(3, 9), span(3, 9), Some(span(0, 6))),
            ("begins before", span(2, 6), span(3, 9), None),
            ("ends behind", span(5, 10), span(3, 9), None),
            ("elsewhere", span(0, 1), span(3, 9), None),
        ];
        for (name, inner, outer, expected) in rows {
            assert_eq!(inner.within(outer), expected, "{name}");
        }
        assert_eq!((span(0, 0).len(), span(3, 9).len()), (1, 7));
        assert_eq!((Span::new(4, 4), Span::new(4, 3)), (Some(span(4, 4)), None));
    }

    fn spec() -> impl Strategy<Value = RangeSpec> {
        prop_oneof![
            any::<u64>().prop_map(From),
            (0..40_u64).prop_map(From),
            (0..40_u64, 0..40_u64).prop_map(|(one, other)| FromTo(one.min(other), one.max(other))),
            (0..40_u64).prop_map(Suffix),
        ]
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_a_set_or_an_error(value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "(bytes|x)?=?[0-9, \\-]{0,60}".prop_map(String::into_bytes),
        ]) {
            if let Ok(set) = RangeSet::parse(&value) {
                prop_assert!((1..=MAX_RANGES).contains(&set.specs().len()));
            }
        }

        #[test]
        fn a_set_written_is_a_set_read(specs in proptest::collection::vec(spec(), 1..20)) {
            let text: Vec<String> = specs.iter().map(|spec| match spec {
                From(first) => format!("{first}-"),
                FromTo(first, last) => format!("{first}-{last}"),
                Suffix(count) => format!("-{count}"),
            }).collect();
            let set = RangeSet::parse(format!("bytes={}", text.join(", ")).as_bytes());
            prop_assert_eq!(set, Ok(RangeSet(specs)));
        }

        #[test]
        fn every_span_lies_within_the_body(spec in spec(), length in 0..50_usize) {
            let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
            match spec.within(length) {
                Some(span) => {
                    prop_assert!(span.first() <= span.last() && span.last() < length);
                    prop_assert_eq!(span.of(&body).len(), span.last() - span.first() + 1);
                    prop_assert_eq!(&*span.cut(Cow::Borrowed(&body)), span.of(&body));
                    prop_assert_eq!(&*span.cut(Cow::Owned(body.clone())), span.of(&body));
                }
                None => {
                    let is_unsatisfiable = match spec {
                        From(first) | FromTo(first, _) => first >= length as u64,
                        Suffix(count) => count == 0 || length == 0,
                    };
                    prop_assert!(is_unsatisfiable);
                }
            }
        }
    }
}
