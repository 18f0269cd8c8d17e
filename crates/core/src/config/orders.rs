//! What the operator says that a write makes invalid (`invalidates`).
//!
//! Values of the request stand for themselves: a `*` that a client puts into its path is no wildcard in a pattern, or anybody
//! who may write one thing could purge all of them. A regular expression has no place for values at all.

use regex_lite::{Regex, RegexBuilder};

use super::Identity;
use super::compile::missing_groups;
use super::path::PathPattern;
use super::problem::{Problems, field_path, item_path};
use super::raw_rule::RawText;
use super::read::{Cursor, Fields, Given};
use super::tagging::{TagPart, TagTemplate, read_text};
use super::word::names;
use crate::http::Method;

/// In front of a pattern that is a regular expression.
pub const REGEX: &str = "regex:";
/// How long a pattern can be ([`crate::epoch::NamePattern`]), and what it may take when it is compiled.
const MAX_PATTERN_BYTES: usize = 1024;
const MAX_COMPILED_BYTES: usize = 32 * 1024;

/// What a write makes invalid when it succeeds.
#[derive(Debug)]
pub struct Orders {
    /// How much so.
    pub mode: Purging,
    /// Tags.
    pub tags: Vec<TagTemplate>,
    /// Patterns over the names of keys, with `*`.
    pub patterns: Vec<TagTemplate>,
    /// The same as regular expressions, without [`REGEX`] in front.
    pub expressions: Vec<String>,
    /// Names of keys; one that begins with `/` is a path, and what may follow it, at the write's own host.
    pub keys: Vec<TagTemplate>,
    /// Who writes.
    pub identity: Option<Identity>,
    /// The groups of the path that the templates name.
    pub groups: Vec<String>,
}

/// How much an operator's invalidation takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purging {
    /// What it meets is gone.
    Hard,
    /// What it meets is stale.
    Soft,
}

pub(super) struct RawOrders {
    at: String,
    mode: Given<Purging>,
    tags: Vec<RawText>,
    patterns: Vec<RawText>,
    keys: Vec<RawText>,
}

impl RawOrders {
    pub(super) fn read(cursor: Cursor<'_>) -> Given<Self> {
        cursor.object(|fields| Self {
            at: fields.path.clone(),
            mode: fields.optional("mode", |cursor| {
                cursor.word(&[("hard", Purging::Hard), ("soft", Purging::Soft)])
            }),
            tags: texts(fields, "tags"),
            patterns: texts(fields, "patterns"),
            keys: texts(fields, "keys"),
        })
    }

    /// Compiles what a rule with this path says, `identity` being that of who writes.
    pub(super) fn compile(
        self,
        path: &Given<PathPattern>,
        identity: Option<Identity>,
        problems: &Problems,
    ) -> Orders {
        let Self {
            at,
            mode,
            tags,
            patterns,
            keys,
        } = self;
        if tags.is_empty() && patterns.is_empty() && keys.is_empty() {
            problems.add(at, "must name `tags`, `patterns` or `keys`");
        }
        let (expressions, patterns): (Vec<_>, Vec<_>) = patterns
            .into_iter()
            .partition(|pattern| pattern.text.starts_with(REGEX));
        let mut orders = Orders {
            mode: mode.unwrap_or(Purging::Hard),
            tags: Vec::new(),
            patterns: Vec::new(),
            expressions: expressions
                .into_iter()
                .filter_map(|raw| checked(raw, problems))
                .collect(),
            keys: Vec::new(),
            groups: Vec::new(),
            identity,
        };
        let known = (path, &orders.identity);
        let mut compile = |raw| templates(raw, &mut orders.groups, known, problems);
        let compiled = (compile(tags), compile(patterns), compile(keys));
        (orders.tags, orders.patterns, orders.keys) = compiled;
        orders
    }
}

fn texts(fields: &mut Fields<'_>, name: &'static str) -> Vec<RawText> {
    fields
        .optional(name, |cursor| {
            names(cursor, 1, |cursor| read_text(cursor, MAX_PATTERN_BYTES))
        })
        .unwrap_or(Vec::new())
}

fn templates(
    raw: Vec<RawText>,
    groups: &mut Vec<String>,
    (path, identity): (&Given<PathPattern>, &Option<Identity>),
    problems: &Problems,
) -> Vec<TagTemplate> {
    let mut templates = Vec::new();
    for RawText { at, text } in raw {
        let known = groups.len();
        let template = match TagTemplate::parse(&text, groups) {
            Ok(template) => template,
            Err(problem) => {
                problems.add(at, problem);
                continue;
            }
        };
        for problem in missing_groups(groups.get(known..).unwrap_or_default(), path) {
            problems.add(at.clone(), problem);
        }
        if identity.is_none() && template.parts().contains(&TagPart::Identity) {
            problems.add(at, "has `{identity}`, but the rule has none");
        }
        templates.push(template);
    }
    templates
}

fn checked(raw: RawText, problems: &Problems) -> Option<String> {
    let text = raw.text.strip_prefix(REGEX)?;
    let problem = match text.len() {
        0 => "must not be empty behind `regex:`".to_owned(),
        1..=MAX_PATTERN_BYTES => match expression(text) {
            Ok(_) => return Some(text.to_owned()),
            Err(problem) => problem,
        },
        _ => format!("must be at most {MAX_PATTERN_BYTES} bytes long"),
    };
    problems.add(raw.at, problem);
    None
}

/// A regular expression that all of a key's name must match, as it is checked here and used later; the error is for people.
///
/// # Errors
/// It is none, or a larger one than some hundreds of which may be in force at once.
pub fn expression(text: &str) -> Result<Regex, String> {
    build(text)?; // alone first: `a)(b` would become a pattern between the anchors
    build(&["^(?:", text, ")$"].concat())
}

fn build(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dot_matches_new_line(true) // a forged key may hold one
        .build()
        .map_err(|error| ["is no regular expression: ", &error.to_string()].concat())
}

/// Reports the methods that write nothing.
pub(super) fn check_methods(at: &str, methods: &Given<Vec<String>>, problems: &Problems) {
    let Given::Value(methods) = methods else {
        return;
    };
    let at = field_path(&field_path(at, "match"), "methods");
    for (index, method) in methods.iter().enumerate() {
        let is_safe = match Method::parse(method.as_bytes()) {
            Method::Get | Method::Head | Method::Options | Method::Query => true,
            Method::Delete | Method::Patch | Method::Post | Method::Put => false,
            Method::Other => ["CONNECT", "TRACE"].contains(&method.as_str()),
        };
        if is_safe {
            let problem = format!("`{method}` writes nothing that `invalidates` could be about");
            problems.add(item_path(&at, index), problem);
        }
    }
}
