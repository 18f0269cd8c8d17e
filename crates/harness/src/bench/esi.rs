//! What a page of cached fragments costs, beside one plain answer of the same size; and how long a cold one takes.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::machine;
use super::stage::{CLUSTER, larder_listener};
use super::statistics::percentile;
use crate::client::{Client, ClientError, Protocol, Request};
use crate::envoy::{Cluster, Envoy};
use crate::origin::{Origin, Received, Reply};

const LARDER: &str = "Larder";
const RULES: &str = r#"{"rules": [
    {"name": "pages", "match": {"path": "/(page|cold)"}, "ttl_seconds": 3600, "esi": true},
    {"name": "rest", "match": {"path": "/.*"}, "ttl_seconds": 3600}]}"#;
const FRAGMENTS: usize = 20;
const FRAGMENT: usize = 1024;
const CONNECTIONS: usize = 8;
/// Answers of one kind in one round, on each connection.
const A_ROUND: usize = 250;
/// Rounds of each kind, in turn.
pub const ROUNDS: usize = 15;
const COLD: usize = 100;
/// What a page may cost, in plain answers.
const DEARER: f64 = 3.0;

/// Measures; a table.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn run(module: &Path, rounds: usize) -> Result<String, Box<dyn Error>> {
    let origin = Origin::start().await?;
    let template = |query: &str| {
        let include = |n| format!("<esi:include src=\"/f/{n}{query}\"/>");
        (0..FRAGMENTS).map(include).collect::<String>()
    };
    let page = move |asked: &Received| {
        let query = asked.path.find('?').map(|at| asked.path.split_at(at).1);
        Reply::ok(template(query.unwrap_or_default())).header("content-type", "text/html")
    };
    origin.on_call("/page", page);
    origin.on_call("/cold", page);
    origin.on("/plain", Reply::ok("x".repeat(FRAGMENTS * FRAGMENT)));
    for n in 0..FRAGMENTS {
        origin.on(&format!("/f/{n}"), Reply::ok("x".repeat(FRAGMENT)));
    }
    let builder = Envoy::builder()
        .workers(1)
        .cluster(Cluster::new(CLUSTER, origin.address()));
    let listener = larder_listener(module, LARDER, RULES);
    let envoy = builder.listener(listener).start().await?;
    round(&envoy, "/page").await?;
    round(&envoy, "/plain").await?;
    let (mut ratios, mut pages, mut plains) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (page, plain) = (
            round(&envoy, "/page").await?,
            round(&envoy, "/plain").await?,
        );
        ratios.push(page / plain);
        pages.push(page);
        plains.push(plain);
    }
    let times = cold(&envoy).await?;
    envoy.stop().await;
    let at = |values: &[f64], part| percentile(values.iter().copied(), part).unwrap_or_default();
    let mut text = format!(
        "One worker, {CONNECTIONS} connections, {rounds} rounds of {} answers each in turn; load average {}.\n\n\
         | | CPU of an answer |\n|---|---|\n",
        A_ROUND * CONNECTIONS,
        machine::load()
    );
    let kilobytes = FRAGMENTS * FRAGMENT / 1024;
    let _ = writeln!(
        text,
        "| a page of {FRAGMENTS} fragments of 1 KiB, all in the cache | {:.1} µs |\n\
         | a plain answer of {kilobytes} KiB from the cache | {:.1} µs |\n",
        at(&pages, 0.5),
        at(&plains, 0.5)
    );
    let ratio = at(&ratios, 0.5);
    let met = if ratio <= DEARER { "met" } else { "**missed**" };
    let _ = writeln!(
        text,
        "| | at most | measured | middle half | |\n|---|---|---|---|---|\n\
         | CPU of such a page to that of a plain answer | {DEARER:.2} | {ratio:.2} | {:.2} to {:.2} | {met} |\n",
        at(&ratios, 0.25),
        at(&ratios, 0.75)
    );
    let _ = writeln!(
        text,
        "Where nothing is in the cache, such a page takes one client {:.1} ms (p99 {:.1} ms) with an origin that answers at once.",
        at(&times, 0.5),
        at(&times, 0.99)
    );
    Ok(text)
}

/// The microseconds of CPU that the proxy takes for one answer.
async fn round(envoy: &Envoy, path: &'static str) -> Result<f64, Box<dyn Error>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(envoy.address(LARDER), Protocol::Http1).await?;
        ask(&mut client, path).await?;
        clients.push(client);
    }
    let meter = envoy.cpu_meter();
    let before = meter.read()?;
    let mut running = JoinSet::new();
    for mut client in clients {
        running.spawn(async move {
            for _ in 0..A_ROUND {
                ask(&mut client, path).await?;
            }
            Ok::<_, ClientError>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let answers = (A_ROUND * CONNECTIONS) as f64;
    Ok(micros(meter.read()?.saturating_sub(before)) / answers)
}

/// The milliseconds that pages take of which nothing is in the cache.
async fn cold(envoy: &Envoy) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut client = Client::connect(envoy.address(LARDER), Protocol::Http1).await?;
    let mut times = Vec::new();
    for n in 0..COLD {
        let began = Instant::now();
        ask(&mut client, &format!("/cold?n={n}")).await?;
        times.push(micros(began.elapsed()) / 1e3);
    }
    Ok(times)
}

async fn ask(client: &mut Client, path: &str) -> Result<(), ClientError> {
    let request = Request::get(path).authority("bench.example.com");
    let answer = client.send(request).await?;
    let is_right = answer.status == 200 && answer.body.len() == FRAGMENTS * FRAGMENT;
    assert!(is_right, "{path}: {answer:?}");
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
