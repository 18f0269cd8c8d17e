//! The results as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::comparison::Outcome;
use super::drive::Round;
use super::pairs::{middle, middle_time};
use super::statistics::Spread;

/// What each way to answer takes: one row for each, all its rounds together.
#[must_use]
pub fn figures(outcomes: &[Outcome]) -> String {
    let mut table = String::from(
        "| scenario | who | requests/s | CPU µs/request | middle half | p50 | p99 |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (scenario, who, rounds) in by_subject(outcomes) {
        let Some(cpu) = Spread::of(rounds.iter().map(|round| round.cpu_micros)) else {
            continue;
        };
        let _ = writeln!(
            table,
            "| {scenario} | {who} | {:.0} | {:.1} | {:.1} to {:.1} | {} | {} |",
            middle(rounds.iter(), |round| round.per_second),
            cpu.median,
            cpu.lower,
            cpu.upper,
            millis(middle_time(rounds.iter(), |round| round.p50)),
            millis(middle_time(rounds.iter(), |round| round.p99)),
        );
    }
    table
}

/// How many times the CPU time of the others Larder takes.
#[must_use]
pub fn ratios(outcomes: &[Outcome]) -> String {
    let mut table = String::from(
        "| Larder | beside | times its CPU | middle half | pairs |\n|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let comparison = &outcome.comparison;
        let (scenario, beside) = (comparison.scenario, comparison.beside());
        let measured = outcome.pairs.as_ref();
        let _ = match measured.and_then(|pairs| Some((pairs.ratio()?, pairs.ones().count()))) {
            Some((ratio, pairs)) => writeln!(
                table,
                "| {scenario} | {beside} | {:.2} | {:.2} to {:.2} | {pairs} |",
                ratio.median, ratio.lower, ratio.upper
            ),
            None => writeln!(table, "| {scenario} | {beside} | not available | | |"),
        };
    }
    table
}

/// Whether the targets are met.
#[must_use]
pub fn targets(outcomes: &[Outcome]) -> String {
    let mut table =
        String::from("| target | at most | measured | middle half | |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let comparison = &outcome.comparison;
        let ratio = outcome.pairs.as_ref().and_then(|pairs| pairs.ratio());
        for (place, target) in comparison.targets.iter().enumerate() {
            let stretch = if place == 0 { "" } else { " (stretch)" };
            let _ = write!(
                table,
                "| {} to {}{stretch} | {target:.2} ",
                comparison.scenario,
                comparison.beside()
            );
            let _ = match ratio {
                Some(ratio) => writeln!(
                    table,
                    "| {:.2} | {:.2} to {:.2} | {} |",
                    ratio.median,
                    ratio.lower,
                    ratio.upper,
                    ratio.judge(*target)
                ),
                None => writeln!(table, "| not available | | |"),
            };
        }
    }
    table
}

/// All rounds of a subject, in the order in which subjects first appear.
fn by_subject(outcomes: &[Outcome]) -> Vec<(&'static str, &str, Vec<Round>)> {
    let mut subjects: Vec<(&'static str, &str, Vec<Round>)> = Vec::new();
    for outcome in outcomes {
        let comparison = &outcome.comparison;
        let Some(pairs) = &outcome.pairs else {
            continue;
        };
        let mut add = |scenario, who, rounds: Vec<Round>| {
            let known = subjects
                .iter_mut()
                .find(|(seen, name, _)| *seen == scenario && *name == who);
            match known {
                Some((_, _, all)) => all.extend(rounds),
                None => subjects.push((scenario, who, rounds)),
            }
        };
        let others = pairs.others().copied().collect();
        add(
            comparison.scenario,
            &comparison.larder.name,
            pairs.ones().copied().collect(),
        );
        add(comparison.other_scenario, &comparison.other.name, others);
    }
    subjects
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::comparison;
    use super::super::pairs::Pairs;
    use super::*;

    /// The first comparison with Larder at twice the other's time, the second without a measurement.
    async fn outcomes() -> Vec<Outcome> {
        let round = async |cpu: &f64| {
            Ok::<_, ()>(Round {
                cpu_micros: *cpu,
                ..Round::default()
            })
        };
        let pairs = Pairs::measure((&40.0, &20.0), 9, round).await.unwrap();
        let mut comparisons = comparison::all().into_iter();
        let mut outcome = |pairs| {
            comparisons
                .next()
                .map(|comparison| Outcome { comparison, pairs })
                .unwrap()
        };
        vec![outcome(Some(pairs)), outcome(None)]
    }

    #[tokio::test]
    async fn every_comparison_has_a_row_and_what_is_missing_is_said_to_be() {
        let ratios = ratios(&outcomes().await);
        let rows: Vec<&str> = ratios.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| hit-1k | native cache | 2.00 | 2.00 to 2.00 | 9 |",
                "| hit-1k | native cache v2 | not available | | |"
            ]
        );
    }

    #[tokio::test]
    async fn every_target_is_judged() {
        let targets = targets(&outcomes().await);
        let rows: Vec<&str> = targets.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| hit-1k to native cache | 1.15 | 2.00 | 2.00 to 2.00 | **missed** |",
                "| hit-1k to native cache (stretch) | 1.00 | 2.00 | 2.00 to 2.00 | **missed** |"
            ]
        );
    }

    #[tokio::test]
    async fn who_was_measured_has_one_row_of_figures() {
        let mut outcomes = outcomes().await;
        outcomes.extend(outcomes.clone());
        let figures = figures(&outcomes);
        let rows: Vec<&str> = figures.lines().skip(2).collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[0].starts_with("| hit-1k | Larder | 0 | 40.0 | 40.0 to 40.0 |"));
    }
}
