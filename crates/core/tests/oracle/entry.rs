//! Entries: what is read is what would be written.

use larder_core::entry::{
    Payload, Variants, encode_part, encode_response, encode_search, encode_variants,
};

/// The checksum that stands behind an entry, eight bytes in each of four lanes.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let step =
        |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut lanes = [1, 2, 3, 4];
    let whole = bytes.len() / 32 * 32;
    for (place, word) in bytes[..whole].chunks(8).enumerate() {
        lanes[place % 4] = step(
            lanes[place % 4],
            u64::from_le_bytes(word.try_into().unwrap()),
        );
    }
    let mut sum = bytes.len() as u64;
    for word in lanes
        .into_iter()
        .chain(bytes[whole..].iter().map(|byte| u64::from(*byte)))
    {
        sum = step(sum, word);
    }
    sum ^ (sum >> 32)
}

fn judge(bytes: &[u8]) {
    let Ok(payload) = Payload::decode(bytes) else {
        return;
    };
    let again = match &payload {
        Payload::Partial(part) => encode_part(part).unwrap(),
        Payload::Response(response) => encode_response(response).unwrap(),
        Payload::Search(record) => encode_search(record),
        Payload::Variants(variants) => encode_variants(variants),
    };
    assert_eq!(again, bytes, "{payload:?}");
}

/// Once as they are, and once with the version and the checksum that let them be looked at closer.
pub(super) fn check(data: &[u8]) {
    judge(data);
    let content = data.len().saturating_sub(8);
    let mut sealed = data.get(..content).unwrap_or_default().to_vec();
    if let Some(version) = sealed.first_mut() {
        *version = encode_variants(&Variants::default())[0];
    }
    let sum = checksum(&sealed);
    sealed.extend_from_slice(&sum.to_le_bytes());
    judge(&sealed);
}
