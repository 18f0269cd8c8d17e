//! Sums over all instances, and what they say in common.

use std::collections::HashMap;

use larder_core::policy;
use serde::Serialize;
use serde_json::Value;

use super::report::{Figures, Node, Report, State, cut};

/// So many different reasons and pieces of advice are shown.
const MOST: usize = 50;
/// A patch is shown up to here, in bytes of JSON.
const LONGEST_PATCH: usize = 64 << 10;

/// Sums over all instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Who was heard of lately.
    pub instances: u64,
    /// Of these, who has applied all of the log.
    pub current: u64,
    /// Of these, who is out of contact.
    pub silent: u64,
    /// Requests that the origin did not get: of those that were looked up, as many as there were no fetches for.
    pub saved: u64,
    /// What is not yet durable.
    pub pending: u64,
    /// Their figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How a rule does, at all instances that have one of that name; `unmatched` stands for no rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Requests that were answered from the cache.
    pub hits: u64,
    /// Requests that were looked up and not answered from the cache.
    pub misses: u64,
    /// Requests that were not looked up.
    pub bypasses: u64,
}

/// A reason, and how often it was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason's code.
    pub code: String,
    /// In one sentence; empty for one that this version does not know.
    pub because: &'static str,
    /// How often.
    pub count: u64,
}

/// What could be better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// In one sentence.
    pub text: String,
    /// Why, in one word.
    pub why: String,
    /// How many requests it is about.
    pub requests: u64,
    /// How many instances say so.
    pub instances: u64,
    /// What it was concluded from, at the instance that has seen most.
    pub numbers: Value,
    /// What to send to `PUT config`; `null` where no setting helps.
    pub patch: Value,
}

impl Totals {
    pub(super) fn of(instances: &[Node]) -> Self {
        let mut sum = Self::default();
        for instance in instances {
            sum.instances = sum.instances.saturating_add(1);
            sum.pending = sum.pending.saturating_add(instance.pending);
            match instance.state {
                State::Current => sum.current = sum.current.saturating_add(1),
                State::Silent => sum.silent = sum.silent.saturating_add(1),
                State::Behind | State::Lost => {}
            }
            sum.saved = sum.saved.saturating_add(instance.figures.saved());
            sum.figures.add(&instance.figures);
        }
        sum
    }
}

impl Figures {
    fn saved(&self) -> u64 {
        let looked_up = self.hits.saturating_add(self.misses);
        looked_up.saturating_sub(self.fetches)
    }

    fn add(&mut self, other: &Self) {
        let Self {
            hits,
            misses,
            bypasses,
            fetches,
            fetches_us,
            timed_hits,
            timed_hits_us,
            invalidations,
            evictions,
            fleet_hits,
            entries,
            shared_bytes,
            worker_bytes,
            served_bytes,
            origin_bytes,
        } = other;
        for (sum, more) in [
            (&mut self.hits, hits),
            (&mut self.misses, misses),
            (&mut self.bypasses, bypasses),
            (&mut self.fetches, fetches),
            (&mut self.fetches_us, fetches_us),
            (&mut self.timed_hits, timed_hits),
            (&mut self.timed_hits_us, timed_hits_us),
            (&mut self.invalidations, invalidations),
            (&mut self.evictions, evictions),
            (&mut self.fleet_hits, fleet_hits),
            (&mut self.entries, entries),
            (&mut self.shared_bytes, shared_bytes),
            (&mut self.worker_bytes, worker_bytes),
            (&mut self.served_bytes, served_bytes),
            (&mut self.origin_bytes, origin_bytes),
        ] {
            *sum = sum.saturating_add(*more);
        }
    }
}

/// `performance.rules`, summed by name; those that nothing was asked of are left out.
pub(super) fn rules(reports: &[Report<'_>]) -> Vec<Rule> {
    let mut sums: HashMap<String, Rule> = HashMap::new();
    for report in reports {
        let said = report.at("/performance/rules").and_then(Value::as_array);
        for said in said.into_iter().flatten() {
            let Some(name) = said.get("name").and_then(Value::as_str).map(cut) else {
                continue;
            };
            let count = |name| said.get(name).and_then(Value::as_u64).unwrap_or_default();
            let sum = sums.entry(name.clone()).or_insert(Rule {
                name,
                hits: 0,
                misses: 0,
                bypasses: 0,
            });
            sum.hits = sum.hits.saturating_add(count("hits"));
            sum.misses = sum.misses.saturating_add(count("misses"));
            sum.bypasses = sum.bypasses.saturating_add(count("bypasses"));
        }
    }
    let used = |rule: &Rule| rule.hits > 0 || rule.misses > 0 || rule.bypasses > 0;
    let mut rules: Vec<Rule> = sums.into_values().filter(used).collect();
    rules.sort_by(|one, other| {
        let misses = other.misses.cmp(&one.misses);
        misses.then_with(|| one.name.cmp(&other.name))
    });
    rules.truncate(MOST);
    rules
}

/// The counts of `performance.<kind>`, summed.
pub(super) fn reasons(reports: &[Report<'_>], kind: &str) -> Vec<Reason> {
    let pointer = format!("/performance/{kind}");
    let mut counts: HashMap<String, u64> = HashMap::new();
    for report in reports {
        let counted = report.at(&pointer).and_then(Value::as_object);
        for (code, count) in counted.into_iter().flatten() {
            let sum = counts.entry(cut(code)).or_default();
            *sum = sum.saturating_add(count.as_u64().unwrap_or_default());
        }
    }
    let mut reasons: Vec<Reason> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(code, count)| Reason {
            because: described(&code),
            code,
            count,
        })
        .collect();
    reasons.sort_by(|one, other| {
        let counts = other.count.cmp(&one.count);
        counts.then_with(|| one.code.cmp(&other.code))
    });
    reasons.truncate(MOST);
    reasons
}

fn described(code: &str) -> &'static str {
    let known = policy::Reason::ALL.iter();
    let mut known = known.filter(|reason| reason.code() == code);
    known.next().map_or("", |reason| reason.description())
}

/// What instances recommend, each once.
pub(super) fn recommendations(reports: &[Report<'_>]) -> Vec<Recommendation> {
    let mut all: Vec<Recommendation> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for report in reports {
        let said = report.at("/performance/recommendation_details");
        for said in said.and_then(Value::as_array).into_iter().flatten() {
            let Some(new) = recommendation(said) else {
                continue;
            };
            let place = *places.entry(new.text.clone()).or_insert(all.len());
            match all.get_mut(place) {
                Some(known) => known.join(new),
                None => all.push(new),
            }
        }
    }
    all.sort_by(|one, other| {
        let requests = other.requests.cmp(&one.requests);
        requests.then_with(|| one.text.cmp(&other.text))
    });
    all.truncate(MOST);
    all
}

fn recommendation(said: &Value) -> Option<Recommendation> {
    let text = |name| said.get(name).and_then(Value::as_str).map(cut);
    let numbers = said.get("numbers").cloned().unwrap_or_default();
    Some(Recommendation {
        text: text("text")?,
        why: text("why").unwrap_or_default(),
        requests: seen(&numbers),
        instances: 1,
        numbers: short(numbers),
        patch: short(said.get("patch").cloned().unwrap_or_default()),
    })
}

/// Of how many requests these numbers are.
fn seen(numbers: &Value) -> u64 {
    let requests = numbers.get("requests").and_then(Value::as_u64);
    requests.unwrap_or_default()
}

/// What is too long to be shown is nothing.
fn short(value: Value) -> Value {
    match value.to_string().len() <= LONGEST_PATCH {
        true => value,
        false => Value::Null,
    }
}

impl Recommendation {
    /// The same, said by another instance: the numbers and the patch are of the one that has seen most.
    fn join(&mut self, other: Self) {
        if seen(&other.numbers) > seen(&self.numbers) {
            self.numbers = other.numbers;
            self.patch = other.patch;
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.instances = self.instances.saturating_add(other.instances);
    }
}
