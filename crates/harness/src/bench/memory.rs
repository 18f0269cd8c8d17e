//! What entries cost in memory, whether memory stays within its bound, and whether many entries make a hit dearer.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use super::drive::Pace;
use super::origin::{TAGGED, stored_bytes};
use super::pairs::Pairs;
use super::scenario::Scenario;
use super::stage::{Stage, Subject, larder_listener};
use super::statistics::Spread;
use super::wire::HOST;

const MEBIBYTE: u64 = 1 << 20;
/// How many entries are many.
const MANY: u64 = 50_000;
/// An Envoy grows by more at one time than at another.
const TIMES: usize = 3;
const PER_ENTRY: f64 = 400.0;
const DEARER: f64 = 1.05;
const URLS: u64 = 1_000_000;
const GROWTH: f64 = 1.3;
const WORKERS: usize = 2;
/// Memory is looked at so often while the cache grows.
const LOOKS: u64 = 20;
/// What the growing cache may store, in all and in each worker's own memory.
const BOUND: u64 = 64 * MEBIBYTE;
const HOT: u64 = 16 * MEBIBYTE;
const SMALL: usize = 256;
/// Requests for large bodies at each look: enough for every worker to keep as many as it may.
const LARGE: u64 = 400;
const KIBIBYTE: usize = 1024;
/// Requests that wake everything up which is made once.
const WARM: u64 = 5_000;

/// Measures all of it, hits at this pace in so many pairs; a table.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn run(module: &Path, pace: Pace, pairs: usize) -> Result<String, Box<dyn Error>> {
    let mut table = String::from("| | at most | measured | |\n|---|---|---|---|\n");
    let mut overheads = Vec::new();
    for time in 1..=TIMES {
        eprintln!("memory: {MANY} entries, {time} of {TIMES}");
        overheads.push(per_entry(module).await?);
    }
    let overhead = Spread::of(overheads).ok_or("nothing was measured")?;
    let _ = writeln!(
        table,
        "| bytes an entry of {SMALL} bytes and 8 tags takes over its URL, fields and body | {PER_ENTRY:.0} \
         | {:.0} ({:.0} to {:.0}) | {} |",
        overhead.median,
        overhead.lower,
        overhead.upper,
        overhead.judge(PER_ENTRY)
    );
    for (name, hot) in [("", HOT), (", without the workers' own memory", 0)] {
        eprintln!("memory: a hit beside {MANY} entries{name}");
        let ratio = beside_many(module, hot, pace, pairs).await?;
        let _ = writeln!(
            table,
            "| a hit beside {MANY} entries to one beside 50{name} | {DEARER:.2} | {:.2} ({:.2} to {:.2}) | {} |",
            ratio.median,
            ratio.lower,
            ratio.upper,
            ratio.judge(DEARER)
        );
    }
    eprintln!("memory: {URLS} URLs");
    let growth = growth(module).await?;
    let bound = (BOUND + WORKERS as u64 * HOT) as f64 / MEBIBYTE as f64;
    let ratio = growth / bound;
    let _ = writeln!(
        table,
        "| growth after {URLS} URLs with {WORKERS} workers to what may be stored, {bound:.0} MiB \
         | {GROWTH:.2} | {ratio:.2} ({growth:.0} MiB) | {} |",
        exactly(ratio).judge(GROWTH)
    );
    Ok(table)
}

fn exactly(value: f64) -> Spread {
    Spread {
        lower: value,
        median: value,
        upper: value,
    }
}

fn configuration(storage: &str) -> String {
    format!(
        r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":3600}}],"storage":{{{storage}}}}}"#
    )
}

/// The bytes by which Envoy grows for each stored entry, less the bytes of the entry itself. In the default geometry
/// some entries have to go when so many come; only those that stay are counted.
async fn per_entry(module: &Path) -> Result<f64, Box<dyn Error>> {
    let scenario = Scenario::TaggedMiss(SMALL);
    let listener = larder_listener(module, "entries", &configuration(""));
    let stage = Stage::start(1, vec![listener]).await?;
    let subject = Subject::larder("entries", scenario);
    stage.send(&subject, WARM).await?;
    let (before, held) = (stage.envoy.memory()?, entries(&stage).await?);
    stage.send(&subject, MANY).await?;
    let grown = stage.envoy.memory()?.saturating_sub(before);
    let stored = entries(&stage).await?.saturating_sub(held);
    stage.stop().await;
    if stored < MANY * 8 / 10 {
        return Err(format!("of {MANY} responses only {stored} are stored").into());
    }
    let itself = stored_bytes(HOST, &format!("{TAGGED}/{SMALL}/new-12345"));
    Ok(grown as f64 / stored as f64 - itself as f64)
}

/// How many entries there are: those stored less those evicted.
async fn entries(stage: &Stage) -> Result<u64, Box<dyn Error>> {
    let stats = stage.envoy.stats().await?;
    let count = |name: &str| {
        let name = format!("wasmcustom.{name}");
        stats.get(&name).copied().unwrap_or_default()
    };
    Ok(count("larder_stored_total").saturating_sub(count("larder_evictions_total.cause.room")))
}

/// How many times the CPU time a hit takes when many entries are stored.
async fn beside_many(
    module: &Path,
    hot: u64,
    pace: Pace,
    pairs: usize,
) -> Result<Spread, Box<dyn Error>> {
    let storage = format!(r#""slots":262144,"hot_bytes":{hot}"#);
    let names = ["many", "few"];
    let listener = |name| larder_listener(module, name, &configuration(&storage));
    let stage = Stage::start(1, names.map(listener).into()).await?;
    let [many, few] = names.map(|name| Subject::larder(name, Scenario::Hit(KIBIBYTE)));
    let filling = Subject::larder("many", Scenario::Miss(KIBIBYTE));
    stage.send(&filling, MANY).await?;
    for subject in [&many, &few] {
        if !stage.prepare(subject).await? {
            return Err(format!("{}: no hits", subject.name).into());
        }
    }
    let measure = async |subject: &Subject| stage.round(subject, pace).await;
    let measured = Pairs::measure((&many, &few), pairs, measure).await?;
    stage.stop().await;
    measured.ratio().ok_or_else(|| "no pairs".into())
}

/// By how many MiB Envoy grows while very many URLs are asked for, after it is warm.
async fn growth(module: &Path) -> Result<f64, Box<dyn Error>> {
    let storage = format!(r#""max_bytes":{BOUND},"hot_bytes":{HOT}"#);
    let listener = larder_listener(module, "growth", &configuration(&storage));
    let stage = Stage::start(WORKERS, vec![listener]).await?;
    let new = Subject::larder("growth", Scenario::Miss(KIBIBYTE));
    let hits = Subject::larder("growth", Scenario::Hit(KIBIBYTE));
    let large = Subject::stored_or_not("growth", Scenario::Hit(1024 * KIBIBYTE));
    stage.send(&new, WARM).await?;
    stage.prepare(&hits).await?;
    let before = stage.envoy.memory()?;
    let mut peak = before;
    for look in 1..=LOOKS {
        // What workers keep for themselves is in the bound, so it has to be there.
        stage.send(&large, LARGE).await?;
        stage.send(&new, URLS / LOOKS).await?;
        peak = peak.max(stage.envoy.memory()?);
        let grown = peak.saturating_sub(before) / MEBIBYTE;
        eprintln!("memory: {} URLs, {grown} MiB more", look * URLS / LOOKS);
    }
    let hot = stage.envoy.stat("wasmcustom.larder_hot_bytes.vm_id.growth");
    let hot = hot.await?;
    stage.stop().await;
    if hot < WORKERS as u64 * HOT / 2 {
        return Err(format!("the workers keep {hot} bytes only").into());
    }
    Ok(peak.saturating_sub(before) as f64 / MEBIBYTE as f64)
}
