//! What large hits cost small ones that are answered at the same time, since all reads of shared data take one lock.
//!
//! One Envoy with eight workers, the workers' own memory turned off, so that every hit reads shared data. Small hits are
//! asked for at a steady rate, in turns with nothing beside them, with large hits, with hits as large from the workers' own
//! memory, and with responses as large from the origin: those cost the processor about as much, and no lock. The large ones are answered by four
//! workers and the small ones by the other four, so that none waits behind a large one on its own worker. The rates are
//! below what the machine can do. Run it with
//! `LARDER_WASM=$PWD/dist/larder.wasm cargo run --release --package larder-harness --example large_beside_small`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "small numbers, and a measurement may fail"
)]

use std::error::Error;
use std::time::{Duration, Instant};

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Wasm};
use larder_harness::origin::{Received, Reply, Server};
use larder_harness::tools;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const CONFIGURATION: &str = r#"{"rules": [{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 3600}],
    "limits": {"max_object_bytes": 2097152}, "storage": {"hot_bytes": HOT}}"#;
const CONNECTIONS: u32 = 8;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(1_500);
const SMALL_A_SECOND: u32 = 800;
/// The bytes and how many of them a second: 100 MB a second each.
const LARGE: [(usize, u32); 2] = [(102_400, 1_000), (1_048_576, 100)];
const BODIES: usize = 8;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let handler = |request: &Received| {
        let bytes = request
            .path
            .split('/')
            .nth(1)
            .and_then(|it| it.parse().ok());
        Reply::ok(vec![b'x'; bytes.unwrap_or(0)]).header("content-type", "image/png")
    };
    let origin = Server::start(([127, 0, 0, 1], 0).into(), handler).await?;
    let larder = |hot: &str| -> Result<Wasm, Failure> {
        Ok(Wasm::new(tools::module()?, &CONFIGURATION.replace("HOT", hot)).vm_id(hot))
    };
    let envoy = Envoy::builder()
        .workers(8)
        .cluster(Cluster::new("origin", origin.address()))
        .listener(Listener::to_cluster("plain", "origin"))
        .listener(Listener::to_cluster("larder", "origin").wasm(larder("0")?))
        .listener(Listener::to_cluster("kept", "origin").wasm(larder("100000000")?))
        .start()
        .await?;
    for listener in ["larder", "kept"] {
        for bytes in [1_024].into_iter().chain(LARGE.map(|(bytes, _)| bytes)) {
            for number in 0..BODIES {
                client::get(envoy.address(listener), &format!("/{bytes}/{number}")).await?;
            }
        }
    }
    let mut small = connect(&envoy, "larder", 0).await?;
    let mut hits = connect(&envoy, "larder", 4).await?;
    let mut kept = connect(&envoy, "kept", 4).await?;
    let mut passed = connect(&envoy, "plain", 4).await?;
    let mut subjects = vec![("nothing".to_owned(), Beside::Nothing)];
    for (bytes, rate) in LARGE {
        let name = format!("hits of {bytes} bytes, {rate} a second");
        subjects.push((name, Beside::Hits(bytes, rate)));
        let name = format!("{bytes} bytes from the workers' own memory, {rate} a second");
        subjects.push((name, Beside::Kept(bytes, rate)));
        let name = format!("{bytes} bytes from the origin, {rate} a second");
        subjects.push((name, Beside::Passed(bytes, rate)));
    }
    let mut found = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for ((_, beside), found) in subjects.iter().zip(&mut found) {
            let large = match *beside {
                Beside::Nothing => None,
                Beside::Hits(bytes, rate) => Some((&mut hits, bytes, rate)),
                Beside::Kept(bytes, rate) => Some((&mut kept, bytes, rate)),
                Beside::Passed(bytes, rate) => Some((&mut passed, bytes, rate)),
            };
            found.push(round(&mut small, large).await?);
        }
    }
    println!(
        "1 KiB hits, {SMALL_A_SECOND} a second over {CONNECTIONS} connections, median of {ROUNDS} rounds (quartiles)\n"
    );
    println!("| beside them | p50 | p90 | p99 |\n|---|---|---|---|");
    for ((name, _), found) in subjects.iter().zip(&found) {
        let column = |place: usize| {
            let mut all: Vec<Duration> = found.iter().map(|row| row[place]).collect();
            all.sort_unstable();
            let at = |part: usize| all[(all.len() - 1) * part / 4];
            format!("{:.0?} ({:.0?} to {:.0?})", at(2), at(1), at(3))
        };
        println!("| {name} | {} | {} | {} |", column(0), column(1), column(2));
    }
    envoy.stop().await;
    Ok(())
}

/// What is asked for at the same time: so many bytes, so many times a second.
#[derive(Clone, Copy)]
enum Beside {
    Hits(usize, u32),
    Kept(usize, u32),
    Nothing,
    Passed(usize, u32),
}

/// Two connections to each of four workers.
async fn connect(envoy: &Envoy, listener: &str, from: usize) -> Result<Vec<Client>, Failure> {
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS as usize {
        let worker = from + number / 2;
        let client = envoy.connect_to_worker(listener, worker, Protocol::Http1);
        clients.push(client.await?);
    }
    Ok(clients)
}

/// Percentiles of the small hits.
async fn round(
    small: &mut Vec<Client>,
    large: Option<(&mut Vec<Client>, usize, u32)>,
) -> Result<[Duration; 3], Failure> {
    let end = Instant::now() + ROUND;
    let mut beside = JoinSet::new();
    let mut others = None;
    if let Some((clients, bytes, rate)) = large {
        for client in clients.drain(..) {
            beside.spawn(ask(client, bytes, rate / CONNECTIONS, end));
        }
        others = Some(clients);
    }
    let mut asking = JoinSet::new();
    for client in small.drain(..) {
        asking.spawn(ask(client, 1_024, SMALL_A_SECOND / CONNECTIONS, end));
    }
    let mut times = Vec::new();
    for asked in asking.join_all().await {
        let (client, some) = asked?;
        small.push(client);
        times.extend(some);
    }
    for asked in beside.join_all().await {
        let (client, _) = asked?;
        if let Some(others) = &mut others {
            others.push(client);
        }
    }
    times.sort_unstable();
    Ok([50, 90, 99].map(|percent| times[(times.len() - 1) * percent / 100]))
}

/// Asks at this rate until the end; how long each answer took.
async fn ask(
    mut client: Client,
    bytes: usize,
    rate: u32,
    end: Instant,
) -> Result<(Client, Vec<Duration>), Failure> {
    let mut beat = interval(Duration::from_secs(1) / rate.max(1));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::new();
    while Instant::now() < end {
        beat.tick().await;
        let request = Request::get(&format!("/{bytes}/{}", times.len() % BODIES));
        let start = Instant::now();
        let answer = client.send(request).await?;
        times.push(start.elapsed());
        if answer.body.len() != bytes {
            return Err(format!("{} bytes in place of {bytes}", answer.body.len()).into());
        }
    }
    Ok((client, times))
}
