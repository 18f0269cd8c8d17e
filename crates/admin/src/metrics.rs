//! The service's own numbers, in the text format of Prometheus.
//!
//! Each family is in one table with its labels and what it says, and docs/operations.md has a row for each. Series come into
//! being when something is counted; labels have few values, none of them a client's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

macro_rules! families {
    ($($(#[doc = $help:literal])+ $name:ident = $text:literal, $kind:ident, [$($label:literal),*];)+) => {
        /// A family of numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Family {
            $($(#[doc = $help])+ $name,)+
        }

        impl Family {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            const fn help(self) -> &'static str {
                match self { $(Self::$name => concat!($($help),+)),+ }
            }

            const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),+ }
            }

            /// What its series are told apart by.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($label),*]),+ }
            }
        }
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

families! {
    /// Requests, by route and status.
    Requests = "larder_admin_requests_total", Counter, ["route", "status"];
    /// How long requests that wait for nothing took, in seconds, by route.
    RequestSeconds = "larder_admin_request_seconds", Histogram, ["route"];
    /// Records that were put into the log, by what they cover and how much they take away.
    Invalidations = "larder_admin_invalidations_total", Counter, ["kind", "mode"];
    /// From when a record was put into the log until it was sent to an instance, in seconds.
    InvalidationLag = "larder_invalidation_lag_seconds", Histogram, [];
    /// Instances that were told to drop everything, by why.
    Resets = "larder_admin_resets_total", Counter, ["reason"];
    /// Requests that wait now, by what for.
    Waiting = "larder_admin_waiting", Gauge, ["for"];
    /// Entries that were asked for, by what came of it.
    EntriesGot = "larder_admin_entries_got_total", Counter, ["result"];
    /// Entries that were brought, by what came of it.
    EntriesPut = "larder_admin_entries_put_total", Counter, ["result"];
    /// Entries that were taken out of the store, by why.
    EntriesRemoved = "larder_admin_entries_removed_total", Counter, ["reason"];
    /// Bytes of entries, in and out.
    EntryBytes = "larder_admin_entry_bytes_total", Counter, ["direction"];
    /// Leads that were asked for or ended, by what came of it.
    Leases = "larder_admin_leases_total", Counter, ["result"];
    /// Calls of the store that failed, by call.
    StoreErrors = "larder_admin_store_errors_total", Counter, ["call"];
    /// How long calls of the store took, in seconds, by call.
    StoreSeconds = "larder_admin_store_seconds", Histogram, ["call"];
    /// Whether the log is followed: 1, or 0 while the store does not answer.
    Following = "larder_admin_following", Gauge, [];
    /// The position up to which the log was followed.
    FollowerPosition = "larder_admin_follower_position", Gauge, [];
    /// How long ago the store last said that nothing stands behind that, in seconds.
    FollowerAge = "larder_admin_follower_age_seconds", Gauge, [];
    /// Instances that were heard of within 30 seconds.
    Instances = "larder_admin_instances", Gauge, [];
    /// Wrong secrets and tokens, by which.
    AuthFailures = "larder_admin_auth_failures_total", Counter, ["what"];
}

/// Upper bounds of the buckets of a histogram, in microseconds.
const BUCKETS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000,
];

/// A label's values, in the order of [`Family::labels`].
type Labels = Vec<String>;

#[derive(Debug, Default)]
struct Distribution {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    micros: u64,
}

#[derive(Debug, Default)]
struct Numbers {
    plain: BTreeMap<(Family, Labels), u64>,
    spread: BTreeMap<(Family, Labels), Distribution>,
}

/// The numbers of this process.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

impl Metrics {
    /// One more.
    pub fn count(&self, family: Family, labels: &[&str]) {
        self.add(family, labels, 1);
    }

    /// So many more.
    pub fn add(&self, family: Family, labels: &[&str], by: u64) {
        let mut numbers = self.numbers();
        let number = numbers.plain.entry(series(family, labels)).or_default();
        *number = number.saturating_add(by);
    }

    /// One fewer, of a number that goes down too.
    pub fn take(&self, family: Family, labels: &[&str]) {
        let mut numbers = self.numbers();
        let number = numbers.plain.entry(series(family, labels)).or_default();
        *number = number.saturating_sub(1);
    }

    /// It is this.
    pub fn set(&self, family: Family, labels: &[&str], value: u64) {
        self.numbers().plain.insert(series(family, labels), value);
    }

    /// It took so long.
    pub fn measure(&self, family: Family, labels: &[&str], time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut numbers = self.numbers();
        let spread = numbers.spread.entry(series(family, labels)).or_default();
        let bounds = BUCKETS.iter().zip(&mut spread.buckets);
        for (bound, bucket) in bounds {
            *bucket = bucket.saturating_add(u64::from(micros <= *bound));
        }
        spread.count = spread.count.saturating_add(1);
        spread.micros = spread.micros.saturating_add(micros);
    }

    /// What a number is now.
    pub fn value(&self, family: Family, labels: &[&str]) -> u64 {
        let series = series(family, labels);
        let numbers = self.numbers();
        let plain = numbers.plain.get(&series).copied();
        let spread = || numbers.spread.get(&series).map(|spread| spread.count);
        plain.or_else(spread).unwrap_or_default()
    }

    /// All of it, as Prometheus reads it.
    pub fn exposition(&self) -> String {
        let numbers = self.numbers();
        let mut out = String::new();
        for family in Family::ALL {
            expose(*family, &numbers, &mut out);
        }
        out
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn series(family: Family, labels: &[&str]) -> (Family, Labels) {
    let labels = labels.iter().map(|label| (*label).to_owned());
    (family, labels.collect())
}

fn expose(family: Family, numbers: &Numbers, out: &mut String) {
    let name = family.name();
    let kind = match family.kind() {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let help = family.help().trim();
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    let of_family = |key: &(Family, Labels)| key.0 == family;
    for (key, value) in numbers.plain.iter().filter(|(key, _)| of_family(key)) {
        let labels = labelled(family, &key.1, None);
        let _ = writeln!(out, "{name}{labels} {value}");
    }
    for (key, spread) in numbers.spread.iter().filter(|(key, _)| of_family(key)) {
        for (bound, count) in BUCKETS.iter().zip(&spread.buckets) {
            let labels = labelled(family, &key.1, Some(&seconds(*bound)));
            let _ = writeln!(out, "{name}_bucket{labels} {count}");
        }
        let all = labelled(family, &key.1, Some("+Inf"));
        let labels = labelled(family, &key.1, None);
        let (count, sum) = (spread.count, seconds(spread.micros));
        let _ = writeln!(
            out,
            "{name}_bucket{all} {count}\n{name}_sum{labels} {sum}\n{name}_count{labels} {count}"
        );
    }
}

fn labelled(family: Family, values: &[String], bound: Option<&str>) -> String {
    let own = family.labels().iter().copied();
    let own = own.zip(values.iter().map(String::as_str));
    let all: Vec<String> = own
        .chain(bound.map(|bound| ("le", bound)))
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    match all.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", all.join(",")),
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> String {
    let whole = micros.checked_div(1_000_000).unwrap_or_default();
    let rest = micros.checked_rem(1_000_000).unwrap_or_default();
    let text = format!("{whole}.{rest:06}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.count(Family::Requests, &["GET /v1/\"x\"", "200"]);
        metrics.count(Family::Requests, &["GET /v1/\"x\"", "200"]);
        metrics.measure(Family::InvalidationLag, &[], Duration::from_millis(3));
        metrics.set(Family::Following, &[], 1);
        let text = metrics.exposition();
        for line in [
            "# TYPE larder_admin_requests_total counter",
            "larder_admin_requests_total{route=\"GET /v1/\\\"x\\\"\",status=\"200\"} 2",
            "larder_invalidation_lag_seconds_bucket{le=\"0.0025\"} 0",
            "larder_invalidation_lag_seconds_bucket{le=\"0.005\"} 1",
            "larder_invalidation_lag_seconds_bucket{le=\"+Inf\"} 1",
            "larder_invalidation_lag_seconds_sum 0.003",
            "larder_invalidation_lag_seconds_count 1",
            "larder_admin_following 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert_eq!(metrics.value(Family::InvalidationLag, &[]), 1);
    }

    #[test]
    fn the_manual_lists_every_number() {
        let manual = include_str!("../../../docs/operations.md");
        for family in Family::ALL {
            let labels = family.labels().iter().map(|label| format!("`{label}`"));
            let labels: Vec<_> = labels.collect();
            let (name, help) = (family.name(), family.help().trim());
            let row = format!("| `{name}` | {} | {help} |", labels.join(", "));
            assert!(
                manual.lines().any(|line| line == row),
                "docs/operations.md should have\n{row}"
            );
        }
    }
}
