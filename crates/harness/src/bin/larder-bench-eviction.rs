//! How well the shared tier chooses what to keep: `make bench-eviction`.
//!
//! Prints the table, writes it into docs/performance.md between its markers, and fails where one worker misses a
//! target. With words as arguments, it measures only the rows whose names contain them all, and writes nothing. No Envoy, no clock:
//! the same numbers on every machine.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use larder_harness::eviction::{Job, Report, Row};
use larder_harness::tools;

const BEGIN: &str = "<!-- bench-eviction:begin -->";
const END: &str = "<!-- bench-eviction:end -->";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut jobs = Job::all();
    jobs.retain(|job| words.iter().all(|word| job.name().contains(word.as_str())));
    let report = Report::new(measure(&jobs));
    println!("{report}");
    if words.is_empty()
        && let Err(error) = write(&report.to_string())
    {
        eprintln!("larder-bench-eviction: docs/performance.md: {error}");
        return ExitCode::FAILURE;
    }
    if report.missed().alone > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs all jobs, as many at once as there are processors; the order of the rows is that of the jobs.
fn measure(jobs: &[Job]) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(1, Into::into);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = job.run();
                    eprintln!("{}", job.name());
                    if let Ok(mut rows) = rows.lock() {
                        rows.insert(job.name(), row);
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_default();
    jobs.iter()
        .filter_map(|job| rows.remove(&job.name()))
        .collect()
}

/// Puts the table between the markers.
fn write(table: &str) -> io::Result<()> {
    let path = tools::checkout().join("docs/performance.md");
    let text = fs::read_to_string(&path)?;
    let missing = || io::Error::other(format!("no {BEGIN} … {END}"));
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    fs::write(path, format!("{before}{BEGIN}\n{table}{END}{after}"))
}
