//! The fleet's numbers, from what instances say of themselves: in the form in which one instance says them, and each
//! instance's own beside them.
//!
//! Counts and sizes are added up, shares and mean times are computed anew from counts, and what is only known to be different
//! at each instance (tags) is the most that any has. What is no number counts as nothing.

use serde_json::{Map, Value, json};

use crate::fleet::Reported;

/// `GET stats`
pub(super) fn stats(instances: &[Reported]) -> Value {
    let all = || instances.iter().map(|instance| part(instance, "stats"));
    let sum = |name: &str| rounded(all().map(|stats| number(stats.get(name))).sum());
    let most = |name: &str| {
        all()
            .map(|stats| number(stats.get(name)))
            .fold(0.0, f64::max)
    };
    let requests = Requests::of(&middleware(instances));
    let sizes = all().map(|stats| {
        let size = number(stats.get("total_size_mb"));
        (size * ratio(stats.get("compression_ratio")), size)
    });
    let (weighted, size) = sizes.fold((0.0, 0.0), |(weighted, size), (more, by)| {
        (weighted + more, size + by)
    });
    let compression = match size > 0.0 {
        true => weighted / size,
        false => 1.0,
    };
    json!({
        "total_entries": sum("total_entries"),
        "total_size_mb": sum("total_size_mb"),
        "hit_rate": requests.hit_rate(),
        "compression_ratio": format!("{compression:.2}"),
        "tags_count": rounded(most("tags_count")),
        "stored": sum("stored"),
        "worker_size_mb": sum("worker_size_mb"),
        "instances": own(instances, "stats"),
    })
}

/// `GET performance`
pub(super) fn performance(instances: &[Reported]) -> Value {
    let mut whole = Value::Null;
    for instance in instances {
        add(&mut whole, part(instance, "performance"));
    }
    let mut whole = match whole {
        Value::Object(whole) => whole,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let requests = Requests::of(&middleware(instances));
    let timed = whole.get("timed").cloned().unwrap_or(Value::Null);
    whole.insert("service_metrics".to_owned(), service(requests, &timed));
    whole.insert(
        "middleware_metrics".to_owned(),
        json!({"total_requests": rounded(requests.hits + requests.misses), "hits": rounded(requests.hits),
            "misses": rounded(requests.misses), "bypasses": rounded(requests.bypasses)}),
    );
    if let Some(Value::Array(rules)) = whole.get_mut("rules") {
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            let rate = Requests::of(&Value::Object(rule.clone())).hit_rate();
            rule.insert("hit_rate".to_owned(), rate.into());
        }
    }
    whole.insert("instances".to_owned(), own(instances, "performance"));
    Value::Object(whole)
}

/// What was looked up, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    hits: f64,
    misses: f64,
    bypasses: f64,
}

impl Requests {
    fn of(counted: &Value) -> Self {
        let of = |name: &str| number(counted.get(name));
        Self {
            hits: of("hits"),
            misses: of("misses"),
            bypasses: of("bypasses"),
        }
    }

    fn hit_rate(self) -> String {
        let looked_up = self.hits + self.misses;
        match looked_up > 0.0 {
            true => format!("{:.1}%", self.hits * 100.0 / looked_up),
            false => "0.0%".to_owned(),
        }
    }
}

fn middleware(instances: &[Reported]) -> Value {
    let mut sum = Value::Null;
    for instance in instances {
        let performance = part(instance, "performance");
        let counted = performance.get("middleware_metrics");
        add(&mut sum, counted.unwrap_or(&Value::Null));
    }
    sum
}

/// Mean times, where somebody has taken them.
fn service(requests: Requests, timed: &Value) -> Value {
    let mean = |sum: &str, count: &str| {
        let count = number(timed.get(count));
        match count > 0.0 {
            true => number(timed.get(sum)) / count / 1000.0,
            false => 0.0,
        }
    };
    let (hit, fetch) = (mean("hits_us", "hits"), mean("fetches_us", "fetches"));
    let looked_up = requests.hits + requests.misses;
    let all = match looked_up > 0.0 {
        true => (hit * requests.hits + fetch * requests.misses) / looked_up,
        false => 0.0,
    };
    json!({"hit_rate": requests.hit_rate(), "avg_response_time_ms": rounded(all),
        "cached_response_time_ms": rounded(hit), "fresh_response_time_ms": rounded(fetch)})
}

/// What each says.
fn own(instances: &[Reported], what: &str) -> Value {
    let own = instances.iter().map(|instance| {
        json!({"id": instance.id.to_string(), "node": instance.field("node"), "cluster": instance.field("cluster"),
            what: part(instance, what)})
    });
    Value::Array(own.collect())
}

fn part<'a>(instance: &'a Reported, name: &str) -> &'a Value {
    instance.report.get(name).unwrap_or(&Value::Null)
}

fn number(value: Option<&Value>) -> f64 {
    let number = value.and_then(Value::as_f64);
    number.filter(|number| number.is_finite()).unwrap_or(0.0)
}

/// A ratio that is written as text.
fn ratio(value: Option<&Value>) -> f64 {
    let text = value.and_then(Value::as_str);
    let ratio = text.and_then(|text| text.parse().ok());
    ratio.filter(|ratio: &f64| ratio.is_finite()).unwrap_or(1.0)
}

/// With three digits behind the point, and none where they are zeros.
fn rounded(number: f64) -> Value {
    let rounded = (number * 1000.0).round() / 1000.0;
    match rounded.fract() == 0.0 && (0.0..9e15).contains(&rounded) {
        true => (rounded as u64).into(),
        false => rounded.into(),
    }
}

/// Adds what has the same place; in lists, what has the same name.
fn add(sum: &mut Value, more: &Value) {
    match (sum, more) {
        (sum @ Value::Null, more) => *sum = more.clone(),
        (sum @ Value::Number(_), Value::Number(_)) => {
            *sum = rounded(number(Some(sum)) + number(Some(more)));
        }
        (Value::Object(sum), Value::Object(more)) => {
            for (name, value) in more {
                add(sum.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(sum), Value::Array(more)) => {
            for item in more {
                match sum.iter_mut().find(|known| is_same(known, item)) {
                    Some(known) if known.get("name").is_some() => add(known, item),
                    Some(_) => {}
                    None => sum.push(item.clone()),
                }
            }
        }
        (_, _) => {}
    }
}

/// Whether two items of a list are about the same: rules by their names, advice by its text.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.get("name"), one.get("text")) {
        (Some(name), _) => other.get("name") == Some(name),
        (None, Some(text)) => other.get("text") == Some(text),
        (None, None) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_core::fleet::InstanceId;

    use super::*;

    fn instance(id: u64, report: Value) -> Reported {
        Reported {
            id: InstanceId(id),
            applied: None,
            age: Duration::ZERO,
            report,
        }
    }

    fn pair() -> [Reported; 2] {
        let performance = |hits: u64, misses: u64, micros: u64| {
            json!({"middleware_metrics": {"hits": hits, "misses": misses, "bypasses": 1},
                "service_metrics": {"hit_rate": "?"},
                "rules": [{"name": "a", "hits": hits, "misses": misses, "hit_rate": "?"}],
                "not_stored": {"private": 2}, "timed": {"hits": hits, "hits_us": micros, "fetches": misses, "fetches_us": 8000},
                "recommendations": ["Increase"], "recommendation_details": [{"text": "Increase", "why": "x"}]})
        };
        let stats = |entries: u64, ratio: &str| json!({"total_entries": entries, "total_size_mb": 1.5, "compression_ratio": ratio, "tags_count": entries, "stored": 7});
        [
            instance(
                1,
                json!({"node": "n1", "stats": stats(2, "0.50"), "performance": performance(3, 1, 3000)}),
            ),
            instance(
                2,
                json!({"node": "n2", "stats": stats(4, "1.00"), "performance": performance(0, 1, 0)}),
            ),
        ]
    }

    #[test]
    fn numbers_are_those_of_all_and_each_ones_own_are_beside_them() {
        let stats = stats(&pair());
        for (name, expected) in [
            ("total_entries", json!(6)),
            ("total_size_mb", json!(3)),
            ("hit_rate", json!("60.0%")),
            ("compression_ratio", json!("0.75")),
            ("tags_count", json!(4)),
            ("stored", json!(14)),
        ] {
            assert_eq!(stats[name], expected, "{name}");
        }
        assert_eq!(stats["instances"][1]["node"], "n2");
        assert_eq!(stats["instances"][1]["stats"]["total_entries"], 4);
    }

    #[test]
    fn shares_and_means_are_not_added_up() {
        let shown = performance(&pair());
        assert_eq!(shown["service_metrics"]["hit_rate"], "60.0%");
        assert_eq!(shown["service_metrics"]["cached_response_time_ms"], 1);
        assert_eq!(shown["service_metrics"]["fresh_response_time_ms"], 8);
        assert_eq!(shown["service_metrics"]["avg_response_time_ms"], 3.8);
        assert_eq!(shown["middleware_metrics"]["total_requests"], 5);
        assert_eq!(
            shown["rules"],
            json!([{"name": "a", "hits": 3, "misses": 2, "hit_rate": "60.0%"}])
        );
        assert_eq!(shown["not_stored"]["private"], 4);
        assert_eq!(shown["recommendations"], json!(["Increase"]));
        assert_eq!(shown["recommendation_details"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_says_nothing_counts_as_nothing() {
        for report in [
            Value::Null,
            json!({"stats": 1, "performance": []}),
            json!({"stats": {"stored": "x"}}),
        ] {
            let strange = [instance(1, report)];
            assert_eq!(stats(&strange)["stored"], 0);
            assert_eq!(performance(&strange)["service_metrics"]["hit_rate"], "0.0%");
        }
        assert_eq!(stats(&[])["total_entries"], 0);
    }
}
