//! What a purge takes with many entries and with few, and what tags cost a hit.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use super::drive::{Pace, Round};
use super::machine;
use super::pairs::{Pairs, middle};
use super::scenario::Scenario;
use super::stage::{CLUSTER, Stage, Subject};
use super::statistics::Spread;
use crate::client::{Client, Protocol, Request};
use crate::envoy::{Listener, Wasm};

/// How many entries are many, and few.
const MANY: u64 = 50_000;
const FEW: u64 = 50;
/// So many purges of one are timed, then as many of the other.
const BLOCK: usize = 100;
/// The time of an acknowledgement with many entries to that with few.
const SLOWER: f64 = 1.10;
const TAGS: [usize; 3] = [0, 1, 64];
const KIBIBYTE: usize = 1024;
const TOKEN: &str = "bench";
/// What no entry has.
const ANOTHER: &str = "another";

/// Measures all of it, in so many pairs; two tables.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn run(module: &Path, pace: Pace, pairs: usize) -> Result<String, Box<dyn Error>> {
    eprintln!("purges: {MANY} entries and {FEW}");
    let mut text = format!(
        "{pairs} pairs of rounds of {} ms; load average {}.\n\n",
        pace.time.as_millis(),
        machine::load()
    );
    text.push_str(&acknowledgements(module, pairs).await?);
    text.push_str(
        "\n| a hit of 1 KiB, CPU µs | with no tag | with 1 | with 64 | 64 to none |\n|---|---|---|---|---|\n",
    );
    for (hot, memory) in [(16 << 20, "the worker's own memory"), (0, "shared memory")] {
        for (purged, when) in [
            (Purged::Never, "nothing was purged since"),
            (Purged::Once, "something else was"),
        ] {
            eprintln!("purges: hits from {memory}, {when}");
            let [none, one, all, ratio] = hits(module, (hot, purged), pace, pairs).await?;
            let _ = writeln!(
                text,
                "| from {memory}, {when} | {none:.1} | {one:.1} | {all:.1} | {ratio:.2} |"
            );
        }
    }
    Ok(text)
}

/// Whether something was purged that the entries do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purged {
    Never,
    Once,
}

/// Larder with a management API, under a rule with so many tags.
fn listener(module: &Path, name: &str, tags: usize, hot: u64) -> Listener {
    let tags: Vec<String> = (0..tags).map(|tag| format!("\"tag-{tag}\"")).collect();
    let tags = tags.join(",");
    let configuration = format!(
        r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":3600,"tags":[{tags}]}}],
            "storage":{{"slots":262144,"hot_bytes":{hot}}},"management":{{}}}}"#
    );
    let filter = Wasm::new(module, &configuration).vm_id(name);
    Listener::to_cluster(name, CLUSTER).wasm(filter.environment("LARDER_TOKEN", TOKEN))
}

async fn caller(stage: &Stage, name: &str) -> Result<Client, Box<dyn Error>> {
    Ok(Client::connect(stage.envoy.address(name), Protocol::Http1).await?)
}

/// Purges a tag softly, so that what has it stays for the next time; gives the microseconds to the answer.
async fn purge(caller: &mut Client, tag: &str) -> Result<f64, Box<dyn Error>> {
    let path = format!("/api/cache/invalidate/tag/{tag}?mode=soft");
    let request = Request::new("POST", &path)
        .authority("bench")
        .header("authorization", format!("Bearer {TOKEN}"));
    let begin = Instant::now();
    let answer = caller.send(request).await?;
    let micros = begin.elapsed().as_secs_f64() * 1e6;
    match answer.status {
        200 => Ok(micros),
        status => Err(format!("a purge was answered {status}").into()),
    }
}

async fn acknowledgements(module: &Path, pairs: usize) -> Result<String, Box<dyn Error>> {
    let names = ["many", "few"];
    let listeners = names.map(|name| listener(module, name, 1, 0));
    let stage = Stage::start(1, listeners.into()).await?;
    for (name, count) in names.into_iter().zip([MANY, FEW]) {
        let filling = Subject::larder(name, Scenario::Miss(KIBIBYTE));
        stage.send(&filling, count).await?;
    }
    let mut callers = [caller(&stage, "many").await?, caller(&stage, "few").await?];
    let (mut times, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..=pairs {
        let mut medians = [0.0; 2];
        for (at, caller) in callers.iter_mut().enumerate() {
            let mut block = Vec::new();
            for _ in 0..BLOCK {
                block.push(purge(caller, "tag-0").await?);
            }
            let spread = Spread::of(block).ok_or("nothing was measured")?;
            medians[at] = spread.median;
            times[at].push(spread.median);
        }
        ratios.push(medians[0] / medians[1]);
    }
    stage.stop().await;
    let [many, few] = times.map(Spread::of);
    let (many, few) = (many.ok_or("no purges")?, few.ok_or("no purges")?);
    let ratio = Spread::of(ratios.split_off(1)).ok_or("no pairs")?; // the first block warms up
    Ok(format!(
        "| | at most | measured | |\n|---|---|---|---|\n\
         | the answer to a purge of the tag of {MANY} entries to that of {FEW} | {SLOWER:.2} | {:.2} ({:.2} to {:.2}), {:.0} µs and {:.0} µs | {} |\n",
        ratio.median,
        ratio.lower,
        ratio.upper,
        many.median,
        few.median,
        ratio.judge(SLOWER)
    ))
}

/// The CPU microseconds of a hit with each number of tags, and how many times that with most is that with none.
async fn hits(
    module: &Path,
    (hot, purged): (u64, Purged),
    pace: Pace,
    pairs: usize,
) -> Result<[f64; 4], Box<dyn Error>> {
    let names = TAGS.map(|tags| format!("tags-{tags}"));
    let listeners = names.iter().zip(TAGS);
    let listeners = listeners.map(|(name, tags)| listener(module, name, tags, hot));
    let stage = Stage::start(1, listeners.collect()).await?;
    let subjects = names
        .each_ref()
        .map(|name| Subject::larder(name, Scenario::Hit(KIBIBYTE)));
    for (subject, name) in subjects.iter().zip(&names) {
        if !stage.prepare(subject).await? {
            return Err(format!("{name}: no hits").into());
        }
        if purged == Purged::Once {
            purge(&mut caller(&stage, name).await?, ANOTHER).await?;
        }
    }
    let [none, one, all] = &subjects;
    let measure = async |subject: &Subject| stage.round(subject, pace).await;
    let with_one = Pairs::measure((one, none), pairs, measure).await?;
    let with_all = Pairs::measure((all, none), pairs, measure).await?;
    stage.stop().await;
    let cost = |spread: Option<Spread>| spread.map(|spread| spread.median).ok_or("no pairs");
    let micros = |round: &Round| round.cpu_micros;
    Ok([
        middle(with_all.others(), micros),
        middle(with_one.ones(), micros),
        middle(with_all.ones(), micros),
        cost(with_all.ratio())?,
    ])
}
