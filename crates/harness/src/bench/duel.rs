//! Two builds of the module in one Envoy: is the new one cheaper?

use std::error::Error;
use std::path::Path;

use super::drive::Pace;
use super::pairs::{Pairs, middle};
use super::scenario::Scenario;
use super::stage::{Stage, Subject, Way};

/// Compares `module` with `other` in these scenarios, or with another way to answer when there is no other module, and
/// prints a table line by line.
///
/// # Errors
/// When a module is missing, Envoy does not start, or an answer is wrong.
pub async fn run(
    (module, other): (&Path, Option<&Path>),
    against: Way,
    scenarios: &[(&'static str, Scenario)],
    (pace, pairs, workers): (Pace, usize, usize),
) -> Result<(), Box<dyn Error>> {
    let modules: Vec<&Path> = [Some(module), other].into_iter().flatten().collect();
    let stage = Stage::with_everything(workers, &modules).await?;
    println!("| | µs | µs of {} | ratio | middle half |", against.name());
    println!("|---|---|---|---|---|");
    for (name, scenario) in scenarios {
        let one = Subject::new(Way::Larder(0), *scenario);
        let other = Subject::beside(against, *scenario);
        if !stage.prepare(&one).await? || !stage.prepare(&other).await? {
            println!("| {name} | not available | | | |");
            continue;
        }
        let measure = async |subject: &Subject| stage.round(subject, pace).await;
        let measured = Pairs::measure((&one, &other), pairs, measure).await?;
        if let Some(ratio) = measured.ratio() {
            println!(
                "| {name} | {:.1} | {:.1} | {:.3} | {:.3} to {:.3} |",
                middle(measured.ones(), |round| round.cpu_micros),
                middle(measured.others(), |round| round.cpu_micros),
                ratio.median,
                ratio.lower,
                ratio.upper
            );
        }
    }
    stage.stop().await;
    Ok(())
}
