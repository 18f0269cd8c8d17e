//! The core's counters as statistics of the proxy, and the byte gauge that all workers share.
//!
//! Statistics are process-wide atomics: adding to one takes no lock and no allocation. A statistic that could not be
//! defined is not counted; one that others read is found out not to move, and then nobody relies on it.

use std::cell::RefCell;
use std::fmt;

use larder_core::exchange::Histogram;
use larder_core::report::{Counter, Family, Gauge};
use larder_core::tier::{ByteGauge, ChangeHint};
use larder_core::time::Timestamp;

use crate::host::{self, MetricId, MetricKind};

/// So many statistics by rule are defined in one VM's life; rules beyond are not counted.
const MOST_NAMED: usize = 16_384;

/// The statistics of this VM.
pub(crate) struct Metrics {
    counters: Vec<(Counter, MetricId)>,
    /// Those of rules, of whatever configuration.
    named: RefCell<Vec<(String, MetricId)>>,
    fetch_times: Option<MetricId>,
    hit_times: Option<MetricId>,
    bytes: Option<MetricId>,
    changes: Option<MetricId>,
    entries: Option<MetricId>,
    hot_bytes: Option<MetricId>,
    started: Option<MetricId>,
}

impl Metrics {
    /// Defines every statistic; once per VM, because each definition takes a new number in the host.
    pub(crate) fn define() -> Self {
        let counter = |counter: Counter| {
            let id = host::define_metric(MetricKind::Counter, &counter.name());
            Some((counter, id.ok()?))
        };
        let histogram =
            |family: Family| host::define_metric(MetricKind::Histogram, family.name()).ok();
        // Shared data is by vm_id and statistics are the process's: caches that share nothing must not count together.
        let vm = vm_label();
        let gauge = |family: Family| {
            let name = match vm.as_str() {
                "" => family.with(&[]),
                vm => family.with(&[vm]),
            };
            host::define_metric(MetricKind::Gauge, &name).ok()
        };
        Self {
            counters: Counter::all().into_iter().filter_map(counter).collect(),
            named: RefCell::default(),
            fetch_times: histogram(Family::FetchTimes),
            hit_times: histogram(Family::HitTimes),
            bytes: gauge(Family::Bytes).filter(|id| {
                let moves = moves(*id);
                let _ = host::increment_metric(*id, -1); // the byte that was no entry's
                moves
            }),
            changes: gauge(Family::Changes).filter(|id| moves(*id)),
            entries: gauge(Family::Entries),
            hot_bytes: gauge(Family::HotBytes),
            started: gauge(Family::Started),
        }
    }

    /// Adds one.
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds so many.
    pub(crate) fn add(&self, counter: Counter, by: u64) {
        if let Some(id) = self.id(counter) {
            Self::grow(id, by);
        }
    }

    fn id(&self, counter: Counter) -> Option<MetricId> {
        let mut known = self.counters.iter();
        known
            .find(|(known, _)| *known == counter)
            .map(|(_, id)| *id)
    }

    /// Adds so many to a counter.
    pub(crate) fn grow(id: MetricId, by: u64) {
        if by > 0 {
            let _ = host::increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX));
        }
    }

    /// The counter of this name, defined where it is not.
    pub(crate) fn counter(&self, name: String) -> Option<MetricId> {
        let mut named = self.named.try_borrow_mut().ok()?;
        if let Some((_, id)) = named.iter().find(|(known, _)| *known == name) {
            return Some(*id);
        }
        // Statistics never go: names that come and go with changes of the configuration must not fill the process.
        if named.len() >= MOST_NAMED {
            return None;
        }
        let id = host::define_metric(MetricKind::Counter, &name).ok()?;
        named.push((name, id));
        Some(id)
    }

    /// What a counter has come to, over all workers.
    pub(crate) fn value(&self, counter: Counter) -> u64 {
        self.id(counter).map_or(0, Self::value_of)
    }

    /// What a statistic has come to, over all workers.
    pub(crate) fn value_of(id: MetricId) -> u64 {
        host::metric(id).unwrap_or_default()
    }

    /// What a gauge stands at.
    pub(crate) fn gauge(&self, gauge: Gauge) -> u64 {
        let id = match gauge {
            Gauge::Bytes => self.bytes,
            Gauge::Entries => self.entries,
            Gauge::HotBytes => self.hot_bytes,
            Gauge::Started => self.started,
        };
        id.map_or(0, Self::value_of)
    }

    /// Notes when the first worker of the process began, if nobody has.
    pub(crate) fn note_start(&self, now: Timestamp) {
        if let Some(id) = self.started
            && Self::value_of(id) == 0
        {
            let _ = host::record_metric(id, now.as_secs());
        }
    }

    /// Something took so many microseconds.
    pub(crate) fn measure(&self, histogram: Histogram, micros: u64) {
        let id = match histogram {
            Histogram::Fetch => self.fetch_times,
            Histogram::Hit => self.hit_times,
        };
        if let Some(id) = id {
            let _ = host::record_metric(id, micros);
        }
    }

    /// Shows how many entries the last sweep found.
    pub(crate) fn show_entries(&self, entries: u64) {
        if let Some(id) = self.entries {
            let _ = host::record_metric(id, entries);
        }
    }

    /// Shows that a worker's hot tier, which took `before`, takes so many bytes now; workers add up.
    pub(crate) fn move_hot_bytes(&self, before: usize, now: usize) {
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let moved = bytes(now).saturating_sub(bytes(before));
        if let Some(id) = self.hot_bytes
            && moved != 0
        {
            let _ = host::increment_metric(id, moved);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Metrics")
    }
}

impl Metrics {
    /// What the number stands at that moves when something has changed; `None` where the host fails.
    pub(crate) fn read_hint(&self) -> Option<u64> {
        self.changes.and_then(|id| host::metric(id).ok())
    }
}

impl ByteGauge for Metrics {
    fn read(&self) -> u64 {
        self.bytes
            .and_then(|id| host::metric(id).ok())
            .unwrap_or(u64::MAX) // the tier takes it for broken and makes do without
    }

    fn add(&self, delta: i64) {
        if let Some(id) = self.bytes {
            let _ = host::increment_metric(id, delta);
        }
    }
}

impl ChangeHint for Metrics {
    fn read(&self) -> Option<u64> {
        self.read_hint()
    }

    fn advance(&self) {
        if let Some(id) = self.changes {
            let _ = host::increment_metric(id, 1);
        }
    }
}

/// Adds one where there may be no worker.
pub(crate) fn count_alone(counter: Counter) {
    if let Ok(id) = host::define_metric(MetricKind::Counter, &counter.name()) {
        Metrics::grow(id, 1);
    }
}

/// Whether a gauge keeps what is added to it. One that the operator's `stats_matcher` excludes can be defined and added to
/// like any other, and is always zero (Envoy, `source/common/stats/null_gauge.h`).
fn moves(gauge: MetricId) -> bool {
    let before = host::metric(gauge);
    let added = host::increment_metric(gauge, 1);
    // Others add to it at the same time, and nobody takes away.
    added.is_ok() && before.is_ok() && before != host::metric(gauge)
}

/// The VM's id; bytes that would not do in a name are written in hexadecimal digits.
fn vm_label() -> String {
    let id = host::property(&["plugin_vm_id"])
        .ok()
        .flatten()
        .unwrap_or_default();
    let mut label = String::new();
    for byte in &id {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => label.push(char::from(*byte)),
            other => label.push_str(&format!("_{other:02x}")),
        }
    }
    label
}
