//! What one worker counts and learns under one plugin configuration: shown in the proxy's statistics, and to the other workers.

use std::rc::Rc;

use larder_core::config::{Config, PolicyId};
use larder_core::exchange::{Surroundings, Witness};
use larder_core::report::{Counter, FetchClass, Gauge, Numbers, RuleCounter, Tally};
use larder_observe::{Board, Observer};

use crate::host::{self, MetricId};
use crate::metrics::Metrics;
use crate::shared_data::SharedData;

/// The numbers of one configuration.
pub(crate) struct Ledger {
    metrics: Rc<Metrics>,
    around: Rc<Surroundings>,
    tally: Rc<Tally>,
    rules: Vec<[Option<MetricId>; RuleCounter::ALL.len()]>,
    observer: Rc<Observer>,
    board: Board,
}

impl Ledger {
    /// Defines the statistics of the configuration's rules. `number` tells it from those of other configurations and workers.
    pub(crate) fn open(
        metrics: Rc<Metrics>,
        config: &Config,
        around: &Rc<Surroundings>,
        number: u64,
    ) -> Rc<Self> {
        let of_rule = |rule| RuleCounter::ALL.map(|counter| metrics.counter(counter.name(rule)));
        let rules = config.labels().map(|(_, name)| of_rule(name)).collect();
        let observer = Observer::of(config);
        around.watch(Rc::clone(&observer) as Rc<dyn Witness>);
        Rc::new(Self {
            metrics,
            around: Rc::clone(around),
            tally: Rc::clone(around.tally()),
            rules,
            observer,
            board: Board::new(number),
        })
    }

    /// What happens at each request is counted here first.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Shows what this worker has counted and not yet shown.
    #[inline(never)]
    pub(crate) fn show(&self) {
        self.tally
            .take(&mut |counter, by| self.metrics.add(counter, by));
        // Of requests of the filter's own only counts that they were sent: no client has come.
        if let Some(behind) = self.around.tally_behind() {
            behind.take(&mut |counter, by| {
                if let Counter::Fetched(_, result) = counter {
                    let counter = Counter::Fetched(FetchClass::Background, result);
                    self.metrics.add(counter, by);
                } else if counter == Counter::FetchTime {
                    self.metrics.add(counter, by);
                }
            });
        }
        self.tally.take_rules(&mut |place, counter, by| {
            if let Some(id) = self.id(place, counter) {
                Metrics::grow(id, by);
            }
        });
    }

    /// What was seen.
    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Where the workers show it to one another.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Tells the other workers what this one has seen, where it is time.
    pub(crate) fn report(&self) {
        if let Ok(now) = host::now() {
            self.board.show(&SharedData, &self.observer, now);
        }
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
