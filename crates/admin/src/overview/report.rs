//! What one instance says of itself.

use larder_core::fleet::Cursor;
use serde::Serialize;
use serde_json::Value;

use super::{SILENT, Snapshot};
use crate::store::Instance;

/// A text of an instance is shown up to here, in letters.
const LONGEST: usize = 256;
const MEGABYTE: f64 = 1_048_576.0;

/// An instance and its report, read.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) heard: &'a Instance,
    said: Value,
}

/// An instance, as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its proxy's node.
    pub node: String,
    /// Its proxy's cluster.
    pub cluster: String,
    /// Which version of the filter it is.
    pub version: String,
    /// How it stands to the log.
    pub state: State,
    /// How long ago it was heard of, in milliseconds.
    pub heard_ms: u64,
    /// How far its clock is ahead of the service's, in milliseconds; what the report was under way counts too. `null` where it names none.
    pub skew_ms: Option<i64>,
    /// Up to which position it has applied the log; `null` where that is not known.
    pub position: Option<u64>,
    /// How many records are in front of it; `null` where that is not known.
    pub behind: Option<u64>,
    /// What it has invalidated that is not yet durable.
    pub pending: u64,
    /// Which version of the fleet's configuration it has.
    pub config: u64,
    /// What tells one configuration from another.
    pub config_hash: String,
    /// Its figures.
    pub figures: Figures,
}

/// How an instance stands to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not yet applied all there is.
    Behind,
    /// It has applied all there is.
    Current,
    /// It has not said how far it is, or is in another log: it drops all it has, and begins at the end of this one.
    Lost,
    /// Nothing was heard of it for 12 seconds.
    Silent,
}

/// Counters since the instance began, and what it keeps now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Requests that were answered from the cache.
    pub hits: u64,
    /// Requests that were looked up and not answered from the cache.
    pub misses: u64,
    /// Requests that were not looked up.
    pub bypasses: u64,
    /// Requests to the origin that were looked up before, those for refreshing included.
    pub fetches: u64,
    /// What all fetches took until the head of the response, in microseconds.
    pub fetches_us: u64,
    /// Answers from the cache whose time was taken.
    pub timed_hits: u64,
    /// What those took, in microseconds.
    pub timed_hits_us: u64,
    /// Invalidations.
    pub invalidations: u64,
    /// Entries that went to make room.
    pub evictions: u64,
    /// Entries that another instance had brought.
    pub fleet_hits: u64,
    /// Entries in shared memory.
    pub entries: u64,
    /// Bytes that they take.
    pub shared_bytes: u64,
    /// Bytes in the workers' own memory.
    pub worker_bytes: u64,
    /// Bytes of bodies that clients were sent from the cache.
    pub served_bytes: u64,
    /// Bytes of bodies that clients were sent from the origin.
    pub origin_bytes: u64,
}

impl<'a> Report<'a> {
    pub(super) fn read(heard: &'a Instance) -> Self {
        Self {
            heard,
            said: serde_json::from_str(&heard.report).unwrap_or_default(),
        }
    }

    /// What stands at a place of the report.
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.said.pointer(pointer)
    }

    pub(super) fn node(&self) -> &str {
        self.at("/node").and_then(Value::as_str).unwrap_or_default()
    }

    fn text(&self, pointer: &str) -> String {
        cut(self.at(pointer).and_then(Value::as_str).unwrap_or_default())
    }

    fn number(&self, pointer: &str) -> u64 {
        self.at(pointer).and_then(Value::as_u64).unwrap_or_default()
    }

    fn megabytes(&self, pointer: &str) -> u64 {
        let megabytes = self.at(pointer).and_then(Value::as_f64).unwrap_or_default();
        (megabytes * MEGABYTE) as u64 // what is negative or too large becomes the nearest that there is
    }

    /// Whether it is past this place of the log.
    pub(super) fn has_applied(&self, record: &Cursor) -> bool {
        self.heard
            .applied
            .is_some_and(|applied| applied.log == record.log && applied.position >= record.position)
    }

    pub(super) fn is_silent(&self) -> bool {
        self.heard.age > SILENT
    }

    pub(super) fn shown(&self, snapshot: &Snapshot<'_>) -> Node {
        let applied = self.heard.applied;
        let applied = applied.filter(|applied| applied.log == snapshot.end.log);
        let behind = applied.map(|at| snapshot.end.position.saturating_sub(at.position));
        Node {
            id: self.heard.id.to_string(),
            node: cut(self.node()),
            cluster: self.text("/cluster"),
            version: self.text("/version"),
            state: match behind {
                _ if self.is_silent() => State::Silent,
                None => State::Lost,
                Some(0) => State::Current,
                Some(_) => State::Behind,
            },
            heard_ms: milliseconds(self.heard.age),
            skew_ms: self.skew(snapshot.now_ms),
            position: applied.map(|at| at.position),
            behind,
            pending: self.number("/pending"),
            config: self.number("/config"),
            config_hash: self.text("/config_hash"),
            figures: self.figures(),
        }
    }

    fn skew(&self, now_ms: u64) -> Option<i64> {
        let its = self.at("/clock_ms").and_then(Value::as_u64)?;
        let ours = now_ms.saturating_sub(milliseconds(self.heard.age));
        its.checked_signed_diff(ours)
    }

    fn figures(&self) -> Figures {
        let hits = self.number("/performance/middleware_metrics/hits");
        let misses = self.number("/performance/middleware_metrics/misses");
        let hot = self.megabytes("/performance/tiers/hot/served_mb");
        let shared = self.megabytes("/performance/tiers/shared/served_mb");
        let fleet = self.megabytes("/performance/tiers/fleet/served_mb");
        Figures {
            hits,
            misses,
            bypasses: self.number("/performance/middleware_metrics/bypasses"),
            fetches: self.number("/performance/timed/fetches"),
            fetches_us: self.number("/performance/timed/fetches_us"),
            timed_hits: self.number("/performance/timed/hits"),
            timed_hits_us: self.number("/performance/timed/hits_us"),
            invalidations: self.number("/performance/invalidations/total"),
            evictions: self.number("/performance/evictions/room"),
            fleet_hits: self.number("/performance/tiers/fleet/hits"),
            entries: self.number("/stats/total_entries"),
            shared_bytes: self.megabytes("/stats/total_size_mb"),
            worker_bytes: self.megabytes("/stats/worker_size_mb"),
            served_bytes: hot.saturating_add(shared).saturating_add(fleet),
            origin_bytes: self.megabytes("/performance/tiers/origin/served_mb"),
        }
    }
}

/// A text, no longer than is shown.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

pub(super) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
