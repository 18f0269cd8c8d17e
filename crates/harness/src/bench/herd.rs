//! What many clients at once get for something that nobody has stored yet, and what that costs the origin.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::machine;
use super::stage::{CLUSTER, larder_listener};
use super::statistics::{Spread, percentile};
use crate::client::{Crowd, Protocol, Request, Told};
use crate::envoy::{Cluster, Envoy, HttpFilter, Listener};
use crate::origin::{Origin, Reply};

const CLIENTS: [usize; 2] = [100, 500];
const WORKERS: [usize; 2] = [1, 2];
const WAYS: [&str; 3] = ["Larder", "native cache v2", "pass-through"];
const BODY: usize = 10 * 1024;
/// How long the origin takes.
const SLOW: Duration = Duration::from_millis(100);
const CONFIGURATION: &str = "{}";

/// Measures so many rounds of each; a table.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn run(module: &Path, rounds: usize) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "{rounds} rounds, each with a new URL of 10 KiB that the origin takes {} ms for; load average {}.\n\n\
         | workers | clients | | requests to the origin a round | a lone request | p50 | p99 | p99 to the lone one |\n\
         |---|---|---|---|---|---|---|---|\n",
        SLOW.as_millis(),
        machine::load()
    );
    for workers in WORKERS {
        let stage = Stage::start(module, workers).await?;
        for clients in CLIENTS {
            for way in WAYS {
                eprintln!("herd: {workers} worker(s), {clients} clients, {}", way);
                let seen = stage.measure(way, clients, rounds).await?;
                let _ = writeln!(text, "| {workers} | {clients} | {} | {} |", way, seen.row());
            }
        }
        stage.envoy.stop().await;
    }
    Ok(text)
}

struct Stage {
    origin: Origin,
    envoy: Envoy,
}

/// What was seen of one way.
struct Seen {
    fetches: Vec<f64>,
    lone: Vec<f64>,
    answers: Vec<f64>,
}

impl Seen {
    fn row(&self) -> String {
        let middle =
            |numbers: &[f64], part| percentile(numbers.iter().copied(), part).unwrap_or_default();
        let fetches = Spread::of(self.fetches.iter().copied());
        let lone = middle(&self.lone, 0.5);
        let tail = middle(&self.answers, 0.99);
        format!(
            "{:.0} | {lone:.1} ms | {:.1} ms | {tail:.1} ms | {:.2}",
            fetches.map_or(0.0, |fetches| fetches.median),
            middle(&self.answers, 0.5),
            tail / lone
        )
    }
}

impl Stage {
    async fn start(module: &Path, workers: usize) -> Result<Self, Box<dyn Error>> {
        let origin = Origin::start().await?;
        let page = Reply::ok("x".repeat(BODY)).header("cache-control", "max-age=600");
        origin.on("/*", page.after(SLOW));
        let builder = Envoy::builder()
            .workers(workers)
            .cluster(Cluster::new(CLUSTER, origin.address()));
        let [larder, native, pass] = WAYS;
        let builder = builder
            .listener(larder_listener(module, larder, CONFIGURATION))
            .listener(Listener::to_cluster(native, CLUSTER).filter(HttpFilter::NativeCacheV2))
            .listener(Listener::to_cluster(pass, CLUSTER));
        let envoy = builder.start().await?;
        Ok(Self { origin, envoy })
    }

    async fn measure(
        &self,
        way: &str,
        clients: usize,
        rounds: usize,
    ) -> Result<Seen, Box<dyn Error>> {
        let server = self.envoy.address(way);
        let mut crowd = Crowd::connect(server, Protocol::Http1, clients).await?;
        let mut alone = Crowd::connect(server, Protocol::Http1, 1).await?;
        let mut seen = Seen {
            fetches: Vec::new(),
            lone: Vec::new(),
            answers: Vec::new(),
        };
        // The first round opens connections to the origin, and does not count.
        for round in 0..=rounds {
            let path = format!("/{}/{clients}/{round}", way.replace(' ', "-"));
            let request = |path: &str| Request::get(path).authority("bench");
            let (back, told) = alone.ask(|_| request(&format!("{path}/lone"))).await;
            alone = back;
            let lone = times(&told)?;
            let (back, told) = crowd.ask(|_| request(&path)).await;
            crowd = back;
            let answers = times(&told)?;
            if round > 0 {
                seen.lone.extend(lone);
                seen.answers.extend(answers);
                seen.fetches.push(self.origin.count(&path) as f64);
            }
        }
        Ok(seen)
    }
}

/// The milliseconds to each answer, if all are right.
fn times(told: &[Told]) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(told.len());
    for told in told {
        match &told.answer {
            Ok(answer) if answer.status == 200 && answer.body.len() == BODY => {
                times.push(told.took.as_secs_f64() * 1e3);
            }
            Ok(answer) => return Err(format!("answered {}", answer.status).into()),
            Err(error) => return Err(format!("unanswered: {error}").into()),
        }
    }
    Ok(times)
}
