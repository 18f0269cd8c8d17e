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
mod tests {
    use super::*;
    use crate::entry::{StoredPart, StoredResponse, VariantMark, sample};
    use crate::http::{ContentRange, UrlVariation};
    use proptest::prelude::*;

    const EPOCH: Epoch = Epoch {
        log: 0x77,
        position: 9,
    };

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn key() -> Key {
        Key::from_canonical(b"\x01\x02\x01\0\0\0h\x03\x02\0\0\0/p".to_vec())
    }

    /// Requested at 1000, written at 1002.
    fn frame_of(payload: &[u8]) -> Vec<u8> {
        Frame::encode(at(1_002), &key(), (at(1_000), at(1_300)), payload).unwrap()
    }

    fn response() -> Vec<u8> {
        frame_of(&encode_response(&sample()).unwrap())
    }

    fn variants(expires: Timestamp) -> Variants {
        let fields = Variants::default().with_fields(["accept"]).unwrap();
        let mark = VariantMark { digest: 7, expires };
        fields.with_variant(mark, 9, at(0)).unwrap()
    }

    fn reduced(expires: Timestamp) -> SearchRecord {
        let variation = UrlVariation::from_field(b"key-order").unwrap();
        SearchRecord::Reduced { variation, expires }
    }

    fn part(response: StoredResponse<'_>) -> StoredPart<'_> {
        let range = ContentRange::new(2, 5, 10).unwrap();
        StoredPart { range, response }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const GOLDEN: &str = "4c46520100a4da4be90000000010a5d4e800000000c809ae2e0100000e0000000102010000006803\
        020000002f70730000000401c800022c010000020000000010a5d4e800000000da3f10e900000008\
        0706050403020103031e000000ffffffff1817161514131211050000000000000002007374616d70\
        2023317374616d702023320600816182623a630500000070616972730104000000626f6479c7c5dc\
        c763ec7efccf2bd74da2a45cd5";

    #[test]
    fn golden_frame_of_version_1() {
        let bytes = response();
        assert_eq!(hex(&bytes), GOLDEN);
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!(frame.payload(), &Payload::Response(sample()));
        assert_eq!((frame.clock, frame.started), (at(1_002), at(1_000)));
        assert_eq!((frame.expires, frame.key()), (at(1_300), key()));
    }

    #[test]
    fn what_the_service_wants_to_know_is_read_off() {
        let bytes = response();
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!(frame.key().name().as_str(), "GET:h/p");
        assert_eq!(frame.digest(), key().digest());
        assert_eq!(frame.stamps(), Some(sample().stamps));
        assert_eq!(
            frame.tags().names().collect::<Vec<_>>(),
            [&b"a"[..], b"b:c"]
        );
        assert_eq!(frame.body_len(), 4);
        let bytes = frame_of(&encode_variants(&variants(at(9))));
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!((frame.stamps(), frame.body_len()), (None, 0));
    }

    #[test]
    fn every_time_in_an_entry_is_moved_to_the_clock_here() {
        // Written 500 seconds earlier by the clock here than by the writer's.
        let import = |payload: &[u8]| {
            let bytes = frame_of(payload);
            let frame = Frame::decode(&bytes).unwrap();
            let imported = frame.import(at(502), EPOCH).unwrap();
            assert_eq!((imported.started, imported.expires), (at(500), at(800)));
            assert_eq!(imported.key, key());
            imported
        };
        let mut moved = sample();
        moved.meta.request_time = at(500);
        moved.meta.response_time = at(501);
        moved.meta.epoch = EPOCH;
        let found = import(&encode_response(&sample()).unwrap());
        assert_eq!(found.payload, encode_response(&moved).unwrap());
        assert_eq!(found.stamps, Some(sample().stamps.iter().collect()));
        let found = import(&encode_part(&part(sample())).unwrap());
        assert_eq!(found.payload, encode_part(&part(moved)).unwrap());
        let found = import(&encode_variants(&variants(at(1_200))));
        assert_eq!(found.payload, encode_variants(&variants(at(700))));
        assert_eq!(found.stamps, None);
        let found = import(&encode_search(&reduced(at(1_200))));
        assert_eq!(found.payload, encode_search(&reduced(at(700))));
        let found = import(&encode_search(&SearchRecord::Exact));
        assert_eq!(found.payload, encode_search(&SearchRecord::Exact));
    }

    #[test]
    fn an_entry_is_fresh_for_as_long_as_its_origin_said() {
        // It came at 1001, two seconds old and fresh for 300, and was written at 1002.
        let bytes = response();
        let frame = Frame::decode(&bytes).unwrap();
        for (age_ms, expected) in [
            (0, Freshness::Fresh),
            (296_999, Freshness::Fresh),
            (297_000, Freshness::Stale),
            (u64::MAX, Freshness::Stale),
        ] {
            assert_eq!(frame.freshness(age_ms), expected, "{age_ms}");
        }
        let bytes = frame_of(&encode_variants(&variants(at(9))));
        let list = Frame::decode(&bytes).unwrap();
        assert_eq!(list.freshness(u64::MAX), Freshness::Fresh);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_entry_younger_than_its_frame() {
        let payload = encode_response(&sample()).unwrap();
        let bytes = Frame::encode(at(400), &key(), (at(1_000), at(1_300)), &payload).unwrap();
        let imported = Frame::decode(&bytes).unwrap().import(at(7), EPOCH).unwrap();
        assert_eq!(imported.started, at(7));
        let Ok(Payload::Response(found)) = Payload::decode(&imported.payload) else {
            panic!("a response is imported as one");
        };
        assert_eq!(
            (found.meta.request_time, found.meta.response_time),
            (at(7), at(7))
        );
    }

    #[test]
    fn cut_lengthened_or_changed_bytes_are_refused() {
        let whole = response();
        for cut in 0..whole.len() {
            assert!(Frame::decode(&whole[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Frame::decode(&[&whole[..], b"x"].concat()).is_err());
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn why_bytes_are_no_frame_is_told_apart() {
        let resealed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = response();
            bytes.truncate(bytes.len() - 8);
            change(&mut bytes);
            let sum = checksum(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            Frame::decode(&bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(resealed(&|bytes| bytes[3] = 2), FrameError::Version);
        assert_eq!(resealed(&|bytes| bytes[0] = b'x'), FrameError::Invalid);
        assert_eq!(resealed(&|bytes| bytes.push(0)), FrameError::Invalid);
        assert_eq!(resealed(&|bytes| bytes.truncate(40)), FrameError::Truncated);
        let other_entry = |bytes: &mut Vec<u8>| bytes[28 + 4 + 14 + 4] = 9;
        let version = FrameError::Entry(DecodeError::Version);
        assert_eq!(resealed(&other_entry), version);
        let no_key = Frame::encode(at(1), &Key::from_canonical(Vec::new()), (at(1), at(1)), b"");
        assert_eq!(Frame::decode(&no_key.unwrap()), Err(FrameError::Invalid));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_a_frame_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100), is_near: bool) {
            let mut bytes = bytes;
            if is_near {
                bytes.splice(0..0, *b"LFR\x01");
                let sum = checksum(&bytes);
                bytes.extend_from_slice(&sum.to_le_bytes());
            }
            let _ = Frame::decode(&bytes).map(|frame| frame.import(at(1), EPOCH));
        }

        #[test]
        fn there_and_back_nothing_has_changed(
            clock in 0..u64::MAX, elsewhere in 0..u64::MAX, ages in (0..1u64 << 40, 0..1u64 << 40), left in 0..1u64 << 40,
        ) {
            let (clock, elsewhere) = (clock.max(1 << 41), elsewhere.max(1 << 41));
            let (clock, elsewhere) = (clock.min(u64::MAX - (1 << 41)), elsewhere.min(u64::MAX - (1 << 41)));
            let nanos = Timestamp::from_nanos;
            let mut stored = sample();
            stored.meta.request_time = nanos(clock.saturating_sub(ages.0).saturating_sub(ages.1));
            stored.meta.response_time = nanos(clock.saturating_sub(ages.0));
            let payload = encode_response(&stored).unwrap();
            let times = (stored.meta.request_time, nanos(clock.saturating_add(left)));
            let there = Frame::encode(nanos(clock), &key(), times, &payload).unwrap();
            let imported = Frame::decode(&there).unwrap().import(nanos(elsewhere), EPOCH).unwrap();
            prop_assert_eq!(imported.expires, nanos(elsewhere.saturating_add(left)));
            let again = (imported.started, imported.expires);
            let back = Frame::encode(nanos(elsewhere), &key(), again, &imported.payload).unwrap();
            let home = Frame::decode(&back).unwrap().import(nanos(clock), stored.meta.epoch).unwrap();
            prop_assert_eq!(home.payload, payload);
            prop_assert_eq!((home.started, home.expires), times);
        }

        #[test]
        fn no_clock_is_too_far_away(clock: u64, written: u64, started: u64, expires: u64) {
            let nanos = Timestamp::from_nanos;
            let payload = encode_response(&sample()).unwrap();
            let bytes = Frame::encode(nanos(clock), &key(), (nanos(started), nanos(expires)), &payload).unwrap();
            let imported = Frame::decode(&bytes).unwrap().import(nanos(written), EPOCH).unwrap();
            prop_assert!(imported.started <= nanos(written));
            prop_assert!(Payload::decode(&imported.payload).is_ok());
        }
    }
}
