//! What a hit costs, beside the alternatives in the same Envoy: `make bench`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, path::PathBuf};

use larder_harness::bench::drive::Pace;
use larder_harness::bench::scenario::Scenario;
use larder_harness::bench::stage::Way;
use larder_harness::bench::{
    comparison, crossings, duel, esi, herd, memory, purges, report, stale,
};
use larder_harness::tools;

const HELP: &str =
    "usage: larder-bench all|memory|purges|herd|stale|esi|crossings   measure and write docs/performance.md
       larder-bench quick                   a minute's look, printed only
       larder-bench duel [SCENARIO...]   LARDER_WASM against LARDER_WASM_OTHER
       larder-bench native|v2|floor|calls|passing|direct|pass [SCENARIO...]   LARDER_WASM against that
environment: BENCH_PAIRS (11), BENCH_WORKERS (1), BENCH_MILLIS (250, a round)";

const PACE: Pace = Pace {
    connections: 16,
    warm: Duration::from_millis(60),
    time: Duration::from_millis(250),
};

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

async fn run() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let time = Duration::from_millis(number("BENCH_MILLIS", 250)? as u64);
    let pace = Pace { time, ..PACE };
    let pairs = number("BENCH_PAIRS", 11)?;
    let workers = number("BENCH_WORKERS", 1)?;
    let module = tools::module()?;
    let against = match command.as_str() {
        "all" => return report::run(&module, pace, pairs).await,
        "crossings" => return report::publish("crossings", &crossings::run(pairs).await?),
        "memory" => {
            let table = memory::run(&module, pace, pairs).await?;
            return report::publish("memory", &table);
        }
        "purges" => {
            let table = purges::run(&module, pace, pairs).await?;
            return report::publish("purges", &table);
        }
        "herd" => return report::publish("herd", &herd::run(&module, pairs).await?),
        "esi" => return report::publish("esi", &esi::run(&module, esi::ROUNDS).await?),
        "stale" => return report::publish("stale", &stale::run(&module, stale::TIME).await?),
        "quick" => {
            let quick = comparison::quick();
            println!(
                "{}",
                report::compare(&module, quick, workers, pace, pairs).await?
            );
            return Ok(());
        }
        "duel" => Way::Larder(1),
        "native" => Way::NativeV1,
        "v2" => Way::NativeV2,
        "floor" => Way::Floor,
        "calls" => Way::FloorWithCalls,
        "direct" => Way::Direct,
        "pass" => Way::PassThrough,
        "passing" => Way::FloorPassing,
        _ => return Err(HELP.into()),
    };
    let other = env::var_os("LARDER_WASM_OTHER").map(PathBuf::from);
    if matches!(against, Way::Larder(_)) && other.is_none() {
        return Err("set LARDER_WASM_OTHER to the module to compare with".into());
    }
    let modules = (module.as_path(), other.as_deref());
    duel::run(modules, against, &scenarios(&rest)?, (pace, pairs, workers)).await
}

fn number(variable: &str, default: usize) -> Result<usize, Failure> {
    match env::var(variable) {
        Ok(text) => Ok(text
            .parse()
            .map_err(|_| format!("{variable}={text}: not a number"))?),
        Err(_) => Ok(default),
    }
}

fn scenarios(names: &[String]) -> Result<Vec<(&'static str, Scenario)>, Failure> {
    if names.is_empty() {
        return Ok(Scenario::ALL.to_vec());
    }
    let named = |name: &String| {
        let found = Scenario::ALL.iter().find(|(known, _)| known == name);
        let known = || Scenario::ALL.map(|(known, _)| known).join(", ");
        found
            .copied()
            .ok_or_else(|| format!("{name} is no scenario; there are {}", known()).into())
    };
    names.iter().map(named).collect()
}
