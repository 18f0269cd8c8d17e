//! How the cache does: numbers by rule, and what could be better.

use larder_core::config::Config;
use larder_core::policy::Reason;
use larder_core::report::{
    Counter, EvictionCause, FetchClass, FetchResult, Gauge, Numbers, RuleCounter, ServedFrom,
};
use serde_json::{Map, Value, json};

use crate::advise::Advice;
use crate::shown::{megabytes, quotient};
use crate::stats::Requests;

/// `GET performance`. `minutes` have passed since the statistics began.
pub fn performance(
    numbers: &dyn Numbers,
    config: &Config,
    minutes: u64,
    advice: &[Advice],
) -> Value {
    let requests = Requests::of(numbers, config);
    let texts: Vec<&str> = advice.iter().map(|advice| &*advice.text).collect();
    let details: Vec<Value> = advice.iter().map(Advice::to_json).collect();
    json!({
        "service_metrics": service(numbers, requests),
        "middleware_metrics": {
            "total_requests": requests.looked_up(),
            "hits": requests.hits,
            "misses": requests.misses,
            "bypasses": requests.bypasses,
        },
        "rules": rules(numbers, config),
        "not_stored": by_reason(numbers, Counter::NotStored),
        "bypassed": by_reason(numbers, Counter::Bypassed),
        "evictions": evictions(numbers),
        "invalidations": invalidations(numbers, minutes),
        "tiers": tiers(numbers),
        "recommendations": texts,
        "recommendation_details": details,
    })
}

fn service(numbers: &dyn Numbers, requests: Requests) -> Value {
    let fetch = mean(numbers.counter(Counter::FetchTime), fetches(numbers));
    let hit = mean(
        numbers.counter(Counter::HitTime),
        numbers.counter(Counter::TimedHits),
    );
    // What clients waited for, hits and fetches as often as they were.
    let count = |part: u64, time: f64| part as f64 * time;
    let all = requests.looked_up();
    let sum = count(requests.hits, hit) + count(requests.misses, fetch);
    let average = match all {
        0 => 0.0,
        all => (sum / all as f64 * 10.0).round() / 10.0,
    };
    json!({
        "hit_rate": requests.hit_rate(),
        "avg_response_time_ms": average,
        "cached_response_time_ms": hit,
        "fresh_response_time_ms": fetch,
    })
}

/// Milliseconds, of a sum of microseconds.
fn mean(micros: u64, count: u64) -> f64 {
    quotient(micros, count.saturating_mul(1000), 1000)
}

fn fetches(numbers: &dyn Numbers) -> u64 {
    let count = |result: &FetchResult| {
        let classes = FetchClass::ALL.iter();
        classes
            .map(|class| numbers.counter(Counter::Fetched(*class, *result)))
            .fold(0, u64::saturating_add)
    };
    FetchResult::ALL
        .iter()
        .map(count)
        .fold(0, u64::saturating_add)
}

fn rules(numbers: &dyn Numbers, config: &Config) -> Value {
    let rule = |(id, name): (_, &str)| {
        let requests = Requests::of_rule(numbers, id);
        json!({
            "name": name,
            "hits": requests.hits,
            "misses": requests.misses,
            "bypasses": requests.bypasses,
            "hit_rate": requests.hit_rate(),
            "shadow_matches": numbers.of_rule(id, RuleCounter::ShadowMatch),
            "shadow_mismatches": numbers.of_rule(id, RuleCounter::ShadowMismatch),
        })
    };
    config.labels().map(rule).collect()
}

fn by_reason(numbers: &dyn Numbers, counter: fn(Reason) -> Counter) -> Value {
    let mut counts = Map::new();
    for reason in Reason::ALL {
        match numbers.counter(counter(*reason)) {
            0 => {}
            count => drop(counts.insert(reason.code().to_owned(), count.into())),
        }
    }
    counts.into()
}

fn evictions(numbers: &dyn Numbers) -> Value {
    let mut counts = Map::new();
    for cause in EvictionCause::ALL {
        let count = numbers.counter(Counter::Evicted(*cause));
        counts.insert(cause.word().to_owned(), count.into());
    }
    counts.into()
}

fn invalidations(numbers: &dyn Numbers, minutes: u64) -> Value {
    let total = Counter::all()
        .into_iter()
        .filter(|counter| matches!(counter, Counter::Invalidated(..)))
        .map(|counter| numbers.counter(counter))
        .fold(0, u64::saturating_add);
    json!({
        "total": total,
        "per_minute": quotient(total, minutes.max(1), 10),
        "failed": numbers.counter(Counter::InvalidationFailed),
    })
}

fn tiers(numbers: &dyn Numbers) -> Value {
    let served = |source| megabytes(numbers.counter(Counter::Served(source)));
    json!({
        "hot": {
            "hits": numbers.counter(Counter::HotHit),
            "size_mb": megabytes(numbers.gauge(Gauge::HotBytes)),
            "served_mb": served(ServedFrom::Hot),
        },
        "shared": {
            "entries": numbers.gauge(Gauge::Entries),
            "size_mb": megabytes(numbers.gauge(Gauge::Bytes)),
            "served_mb": served(ServedFrom::Shared),
        },
        "origin": { "served_mb": served(ServedFrom::Origin) },
    })
}
