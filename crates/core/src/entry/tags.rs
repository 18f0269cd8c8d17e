//! The names of an entry's tags, and who gave them.
//!
//! An answer needs the stamps alone, so these are skipped there. They are for people, who ask which tags an entry has, and
//! for a 304: "the cache MUST add each header field in the provided response to the stored response, replacing field values
//! that are already present" (RFC 9111 section 3.2). The fields themselves are not stored, since clients do not see them; what
//! each of them said is kept here, so that an update of one leaves the names of the others alone.
//!
//! ```text
//! each: u8 0x80 + the sources as bits │ name, of bytes from 0x21 to 0x7e
//! ```

/// Who gave a tag: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagSources(u8);

/// The first bit of a byte that stands in front of a name; no byte of a name has it.
const MARK: u8 = 0x80;

impl TagSources {
    /// Nobody.
    pub const NOBODY: Self = Self(0);
    /// The rule.
    pub const RULE: Self = Self(1);

    /// The field at this place in [`crate::http::TAG_FIELDS`].
    pub fn field(place: usize) -> Self {
        let bit = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
        Self(1_u8.checked_shl(bit).unwrap_or_default() & !MARK)
    }

    /// These, too.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Not these.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// The tags of an entry, over the bytes it was read from. Whoever wrote them may have written anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagNames<'a>(&'a [u8]);

/// The tags of an entry to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagList(Vec<u8>);

impl<'a> TagNames<'a> {
    /// From their bytes.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Their bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// A copy; `None` where there is no memory for it.
    pub fn to_list(self) -> Option<TagList> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(self.0.len()).ok()?;
        copy.extend_from_slice(self.0);
        Some(TagList(copy))
    }

    /// Each with those who gave it.
    pub fn iter(self) -> impl Iterator<Item = (TagSources, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (mark, behind) = rest.split_first()?;
            let next = behind.iter().position(|byte| byte & MARK != 0);
            let (name, others) = behind.split_at_checked(next.unwrap_or(behind.len()))?;
            rest = others;
            Some((TagSources(mark & !MARK), name))
        })
    }

    /// The names alone.
    pub fn names(self) -> impl Iterator<Item = &'a [u8]> {
        self.iter().map(|(_, name)| name)
    }
}

impl TagList {
    /// Adds a tag.
    pub fn push(&mut self, sources: TagSources, name: &[u8]) {
        self.0.push(MARK | sources.0);
        self.0.extend_from_slice(name);
    }

    /// To be read like those of an entry.
    pub fn as_names(&self) -> TagNames<'_> {
        TagNames(&self.0)
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_were_written() {
        let all = [
            (TagSources::RULE, &b"a"[..]),
            (TagSources::field(0).with(TagSources::field(4)), b"user:7"),
            (TagSources::NOBODY, b""),
            (TagSources::field(1), b"~"),
        ];
        let mut list = TagList::default();
        for (sources, name) in all {
            list.push(sources, name);
        }
        let read: Vec<_> = list.as_names().iter().collect();
        assert_eq!(read, all);
        assert_eq!(list.as_names().names().nth(1), Some(&b"user:7"[..]));
    }

    #[test]
    fn each_source_has_a_bit_of_its_own() {
        let fields = (0..5).map(TagSources::field);
        let each: Vec<_> = fields.chain([TagSources::RULE]).collect();
        for (at, one) in each.iter().enumerate() {
            for other in &each[at + 1..] {
                assert_eq!(one.without(*other), *one);
            }
        }
        assert_eq!(TagSources::field(6), TagSources::NOBODY);
        assert_eq!(TagSources::field(usize::MAX), TagSources::NOBODY);
    }

    #[test]
    fn any_bytes_are_some_tags() {
        for bytes in [&b""[..], b"a", b"\x80", b"ab\xff\xffc", b"\x00\x01"] {
            let count = TagNames::from_bytes(bytes).names().count();
            assert!(count <= bytes.len());
        }
    }
}
