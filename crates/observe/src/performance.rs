//! How the cache does: numbers by rule, and what could be better.

use larder_core::config::{Config, PolicyId};
use larder_core::policy::Reason;
use larder_core::report::{
    Counter, EvictionCause, FleetOp, FleetResult, Gauge, Numbers, RuleCounter, ServedFrom,
};
use larder_core::time::Timestamp;

use crate::advise::Advice;
use crate::json::{Json, quoted};
use crate::shown::{decimal, megabytes};
use crate::stats::Requests;

/// `GET performance`.
pub fn performance(
    numbers: &dyn Numbers,
    config: &Config,
    now: Timestamp,
    advice: &[Advice],
) -> Json {
    let requests = Requests::of(numbers, config);
    let seconds = now.as_secs().saturating_sub(numbers.gauge(Gauge::Started));
    let all = all(numbers);
    let middleware = Json::object().number("total_requests", requests.looked_up());
    let rules = config.labels().map(|(id, name)| rule(numbers, id, name));
    let texts = advice.iter().map(|advice| quoted(&advice.text));
    Json::object()
        .nested("service_metrics", service(numbers, requests, all.fetches))
        .nested("middleware_metrics", counted(middleware, requests))
        .list("rules", rules)
        .nested("not_stored", by_reason(numbers, Counter::NotStored))
        .nested("bypassed", by_reason(numbers, Counter::Bypassed))
        .nested("evictions", evictions(numbers))
        .nested(
            "invalidations",
            invalidations(numbers, all.invalidations, seconds),
        )
        .nested("tiers", tiers(numbers))
        .nested("timed", timed(numbers, all.fetches))
        .list("recommendations", texts)
        .list(
            "recommendation_details",
            advice.iter().map(|advice| advice.to_json().end()),
        )
}

/// Sums over labels.
#[derive(Default)]
struct All {
    fetches: u64,
    invalidations: u64,
}

fn all(numbers: &dyn Numbers) -> All {
    let mut all = All::default();
    for counter in Counter::all() {
        let sum = if let Counter::Fetched(..) = counter {
            &mut all.fetches
        } else if let Counter::Invalidated(..) = counter {
            &mut all.invalidations
        } else {
            continue;
        };
        *sum = sum.saturating_add(numbers.counter(counter));
    }
    all
}

fn counted(json: Json, requests: Requests) -> Json {
    json.number("hits", requests.hits)
        .number("misses", requests.misses)
        .number("bypasses", requests.bypasses)
}

fn service(numbers: &dyn Numbers, requests: Requests, fetches: u64) -> Json {
    let mean = |sum: Counter, count: u64| {
        let sum = numbers.counter(sum);
        sum.checked_div(count).unwrap_or_default()
    };
    let hit = mean(Counter::HitTime, numbers.counter(Counter::TimedHits));
    let fetch = mean(Counter::FetchTime, fetches);
    // What clients waited for, hits and fetches as often as they were.
    let hits = hit.saturating_mul(requests.hits);
    let sum = fetch.saturating_mul(requests.misses).saturating_add(hits);
    let milliseconds =
        |micros, count: u64, digits| decimal(micros, count.saturating_mul(1000), digits);
    Json::object()
        .text("hit_rate", &requests.hit_rate())
        .raw(
            "avg_response_time_ms",
            &milliseconds(sum, requests.looked_up(), 1),
        )
        .raw("cached_response_time_ms", &milliseconds(hit, 1, 3))
        .raw("fresh_response_time_ms", &milliseconds(fetch, 1, 3))
}

fn rule(numbers: &dyn Numbers, id: PolicyId, name: &str) -> String {
    let requests = Requests::of_rule(numbers, id);
    let of_rule = |counter| numbers.of_rule(id, counter);
    counted(Json::object().text("name", name), requests)
        .text("hit_rate", &requests.hit_rate())
        .number("shadow_matches", of_rule(RuleCounter::ShadowMatch))
        .number("shadow_mismatches", of_rule(RuleCounter::ShadowMismatch))
        .end()
}

fn by_reason(numbers: &dyn Numbers, counter: fn(Reason) -> Counter) -> Json {
    let mut json = Json::object();
    for reason in Reason::ALL {
        match numbers.counter(counter(*reason)) {
            0 => {}
            count => json = json.number(reason.code(), count),
        }
    }
    json
}

fn evictions(numbers: &dyn Numbers) -> Json {
    let mut json = Json::object();
    for cause in EvictionCause::ALL {
        json = json.number(cause.word(), numbers.counter(Counter::Evicted(*cause)));
    }
    json
}

/// In the so many seconds that numbers have been counted.
fn invalidations(numbers: &dyn Numbers, total: u64, seconds: u64) -> Json {
    let per_minute = decimal(total.saturating_mul(60), seconds.max(60), 1);
    Json::object()
        .number("total", total)
        .raw("per_minute", &per_minute)
        .number("failed", numbers.counter(Counter::InvalidationFailed))
}

/// Sums as they are: who looks twice takes differences, and who sums over instances does not average averages.
fn timed(numbers: &dyn Numbers, fetches: u64) -> Json {
    Json::object()
        .number("hits", numbers.counter(Counter::TimedHits))
        .number("hits_us", numbers.counter(Counter::HitTime))
        .number("fetches", fetches)
        .number("fetches_us", numbers.counter(Counter::FetchTime))
}

fn tiers(numbers: &dyn Numbers) -> Json {
    let served = |json: Json, source| {
        let bytes = numbers.counter(Counter::Served(source));
        json.raw("served_mb", &megabytes(bytes))
    };
    let size = |json: Json, gauge| json.raw("size_mb", &megabytes(numbers.gauge(gauge)));
    let hot = Json::object().number("hits", numbers.counter(Counter::HotHit));
    let hot = size(served(hot, ServedFrom::Hot), Gauge::HotBytes);
    let shared = Json::object().number("entries", numbers.gauge(Gauge::Entries));
    let shared = size(served(shared, ServedFrom::Shared), Gauge::Bytes);
    let brought = |operation| numbers.counter(Counter::Fleet(operation, FleetResult::Hit));
    let brought = brought(FleetOp::Get).saturating_add(brought(FleetOp::Wait));
    let fleet = served(Json::object().number("hits", brought), ServedFrom::Fleet);
    Json::object()
        .nested("hot", hot)
        .nested("shared", shared)
        .nested("fleet", fleet)
        .nested("origin", served(Json::object(), ServedFrom::Origin))
}
