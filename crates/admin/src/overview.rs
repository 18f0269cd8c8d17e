//! What a person on call wants to see: the whole fleet at one moment, as JSON.
//!
//! It is computed from a [`Snapshot`] and from nothing else. What instances say of themselves is taken as it comes: a field that is
//! missing or is something else counts as nothing, a text is cut, and sums saturate; so the worst that an instance can
//! do is to be shown with wrong figures.
//!
//! Counters are given as they are, since each instance began, and per instance: whoever looks twice takes the difference,
//! and sees at once where one has begun anew.

mod invalidations;
mod report;
#[cfg(test)]
mod tests;
mod totals;

use std::time::Duration;

use larder_core::fleet::Cursor;
use serde::Serialize;

use crate::store::{Acknowledged, Instance};
pub use invalidations::Invalidation;
use report::Report;
pub use report::{Figures, Node};
pub use totals::{Reason, Recommendation, Rule, Totals};

/// An instance says something every 5 seconds; whoever has not for this long is out of contact.
const SILENT: Duration = Duration::from_secs(12);

/// The fleet at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The fleet's name.
    pub fleet: &'a str,
    /// When that was, by the service's clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// The end of the log.
    pub end: Cursor,
    /// Which version of the fleet's configuration holds.
    pub config: u64,
    /// Who was heard of lately.
    pub instances: &'a [Instance],
    /// What was invalidated lately, the newest first.
    pub recent: &'a [Acknowledged],
}

/// `GET overview`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// The fleet's name.
    pub fleet: String,
    /// The service's version.
    pub version: &'static str,
    /// When that was, in milliseconds since 1970.
    pub now_ms: u64,
    /// The end of the log.
    pub cursor: String,
    /// How many records there were.
    pub position: u64,
    /// Which version of the fleet's configuration holds.
    pub config: u64,
    /// Sums over all instances.
    pub totals: Totals,
    /// How each rule does, the one with most misses first.
    pub rules: Vec<Rule>,
    /// Why responses were not stored, the most frequent first.
    pub not_stored: Vec<Reason>,
    /// Why requests were not looked up, the most frequent first.
    pub bypassed: Vec<Reason>,
    /// What could be better, what is about most requests first.
    pub recommendations: Vec<Recommendation>,
    /// What was invalidated lately, the newest first.
    pub invalidations: Vec<Invalidation>,
    /// Who was heard of lately, by node.
    pub instances: Vec<Node>,
}

/// The overview of a moment.
pub fn overview(snapshot: &Snapshot<'_>) -> Overview {
    let mut reports: Vec<Report<'_>> = snapshot.instances.iter().map(Report::read).collect();
    reports.sort_by(|one, other| {
        let nodes = one.node().cmp(other.node());
        nodes.then(one.heard.id.cmp(&other.heard.id))
    });
    let instances: Vec<Node> = reports
        .iter()
        .map(|report| report.shown(snapshot))
        .collect();
    let recent = snapshot.recent.iter();
    Overview {
        fleet: report::cut(snapshot.fleet),
        version: env!("CARGO_PKG_VERSION"),
        now_ms: snapshot.now_ms,
        cursor: snapshot.end.to_string(),
        position: snapshot.end.position,
        config: snapshot.config,
        totals: Totals::of(&instances),
        rules: totals::rules(&reports),
        not_stored: totals::reasons(&reports, "not_stored"),
        bypassed: totals::reasons(&reports, "bypassed"),
        recommendations: totals::recommendations(&reports),
        invalidations: recent
            .map(|recent| Invalidation::of(recent, &reports))
            .collect(),
        instances,
    }
}
