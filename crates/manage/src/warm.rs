//! Fetching before clients ask: what is to be fetched, and how far that is.
//!
//! A job belongs to the worker that was asked; its progress stands in one of eight cells of shared data, so that any worker can
//! say how far it is. The worker writes it at each tick. When a job's cell was not written for a while its worker is gone, and
//! the rest of it is lost: it survives nothing.
//!
//! ```text
//! "LWA1" │ u64 id │ u64 at, in seconds │ u32 total, done, stored, fresh, failed │ u8 reasons: u8 reason, u32 count
//!        │ u8 length, cluster                                                                        all little-endian
//! ```

use larder_core::config::reading::{self, Fields, Given};
use larder_core::entry::Reader;
use larder_core::exchange::Call;
use larder_core::policy::Reason;
use larder_core::tier::{Cas, SharedKv};
use larder_core::time::Timestamp;

use crate::answer::Desk;
use crate::json::Json;
use crate::outcome::Outcome;

const MAGIC: &[u8; 4] = b"LWA1";
/// Jobs of a process that are remembered at once.
const JOBS: u8 = 8;
/// URLs of a job.
const MOST_URLS: usize = 1000;
const LONGEST_URL: usize = 4096;
const LONGEST_CLUSTER: usize = 255;
/// Fetches of a job at a time.
const CONCURRENCY: u64 = 4;
const MOST_CONCURRENCY: u64 = 64;
/// A job of which nothing was heard for so many seconds is lost.
const SILENCE: u64 = 10;

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmOrder {
    /// URLs, in order.
    pub urls: Vec<WarmUrl>,
    /// So many at a time.
    pub concurrency: u32,
    /// Through which cluster of the proxy; none stands for that of the call's own route.
    pub cluster: Option<String>,
}

/// A URL as a request has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// The host, with its port.
    pub authority: String,
    /// Path and query.
    pub target: String,
}

/// Who fetches.
pub trait Warm {
    /// Begins; `None` where it is not known through which cluster, or another job is under way here.
    fn begin(&self, order: WarmOrder, now: Timestamp) -> Option<Progress>;
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which job.
    pub id: u64,
    /// When that was, in seconds since 1970.
    pub at: u64,
    /// URLs.
    pub total: u32,
    /// Those that need nothing more.
    pub done: u32,
    /// Those of them that were stored.
    pub stored: u32,
    /// Those of them that were there and fresh.
    pub fresh: u32,
    /// Those of them that could not be fetched.
    pub failed: u32,
    /// Those of them that were not stored.
    pub not_stored: Vec<(Reason, u32)>,
    /// Through which cluster.
    pub cluster: String,
}

impl Progress {
    /// One more was not stored.
    pub fn note(&mut self, reason: Reason) {
        match self
            .not_stored
            .iter_mut()
            .find(|(known, _)| *known == reason)
        {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.not_stored.push((reason, 1)),
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.at.to_le_bytes());
        for count in [self.total, self.done, self.stored, self.fresh, self.failed] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.push(u8::try_from(self.not_stored.len()).unwrap_or_default());
        for (reason, count) in &self.not_stored {
            out.push(*reason as u8);
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.push(u8::try_from(self.cluster.len()).unwrap_or_default());
        out.extend_from_slice(self.cluster.as_bytes());
        out
    }

    /// From bytes; `None` for what is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len()).ok()? != MAGIC {
            return None;
        }
        let (id, at) = (reader.u64().ok()?, reader.u64().ok()?);
        let mut counts = [0; 5];
        for count in &mut counts {
            *count = reader.u32().ok()?;
        }
        let [total, done, stored, fresh, failed] = counts;
        let mut not_stored = Vec::new();
        for _ in 0..reader.u8().ok()? {
            let reason = Reason::ALL.get(usize::from(reader.u8().ok()?))?;
            not_stored.push((*reason, reader.u32().ok()?));
        }
        let length = reader.u8().ok()?;
        let cluster = String::from_utf8_lossy(reader.take(length.into()).ok()?).into_owned();
        reader.finish().ok()?;
        Some(Self {
            id,
            at,
            total,
            done,
            stored,
            fresh,
            failed,
            not_stored,
            cluster,
        })
    }

    fn is_over(&self, now: u64) -> bool {
        self.done >= self.total || now.abs_diff(self.at) > SILENCE
    }

    fn json(&self, now: u64) -> Json {
        let state = if self.done >= self.total {
            "done"
        } else if self.is_over(now) {
            "lost"
        } else {
            "running"
        };
        let mut not_stored = Json::object();
        for (reason, count) in &self.not_stored {
            not_stored = not_stored.number(reason.code(), (*count).into());
        }
        Json::object()
            .text("id", &format!("{:016x}", self.id))
            .text("state", state)
            .text("cluster", &self.cluster)
            .number("total", self.total.into())
            .number("done", self.done.into())
            .number("stored", self.stored.into())
            .number("fresh", self.fresh.into())
            .nested("not_stored", not_stored)
            .number("failed", self.failed.into())
    }

    /// Takes a cell for a new job; `None` where there is none.
    pub fn claim(&self, kv: &dyn SharedKv) -> Option<u8> {
        (0..JOBS).find(|cell| {
            let found = kv.get(&name(*cell)).ok().flatten();
            let cas = match &found {
                None => Cas::NEVER,
                Some(found) => found.cas,
            };
            let known = found.and_then(|found| Self::decode(&found.value));
            known.is_none_or(|known| known.is_over(self.at))
                && kv.set(&name(*cell), &self.encode(), cas).is_ok()
        })
    }

    /// Shows how far it is.
    pub fn show(&self, kv: &dyn SharedKv, cell: u8) {
        let _ = kv.set(&name(cell), &self.encode(), Cas::UNCONDITIONAL);
    }
}

fn name(cell: u8) -> String {
    ["larder1v", &cell.to_string()].concat()
}

/// `POST warm`.
pub(crate) fn begin(call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let head = &call.head;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (scheme, authority) = (text(head.scheme()), text(head.authority()));
    let order = match WarmOrder::parse(&call.content, (&scheme, &authority)) {
        Ok(order) => order,
        Err(problem) => return Outcome::bad_request(&problem),
    };
    match desk.warm.begin(order, now) {
        Some(progress) => Outcome::accepted(progress.json(now.as_secs())),
        None => Outcome::busy(),
    }
}

/// `GET warm/{id}`.
pub(crate) fn show(id: &str, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let id = u64::from_str_radix(id, 16);
    let progress = (0..JOBS).find_map(|cell| {
        let found = desk.kv.get(&name(cell)).ok().flatten()?;
        Progress::decode(&found.value).filter(|known| Ok(known.id) == id)
    });
    match progress {
        Some(progress) => Outcome::ok(progress.json(now.as_secs())),
        None => Outcome::absent("there is no such job, or eight have begun since"),
    }
}

impl WarmOrder {
    /// Reads `{"urls": [...], "concurrency": 4, "cluster": "origin"}`; a URL without a host is that of the call.
    fn parse(json: &[u8], call: (&str, &str)) -> Result<Self, String> {
        let read = reading::read(json, |cursor| {
            cursor.object(|fields| Self::read(fields, call))
        });
        match read {
            Ok(Some(order)) if !order.urls.is_empty() => Ok(order),
            Ok(_) => Err(
                "urls: must name at least one URL, with `/`, `http://` or `https://` in front"
                    .to_owned(),
            ),
            Err(errors) => {
                let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Err(problems.join("; ").replace("configuration: ", ""))
            }
        }
    }

    fn read(fields: &mut Fields<'_>, call: (&str, &str)) -> Option<Self> {
        let urls = fields.required("urls", |cursor| {
            let items = cursor.items(MOST_URLS).unwrap_or(Vec::new()).into_iter();
            let url = |item: reading::Cursor<'_>| match item.value.as_str() {
                Some(text) => match WarmUrl::parse(text, call) {
                    Some(url) => Some(url),
                    None => item.refuse("is no URL that can be fetched").value(),
                },
                None => item.refuse("must be a string").value(),
            };
            Given::Value(items.filter_map(url).collect::<Vec<_>>())
        });
        let most = 1..=MOST_CONCURRENCY;
        let concurrency = fields.optional("concurrency", |cursor| cursor.number(most));
        let cluster = fields.optional("cluster", |cursor| {
            cursor.text(1..=LONGEST_CLUSTER).map(str::to_owned)
        });
        Some(Self {
            urls: urls.value()?,
            concurrency: u32::try_from(concurrency.unwrap_or(CONCURRENCY)).unwrap_or(1),
            cluster: cluster.value(),
        })
    }
}

impl WarmUrl {
    /// Reads one; without a host it is that of the call.
    pub fn parse(text: &str, (scheme, authority): (&str, &str)) -> Option<Self> {
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !is_plain || text.len() > LONGEST_URL {
            return None;
        }
        if text.starts_with('/') {
            return Some(Self {
                scheme: scheme.to_owned(),
                authority: authority.to_owned(),
                target: text.to_owned(),
            });
        }
        let (scheme, rest) = text.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (!authority.is_empty()).then(|| Self {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            target: if target.is_empty() { "/" } else { target }.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_core::tier::MemoryKv;
    use proptest::prelude::*;

    const CALL: (&str, &str) = ("http", "api.example.com");

    #[test]
    fn urls_are_those_of_the_call_unless_they_say_so() {
        let json = br#"{"urls":["/a?b","https://other.example:8443/c","http://third.example"],"concurrency":7}"#;
        let order = WarmOrder::parse(json, CALL).unwrap();
        let urls: Vec<_> = order
            .urls
            .iter()
            .map(|url| [&*url.scheme, &*url.authority, &*url.target])
            .collect();
        let expected = [
            ["http", "api.example.com", "/a?b"],
            ["https", "other.example:8443", "/c"],
            ["http", "third.example", "/"],
        ];
        assert_eq!((urls.as_slice(), order.concurrency), (&expected[..], 7));
        assert_eq!(order.cluster, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, problem) in [
            (r#"{}"#, "urls: is missing"),
            (r#"{"urls":[]}"#, "urls: must name"),
            (r#"{"urls":["ftp://a/b"]}"#, "urls[0]: is no URL"),
            (r#"{"urls":["/a b"]}"#, "urls[0]: is no URL"),
            (r#"{"urls":[7]}"#, "urls[0]: must be a string"),
            (r#"{"urls":["/a"],"concurrency":0}"#, "concurrency: must"),
            (r#"{"urls":["/a"],"depth":1}"#, "depth: "),
            ("[", "EOF"),
        ] {
            let found = WarmOrder::parse(json.as_bytes(), CALL).unwrap_err();
            assert!(found.contains(problem), "{json}: {found}");
        }
    }

    #[test]
    fn eight_jobs_are_remembered_and_what_is_over_gives_way() {
        let kv = MemoryKv::new();
        let job = |id, at, done| Progress {
            id,
            at,
            total: 2,
            done,
            cluster: "origin".to_owned(),
            ..Progress::default()
        };
        for id in 0..8 {
            assert_eq!(job(id, 100, 1).claim(&kv), Some(id as u8));
        }
        assert_eq!(job(8, 105, 0).claim(&kv), None);
        job(3, 105, 2).show(&kv, 3);
        assert_eq!(job(8, 106, 0).claim(&kv), Some(3), "that one is done");
        assert_eq!(job(9, 111, 0).claim(&kv), Some(0), "that one is lost");
        assert!(job(1, 100, 1).json(111).end().contains(r#""state":"lost""#));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_progress_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut job = Progress { id: 7, total: 3, cluster: "c".to_owned(), ..Progress::default() };
            job.note(Reason::NoStore);
            prop_assert_eq!(Progress::decode(&job.encode()), Some(job.clone()));
            let _ = Progress::decode(&bytes);
            let _ = Progress::decode(&[&MAGIC[..], &bytes].concat());
        }
    }
}
