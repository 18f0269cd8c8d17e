//! What is invalidated at one Envoy is over at the others, and how long that takes.

use std::time::{Duration, Instant};

use larder_harness::admin;
use larder_harness::client::{Answer, Client, Request};
use larder_harness::fleet::{Fleet, HOST};
use larder_harness::origin::Reply;
use larder_harness::wait::PATIENCE;
use tokio::task::JoinSet;

use super::{DOCS, Lags, Version, get, report, settle, shown, start};

/// `max_unsynced_seconds`, as it is by default.
const BOUND: Duration = Duration::from_secs(30);

/// How often each kind is tried at each Envoy.
const ROUNDS: usize = 3;

/// What ends the document, each in its own way.
fn kinds() -> Vec<(&'static str, Request)> {
    let bulk = |body: &'static str| admin::call("POST", "/api/cache/invalidate").body(body);
    let tag = "/api/cache/invalidate/tag/docs";
    let pattern = "/api/cache/invalidate/pattern?pattern=/doc*";
    vec![
        ("url", admin::call("PURGE", "/doc")),
        ("key", bulk(r#"{"keys": ["GET:api.example.com/doc"]}"#)),
        ("tag", admin::call("POST", tag)),
        ("pattern", admin::call("POST", pattern)),
        ("all", bulk(r#"{"all": true}"#)),
        ("soft", admin::call("POST", &format!("{tag}?mode=soft"))),
        ("write", Request::new("POST", "/write")),
    ]
}

/// The fleet, a document in it, and a client at each Envoy.
struct Stage {
    fleet: Fleet,
    version: Version,
    readers: Vec<Client>,
}

impl Stage {
    async fn start(envoys: usize) -> Self {
        let fleet = start(Fleet::plan(DOCS).envoys(envoys)).await;
        let version = Version::at(&fleet.origin, "/doc");
        fleet.origin.on("/write", Reply::ok("written"));
        let mut readers = Vec::new();
        for envoy in 0..envoys {
            readers.push(fleet.client(envoy).await);
        }
        Self {
            fleet,
            version,
            readers,
        }
    }

    /// Has every Envoy keep the document as it is, changes it, has `purge` say so, and notes how long after that each
    /// Envoy still gives the old one.
    async fn round(&mut self, lags: &mut Lags, purge: impl AsyncFnOnce(&Fleet) -> Answer) {
        for reader in &mut self.readers {
            settle(reader, "/doc").await;
        }
        let new = self.version.raise();
        let answer = purge(&self.fleet).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let acknowledged = Instant::now();
        let mut watching = JoinSet::new();
        for reader in self.readers.drain(..) {
            watching.spawn(watch(reader, new, acknowledged));
        }
        for (reader, lag) in watching.join_all().await {
            lags.note(lag);
            self.readers.push(reader);
        }
    }
}

/// Asks until the answer is the new one.
async fn watch(mut reader: Client, new: u64, acknowledged: Instant) -> (Client, Duration) {
    loop {
        let answer = reader.send(get("/doc")).await.unwrap();
        let lag = acknowledged.elapsed();
        if shown(&answer) >= new {
            return (reader, lag);
        }
        assert!(lag < PATIENCE, "it hears of it: {answer:?}");
    }
}

#[track_caller]
fn assert_bounded(lags: &Lags) {
    assert!(lags.percentile(100) < BOUND, "{lags}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_at_one_is_over_at_the_others() {
    let mut stage = Stage::start(3).await;
    let mut all = Lags::default();
    for (kind, request) in kinds() {
        let mut lags = Lags::default();
        for round in 0..3 * ROUNDS {
            let request = request.clone();
            let purge = async |fleet: &Fleet| fleet.send(round % 3, request).await;
            stage.round(&mut lags, purge).await;
        }
        report(&format!("purged at one Envoy of three, by {kind}: {lags}"));
        all.add(&lags);
    }
    report(&format!("purged at one Envoy of three: {all}"));
    assert_bounded(&all);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_at_the_service_is_over_at_every_envoy() {
    let mut stage = Stage::start(2).await;
    let mut lags = Lags::default();
    for (kind, request) in kinds() {
        if kind == "write" {
            continue;
        }
        for round in 0..2 * ROUNDS {
            let request = request.clone().authority(HOST);
            let purge = async |fleet: &Fleet| fleet.admins[round % 2].send(request).await.unwrap();
            stage.round(&mut lags, purge).await;
        }
    }
    report(&format!("purged at the service: {lags}"));
    assert_bounded(&lags);
}

/// Its own Envoy does not even wait for the acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_is_over_at_once_where_it_was_said() {
    let mut stage = Stage::start(2).await;
    for (kind, request) in kinds() {
        for reader in &mut stage.readers {
            settle(reader, "/doc").await;
        }
        let new = stage.version.raise();
        assert_eq!(stage.fleet.send(0, request).await.status, 200, "{kind}");
        let answer = stage.readers[0].send(get("/doc")).await.unwrap();
        assert_eq!(shown(&answer), new, "{kind}");
    }
}
