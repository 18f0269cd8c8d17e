//! Load for benchmarks: so many connections, each with one request on its way at a time.
//!
//! It is bounded in every direction and goes to this machine only: a load generator that can be
//! pointed elsewhere is a weapon. What it finds per second is a property of both ends, since they
//! share the processors; compare ratios, or the CPU time that Envoy took.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::{Client, Protocol, Request};

const MAX_CONNECTIONS: usize = 4096;
const MAX_REQUESTS: u64 = 10_000_000;
const MAX_TIME: Duration = Duration::from_secs(300);

/// When it is over; whatever is given, not after more than ten million requests or five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After so many requests.
    Requests(u64),
    /// After so long.
    Time(Duration),
}

/// What will be sent.
#[derive(Clone, Debug)]
pub struct Load {
    target: SocketAddr,
    protocol: Protocol,
    connections: usize,
    limit: Limit,
    requests: Vec<Request>,
}

impl Load {
    /// One connection that GETs `/` a thousand times.
    ///
    /// # Errors
    /// [`NotLoopback`] when `target` is another machine.
    pub fn new(target: SocketAddr) -> Result<Self, NotLoopback> {
        if target.ip().is_loopback() {
            Ok(Self {
                target,
                protocol: Protocol::Http1,
                connections: 1,
                limit: Limit::Requests(1000),
                requests: vec![Request::get("/")],
            })
        } else {
            Err(NotLoopback(target))
        }
    }

    /// How many connections, at least 1 and at most 4096.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.clamp(1, MAX_CONNECTIONS);
        self
    }

    /// What is spoken on them.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// When to stop.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// What to send, in turn; at least one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn requests(mut self, requests: Vec<Request>) -> Self {
        assert!(!requests.is_empty(), "load needs a request");
        self.requests = requests;
        self
    }

    /// Sends it.
    pub async fn run(self) -> Report {
        let (requests, time) = match self.limit {
            Limit::Requests(requests) => (requests.min(MAX_REQUESTS), MAX_TIME),
            Limit::Time(time) => (MAX_REQUESTS, time.min(MAX_TIME)),
        };
        let budget = Arc::new(Budget {
            taken: AtomicU64::new(0),
            requests,
            end: Instant::now() + time,
        });
        let start = Instant::now();
        let connections = self.connections;
        let load = Arc::new(self);
        let mut running = JoinSet::new();
        for _ in 0..connections {
            running.spawn(drive(Arc::clone(&load), Arc::clone(&budget)));
        }
        let mut report = Report::default();
        for tally in running.join_all().await {
            report.errors += tally.errors;
            report.latencies.extend(tally.latencies);
        }
        report.elapsed = start.elapsed();
        report.latencies.sort_unstable();
        report
    }
}

#[derive(Debug)]
struct Budget {
    taken: AtomicU64,
    requests: u64,
    end: Instant,
}

impl Budget {
    /// The number of the next request, if there is to be one.
    fn take(&self) -> Option<u64> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.requests && Instant::now() < self.end).then_some(number)
    }
}

#[derive(Debug, Default)]
struct Tally {
    errors: u64,
    latencies: Vec<Duration>,
}

/// One connection, opened again when it breaks.
async fn drive(load: Arc<Load>, budget: Arc<Budget>) -> Tally {
    let mut tally = Tally::default();
    let mut connection = None;
    while let Some(number) = budget.take() {
        let place = usize::try_from(number).unwrap_or_default() % load.requests.len();
        let start = Instant::now();
        let client = match connection.take() {
            Some(client) => Ok(client),
            None => Client::connect(load.target, load.protocol).await,
        };
        let Ok(mut client) = client else {
            tally.errors += 1;
            continue;
        };
        match client.send(load.requests[place].clone()).await {
            Ok(answer) => {
                tally.errors += u64::from(answer.status >= 400);
                tally.latencies.push(start.elapsed());
                connection = Some(client);
            }
            Err(_) => tally.errors += 1,
        }
    }
    tally
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests without a complete answer, or with one of 400 and more.
    pub errors: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How long each complete answer took, shortest first.
    latencies: Vec<Duration>,
}

impl Report {
    /// Complete answers.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// Complete answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The time within which `percent` of the answers came; zero when there were none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = self.latencies.len().saturating_sub(1) * percent.min(100) / 100;
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answers, {} errors, {:.0} a second, p50 {:?}, p99 {:?}",
            self.answers(),
            self.errors,
            self.per_second(),
            self.percentile(50),
            self.percentile(99)
        )
    }
}

/// Load may go to this machine only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLoopback(pub SocketAddr);

impl fmt::Display for NotLoopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not this machine; load goes to loopback addresses only",
            self.0
        )
    }
}

impl Error for NotLoopback {}
