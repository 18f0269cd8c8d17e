//! The numbers that people ask for first.

use crate::json::Json;
use crate::shown::{megabytes, percent, ratio};
use larder_core::config::Config;
use larder_core::report::{Counter, Gauge, Numbers, Outcome, RuleCounter};

/// What is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Entries.
    pub entries: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// About how many tags they have.
    pub tags: u64,
}

/// Requests of all rules, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// Answered from the cache, in whatever way.
    pub hits: u64,
    /// Looked up and not answered from the cache.
    pub misses: u64,
    /// Not looked up.
    pub bypasses: u64,
}

impl Requests {
    /// Those of one rule.
    pub(crate) fn of_rule(numbers: &dyn Numbers, rule: larder_core::config::PolicyId) -> Self {
        let count = |outcome| numbers.of_rule(rule, RuleCounter::Requests(outcome));
        let answered = [
            Outcome::Collapsed,
            Outcome::Hit,
            Outcome::Negative,
            Outcome::Revalidated,
            Outcome::Stale,
        ]
        .map(count);
        Self {
            hits: answered.into_iter().fold(0, u64::saturating_add),
            misses: count(Outcome::Miss),
            bypasses: count(Outcome::Bypass),
        }
    }

    /// Those of all rules.
    pub(crate) fn of(numbers: &dyn Numbers, config: &Config) -> Self {
        let mut sum = Self::default();
        for (rule, _) in config.labels() {
            let one = Self::of_rule(numbers, rule);
            sum.hits = sum.hits.saturating_add(one.hits);
            sum.misses = sum.misses.saturating_add(one.misses);
            sum.bypasses = sum.bypasses.saturating_add(one.bypasses);
        }
        sum
    }

    /// Those that were looked up.
    pub(crate) fn looked_up(&self) -> u64 {
        self.hits.saturating_add(self.misses)
    }

    /// The share of them that was answered from the cache.
    pub(crate) fn hit_rate(&self) -> String {
        percent(self.hits, self.looked_up())
    }
}

/// `GET stats`.
pub fn stats(numbers: &dyn Numbers, config: &Config, census: Census) -> Json {
    let input = numbers.counter(Counter::CompressionInput);
    let output = input.saturating_sub(numbers.counter(Counter::CompressionSaved));
    let hot = numbers.gauge(Gauge::HotBytes);
    Json::object()
        .number("total_entries", census.entries)
        .raw("total_size_mb", &megabytes(census.bytes))
        .text("hit_rate", &Requests::of(numbers, config).hit_rate())
        .text("compression_ratio", &ratio(output, input))
        .number("tags_count", census.tags)
        .number("stored", numbers.counter(Counter::Stored))
        .raw("worker_size_mb", &megabytes(hot))
}
