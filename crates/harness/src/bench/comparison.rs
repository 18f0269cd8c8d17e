//! What is compared with what, and what is aimed at.

use super::pairs::Pairs;
use super::scenario::Scenario;
use super::stage::{Subject, Way};

const KIBIBYTE: usize = 1024;
/// Envoy 1.40.0 crashes now and then when one of its own caches stores bodies of 1 MiB, and everything else ends with it.
const CRASH_AT_A_MEBIBYTE: [Way; 2] = [Way::NativeV1, Way::NativeV2];

/// Larder in a scenario, and what stands beside it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What is asked.
    pub scenario: &'static str,
    /// Larder.
    pub larder: Subject,
    /// What the other one is asked.
    pub other_scenario: &'static str,
    /// Who stands beside it.
    pub other: Subject,
    /// How many times the other's CPU time Larder may take, the strictest last.
    pub targets: Vec<f64>,
}

impl Comparison {
    /// What Larder is compared with.
    #[must_use]
    pub fn beside(&self) -> String {
        let Self {
            scenario,
            other,
            other_scenario,
            ..
        } = self;
        if scenario == other_scenario {
            other.name.clone()
        } else {
            format!("{}, {other_scenario}", other.name)
        }
    }
}

/// What came of a comparison; no pairs where the subject does not do what was to be compared.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was compared.
    pub comparison: Comparison,
    /// What was measured.
    pub pairs: Option<Pairs>,
}

/// All of `make bench`, for one number of workers.
#[must_use]
pub fn all() -> Vec<Comparison> {
    let hits = ["hit-1k", "hit-10k", "hit-100k", "hit-1m"];
    let mut all: Vec<Comparison> = hits.into_iter().flat_map(hit).collect();
    let hit = |body| (Way::Larder(0), Scenario::Hit(body));
    let kibibyte = hit(KIBIBYTE);
    let passed = |scenario| (Way::PassThrough, scenario);
    let let_through = |scenario| (Way::FloorPassing, scenario);
    let new = Scenario::Miss;
    let unstored = Scenario::Bypass;
    all.extend([
        compare("hit-1k", kibibyte, &[]),
        compare("304", kibibyte, &[1.0]),
        compare("variant", kibibyte, &[1.05]),
        compare("rule", kibibyte, &[1.05]),
        compare("gzip-1k", kibibyte, &[]),
        compare("gzip-10k", hit(10 * KIBIBYTE), &[]),
        compare("gzip-100k", hit(100 * KIBIBYTE), &[]),
        compare("miss-1k", passed(new(KIBIBYTE)), &[]),
        compare("miss-10k", passed(new(10 * KIBIBYTE)), &[1.25]),
        compare("miss-100k", passed(new(100 * KIBIBYTE)), &[]),
        compare("miss-10k", (Way::NativeV1, new(10 * KIBIBYTE)), &[]),
        compare("miss-10k", let_through(new(10 * KIBIBYTE)), &[]),
        compare("bypass-1k", passed(unstored(KIBIBYTE)), &[1.2]),
        compare("bypass-10k", passed(unstored(10 * KIBIBYTE)), &[1.2]),
        compare("bypass-1k", let_through(unstored(KIBIBYTE)), &[]),
        compare("bypass-10k", let_through(unstored(10 * KIBIBYTE)), &[]),
    ]);
    all
}

/// What a look at the state of things needs.
#[must_use]
pub fn quick() -> Vec<Comparison> {
    let quick = ["hit-1k", "304"];
    let mut all = all();
    all.retain(|comparison| quick.contains(&comparison.scenario));
    all
}

/// A hit beside all that answers the same.
fn hit(name: &'static str) -> Vec<Comparison> {
    let scenario = named(name);
    let (native, floor): (&[f64], &[f64]) = match name {
        "hit-1k" | "hit-10k" => (&[1.15, 1.0], &[1.08]),
        "hit-100k" => (&[1.3], &[]),
        _ => (&[], &[]),
    };
    let all: [(Way, &[f64]); 6] = [
        (Way::NativeV1, native),
        (Way::NativeV2, &[]),
        (Way::Floor, floor),
        (Way::FloorWithCalls, &[]),
        (Way::Direct, &[]),
        (Way::PassThrough, &[]),
    ];
    let measured = all
        .into_iter()
        .filter(|(way, _)| name != "hit-1m" || !CRASH_AT_A_MEBIBYTE.contains(way));
    measured
        .map(|(way, targets)| compare(name, (way, scenario), targets))
        .collect()
}

fn compare(name: &'static str, (way, other): (Way, Scenario), targets: &[f64]) -> Comparison {
    let scenario = named(name);
    Comparison {
        scenario: name,
        larder: Subject::new(Way::Larder(0), scenario),
        other_scenario: other.name(),
        other: Subject::new(way, other),
        targets: targets.to_vec(),
    }
}

fn named(name: &str) -> Scenario {
    Scenario::named(name).expect("a scenario of this name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_compared() {
        let compared: Vec<&str> = all().iter().map(|comparison| comparison.scenario).collect();
        for (name, _) in Scenario::ALL {
            assert!(compared.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_quick_look_is_a_part_of_all() {
        assert!(!quick().is_empty() && quick().len() < all().len());
    }
}
