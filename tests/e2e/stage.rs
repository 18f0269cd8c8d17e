//! An origin, an Envoy with Larder in front of it, and words for what a client sees.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use larder_harness::client::{self, Answer, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Wasm};
use larder_harness::origin::Origin;
use larder_harness::tools;
use larder_harness::wait::{PATIENCE, eventually};

/// The name of the listener with Larder.
pub const MAIN: &str = "main";

/// Entries that went for others.
pub const EVICTED: &str = "larder_evictions_total.cause.room";

/// Caches everything for a minute: for plays that are about something else.
pub const CACHE_ALL: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

/// Leaves the decision to the origin's headers.
pub const BY_ORIGIN: &str = "{}";

/// An origin and an Envoy with Larder in front of it.
pub struct Stage {
    pub origin: Origin,
    pub envoy: Envoy,
}

impl Stage {
    /// One worker.
    pub async fn start(configuration: &str) -> Self {
        Self::with_workers(1, configuration).await
    }

    /// So many workers.
    pub async fn with_workers(workers: usize, configuration: &str) -> Self {
        Self::with_listener(workers, larder(configuration)).await
    }

    /// So many workers, and a listener of the play's own making.
    pub async fn with_listener(workers: usize, listener: Listener) -> Self {
        let origin = Origin::start().await.unwrap();
        let envoy = Envoy::builder()
            .workers(workers)
            .cluster(Cluster::new("origin", origin.address()))
            .listener(listener)
            .start()
            .await
            .unwrap();
        Self { origin, envoy }
    }

    /// So many workers, of a proxy that keeps none of Larder's statistics.
    pub async fn without_statistics(workers: usize, configuration: &str) -> Self {
        const NONE: &str = r#"{"stats_config": {"stats_matcher": {"exclusion_list": {"patterns": [{"contains": "larder"}]}}}}"#;
        let origin = Origin::start().await.unwrap();
        let envoy = Envoy::builder()
            .workers(workers)
            .cluster(Cluster::new("origin", origin.address()))
            .listener(larder(configuration))
            .argument("--config-yaml")
            .argument(NONE)
            .start()
            .await
            .unwrap();
        Self { origin, envoy }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.envoy.address(MAIN)
    }

    /// GETs on a connection of its own.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    /// Sends on a connection of its own.
    pub async fn send(&self, request: Request) -> Answer {
        client::send(self.address(), request.authority("api.example.com"))
            .await
            .unwrap()
    }

    /// One of Larder's counters.
    pub async fn counter(&self, name: &str) -> u64 {
        self.envoy
            .stat(&format!("wasmcustom.{name}"))
            .await
            .unwrap()
    }

    /// All of Larder's counters of this family whose labels have this part, together.
    pub async fn sum(&self, family: &str, part: &str) -> u64 {
        let family = format!("wasmcustom.{family}");
        let stats = self.envoy.stats().await.unwrap();
        let ours = stats
            .iter()
            .filter(|(name, _)| name.starts_with(&family) && name.contains(part));
        ours.map(|(_, count)| count).sum()
    }

    /// So many requests came to this, under whatever rule; workers say so when they tick.
    pub async fn assert_outcome(&self, outcome: &str, count: u64) {
        let part = format!(".outcome.{outcome}");
        eventually(&format!("{count} {outcome}"), PATIENCE, async || {
            self.sum("larder_requests_total", &part).await == count
        })
        .await;
    }

    /// The worker survived: no VM was started anew, and it answers.
    pub async fn assert_unharmed(&self) {
        let answer = self.get("/unharmed").await;
        assert!(
            answer.header("x-cache").is_some(),
            "the filter is gone: {answer:?}"
        );
        let stats = self.envoy.stats().await.unwrap();
        for (name, value) in stats.iter().filter(|(name, _)| name.contains("vm_reload")) {
            assert_eq!(*value, 0, "{name}");
        }
    }
}

/// A listener with Larder in front of the cluster `origin`.
pub fn larder(configuration: &str) -> Listener {
    Listener::to_cluster(MAIN, "origin").wasm(filter(configuration))
}

/// Larder as a filter.
pub fn filter(configuration: &str) -> Wasm {
    let module = tools::module().unwrap_or_else(|missing| panic!("{missing}"));
    Wasm::new(module, configuration)
}

/// What `x-cache` says.
pub fn x_cache(answer: &Answer) -> &str {
    answer.header("x-cache").unwrap_or("(none)")
}

/// What `cache-status` says.
pub fn cache_status(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or("(none)")
}

/// Asserts what a client sees of the cache.
#[track_caller]
pub fn assert_seen(answer: &Answer, word: &str, status: &str) {
    assert_eq!(
        (x_cache(answer), cache_status(answer)),
        (word, status),
        "{answer:?}"
    );
}

/// A body that differs at every place, so that a shift or a swap shows.
pub fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect()
}

/// What is the cache's own word, or only on what came from the origin.
const OF_THE_EXCHANGE: [&str; 5] = [
    "age",
    "cache-status",
    "x-cache",
    "x-cache-age",
    "x-envoy-upstream-service-time",
];

/// The lines of a field as text.
pub fn lines(answer: &Answer, name: &str) -> Vec<String> {
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    answer.headers.all(name).map(text).collect()
}

/// The names of all fields, each once.
pub fn field_names(answer: &Answer) -> BTreeSet<&str> {
    let names = answer.headers.0.iter();
    names.map(|(name, _)| name.as_str()).collect()
}

/// Asserts that two answers have the same lines, in the same order, under every name but these and those of the cache.
#[track_caller]
pub fn assert_same_fields(miss: &Answer, hit: &Answer, except: &[&str]) {
    let names = &field_names(miss) | &field_names(hit);
    let compared = names
        .into_iter()
        .filter(|name| !OF_THE_EXCHANGE.contains(name) && !except.contains(name));
    for name in compared {
        let (before, after): (Vec<_>, Vec<_>) = (
            miss.headers.all(name).collect(),
            hit.headers.all(name).collect(),
        );
        assert_eq!(before, after, "{name}\nfirst {miss:?}\nthen {hit:?}");
    }
}
