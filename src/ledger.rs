//! The numbers of one plugin configuration on one worker, shown in the proxy's statistics.

use std::rc::Rc;

use larder_core::config::{Config, PolicyId};
use larder_core::report::{Counter, Gauge, Numbers, RuleCounter, Tally};

use crate::host::MetricId;
use crate::metrics::Metrics;

/// The numbers of one configuration.
pub(crate) struct Ledger {
    metrics: Rc<Metrics>,
    tally: Rc<Tally>,
    rules: Vec<[Option<MetricId>; RuleCounter::ALL.len()]>,
}

impl Ledger {
    /// Defines the statistics of the configuration's rules.
    pub(crate) fn open(metrics: Rc<Metrics>, config: &Config, tally: Rc<Tally>) -> Rc<Self> {
        let of_rule = |rule| RuleCounter::ALL.map(|counter| metrics.counter(counter.name(rule)));
        let rules = config.labels().map(|(_, name)| of_rule(name)).collect();
        Rc::new(Self {
            metrics,
            tally,
            rules,
        })
    }

    /// What happens at each request is counted here first.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Shows what this worker has counted and not yet shown.
    pub(crate) fn show(&self) {
        self.tally
            .take(&mut |counter, by| self.metrics.add(counter, by));
        self.tally.take_rules(&mut |place, counter, by| {
            if let Some(id) = self.id(place, counter) {
                Metrics::grow(id, by);
            }
        });
    }

    fn id(&self, place: usize, counter: RuleCounter) -> Option<MetricId> {
        *self.rules.get(place)?.get(counter.index())?
    }
}

impl Numbers for Ledger {
    fn counter(&self, counter: Counter) -> u64 {
        self.metrics.value(counter)
    }

    fn of_rule(&self, rule: PolicyId, counter: RuleCounter) -> u64 {
        self.id(rule.place(), counter).map_or(0, Metrics::value_of)
    }

    fn gauge(&self, gauge: Gauge) -> u64 {
        self.metrics.gauge(gauge)
    }
}
