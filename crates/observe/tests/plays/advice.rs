//! Each kind of advice, with a patch that is taken as it stands; and silence.

use larder_core::config::Config;
use larder_core::epoch::Currency;
use larder_observe::Advice;
use serde_json::{Value, json};

use crate::world::{Response, World};

const PAGE: Response<'_> = (200, &[], "the same every time");

const FIVE_SECONDS: &str = r#"{"rules":[
    {"name":"never","match":{"path":"/never/.*"},"cache":false},
    {"name":"analytics","match":{"path":"/api/analytics/.*"},"ttl_seconds":5,"tags":["a"]}]}"#;

fn numbers(advice: &Advice) -> Value {
    serde_json::from_str(&advice.numbers).unwrap()
}

/// The document that the patch makes, which is a configuration.
fn patched(world: &World, advice: &Advice) -> Value {
    let mut document = world.document.clone();
    for (name, value) in advice.patch.as_ref().unwrap().as_object().unwrap() {
        document[name] = value.clone();
    }
    assert!(
        Config::parse(document.to_string().as_bytes()).is_ok(),
        "{document}"
    );
    document
}

#[test]
fn what_is_asked_for_often_and_never_cached_should_be() {
    let mut world = World::new("{}");
    for n in 0..60 {
        world.get(&format!("/api/ml/models?page={}", n % 3), &[], PAGE);
        world.get(&format!("/rare/{}", n % 2), &[], PAGE);
    }
    for _ in 0..30 {
        world.get("/api/few", &[], PAGE);
    }
    let advice = world.advice();
    assert_eq!(world.texts()[0], "Add caching to /api/ml/models endpoint");
    let document = patched(&world, &advice[0]);
    let rule = json!({"name": "for-api-ml-models", "match": {"path": "/api/ml/models"}, "ttl_seconds": 60});
    assert_eq!(document["rules"], json!([rule]));
    assert_eq!(numbers(&advice[0])["no_freshness"], 60);
    let texts = world.texts();
    assert!(!texts.iter().any(|text| text.contains("few")), "{texts:?}");

    let mut cached = World::new(&document.to_string());
    let asked = (0..60).filter(|_| cached.get("/api/ml/models", &[], PAGE));
    assert_eq!(asked.count(), 1, "that helped");
    assert_eq!(cached.texts(), [""; 0]);
}

#[test]
fn where_nothing_is_matched_a_rule_is_advised_too() {
    let mut world = World::new(r#"{"unmatched":"bypass"}"#);
    for n in 0..60 {
        world.get(&format!("/user/{n}/profile"), &[], PAGE);
    }
    assert_eq!(world.texts(), ["Add caching to /user/*/profile endpoint"]);
    let document = patched(&world, &world.advice()[0]);
    assert_eq!(document["rules"][0]["match"]["path"], "/user/[^/]+/profile");
}

#[test]
fn what_must_not_be_cached_is_left_alone() {
    let mut world = World::new(FIVE_SECONDS);
    for _ in 0..100 {
        world.get("/never/a", &[], PAGE);
        world.get("/private", &[], (200, &[("cache-control", "private")], "x"));
        world.get("/cookie", &[], (200, &[("set-cookie", "a=b")], "x"));
        world.get("/error", &[], (503, &[], "x"));
    }
    assert_eq!(world.texts(), [""; 0]);
}

#[test]
fn a_ttl_shorter_than_changes_are_apart_should_be_longer() {
    let mut world = World::new(FIVE_SECONDS);
    let etag = [("etag", "\"1\"")];
    for n in 0..60 {
        let response: Response<'_> = match n {
            0 => (200, &etag, "stable"),
            _ => (304, &etag, ""),
        };
        world.get("/api/analytics/trends", &[], response);
        let moving = format!("moving {n}");
        world.get("/api/analytics/now", &[], (200, &[], &moving));
        world.now += 10;
    }
    assert_eq!(world.texts(), ["Increase TTL for /api/analytics/trends"]);
    let advice = &world.advice()[0];
    assert_eq!(numbers(advice)["ttl_seconds"], 5);
    assert_eq!(numbers(advice)["changed"], 0);
    let document = patched(&world, advice);
    let expected = json!({"name": "for-api-analytics-trends", "match": {"path": "/api/analytics/trends"},
        "ttl_seconds": 120, "tags": ["a"]});
    assert_eq!(
        document["rules"][1], expected,
        "in front of the rule that it had"
    );
    assert_eq!(document["rules"].as_array().unwrap().len(), 3);
}

#[test]
fn bodies_tell_where_the_origin_has_no_etag() {
    let mut world = World::new(FIVE_SECONDS);
    for n in 0..60 {
        world.get("/api/analytics/trends", &[], PAGE);
        let other = format!("changes with each request: {n}");
        world.get("/api/analytics/other", &[], (200, &[], &other));
        world.now += 20;
    }
    assert_eq!(world.texts(), ["Increase TTL for /api/analytics/trends"]);
}

#[test]
fn the_origins_own_lifetime_is_overridden() {
    let mut world = World::new("{}");
    let fields = [("etag", "\"1\""), ("cache-control", "max-age=1")];
    for _ in 0..40 {
        world.get("/doc", &[], (200, &fields, "doc"));
        world.now += 30;
    }
    assert_eq!(world.texts(), ["Increase TTL for /doc"]);
    let document = patched(&world, &world.advice()[0]);
    assert_eq!(document["rules"][0]["ttl_mode"], "override");
    assert_eq!(document["rules"][0]["ttl_seconds"], 300);
}

#[test]
fn a_parameter_that_makes_no_difference_should_be_left_out() {
    let mut world = World::new(FIVE_SECONDS);
    for n in 0..200 {
        let target = format!("/api/analytics/page?utm_id={n}&page={}", n % 3);
        let body = format!("page {}", n % 3);
        world.get(&target, &[], (200, &[], &body));
        // Here each value has its own response.
        let (search, found) = (format!("/api/analytics/search?q={n}"), format!("found {n}"));
        world.get(&search, &[], (200, &[], &found));
    }
    let expected = "Leave query parameter utm_id out of the key of /api/analytics/page";
    assert_eq!(world.texts(), [expected]);
    let document = patched(&world, &world.advice()[0]);
    let query = &document["rules"][1]["key"]["query"];
    assert_eq!(*query, json!({"exclude": ["utm_id"]}));
    let shown = world.advice()[0].to_json().end();
    assert!(
        !shown.contains("199"),
        "values are nobody's business: {shown}"
    );

    let mut better = World::new(&document.to_string());
    let asked = (0..200).filter(|n| {
        let target = format!("/api/analytics/page?utm_id={n}&page={}", n % 3);
        better.get(&target, &[], PAGE)
    });
    assert_eq!(asked.count(), 3);
}

#[test]
fn a_field_with_many_values_should_not_be_varied_on() {
    let mut world = World::new(FIVE_SECONDS);
    for n in 0..200 {
        let agent = format!("agent {n}");
        let response: Response<'_> = (200, &[("vary", "user-agent, accept-encoding")], "x");
        world.get("/api/analytics/page", &[("user-agent", &agent)], response);
    }
    let advice = world.advice();
    assert_eq!(
        world.texts(),
        ["Have /api/analytics/page vary on less than user-agent"]
    );
    patched(&world, &advice[0]);
    assert_eq!(advice[0].why, "vary-explosion");
}

#[test]
fn invalidations_of_what_comes_back_the_same_are_too_broad() {
    let rules = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}]}"#;
    let mut world = World::new(rules);
    world.currency(Currency::Invalidated);
    for n in 0..100 {
        world.get("/stable", &[], PAGE);
        let body = format!("changed {n}");
        world.get("/written", &[], (200, &[], &body));
        world.now += 1;
    }
    assert_eq!(world.texts(), ["Narrow the invalidations of /stable"]);
    let advice = &world.advice()[0];
    assert_eq!(
        advice.patch, None,
        "no rule invalidates, so no setting helps"
    );
    assert!(numbers(advice)["same_as_before"].as_u64().unwrap() > 80);
}

#[test]
fn ten_requests_say_nothing() {
    let mut world = World::new(FIVE_SECONDS);
    for n in 0..10 {
        world.get("/api/ml/models", &[], PAGE);
        world.get(
            &format!("/api/analytics/a?x={n}"),
            &[("user-agent", &n.to_string())],
            PAGE,
        );
        world.now += 10;
    }
    assert_eq!(world.texts(), [""; 0]);
}

#[test]
fn what_all_workers_have_seen_counts_together() {
    let mut one = World::new("{}");
    let mut other = one.another();
    for _ in 0..30 {
        one.get("/api/ml/models", &[], PAGE);
        other.get("/api/ml/models", &[], PAGE);
    }
    assert_eq!(one.texts(), [""; 0], "it has not heard of the other");
    other.show();
    one.show();
    for world in [&one, &other] {
        assert_eq!(world.texts(), ["Add caching to /api/ml/models endpoint"]);
    }
    one.now += 700;
    assert_eq!(one.texts(), [""; 0], "the other was not heard of for long");
}

#[test]
fn another_configurations_reports_are_not_taken() {
    let one = World::new("{}");
    let mut other = World::new(r#"{"rules":[{"name":"other","match":{}}]}"#);
    other.kv = std::rc::Rc::clone(&one.kv);
    for _ in 0..100 {
        other.get("/api/ml/models", &[], PAGE);
    }
    other.show();
    assert_eq!(one.texts(), [""; 0]);
}
