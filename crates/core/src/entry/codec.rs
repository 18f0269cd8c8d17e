//! The bytes of an entry. All numbers little-endian.
//!
//! ```text
//! 0  u8  version (4)
//! 1  u8  kind: 1 response, 2 variants, 3 part of a response, 4 search
//!
//! response                                   variants
//! 2  u16 status                              2  u16 number of fields, then each: u32 length, name
//! 4  u8  freshness: 1 origin 2 rule 3 guess  .. u16 number of marks, then each: u64 digest, u64 expires
//! 5  u32 lifetime, seconds
//! 9  u32 initial age, seconds
//! 13 u64 request time, nanoseconds
//! 21 u64 response time, nanoseconds
//! 29 u64 rule hash
//! 37 u8  validation: 1 always 2 never 3 when stale
//! 38 u8  stale: 1 forbidden 2 forbidden by s-maxage 3 granted
//! 39 u32 stale while revalidate, seconds, or 2³²-1 for nothing said
//! 43 u32 stale if error, likewise
//! 47 u64 log and u64 position of the epoch
//! 63 u16 number of stamps, then each: u64
//! .. u16 length, names of tags (see [`super::TagNames`])
//! .. u32 length, header pairs in the host's form
//! .. u8  coding: 1 as received 2 compressible 3 gzip, and then u32 length of what was compressed
//! .. u32 length, body
//!
//! part of a response
//! 2  u32 offset of its first byte
//! 6  u32 length of the whole
//! 10 the response from its status on, which is 200; the body is the part, as received
//!
//! search
//! 2  u8  found by: 1 the whole query 2 what a value leaves, and then:
//! 3  u64 expires
//! 11 u32 length, canonical No-Vary-Search
//! ```
//!
//! Behind each stands the u64 checksum of all before it. Decoding is total: any bytes are an entry or a
//! [`DecodeError`], and bytes left over are an error too. The key is not in here; the tier stores and compares it in
//! front of these bytes.

use super::Reader;
use super::checksum::checksum;
use super::partial::{StoredPart, read_part};
use super::response::{StoredResponse, read_response};
use super::search::{SearchRecord, read_search};
use super::variants::{Variants, read_variants};

/// The version of all kinds.
pub(super) const VERSION: u8 = 4;
/// A response.
pub(super) const RESPONSE: u8 = 1;
/// The list of a URL's variants.
pub(super) const VARIANTS: u8 = 2;
/// A part of a response.
pub(super) const PARTIAL: u8 = 3;
/// What No-Vary-Search says of a path.
pub(super) const SEARCH: u8 = 4;

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are not those that were written.
    Checksum,
    /// A field holds a value that is never written.
    Invalid,
    /// There are bytes left over.
    Trailing,
    /// The bytes end too early.
    Truncated,
    /// Another build wrote them.
    Version,
}

/// What a place in the cache holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A part of a response.
    Partial(StoredPart<'a>),
    /// A response.
    Response(StoredResponse<'a>),
    /// How responses are found by No-Vary-Search.
    Search(SearchRecord),
    /// Where the responses are, since they vary.
    Variants(Variants),
}

/// Puts the checksum behind an entry.
pub(super) fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

// Bodies and blocks are capped far below 4 GiB by the limits; a longer one could not be read back as anything else.
pub(super) fn push_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

impl<'a> Payload<'a> {
    /// Reads an entry.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (content, sum) = bytes
            .split_last_chunk::<8>()
            .ok_or(DecodeError::Truncated)?;
        let mut reader = Reader::new(content);
        if reader.u8()? != VERSION {
            return Err(DecodeError::Version);
        }
        if checksum(content) != u64::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        let payload = match reader.u8()? {
            RESPONSE => Payload::Response(read_response(&mut reader)?),
            PARTIAL => Payload::Partial(read_part(&mut reader)?),
            SEARCH => Payload::Search(read_search(&mut reader)?),
            VARIANTS => Payload::Variants(read_variants(&mut reader)?),
            _ => return Err(DecodeError::Invalid),
        };
        reader.finish()?;
        Ok(payload)
    }

    /// The response or part that these bytes seem to be, without a look at the checksum: for who only counts, or asks what
    /// ends it. What is no such entry, or cannot be read, is none.
    pub fn outline(bytes: &'a [u8]) -> Option<StoredResponse<'a>> {
        let (content, _) = bytes.split_last_chunk::<8>()?;
        let mut reader = Reader::new(content);
        match (reader.u8().ok()?, reader.u8().ok()?) {
            (VERSION, RESPONSE) => read_response(&mut reader).ok(),
            (VERSION, PARTIAL) => Some(read_part(&mut reader).ok()?.response),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::RuleHash;
    use crate::entry::{
        Coding, Epoch, FreshnessSource, Lifetime, Meta, StalePermission, Staleness, Stamps,
        TagNames, Validation, VariantMark, encode_part, encode_response, encode_search,
        encode_variants,
    };
    use crate::http::ContentRange;
    use crate::time::{Seconds, Timestamp};
    use proptest::prelude::*;

    pub(crate) fn sample() -> StoredResponse<'static> {
        StoredResponse {
            meta: Meta {
                request_time: Timestamp::from_secs(1_000),
                response_time: Timestamp::from_secs(1_001),
                initial_age: Seconds::clamped(2),
                lifetime: Lifetime {
                    seconds: Seconds::clamped(300),
                    source: FreshnessSource::Rule,
                },
                epoch: Epoch {
                    log: 0x1112_1314_1516_1718,
                    position: 5,
                },
                rule: RuleHash(0x0102_0304_0506_0708),
                validation: Validation::WhenStale,
                staleness: Staleness {
                    permission: StalePermission::Granted,
                    while_revalidate: Some(Seconds::clamped(30)),
                    if_error: None,
                },
            },
            status: 200,
            stamps: Stamps::from_bytes(b"stamp #1stamp #2"),
            tags: TagNames::from_bytes(b"\x81a\x82b:c"),
            pairs: b"pairs",
            coding: Coding::AsReceived,
            body: b"body",
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_response_version_4() {
        let golden = "0401c800022c010000020000000010a5d4e8000000\
                      00da3f10e9000000080706050403020103031e000000ffffffff\
                      1817161514131211050000000000000002007374616d702023317374616d70202332\
                      0600816182623a630500000070616972730104000000626f6479c7c5dcc763ec7efc";
        assert_eq!(hex(&encode_response(&sample()).unwrap()), golden);
    }

    #[test]
    fn golden_response_in_gzip_version_4() {
        let golden = "0401c800022c010000020000000010a5d4e8000000\
                      00da3f10e9000000080706050403020103031e000000ffffffff\
                      1817161514131211050000000000000002007374616d702023317374616d70202332\
                      0600816182623a63050000007061697273030304000004000000626f6479e0d36961ecf69794";
        let response = StoredResponse {
            coding: Coding::Gzip { length: 0x0403 },
            ..sample()
        };
        assert_eq!(hex(&encode_response(&response).unwrap()), golden);
    }

    #[test]
    fn golden_variants_version_4() {
        let variants = Variants::default()
            .with_fields(["accept"])
            .unwrap()
            .with_variant(
                VariantMark {
                    digest: 7,
                    expires: Timestamp::from_secs(1),
                },
                9,
                Timestamp::from_secs(0),
            )
            .unwrap();
        assert_eq!(
            hex(&encode_variants(&variants)),
            "04020100060000006163636570740100070000000000000000ca9a3b0000000057f296984afd4827"
        );
        assert_eq!(
            Payload::decode(&encode_variants(&variants)),
            Ok(Payload::Variants(variants))
        );
    }

    #[test]
    fn golden_part_version_4() {
        let golden = "0403020000000a000000c800022c010000020000000010a5d4e8000000\
                      00da3f10e9000000080706050403020103031e000000ffffffff\
                      1817161514131211050000000000000002007374616d702023317374616d70202332\
                      0600816182623a630500000070616972730104000000626f64791c71bea6410196c9";
        let part = StoredPart {
            range: ContentRange::new(2, 5, 10).unwrap(),
            response: sample(),
        };
        assert_eq!(hex(&encode_part(&part).unwrap()), golden);
    }

    #[test]
    fn a_response_written_is_a_response_read() {
        assert_eq!(
            Payload::decode(&encode_response(&sample()).unwrap()),
            Ok(Payload::Response(sample()))
        );
    }

    #[test]
    fn cut_lengthened_or_changed_bytes_are_refused() {
        let whole = encode_response(&sample()).unwrap();
        for cut in 0..whole.len() {
            assert!(Payload::decode(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 1..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert_eq!(
                Payload::decode(&changed),
                Err(DecodeError::Checksum),
                "changed at {at}"
            );
        }
        let content = &whole[..whole.len() - 8];
        let cut = sealed(content[..content.len() - 1].to_vec());
        assert_eq!(Payload::decode(&cut), Err(DecodeError::Truncated));
        let longer = sealed([content, &[0]].concat());
        assert_eq!(Payload::decode(&longer), Err(DecodeError::Trailing));
    }

    #[test]
    fn only_the_body_of_a_200_has_another_form_and_then_a_shorter_one() {
        let decode = |status, coding| {
            let response = StoredResponse {
                status,
                coding,
                ..sample()
            };
            let bytes = encode_response(&response).unwrap();
            Payload::decode(&bytes).map(|payload| assert_eq!(payload, Payload::Response(response)))
        };
        let gzip = |length| Coding::Gzip { length };
        for (status, coding, expected) in [
            (200, Coding::AsReceived, Ok(())),
            (404, Coding::AsReceived, Ok(())),
            (200, Coding::Compressible, Ok(())),
            (404, Coding::Compressible, Err(DecodeError::Invalid)),
            (200, gzip(5), Ok(())),
            (200, gzip(0xffff_ffff), Ok(())),
            (200, gzip(4), Err(DecodeError::Invalid)),
            (200, gzip(0), Err(DecodeError::Invalid)),
            (404, gzip(5), Err(DecodeError::Invalid)),
        ] {
            assert_eq!(decode(status, coding), expected, "{status} {coding:?}");
        }
        let part = |coding| {
            let range = ContentRange::new(2, 5, 10).unwrap();
            let response = StoredResponse { coding, ..sample() };
            let bytes = encode_part(&StoredPart { range, response }).unwrap();
            Payload::decode(&bytes).map(|_| ())
        };
        assert_eq!(part(Coding::AsReceived), Ok(()));
        assert_eq!(part(Coding::Compressible), Err(DecodeError::Invalid));
        assert_eq!(part(gzip(5)), Err(DecodeError::Invalid));
    }

    #[test]
    fn a_status_that_has_no_body_comes_with_none() {
        let decode = |status, body| {
            let bytes = encode_response(&StoredResponse {
                status,
                body,
                ..sample()
            });
            Payload::decode(&bytes.unwrap()).map(|_| ())
        };
        assert_eq!(decode(204, b""), Ok(()));
        for (status, body) in [(204, &b"x"[..]), (206, b"x"), (304, b""), (304, b"x")] {
            assert_eq!(decode(status, body), Err(DecodeError::Invalid), "{status}");
        }
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let mut bytes = encode_response(&sample()).unwrap();
        bytes[0] = 1;
        assert_eq!(Payload::decode(&bytes), Err(DecodeError::Version));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1..5u8) {
            let _ = Payload::decode(&bytes);
            bytes.splice(0..0, [VERSION, kind]);
            let bytes = sealed(bytes);
            if let Ok(payload) = Payload::decode(&bytes) {
                let again = match payload {
                    Payload::Partial(part) => encode_part(&part).unwrap(),
                    Payload::Response(response) => encode_response(&response).unwrap(),
                    Payload::Search(record) => encode_search(&record),
                    Payload::Variants(variants) => encode_variants(&variants),
                };
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
