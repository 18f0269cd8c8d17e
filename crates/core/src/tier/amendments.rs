//! What people have changed of a configuration while it holds, where every worker finds it.
//!
//! ```text
//! larder1c<0..63>   "LCA1" │ u64 configuration │ text        one configuration's, by its hash
//! ```
//!
//! A process may have several configurations, and their number is not known, so each has one of 64 cells by its hash. Two that
//! share one take it from each other: then the earlier change is over, as when the cells are lost.

use md5::{Digest, Md5};

use super::kv::{Cas, KvError, SetError, SharedKv};
use super::name::Name;
use super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LCA1";

/// The longest text that is kept, in bytes.
pub const MAX_AMENDMENT_BYTES: usize = 256 << 10;

/// The place of one configuration's amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amendments(u64);

/// An amendment as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// What was written; nothing where there is none.
    pub text: Vec<u8>,
    /// The version of the cell to expect in a write that builds on this.
    pub version: Cas,
}

impl Amendments {
    /// Of the configuration with this text.
    pub fn of(configuration: &[u8]) -> Self {
        let digest: [u8; 16] = Md5::digest(configuration).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// A hash of the configuration.
    pub fn hash(&self) -> u64 {
        self.0
    }

    /// What holds now.
    ///
    /// # Errors
    /// The host did not answer.
    pub fn read(&self, kv: &dyn SharedKv) -> Result<Amendment, KvError> {
        Ok(match kv.get(self.name().as_str())? {
            None => Amendment {
                text: Vec::new(),
                version: Cas::NEVER,
            },
            Some(cell) => Amendment {
                text: self.decode(&cell.value).unwrap_or_default().to_vec(),
                version: cell.cas,
            },
        })
    }

    /// Writes in the place of that version; [`SetError::Lost`] where another was faster.
    ///
    /// # Errors
    /// As [`SharedKv::set`]; [`SetError::Failed`] also for a text that is longer than [`MAX_AMENDMENT_BYTES`].
    pub fn write(&self, kv: &dyn SharedKv, text: &[u8], version: Cas) -> Result<(), SetError> {
        if text.len() > MAX_AMENDMENT_BYTES {
            return Err(SetError::Failed);
        }
        let record = [&TAG[..], &self.0.to_le_bytes(), text].concat();
        kv.set(self.name().as_str(), &record, version)
    }

    /// Another configuration's, and what nobody can read, is none.
    fn decode<'a>(&self, value: &'a [u8]) -> Result<&'a [u8], Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        let of = fields.u64()?;
        let text = fields.rest();
        match of == self.0 && text.len() <= MAX_AMENDMENT_BYTES {
            true => Ok(text),
            false => Err(Corrupt),
        }
    }

    fn name(&self) -> Name {
        Name::amendment((self.0 % 64) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryKv;
    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_same_configuration_alone() {
        let kv = MemoryKv::new();
        let (one, other) = (Amendments::of(b"{}"), Amendments::of(b"{ }"));
        let none = one.read(&kv).unwrap();
        assert_eq!(none.text, b"");
        one.write(&kv, b"text", none.version).unwrap();
        assert_eq!(one.read(&kv).unwrap().text, b"text");
        assert_eq!(other.read(&kv).unwrap().text, b"");
        assert_eq!(one.write(&kv, b"late", none.version), Err(SetError::Lost));
    }

    #[test]
    fn whatever_stands_there_is_read() {
        let kv = MemoryKv::new();
        let one = Amendments::of(b"{}");
        one.write(&kv, b"text", Cas::NEVER).unwrap();
        let name = kv.names().remove(0);
        let whole = kv.get(&name).unwrap().unwrap().value;
        for cut in 0..whole.len() {
            kv.set(&name, &whole[..cut], Cas::UNCONDITIONAL).unwrap();
            let read = one.read(&kv).unwrap();
            assert!(b"text".starts_with(&read.text), "{cut}");
        }
        let long = [&whole[..12], &vec![b' '; MAX_AMENDMENT_BYTES + 1]].concat();
        kv.set(&name, &long, Cas::UNCONDITIONAL).unwrap();
        let read = one.read(&kv).unwrap();
        assert_eq!(read.text, b"");
        let text = vec![b' '; MAX_AMENDMENT_BYTES + 1];
        assert_eq!(one.write(&kv, &text, read.version), Err(SetError::Failed));
    }
}
