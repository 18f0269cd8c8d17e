//! `larderctl stats`: how the cache does, in numbers, and what could be better.

use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer, Style, Table};
use crate::remote::Call;
use crate::shown::{count, items, number, seen, text};

/// Show how the cache does: hit rate, requests by rule, what is stored, why responses were not, and what could be better
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Stats {}

impl Stats {
    /// Asks, and shows the answers.
    ///
    /// # Errors
    /// Where the other side does not answer, or refuses.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let client = global.reach.client()?;
        let stats = client.call(Call::get("/stats"))?;
        if stats.pointer("/total_entries").is_none() {
            let message = format!("{}: what answered there is no Larder", client.place());
            return Err(Failure::said(Exit::Unreachable, message));
        }
        let performance = client.call(Call::get("/performance"))?;
        match out.output() {
            Output::Json => out.json(&json!({"stats": stats, "performance": performance}))?,
            Output::Table => shown(&client.place(), &stats, &performance, out)?,
        }
        Ok(Exit::Fine)
    }
}

fn shown(
    place: &str,
    stats: &Value,
    performance: &Value,
    out: &mut Printer,
) -> Result<(), Failure> {
    let who = match stats.pointer("/instances").and_then(Value::as_array) {
        None => "one Envoy".to_owned(),
        Some(instances) => format!("a fleet, instances: {}", instances.len()),
    };
    out.line(&format!("{place} ({who})\n"))?;
    for (name, line) in summary(stats, performance) {
        out.line(&format!("{name:<14} {}", seen(&line)))?;
    }
    let tables = [
        instances(stats),
        rules(performance),
        counted("not stored", performance, "/not_stored"),
        counted("bypassed", performance, "/bypassed"),
    ];
    for table in tables.iter().filter(|table| !table.is_empty()) {
        out.line("")?;
        out.table(table)?;
    }
    let advice = items(performance, "/recommendation_details");
    if !advice.is_empty() {
        let heading = "what could be better (--output json has the patches)";
        out.line(&format!("\n{}", out.styled(Style::Bold, heading)))?;
    }
    for one in advice {
        let (said, why) = (text(one, "/text"), text(one, "/why"));
        out.line(&format!("{} ({})", seen(&said), seen(&why)))?;
    }
    Ok(())
}

fn summary(stats: &Value, performance: &Value) -> Vec<(&'static str, String)> {
    let of = |name: &str| count(number(performance, name));
    let evictions = performance.pointer("/evictions").and_then(Value::as_object);
    let evicted = evictions.into_iter().flatten();
    let evicted: Vec<String> = evicted
        .filter(|(_, count)| count.as_u64() != Some(0))
        .map(|(cause, number)| format!("{cause} {number}"))
        .collect();
    vec![
        (
            "hit rate",
            format!(
                "{} of {} requests looked up; {} bypassed",
                text(performance, "/service_metrics/hit_rate"),
                of("/middleware_metrics/total_requests"),
                of("/middleware_metrics/bypasses"),
            ),
        ),
        (
            "answered in",
            format!(
                "{} ms from the cache, {} ms from the origin",
                text(performance, "/service_metrics/cached_response_time_ms"),
                text(performance, "/service_metrics/fresh_response_time_ms"),
            ),
        ),
        (
            "entries",
            format!(
                "{} in {} MB of shared memory, {} MB in the workers' own; {} tags; compression {}",
                count(number(stats, "/total_entries")),
                text(stats, "/total_size_mb"),
                text(stats, "/worker_size_mb"),
                text(stats, "/tags_count"),
                text(stats, "/compression_ratio"),
            ),
        ),
        ("stored", count(number(stats, "/stored"))),
        (
            "invalidations",
            format!(
                "{}, {} a minute, {} failed",
                of("/invalidations/total"),
                text(performance, "/invalidations/per_minute"),
                of("/invalidations/failed"),
            ),
        ),
        (
            "evictions",
            match evicted.is_empty() {
                true => "none".to_owned(),
                false => evicted.join(", "),
            },
        ),
    ]
}

fn instances(stats: &Value) -> Table {
    let mut table = Table::new(&["instance", "node", "#hit rate", "#entries", "#MB"]);
    for one in items(stats, "/instances") {
        table.row([
            text(one, "/id"),
            text(one, "/node"),
            text(one, "/stats/hit_rate"),
            count(number(one, "/stats/total_entries")),
            text(one, "/stats/total_size_mb"),
        ]);
    }
    table
}

fn rules(performance: &Value) -> Table {
    let rules = items(performance, "/rules");
    let shadows = |rule: &Value| {
        number(rule, "/shadow_matches").saturating_add(number(rule, "/shadow_mismatches"))
    };
    let has_shadows = rules.iter().any(|rule| shadows(rule) > 0);
    let mut columns = vec!["rule", "#hits", "#misses", "#bypasses", "#hit rate"];
    if has_shadows {
        columns.extend(["#shadow: same", "#shadow: other"]);
    }
    let mut table = Table::new(&columns);
    for rule in rules {
        let numbers = ["/hits", "/misses", "/bypasses"].map(|name| count(number(rule, name)));
        let mut row = vec![text(rule, "/name")];
        row.extend(numbers);
        row.push(text(rule, "/hit_rate"));
        if has_shadows {
            row.extend(
                ["/shadow_matches", "/shadow_mismatches"].map(|name| count(number(rule, name))),
            );
        }
        table.row(row);
    }
    table
}

/// What was counted by reason, the most first.
fn counted(heading: &str, performance: &Value, place: &str) -> Table {
    let mut table = Table::new(&[heading, "#count"]);
    let reasons = performance.pointer(place).and_then(Value::as_object);
    let mut reasons: Vec<(&String, u64)> = reasons
        .into_iter()
        .flatten()
        .map(|(reason, count)| (reason, count.as_u64().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, number) in reasons {
        table.row([reason.clone(), count(number)]);
    }
    table
}
