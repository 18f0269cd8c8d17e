//! A stored response as bytes; [`super::codec`] draws them.

use super::codec::{DecodeError, RESPONSE, VERSION, push_counted, sealed};
use super::coding::{push_coding, read_coding};
use super::{
    Coding, Epoch, FreshnessSource, Lifetime, Meta, Reader, StalePermission, Staleness, Stamps,
    TagNames, Validation,
};
use crate::config::RuleHash;
use crate::time::{Seconds, Timestamp};

/// Longer than any [`Seconds`].
const NOTHING_SAID: u32 = u32::MAX;

/// The stamps that an entry can have.
pub const MAX_STAMPS: usize = 1024;

/// A stored response, over the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredResponse<'a> {
    /// When it came, how long it is good, under which rule.
    pub meta: Meta,
    /// The status.
    pub status: u16,
    /// What an invalidation that concerns it would name; at most 1,024.
    pub stamps: Stamps<'a>,
    /// The names of its tags, 64 KiB at most.
    pub tags: TagNames<'a>,
    /// The fields, as a block of pairs (see [`crate::http::Headers`]).
    pub pairs: &'a [u8],
    /// In which form the body stands; only that of a 200 has another than it came in, and then it is shorter.
    pub coding: Coding,
    /// The body.
    pub body: &'a [u8],
}

/// Writes a response; `None` where there is no memory for it, which in the filter must not end the worker.
pub fn encode_response(response: &StoredResponse<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(size_of_response(response)).ok()?;
    out.extend_from_slice(&[VERSION, RESPONSE]);
    push_response(&mut out, response);
    Some(sealed(out))
}

/// How many bytes a response takes.
pub(super) fn size_of_response(response: &StoredResponse<'_>) -> usize {
    response
        .pairs
        .len()
        .saturating_add(response.body.len())
        .saturating_add(response.stamps.as_bytes().len())
        .saturating_add(response.tags.as_bytes().len())
        .saturating_add(88)
}

/// Writes what [`read_response`] reads.
pub(super) fn push_response(out: &mut Vec<u8>, response: &StoredResponse<'_>) {
    out.extend_from_slice(&response.status.to_le_bytes());
    push_meta(out, &response.meta);
    push_stamps(out, response.stamps);
    push_tags(out, response.tags);
    push_counted(out, response.pairs);
    push_coding(out, response.coding);
    push_counted(out, response.body);
}

/// Writes the facts that every kind of stored response has.
pub(super) fn push_meta(out: &mut Vec<u8>, meta: &Meta) {
    out.push(match meta.lifetime.source {
        FreshnessSource::Origin => 1,
        FreshnessSource::Rule => 2,
        FreshnessSource::Heuristic => 3,
        FreshnessSource::Negative => 4,
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
    push_staleness(out, meta.staleness);
    out.extend_from_slice(&meta.epoch.log.to_le_bytes());
    out.extend_from_slice(&meta.epoch.position.to_le_bytes());
}

// Whoever stamps a response keeps far below the bound.
pub(super) fn push_stamps(out: &mut Vec<u8>, stamps: Stamps<'_>) {
    let count = u16::try_from(stamps.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(stamps.as_bytes());
}

// Whoever names tags keeps far below the bound.
fn push_tags(out: &mut Vec<u8>, tags: TagNames<'_>) {
    let length = u16::try_from(tags.as_bytes().len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(tags.as_bytes());
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

/// Reads what stands behind the head.
pub(super) fn read_response<'a>(
    reader: &mut Reader<'a>,
) -> Result<StoredResponse<'a>, DecodeError> {
    let status = reader.u16()?;
    if !(200..=599).contains(&status) {
        return Err(DecodeError::Invalid);
    }
    let response = StoredResponse {
        status,
        meta: read_meta(reader)?,
        stamps: read_stamps(reader)?,
        tags: read_tags(reader)?,
        pairs: reader.counted()?,
        coding: read_coding(reader)?,
        body: reader.counted()?,
    };
    let is_coded = match response.coding {
        Coding::AsReceived => true,
        Coding::Compressible => status == 200,
        Coding::Gzip { length } => status == 200 && length > response.body.len(),
    };
    if !is_coded {
        return Err(DecodeError::Invalid);
    }
    // What has no body by its status would end before it, and the next response on the connection begin with it.
    match status {
        206 | 304 => Err(DecodeError::Invalid),
        204 if !response.body.is_empty() => Err(DecodeError::Invalid),
        _ => Ok(response),
    }
}

/// Reads what [`push_meta`] wrote.
pub(super) fn read_meta(reader: &mut Reader<'_>) -> Result<Meta, DecodeError> {
    let source = match reader.u8()? {
        1 => FreshnessSource::Origin,
        2 => FreshnessSource::Rule,
        3 => FreshnessSource::Heuristic,
        4 => FreshnessSource::Negative,
        _ => return Err(DecodeError::Invalid),
    };
    Ok(Meta {
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
        epoch: Epoch {
            log: reader.u64()?,
            position: reader.u64()?,
        },
    })
}

/// Reads what [`push_stamps`] wrote.
pub(super) fn read_stamps<'a>(reader: &mut Reader<'a>) -> Result<Stamps<'a>, DecodeError> {
    let count = usize::from(reader.u16()?);
    if count > MAX_STAMPS {
        return Err(DecodeError::Invalid);
    }
    let bytes = reader.take(count.saturating_mul(size_of::<u64>()))?;
    Ok(Stamps::from_bytes(bytes))
}

fn read_tags<'a>(reader: &mut Reader<'a>) -> Result<TagNames<'a>, DecodeError> {
    let length = usize::from(reader.u16()?);
    Ok(TagNames::from_bytes(reader.take(length)?))
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
