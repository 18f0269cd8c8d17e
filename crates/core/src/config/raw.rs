//! The configuration as the operator wrote it: every field read and bounded, none yet related to another.
//!
//! The names of the fields stand here and nowhere else.

use serde_json::Value;

use super::admin::Admin;
use super::composition::Composition;
use super::compression::RawCompression;
use super::management::Management;
use super::raw_origin::{RawOrigin, RawSparing};
use super::raw_rule::{RawRule, read_rules};
use super::read::{Cursor, Fields, Given};
use super::{
    AddedHeaders, CacheErrors, Heuristic, NoVarySearch, RequestCacheControl, SetCookie, Switch,
};
use crate::time::Seconds;

/// The host gives a VM 1 GiB (proxy-wasm-cpp-host `limits.h`), and whoever asks for more takes the worker down: half of it
/// for what is under way, and room beside it for the copies of one body on its way into a slot.
const MAX_CAPTURE_BYTES: u64 = 512 << 20;
const MAX_OBJECT_BYTES: u64 = 128 << 20;
const MAX_HOT_BYTES: u64 = 256 << 20;

pub(super) struct RawConfig {
    pub(super) rules: Vec<RawRule>,
    pub(super) unmatched: RawUnmatched,
    pub(super) default_ttl: Given<Seconds>,
    pub(super) defaults: RawDefaults,
    pub(super) headers: AddedHeaders,
    pub(super) limits: RawLimits,
    pub(super) composition: Composition,
    pub(super) storage: RawStorage,
    pub(super) origin: RawOrigin,
    pub(super) route_metadata: Given<Switch>,
    pub(super) management: Option<Management>,
    pub(super) admin: Option<Admin>,
}

#[derive(Clone, Copy)]
pub(super) enum RawUnmatched {
    Bypass,
    Rfc9111,
}

/// The settings that stand at the top level and, under the same name, in a rule.
#[derive(Default)]
pub(super) struct RawDefaults {
    pub(super) heuristic: Given<Heuristic>,
    pub(super) request_cache_control: Given<RequestCacheControl>,
    pub(super) set_cookie: Given<SetCookie>,
    pub(super) cache_errors: Given<CacheErrors>,
    pub(super) no_vary_search: Given<NoVarySearch>,
    pub(super) compression: RawCompression,
    pub(super) sparing: RawSparing,
}

#[derive(Clone, Copy, Default)]
pub(super) struct RawLimits {
    pub(super) max_object_bytes: Given<usize>,
    pub(super) capture_bytes: Given<usize>,
    pub(super) max_tags: Given<usize>,
    pub(super) max_variants: Given<usize>,
    pub(super) max_key_bytes: Given<usize>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct RawStorage {
    pub(super) slots: Given<u32>,
    pub(super) max_bytes: Given<u64>,
    pub(super) hot_bytes: Given<usize>,
    pub(super) log_records: Given<u32>,
}

/// Reads the whole document.
pub(super) fn read_config(document: Cursor<'_>) -> Given<RawConfig> {
    document.object(read_top)
}

/// An editor's, which it tells where the schema is.
const MOST_SCHEMA_BYTES: usize = 2048;

fn read_top(fields: &mut Fields<'_>) -> RawConfig {
    let _ = fields.optional("$schema", |cursor| cursor.text(1..=MOST_SCHEMA_BYTES));
    RawConfig {
        rules: fields.optional("rules", read_rules).unwrap_or(Vec::new()),
        unmatched: fields
            .optional("unmatched", |cursor| {
                cursor.word(&[
                    ("rfc9111", RawUnmatched::Rfc9111),
                    ("bypass", RawUnmatched::Bypass),
                ])
            })
            .unwrap_or(RawUnmatched::Rfc9111),
        default_ttl: fields.optional("default_ttl_seconds", |cursor| match cursor.value {
            Value::Null => Given::Absent,
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => seconds(cursor),
        }),
        defaults: read_defaults(fields),
        headers: read_headers(fields),
        limits: read_limits(fields),
        composition: Composition::read(fields),
        storage: read_storage(fields),
        origin: RawOrigin::read(fields),
        route_metadata: switch(fields, "route_metadata"),
        management: Management::read(fields),
        admin: Admin::read(fields),
    }
}

pub(super) fn read_defaults(fields: &mut Fields<'_>) -> RawDefaults {
    RawDefaults {
        heuristic: fields.optional("heuristic", |cursor| {
            cursor.flag().map(|on| match on {
                true => Heuristic::On,
                false => Heuristic::Off,
            })
        }),
        request_cache_control: fields.optional("request_cache_control", |cursor| {
            cursor.word(&[
                ("ignore", RequestCacheControl::Ignore),
                ("honor", RequestCacheControl::Honor),
            ])
        }),
        set_cookie: fields.optional("set_cookie", |cursor| {
            cursor.word(&[
                ("bypass", SetCookie::Bypass),
                ("strip", SetCookie::Strip),
                ("store", SetCookie::Store),
            ])
        }),
        cache_errors: fields.optional("cache_errors", |cursor| {
            cursor.word(&[
                ("explicit", CacheErrors::Explicit),
                ("never", CacheErrors::Never),
            ])
        }),
        no_vary_search: fields.optional("no_vary_search", |cursor| {
            cursor.flag().map(|on| match on {
                true => NoVarySearch::Obey,
                false => NoVarySearch::Ignore,
            })
        }),
        compression: RawCompression::read(fields),
        sparing: RawSparing::read(fields),
    }
}

fn read_headers(fields: &mut Fields<'_>) -> AddedHeaders {
    let default = AddedHeaders {
        x_cache: Switch::On,
        cache_status: Switch::On,
        warning: Switch::Off,
        cache_control: Switch::On,
        expose_tags: Switch::Off,
    };
    fields
        .optional("headers", |cursor| {
            cursor.object(|fields| AddedHeaders {
                x_cache: switch(fields, "x_cache").unwrap_or(default.x_cache),
                cache_status: switch(fields, "cache_status").unwrap_or(default.cache_status),
                warning: switch(fields, "warning").unwrap_or(default.warning),
                cache_control: switch(fields, "cache_control").unwrap_or(default.cache_control),
                expose_tags: switch(fields, "expose_tags").unwrap_or(default.expose_tags),
            })
        })
        .unwrap_or(default)
}

fn switch(fields: &mut Fields<'_>, name: &'static str) -> Given<Switch> {
    let flag = fields.optional(name, Cursor::flag);
    flag.map(|flag| match flag {
        true => Switch::On,
        false => Switch::Off,
    })
}

fn read_limits(fields: &mut Fields<'_>) -> RawLimits {
    let limits = fields.optional("limits", |cursor| {
        cursor.object(|fields| RawLimits {
            max_object_bytes: fields.optional("max_object_bytes", |cursor| {
                size(cursor, 1, MAX_OBJECT_BYTES)
            }),
            capture_bytes: fields
                .optional("capture_bytes", |cursor| size(cursor, 1, MAX_CAPTURE_BYTES)),
            max_tags: fields.optional("max_tags", |cursor| size(cursor, 1, 256)),
            max_variants: fields.optional("max_variants", |cursor| size(cursor, 1, 256)),
            max_key_bytes: fields.optional("max_key_bytes", |cursor| size(cursor, 256, 65_536)),
        })
    });
    limits.unwrap_or(RawLimits::default())
}

/// The bounds fit 32 bits, so the conversion cannot fail.
fn size(cursor: Cursor<'_>, least: u64, most: u64) -> Given<usize> {
    let number = cursor.number(least..=most);
    number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn read_storage(fields: &mut Fields<'_>) -> RawStorage {
    let storage = fields.optional("storage", |cursor| {
        cursor.object(|fields| RawStorage {
            slots: fields.optional("slots", read_slots),
            max_bytes: fields.optional("max_bytes", |cursor| cursor.number(4096..=1 << 40)),
            hot_bytes: fields.optional("hot_bytes", |cursor| size(cursor, 0, MAX_HOT_BYTES)),
            log_records: fields.optional("log_records", |cursor| {
                let number = cursor.number(256..=65_536);
                number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
            }),
        })
    });
    storage.unwrap_or(RawStorage::default())
}

fn read_slots(cursor: Cursor<'_>) -> Given<u32> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let given = cursor.number(8..=1 << 24);
    match given.value() {
        None => Given::Refused,
        Some(slots) => match u32::try_from(slots) {
            Ok(slots) if slots.is_multiple_of(8) => Given::Value(slots),
            Ok(_) | Err(_) => {
                problems.add(path, "must be a multiple of 8");
                Given::Refused
            }
        },
    }
}

pub(super) fn seconds(cursor: Cursor<'_>) -> Given<Seconds> {
    cursor
        .number(1..=u64::from(Seconds::MAX.get()))
        .map(Seconds::clamped)
}
