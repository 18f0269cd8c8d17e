//! What a client is given while something is made fresh, beside what it is given when it is fresh.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::machine;
use super::stage::{CLUSTER, larder_listener};
use super::statistics::percentile;
use crate::client::{Client, ClientError, Protocol, Request};
use crate::envoy::{Cluster, Envoy, HttpFilter, Listener};
use crate::origin::{Origin, Reply};

const WORKERS: [usize; 2] = [1, 2];
const LARDER: &str = "Larder";
const NATIVE: &str = "native cache v2";
const CONNECTIONS: usize = 8;
const BODY: usize = 10 * 1024;
/// How long the origin takes: for so much of each second there is nothing fresh.
const SLOW: Duration = Duration::from_millis(400);
const FRESH: &str = "max-age=1, stale-while-revalidate=600";
const PATH: &str = "/page";
/// For how long it is looked at.
pub const TIME: Duration = Duration::from_secs(20);
/// What a stale answer may take in place of a fresh one.
const SLOWER: f64 = 2.0;

/// What an answer said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fresh,
    Stale,
    /// It came from the origin, or does not say.
    Other,
}

/// Has so many clients ask for so long; a table.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn run(module: &Path, time: Duration) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "{CONNECTIONS} connections for {} s ask for one URL of 10 KiB that is fresh for a second and takes the origin {} ms; \
         load average {}.\n\n\
         | workers | | answers | p50 | p99 | longest | requests to the origin a second |\n|---|---|---|---|---|---|---|\n",
        time.as_secs(),
        SLOW.as_millis(),
        machine::load()
    );
    let mut verdicts = String::new();
    for workers in WORKERS {
        let origin = Origin::start().await?;
        let page = Reply::ok("x".repeat(BODY)).header("cache-control", FRESH);
        origin.on(PATH, page.after(SLOW));
        let builder = Envoy::builder()
            .workers(workers)
            .cluster(Cluster::new(CLUSTER, origin.address()));
        let builder = builder
            .listener(larder_listener(module, LARDER, "{}"))
            .listener(Listener::to_cluster(NATIVE, CLUSTER).filter(HttpFilter::NativeCacheV2));
        let envoy = builder.start().await?;
        for way in [LARDER, NATIVE] {
            eprintln!("stale: {workers} worker(s), {}", way);
            let before = origin.total();
            let seen = ask(&envoy, way, time).await?;
            let a_second = (origin.total() - before) as f64 / time.as_secs_f64();
            for (kind, what) in [
                (Kind::Fresh, "fresh"),
                (Kind::Stale, "stale"),
                (Kind::Other, "others"),
            ] {
                let times: Vec<f64> = of(&seen, kind).collect();
                if times.is_empty() {
                    continue;
                }
                let at = |part| percentile(times.iter().copied(), part).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "| {workers} | {}, {what} | {} | {:.0} µs | {:.0} µs | {:.1} ms | {a_second:.2} |",
                    way,
                    times.len(),
                    at(0.5),
                    at(0.99),
                    at(1.0) / 1e3
                );
            }
            if way == LARDER {
                verdicts.push_str(&verdict(&seen, workers));
            }
        }
        envoy.stop().await;
    }
    let _ = write!(
        text,
        "\n| | at most | measured | |\n|---|---|---|---|\n{verdicts}"
    );
    Ok(text)
}

fn verdict(seen: &[(Kind, f64)], workers: usize) -> String {
    let tail = |kind| percentile(of(seen, kind), 0.99);
    match (tail(Kind::Stale), tail(Kind::Fresh)) {
        (Some(stale), Some(fresh)) => {
            let ratio = stale / fresh;
            let met = if ratio <= SLOWER { "met" } else { "**missed**" };
            format!(
                "| p99 of a stale answer to that of a fresh one, {workers} worker(s) | {SLOWER:.2} | {ratio:.2} | {met} |\n"
            )
        }
        (None, _) | (_, None) => {
            format!("| {workers} worker(s): nothing was given stale | | | **missed** |\n")
        }
    }
}

fn of(seen: &[(Kind, f64)], kind: Kind) -> impl Iterator<Item = f64> {
    let micros = move |(known, micros): &(Kind, f64)| (*known == kind).then_some(*micros);
    seen.iter().filter_map(micros)
}

/// The microseconds of every answer.
async fn ask(envoy: &Envoy, way: &str, time: Duration) -> Result<Vec<(Kind, f64)>, Box<dyn Error>> {
    let server = envoy.address(way);
    // Nobody has it yet, and that is not what is measured.
    Client::connect(server, Protocol::Http1)
        .await?
        .send(request())
        .await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let client = Client::connect(server, Protocol::Http1).await?;
        running.spawn(one(client, Arc::clone(&stop)));
    }
    sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut seen = Vec::new();
    while let Some(ended) = running.join_next().await {
        seen.extend(ended??);
    }
    Ok(seen)
}

async fn one(mut client: Client, stop: Arc<AtomicBool>) -> Result<Vec<(Kind, f64)>, ClientError> {
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = client.send(request()).await?;
        let micros = began.elapsed().as_secs_f64() * 1e6;
        let kind = match answer.header("x-cache") {
            Some("HIT") => Kind::Fresh,
            Some("STALE") => Kind::Stale,
            Some(_) | None => Kind::Other,
        };
        seen.push((kind, micros));
    }
    Ok(seen)
}

fn request() -> Request {
    Request::get(PATH).authority("bench")
}
