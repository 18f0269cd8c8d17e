//! What a sweep that looks at every entry counts of what it sees; it stands in the sweep's cell ([`super::progress`]).
//!
//! Distinct tags are counted without remembering them: each sets one of 16,384 bits, and how many are left tells how many there
//! were ("linear counting"): right to one or two in a hundred up to 50,000, and too little above 150,000.

use crate::entry::{Coding, StoredResponse};
use crate::logarithm::ln;

use super::random::scramble;
use super::record::{Corrupt, Fields};

/// The bytes of the bits.
const BYTES: usize = 2048;
const BITS: f64 = 16_384.0;

/// What has been counted of the entries that were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Census {
    original_bytes: u64,
    stored_bytes: u64,
    tags: [u8; BYTES],
}

/// What a whole sweep counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The bytes of all bodies as the origin sent them.
    pub original_bytes: u64,
    /// The bytes of all bodies as they are stored: less, where they are compressed.
    pub stored_bytes: u64,
    /// How many different tags there are, about.
    pub tags: u64,
}

impl Default for Census {
    fn default() -> Self {
        Self {
            original_bytes: 0,
            stored_bytes: 0,
            tags: [0; BYTES],
        }
    }
}

impl Census {
    /// An entry that stays.
    pub(super) fn see(&mut self, response: &StoredResponse<'_>) {
        let stored = response.body.len();
        let original = match response.coding {
            Coding::AsReceived | Coding::Compressible => stored,
            Coding::Gzip { length } => length,
        };
        self.stored_bytes = self.stored_bytes.saturating_add(stored as u64);
        self.original_bytes = self.original_bytes.saturating_add(original as u64);
        for tag in response.tags.names() {
            let [low, high, bit, ..] = hash(tag).to_le_bytes();
            let at = usize::from(u16::from_le_bytes([low, high])) % BYTES;
            if let Some(byte) = self.tags.get_mut(at) {
                *byte |= 1u8.rotate_left(u32::from(bit));
            }
        }
    }

    pub(super) fn result(&self) -> Counted {
        let unset: u32 = self.tags.iter().map(|byte| byte.count_zeros()).sum();
        let left = f64::from(unset.max(1));
        Counted {
            original_bytes: self.original_bytes,
            stored_bytes: self.stored_bytes,
            tags: (-BITS * ln(left / BITS)).round() as u64,
        }
    }

    pub(super) fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.original_bytes.to_le_bytes());
        out.extend_from_slice(&self.stored_bytes.to_le_bytes());
        out.extend_from_slice(&self.tags);
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            original_bytes: fields.u64()?,
            stored_bytes: fields.u64()?,
            tags: *fields.take()?,
        })
    }
}

impl Counted {
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        for number in [self.original_bytes, self.stored_bytes, self.tags] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            original_bytes: fields.u64()?,
            stored_bytes: fields.u64()?,
            tags: fields.u64()?,
        })
    }
}

/// Spreads tags over the bits; nobody gains by finding two that meet.
fn hash(tag: &[u8]) -> u64 {
    tag.chunks(8).fold(tag.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        for (place, byte) in word.iter_mut().zip(chunk) {
            *place = *byte;
        }
        scramble(hash ^ u64::from_le_bytes(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{TagList, TagSources, sample};

    #[test]
    fn distinct_tags_are_counted_about_right() {
        for count in [0u64, 1, 25, 1_000, 40_000] {
            let mut census = Census::default();
            for number in 0..count {
                let mut tags = TagList::default();
                tags.push(TagSources::RULE, format!("user:{number}").as_bytes());
                for _ in 0..2 {
                    census.see(&StoredResponse {
                        tags: tags.as_names(),
                        ..sample()
                    });
                }
            }
            let found = census.result().tags;
            assert!(found.abs_diff(count) <= count / 40, "{count} {found}");
        }
    }
}
