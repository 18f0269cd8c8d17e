use std::time::Duration;

use larder_core::fleet::{Cursor, InstanceId};
use serde_json::{Value, json};

use super::*;
use crate::store::{Acknowledged, Acknowledgement, Instance, Record, Said};

const NOW: u64 = 1_790_000_000_000;

fn at(position: u64) -> Cursor {
    Cursor {
        log: 7,
        position,
        check: 1,
    }
}

fn instance(id: u64, applied: Option<Cursor>, report: &Value) -> Instance {
    Instance {
        id: InstanceId(id),
        applied,
        age: Duration::from_millis(800),
        report: report.to_string().into(),
    }
}

fn record(position: u64, body: &Value, applied: &[(u64, u64)]) -> Acknowledged {
    let applied = applied.iter();
    Acknowledged {
        record: Record {
            at: at(position),
            said: Said {
                by: InstanceId(1),
                seq: position,
            },
            age: Duration::from_secs(3),
            body: body.to_string().into(),
        },
        by: applied
            .map(|(id, after)| Acknowledgement {
                instance: InstanceId(*id),
                lag: Duration::from_millis(*after),
            })
            .collect(),
    }
}

fn shown(instances: &[Instance], recent: &[Acknowledged]) -> Value {
    let overview = overview(&Snapshot {
        fleet: "shop",
        now_ms: NOW,
        end: at(9),
        config: 3,
        instances,
        recent,
    });
    serde_json::to_value(overview).unwrap()
}

fn busy(node: &str, hits: u64, misses: u64) -> Value {
    json!({
        "node": node, "cluster": "shop", "version": "0.1.0", "clock_ms": NOW - 800 + 600_000, "config": 3,
        "stats": { "total_entries": 100, "total_size_mb": 1.5, "worker_size_mb": 0.5 },
        "performance": {
            "middleware_metrics": { "hits": hits, "misses": misses, "bypasses": 2 },
            "timed": { "hits": 10, "hits_us": 900, "fetches": misses / 2, "fetches_us": 2_000_000 },
            "rules": [
                { "name": "idle", "hits": 0, "misses": 0, "bypasses": 0 },
                { "name": "users", "hits": hits, "misses": misses, "bypasses": 2 },
                { "name": node, "hits": 0, "misses": 1, "bypasses": 0 },
            ],
            "not_stored": { "private": 3, "no-freshness": 8 },
            "bypassed": { "method": 2 },
            "recommendation_details": [{
                "text": "Increase TTL for /a", "why": "ttl-too-short", "numbers": { "requests": hits }, "patch": { "node": node },
            }],
        },
    })
}

#[test]
fn two_instances_are_one_sum() {
    let all = shown(
        &[
            instance(2, Some(at(9)), &busy("b", 300, 100)),
            instance(1, Some(at(9)), &busy("a", 100, 100)),
        ],
        &[],
    );
    let totals = &all["totals"];
    assert_eq!(totals["instances"], 2);
    assert_eq!(totals["current"], 2);
    assert_eq!(
        (&totals["hits"], &totals["misses"]),
        (&json!(400), &json!(200))
    );
    // Two misses shared a fetch.
    assert_eq!(
        (&totals["fetches"], &totals["saved"]),
        (&json!(100), &json!(500))
    );
    assert_eq!(totals["shared_bytes"], 2 * 1_572_864);
    assert_eq!(all["instances"][0]["node"], "a");
    assert_eq!(all["instances"][1]["figures"]["hits"], 300);
    assert_eq!(all["instances"][0]["skew_ms"], 600_000);
}

#[test]
fn rules_are_summed_by_their_names_and_those_that_miss_most_come_first() {
    let all = shown(
        &[
            instance(1, Some(at(9)), &busy("a", 100, 20)),
            instance(2, Some(at(9)), &busy("b", 200, 30)),
        ],
        &[],
    );
    let rules = all["rules"].as_array().unwrap();
    let names: Vec<_> = rules.iter().map(|rule| &rule["name"]).collect();
    assert_eq!(names, ["users", "a", "b"]);
    let users = json!({ "name": "users", "hits": 300, "misses": 50, "bypasses": 4 });
    assert_eq!(rules[0], users);
}

#[test]
fn reasons_are_summed_and_explained() {
    let all = shown(
        &[
            instance(1, Some(at(9)), &busy("a", 1, 1)),
            instance(2, Some(at(9)), &busy("b", 1, 1)),
        ],
        &[],
    );
    let reasons = all["not_stored"].as_array().unwrap();
    assert_eq!(reasons[0]["code"], "no-freshness");
    assert_eq!(reasons[0]["count"], 16);
    assert!(reasons[0]["because"].as_str().unwrap().ends_with('.'));
    assert_eq!(all["bypassed"][0]["count"], 4);
}

#[test]
fn what_several_recommend_is_said_once_with_the_patch_of_who_saw_most() {
    let all = shown(
        &[
            instance(1, Some(at(9)), &busy("a", 100, 1)),
            instance(2, Some(at(9)), &busy("b", 300, 1)),
        ],
        &[],
    );
    let advice = all["recommendations"].as_array().unwrap();
    assert_eq!(advice.len(), 1);
    assert_eq!(advice[0]["requests"], 400);
    assert_eq!(advice[0]["instances"], 2);
    assert_eq!(advice[0]["patch"], json!({ "node": "b" }));
}

#[test]
fn who_is_behind_silent_or_elsewhere_is_told_apart() {
    let mut silent = instance(4, Some(at(9)), &json!({ "node": "d" }));
    silent.age = Duration::from_millis(12_001);
    let elsewhere = Cursor { log: 8, ..at(9) };
    let all = shown(
        &[
            instance(1, Some(at(9)), &json!({ "node": "a" })),
            instance(2, Some(at(7)), &json!({ "node": "b" })),
            instance(3, Some(elsewhere), &json!({ "node": "c" })),
            silent,
            instance(5, None, &json!({ "node": "e" })),
        ],
        &[],
    );
    let instances = all["instances"].as_array().unwrap();
    let states: Vec<_> = instances.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["current", "behind", "lost", "silent", "lost"]);
    assert_eq!(instances[1]["behind"], 2);
    assert_eq!(instances[2]["behind"], Value::Null);
    assert_eq!(all["totals"]["silent"], 1);
    assert_eq!(all["totals"]["current"], 1);
}

#[test]
fn an_invalidation_is_followed_from_instance_to_instance() {
    let tag = json!({ "mode": "hard", "stamps": ["0123456789abcdef"], "kind": "tag", "value": "user:42" });
    let all = shown(
        &[
            instance(1, Some(at(9)), &json!({ "node": "a" })),
            instance(2, Some(at(9)), &json!({ "node": "b" })),
            instance(3, Some(at(8)), &json!({ "node": "c" })),
            instance(4, Some(at(9)), &json!({ "node": "d" })),
        ],
        // The fourth was not yet there.
        &[record(9, &tag, &[(1, 4), (2, 30)])],
    );
    let one = &all["invalidations"][0];
    assert_eq!(
        (&one["kind"], &one["value"]),
        (&json!("tag"), &json!("user:42"))
    );
    assert_eq!(one["after_ms"], json!([4, 30, null, null]));
    assert_eq!((&one["applied"], &one["waiting"]), (&json!(3), &json!(1)));
    assert_eq!(
        (&one["median_ms"], &one["slowest_ms"]),
        (&json!(4), &json!(30))
    );
}

#[test]
fn records_say_what_they_cover() {
    for (body, kind, value) in [
        (
            json!({ "mode": "soft", "pattern": "/api/*" }),
            "pattern",
            "/api/*",
        ),
        (json!({ "mode": "hard", "all": true }), "all", ""),
        (
            json!({ "mode": "hard", "stamps": ["00", "01"] }),
            "stamp",
            "2 names",
        ),
        (json!(["what"]), "unknown", ""),
    ] {
        let all = shown(&[], &[record(1, &body, &[])]);
        assert_eq!(all["invalidations"][0]["kind"], kind);
        assert_eq!(all["invalidations"][0]["value"], value);
    }
}

#[test]
fn nobody_there_is_no_problem() {
    let all = shown(&[], &[]);
    assert_eq!(all["totals"]["instances"], 0);
    assert_eq!(all["instances"], json!([]));
    assert_eq!(all["fleet"], "shop");
}

#[test]
fn a_report_that_lies_does_no_harm() {
    let long = "x".repeat(100_000);
    let hostile = json!({
        "node": long, "clock_ms": u64::MAX, "config": "three", "pending": -1,
        "stats": { "total_entries": u64::MAX, "total_size_mb": -1e300, "worker_size_mb": 1e300 },
        "performance": {
            "middleware_metrics": { "hits": u64::MAX, "misses": u64::MAX },
            "not_stored": { long.clone(): u64::MAX, "private": "many" },
            "rules": [7, { "name": 7 }, { "name": long.clone(), "hits": "many" }],
            "recommendation_details": [{ "text": 7 }, 3, { "text": "a", "patch": long }],
        },
    });
    let mut instances = vec![
        instance(1, Some(at(u64::MAX)), &hostile),
        instance(2, Some(at(0)), &hostile),
    ];
    instances[0].age = Duration::MAX;
    instances[1].report = "{".into();
    let all = shown(&instances, &[record(1, &hostile, &[(1, u64::MAX)])]);
    let shown = all["instances"].as_array().unwrap();
    assert_eq!(shown[1]["node"].as_str().unwrap().len(), 256);
    assert_eq!(all["totals"]["hits"], u64::MAX);
    assert_eq!(all["totals"]["shared_bytes"], 0);
    assert_eq!(all["recommendations"][0]["patch"], Value::Null);
}
