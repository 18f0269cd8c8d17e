//! The bytes of an entry. All numbers little-endian.
//!
//! ```text
//! 0  u8  version (1)
//! 1  u8  kind: 1 response, 2 variants
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
//! 47 u32 length, header pairs in the host's form
//! .. u32 length, body
//! ```
//!
//! Behind either stands the u64 checksum of all before it. Decoding is total: any bytes are an entry or a [`DecodeError`], and bytes left over are an error too. The key is
//! not in here; the tier stores and compares it in front of these bytes.

use super::checksum::checksum;
use super::variants::{MAX_FIELDS, MAX_MARKS};
use super::{
    FreshnessSource, Lifetime, Meta, Reader, StalePermission, Staleness, Validation, VariantMark,
    Variants,
};
use crate::config::RuleHash;
use crate::time::{Seconds, Timestamp};

const VERSION: u8 = 1;
const RESPONSE: u8 = 1;
const VARIANTS: u8 = 2;
/// Longer than any [`Seconds`].
const NOTHING_SAID: u32 = u32::MAX;

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
    /// A response.
    Response(StoredResponse<'a>),
    /// Where the responses are, since they vary.
    Variants(Variants),
}

/// A stored response, over the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredResponse<'a> {
    /// When it came, how long it is good, under which rule.
    pub meta: Meta,
    /// The status.
    pub status: u16,
    /// The fields, as a block of pairs (see [`crate::http::Headers`]).
    pub pairs: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// Writes a response; `None` where there is no memory for it, which in the filter must not end the worker.
pub fn encode_response(response: &StoredResponse<'_>) -> Option<Vec<u8>> {
    let meta = &response.meta;
    let size = response
        .pairs
        .len()
        .saturating_add(response.body.len())
        .saturating_add(63);
    let mut out = Vec::new();
    out.try_reserve_exact(size).ok()?;
    out.extend_from_slice(&[VERSION, RESPONSE]);
    out.extend_from_slice(&response.status.to_le_bytes());
    out.push(match meta.lifetime.source {
        FreshnessSource::Origin => 1,
        FreshnessSource::Rule => 2,
        FreshnessSource::Heuristic => 3,
    });
    out.extend_from_slice(&meta.lifetime.seconds.get().to_le_bytes());
    out.extend_from_slice(&meta.initial_age.get().to_le_bytes());
    out.extend_from_slice(&meta.request_time.as_nanos().to_le_bytes());
    out.extend_from_slice(&meta.response_time.as_nanos().to_le_bytes());
    out.extend_from_slice(&meta.rule.0.to_le_bytes());
    out.push(match meta.validation {
        Validation::Always => 1,
        Validation::Never => 2,
        Validation::WhenStale => 3,
    });
    push_staleness(&mut out, meta.staleness);
    push_counted(&mut out, response.pairs);
    push_counted(&mut out, response.body);
    Some(sealed(out))
}

fn push_staleness(out: &mut Vec<u8>, staleness: Staleness) {
    out.push(match staleness.permission {
        StalePermission::Forbidden => 1,
        StalePermission::ForbiddenBySMaxage => 2,
        StalePermission::Granted => 3,
    });
    for window in [staleness.while_revalidate, staleness.if_error] {
        let seconds = window.map_or(NOTHING_SAID, Seconds::get);
        out.extend_from_slice(&seconds.to_le_bytes());
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

fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

// Bodies and blocks are capped far below 4 GiB by the limits; a longer one could not be read back as anything else.
fn push_counted(out: &mut Vec<u8>, bytes: &[u8]) {
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
            VARIANTS => Payload::Variants(read_variants(&mut reader)?),
            _ => return Err(DecodeError::Invalid),
        };
        reader.finish()?;
        Ok(payload)
    }
}

fn read_response<'a>(reader: &mut Reader<'a>) -> Result<StoredResponse<'a>, DecodeError> {
    let status = reader.u16()?;
    let source = match reader.u8()? {
        1 => FreshnessSource::Origin,
        2 => FreshnessSource::Rule,
        3 => FreshnessSource::Heuristic,
        _ => return Err(DecodeError::Invalid),
    };
    if !(200..=599).contains(&status) {
        return Err(DecodeError::Invalid);
    }
    let response = StoredResponse {
        status,
        meta: Meta {
            lifetime: Lifetime {
                seconds: read_seconds(reader)?,
                source,
            },
            initial_age: read_seconds(reader)?,
            request_time: Timestamp::from_nanos(reader.u64()?),
            response_time: Timestamp::from_nanos(reader.u64()?),
            rule: RuleHash(reader.u64()?),
            validation: match reader.u8()? {
                1 => Validation::Always,
                2 => Validation::Never,
                3 => Validation::WhenStale,
                _ => return Err(DecodeError::Invalid),
            },
            staleness: read_staleness(reader)?,
        },
        pairs: reader.counted()?,
        body: reader.counted()?,
    };
    // What has no body by its status would end before it, and the next response on the connection begin with it.
    match status {
        206 | 304 => Err(DecodeError::Invalid),
        204 if !response.body.is_empty() => Err(DecodeError::Invalid),
        _ => Ok(response),
    }
}

fn read_staleness(reader: &mut Reader<'_>) -> Result<Staleness, DecodeError> {
    let permission = match reader.u8()? {
        1 => StalePermission::Forbidden,
        2 => StalePermission::ForbiddenBySMaxage,
        3 => StalePermission::Granted,
        _ => return Err(DecodeError::Invalid),
    };
    Ok(Staleness {
        permission,
        while_revalidate: read_perhaps(reader)?,
        if_error: read_perhaps(reader)?,
    })
}

fn read_seconds(reader: &mut Reader<'_>) -> Result<Seconds, DecodeError> {
    read_perhaps(reader)?.ok_or(DecodeError::Invalid)
}

fn read_perhaps(reader: &mut Reader<'_>) -> Result<Option<Seconds>, DecodeError> {
    let value = reader.u32()?;
    let seconds = Seconds::clamped(value.into());
    match value {
        NOTHING_SAID => Ok(None),
        _ if seconds.get() == value => Ok(Some(seconds)),
        _ => Err(DecodeError::Invalid),
    }
}

fn read_variants(reader: &mut Reader<'_>) -> Result<Variants, DecodeError> {
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
    Ok(Variants::from_parts(fields, marks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> StoredResponse<'static> {
        StoredResponse {
            meta: Meta {
                request_time: Timestamp::from_secs(1_000),
                response_time: Timestamp::from_secs(1_001),
                initial_age: Seconds::clamped(2),
                lifetime: Lifetime {
                    seconds: Seconds::clamped(300),
                    source: FreshnessSource::Rule,
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
            pairs: b"pairs",
            body: b"body",
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_response_version_1() {
        let golden = "0101c800022c010000020000000010a5d4e8000000\
                      00da3f10e9000000080706050403020103031e000000ffffffff05000000706169727304000000\
                      626f6479c9ed70a5515a5833";
        assert_eq!(hex(&encode_response(&sample()).unwrap()), golden);
    }

    #[test]
    fn golden_variants_version_1() {
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
            "01020100060000006163636570740100070000000000000000ca9a3b00000000d20968734fbde2ec"
        );
        assert_eq!(
            Payload::decode(&encode_variants(&variants)),
            Ok(Payload::Variants(variants))
        );
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
        bytes[0] = 2;
        assert_eq!(Payload::decode(&bytes), Err(DecodeError::Version));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1..3u8) {
            let _ = Payload::decode(&bytes);
            bytes.splice(0..0, [VERSION, kind]);
            let bytes = sealed(bytes);
            if let Ok(payload) = Payload::decode(&bytes) {
                let again = match payload {
                    Payload::Response(response) => encode_response(&response).unwrap(),
                    Payload::Variants(variants) => encode_variants(&variants),
                };
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
