//! The management API: what a request or a response would come to.

use larder_harness::client::Answer;
use serde_json::{Value, json};

use crate::management::{call, json as body, refused};
use crate::stage::Stage;

use super::{listed, stage};

async fn explain(stage: &Stage, question: Value) -> Value {
    let before = stage.origin.total();
    let answer: Answer = stage
        .send(call("POST", "/api/cache/explain").body(question.to_string()))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(stage.origin.total(), before);
    body(&answer)
}

#[tokio::test]
async fn explain_says_what_a_request_comes_to_and_does_nothing() {
    let stage = stage().await;
    let ask = || json!({"url": "http://api.example.com/users/42"});
    let before = explain(&stage, ask()).await;
    assert_eq!(
        before["rule"],
        json!({"name": "users", "action": "cache", "not_matched": []})
    );
    assert_eq!(before["lookups"][0]["key"], "user_profile:42");
    assert_eq!(before["lookups"][0]["found"], "nothing");
    assert_eq!(before["outcome"]["is"], "forwarded");
    stage.get("/users/42").await;
    let after = explain(&stage, ask()).await;
    assert_eq!(after["outcome"]["is"], "answered", "{after}");
    assert_eq!(after["outcome"]["status"], 200);
    assert_eq!(after["lookups"][0]["invalidation"], "current");
    assert_eq!(after["lookups"][0]["lifetime_source"], "rule");
    stage
        .send(call("POST", "/api/cache/invalidate/tag/users?mode=soft"))
        .await;
    let soft = explain(&stage, ask()).await;
    assert_eq!(soft["lookups"][0]["invalidation"], "soft-purged", "{soft}");
    let post = explain(&stage, json!({"method": "POST", "url": "/a"})).await;
    assert_eq!(
        (&post["outcome"]["is"], &post["outcome"]["reason"]),
        (&json!("passed"), &json!("method")),
        "{post}"
    );
}

#[tokio::test]
async fn explain_says_what_becomes_of_a_response() {
    let stage = stage().await;
    let with = |headers: Value| json!({"url": "/a", "response": {"status": 200, "headers": headers, "body": "x"}});
    let stored = explain(
        &stage,
        with(json!({"cache-control": "max-age=5", "cache-tag": "x, y"})),
    )
    .await;
    let response = &stored["response"];
    assert_eq!(response["is"], "stored", "{stored}");
    assert_eq!(
        (&response["lifetime_seconds"], &response["lifetime_source"]),
        (&json!(5), &json!("origin"))
    );
    assert_eq!(response["tags"], json!(["x", "y"]));
    for (headers, reason) in [
        (json!({"cache-control": "no-store"}), "no-store"),
        (
            json!({"cache-control": ["max-age=5", "private"]}),
            "private",
        ),
        (json!({"set-cookie": "a=b"}), "set-cookie"),
        (json!({"vary": "*"}), "vary-star"),
    ] {
        let refused = explain(&stage, with(headers)).await;
        assert_eq!(refused["response"]["reason"], reason, "{refused}");
        assert!(refused["response"]["because"].is_string());
    }
    assert_eq!(listed(&stage, "").await.len(), 0);
    for (question, problem) in [
        ("", "url: is missing"),
        ("{}", "url: is missing"),
        (r#"{"url": "mailto:x"}"#, "url: is none"),
        (
            r#"{"url": "/", "headers": {":path": "/x"}}"#,
            "must be no pseudo-field",
        ),
        (
            r#"{"url": "/", "response": {"status": 100}}"#,
            "response.status: must be at least 200",
        ),
    ] {
        let answer = stage
            .send(call("POST", "/api/cache/explain").body(question))
            .await;
        assert_eq!(refused(&answer, 400), "bad_request");
        assert!(answer.text().contains(problem), "{question} {answer:?}");
    }
}
