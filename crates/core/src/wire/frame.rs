//! An entry on its way through the fleet. All numbers little-endian.
//!
//! ```text
//! 0  "LFR"  u8 version (1)
//! 4  u64 the clock of who wrote it, at that moment, nanoseconds
//! 12 u64 when the request was received that fetched it
//! 20 u64 when it is no longer of any use
//! 28 u32 length, canonical bytes of the key
//! .. u32 length, the entry as it stands in a slot ([`crate::entry`])
//! .. u64 checksum of all before it
//! ```
//!
//! **Clocks never meet.** All times in a frame are its writer's, and so is the clock in front; who reads it knows, by its own
//! clock, when it was written, and moves all times by the difference. So two instances may be an hour apart, and an entry is
//! as old at both as it is.
//!
//! The epoch in an entry counts its writer's invalidations and says nothing elsewhere: who reads it puts its own in place.
//!
//! Who writes frames has the secret of the fleet, and may say in them what it likes about an origin; yet a reader must not be
//! harmed by them, so the entry is decoded before anything is believed, and no time comes to lie behind the moment of
//! writing that would make an entry younger than it can be.

use crate::entry::{
    DecodeError, Epoch, Payload, Reader, SearchRecord, StampList, Stamps, TagNames, Variants,
    checksum, encode_part, encode_response, encode_search, encode_variants,
};
use crate::key::{Key, KeyDigest};
use crate::time::Timestamp;

const MAGIC: &[u8] = b"LFR";
const VERSION: u8 = 1;
/// What stands around key and entry.
const AROUND: usize = 44;
/// As long as a configuration allows, and a variant's fields behind it.
const MAX_KEY_BYTES: usize = 1 << 20;

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// They are not those that were written.
    Checksum,
    /// What is in it is no entry of this version.
    Entry(DecodeError),
    /// A field holds a value that is never written, or there are bytes left over.
    Invalid,
    /// The bytes end too early.
    Truncated,
    /// Another version of frames.
    Version,
}

/// An entry as it goes through the fleet, over the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The writer's clock when it was written.
    pub clock: Timestamp,
    /// When the request was received that fetched it, by that clock.
    pub started: Timestamp,
    /// When it is no longer of any use, by that clock.
    pub expires: Timestamp,
    key: &'a [u8],
    payload: Payload<'a>,
}

/// Whether an entry answers by itself, as far as its age goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It does.
    Fresh,
    /// It has to be asked about.
    Stale,
}

/// An entry of the fleet, as it is stored here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it answers.
    pub key: Key,
    /// When the request was received that fetched it, by the clock here.
    pub started: Timestamp,
    /// When it is no longer of any use, by the clock here.
    pub expires: Timestamp,
    /// The entry, with times of the clock here and the epoch that was given.
    pub payload: Vec<u8>,
    /// What an invalidation that concerns it would name; `None` of what none can concern: it only tells where others are.
    pub stamps: Option<StampList>,
}

impl<'a> Frame<'a> {
    /// Writes a frame of an entry as the encoders of [`crate::entry`] wrote it; `None` where there is no memory for it.
    pub fn encode(
        clock: Timestamp,
        key: &Key,
        (started, expires): (Timestamp, Timestamp),
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let canonical = key.canonical();
        let size = AROUND
            .checked_add(canonical.len())?
            .checked_add(payload.len())?;
        let mut out = Vec::new();
        out.try_reserve_exact(size).ok()?;
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        for time in [clock, started, expires] {
            out.extend_from_slice(&time.as_nanos().to_le_bytes());
        }
        for counted in [canonical, payload] {
            out.extend_from_slice(&u32::try_from(counted.len()).ok()?.to_le_bytes());
            out.extend_from_slice(counted);
        }
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        Some(out)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (content, sum) = bytes.split_last_chunk::<8>().ok_or(FrameError::Truncated)?;
        let truncated = |_| FrameError::Truncated;
        let mut reader = Reader::new(content);
        if reader.take(MAGIC.len()).map_err(truncated)? != MAGIC {
            return Err(FrameError::Invalid);
        }
        if reader.u8().map_err(truncated)? != VERSION {
            return Err(FrameError::Version);
        }
        if checksum(content) != u64::from_le_bytes(*sum) {
            return Err(FrameError::Checksum);
        }
        let mut time = || reader.u64().map(Timestamp::from_nanos).map_err(truncated);
        let (clock, started, expires) = (time()?, time()?, time()?);
        let key = reader.counted().map_err(truncated)?;
        let payload = reader.counted().map_err(truncated)?;
        reader.finish().map_err(|_| FrameError::Invalid)?;
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(FrameError::Invalid);
        }
        Ok(Self {
            clock,
            started,
            expires,
            key,
            payload: Payload::decode(payload).map_err(FrameError::Entry)?,
        })
    }

    /// What it answers.
    pub fn key(&self) -> Key {
        Key::from_canonical(self.key.to_vec())
    }

    /// Where it stands in the fleet.
    pub fn digest(&self) -> KeyDigest {
        self.key().digest()
    }

    /// The entry, as its writer has it.
    pub fn payload(&self) -> &Payload<'a> {
        &self.payload
    }

    /// What an invalidation that concerns it would name; `None` of what none can concern.
    pub fn stamps(&self) -> Option<Stamps<'a>> {
        match &self.payload {
            Payload::Partial(part) => Some(part.response.stamps),
            Payload::Response(response) => Some(response.stamps),
            Payload::Search(_) | Payload::Variants(_) => None,
        }
    }

    /// Its tags.
    pub fn tags(&self) -> TagNames<'a> {
        match &self.payload {
            Payload::Partial(part) => part.response.tags,
            Payload::Response(response) => response.tags,
            Payload::Search(_) | Payload::Variants(_) => TagNames::default(),
        }
    }

    /// The bytes of its body, as they are stored.
    pub fn body_len(&self) -> usize {
        match &self.payload {
            Payload::Partial(part) => part.response.body.len(),
            Payload::Response(response) => response.body.len(),
            Payload::Search(_) | Payload::Variants(_) => 0,
        }
    }

    /// Whether it is fresh so many milliseconds after it was written. What only tells where others are always is.
    pub fn freshness(&self, age_ms: u64) -> Freshness {
        let meta = match &self.payload {
            Payload::Partial(part) => part.response.meta,
            Payload::Response(response) => response.meta,
            Payload::Search(_) | Payload::Variants(_) => return Freshness::Fresh,
        };
        let age = age_ms.saturating_mul(1_000_000);
        let now = Timestamp::from_nanos(self.clock.as_nanos().saturating_add(age));
        // RFC 9111 section 4.2.3: the age on arrival, and the time since.
        let age = now
            .since(meta.response_time)
            .saturating_add(meta.initial_age);
        match age < meta.lifetime.seconds {
            true => Freshness::Fresh,
            false => Freshness::Stale,
        }
    }

    /// As it is stored here, where it was written at `written` by the clock here, and asked for at `epoch`. `None` where there is
    /// no memory for it.
    pub fn import(&self, written: Timestamp, epoch: Epoch) -> Option<Imported> {
        let shift = Shift {
            from: self.clock,
            to: written,
        };
        let payload = match &self.payload {
            Payload::Partial(part) => {
                let mut part = *part;
                shift.meta(&mut part.response.meta, epoch);
                encode_part(&part)?
            }
            Payload::Response(response) => {
                let mut response = *response;
                shift.meta(&mut response.meta, epoch);
                encode_response(&response)?
            }
            Payload::Search(record) => encode_search(&shift.search(record)),
            Payload::Variants(variants) => encode_variants(&shift.variants(variants)),
        };
        Some(Imported {
            key: self.key(),
            started: shift.past(self.started),
            expires: shift.any(self.expires),
            payload,
            stamps: self.stamps().map(|stamps| stamps.iter().collect()),
        })
    }
}

/// From one clock to another.
struct Shift {
    from: Timestamp,
    to: Timestamp,
}

impl Shift {
    fn any(&self, time: Timestamp) -> Timestamp {
        let (time, from, to) = (time.as_nanos(), self.from.as_nanos(), self.to.as_nanos());
        Timestamp::from_nanos(match time.checked_sub(from) {
            Some(later) => to.saturating_add(later),
            None => to.saturating_sub(from.saturating_sub(time)),
        })
    }

    /// Of what had happened when it was written. It can seem later only where the writer's clock was set back since.
    fn past(&self, time: Timestamp) -> Timestamp {
        self.any(time).min(self.to)
    }

    fn meta(&self, meta: &mut crate::entry::Meta, epoch: Epoch) {
        meta.request_time = self.past(meta.request_time);
        meta.response_time = self.past(meta.response_time);
        meta.epoch = epoch;
    }

    fn search(&self, record: &SearchRecord) -> SearchRecord {
        match record {
            SearchRecord::Exact => SearchRecord::Exact,
            SearchRecord::Reduced { variation, expires } => SearchRecord::Reduced {
                variation: variation.clone(),
                expires: self.any(*expires),
            },
        }
    }

    fn variants(&self, variants: &Variants) -> Variants {
        variants.map_expiry(|expires| self.any(expires))
    }
}

#[cfg(test)]
mod tests;
