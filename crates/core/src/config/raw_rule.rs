//! One rule as the operator wrote it.

use serde_json::Value;

use super::orders::RawOrders;
use super::raw::{RawDefaults, read_defaults, seconds};
use super::read::{Cursor, Fields, Given};
use super::tagging::read_text;
use super::word::{cookie_name, field_name, field_values, names, rule_name, token};
use super::write::writable;
use super::{IdentitySource, PrivateResponses, QueryOrder, Trust};
use crate::time::Seconds;

const MAX_RULES: usize = 1024;
const MAX_PATTERN_BYTES: usize = 1024;
/// The fields that mean something only where responses are cached.
const CACHING: [&str; 22] = [
    "ttl_seconds",
    "ttl_mode",
    "key",
    "hold_headers",
    "esi",
    "json_include",
    "identity",
    "store_if",
    "heuristic",
    "request_cache_control",
    "set_cookie",
    "cache_errors",
    "no_vary_search",
    "compression",
    "stale_while_revalidate_seconds",
    "stale_if_error_seconds",
    "stale_if_error_statuses",
    "negative",
    "refresh_ahead",
    "ttl_jitter",
    "tags",
    "shadow",
];

pub(super) struct RawRule {
    /// The path of the rule in the document.
    pub(super) at: String,
    pub(super) name: Given<String>,
    pub(super) matching: RawMatch,
    pub(super) cache: Given<bool>,
    pub(super) invalidates: Given<RawOrders>,
    /// The fields it has that mean something only where responses are cached.
    pub(super) caching_fields: Vec<&'static str>,
    pub(super) ttl: Given<Seconds>,
    pub(super) ttl_mode: RawTtlMode,
    pub(super) key: RawKey,
    pub(super) hold_headers: Given<bool>,
    pub(super) esi: Given<bool>,
    pub(super) json_include: Given<bool>,
    pub(super) identity: Option<RawIdentity>,
    pub(super) store_if: RawStoreIf,
    pub(super) tags: Vec<RawText>,
    pub(super) shadow: Given<bool>,
    pub(super) settings: RawDefaults,
}

/// A text that is still to be read.
pub(super) struct RawText {
    /// Its path in the document.
    pub(super) at: String,
    pub(super) text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RawTtlMode {
    Default,
    Override,
}

#[derive(Default)]
pub(super) struct RawMatch {
    pub(super) path: Given<String>,
    pub(super) host: Option<RawText>,
    pub(super) methods: Given<Vec<String>>,
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Default)]
pub(super) struct RawKey {
    pub(super) template: Option<String>,
    pub(super) headers: Vec<String>,
    pub(super) cookies: Vec<String>,
    pub(super) query: RawQuery,
    pub(super) body: Given<bool>,
}

#[derive(Default)]
pub(super) struct RawQuery {
    pub(super) include: Option<Vec<String>>,
    pub(super) exclude: Vec<String>,
    pub(super) order: Option<QueryOrder>,
}

pub(super) struct RawIdentity {
    /// Each form that is given.
    pub(super) sources: Vec<Given<IdentitySource>>,
    pub(super) trust: Trust,
    pub(super) private: PrivateResponses,
}

#[derive(Default)]
pub(super) struct RawStoreIf {
    pub(super) status: Option<Vec<u16>>,
    pub(super) response_header: Vec<(String, String)>,
    pub(super) json: Option<RawCondition>,
}

pub(super) struct RawCondition {
    pub(super) pointer: Given<String>,
    pub(super) equals: Given<Value>,
}

/// Reads the list of rules.
pub(super) fn read_rules(cursor: Cursor<'_>) -> Given<Vec<RawRule>> {
    let rule = |cursor: Cursor<'_>| cursor.object(read_rule).value();
    cursor
        .items(MAX_RULES)
        .map(|rules| rules.into_iter().filter_map(rule).collect())
}

fn read_rule(fields: &mut Fields<'_>) -> RawRule {
    RawRule {
        at: fields.path.clone(),
        caching_fields: CACHING
            .into_iter()
            .filter(|name| fields.has(name))
            .collect(),
        name: fields.required("name", rule_name),
        matching: fields
            .required("match", |cursor| cursor.object(read_match))
            .unwrap_or(RawMatch {
                path: Given::Refused, // so that a template is not blamed for groups that nobody can know
                ..RawMatch::default()
            }),
        cache: fields.optional("cache", Cursor::flag),
        invalidates: fields.optional("invalidates", RawOrders::read),
        ttl: fields.optional("ttl_seconds", seconds),
        ttl_mode: fields
            .optional("ttl_mode", |cursor| {
                cursor.word(&[
                    ("default", RawTtlMode::Default),
                    ("override", RawTtlMode::Override),
                ])
            })
            .unwrap_or(RawTtlMode::Default),
        key: fields
            .optional("key", |cursor| cursor.object(read_key))
            .unwrap_or(RawKey::default()),
        hold_headers: fields.optional("hold_headers", Cursor::flag),
        esi: fields.optional("esi", Cursor::flag),
        json_include: fields.optional("json_include", Cursor::flag),
        identity: fields
            .optional("identity", |cursor| cursor.object(read_identity))
            .value(),
        store_if: fields
            .optional("store_if", |cursor| cursor.object(read_store_if))
            .unwrap_or(RawStoreIf::default()),
        tags: fields
            .optional("tags", |cursor| {
                names(cursor, 0, |cursor| read_text(cursor, 512))
            })
            .unwrap_or(Vec::new()),
        shadow: fields.optional("shadow", Cursor::flag),
        settings: read_defaults(fields),
    }
}

fn read_match(fields: &mut Fields<'_>) -> RawMatch {
    RawMatch {
        path: fields.optional("path", |cursor| {
            cursor.text(1..=MAX_PATTERN_BYTES).map(str::to_owned)
        }),
        host: fields
            .optional("host", |cursor| read_text(cursor, 255))
            .value(),
        methods: fields.optional("methods", |cursor| names(cursor, 1, token)),
        headers: fields
            .optional("headers", field_values)
            .unwrap_or(Vec::new()),
    }
}

fn read_key(fields: &mut Fields<'_>) -> RawKey {
    RawKey {
        template: owned(fields.optional("template", |cursor| cursor.text(1..=512))),
        headers: fields
            .optional("headers", |cursor| names(cursor, 0, field_name))
            .unwrap_or(Vec::new()),
        cookies: fields
            .optional("cookies", |cursor| names(cursor, 0, cookie_name))
            .unwrap_or(Vec::new()),
        query: fields
            .optional("query", |cursor| cursor.object(read_query))
            .unwrap_or(RawQuery::default()),
        body: fields.optional("body", Cursor::flag),
    }
}

fn read_query(fields: &mut Fields<'_>) -> RawQuery {
    let pattern = |cursor: Cursor<'_>| cursor.text(1..=128).map(str::to_owned);
    RawQuery {
        include: fields
            .optional("include", |cursor| names(cursor, 0, pattern))
            .value(),
        exclude: fields
            .optional("exclude", |cursor| names(cursor, 0, pattern))
            .unwrap_or(Vec::new()),
        order: fields
            .optional("sort", Cursor::flag)
            .map(|sort| match sort {
                true => QueryOrder::Sorted,
                false => QueryOrder::AsSent,
            })
            .value(),
    }
}

fn read_identity(fields: &mut Fields<'_>) -> RawIdentity {
    let claim = |cursor: Cursor<'_>| cursor.text(1..=128).map(str::to_owned);
    let sources = [
        fields
            .optional("header", field_name)
            .map(IdentitySource::Header),
        fields
            .optional("cookie", cookie_name)
            .map(IdentitySource::Cookie),
        fields
            .optional("jwt_claim", claim)
            .map(IdentitySource::JwtClaim),
        fields
            .optional("metadata", |cursor| names(cursor, 2, claim))
            .map(IdentitySource::Metadata),
    ];
    let trusted = fields.optional("trusted", Cursor::flag).unwrap_or(false);
    let private = fields
        .optional("store_private", Cursor::flag)
        .unwrap_or(false);
    RawIdentity {
        sources: sources
            .into_iter()
            .filter(|source| *source != Given::Absent)
            .collect(),
        trust: match trusted {
            true => Trust::Verified,
            false => Trust::Claimed,
        },
        private: match private {
            true => PrivateResponses::Store,
            false => PrivateResponses::Bypass,
        },
    }
}

fn read_store_if(fields: &mut Fields<'_>) -> RawStoreIf {
    RawStoreIf {
        status: fields
            .optional("status", |cursor| {
                names(cursor, 1, |cursor| status(cursor, 200))
            })
            .value(),
        response_header: fields
            .optional("response_header", field_values)
            .unwrap_or(Vec::new()),
        json: fields
            .optional("json", |cursor| {
                cursor.object(|fields| RawCondition {
                    pointer: fields
                        .required("pointer", |cursor| cursor.text(0..=512).map(str::to_owned)),
                    equals: fields.required("equals", |cursor| match writable(cursor.value) {
                        true => Given::Value(cursor.value.clone()),
                        false => {
                            cursor.refuse("has a number with more digits than can be compared")
                        }
                    }),
                })
            })
            .value(),
    }
}

/// A status from `least` on.
pub(super) fn status(cursor: Cursor<'_>, least: u64) -> Given<u16> {
    let number = cursor.number(least..=599);
    number.map(|number| u16::try_from(number).unwrap_or(u16::MAX)) // the bounds fit, so it does not fail
}

fn owned(text: Given<&str>) -> Option<String> {
    text.value().map(str::to_owned)
}
