//! The numbers that people see, in the shape that they know.

use std::collections::HashMap;

use larder_core::config::{Config, PolicyId};
use larder_core::policy::Reason;
use larder_core::report::{
    Counter, FetchClass, FetchResult, FleetOp, FleetResult, Gauge, InvalidationKind,
    InvalidationSource, Numbers, Outcome, RuleCounter, ServedFrom,
};
use larder_core::time::Timestamp;
use larder_observe::{Census, Json, performance, stats};
use serde_json::{Value, json};

#[derive(Default)]
struct Fixed {
    counters: HashMap<Counter, u64>,
    of_rules: HashMap<(usize, RuleCounter), u64>,
}

impl Numbers for Fixed {
    fn counter(&self, counter: Counter) -> u64 {
        self.counters.get(&counter).copied().unwrap_or_default()
    }

    fn of_rule(&self, rule: PolicyId, counter: RuleCounter) -> u64 {
        let key = (rule.place(), counter);
        self.of_rules.get(&key).copied().unwrap_or_default()
    }

    fn gauge(&self, gauge: Gauge) -> u64 {
        match gauge {
            Gauge::Started => 1_000_000,
            Gauge::Bytes | Gauge::Entries | Gauge::HotBytes => 47_500_000,
        }
    }
}

fn value(json: Json) -> Value {
    serde_json::from_str(&json.end()).unwrap()
}

fn config() -> Config {
    let rules = br#"{"rules":[{"name":"analytics","match":{"path":"/a"},"ttl_seconds":5}]}"#;
    Config::parse(rules).unwrap()
}

/// Of 50,000 requests 39,250 were hits.
fn busy() -> Fixed {
    let requests = |outcome| RuleCounter::Requests(outcome);
    let written = Counter::Invalidated(
        InvalidationKind::Write,
        larder_core::epoch::Mode::Invalid,
        InvalidationSource::Write,
    );
    Fixed {
        of_rules: HashMap::from([
            ((0, requests(Outcome::Miss)), 750),
            ((1, requests(Outcome::Hit)), 39_000),
            ((1, requests(Outcome::Stale)), 50),
            ((1, requests(Outcome::Revalidated)), 200),
            ((1, requests(Outcome::Miss)), 10_000),
            ((1, requests(Outcome::Bypass)), 7),
        ]),
        counters: HashMap::from([
            (Counter::CompressionInput, 1000),
            (Counter::CompressionSaved, 350),
            (
                Counter::Fetched(FetchClass::Foreground, FetchResult::Ok),
                100,
            ),
            (Counter::FetchTime, 5_700_000),
            (Counter::Fleet(FleetOp::Get, FleetResult::Hit), 4),
            (Counter::Fleet(FleetOp::Wait, FleetResult::Hit), 3),
            (Counter::Served(ServedFrom::Fleet), 1 << 20),
            (Counter::TimedHits, 10),
            (Counter::HitTime, 500),
            (Counter::NotStored(Reason::NoFreshness), 3),
            (written, 30),
        ]),
    }
}

#[test]
fn stats_have_the_fields_that_people_know() {
    let census = Census {
        entries: 1250,
        bytes: 47_500_000,
        tags: 25,
    };
    let shown = value(stats(&busy(), &config(), census));
    for (name, value) in [
        ("total_entries", json!(1250)),
        ("total_size_mb", json!(45.3)),
        ("hit_rate", json!("78.5%")),
        ("compression_ratio", json!("0.65")),
        ("tags_count", json!(25)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}

#[test]
fn performance_has_the_fields_that_people_know() {
    let shown = value(performance(
        &busy(),
        &config(),
        Timestamp::from_secs(1_000_600),
        &[],
    ));
    let service = &shown["service_metrics"];
    assert_eq!(service["hit_rate"], "78.5%");
    assert_eq!(service["fresh_response_time_ms"], 57.0);
    assert_eq!(service["cached_response_time_ms"], 0.05);
    assert_eq!(service["avg_response_time_ms"], 12.3);
    let middleware =
        json!({"total_requests": 50_000, "hits": 39_250, "misses": 10_750, "bypasses": 7});
    assert_eq!(shown["middleware_metrics"], middleware);
    let timed = json!({"hits": 10, "hits_us": 500, "fetches": 100, "fetches_us": 5_700_000});
    assert_eq!(shown["timed"], timed);
    let fleet = json!({"hits": 7, "served_mb": 1.0});
    assert_eq!(shown["tiers"]["fleet"], fleet);
    assert_eq!(shown["recommendations"], json!([]));
    assert_eq!(shown["rules"][1]["name"], "analytics");
    assert_eq!(shown["rules"][1]["hit_rate"], "79.7%");
    assert_eq!(shown["not_stored"], json!({"no-freshness": 3}));
    assert_eq!(shown["invalidations"]["per_minute"], 3.0);
}

#[test]
fn a_cache_that_has_done_nothing_has_numbers_too() {
    let nothing = Fixed::default();
    let shown = value(stats(&nothing, &config(), Census::default()));
    assert_eq!(
        (&shown["hit_rate"], &shown["compression_ratio"]),
        (&json!("0.0%"), &json!("1.00"))
    );
    let shown = value(performance(
        &nothing,
        &config(),
        Timestamp::from_secs(0),
        &[],
    ));
    assert_eq!(shown["service_metrics"]["avg_response_time_ms"], 0.0);
}
