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
