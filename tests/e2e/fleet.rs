//! Several real Envoys, replicas of the real service over a real Valkey, and what holds between them.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_harness::client::{Answer, Client, Request};
use larder_harness::fleet::{Fleet, HOST, Plan};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::x_cache;

mod clocks;
mod expiry;
mod hostile;
mod killed;
mod late;
mod leaving;
mod outage;
mod pages;
mod partition;
mod purges;
mod reads;
mod settings;
mod shared;
mod smoke;
mod users;

/// Everything below `/doc` is kept for ten minutes and tagged; a write to `/write` ends all of it.
pub const DOCS: &str = r#"{"rules": [
    {"name": "write", "match": {"path": "/write"}, "invalidates": {"tags": ["docs"]}},
    {"name": "docs", "match": {"path": "/doc.*"}, "ttl_seconds": 600, "tags": ["docs"]}]}"#;

/// A plan that comes up, or the play is over.
pub async fn start(plan: Plan) -> Fleet {
    plan.start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// What a path of the origin says now: a number, which its owner raises.
#[derive(Clone, Debug, Default)]
pub struct Version(Arc<AtomicU64>);

impl Version {
    /// Has `path` answered with the number of the moment.
    pub fn at(origin: &Origin, path: &str) -> Self {
        let version = Self::default();
        let shown = version.clone();
        origin.on_call(path, move |_| Reply::ok(shown.now().to_string()));
        version
    }

    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Another one from now on.
    pub fn raise(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Which number an answer shows.
#[track_caller]
pub fn shown(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
        .text()
        .parse()
        .unwrap_or_else(|_| panic!("{answer:?}"))
}

/// A GET by a client of the fleet.
pub fn get(path: &str) -> Request {
    Request::get(path).authority(HOST)
}

/// Asks until the worker that answers has it stored.
pub async fn settle(client: &mut Client, path: &str) {
    eventually("a hit", PATIENCE, async || {
        x_cache(&client.send(get(path)).await.unwrap()) == "HIT"
    })
    .await;
}

/// Says something that is to be seen even of a test that passes.
pub fn report(line: &str) {
    let mut out = std::io::stdout();
    // Who reads no reports is told nothing.
    let _ = writeln!(out, "{line}");
}

/// Durations in order, and what to say of them.
#[derive(Debug, Default)]
pub struct Lags(Vec<Duration>);

impl Lags {
    pub fn note(&mut self, lag: Duration) {
        let place = self.0.partition_point(|one| *one <= lag);
        self.0.insert(place, lag);
    }

    pub fn add(&mut self, others: &Self) {
        for lag in &others.0 {
            self.note(*lag);
        }
    }

    /// The least of them that is not less than so many of a hundred.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Lags {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        write!(
            out,
            "n={} p50={:.1} ms p90={:.1} ms p99={:.1} ms max={:.1} ms",
            self.0.len(),
            ms(50),
            ms(90),
            ms(99),
            ms(100)
        )
    }
}
