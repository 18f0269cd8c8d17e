//! The fields at the top.

use serde_json::json;

use super::{rule, service, shared};
use crate::kinds::{CLUSTER, bytes, lifetime, list, object, part, text, whole, window};
use crate::model::{Field, Group, Kind, Part, Table, Unit, Whole};

const MIB: u64 = 1 << 20;
const MOST_RULES: usize = 1024;

/// The whole document.
#[must_use]
pub fn top() -> Table {
    Table {
        name: "configuration",
        groups: vec![
            Group::new("top.first", first()),
            Group::new("top.responses", shared::responses()),
            Group::new("top.sparing", shared::sparing()),
            Group::new("top.origin", origin()),
            Group::new("top.headers", vec![headers()]),
            Group::new("top.limits", vec![limits(), storage()]),
            Group::new("top.composition", vec![composition()]),
            Group::new("top.management", vec![service::management()]),
            Group::new("top.admin", vec![service::admin()]),
        ],
        conditions: Vec::new(),
    }
}

fn first() -> Vec<Field> {
    let rules = list(Kind::Object(rule()), 0, MOST_RULES);
    vec![
        Field::new(
            "$schema",
            Kind::Text(text(("a reference to a schema", "references to schemas"), 2048)),
            "Where an editor finds the schema of the configuration. It means nothing to Larder.",
        )
        .such_as("larder.schema.json"),
        Field::new("rules", rules, "Tried in order; the first that matches a request decides.")
            .or(json!([]))
            .see("in-a-rule"),
        Field::new(
            "unmatched",
            Kind::Word(&["rfc9111", "bypass"]),
            "What becomes of requests that no rule matches: cached where the origin gives explicit freshness, or left alone (`\"bypass\"`).",
        )
        .or("rfc9111"),
        Field::new(
            "default_ttl_seconds",
            lifetime(),
            "The `ttl_seconds` of caching rules that name none.",
        )
        .or_null()
        .or(json!(null))
        .such_as(60),
        Field::new(
            "route_metadata",
            Kind::Flag,
            "Whether routes may carry settings of their own in their metadata.",
        )
        .or(false)
        .see("where-an-endpoint-says-its-own-settings"),
    ]
}

fn origin() -> Vec<Field> {
    vec![
        Field::new("coalesce", coalesce(), "Requests for the same thing wait for the one that fetches it."),
        Field::new(
            "hit_for_miss_seconds",
            whole(0, 86_400),
            "For how long it is remembered that a response was not for others, so that nobody waits for the next one; `0` does not remember it.",
        )
        .or(120),
        Field::new("breaker", breaker(), "When an origin counts as failed: then it is asked by one request at a time while there is something stale."),
        Field::new(
            "background",
            object("background", vec![
                Field::new(
                    "cluster",
                    Kind::Text(CLUSTER),
                    "The Envoy cluster through which refreshes, warming and fragments of pages go; `null`: that of the route.",
                )
                .or_null()
                .or(json!(null))
                .such_as("refreshes"),
            ]),
            "Requests that Larder makes itself.",
        ),
    ]
}

fn coalesce() -> Kind {
    object(
        "coalesce",
        vec![
            Field::new(
                "wait_seconds",
                whole(1, 60),
                "How long a request waits for another one that is asking the origin for the same.",
            )
            .or(5),
            Field::new(
                "max_waiters",
                whole(0, 65_536),
                "How many wait so for one key on one worker; `0` switches waiting off.",
            )
            .or(1024),
        ],
    )
}

fn breaker() -> Kind {
    object(
        "breaker",
        vec![
            Field::new(
                "window_seconds",
                whole(1, 3600),
                "The time whose answers from the origin are looked at.",
            )
            .or(10),
            Field::new(
                "failure_ratio",
                part(Part::Between),
                "The share of failures among these answers from which on the origin counts as failed.",
            )
            .or(0.5),
            Field::new(
                "min_requests",
                whole(1, 1_000_000),
                "With fewer answers in that time an origin does not count as failed.",
            )
            .or(20),
            Field::new(
                "max_stale_seconds",
                window(),
                "For how long beyond its windows a stale response is used while the origin counts as failed.",
            )
            .or(0)
            .such_as(600),
        ],
    )
}

fn headers() -> Field {
    let flag = |name, default: bool, about| Field::new(name, Kind::Flag, about).or(default);
    let fields = vec![
        flag(
            "x_cache",
            true,
            "Whether responses get `x-cache`, and `x-cache-age` where they come from the cache.",
        ),
        flag(
            "cache_status",
            true,
            "Whether responses get `cache-status` (RFC 9211), with the reason.",
        ),
        flag(
            "cache_control",
            true,
            "Whether a response gets `cache-control` that has none and is cached by a rule's TTL.",
        ),
        flag(
            "warning",
            false,
            "Whether stale answers get `warning: 110` or `111`, which RFC 9111 has made obsolete.",
        ),
        flag(
            "expose_tags",
            false,
            "Whether clients see the origin's tag fields.",
        )
        .see("tags"),
    ];
    let about = "Which fields Larder adds to responses, and leaves on them.";
    Field::new("headers", object("headers", fields), about).see("what-is-on-a-response")
}

fn limits() -> Field {
    let fields = vec![
        Field::new("max_object_bytes", bytes(1, 128 * MIB), "The largest body that is stored.")
            .or(MIB),
        Field::new(
            "capture_bytes",
            bytes(1, 512 * MIB),
            "What a worker keeps of exchanges under way: bodies that are being stored, and requests that wait. At least `limits.max_object_bytes`.",
        )
        .or(64 * MIB),
        Field::new("max_tags", whole(1, 256), "The tags of one response.").or(64),
        Field::new("max_variants", whole(1, 256), "The variants (`Vary`) of one URL.").or(16),
        Field::new(
            "max_key_bytes",
            bytes(256, 65_536),
            "One key, with everything that tells requests apart.",
        )
        .or(4096),
    ];
    let about = "What one request or response may take.";
    Field::new("limits", object("limits", fields), about)
}

fn storage() -> Field {
    let slots = Whole {
        least: 8,
        most: 1 << 24,
        step: 8,
        unit: Unit::Other,
    };
    let fields = vec![
        Field::new("slots", Kind::Whole(slots), "How many responses there is room for. It holds from the start of Envoy on; a later change is ignored with a warning.").or(65_536),
        Field::new(
            "max_bytes",
            bytes(4096, 1 << 40),
            "What stored responses may take in the memory that all workers share, keys and heads included. At least `limits.max_object_bytes`.",
        )
        .or(256 * MIB),
        Field::new(
            "hot_bytes",
            bytes(0, 256 * MIB),
            "What each worker keeps in its own memory besides; `0` turns that off.",
        )
        .or(16 * MIB),
        Field::new(
            "log_records",
            whole(256, 65_536),
            "Invalidated tags, keys and URLs that are remembered one by one; older ones share places, so that too much may be invalid, never too little.",
        )
        .or(4096),
    ];
    Field::new("storage", object("storage", fields), "What is kept.")
}

fn composition() -> Field {
    let fields = vec![
        Field::new(
            "max_depth",
            whole(1, 16),
            "How deep templates may stand in templates; `1`: fragments are no templates.",
        )
        .or(3),
        Field::new(
            "max_fragments",
            whole(1, 1024),
            "The fragments of one page, in all depths.",
        )
        .or(64),
        Field::new(
            "max_bytes",
            bytes(1, 16 * MIB),
            "A template, and a page with its fragments.",
        )
        .or(MIB),
        Field::new(
            "timeout_ms",
            whole(1, 60_000),
            "How long clients wait for the fragments of one page.",
        )
        .or(2000),
    ];
    let about = "What one page may take that is made of fragments.";
    Field::new("composition", object("composition", fields), about)
}
