//! Which responses are templates of pages, and what a page may take.

use super::Switch;
use super::problem::{Problems, field_path};
use super::raw_rule::RawRule;
use super::read::{Cursor, Fields, Given};
use super::rule::RequestContent;

/// Which of the responses under a rule are templates, whose pages are made for each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Templates {
    /// Those in ESI.
    pub esi: Esi,
    /// Those in JSON, with members such as `{"$include": "/path"}`.
    pub json: Switch,
    /// What is said of a page that is made of what comes from the origin.
    pub heads: Heads,
}

/// Which responses are read as ESI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Esi {
    /// Each of a type that is text or XML (`esi: true`).
    Always,
    /// Those whose Surrogate-Control has `content="ESI/1.0"`.
    Marked,
    /// None (`esi: false`).
    Never,
}

/// When the head of a response leaves whose body is a template that has just come from the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// When the page is made, so that it says what is true of the page: the operator's word that the listener sets
    /// `allow_on_headers_stop_iteration` (`hold_headers: true`).
    Held,
    /// Before: then nobody behind may keep the page.
    Sent,
}

/// What one page may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composition {
    /// How deep templates may stand in templates; 1: fragments are no templates.
    pub max_depth: u8,
    /// The fragments of one page, in all depths.
    pub max_fragments: usize,
    /// The bytes of a template, and of a page with its fragments.
    pub max_bytes: usize,
    /// How long clients wait for the fragments of one page, in milliseconds.
    pub timeout_ms: u32,
}

impl Composition {
    /// Where nothing is said.
    pub const DEFAULT: Self = Self {
        max_depth: 3,
        max_fragments: 64,
        max_bytes: 1 << 20,
        timeout_ms: 2000,
    };

    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let default = Self::DEFAULT;
        let given = fields.optional("composition", |cursor| {
            cursor.object(|fields| {
                let mut number = |name, most, usual| {
                    let given = fields.optional(name, |cursor: Cursor<'_>| cursor.number(1..=most));
                    given.value().map_or(usual, |number| {
                        usize::try_from(number).unwrap_or(usize::MAX) // the bounds fit
                    })
                };
                let depth = number("max_depth", 16, usize::from(default.max_depth));
                let timeout = number("timeout_ms", 60_000, 2000);
                Self {
                    max_depth: u8::try_from(depth).unwrap_or(default.max_depth),
                    max_fragments: number("max_fragments", 1024, default.max_fragments),
                    max_bytes: number("max_bytes", 16 << 20, default.max_bytes),
                    timeout_ms: u32::try_from(timeout).unwrap_or(default.timeout_ms),
                }
            })
        });
        given.unwrap_or(default)
    }
}

impl Templates {
    /// Where nothing is said: what the origin marks.
    pub const DEFAULT: Self = Self {
        esi: Esi::Marked,
        json: Switch::Off,
        heads: Heads::Sent,
    };

    /// What a rule says.
    pub(super) fn compile(raw: &RawRule, content: RequestContent, problems: &Problems) -> Self {
        let hold = matches!(raw.hold_headers, Given::Value(true));
        let esi = match raw.esi {
            Given::Value(true) => Esi::Always,
            Given::Value(false) => Esi::Never,
            Given::Absent | Given::Refused => Esi::Marked,
        };
        let json = match raw.json_include {
            Given::Value(true) => Switch::On,
            Given::Absent | Given::Refused | Given::Value(false) => Switch::Off,
        };
        let is_used = content == RequestContent::Key || esi == Esi::Always || json == Switch::On;
        if hold && !is_used {
            let problem = "has no meaning without `key.body`, `esi: true` or `json_include: true`";
            problems.add(field_path(&raw.at, "hold_headers"), problem);
        }
        Self {
            esi,
            json,
            heads: match hold {
                true => Heads::Held,
                false => Heads::Sent,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Config};

    fn templates(rule: &str) -> Templates {
        let json = format!(r#"{{"rules": [{{"name": "a", "match": {{}}, {rule}}}]}}"#);
        let config = Config::parse(json.as_bytes()).unwrap();
        match &config.rules[0].action {
            Action::Cache(policy) => policy.templates,
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => panic!("it is not cached"),
        }
    }

    #[test]
    fn templates_are_what_the_origin_marks_unless_the_rule_says_otherwise() {
        assert_eq!(templates(r#""ttl_seconds": 1"#), Templates::DEFAULT);
        assert_eq!(templates(r#""esi": false"#).esi, Esi::Never);
        let always = templates(r#""esi": true, "hold_headers": true"#);
        assert_eq!((always.esi, always.heads), (Esi::Always, Heads::Held));
        let json = templates(r#""json_include": true"#);
        assert_eq!((json.esi, json.json), (Esi::Marked, Switch::On));
    }

    #[test]
    fn a_page_is_bounded_also_where_nothing_is_said() {
        let composition = |json: &str| Config::parse(json.as_bytes()).unwrap().composition;
        assert_eq!(composition("{}"), Composition::DEFAULT);
        let own = r#"{"composition": {"max_depth": 1, "max_fragments": 2, "max_bytes": 3, "timeout_ms": 4}}"#;
        let expected = Composition {
            max_depth: 1,
            max_fragments: 2,
            max_bytes: 3,
            timeout_ms: 4,
        };
        assert_eq!(composition(own), expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let json = r#"{"composition": {"max_depth": 0, "x": 1},
            "rules": [{"name": "a", "match": {}, "hold_headers": true},
                      {"name": "b", "match": {}, "esi": 1, "json_include": "yes"},
                      {"name": "c", "match": {}, "cache": false, "esi": true}]}"#;
        let errors = Config::parse(json.as_bytes()).unwrap_err();
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        for path in [
            "composition.max_depth",
            "composition.x",
            "rules[0].hold_headers",
            "rules[1].esi",
            "rules[1].json_include",
            "rules[2].esi",
        ] {
            let is_named = errors.iter().any(|error| error.starts_with(path));
            assert!(is_named, "{path}: {errors:?}");
        }
    }
}
