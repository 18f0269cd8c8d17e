//! The whole of `make bench`, and what it writes into `docs/performance.md`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::comparison::{self, Comparison, Outcome};
use super::drive::Pace;
use super::pairs::Pairs;
use super::stage::{Stage, Subject};
use super::{document, herd, machine, memory, purges, stale, table};
use crate::tools;

/// Measures these comparisons with so many workers and gives the section about it.
///
/// # Errors
/// When Envoy does not start or an answer is wrong.
pub async fn compare(
    module: &Path,
    comparisons: Vec<Comparison>,
    workers: usize,
    pace: Pace,
    pairs: usize,
) -> Result<String, Box<dyn Error>> {
    let stage = Stage::with_everything(workers, &[module]).await?;
    let mut section = machine::describe(&stage.envoy).await;
    let mut outcomes = Vec::new();
    let count = comparisons.len();
    for (number, comparison) in comparisons.into_iter().enumerate() {
        eprintln!(
            "{workers} worker(s), {} of {count}: {} beside {}",
            number + 1,
            comparison.scenario,
            comparison.beside()
        );
        let subjects = (&comparison.larder, &comparison.other);
        let pairs = measure(&stage, subjects, pace, pairs).await?;
        outcomes.push(Outcome { comparison, pairs });
    }
    stage.stop().await;
    let _ = write!(
        section,
        " At the end it was {}. {} connections over HTTP/1.1, rounds of {} ms.\n\n",
        machine::load(),
        pace.connections,
        pace.time.as_millis()
    );
    for part in [
        table::targets(&outcomes),
        table::ratios(&outcomes),
        table::figures(&outcomes),
    ] {
        let _ = writeln!(section, "{part}");
    }
    Ok(section)
}

async fn measure(
    stage: &Stage,
    (one, other): (&Subject, &Subject),
    pace: Pace,
    pairs: usize,
) -> Result<Option<Pairs>, Box<dyn Error>> {
    if !stage.prepare(one).await? || !stage.prepare(other).await? {
        return Ok(None);
    }
    let measure = async |subject: &Subject| stage.round(subject, pace).await;
    Ok(Some(Pairs::measure((one, other), pairs, measure).await?))
}

/// Everything, printed and written.
///
/// # Errors
/// See [`compare`]; or the document cannot be written.
pub async fn run(module: &Path, pace: Pace, pairs: usize) -> Result<(), Box<dyn Error>> {
    for (workers, section) in [(1, "one-worker"), (2, "two-workers")] {
        let text = compare(module, comparison::all(), workers, pace, pairs).await?;
        publish(section, &text)?;
    }
    publish("purges", &purges::run(module, pace, pairs).await?)?;
    publish("herd", &herd::run(module, pairs).await?)?;
    publish("stale", &stale::run(module, stale::TIME).await?)?;
    publish("memory", &memory::run(module, pace, pairs).await?)
}

/// Prints a section and puts it into the document.
///
/// # Errors
/// When the document cannot be read or written, or has no place for it.
pub fn publish(section: &str, text: &str) -> Result<(), Box<dyn Error>> {
    println!("{text}");
    let path = tools::checkout().join("docs/performance.md");
    let document = fs::read_to_string(&path)?;
    fs::write(&path, document::replace(&document, section, text)?)?;
    Ok(())
}
