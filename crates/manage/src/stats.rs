//! The numbers that people ask for first.

use larder_core::report::{Counter, Gauge, Outcome as Served, RuleCounter};

use crate::answer::Desk;
use crate::json::Json;
use crate::outcome::Outcome;

/// `GET stats`.
pub(crate) fn stats(desk: &Desk<'_>) -> Outcome {
    let requests = |outcome: &Served| {
        let rules = desk.config().labels();
        let counts =
            rules.map(|(rule, _)| desk.numbers.of_rule(rule, RuleCounter::Requests(*outcome)));
        counts.fold(0, u64::saturating_add)
    };
    let hits = [Served::Hit, Served::Revalidated, Served::Stale].iter();
    let hits = hits.map(requests).fold(0, u64::saturating_add);
    let all = hits.saturating_add(requests(&Served::Miss));
    let entries = desk.numbers.gauge(Gauge::Entries);
    let entries = desk
        .tier
        .try_borrow()
        .ok()
        .and_then(|tier| tier.totals())
        .map_or(entries, |totals| totals.entries);
    let before = desk.numbers.counter(Counter::CompressionInput);
    let saved = desk.numbers.counter(Counter::CompressionSaved);
    Outcome::ok(
        Json::object()
            .number("total_entries", entries)
            .raw(
                "total_size_mb",
                &megabytes(desk.numbers.gauge(Gauge::Bytes)),
            )
            .text("hit_rate", &percent(hits, all))
            .text(
                "compression_ratio",
                &ratio(before.saturating_sub(saved), before),
            ),
    )
}

/// With two digits behind the point, as in "0.65"; of nothing, what is not smaller.
fn ratio(part: u64, all: u64) -> String {
    let hundredths = part.saturating_mul(100).saturating_add(all / 2);
    let hundredths = hundredths.checked_div(all).unwrap_or(100);
    let digits = hundredths % 100;
    let zero = if digits < 10 { "0" } else { "" };
    [
        &(hundredths / 100).to_string(),
        ".",
        zero,
        &digits.to_string(),
    ]
    .concat()
}

/// With one digit behind the point, as in "78.5%".
fn percent(part: u64, all: u64) -> String {
    let tenths = part.saturating_mul(1000).saturating_add(all / 2);
    let mut shown = tenths_of(tenths.checked_div(all).unwrap_or_default());
    shown.push('%');
    shown
}

/// With one digit behind the point.
fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1 << 20;
    tenths_of(bytes.saturating_mul(10).saturating_add(MEGABYTE / 2) / MEGABYTE)
}

fn tenths_of(tenths: u64) -> String {
    [&(tenths / 10).to_string(), ".", &(tenths % 10).to_string()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_digit_behind_the_point() {
        for (part, all, shown) in [
            (0, 0, "0.0%"),
            (0, 7, "0.0%"),
            (785, 1000, "78.5%"),
            (2, 3, "66.7%"),
            (7, 7, "100.0%"),
        ] {
            assert_eq!(percent(part, all), shown);
        }
        assert_eq!(megabytes(47_500_000), "45.3");
        assert_eq!(megabytes(0), "0.0");
        assert_eq!(
            [ratio(65, 100), ratio(1, 20), ratio(0, 0)],
            ["0.65", "0.05", "1.00"]
        );
    }
}
