//! The statistics as they stand, over all workers.

use super::counter::{Counter, RuleCounter};
use crate::config::PolicyId;

/// A number that goes either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gauge {
    /// See [`super::Family::Bytes`].
    Bytes,
    /// See [`super::Family::Entries`].
    Entries,
    /// See [`super::Family::HotBytes`].
    HotBytes,
    /// See [`super::Family::Started`].
    Started,
}

/// The statistics of the process. One that the operator has the proxy leave out is 0.
pub trait Numbers {
    /// What a counter has come to.
    fn counter(&self, counter: Counter) -> u64;

    /// What a rule's counter has come to.
    fn of_rule(&self, rule: PolicyId, counter: RuleCounter) -> u64;

    /// What a gauge stands at.
    fn gauge(&self, gauge: Gauge) -> u64;
}
