//! The store is away for twenty seconds: everybody is answered, nothing that was purged is given for longer than is allowed,
//! and when it is back all is as if it had never been away. The one play that takes its time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_harness::client::Client;
use larder_harness::fleet::Fleet;
use larder_harness::wait::{self, PATIENCE};
use larder_harness::{admin, fleet};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{DOCS, Version, get, report, settle, shown, start};
use crate::stage::x_cache;

const AWAY: Duration = Duration::from_secs(20);
/// `max_unsynced_seconds`
const BOUND: Duration = Duration::from_secs(5);
const ENVOYS: usize = 3;
const DOCUMENTS: usize = 8;
/// Of each of the clients, two at each Envoy.
const PACE: Duration = Duration::from_millis(10);

/// A purge that was acknowledged.
struct Purge {
    envoy: usize,
    version: u64,
    at: Instant,
}

/// Judges every answer by the purges that were acknowledged before its request.
#[derive(Default)]
struct Oracle {
    purges: Mutex<BTreeMap<usize, Vec<Purge>>>,
    answers: AtomicU64,
    hits: AtomicU64,
}

impl Oracle {
    fn purged(&self, document: usize, purge: Purge) {
        let mut purges = self.purges.lock().unwrap();
        purges.entry(document).or_default().push(purge);
    }

    fn judge(&self, envoy: usize, document: usize, asked: Instant, seen: u64) {
        let purges = self.purges.lock().unwrap();
        for purge in purges.get(&document).into_iter().flatten() {
            let bound = if purge.envoy == envoy {
                Duration::ZERO
            } else {
                BOUND
            };
            let known = purge.at + bound <= asked;
            assert!(
                !known || seen >= purge.version,
                "Envoy {envoy} gives {seen} of /doc/{document}; version {} was acknowledged by Envoy {} {:?} before it was asked",
                purge.version,
                purge.envoy,
                asked - purge.at,
            );
        }
    }
}

fn path(document: usize) -> String {
    format!("/doc/{document}")
}

/// A beat that is never caught up with.
fn beat(pace: Duration) -> tokio::time::Interval {
    let mut beat = interval(pace);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// Asks for one document after the other until it is over.
async fn client(mut client: Client, envoy: usize, oracle: Arc<Oracle>, over: Arc<AtomicBool>) {
    let mut beat = beat(PACE);
    for document in (0..DOCUMENTS).cycle() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        beat.tick().await;
        let asked = Instant::now();
        let answer = client.send(get(&path(document))).await;
        let answer = answer.unwrap_or_else(|error| panic!("Envoy {envoy}: {error}"));
        oracle.judge(envoy, document, asked, shown(&answer));
        oracle.answers.fetch_add(1, Ordering::SeqCst);
        if x_cache(&answer) == "HIT" {
            oracle.hits.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Purges one document after the other, at one Envoy after the other; tells how many of these were not durable at once.
async fn purger(
    mut clients: Vec<Client>,
    versions: Vec<Version>,
    oracle: Arc<Oracle>,
    over: Arc<AtomicBool>,
) -> (usize, usize) {
    let mut beat = beat(Duration::from_millis(200));
    let (mut durable, mut not_yet) = (0, 0);
    for round in 0.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        beat.tick().await;
        let (document, envoy) = (round % DOCUMENTS, round % ENVOYS);
        let version = versions[document].raise();
        let request = admin::call("PURGE", &path(document)).authority(fleet::HOST);
        let answer = clients[envoy].send(request).await.unwrap();
        match answer.status {
            200 => durable += 1,
            202 => not_yet += 1,
            _ => panic!("{answer:?}"),
        }
        let at = Instant::now();
        oracle.purged(document, Purge { envoy, version, at });
    }
    (durable, not_yet)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_away_for_twenty_seconds() {
    let plan = Fleet::plan(DOCS)
        .envoys(ENVOYS)
        .admin(&json!({"max_unsynced_seconds": BOUND.as_secs()}));
    let mut fleet = start(plan).await;
    let versions: Vec<Version> = (0..DOCUMENTS)
        .map(|document| Version::at(&fleet.origin, &path(document)))
        .collect();
    let (oracle, over) = (
        Arc::new(Oracle::default()),
        Arc::new(AtomicBool::new(false)),
    );
    let mut clients = JoinSet::new();
    for place in 0..2 * ENVOYS {
        let envoy = place % ENVOYS;
        let connection = fleet.client(envoy).await;
        clients.spawn(client(
            connection,
            envoy,
            Arc::clone(&oracle),
            Arc::clone(&over),
        ));
    }
    let mut callers = Vec::new();
    for envoy in 0..ENVOYS {
        callers.push(fleet.client(envoy).await);
    }
    let purging = tokio::spawn(purger(
        callers,
        versions.clone(),
        Arc::clone(&oracle),
        Arc::clone(&over),
    ));

    fleet.valkey.stop().await.expect("it was there");
    // The length of the outage is what the play is about.
    tokio::time::sleep(AWAY).await;
    fleet.valkey.start_again().await.unwrap();
    let back = Instant::now();
    // Purges and requests go on until all are in touch again: the loads are part of what catches up.
    over.store(true, Ordering::SeqCst);
    let (durable, not_yet) = purging.await.unwrap();
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(not_yet > 0, "the store was away");
    // What they say of themselves is from before, for a while; what they answer is not.
    for envoy in 0..ENVOYS {
        for (document, version) in versions.iter().enumerate() {
            wait::eventually("it has heard of every purge", PATIENCE, async || {
                let answer = fleet.send(envoy, get(&path(document))).await;
                shown(&answer) == version.now()
            })
            .await;
        }
    }
    let (answers, hits) = (
        oracle.answers.load(Ordering::SeqCst),
        oracle.hits.load(Ordering::SeqCst),
    );
    report(&format!(
        "the store was away for {AWAY:?}: {answers} answers ({hits} hits), {durable} purges durable at once, {not_yet} later; \
         all was caught up with {:?} after it was back",
        back.elapsed()
    ));
    for envoy in 0..ENVOYS {
        let mut client = fleet.client(envoy).await;
        for document in 0..DOCUMENTS {
            settle(&mut client, &path(document)).await;
        }
    }
}
