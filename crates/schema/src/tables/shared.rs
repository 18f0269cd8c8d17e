//! The settings that stand at the top and, under the same name, in a rule.

use serde_json::json;

use crate::kinds::{MOST, bytes, lifetime, list, object, part, status, window};
use crate::model::{Absent, Field, Kind, List, Part, Table};

/// Which responses are stored, and how.
pub(super) fn responses() -> Vec<Field> {
    vec![
        Field::new(
            "heuristic",
            Kind::Flag,
            "Whether freshness is guessed from Last-Modified (a tenth of the time since then, a day at most) where nobody gives one.",
        )
        .or(false),
        Field::new(
            "request_cache_control",
            Kind::Word(&["ignore", "honor"]),
            "Whether clients' `no-cache`, `max-age`, `min-fresh`, `max-stale` and Pragma count; `no-store` and `only-if-cached` always do.",
        )
        .or("ignore"),
        Field::new(
            "set_cookie",
            Kind::Word(&["bypass", "strip", "store"]),
            "Responses that set cookies are not stored, stored without them (`\"strip\"`), or stored as they are (`\"store\"`): then whoever asks gets the cookie.",
        )
        .or("bypass"),
        Field::new(
            "cache_errors",
            Kind::Word(&["explicit", "never"]),
            "4xx and 5xx are stored when the origin gives them freshness, or `\"never\"`.",
        )
        .or("explicit"),
        Field::new(
            "no_vary_search",
            Kind::Flag,
            "Whether a response's No-Vary-Search counts: it then answers every URL that differs only in parameters that it names.",
        )
        .or(false)
        .see("what-the-origin-says"),
        Field::new("compression", object("compression", compression()), "What is stored is compressed, where that is worth it.")
            .see("compression"),
    ]
}

fn compression() -> Vec<Field> {
    vec![
        Field::new("enabled", Kind::Flag, "Whether stored responses are compressed.").or(true),
        Field::new("threshold_bytes", bytes(0, 128 << 20), "The shortest body that is tried.").or(1024),
        Field::new(
            "min_saving",
            part(Part::Less),
            "The part of a body that has to be saved: `0.1` is a tenth. What saves no more stays as it is.",
        )
        .or(0.1),
    ]
}

/// How the origin is spared.
pub(super) fn sparing() -> Vec<Field> {
    let statuses = list(status(500), 0, MOST);
    vec![
        Field::new(
            "stale_while_revalidate_seconds",
            window(),
            "For how long a stale response may be used while it is made fresh, where the origin says nothing.",
        )
        .or(0)
        .such_as(30),
        Field::new(
            "stale_if_error_seconds",
            window(),
            "For how long a stale response may be used when the origin fails, where the origin says nothing.",
        )
        .or(0)
        .such_as(3600),
        Field::new(
            "stale_if_error_statuses",
            statuses,
            "Which statuses are a failure, beside an origin that cannot be reached.",
        )
        .or(json!([500, 502, 503, 504])),
        Field::new("negative", list(Kind::Object(negative()), 0, MOST), "Errors that are stored although the origin gives them no freshness; each status once.")
            .or(json!([]))
            .such_as(json!([{ "status": [404, 410], "ttl_seconds": 10 }])),
        Field::new(
            "refresh_ahead",
            part(Part::UpTo(0.9)),
            "What is asked for often is made fresh in this last share of its lifetime, before it is stale; `0`: when it is over.",
        )
        .or(0)
        .such_as(0.1),
        Field::new(
            "ttl_jitter",
            part(Part::UpTo(0.9)),
            "By how much of itself a lifetime may be shorter, by chance, so that what was stored together is not stale together.",
        )
        .or(0)
        .such_as(0.1),
    ]
}

fn negative() -> Table {
    let statuses = Kind::OneOrMore(Box::new(List {
        of: status(400),
        least: 1,
        most: MOST,
    }));
    Table::new(
        "negative",
        vec![
            Field::new(
                "status",
                statuses,
                "The status of these errors, or several.",
            )
            .required()
            .such_as(404),
            Field::new("ttl_seconds", lifetime(), "For how long they are stored.")
                .required()
                .such_as(10),
        ],
    )
}

/// The same in a rule: what it does not say is said at the top.
pub(super) fn in_a_rule() -> Vec<Field> {
    let fields = responses().into_iter().chain(sparing());
    fields
        .map(|field| match field.kind {
            Kind::Object(table) => Field {
                kind: Kind::Object(of_rule(table)),
                ..field
            },
            Kind::Any
            | Kind::Flag
            | Kind::List(_)
            | Kind::OneOrMore(_)
            | Kind::Part(_)
            | Kind::Text(_)
            | Kind::Values
            | Kind::Whole(_)
            | Kind::Word(_) => field.absent(Absent::Top),
        })
        .collect()
}

/// The only object among them.
fn of_rule(table: Table) -> Table {
    let fields = table.fields().cloned();
    let fields = fields.map(|field| field.absent(Absent::Top)).collect();
    Table::new("compression_of_rule", fields)
}
