//! Entity tags: opaque names of representations (RFC 9110 section 8.8.3).
//!
//! ```text
//! entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE        etagc = %x21 / %x23-7E / %x80-FF
//! ```
//!
//! No quoted-string: a backslash is a byte like others, and a comma may stand within the quotes. Lists of tags are
//! therefore read here and not by [`super::list`]. What is no entity tag is none; an unquoted word is not guessed to be
//! one, since the cost of not knowing a tag is a full answer and the cost of a wrong guess a wrong answer.

use super::list::trim;

/// An entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    strength: Strength,
    opaque: &'a [u8],
}

/// What the equality of two tags says about their representations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// They are the same byte for byte.
    Strong,
    /// They are equivalent.
    Weak,
}

impl<'a> EntityTag<'a> {
    /// Reads the value of an ETag field; white space around it is ignored, anything else makes it `None`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::read(trim(value))?;
        rest.is_empty().then_some(tag)
    }

    /// Reads a tag at the start of `bytes` and gives what is behind it.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        // "W/" is case-sensitive (RFC 9110 section 8.8.3).
        let (strength, quoted) = match bytes.strip_prefix(b"W/") {
            Some(quoted) => (Strength::Weak, quoted),
            None => (Strength::Strong, bytes),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let end = inside.iter().position(|&byte| byte == b'"')?;
        let opaque = inside.get(..end)?;
        let rest = inside.get(end.saturating_add(1)..)?;
        let is_tag = opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        is_tag.then_some((Self { strength, opaque }, rest))
    }

    /// The tags of an If-None-Match field's value, in order; what is none is passed over up to the next comma.
    pub fn list(value: &'a [u8]) -> impl Iterator<Item = EntityTag<'a>> {
        let mut rest = value;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let found = Self::read(trim(rest));
                let behind = found.map_or(rest, |(_, behind)| behind);
                let comma = behind.iter().position(|&byte| byte == b',');
                let next = comma.map_or(behind.len(), |comma| comma.saturating_add(1));
                let junk = behind.get(..comma.unwrap_or(behind.len()));
                rest = behind.get(next..).unwrap_or_default();
                match found {
                    Some((tag, _)) if junk.is_none_or(|junk| trim(junk).is_empty()) => {
                        return Some(tag);
                    }
                    Some(_) | None => {}
                }
            }
            None
        })
    }

    /// Whether the tag is weak.
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// "two entity tags are equivalent if both are not weak and their opaque-tags match character-by-character" RFC
    /// 9110 section 8.8.3.2.
    pub fn matches_strongly(&self, other: &EntityTag<'_>) -> bool {
        match (self.strength, other.strength) {
            (Strength::Strong, Strength::Strong) => self.opaque == other.opaque,
            (Strength::Weak, _) | (_, Strength::Weak) => false,
        }
    }

    /// "two entity tags are equivalent if their opaque-tags match character-by-character, regardless of either or both
    /// being tagged as 'weak'" RFC 9110 section 8.8.3.2.
    pub fn matches_weakly(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(text: &str) -> EntityTag<'_> {
        EntityTag::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_comparison_table_of_the_specification() {
        let rows = [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ];
        for (left, right, strong, weak) in rows {
            let (left, right) = (tag(left), tag(right));
            assert_eq!(left.matches_strongly(&right), strong, "{left:?} {right:?}");
            assert_eq!(left.matches_weakly(&right), weak, "{left:?} {right:?}");
        }
        assert_eq!(tag(r#" W/"" "#).strength(), Strength::Weak);
    }

    #[test]
    fn what_is_no_entity_tag_is_none() {
        for text in [
            "",
            "abc",
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/",
            "W /\"a\"",
            "\"a\"b",
            "\"a b\"",
            "\"a\",\"b\"",
            "'a'",
            "*",
            "\"a\x7f\"",
        ] {
            assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text}");
        }
        assert!(EntityTag::parse(b"\"\xff\\,\"").is_some());
    }

    #[test]
    fn lists_may_hold_commas_within_tags_and_junk_between_them() {
        #[rustfmt::skip]
        let rows: [(&str, &str, &[&str]); 8] = [
            ("nothing", "", &[]),
            ("one", r#""a""#, &[r#""a""#]),
            ("bare commas and white space", "\"a\",W/\"b\" ,\t\"c\"", &[r#""a""#, r#"W/"b""#, r#""c""#]),
            ("commas within", r#""a,b", "c""#, &[r#""a,b""#, r#""c""#]),
            ("a backslash escapes nothing", r#""a\", "b""#, &[r#""a\""#, r#""b""#]),
            ("empty elements", r#",, "a",, "b","#, &[r#""a""#, r#""b""#]),
            ("words are no tags", r#"a, "b", *"#, &[r#""b""#]),
            ("junk behind a tag", r#""a"x, "b" "c", "d""#, &[r#""d""#]),
        ];
        for (name, value, expected) in rows {
            let expected: Vec<_> = expected.iter().map(|text| tag(text)).collect();
            let list: Vec<_> = EntityTag::list(value.as_bytes()).collect();
            assert_eq!(list, expected, "{name}");
        }
    }

    fn opaque() -> impl Strategy<Value = String> {
        "[!#-~]{0,8}"
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_list_written_is_a_list_read(tags in proptest::collection::vec((any::<bool>(), opaque()), 0..6)) {
            let written: Vec<String> = tags
                .iter()
                .map(|(weak, opaque)| format!("{}\"{opaque}\"", if *weak { "W/" } else { "" }))
                .collect();
            let joined = written.join(",");
            let read: Vec<_> = EntityTag::list(joined.as_bytes()).collect();
            let expected: Vec<_> = written.iter().map(|text| tag(text)).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
