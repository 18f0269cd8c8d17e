//! What was invalidated lately, and who has applied it.

use larder_core::fleet::InstanceId;
use serde::Serialize;
use serde_json::Value;

use super::report::{Report, cut, milliseconds};
use crate::store::Acknowledged;

/// An invalidation on its way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invalidation {
    /// Its cursor.
    pub id: String,
    /// Its place in the log.
    pub position: u64,
    /// How long ago it became durable, in milliseconds.
    pub age_ms: u64,
    /// Whose word it is: the instance's id; of zeros alone where the service was asked.
    pub by: String,
    /// `hard`, `invalid` or `soft`.
    pub mode: String,
    /// What it names: `tag`, `key`, `pattern`, `all` and so on.
    pub kind: String,
    /// The name; empty where it is not known.
    pub value: String,
    /// How many instances have applied it.
    pub applied: u64,
    /// How many that were heard of lately have not.
    pub waiting: u64,
    /// How long it took to half of those whose time is known, in milliseconds; `null` where none is.
    pub median_ms: Option<u64>,
    /// How long it took to the last of those, in milliseconds.
    pub slowest_ms: Option<u64>,
    /// How long it took to each of `instances`, in their order, in milliseconds; `null` where that is not known or not over.
    pub after_ms: Vec<Option<u64>>,
}

impl Invalidation {
    pub(super) fn of(recent: &Acknowledged, reports: &[Report<'_>]) -> Self {
        let record = &recent.record;
        let body: Value = serde_json::from_str(&record.body).unwrap_or_default();
        let (kind, value) = covered(&body);
        let time = |id: InstanceId| {
            let known = recent.by.iter().find(|known| known.instance == id);
            known.map(|known| milliseconds(known.lag))
        };
        let after_ms: Vec<Option<u64>> =
            reports.iter().map(|report| time(report.heard.id)).collect();
        let applied = reports.iter().zip(&after_ms);
        let applied = applied
            .filter(|(report, after)| after.is_some() || report.has_applied(&record.at))
            .count() as u64;
        let mut times: Vec<u64> = after_ms.iter().copied().flatten().collect();
        times.sort_unstable();
        Self {
            id: record.at.to_string(),
            position: record.at.position,
            age_ms: milliseconds(record.age),
            by: record.said.by.to_string(),
            mode: cut(body.get("mode").and_then(Value::as_str).unwrap_or_default()),
            kind,
            value,
            applied,
            waiting: (reports.len() as u64).saturating_sub(applied),
            median_ms: times.get(times.len().saturating_sub(1) / 2).copied(),
            slowest_ms: times.last().copied(),
            after_ms,
        }
    }
}

/// What a record names, for people.
fn covered(body: &Value) -> (String, String) {
    let text = |name| body.get(name).and_then(Value::as_str);
    if body.get("all").and_then(Value::as_bool) == Some(true) {
        return ("all".to_owned(), String::new());
    }
    if let Some(kind) = text("kind") {
        return (cut(kind), cut(text("value").unwrap_or_default()));
    }
    for name in ["pattern", "prefix", "tag", "key"] {
        if let Some(value) = text(name) {
            return (name.to_owned(), cut(value));
        }
    }
    let stamps = body.get("stamps").and_then(Value::as_array);
    match stamps.map(Vec::len) {
        Some(1) => ("stamp".to_owned(), "1 name".to_owned()),
        Some(count) => ("stamp".to_owned(), format!("{count} names")),
        None => ("unknown".to_owned(), String::new()),
    }
}
