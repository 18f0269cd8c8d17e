//! What came of a purge, for people.

use serde_json::Value;

use super::Deed;
use super::names::Names;
use crate::exit::Failure;
use crate::output::Printer;
use crate::shown::{count, items, number, seen, size, text};

/// Writes what was done and what came of it.
pub(super) fn shown(names: &Names, deeds: &[Deed], out: &mut Printer) -> Result<(), Failure> {
    for deed in deeds {
        out.line(&seen(&headline(names, deed)))?;
        for line in details(deed) {
            out.line(&format!("  {}", seen(&line)))?;
        }
    }
    Ok(())
}

fn headline(names: &Names, deed: &Deed) -> String {
    if let Some(user) = &deed.user {
        return format!("removed: everything about user {user}");
    }
    let named = deed.answer.pointer("/named").and_then(Value::as_object);
    let named = named.into_iter().flatten();
    let named: Vec<String> = named
        .filter(|(_, count)| count.as_u64() != Some(0))
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let what = match names.all {
        true => "everything".to_owned(),
        false => named.join(", "),
    };
    match deed.answer.pointer("/mode").and_then(Value::as_str) {
        Some(mode) => format!("purged ({mode}): {what}"),
        None => "counted, nothing was purged".to_owned(),
    }
}

fn details(deed: &Deed) -> Vec<String> {
    let mut lines = Vec::new();
    match deed.answer.pointer("/durable").and_then(Value::as_bool) {
        Some(true) => lines.push(format!("stands in the fleet's log as {}", text(&deed.answer, "/id"))),
        Some(false) => lines.push("is not in the fleet's log yet: it holds here, and is said to the others as soon as it can be".to_owned()),
        None => {}
    }
    let Some(end) = &deed.end else {
        let receipt =
            ["/receipt", "/id"].map(|place| deed.answer.pointer(place).and_then(Value::as_str));
        let is_durable = deed.answer.pointer("/durable").is_some();
        let receipt = receipt
            .into_iter()
            .flatten()
            .next()
            .filter(|_| deed.user.is_some() || !is_durable);
        lines.extend(
            receipt.map(|receipt| format!("receipt {receipt}: --wait waits for what it says")),
        );
        return lines;
    };
    let last = &end.last;
    if last.pointer("/entries").is_some() {
        let (entries, bytes) = (number(last, "/entries"), number(last, "/bytes"));
        let met = match (deed.user.is_some(), deed.answer.pointer("/mode")) {
            (true, _) => "removed",
            (false, Some(_)) => "met",
            (false, None) => "would meet",
        };
        lines.push(format!("{met} {} entries, {}", count(entries), size(bytes)));
    }
    if last.pointer("/missing").is_some() {
        lines.extend(spread(last));
    }
    lines.push(format!("{}: {}", text(last, "/id"), text(last, "/status")));
    lines
}

/// Who has applied it, and who has not.
fn spread(last: &Value) -> Vec<String> {
    let applied = items(last, "/applied");
    let slowest = applied.iter().map(|one| number(one, "/after_ms")).max();
    // Who has said that it follows beyond this has applied it too, and has not said how soon.
    let by = match items(last, "/missing").is_empty() {
        true => "all instances".to_owned(),
        false => format!("{} instances", applied.len()),
    };
    let mut lines: Vec<String> = slowest
        .map(|slowest| format!("applied by {by}, the slowest after {slowest} ms"))
        .into_iter()
        .collect();
    let erased = items(last, "/instances").iter();
    let erased = erased
        .filter(|one| one.pointer("/erased") == Some(&Value::Bool(true)))
        .count();
    if erased > 0 {
        lines.push(format!("gone from the memory of {erased} instances"));
    }
    for one in items(last, "/missing") {
        let who = match one.pointer("/node").and_then(Value::as_str) {
            Some(node) => format!("{} ({node})", text(one, "/instance")),
            None => one.to_string(),
        };
        lines.push(format!("awaited: {who}"));
    }
    lines
}
