//! One frame: what is known, as lines, the most important first.

use std::time::Duration;

use serde_json::{Value, json};

use super::rates::{Rate, Rates};
use crate::output::{Style, Table};
use crate::shown::{count, items, number, text};

/// More reasons than that are looked at with `stats`.
const REASONS: usize = 8;

/// What a frame shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) place: &'a str,
    pub(super) every: Duration,
    pub(super) rates: &'a Rates,
    pub(super) trouble: Option<&'a str>,
}

/// A line, and how it looks on a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) style: Option<Style>,
}

impl Line {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: None,
        }
    }

    fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style: Some(style),
        }
    }
}

impl Frame<'_> {
    /// All of it.
    pub(super) fn lines(&self) -> Vec<Line> {
        // What came by second when it was seen last is not what comes now.
        let rate = self.rates.rate().filter(|_| self.trouble.is_none());
        let mut lines = vec![self.title(), self.news()];
        lines.extend(self.summary(rate.as_ref()).into_iter().map(Line::plain));
        for table in [
            self.rules(rate.as_ref()),
            self.reasons(rate.as_ref()),
            self.heat(),
        ] {
            if !table.is_empty() {
                lines.push(Line::plain(""));
                let heads = [Some(Style::Bold)]
                    .into_iter()
                    .chain(std::iter::repeat(None));
                let rows = table.lines().zip(heads);
                lines.extend(rows.map(|(text, style)| Line { text, style }));
            }
        }
        let advice = items(&self.rates.last().performance, "/recommendations");
        if !advice.is_empty() {
            lines.push(Line::plain(""));
            lines.push(Line::styled(
                "could be better (larderctl stats says more)",
                Style::Bold,
            ));
            lines.extend(advice.iter().filter_map(Value::as_str).map(Line::plain));
        }
        lines
    }

    fn title(&self) -> Line {
        let who = match &self.rates.last().states {
            None => "one Envoy".to_owned(),
            Some(states) => {
                let states: Vec<String> = states
                    .iter()
                    .map(|(state, number)| format!("{number} {state}"))
                    .collect();
                match states.is_empty() {
                    true => "a fleet, no instances".to_owned(),
                    false => format!("a fleet: {}", states.join(", ")),
                }
            }
        };
        let every = self.every.as_secs_f64();
        Line::styled(
            format!("larder  {}  {who}  every {every} s", self.place),
            Style::Bold,
        )
    }

    /// What is not as it was.
    fn news(&self) -> Line {
        match (self.trouble, self.rates.has_begun_anew()) {
            (Some(trouble), _) => Line::styled(format!("trying again: {trouble}"), Style::Bad),
            (None, true) => Line::styled(
                "it has been started anew, and counts from zero",
                Style::Doubtful,
            ),
            (None, false) => Line::plain(""),
        }
    }

    fn summary(&self, rate: Option<&Rate>) -> Vec<String> {
        let last = self.rates.last();
        let [hits, misses, bypasses] = rate.map(Rate::requests).unwrap_or_default();
        let now = |value: f64| rate.map_or("-".to_owned(), |_| format!("{value:.1}"));
        let [stored, evicted, invalidated] = rate.map(|rate| rate.changes).unwrap_or_default();
        let [hit, fetch] = rate.map(|rate| rate.times).unwrap_or_default();
        let ms = |time: Option<f64>, digits: usize| {
            time.map_or("-".to_owned(), |time| format!("{time:.digits$} ms"))
        };
        vec![
            format!(
                "requests   {}/s   hit rate {} now, {} since it began   origin {}/s",
                now(hits + misses + bypasses),
                share(hits, misses),
                text(&last.performance, "/service_metrics/hit_rate"),
                now(rate.map_or(0.0, |rate| rate.fetches)),
            ),
            format!(
                "answers    {} from the cache, {} from the origin",
                ms(hit, 3),
                ms(fetch, 1)
            ),
            format!(
                "holds      {} entries, {} MB shared, {} MB in workers, {} tags",
                count(number(&last.stats, "/total_entries")),
                text(&last.stats, "/total_size_mb"),
                text(&last.stats, "/worker_size_mb"),
                text(&last.stats, "/tags_count"),
            ),
            format!(
                "changes    {}/s stored, {}/s evicted, {}/s invalidations",
                now(stored),
                now(evicted),
                now(invalidated)
            ),
        ]
    }

    /// The busiest first.
    fn rules(&self, rate: Option<&Rate>) -> Table {
        let mut table = Table::new(&[
            "rule",
            "#req/s",
            "#hit %",
            "#hits/s",
            "#misses/s",
            "#bypasses/s",
            "#total",
        ]);
        let mut rows: Vec<(f64, u64, &str, Option<[f64; 3]>)> = Vec::new();
        for (name, total) in self.rates.totals().0 {
            let of = rate.map(|rate| rate.rules.get(name).copied().unwrap_or_default());
            let [hits, misses, bypasses] = of.unwrap_or_default();
            rows.push((hits + misses + bypasses, total, name, of));
        }
        rows.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
        for (sum, total, name, of) in rows {
            let shown = |value: f64| of.map_or("-".to_owned(), |_| format!("{value:.1}"));
            let [hits, misses, bypasses] = of.unwrap_or_default();
            table.row([
                name.to_owned(),
                shown(sum),
                share(hits, misses),
                shown(hits),
                shown(misses),
                shown(bypasses),
                count(total),
            ]);
        }
        table
    }

    fn reasons(&self, rate: Option<&Rate>) -> Table {
        let mut table = Table::new(&["not stored", "#/s", "#total"]);
        let mut rows: Vec<(f64, u64, &str)> = Vec::new();
        for (reason, total) in self.rates.totals().1 {
            let by_second = rate.and_then(|rate| rate.not_stored.get(reason)).copied();
            rows.push((by_second.unwrap_or(0.0), total, reason));
        }
        rows.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
        for (by_second, total, reason) in rows.into_iter().take(REASONS) {
            let by_second = rate.map_or("-".to_owned(), |_| format!("{by_second:.1}"));
            table.row([reason.to_owned(), by_second, count(total)]);
        }
        table
    }

    fn heat(&self) -> Table {
        let mut table = Table::new(&["#asked for", "most of all"]);
        for (url, number) in &self.rates.last().heat {
            table.row([count(*number), url.clone()]);
        }
        table
    }

    /// For programs, on one line.
    pub(super) fn json(&self) -> Value {
        let last = self.rates.last();
        let rate = self.rates.rate();
        let rules = rate.as_ref().map(|rate| {
            let rules = rate.rules.iter().map(|(name, [hits, misses, bypasses])| {
                json!({"name": name, "hits": hits, "misses": misses, "bypasses": bypasses})
            });
            rules.collect::<Vec<_>>()
        });
        let heat = last
            .heat
            .iter()
            .map(|(url, count)| json!({"url": url, "count": count}));
        json!({
            "at": self.place,
            "trouble": self.trouble,
            "began_anew": self.rates.has_begun_anew(),
            "by_second": rate.as_ref().map(|rate| {
                let [hits, misses, bypasses] = rate.requests();
                let [stored, evicted, invalidated] = rate.changes;
                let [hit_ms, fetch_ms] = rate.times;
                json!({"hits": hits, "misses": misses, "bypasses": bypasses, "fetches": rate.fetches, "stored": stored,
                    "evicted": evicted, "invalidations": invalidated, "not_stored": rate.not_stored, "rules": rules,
                    "hit_ms": hit_ms, "fetch_ms": fetch_ms})
            }),
            "instances": last.states,
            "heat": heat.collect::<Vec<_>>(),
            "stats": last.stats,
        })
    }
}

/// Of what was looked up.
fn share(hits: f64, misses: f64) -> String {
    match hits + misses > 0.0 {
        true => format!("{:.1}%", hits * 100.0 / (hits + misses)),
        false => "-".to_owned(),
    }
}
