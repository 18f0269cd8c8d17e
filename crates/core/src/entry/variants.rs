//! Which request fields tell the variants of one URL apart, and which variants there are.
//!
//! The list of fields only grows while it lives: an origin that answers now with one `Vary` and now with another
//! would otherwise make its own variants unreachable in turns. The marks bound the number of variants, since every
//! value of a request field is the client's to choose. Workers that store variants of one URL at the same moment may
//! overwrite each other's marks, so the bound is one of steady state; the slots bound what is kept in any case.

use super::Reader;
use super::codec::{DecodeError, VARIANTS, VERSION, push_counted, sealed};
use crate::sorting::sort_by;
use crate::time::Timestamp;

/// One variant that was stored. The digest counts variants and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantMark {
    /// A short digest of the variant's key.
    pub digest: u64,
    /// When that variant is of no use any more.
    pub expires: Timestamp,
}

/// The fields that tell the variants of one URL apart.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Variants {
    fields: Vec<String>,
    marks: Vec<VariantMark>,
}

/// More fields than any sane `Vary` names; beyond it a response is not stored.
const MAX_FIELDS: usize = 8;

/// More than any configuration allows; what a decoder accepts.
const MAX_MARKS: usize = 1024;

impl Variants {
    /// The fields, in lower case, sorted, without repetition.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// The variants that were stored.
    pub fn marks(&self) -> &[VariantMark] {
        &self.marks
    }

    /// These fields too; `None` when there would be too many. Marks of variants under fewer fields are forgotten,
    /// because those variants can no longer be found.
    pub fn with_fields<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut fields = self.fields.clone();
        fields.extend(names.into_iter().map(str::to_ascii_lowercase));
        sort_by(&mut fields, Ord::cmp);
        fields.dedup();
        if fields.len() > MAX_FIELDS {
            return None;
        }
        let marks = if fields == self.fields {
            self.marks.clone()
        } else {
            Vec::new()
        };
        Some(Self { fields, marks })
    }

    /// This variant too; `None` when there are `max` others that are not over at `now`.
    pub fn with_variant(mut self, mark: VariantMark, max: usize, now: Timestamp) -> Option<Self> {
        self.marks
            .retain(|other| other.digest != mark.digest && other.expires > now);
        if self.marks.len() >= max.min(MAX_MARKS) {
            return None;
        }
        self.marks.push(mark);
        Some(self)
    }

    /// The same, by another clock.
    #[must_use]
    pub fn map_expiry(&self, map: impl Fn(Timestamp) -> Timestamp) -> Self {
        let mark = |mark: &VariantMark| VariantMark {
            digest: mark.digest,
            expires: map(mark.expires),
        };
        Self {
            fields: self.fields.clone(),
            marks: self.marks.iter().map(mark).collect(),
        }
    }

    /// When the last of the variants is over.
    pub fn expires(&self) -> Option<Timestamp> {
        self.marks.iter().map(|mark| mark.expires).max()
    }
}

/// Writes the list of variants.
pub fn encode_variants(variants: &Variants) -> Vec<u8> {
    let mut out = vec![VERSION, VARIANTS];
    out.extend_from_slice(&(variants.fields().len() as u16).to_le_bytes());
    for field in variants.fields() {
        push_counted(&mut out, field.as_bytes());
    }
    out.extend_from_slice(&(variants.marks().len() as u16).to_le_bytes());
    for mark in variants.marks() {
        out.extend_from_slice(&mark.digest.to_le_bytes());
        out.extend_from_slice(&mark.expires.as_nanos().to_le_bytes());
    }
    sealed(out)
}

/// Reads what stands behind the head.
pub(super) fn read_variants(reader: &mut Reader<'_>) -> Result<Variants, DecodeError> {
    let mut fields = Vec::new();
    let count = usize::from(reader.u16()?);
    if count > MAX_FIELDS {
        return Err(DecodeError::Invalid);
    }
    for _ in 0..count {
        let name =
            String::from_utf8(reader.counted()?.to_vec()).map_err(|_| DecodeError::Invalid)?;
        fields.push(name);
    }
    let mut marks = Vec::new();
    let count = usize::from(reader.u16()?);
    if count > MAX_MARKS {
        return Err(DecodeError::Invalid);
    }
    for _ in 0..count {
        marks.push(VariantMark {
            digest: reader.u64()?,
            expires: Timestamp::from_nanos(reader.u64()?),
        });
    }
    Ok(Variants { fields, marks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_a_set_without_case() {
        let variants = Variants::default()
            .with_fields(["Accept", "x-b", "accept"])
            .unwrap();
        assert_eq!(variants.fields(), ["accept", "x-b"]);
    }

    const NOW: Timestamp = Timestamp::from_secs(100);

    fn mark(digest: u64, expires: u64) -> VariantMark {
        VariantMark {
            digest,
            expires: Timestamp::from_secs(expires),
        }
    }

    #[test]
    fn a_new_field_forgets_variants_that_can_no_longer_be_found() {
        let one = Variants::default()
            .with_fields(["accept"])
            .unwrap()
            .with_variant(mark(1, 200), 4, NOW)
            .unwrap();
        assert_eq!(one.with_fields(["Accept"]).unwrap().marks(), [mark(1, 200)]);
        assert_eq!(one.with_fields(["x-b"]).unwrap().marks(), []);
    }

    #[test]
    fn there_are_so_many_variants_and_no_more() {
        let two = Variants::default()
            .with_variant(mark(1, 200), 2, NOW)
            .unwrap();
        let two = two.with_variant(mark(2, 300), 2, NOW).unwrap();
        assert_eq!(two.expires(), Some(Timestamp::from_secs(300)));
        assert_eq!(
            two.clone()
                .with_variant(mark(2, 400), 2, NOW)
                .unwrap()
                .marks(),
            [mark(1, 200), mark(2, 400)]
        );
        assert_eq!(two.with_variant(mark(3, 200), 2, NOW), None);
    }

    #[test]
    fn a_variant_that_is_over_makes_room() {
        let one = Variants::default()
            .with_variant(mark(1, 200), 1, NOW)
            .unwrap();
        let later = Timestamp::from_secs(200);
        assert_eq!(
            one.with_variant(mark(2, 300), 1, later).unwrap().marks(),
            [mark(2, 300)]
        );
    }

    #[test]
    fn there_are_so_many_fields_and_no_more() {
        let names: Vec<String> = (0..9).map(|n| format!("x-{n}")).collect();
        assert_eq!(
            Variants::default().with_fields(names.iter().map(String::as_str)),
            None
        );
    }
}
