//! What could be better, from what was seen: each piece of advice with its numbers, and a patch for the configuration.
//!
//! Advice needs evidence. A number of requests is what was seen for sure ([`Seen::sure`]), and below the bounds here nothing is
//! said at all: a cache that has seen ten requests knows nothing.

use larder_core::config::Config;
use larder_core::config::reading::written;
use larder_core::entry::FreshnessSource;
use larder_core::policy::Reason;
use larder_core::sorting::sort_by;
use serde_json::{Map, Value, json};

use crate::json::Json;
use crate::observer::rule;
use crate::patch::{Change, patch};
use crate::seen::{NameKind, Seen};

/// So many requests were not cached before that is worth a word.
const MANY: u32 = 50;
/// So many responses were compared with the one before.
const COMPARED: u32 = 20;
/// So many different values explode something.
const EXPLODED: u64 = 40;
/// A rule's TTL is worth changing where it becomes so many times as long.
const WORTH: u64 = 2;
/// No longer TTL is advised, in seconds.
const LONGEST_TTL: u64 = 86_400;
/// Where nothing is known of changes.
const FIRST_TTL: u64 = 60;
/// No more is said at once.
const MOST: usize = 10;

/// A piece of advice.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// In one sentence.
    pub text: String,
    /// Why, in one word.
    pub why: &'static str,
    /// What was seen, as JSON.
    pub numbers: String,
    /// What to send to `PUT config`; `None` where no setting helps.
    pub patch: Option<Value>,
    /// How many requests it is about.
    weight: u32,
}

impl Advice {
    /// As it is shown.
    pub fn to_json(&self) -> Json {
        let patch = self.patch.as_ref().map_or("null".to_owned(), written);
        Json::object()
            .text("text", &self.text)
            .text("why", self.why)
            .raw("numbers", &self.numbers)
            .raw("patch", &patch)
    }
}

/// What could be better, what is about most requests first. `document` is the configuration in force as JSON.
pub fn advise(seen: &[Seen], config: &Config, document: &Value) -> Vec<Advice> {
    let mut all = Vec::new();
    for seen in seen {
        for find in [uncached, short, exploded, broad] {
            let advice = find(seen).and_then(|found| finish(seen, config, document, found));
            all.extend(advice);
        }
    }
    sort_by(&mut all, |one, other| {
        let weight = other.weight.cmp(&one.weight);
        weight.then_with(|| one.text.cmp(&other.text))
    });
    all.truncate(MOST);
    all
}

struct Found {
    text: String,
    why: &'static str,
    numbers: Json,
    change: Change,
    weight: u32,
}

/// Advice about a rule that is not there any more is none.
fn finish(seen: &Seen, config: &Config, document: &Value, found: Found) -> Option<Advice> {
    let (_, rule) = rule(config, seen.rule)?;
    let numbers = found
        .numbers
        .text("rule", rule)
        .number("requests", seen.sure().into());
    Some(Advice {
        text: found.text,
        why: found.why,
        numbers: numbers.end(),
        patch: patch(document, &seen.template, seen.rule, &found.change),
        weight: found.weight,
    })
}

/// Asked for often, and never cached because nobody says how long it is good for.
fn uncached(seen: &Seen) -> Option<Found> {
    let unsaid = seen.count(Reason::NoFreshness);
    let unruled = seen.count(Reason::NoRule);
    let uncached = unsaid.saturating_add(unruled);
    if uncached < MANY || uncached < seen.sure() / 2 || seen.stored > uncached / 10 {
        return None;
    }
    let ttl = match (seen.pairs, interval(seen)) {
        (pairs, seconds) if pairs >= COMPARED => rounded((seconds / 4).clamp(5, 3600)),
        (_, _) => FIRST_TTL,
    };
    Some(Found {
        text: ["Add caching to ", &seen.template, " endpoint"].concat(),
        why: "never-cached",
        numbers: Json::object()
            .number("no_freshness", unsaid.into())
            .number("no_rule", unruled.into())
            .number("urls", seen.keys.count())
            .number("compared", seen.pairs.into())
            .number("changed", seen.changes.into()),
        change: settings(&[("ttl_seconds", ttl.into())]),
        weight: uncached,
    })
}

/// Fetched again and again, and hardly ever another.
fn short(seen: &Seen) -> Option<Found> {
    let again = seen.pairs.min(seen.stored.saturating_add(seen.confirmed));
    let lifetime = u64::from(seen.lifetime_seconds).max(1);
    let interval = interval(seen);
    let ttl = rounded((interval / 2).min(LONGEST_TTL));
    if again < COMPARED || seen.pairs < COMPARED || ttl < lifetime.saturating_mul(WORTH) {
        return None;
    }
    let mode = match seen.source {
        FreshnessSource::Negative => return None, // of an error, which no TTL of a rule is about
        FreshnessSource::Rule => None,
        // A TTL that only stands in where the origin says nothing would change nothing.
        FreshnessSource::Heuristic | FreshnessSource::Origin => {
            Some(("ttl_mode", "override".into()))
        }
    };
    let ttl_seconds = ("ttl_seconds", ttl.into());
    Some(Found {
        text: ["Increase TTL for ", &seen.template].concat(),
        why: "ttl-too-short",
        numbers: Json::object()
            .number("ttl_seconds", seen.lifetime_seconds.into())
            .number("change_interval_seconds", interval)
            .number("compared", seen.pairs.into())
            .number("changed", seen.changes.into())
            .number("fetched_again", again.into()),
        change: settings(
            &[Some(ttl_seconds), mode]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
        ),
        weight: again,
    })
}

/// The seconds from one change to the next, rather too few than too many.
fn interval(seen: &Seen) -> u64 {
    let spans = u64::from(seen.changes).saturating_add(1);
    seen.watched_seconds.checked_div(spans).unwrap_or_default()
}

/// To a number that somebody might have chosen.
fn rounded(seconds: u64) -> u64 {
    const CHOSEN: [u64; 14] = [
        86_400, 43_200, 21_600, 10_800, 7200, 3600, 1800, 900, 600, 300, 120, 60, 30, 10,
    ];
    let mut chosen = CHOSEN.into_iter();
    chosen.find(|chosen| *chosen <= seconds).unwrap_or(seconds)
}

/// Something in requests makes many keys of few responses.
fn exploded(seen: &Seen) -> Option<Found> {
    if seen.sure() < MANY.saturating_mul(2) {
        return None;
    }
    let (keys, contents) = (seen.keys.count(), seen.contents.count());
    let mut names: Vec<_> = seen
        .names
        .iter()
        .map(|name| (name, name.values.count()))
        .filter(|(_, values)| *values >= EXPLODED)
        .collect();
    sort_by(&mut names, |(_, one), (_, other)| other.cmp(one));
    names.into_iter().find_map(|(name, values)| {
        let numbers = Json::object()
            .text("name", &name.name)
            .number("values", values)
            .number("urls", keys)
            .number("different_responses", contents);
        match name.kind {
            // As many URLs as values of the parameter, and far fewer responses: it makes no difference to them.
            NameKind::Parameter => {
                let is_idle = contents > 0 && contents.saturating_mul(4) <= values;
                let is_cause = values.saturating_mul(2) >= keys;
                (is_idle && is_cause).then(|| Found {
                    text: [
                        "Leave query parameter ",
                        &name.name,
                        " out of the key of ",
                        &seen.template,
                    ]
                    .concat(),
                    why: "key-explosion",
                    numbers,
                    change: settings(&[("key", json!({ "query": { "exclude": [name.name] } }))]),
                    weight: seen.sure(),
                })
            }
            NameKind::Vary => Some(Found {
                text: ["Have ", &seen.template, " vary on less than ", &name.name].concat(),
                why: "vary-explosion",
                numbers,
                change: match values {
                    ..=128 => Change::MaxVariants(values.next_power_of_two().clamp(32, 256)),
                    _ => Change::Bypass,
                },
                weight: seen.sure(),
            }),
        }
    })
}

/// Invalidated again and again, and then the same as before.
fn broad(seen: &Seen) -> Option<Found> {
    let is_much = seen.killed >= MANY && seen.killed >= seen.sure() / 3;
    let is_alike = seen.killed_alike.saturating_mul(5) >= seen.killed.saturating_mul(4);
    (is_much && is_alike).then(|| Found {
        text: ["Narrow the invalidations of ", &seen.template].concat(),
        why: "broad-invalidations",
        numbers: Json::object()
            .number("invalidated", seen.killed.into())
            .number("same_as_before", seen.killed_alike.into()),
        change: Change::SoftInvalidations,
        weight: seen.killed,
    })
}

fn settings(fields: &[(&str, Value)]) -> Change {
    let mut settings = Map::new();
    for (name, value) in fields {
        settings.insert((*name).to_owned(), value.clone()); // collected they would be sorted first, in 6 KB of code
    }
    Change::Rule(settings)
}
