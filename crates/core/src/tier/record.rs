//! How the small records in shared cells are read and written: a tag, then little-endian numbers.

use std::fmt;

/// The bytes are no record of the kind that was asked for, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a record of this kind and version")
    }
}

/// Reads a record from its front; reading past its end is [`Corrupt`].
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// All of it, where nothing stands before the fields.
    pub(super) fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    /// The fields behind `tag`.
    pub(super) fn of(record: &'a [u8], tag: &[u8; 4]) -> Result<Self, Corrupt> {
        let mut fields = Self(record);
        if fields.take::<4>()? == tag {
            Ok(fields)
        } else {
            Err(Corrupt)
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Corrupt> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Corrupt> {
        self.take().copied().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Corrupt> {
        self.take().copied().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Corrupt> {
        self.take().copied().map(u64::from_le_bytes)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(field)
    }

    /// What has not been read yet.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Trailing bytes mean that something else was written here.
    pub(super) fn end(self) -> Result<(), Corrupt> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Corrupt)
        }
    }
}
