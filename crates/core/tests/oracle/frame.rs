//! Frames: what is read is what would be written, and what is brought in can be read.

use larder_core::entry::{
    Epoch, Payload, encode_part, encode_response, encode_search, encode_variants,
};
use larder_core::time::Timestamp;
use larder_core::wire::Frame;

use super::entry::checksum;

/// Clock, two times, key and entry, where the bytes are a frame but for what is in the entry.
fn parts(bytes: &[u8]) -> Option<([u64; 3], &[u8], &[u8])> {
    let at = |from: usize, len: usize| bytes.get(from..from.checked_add(len)?);
    let number = |from| Some(u64::from_le_bytes(at(from, 8)?.try_into().unwrap()));
    let length = |from| Some(u32::from_le_bytes(at(from, 4)?.try_into().unwrap()) as usize);
    if at(0, 4)? != b"LFR\x01" {
        return None;
    }
    let times = [number(4)?, number(12)?, number(20)?];
    let key = at(32, length(28)?)?;
    let behind = 32 + key.len();
    let entry = at(behind + 4, length(behind)?)?;
    let end = behind + 4 + entry.len();
    let is_whole = end + 8 == bytes.len() && number(end)? == checksum(&bytes[..end]);
    (is_whole && !key.is_empty() && key.len() <= 1 << 20).then_some((times, key, entry))
}

fn judge(bytes: &[u8]) {
    let found = Frame::decode(bytes);
    let expected = parts(bytes).filter(|(_, _, entry)| Payload::decode(entry).is_ok());
    let Some((times, key, entry)) = expected else {
        assert!(found.is_err(), "{found:?}");
        return;
    };
    let frame = found.unwrap();
    let read = [frame.clock, frame.started, frame.expires].map(Timestamp::as_nanos);
    assert_eq!(read, times);
    assert_eq!(frame.key().canonical(), key);
    let again = match frame.payload() {
        Payload::Partial(part) => encode_part(part).unwrap(),
        Payload::Response(response) => encode_response(response).unwrap(),
        Payload::Search(record) => encode_search(record),
        Payload::Variants(variants) => encode_variants(variants),
    };
    assert_eq!(again, entry);
    let written = Timestamp::from_nanos(times[0] ^ 0x0fff_ffff_ffff);
    let imported = frame.import(written, Epoch::UNKNOWN).unwrap();
    assert!(imported.started <= written);
    let imported = Payload::decode(&imported.payload).unwrap();
    assert_eq!(
        std::mem::discriminant(&imported),
        std::mem::discriminant(frame.payload())
    );
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Once as they are, and once as times, key and entry of a frame whose checksums and lengths are right.
pub(super) fn check(data: &[u8]) {
    judge(data);
    let Some((times, rest)) = data.split_at_checked(24) else {
        return;
    };
    let (key, entry) = rest.split_at(rest.len().min(5));
    let mut content = entry.get(..entry.len().saturating_sub(8)).unwrap().to_vec();
    if let Some(version) = content.first_mut() {
        *version = 4;
    }
    let entry = sealed(content);
    let mut frame = b"LFR\x01".to_vec();
    frame.extend_from_slice(times);
    for counted in [key, &entry[..]] {
        frame.extend_from_slice(&(counted.len() as u32).to_le_bytes());
        frame.extend_from_slice(counted);
    }
    judge(&sealed(frame));
}
