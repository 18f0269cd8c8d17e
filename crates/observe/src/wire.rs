//! What a worker has seen, as bytes for the others.
//!
//! ```text
//! "LOB1" │ u8 reasons known │ u64 configuration │ u64 worker │ u64 at, in seconds │ tags (32) │ u8 templates, those seen most first:
//!   u8 length, template │ u16 rule │ 9 × u32 counts │ u64 watched │ u32 lifetime │ u8 source │ keys (32) │ contents (32)
//!   │ u8 reasons: u8 reason, u32 count │ u8 names: u8 kind, u8 length, name, values (32)                    all little-endian
//! ```
//!
//! Others may have written what is read here, so any bytes are something or nothing.

use larder_core::entry::{FreshnessSource, Reader};
use larder_core::policy::Reason;
use larder_core::sorting::sort_by;

use crate::distinct::Distinct;
use crate::seen::{Name, NameKind, Seen};

const MAGIC: &[u8; 4] = b"LOB1";

/// No worker's observations are longer.
pub(crate) const MOST_BYTES: usize = 16 << 10;

/// What a worker has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Under which configuration.
    pub configuration: u64,
    /// Which worker, by a number of its own.
    pub worker: u64,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The tags of what it has stored.
    pub tags: Distinct,
    /// By template.
    pub seen: Vec<Seen>,
}

impl Report {
    /// As bytes; what was seen least is left out where there would be too many.
    pub(crate) fn encode(mut self) -> Vec<u8> {
        sort_by(&mut self.seen, |one, other| other.sure().cmp(&one.sure()));
        let mut out = MAGIC.to_vec();
        out.push(reasons());
        for number in [self.configuration, self.worker, self.at] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(self.tags.as_bytes());
        let count = out.len();
        out.push(0);
        let mut written = 0_u8;
        for seen in &self.seen {
            let end = out.len();
            write(seen, &mut out);
            if out.len() > MOST_BYTES || written == u8::MAX {
                out.truncate(end);
                break;
            }
            written = written.saturating_add(1);
        }
        if let Some(count) = out.get_mut(count) {
            *count = written;
        }
        out
    }

    /// From bytes; `None` for what is none of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.get(..MOST_BYTES).unwrap_or(bytes));
        if reader.take(MAGIC.len()).ok()? != MAGIC || reader.u8().ok()? != reasons() {
            return None;
        }
        let (configuration, worker) = (reader.u64().ok()?, reader.u64().ok()?);
        let at = reader.u64().ok()?;
        let tags = distinct(&mut reader)?;
        let count = reader.u8().ok()?;
        let seen = (0..count)
            .map(|_| read(&mut reader))
            .collect::<Option<_>>()?;
        reader.finish().ok()?;
        Some(Self {
            configuration,
            worker,
            at,
            tags,
            seen,
        })
    }
}

/// Which worker wrote this, and when, in seconds since 1970.
pub(crate) fn owner(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut reader = Reader::new(bytes);
    let is_ours = reader.take(MAGIC.len()).ok()? == MAGIC;
    let (_, _) = (reader.u8().ok()?, reader.u64().ok()?);
    is_ours.then_some((reader.u64().ok()?, reader.u64().ok()?))
}

fn reasons() -> u8 {
    u8::try_from(Reason::ALL.len()).unwrap_or(u8::MAX)
}

fn counted(text: &str, out: &mut Vec<u8>) {
    let length = u8::try_from(text.len()).unwrap_or_default();
    out.push(length);
    out.extend_from_slice(text.as_bytes().get(..length.into()).unwrap_or_default());
}

fn write(seen: &Seen, out: &mut Vec<u8>) {
    counted(&seen.template, out);
    out.extend_from_slice(&seen.rule.to_le_bytes());
    for count in [
        seen.total,
        seen.error,
        seen.stored,
        seen.confirmed,
        seen.expired,
        seen.killed,
        seen.killed_alike,
        seen.pairs,
        seen.changes,
    ] {
        out.extend_from_slice(&count.to_le_bytes());
    }
    out.extend_from_slice(&seen.watched_seconds.to_le_bytes());
    out.extend_from_slice(&seen.lifetime_seconds.to_le_bytes());
    out.push(match seen.source {
        FreshnessSource::Heuristic => 0,
        FreshnessSource::Origin => 1,
        FreshnessSource::Rule => 2,
        FreshnessSource::Negative => 3,
    });
    out.extend_from_slice(seen.keys.as_bytes());
    out.extend_from_slice(seen.contents.as_bytes());
    out.push(u8::try_from(seen.reasons.len()).unwrap_or_default());
    for (reason, count) in &seen.reasons {
        out.push(*reason as u8);
        out.extend_from_slice(&count.to_le_bytes());
    }
    out.push(u8::try_from(seen.names.len()).unwrap_or_default());
    for name in &seen.names {
        out.push(match name.kind {
            NameKind::Parameter => 0,
            NameKind::Vary => 1,
        });
        counted(&name.name, out);
        out.extend_from_slice(name.values.as_bytes());
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Seen> {
    let template = text(reader)?;
    let rule = reader.u16().ok()?;
    let mut counts = [0; 9];
    for count in &mut counts {
        *count = reader.u32().ok()?;
    }
    let [
        total,
        error,
        stored,
        confirmed,
        expired,
        killed,
        killed_alike,
        pairs,
        changes,
    ] = counts;
    let watched_seconds = reader.u64().ok()?;
    let lifetime_seconds = reader.u32().ok()?;
    let source = match reader.u8().ok()? {
        0 => FreshnessSource::Heuristic,
        1 => FreshnessSource::Origin,
        2 => FreshnessSource::Rule,
        3 => FreshnessSource::Negative,
        _ => return None,
    };
    let (keys, contents) = (distinct(reader)?, distinct(reader)?);
    let count = reader.u8().ok()?;
    let reasons = (0..count).map(|_| {
        let reason = Reason::ALL.get(usize::from(reader.u8().ok()?))?;
        Some((*reason, reader.u32().ok()?))
    });
    let reasons = reasons.collect::<Option<_>>()?;
    let count = reader.u8().ok()?;
    let names = (0..count).map(|_| name(reader)).collect::<Option<_>>()?;
    Some(Seen {
        template,
        rule,
        total,
        error,
        stored,
        confirmed,
        expired,
        killed,
        killed_alike,
        reasons,
        pairs,
        changes,
        watched_seconds,
        lifetime_seconds,
        source,
        keys,
        contents,
        names,
    })
}

fn name(reader: &mut Reader<'_>) -> Option<Name> {
    let kind = match reader.u8().ok()? {
        0 => NameKind::Parameter,
        1 => NameKind::Vary,
        _ => return None,
    };
    let name = text(reader)?;
    let values = distinct(reader)?;
    Some(Name { kind, name, values })
}

/// Printable ASCII: it is shown to people.
fn text(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.u8().ok()?;
    let bytes = reader.take(length.into()).ok()?;
    let is_plain = bytes.iter().all(u8::is_ascii_graphic);
    is_plain.then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn distinct(reader: &mut Reader<'_>) -> Option<Distinct> {
    Distinct::from_bytes(reader.take(Distinct::BYTES).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_core::config::PolicyId;
    use proptest::prelude::*;

    fn report(templates: u32) -> Report {
        let seen = (0..templates).map(|n| {
            let mut seen = Seen::new(format!("/template/{n}/*"), PolicyId::Unmatched, 1);
            seen.total = 1000 - n;
            seen.note(Reason::NoFreshness, n);
            seen.name(NameKind::Vary, "accept-language").unwrap().add(7);
            seen.name(NameKind::Parameter, "page").unwrap().add(8);
            seen
        });
        Report {
            configuration: 1,
            worker: 2,
            at: 3,
            tags: Distinct::default(),
            seen: seen.collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_has_an_owner() {
        let bytes = report(20).encode();
        assert_eq!(Report::decode(&bytes), Some(report(20)));
        assert_eq!(owner(&bytes), Some((2, 3)));
        assert_eq!(owner(b""), None);
    }

    #[test]
    fn what_is_too_much_loses_what_was_seen_least() {
        let bytes = report(200).encode();
        assert!(bytes.len() <= MOST_BYTES);
        let read = Report::decode(&bytes).unwrap();
        assert_eq!(read.seen[..], report(200).seen[..read.seen.len()]);
        assert!(read.seen.len() > 60, "{}", read.seen.len());
    }

    proptest! {
        #[test]
        fn any_bytes_are_something_or_nothing(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..400_usize) {
            let _ = Report::decode(&bytes);
            let mut good = report(2).encode();
            let at = at % good.len();
            bytes.truncate(4);
            good.splice(at..at, bytes);
            if let Some(read) = Report::decode(&good) {
                let _ = read.encode();
            }
        }
    }
}
