//! How far `private` and `no-cache` reach: the whole response, or the fields they name.
//!
//! The qualified forms are meant to keep a response cacheable but for a cookie or a user's name in its head. They are
//! believed only where they can be followed. What names no field, or one without which the rest of the response means
//! something else or cannot be kept, restricts the whole of it: "the special handling for the qualified form is not widely
//! implemented" (RFC 9111 section 5.2.2.4), so that reading is the one that origins must expect anyway.

use super::list::{Argument, elements, is_token_byte};

/// A list of names longer than this restricts everything. In bytes.
const MAX_NAMES: usize = 1024;

/// Fields that belong to the body, or that decide how the response is stored, compared and passed on; besides these,
/// every field whose name starts with `content-`.
const INSEPARABLE: [&str; 6] = [
    "cache-control",
    "date",
    "etag",
    "expires",
    "last-modified",
    "vary",
];

/// How far a directive reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// The named fields: names without regard to case, with commas between them.
    Fields(Vec<u8>),
    /// Nothing is restricted.
    Nothing,
    /// The whole response.
    Response,
}

impl Restriction {
    /// What a directive with this argument restricts.
    pub(super) fn parse(argument: Argument<'_>) -> Self {
        match argument.value() {
            None => Self::Response,
            Some(value) => Self::named(value.take(MAX_NAMES.saturating_add(1)).collect()),
        }
    }

    fn named(names: Vec<u8>) -> Self {
        let listed = || elements([&names[..]]);
        let is_followed = names.len() <= MAX_NAMES
            && listed().next().is_some()
            && listed().all(|name| is_separable(name.bytes()));
        if is_followed {
            Self::Fields(names)
        } else {
            Self::Response
        }
    }

    /// This restriction and another: what either restricts.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Response, _) | (_, Self::Response) => Self::Response,
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::Fields(mut names), Self::Fields(others)) => {
                names.push(b',');
                names.extend_from_slice(&others);
                Self::named(names)
            }
        }
    }

    /// Whether the whole response is restricted.
    pub fn is_of_response(&self) -> bool {
        match self {
            Self::Response => true,
            Self::Fields(_) | Self::Nothing => false,
        }
    }

    /// Whether the field is among those that are named. "Field names are case-insensitive" (RFC 9111 section 5.2.2.4).
    pub fn names(&self, field: &[u8]) -> bool {
        match self {
            Self::Fields(names) => {
                elements([&names[..]]).any(|name| name.bytes().eq_ignore_ascii_case(field))
            }
            Self::Nothing | Self::Response => false,
        }
    }
}

fn is_separable(name: &[u8]) -> bool {
    let is_content = name
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
    let is_needed = |needed: &str| name.eq_ignore_ascii_case(needed.as_bytes());
    let is_token = name.iter().copied().all(is_token_byte);
    is_token && !is_content && !INSEPARABLE.into_iter().any(is_needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Restriction::{Fields, Nothing, Response};
    use proptest::prelude::*;

    fn quoted(value: &str) -> Restriction {
        Restriction::parse(Argument::Quoted(value.as_bytes()))
    }

    #[test]
    fn names_are_believed_where_they_can_be_followed() {
        for (name, value, expected) in [
            ("one", "set-cookie", Fields(b"set-cookie".to_vec())),
            ("two", "X-A , x-b,", Fields(b"X-A , x-b,".to_vec())),
            ("escaped", r"set\-cookie", Fields(b"set-cookie".to_vec())),
            ("nothing", "", Response),
            ("nothing between commas", " , ,", Response),
            ("no name", "x a", Response),
            ("one of them no name", "x-a, \u{e9}", Response),
            ("a field of the body", "x-a, Content-Type", Response),
            ("what selects it", "VARY", Response),
        ] {
            assert_eq!(quoted(value), expected, "{name}");
        }
        assert_eq!(Restriction::parse(Argument::Absent), Response);
        assert_eq!(Restriction::parse(Argument::Malformed), Response);
        assert_eq!(
            Restriction::parse(Argument::Token(b"x")),
            Fields(b"x".to_vec())
        );
        assert_eq!(quoted(&"a,".repeat(512)), Fields(b"a,".repeat(512)));
        assert_eq!(quoted(&"a,".repeat(513)), Response);
    }

    #[test]
    fn two_restrict_what_either_does() {
        let names = |names: &str| Fields(names.as_bytes().to_vec());
        assert_eq!(Nothing.and(Nothing), Nothing);
        assert_eq!(Nothing.and(names("a")), names("a"));
        assert_eq!(names("a").and(Nothing), names("a"));
        assert_eq!(names("a").and(names("b")), names("a,b"));
        assert_eq!(names("a").and(Response), Response);
        assert_eq!(Response.and(Nothing), Response);
        let many = Fields(vec![b'a'; 600]);
        assert_eq!(many.clone().and(many), Response);
    }

    #[test]
    fn a_field_is_named_without_regard_to_case() {
        let restriction = quoted("Set-Cookie, x-user");
        assert!(restriction.names(b"set-cookie") && restriction.names(b"X-USER"));
        assert!(!restriction.names(b"cookie") && !restriction.names(b""));
        assert!(!Response.names(b"set-cookie") && !Nothing.names(b"set-cookie"));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_argument_restricts_something(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for argument in [Argument::Quoted(&bytes), Argument::Token(&bytes)] {
                prop_assert_ne!(Restriction::parse(argument), Nothing);
            }
        }
    }
}
