//! What a hit costs, beside the alternatives in the same Envoy: `make bench`.
//!
//! One Envoy has a listener for each way to answer the same kilobyte. They are driven in turn, in
//! several rounds, and the median of the rounds counts. The figure to trust is the CPU time that
//! Envoy's worker took for a request; requests a second depend on what else the machine does.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, HttpFilter, Listener, Target, Wasm};
use larder_harness::load::{Limit, Load};
use larder_harness::origin::{Received, Reply, Server};
use larder_harness::{tools, wait};

const BODY_BYTES: usize = 1024;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const RULES: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":3600}]}"#;
const LARDER: &str = "larder";
const SUBJECTS: [(&str, &str); 4] = [
    ("direct_response", "direct"),
    ("Envoy's own cache", "native"),
    ("Larder", LARDER),
    ("pass-through", "plain"),
];

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One round of one subject.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    per_second: f64,
    cpu_micros: f64,
    p50: Duration,
    p99: Duration,
}

async fn run() -> Result<(), Failure> {
    let fetches = Arc::new(AtomicU64::new(0));
    let origin = origin(Arc::clone(&fetches)).await?;
    let envoy = envoy(origin.address()).await?;
    for listener in [LARDER, "native"] {
        fill(&envoy, listener, &fetches).await?;
    }
    let mut measures = vec![Vec::new(); SUBJECTS.len()];
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for ((_, listener), measures) in SUBJECTS.iter().zip(&mut measures) {
            let before = fetches.load(Ordering::Relaxed);
            measures.push(measure(&envoy, listener).await?);
            let fetched = fetches.load(Ordering::Relaxed).saturating_sub(before);
            if *listener != "plain" && fetched > 0 {
                return Err(format!("{listener} asked the origin {fetched} times: no hits").into());
            }
        }
    }
    print(&measures);
    envoy.stop().await;
    Ok(())
}

async fn origin(fetches: Arc<AtomicU64>) -> Result<Server, Failure> {
    let body = "x".repeat(BODY_BYTES);
    let handler = move |_: &Received| {
        fetches.fetch_add(1, Ordering::Relaxed);
        Reply::ok(body.clone())
            .header("cache-control", "max-age=3600")
            .header("content-type", "text/plain")
    };
    Ok(Server::start(([127, 0, 0, 1], 0).into(), handler).await?)
}

async fn envoy(origin: SocketAddr) -> Result<Envoy, Failure> {
    let body = "x".repeat(BODY_BYTES);
    let larder = Wasm::new(tools::module()?, RULES);
    let started = Envoy::builder()
        .cluster(Cluster::new("origin", origin))
        .listener(Listener::to_cluster("plain", "origin"))
        .listener(Listener::to_cluster("native", "origin").filter(HttpFilter::NativeCache))
        .listener(Listener::to_cluster(LARDER, "origin").wasm(larder))
        .listener(Listener::new(
            "direct",
            Target::Direct { status: 200, body },
        ))
        .start();
    Ok(started.await?)
}

/// Asks until an answer no longer comes from the origin.
async fn fill(envoy: &Envoy, listener: &str, fetches: &AtomicU64) -> Result<(), Failure> {
    let filled = wait::poll(wait::PATIENCE, async || {
        let before = fetches.load(Ordering::Relaxed);
        client::get(envoy.address(listener), "/object").await.ok()?;
        (fetches.load(Ordering::Relaxed) == before).then_some(())
    });
    filled
        .await
        .ok_or_else(|| format!("{listener} does not cache").into())
}

async fn measure(envoy: &Envoy, listener: &str) -> Result<Measure, Failure> {
    let before = envoy.cpu_time()?;
    let load = Load::new(envoy.address(listener))?
        .connections(CONNECTIONS)
        .requests(vec![Request::get("/object")])
        .limit(Limit::Time(ROUND));
    let report = load.run().await;
    let cpu = envoy.cpu_time()?.saturating_sub(before);
    if report.errors > 0 || report.answers() == 0 {
        return Err(format!("{listener}: {report}").into());
    }
    Ok(Measure {
        per_second: report.per_second(),
        cpu_micros: cpu.as_secs_f64() * 1e6 / report.answers() as f64,
        p50: report.percentile(50),
        p99: report.percentile(99),
    })
}

/// The round in the middle by CPU time.
fn median(measures: &[Measure]) -> Measure {
    let mut sorted = measures.to_vec();
    sorted.sort_by(|one, other| one.cpu_micros.total_cmp(&other.cpu_micros));
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn print(measures: &[Vec<Measure>]) {
    let rows: Vec<_> = SUBJECTS
        .iter()
        .zip(measures.iter().map(|rounds| median(rounds)))
        .collect();
    let larder = rows.iter().find(|((_, listener), _)| *listener == LARDER);
    let larder = larder.map_or(f64::NAN, |(_, measure)| measure.cpu_micros);
    println!(
        "1 worker, {CONNECTIONS} connections, {BODY_BYTES} bytes, HTTP/1.1, median of {ROUNDS} rounds\n"
    );
    println!("| | requests/s | CPU µs/request | p50 | p99 | Larder's CPU to this |");
    println!("|---|---|---|---|---|---|");
    for ((name, _), row) in rows {
        println!(
            "| {name} | {:.0} | {:.1} | {:.0?} | {:.0?} | {:.2} |",
            row.per_second,
            row.cpu_micros,
            row.p50,
            row.p99,
            larder / row.cpu_micros
        );
    }
}
