//! What is stored of a user goes everywhere, and there is a receipt for it.

use larder_harness::admin;
use larder_harness::client::{Answer, Request};
use larder_harness::fleet::{Fleet, HOST};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use super::shared::patient;
use super::start;
use crate::management::json;
use crate::stage::x_cache;

async fn call(fleet: &Fleet, replica: usize, request: Request) -> Answer {
    let answer = fleet.admins[replica].send(request).await;
    answer.unwrap_or_else(|error| panic!("replica {replica} does not answer: {error}"))
}

const USERS: &str = r#"{"rules": [{"name": "profile", "match": {"path": "/profile"}, "ttl_seconds": 600,
    "identity": {"header": "x-user-id", "trusted": true}}]}"#;

fn profile(user: &str) -> Request {
    Request::get("/profile")
        .authority(HOST)
        .header("x-user-id", user)
}

/// Asks at an Envoy until it has it.
async fn known(fleet: &Fleet, envoy: usize, user: &str) {
    eventually("it is stored", PATIENCE, async || {
        x_cache(&fleet.send(envoy, profile(user)).await) == "HIT"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_forgotten_everywhere_and_there_is_a_receipt() {
    let mut fleet = start(Fleet::plan(USERS).envoys(3).admin(&patient())).await;
    fleet.origin.on_call("/profile", |request| {
        Reply::ok(request.header("x-user-id").unwrap_or_default().to_owned())
    });
    for envoy in 0..3 {
        for user in ["u1", "u2"] {
            known(&fleet, envoy, user).await;
        }
    }
    // The first has fetched both, and all others have them from it.
    eventually("both are shared", PATIENCE, async || {
        fleet.told(0, "put", "ok").await >= 2
    })
    .await;
    let asked = fleet.origin.total();
    let forget = admin::call("DELETE", "/api/cache/users/u1");
    let answer = call(&fleet, 0, forget).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = json(&answer);
    let receipt = body["receipt"].as_str().unwrap();
    let path = format!("/api/cache/users/receipts/{receipt}");
    // Another replica knows of it, too.
    eventually("nobody has anything of it", PATIENCE, async || {
        let receipt = json(&call(&fleet, 1, admin::call("GET", &path)).await);
        receipt["status"] == "done"
    })
    .await;
    // An Envoy that comes now finds nothing of it in the fleet.
    let late = fleet.add_envoy().await.unwrap();
    fleet.meet().await.unwrap();
    let answer = fleet.send(late, profile("u1")).await;
    assert_eq!(x_cache(&answer), "MISS", "{answer:?}");
    assert_eq!(fleet.origin.total(), asked + 1);
    let answer = fleet.send(late, profile("u2")).await;
    assert_eq!(x_cache(&answer), "HIT", "the other user's: {answer:?}");
}

/// A receipt is not complete as long as somebody has not said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_waits_for_an_envoy_that_is_cut_off() {
    let mut fleet = start(Fleet::plan(USERS).each_its_own()).await;
    fleet.origin.on("/profile", Reply::ok("profile"));
    known(&fleet, 1, "u1").await;
    fleet.admins[1].pause().await.unwrap();
    let answer = call(&fleet, 0, admin::call("DELETE", "/api/cache/users/u1")).await;
    let body = json(&answer);
    let path = format!(
        "/api/cache/users/receipts/{}",
        body["receipt"].as_str().unwrap()
    );
    eventually("one of two has nothing of it", PATIENCE, async || {
        let receipt = json(&call(&fleet, 0, admin::call("GET", &path)).await);
        assert_eq!(receipt["status"], "pending", "{receipt}");
        let instances = receipt["instances"].as_array().unwrap().iter();
        let erased = instances.filter(|instance| instance["erased"] == true);
        receipt["store"] == "done" && erased.count() == 1
    })
    .await;
    fleet.admins[1].resume().await.unwrap();
    eventually("nobody has anything of it", PATIENCE, async || {
        json(&call(&fleet, 0, admin::call("GET", &path)).await)["status"] == "done"
    })
    .await;
}
