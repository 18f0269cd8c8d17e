//! A replica of the service that is killed takes nothing with it that was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_core::epoch::Scope;
use larder_harness::admin::{self, Admin};
use larder_harness::client::Client;
use larder_harness::fleet::{Fleet, HOST};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{DOCS, Version, get, report, settle, shown, start};
use crate::management::json;

const MANY: usize = 10_000;
/// One in so many is stored at an Envoy, and looked at there in the end.
const EACH: usize = 50;
/// Those that invalidate at the same time.
const CALLERS: usize = 40;

/// What was answered to one of the calls.
struct Told {
    number: usize,
    /// Its place in the log, where it was durable.
    id: Option<String>,
}

fn tag(number: usize) -> String {
    format!("t-{number}")
}

/// Invalidates each of these by its tag.
async fn caller(mut client: Client, numbers: Range<usize>, done: Arc<AtomicUsize>) -> Vec<Told> {
    let mut told = Vec::new();
    for number in numbers {
        let path = format!("/api/cache/invalidate/tag/{}", tag(number));
        let request = admin::call("POST", &path).authority(HOST);
        let answer = client.send(request).await.unwrap();
        let body = json(&answer);
        let id = match (answer.status, &body["durable"]) {
            (200, Value::Bool(true)) => Some(body["id"].as_str().unwrap().to_owned()),
            (202, Value::Bool(false)) => None,
            (_, _) => panic!("{answer:?}"),
        };
        told.push(Told { number, id });
        done.fetch_add(1, Ordering::SeqCst);
    }
    told
}

async fn answered(done: &AtomicUsize, count: usize) {
    let what = format!("{count} calls are answered");
    eventually(&what, PATIENCE, async || {
        done.load(Ordering::SeqCst) >= count
    })
    .await;
}

/// The log behind `after`, to its end: the stamps of each record, by its place.
async fn log(replica: &Admin, after: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut log = BTreeMap::new();
    let mut after = after.to_owned();
    loop {
        let path = format!("/v1/invalidations?after={after}&wait_seconds=0");
        let answer = replica.send(admin::wire("GET", &path)).await.unwrap();
        let body = json(&answer);
        assert_eq!(body["reset"], false, "{body}");
        for record in body["records"].as_array().unwrap() {
            let stamps = record["stamps"].as_array().into_iter().flatten();
            let stamps = stamps.map(|stamp| stamp.as_str().unwrap().to_owned());
            log.insert(record["id"].as_str().unwrap().to_owned(), stamps.collect());
        }
        body["cursor"].as_str().unwrap().clone_into(&mut after);
        if body["more"] != true {
            return log;
        }
    }
}

/// The position in a cursor.
fn place(cursor: &str) -> u64 {
    cursor.split('.').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_invalidations_survive_a_killed_replica() {
    let mut fleet = start(Fleet::plan(DOCS).envoys(3)).await;
    let version = Version::default();
    let now = version.clone();
    fleet.origin.on_call("/doc/*", move |request| {
        let number = request.path.rsplit('/').next().unwrap_or_default();
        Reply::ok(now.now().to_string()).header("cache-tag", format!("t-{number}"))
    });
    let mut reader = fleet.client(2).await;
    for number in (0..MANY).step_by(EACH) {
        settle(&mut reader, &format!("/doc/{number}")).await;
    }
    let before = fleet.end_of_log().await.unwrap();
    let new = version.raise();

    let done = Arc::new(AtomicUsize::new(0));
    let mut calling = JoinSet::new();
    let share = MANY / CALLERS;
    for place in 0..CALLERS {
        let client = fleet.client(place % 2).await;
        let numbers = place * share..(place + 1) * share;
        calling.spawn(caller(client, numbers, Arc::clone(&done)));
    }
    answered(&done, MANY * 3 / 10).await;
    fleet.admins[0].kill();
    answered(&done, MANY * 6 / 10).await;
    fleet.admins[0].start_again().await.unwrap();
    let told: Vec<Told> = calling.join_all().await.into_iter().flatten().collect();
    assert_eq!(told.len(), MANY);
    let durable = told.iter().filter(|one| one.id.is_some()).count();
    report(&format!(
        "a replica was killed among {MANY} invalidations: {durable} durable at once, {} later",
        MANY - durable
    ));

    fleet.catch_up().await.unwrap();
    // The one that was killed has nothing but what the store has.
    let log = log(&fleet.admins[0], &before).await;
    let mut places: BTreeMap<&String, Vec<u64>> = BTreeMap::new();
    for (id, stamps) in &log {
        for stamp in stamps {
            places.entry(stamp).or_default().push(place(id));
        }
    }
    for one in &told {
        let tag = tag(one.number);
        let stamp = format!("{:016x}", Scope::Tag(tag.as_bytes()).stamp().0);
        let stands = places.get(&stamp);
        let stands = stands.unwrap_or_else(|| panic!("{tag} is lost"));
        if let Some(id) = &one.id {
            assert!(log.contains_key(id), "{id} is lost");
            // What was said twice, since the first answer was lost, may be given a later name.
            let in_front = stands.iter().any(|stands| *stands <= place(id));
            assert!(in_front, "{tag} stands at {stands:?}, behind {id}");
        }
    }
    for number in (0..MANY).step_by(EACH) {
        let answer = reader.send(get(&format!("/doc/{number}"))).await.unwrap();
        assert_eq!(shown(&answer), new, "{number}");
    }
}
