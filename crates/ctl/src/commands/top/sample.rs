//! What the other side has counted, at one moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::remote::{Call, Client};
use crate::shown::{items, number, text};

/// So many hot keys are asked for.
const HOTTEST: &str = "/v1/heat?limit=10";

/// What was counted, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Each process by itself: one, or those of a fleet.
    pub(super) instances: Vec<Instance>,
    /// `GET stats`.
    pub(super) stats: Value,
    /// `GET performance`.
    pub(super) performance: Value,
    /// Of a fleet: how many instances are in which state.
    pub(super) states: Option<BTreeMap<String, u64>>,
    /// URLs that are asked for most, where the fleet's secret is known.
    pub(super) heat: Vec<(String, u64)>,
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Instance {
    /// Its name in the fleet; of a single one, nothing.
    pub(super) id: String,
    /// When it said its numbers, since this program began to ask.
    pub(super) said: Duration,
    /// Its numbers.
    pub(super) counts: Counts,
}

/// Counters, which only grow as long as a process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// By rule: hits, misses, bypasses.
    pub(super) rules: BTreeMap<String, [u64; 3]>,
    /// Responses that were not stored, by reason.
    pub(super) not_stored: BTreeMap<String, u64>,
    /// The rest.
    pub(super) flows: Flows,
}

/// Counters that are the same for all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flows {
    /// Stored.
    pub(super) stored: u64,
    /// Evicted, for whatever cause.
    pub(super) evicted: u64,
    /// Invalidations.
    pub(super) invalidated: u64,
    /// Hits whose time was taken, and their sum in microseconds.
    pub(super) hits: [u64; 2],
    /// The same for what was fetched from the origin.
    pub(super) fetches: [u64; 2],
}

impl Sample {
    /// Asks; `began` is when this program did.
    ///
    /// # Errors
    /// Where nobody answers, or who does refuses or is none.
    pub(super) fn take(client: &Client, began: Instant) -> Result<Self, Failure> {
        let stats = client.call(Call::get("/stats"))?;
        let performance = client.call(Call::get("/performance"))?;
        let taken = began.elapsed();
        if stats.pointer("/total_entries").is_none() {
            let message = format!("{}: what answered there is no Larder", client.place());
            return Err(Failure::said(Exit::Unreachable, message));
        }
        if performance.pointer("/instances").is_none() {
            let counts = Counts::of(&performance, &stats);
            let instances = vec![Instance {
                id: String::new(),
                said: taken,
                counts,
            }];
            return Ok(Self {
                instances,
                stats,
                performance,
                ..Self::default()
            });
        }
        let overview = client.call(Call::get("/overview"))?;
        Ok(Self {
            instances: instances(&stats, &performance, &overview, taken),
            states: Some(states(&overview)),
            heat: heat(client),
            stats,
            performance,
        })
    }
}

fn instances(
    stats: &Value,
    performance: &Value,
    overview: &Value,
    taken: Duration,
) -> Vec<Instance> {
    let find = |list: &'static str, of: &Value, id: &str| {
        let mut all = items(of, list).iter();
        all.find(|one| text(one, "/id") == id)
            .cloned()
            .unwrap_or(Value::Null)
    };
    let known = items(performance, "/instances").iter().map(|one| {
        let id = text(one, "/id");
        let heard = number(&find("/instances", overview, &id), "/heard_ms");
        let none = Value::Null;
        let counts = Counts::of(
            one.pointer("/performance").unwrap_or(&none),
            find("/instances", stats, &id)
                .pointer("/stats")
                .unwrap_or(&none),
        );
        Instance {
            id,
            said: taken.saturating_sub(Duration::from_millis(heard)),
            counts,
        }
    });
    known.collect()
}

fn states(overview: &Value) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for one in items(overview, "/instances") {
        let count: &mut u64 = states.entry(text(one, "/state")).or_default();
        *count = count.saturating_add(1);
    }
    states
}

/// What is asked for most is for instances to know, and for who has their secret.
fn heat(client: &Client) -> Vec<(String, u64)> {
    let secret = std::env::var("LARDER_ADMIN_SECRET").unwrap_or_default();
    if secret.trim().is_empty() {
        return Vec::new();
    }
    let answer = client.ask_beside(secret.trim(), Call::get(HOTTEST));
    let Ok(heat) = answer.and_then(|answer| answer.done()) else {
        return Vec::new();
    };
    let hot = items(&heat, "/heat").iter();
    hot.map(|one| (text(one, "/url"), number(one, "/count")))
        .collect()
}

impl Counts {
    fn of(performance: &Value, stats: &Value) -> Self {
        let of = |place: &str| number(performance, place);
        let rules = items(performance, "/rules").iter().map(|rule| {
            let counts = ["/hits", "/misses", "/bypasses"].map(|name| number(rule, name));
            (text(rule, "/name"), counts)
        });
        let evictions = performance.pointer("/evictions").and_then(Value::as_object);
        let evictions = evictions
            .into_iter()
            .flatten()
            .filter_map(|(_, count)| count.as_u64());
        let not_stored = performance
            .pointer("/not_stored")
            .and_then(Value::as_object);
        let not_stored = not_stored.into_iter().flatten();
        Self {
            rules: rules.collect(),
            not_stored: not_stored
                .map(|(reason, count)| (reason.clone(), count.as_u64().unwrap_or(0)))
                .collect(),
            flows: Flows {
                stored: number(stats, "/stored"),
                evicted: evictions.fold(0, u64::saturating_add),
                invalidated: of("/invalidations/total"),
                hits: [of("/timed/hits"), of("/timed/hits_us")],
                fetches: [of("/timed/fetches"), of("/timed/fetches_us")],
            },
        }
    }

    /// What has come since; all of it where a counter went back, because then the process has begun anew.
    pub(super) fn since(&self, before: &Self) -> (Self, Began) {
        match self.less(before) {
            Some(less) => (less, Began::Before),
            None => (self.clone(), Began::Anew),
        }
    }

    fn less(&self, before: &Self) -> Option<Self> {
        let mut less = self.clone();
        for (name, counts) in &before.rules {
            // A rule that is gone has been configured away.
            if let Some(now) = less.rules.get_mut(name) {
                *now = minus(*now, *counts)?;
            }
        }
        for (reason, count) in &before.not_stored {
            let now = less.not_stored.get_mut(reason)?;
            *now = now.checked_sub(*count)?;
        }
        let (now, then) = (&self.flows, &before.flows);
        less.flows = Flows {
            stored: now.stored.checked_sub(then.stored)?,
            evicted: now.evicted.checked_sub(then.evicted)?,
            invalidated: now.invalidated.checked_sub(then.invalidated)?,
            hits: minus(now.hits, then.hits)?,
            fetches: minus(now.fetches, then.fetches)?,
        };
        Some(less)
    }
}

/// Whether a process is still the one that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// It is.
    Before,
    /// It counts from zero.
    Anew,
}

fn minus<const N: usize>(now: [u64; N], then: [u64; N]) -> Option<[u64; N]> {
    let mut less = now;
    for (now, then) in less.iter_mut().zip(then) {
        *now = now.checked_sub(then)?;
    }
    Some(less)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counts(hits: u64, private: u64) -> Counts {
        let performance = json!({"rules": [{"name": "a", "hits": hits, "misses": 1, "bypasses": 0}],
            "not_stored": {"private": private}, "evictions": {"room": 2, "expired": 3}});
        Counts::of(&performance, &json!({"stored": 5}))
    }

    #[test]
    fn what_has_come_since_is_a_difference() {
        let (since, began) = counts(9, 4).since(&counts(7, 4));
        assert_eq!((since.rules["a"], began), ([2, 0, 0], Began::Before));
        assert_eq!(since.not_stored["private"], 0);
        assert_eq!(since.flows.evicted, 0);
    }

    #[test]
    fn who_counts_from_zero_again_has_all_of_it_since() {
        let (since, began) = counts(3, 0).since(&counts(7, 0));
        assert_eq!((since.rules["a"], began), ([3, 1, 0], Began::Anew));
        let (_, began) = Counts::default().since(&counts(0, 1));
        assert_eq!(began, Began::Anew, "a reason that is gone");
    }

    #[test]
    fn a_rule_may_come_and_go() {
        let mut other = counts(9, 4);
        other.rules.insert("b".to_owned(), [1, 0, 0]);
        assert_eq!(other.since(&counts(7, 4)).1, Began::Before);
        assert_eq!(counts(9, 4).since(&other).1, Began::Before);
    }
}
