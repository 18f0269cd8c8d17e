//! What instances say of themselves, and what is changed for all of them.

use larder_harness::client::Request;
use serde_json::json as value;

use crate::stage::{json, pair};

const A: &str = "00000000000000aa";

#[tokio::test]
async fn an_instance_is_known_everywhere_by_what_it_said_last() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let mut report = value!({"wire": 1, "node": "n", "cluster": "shop", "applied": end, "pending": 2,
        "config_hash": "abc", "heat": [{"url": "https://a/p", "digest": "00", "count": 3}]});
    let path = format!("/v1/instances/{A}");
    let wants = json(&one.post(&path, &report).await);
    assert_eq!(wants["wants"], value!(["configuration"]));
    report["configuration"] = value!({"default_ttl_seconds": 60});
    report["pending"] = value!(0);
    let wants = json(&one.post(&path, &report).await);
    assert_eq!(wants["wants"], value!([]));
    report.as_object_mut().unwrap().remove("configuration");
    let wants = json(&other.post(&path, &report).await);
    assert_eq!(wants["wants"], value!([]));

    let known = json(&other.get("/v1/instances").await);
    let known = known["instances"].as_array().unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0]["id"], A);
    assert_eq!(
        (&known[0]["applied"], &known[0]["pending"]),
        (&value!(end), &value!(0))
    );
    assert!(known[0]["age_ms"].is_u64() && known[0]["configuration"].is_null());
    let heat = json(&one.get("/v1/heat?limit=5").await);
    assert_eq!(
        heat["heat"],
        value!([{"url": "https://a/p", "digest": "00", "count": 9}])
    );
}

#[tokio::test]
async fn a_change_of_the_configuration_reaches_who_follows() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60&config=0");
    let change = |patch| {
        let body = value!({"wire": 1, "patch": patch}).to_string();
        other.ask(Request::new("PUT", "/v1/config").body(body))
    };
    let patch = value!({"default_ttl_seconds": 600});
    let (heard, changed) = tokio::join!(one.get(&path), change(patch.clone()));
    let (heard, changed) = (json(&heard), json(&changed));
    assert_eq!(
        heard["config"],
        value!({"version": changed["version"], "patch": patch})
    );
    // The second is merged into the first.
    let second = json(&change(value!({"limits": {"max_variants": 4}})).await);
    let first = changed["version"].as_u64().unwrap();
    assert!(second["version"].as_u64().unwrap() > first);
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60&config={first}");
    let heard = json(&one.get(&path).await);
    let both = value!({"default_ttl_seconds": 600, "limits": {"max_variants": 4}});
    assert_eq!(heard["config"]["patch"], both);
    let reset = Request::new("PUT", "/v1/config").body(r#"{"wire": 1, "reset": true}"#);
    assert_eq!(one.ask(reset).await.status, 200);
    let shown = json(&other.get("/v1/config").await);
    assert_eq!(shown["patch"], value!({}));
}

#[tokio::test]
async fn what_is_no_change_is_refused() {
    let (_store, one, _other) = pair().await;
    for (body, problem) in [
        ("{}", "must have either `patch`"),
        (r#"{"patch": 1}"#, "must have either `patch`"),
        (
            r#"{"patch": {}, "reset": true}"#,
            "must have either `patch`",
        ),
        (
            r#"{"patch": {"management": {}}}"#,
            "management: cannot be changed",
        ),
        ("[]", "not a JSON object"),
    ] {
        let answer = one.ask(Request::new("PUT", "/v1/config").body(body)).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = json(&answer)["error"].to_string();
        assert!(error.contains(problem), "{body}: {error}");
    }
}
