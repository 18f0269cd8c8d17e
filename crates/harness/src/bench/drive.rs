//! Drives one port of the proxy for a moment and tells what it took.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::wire::{Ask, Expect, Wire, WireError};

/// Numbers the requests whose paths must differ; shared by all that is sent in a run.
static NUMBERS: AtomicU64 = AtomicU64::new(0);
/// So many requests lie between what two connections begin with.
const APART: usize = 7;

/// What is sent to a port, and what comes back when it does what is to be measured.
#[derive(Clone, Debug)]
pub struct Work {
    /// Sent in turn on every connection.
    pub asks: Vec<Ask>,
    /// What each answer must be.
    pub expect: Expect,
}

/// How long and how wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Connections, each with one request on its way.
    pub connections: usize,
    /// How long it is sent before measuring.
    pub warm: Duration,
    /// How long it is measured.
    pub time: Duration,
}

/// One round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Round {
    /// Answers.
    pub answers: u64,
    /// Answers a second.
    pub per_second: f64,
    /// CPU time that the proxy's workers took for a request, in microseconds.
    pub cpu_micros: f64,
    /// Half of the answers came within.
    pub p50: Duration,
    /// Ninety-nine of a hundred answers came within.
    pub p99: Duration,
}

/// Sends `work` to `server`; `cpu` tells the CPU time that the proxy has taken so far.
///
/// The client has a thread to itself: one that shares its time with an origin would measure that, too.
///
/// # Errors
/// [`DriveError`]: an answer that is not the one to be measured is one.
pub async fn drive(
    server: SocketAddr,
    work: Arc<Work>,
    pace: Pace,
    cpu: impl Fn() -> io::Result<Duration> + Send + 'static,
) -> Result<Round, DriveError> {
    apart(move || measure(server, work, pace, cpu)).await
}

/// Sends `count` requests of `work` to `server`, on so many connections.
///
/// # Errors
/// [`DriveError`].
pub async fn send(
    server: SocketAddr,
    work: Arc<Work>,
    connections: usize,
    count: u64,
) -> Result<(), DriveError> {
    apart(move || async move {
        let wires = connect(server, connections).await?;
        run(wires, &work, Until::Sent(Arc::new(AtomicU64::new(count)))).await?;
        Ok(())
    })
    .await
}

/// Runs something on a thread of its own.
async fn apart<T: Send + 'static, F: Future<Output = Result<T, DriveError>>>(
    what: impl FnOnce() -> F + Send + 'static,
) -> Result<T, DriveError> {
    let (done, outcome) = oneshot::channel();
    thread::Builder::new()
        .name("drive".to_owned())
        .spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let result = runtime
                .map_err(DriveError::from)
                .and_then(|runtime| runtime.block_on(what()));
            // Who asked may have given up.
            let _ = done.send(result);
        })?;
    outcome.await.unwrap_or(Err(DriveError::NoAnswers))
}

async fn measure(
    server: SocketAddr,
    work: Arc<Work>,
    pace: Pace,
    cpu: impl Fn() -> io::Result<Duration>,
) -> Result<Round, DriveError> {
    let wires = connect(server, pace.connections).await?;
    let (wires, _) = run(wires, &work, Until::passed(pace.warm)).await?;
    let (cpu_before, start) = (cpu()?, Instant::now());
    let (_, mut latencies) = run(wires, &work, Until::passed(pace.time)).await?;
    let (elapsed, spent) = (start.elapsed(), cpu()?.saturating_sub(cpu_before));
    latencies.sort_unstable();
    let answers = latencies.len();
    let last = answers.checked_sub(1).ok_or(DriveError::NoAnswers)?;
    let percentile = |percent| latencies[last * percent / 100];
    Ok(Round {
        answers: answers as u64,
        per_second: answers as f64 / elapsed.as_secs_f64(),
        cpu_micros: spent.as_secs_f64() * 1e6 / answers as f64,
        p50: percentile(50),
        p99: percentile(99),
    })
}

/// A load generator that can be pointed at another machine is a weapon.
async fn connect(server: SocketAddr, connections: usize) -> Result<Vec<Wire>, DriveError> {
    if !server.ip().is_loopback() {
        return Err(DriveError::NotLoopback(server));
    }
    let mut wires = Vec::new();
    for _ in 0..connections {
        wires.push(Wire::connect(server).await?);
    }
    Ok(wires)
}

/// When it is over.
#[derive(Clone, Debug)]
enum Until {
    /// At this time.
    Passed(Instant),
    /// When so many more have been sent on all connections.
    Sent(Arc<AtomicU64>),
}

impl Until {
    fn passed(time: Duration) -> Self {
        Self::Passed(Instant::now() + time)
    }

    fn is_over(&self, now: Instant) -> bool {
        match self {
            Self::Passed(end) => now >= *end,
            Self::Sent(left) => {
                let take = |left: u64| left.checked_sub(1);
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_err()
            }
        }
    }
}

/// Each connection sends until it is over; gives the connections back, and how long each answer took.
async fn run(
    wires: Vec<Wire>,
    work: &Arc<Work>,
    until: Until,
) -> Result<(Vec<Wire>, Vec<Duration>), WireError> {
    let mut running = JoinSet::new();
    for (place, wire) in wires.into_iter().enumerate() {
        running.spawn(keep_sending(wire, Arc::clone(work), until.clone(), place));
    }
    let mut wires = Vec::new();
    let mut latencies = Vec::new();
    while let Some(finished) = running.join_next().await {
        let (wire, seen) = finished.expect("a connection does not panic")?;
        wires.push(wire);
        latencies.extend(seen);
    }
    Ok((wires, latencies))
}

async fn keep_sending(
    mut wire: Wire,
    work: Arc<Work>,
    until: Until,
    place: usize,
) -> Result<(Wire, Vec<Duration>), WireError> {
    let mut latencies = Vec::new();
    let mut start = Instant::now();
    // Connections do not ask for the same thing at the same time.
    for ask in work.asks.iter().cycle().skip(place * APART) {
        if until.is_over(start) {
            break;
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        wire.exchange(ask, number, &work.expect).await?;
        let now = Instant::now();
        latencies.push(now - start);
        start = now;
    }
    Ok((wire, latencies))
}

/// Why there is no measurement.
#[derive(Debug)]
pub enum DriveError {
    /// Something of the system failed.
    Io(io::Error),
    /// Nothing came back in time.
    NoAnswers,
    /// Load goes to this machine only.
    NotLoopback(SocketAddr),
    /// An answer was not what was to be measured.
    Wire(WireError),
}

impl From<io::Error> for DriveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WireError> for DriveError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NoAnswers => f.write_str("nothing came back in time"),
            Self::NotLoopback(server) => {
                write!(
                    f,
                    "{server} is not this machine; load goes to loopback only"
                )
            }
            Self::Wire(error) => write!(f, "{error}"),
        }
    }
}

impl Error for DriveError {}
