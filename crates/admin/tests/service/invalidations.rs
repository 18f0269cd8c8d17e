//! The log, as instances say and follow it.

use std::time::{Duration, Instant};

use larder_core::fleet::Cursor;
use larder_harness::client::Request;
use serde_json::{Value, json as value};

use crate::stage::{json, pair};

const A: &str = "00000000000000aa";
const B: &str = "00000000000000bb";

fn said(instance: &str, records: Value) -> Value {
    value!({"wire": 1, "instance": instance, "records": records})
}

#[tokio::test]
async fn what_is_said_at_one_is_heard_at_the_other() {
    let (_store, one, other) = pair().await;
    let before = one.end().await;
    let body = said(
        A,
        value!([
            {"seq": 1, "mode": "hard", "stamps": ["0123456789abcdef"], "kind": "tag", "value": "user:42"},
            {"seq": 2, "mode": "soft", "pattern": "/api/*"},
            {"seq": 3, "all": true},
        ]),
    );
    let posted = json(&one.post("/v1/invalidations", &body).await);
    let path = format!("/v1/invalidations?after={before}&instance={B}");
    let heard = json(&other.get(&path).await);
    assert_eq!(heard["cursor"], posted["cursor"]);
    assert_eq!(
        (&heard["more"], &heard["reset"]),
        (&value!(false), &value!(false))
    );
    let records = heard["records"].as_array().unwrap();
    let ids: Vec<_> = records.iter().map(|record| record["id"].clone()).collect();
    assert_eq!(posted["ids"], Value::Array(ids));
    assert_eq!(records[0]["stamps"], value!(["0123456789abcdef"]));
    assert_eq!(records[0]["value"], "user:42");
    assert_eq!(
        (&records[1]["pattern"], &records[1]["mode"]),
        (&value!("/api/*"), &value!("soft"))
    );
    assert_eq!(
        (&records[2]["all"], &records[2]["mode"]),
        (&value!(true), &value!("hard"))
    );
    for (record, seq) in records.iter().zip(1..) {
        assert_eq!(
            (&record["instance"], &record["seq"]),
            (&value!(A), &value!(seq))
        );
    }
}

#[tokio::test]
async fn what_was_said_before_is_not_said_again() {
    let (_store, one, other) = pair().await;
    let before = one.end().await;
    let first = said(A, value!([{"seq": 1, "all": true}]));
    let posted = json(&one.post("/v1/invalidations", &first).await);
    let both = said(
        A,
        value!([{"seq": 1, "all": true}, {"seq": 2, "pattern": "/a"}]),
    );
    let again = json(&other.post("/v1/invalidations", &both).await);
    assert_eq!(again["ids"][0], posted["ids"][0]);
    let heard = json(&one.get(&format!("/v1/invalidations?after={before}")).await);
    assert_eq!(heard["records"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn people_say_what_is_over_by_its_name_and_are_told_what_is_wrong() {
    let (_store, one, _other) = pair().await;
    let before = one.end().await;
    for record in [
        value!({"tag": "a"}),
        value!({"key": "GET:a/p"}),
        value!({"prefix": "/a", "mode": "soft"}),
        value!({"group": {"host": "a", "name": "n"}}),
    ] {
        one.invalidate(record).await;
    }
    let heard = json(&one.get(&format!("/v1/invalidations?after={before}")).await);
    let records = heard["records"].as_array().unwrap();
    assert_eq!(records.len(), 4);
    let is_stamped = |place: usize| records[place]["stamps"].is_array();
    assert_eq!([0, 1, 2, 3].map(is_stamped), [true, true, false, true]);
    assert_eq!(records[2]["prefix"], "/a");
    for (record, problem) in [
        (value!({"pattern": "regex:("}), "is no regular expression"),
        (value!({"pattern": ""}), "is empty"),
        (value!({"mode": "soft"}), "names nothing"),
        (value!({"mode": "gone", "tag": "a"}), "unknown mode"),
    ] {
        let body = value!({"records": [record]}).to_string();
        let request = Request::new("POST", "/v1/invalidations").body(body);
        let answer = one.ask(request).await;
        assert_eq!(answer.status, 400, "{record}");
        let error = json(&answer)["error"].to_string();
        assert!(error.contains(problem), "{record}: {error}");
    }
    let garbage = Request::new("POST", "/v1/invalidations").body("{");
    assert_eq!(one.ask(garbage).await.status, 400);
    assert_eq!(one.end().await, heard["cursor"]);
}

#[tokio::test]
async fn a_kind_of_a_later_version_ends_everything() {
    let (_store, one, _other) = pair().await;
    let before = one.end().await;
    let body = said(
        A,
        value!([{"seq": 1, "mode": "soft", "moon_phase": "full"}]),
    );
    one.post("/v1/invalidations", &body).await;
    let heard = json(&one.get(&format!("/v1/invalidations?after={before}")).await);
    let record = &heard["records"][0];
    assert_eq!(
        (&record["all"], &record["mode"]),
        (&value!(true), &value!("hard"))
    );
}

#[tokio::test]
async fn who_waits_is_woken_by_what_is_said_elsewhere() {
    let (_store, one, other) = pair().await;
    let before = one.end().await;
    let path = format!("/v1/invalidations?after={before}&wait_seconds=60&instance={B}");
    let waits = one.get(&path);
    let says = async {
        let waiting = "larder_admin_waiting{for=\"invalidations\"} 1";
        larder_harness::wait::eventually("one waits", larder_harness::wait::PATIENCE, async || {
            let shown = one.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        other.invalidate(value!({"tag": "a"})).await
    };
    let (heard, id) = tokio::join!(waits, says);
    let heard = json(&heard);
    assert_eq!(heard["records"][0]["id"], id);
    assert_eq!(heard["cursor"], id);
    let shown = one.get("/metrics").await;
    let text = String::from_utf8_lossy(&shown.body).into_owned();
    assert!(
        text.contains("larder_invalidation_lag_seconds_count 1"),
        "{text}"
    );
}

#[tokio::test]
async fn who_waits_in_vain_is_told_since_when() {
    let (_store, one, _other) = pair().await;
    let before = one.end().await;
    let path = format!("/v1/invalidations?after={before}&wait_seconds=1");
    let asked = Instant::now();
    let heard = json(&one.get(&path).await);
    assert_eq!(
        (&heard["cursor"], &heard["records"]),
        (&value!(before), &value!([]))
    );
    let waited = Duration::from_millis(heard["waited_ms"].as_u64().unwrap());
    assert!(waited <= asked.elapsed(), "{waited:?}");
}

#[tokio::test]
async fn a_place_that_is_none_begins_anew() {
    let (_store, one, other) = pair().await;
    let body = said(A, value!([{"seq": 7, "all": true}]));
    let posted = json(&one.post("/v1/invalidations", &body).await);
    let end = posted["cursor"].as_str().unwrap().to_owned();
    let other_check = format!("{}{}", &end[..end.len() - 8], "00000000");
    let ahead = format!("{}.99.00000000", &end[..16]);
    for after in [
        &other_check,
        &ahead,
        "nonsense",
        "0000000000000001.1.00000000",
    ] {
        let path = format!("/v1/invalidations?after={after}&wait_seconds=60");
        let heard = json(&other.get(&path).await);
        assert_eq!(heard["reset"], true, "{after}: {heard}");
        assert_eq!(heard["cursor"], end);
        assert_eq!(heard["instances"], value!({A: 7}));
    }
}

#[tokio::test]
async fn it_is_told_who_has_applied_a_record() {
    let (_store, one, other) = pair().await;
    let before = one.end().await;
    for id in [A, B] {
        let report = value!({"wire": 1, "node": format!("node-{id}"), "applied": before});
        one.post(&format!("/v1/instances/{id}"), &report).await;
    }
    let id = one.invalidate(value!({"tag": "a", "mode": "soft"})).await;
    one.get(&format!("/v1/invalidations?after={id}&instance={A}"))
        .await;
    let shown = json(&other.get(&format!("/v1/invalidations/{id}")).await);
    assert_eq!(shown["applied"][0]["instance"], A);
    assert_eq!(shown["applied"][0]["node"], format!("node-{A}"));
    assert!(shown["applied"][0]["after_ms"].is_u64(), "{shown}");
    assert_eq!(shown["missing"][0]["instance"], B);
    assert_eq!(
        (&shown["complete"], &shown["kind"]),
        (&value!(false), &value!("tag"))
    );
    // Polls of one instance come to any replica.
    other
        .get(&format!("/v1/invalidations?after={id}&instance={B}"))
        .await;
    let shown = json(&one.get(&format!("/v1/invalidations/{id}")).await);
    assert_eq!(
        (&shown["complete"], &shown["missing"]),
        (&value!(true), &value!([]))
    );
    assert_eq!(one.get("/v1/invalidations/nonsense").await.status, 404);
    // Who names a place that is none has applied nothing.
    let ahead = format!("{}.99.00000000", &id[..16]);
    let path = format!("/v1/invalidations?after={ahead}&instance={A}");
    assert_eq!(json(&one.get(&path).await)["reset"], true);
    let next = one.invalidate(value!({"tag": "b"})).await;
    let shown = json(&one.get(&format!("/v1/invalidations/{next}")).await);
    assert_eq!(shown["missing"].as_array().unwrap().len(), 2, "{shown}");
}

#[tokio::test]
async fn a_log_that_is_shorter_than_what_was_acknowledged_ends_everything() {
    let (_store, one, other) = pair().await;
    let end = one.invalidate(value!({"tag": "a"})).await;
    // As if two more had been acknowledged here, and lost with the server that took them.
    let at = Cursor::parse(end.as_bytes()).unwrap();
    let position = at.position + 2;
    one.service.follower.promise(Cursor { position, ..at });
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60");
    let heard = json(&other.get(&path).await);
    let record = &heard["records"][0];
    let known = (&record["all"], &record["mode"]);
    assert_eq!(known, (&value!(true), &value!("hard")), "{heard}");
    assert_eq!(heard["records"].as_array().unwrap().len(), 1);
}
