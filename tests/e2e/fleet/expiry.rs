//! What is stale in all processes of a fleet is asked about by one of them.

use std::time::{Duration, Instant};

use larder_harness::client::Client;
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;
use serde_json::json;

use super::{get, report, start};

const TTL: Duration = Duration::from_secs(2);
const HOT: &str = r#"{"rules": [{"name": "hot", "match": {"path": "/hot"}, "ttl_seconds": 2}]}"#;
/// So often the origin is asked until the play is over.
const QUESTIONS: u32 = 8;
/// The first, and three that a machine under test may ask too often, since an answer of the fleet's came too late.
const MORE: u32 = 4;

/// Asks on and on, until the origin has been asked often enough.
async fn ask(fleet: &Fleet, mut client: Client) -> u32 {
    let mut answers = 0;
    while fleet.origin.count("/hot") < QUESTIONS as usize {
        let answer = client.send(get("/hot")).await.unwrap();
        assert_eq!(answer.text(), "hot", "{answer:?}");
        answers += 1;
    }
    answers
}

/// Each Envoy by itself would ask once in each period: eight questions after three of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_many_ask_for_is_asked_about_once_in_its_time() {
    // A machine under test may take its time over a look.
    let patient = json!({"timeout_ms": 5000});
    let fleet = start(Fleet::plan(HOT).envoys(3).admin(&patient)).await;
    fleet.origin.on_call("/hot", |request| {
        let reply = match request.header("if-none-match") {
            Some("\"1\"") => Reply::new(304, ""),
            _ => Reply::ok("hot"),
        };
        reply.header("etag", "\"1\"")
    });
    let clients = (
        fleet.client(0).await,
        fleet.client(1).await,
        fleet.client(2).await,
    );
    let began = Instant::now();
    let (one, two, three) = tokio::join!(
        ask(&fleet, clients.0),
        ask(&fleet, clients.1),
        ask(&fleet, clients.2),
    );
    let (took, least) = (began.elapsed(), TTL * (QUESTIONS - MORE));
    let answers = one + two + three;
    report(&format!(
        "a fleet of three: {QUESTIONS} questions for {answers} answers in {:.1} s",
        took.as_secs_f64()
    ));
    assert!(took >= least, "{QUESTIONS} questions in {took:?}");
}
