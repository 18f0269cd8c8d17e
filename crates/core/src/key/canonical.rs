//! The canonical form of a key.
//!
//! ```text
//! u8 version = 1 │ fields, each: u8 tag │ u32 length of the content │ content              lengths little-endian
//!
//!  1 scheme      bytes             lower case; then "," and x-forwarded-proto where that is another
//!  2 host        bytes             lower case, with the port unless it is the scheme's own
//!  3 path        bytes             normalised
//!  4 template    list              in place of the path: "L" and a literal, "C" and a capture, "N" for none
//!  5 query       bytes             as it came; absent where there was no "?"
//!  6 parameters  list              normalised "name=value", chosen and ordered by the rule; absent where none is left
//!  7 header      list              a name, then the value of every line; one field for each name of the rule, and for
//!                                  each that tells the origin what it is asked for, where that is there
//!  8 cookie      list              a name, then "=" and the value, or nothing where there was no "="
//!  9 identity    list              "anonymous", or "text" or "integer" and the value
//! 10 credential  list              every Authorization line
//! 12 content     list              the method, "name:" and value of each line of its metadata, at last its bytes; of what
//!                                  is asked for by content, GET and HEAD being one
//! 13 search      bytes             empty; in keys without the query, for what No-Vary-Search says about it
//! 14 reduced     list              the canonical No-Vary-Search, then name and value, decoded, of the parameters that are left
//! 11 vary        list              a name, then the elements of its value; only in keys of variants
//!
//! list: elements, each: u32 length │ bytes
//! ```
//!
//! Fields stand in this order. Nothing in here is hashed or joined, so two keys are equal exactly when
//! all of their parts are. The form is also an address across workers, versions and machines: it changes only
//! together with the version.

use super::{Key, KeyError};

const VERSION: u8 = 1;

/// What a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Scheme = 1,
    Host = 2,
    Path = 3,
    Template = 4,
    Query = 5,
    Parameters = 6,
    Header = 7,
    Cookie = 8,
    Identity = 9,
    Credential = 10,
    Vary = 11,
    Content = 12,
    Search = 13,
    Reduced = 14,
}

/// Canonical bytes in the making. What does not fit is not written, and remembered.
pub(super) struct Canonical {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl Canonical {
    /// A key without fields, which may grow to `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self::resume(&[VERSION], most)
    }

    /// A key that begins with the bytes of another.
    pub(super) fn resume(bytes: &[u8], most: usize) -> Self {
        let mut canonical = Self {
            // Most keys are shorter; growing field by field would cost a hit several allocations.
            bytes: Vec::with_capacity(most.min(256).max(bytes.len())),
            most,
            full: false,
        };
        canonical.append(bytes);
        canonical
    }

    /// Writes a field as another key has it.
    pub(super) fn field(&mut self, field: &[u8]) {
        self.append(field);
    }

    /// Writes a field whose content is `parts`, one behind the other.
    pub(super) fn bytes(&mut self, tag: Tag, parts: &[&[u8]]) {
        self.counted(&[tag as u8], parts);
    }

    /// Writes a field whose content is a list.
    pub(super) fn list(&mut self, tag: Tag, write: impl FnOnce(&mut List<'_>)) {
        self.append(&[tag as u8]);
        let start = self.bytes.len();
        self.append(&[0; 4]);
        let content = self.bytes.len();
        write(&mut List(self));
        let len = wire_len(self.bytes.len().saturating_sub(content));
        if let Some(place) = self.bytes.get_mut(start..content)
            && place.len() == len.len()
        {
            place.copy_from_slice(&len);
        }
    }

    /// Writes `parts`, behind a head and their length.
    fn counted(&mut self, head: &[u8], parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if self.make_room(head.len().saturating_add(4).saturating_add(len)) {
            self.bytes.extend_from_slice(head);
            self.bytes.extend_from_slice(&wire_len(len));
            parts
                .iter()
                .for_each(|part| self.bytes.extend_from_slice(part));
        }
    }

    fn append(&mut self, part: &[u8]) {
        if self.make_room(part.len()) {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Whether so many bytes more may be written.
    fn make_room(&mut self, more: usize) -> bool {
        let room = self.most.saturating_sub(self.bytes.len());
        self.full = self.full || more > room || self.bytes.try_reserve(more).is_err();
        !self.full
    }

    /// The key, if it fitted.
    pub(super) fn finish(self) -> Result<Key, KeyError> {
        self.into_bytes().map(Key::from_canonical)
    }

    /// What was written, if it fitted.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, KeyError> {
        match self.full {
            true => Err(KeyError::TooLong),
            false => Ok(self.bytes),
        }
    }
}

/// The fields of a key's canonical bytes, each with its tag, as they are written there; ends where they make no sense.
pub(super) fn fields(canonical: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = canonical.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&tag, behind) = rest.split_first()?;
        let len = usize::try_from(u32::from_le_bytes(*behind.first_chunk()?)).ok()?;
        let (field, others) = rest.split_at_checked(len.checked_add(5)?)?;
        rest = others;
        Some((tag, field))
    })
}

/// The elements of a list's content; ends where they make no sense.
pub(super) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (element, others) = behind.split_at_checked(len)?;
        rest = others;
        Some(element)
    })
}

/// A list in the making.
pub(super) struct List<'a>(&'a mut Canonical);

impl List<'_> {
    /// Writes an element made of `parts`, one behind the other.
    pub(super) fn element(&mut self, parts: &[&[u8]]) {
        self.0.counted(&[], parts);
    }
}

fn wire_len(len: usize) -> [u8; 4] {
    // A key is far shorter than 4 GiB: `most` is a setting with a bound.
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_tagged_and_counted() {
        let mut canonical = Canonical::new(100);
        canonical.bytes(Tag::Scheme, &[b"ht", b"tp"]);
        canonical.list(Tag::Header, |list| {
            list.element(&[b"a"]);
            list.element(&[]);
        });
        canonical.list(Tag::Credential, |_| {});
        let expected = b"\x01\x01\x04\0\0\0http\x07\x09\0\0\0\x01\0\0\0a\0\0\0\0\x0a\0\0\0\0";
        assert_eq!(canonical.finish().unwrap().canonical(), expected);
    }

    #[test]
    fn a_key_that_does_not_fit_is_none() {
        let build = |most| {
            let mut canonical = Canonical::new(most);
            canonical.bytes(Tag::Scheme, &[b"http"]);
            canonical.list(Tag::Header, |list| list.element(&[b"abc"]));
            canonical.finish()
        };
        assert_eq!(build(22).unwrap().canonical().len(), 22);
        for most in 0..22 {
            assert_eq!(build(most), Err(KeyError::TooLong), "{most}");
        }
    }

    /// The fields of a key: its bytes read back.
    pub(in crate::key) fn fields(canonical: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let (version, mut rest) = canonical.split_first().unwrap();
        assert_eq!(*version, VERSION);
        let mut fields = Vec::new();
        while let Some((tag, behind)) = rest.split_first() {
            let (content, behind) = counted(behind);
            fields.push((*tag, content.to_vec()));
            rest = behind;
        }
        fields
    }

    /// The elements of a list: its bytes read back.
    pub(in crate::key) fn elements(mut content: &[u8]) -> Vec<Vec<u8>> {
        let mut elements = Vec::new();
        while !content.is_empty() {
            let (element, behind) = counted(content);
            elements.push(element.to_vec());
            content = behind;
        }
        elements
    }

    fn counted(bytes: &[u8]) -> (&[u8], &[u8]) {
        let (len, behind) = bytes.split_first_chunk::<4>().unwrap();
        behind.split_at(u32::from_le_bytes(*len) as usize)
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_was_written_can_be_read_back(
            written in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..4), 0..5)
        ) {
            let mut canonical = Canonical::new(usize::MAX);
            for elements in &written {
                canonical.list(Tag::Header, |list| {
                    for element in elements {
                        list.element(&[element]);
                    }
                });
            }
            let key = canonical.finish().unwrap();
            let read: Vec<_> = fields(key.canonical()).iter().map(|(_, content)| elements(content)).collect();
            prop_assert_eq!(read, written);
        }
    }
}
