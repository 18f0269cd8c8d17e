//! The core's counters as statistics of the proxy, and the byte gauge that all workers share.
//!
//! Statistics are process-wide atomics: adding to one takes no lock and no allocation. A statistic that could not be
//! defined is not counted; one that others read is found out not to move, and then nobody relies on it.

use larder_core::report::Counter;
use larder_core::tier::{ByteGauge, ChangeHint};

use crate::host::{self, MetricId, MetricKind};

/// The statistics of this VM.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Vec<Option<MetricId>>,
    bytes: Option<MetricId>,
    changes: Option<MetricId>,
    entries: Option<MetricId>,
    hot_bytes: Option<MetricId>,
}

impl Metrics {
    /// Defines every statistic; once per VM, because each definition takes a new number in the host.
    pub(crate) fn define() -> Self {
        let counter =
            |counter: Counter| host::define_metric(MetricKind::Counter, &counter.name()).ok();
        // Shared data is by vm_id and statistics are the process's: caches that share nothing must not count together.
        let vm = vm_label();
        let gauge = |name| host::define_metric(MetricKind::Gauge, &format!("{name}{vm}")).ok();
        Self {
            counters: Counter::all().map(counter).collect(),
            bytes: gauge("larder_bytes").filter(|id| {
                let moves = moves(*id);
                let _ = host::increment_metric(*id, -1); // the byte that was no entry's
                moves
            }),
            changes: gauge("larder_changes").filter(|id| moves(*id)),
            entries: gauge("larder_entries"),
            hot_bytes: gauge("larder_hot_bytes"),
        }
    }

    /// Adds one.
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds so many.
    pub(crate) fn add(&self, counter: Counter, by: i64) {
        if let Some(Some(id)) = self.counters.get(counter.index())
            && by > 0
        {
            let _ = host::increment_metric(*id, by);
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
        self.changes.and_then(|id| host::metric(id).ok())
    }

    fn advance(&self) {
        if let Some(id) = self.changes {
            let _ = host::increment_metric(id, 1);
        }
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

/// `.vm_id.<id>`, or nothing for the empty id; bytes that would not do in a name are written in hexadecimal digits.
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
    if label.is_empty() {
        label
    } else {
        format!(".vm_id.{label}")
    }
}
