//! Which parts of the query do not make another response: `No-Vary-Search` (draft-ietf-httpbis-no-vary-search, in the form
//! that was approved for publication, revision 10).
//!
//! ```text
//! No-Vary-Search: key-order                      the order of parameters with different names says nothing
//! No-Vary-Search: params=("utm_source" "gclid")  these parameters say nothing
//! No-Vary-Search: except=("id" "page")           all but these say nothing
//! ```
//!
//! A name in the lists is escaped like a query is: `"%C3%A9+a"` is the parameter `é a`. Whatever is not understood makes the
//! whole field count as absent, as the draft asks: "this algorithm is strict and tends to return the default URL variation
//! config whenever it sees something it doesn't recognize" (section 5.1). Earlier revisions had `params` as a boolean too
//! and `except` only beside that; `params` and `params, except=("id")` are invalid now, and so they are here.
//!
//! A value has one canonical form, which is itself a valid field; it is what keys and entries hold.

use super::structured::{self, InnerList, Value};
use super::{Headers, form};
use crate::sorting::sort_by;

/// More names than any sane origin gives; beyond, the field counts as absent.
const MAX_NAMES: usize = 64;

/// How long the canonical form may be, in bytes; beyond, the field counts as absent.
const MAX_BYTES: usize = 1024;

/// What a valid No-Vary-Search field says that makes any difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlVariation {
    order: KeyOrder,
    params: Params,
}

/// Whether the order of parameters with different names counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// It does not.
    Insignificant,
    /// It does.
    Significant,
}

/// Which parameters count. The names are decoded, sorted, without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Params {
    /// All but these.
    AllBut(Vec<String>),
    /// Only these.
    Only(Vec<String>),
}

impl UrlVariation {
    /// What the response says; `None` where there is no valid field, or one that changes nothing.
    pub fn parse(headers: &Headers) -> Option<Self> {
        Self::from_field(&structured::joined(headers, "no-vary-search")?)
    }

    /// What a field with this value says; `None` where it is invalid or changes nothing.
    pub fn from_field(field: &[u8]) -> Option<Self> {
        let (mut order, mut params, mut except) = (None, None, None);
        for member in structured::dictionary(field) {
            // Of members with one key the last counts (RFC 9651 section 4.2.2), so nothing is judged before the end.
            let (key, value) = member.ok()?;
            match key {
                b"key-order" => order = Some(value),
                b"params" => params = Some(value),
                b"except" => except = Some(value),
                // "Implementations of this specification will ignore such entries" (section 3).
                _ => {}
            }
        }
        let order = match order {
            None | Some(Value::Boolean(false)) => KeyOrder::Significant,
            Some(Value::Boolean(true)) => KeyOrder::Insignificant,
            // "If keyOrderValue is not a boolean, then return the default URL variation config" (section 5.1).
            Some(
                Value::InnerList(_)
                | Value::Integer(_)
                | Value::Other
                | Value::String(_)
                | Value::Token(_),
            ) => return None,
        };
        let params = match (params, except) {
            // "If both value["params"] and value["except"] exist, then return the default URL variation config."
            (Some(_), Some(_)) => return None,
            (Some(value), None) => Params::AllBut(names(value)?),
            (None, Some(value)) => Params::Only(names(value)?),
            (None, None) => Params::AllBut(Vec::new()),
        };
        let variation = Self { order, params };
        let is_useful = variation.says_something() && variation.canonical().len() <= MAX_BYTES;
        is_useful.then_some(variation)
    }

    /// The one form of this value: a field of the same meaning.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        if self.order == KeyOrder::Insignificant {
            out.push_str("key-order");
        }
        let (key, names) = match &self.params {
            Params::AllBut(names) if names.is_empty() => return out,
            Params::AllBut(names) => ("params=(", names),
            Params::Only(names) => ("except=(", names),
        };
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(key);
        for (index, name) in names.iter().enumerate() {
            out.push_str(if index == 0 { "\"" } else { " \"" });
            form::encode(name, &mut out);
            out.push('"');
        }
        out.push(')');
        out
    }

    /// Reads the canonical form back; any other spelling is none.
    pub fn from_canonical(bytes: &[u8]) -> Option<Self> {
        Self::from_field(bytes).filter(|variation| variation.canonical().as_bytes() == bytes)
    }

    /// Whether a parameter of this (decoded) name counts.
    pub fn varies_on(&self, name: &[u8]) -> bool {
        // Names are compared as text, since two names that are no UTF-8 may be one to the draft: `except` must keep both.
        let name = form::text(name);
        let is_among =
            |names: &[String]| names.binary_search_by(|other| (**other).cmp(&name)).is_ok();
        match &self.params {
            Params::AllBut(names) => !is_among(names),
            Params::Only(names) => is_among(names),
        }
    }

    /// Whether the order of parameters with different names counts.
    pub fn key_order(&self) -> KeyOrder {
        self.order
    }

    fn says_something(&self) -> bool {
        match (&self.params, self.order) {
            (Params::AllBut(names), KeyOrder::Significant) => !names.is_empty(),
            (Params::AllBut(_), KeyOrder::Insignificant) | (Params::Only(_), _) => true,
        }
    }
}

/// The names in an inner list; `None` where it is none, or there are too many.
fn names(value: Value<'_>) -> Option<Vec<String>> {
    let Value::InnerList(list) = value else {
        return None; // "If paramsValue is not an inner list, then return the default URL variation config."
    };
    let mut names = Vec::new();
    for item in InnerList::items(list) {
        // "If any item in paramsList is not a string, then return the default URL variation config."
        let Value::String(raw) = item else {
            return None;
        };
        if names.len() == MAX_NAMES || raw.len() > MAX_BYTES {
            return None;
        }
        names.push(form::text(&form::decode(&structured::unescaped(raw))).into_owned());
    }
    sort_by(&mut names, Ord::cmp);
    names.dedup();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(field: &str) -> Option<String> {
        let headers = Headers::from_iter([("No-Vary-Search", field)]);
        UrlVariation::parse(&headers).map(|variation| variation.canonical())
    }

    #[test]
    fn every_valid_form_has_one_canonical_form() {
        for (field, expected) in [
            ("key-order", "key-order"),
            ("key-order=?1", "key-order"),
            ("key-order;x=1", "key-order"),
            (r#"params=("a")"#, r#"params=("a")"#),
            (r#"params=("a";x);y"#, r#"params=("a")"#),
            (r#"params=("b" "a" "b")"#, r#"params=("a" "b")"#),
            (r#"params=("a"), key-order"#, r#"key-order, params=("a")"#),
            (r#"except=("x")"#, r#"except=("x")"#),
            (r#"except=("x"), key-order"#, r#"key-order, except=("x")"#),
            ("except=()", "except=()"),
            ("except=(), key-order=?0", "except=()"),
            ("params=(), key-order", "key-order"),
            (
                r#"params=("%C3%A9+%E6%B0%97")"#,
                r#"params=("%C3%A9%20%E6%B0%97")"#,
            ),
            (
                r#"params=("%61" "a" "%2B" "+")"#,
                r#"params=("%20" "%2B" "a")"#,
            ),
            (r#"params=("\"\\")"#, r#"params=("%22%5C")"#),
            (r#"params=("%f6" "%ff")"#, r#"params=("%EF%BF%BD")"#),
            (r#"params=("")"#, r#"params=("")"#),
            (r#"unknown-key, later=5, params=("a")"#, r#"params=("a")"#),
            (r#"params=?1, params=("a")"#, r#"params=("a")"#),
            (r#"params=("a"), params=("b")"#, r#"params=("b")"#),
        ] {
            assert_eq!(canonical(field).as_deref(), Some(expected), "{field}");
            assert_eq!(canonical(expected).as_deref(), Some(expected), "{expected}");
        }
    }

    #[test]
    fn what_is_invalid_or_says_nothing_counts_as_absent() {
        for field in [
            "",
            "unknown-key",
            "params=()",
            "key-order=?0",
            "params=(), key-order=?0",
            // Invalid by the draft (section 5.2.1).
            "key-order=\"not a boolean\"",
            "params=\"not an inner list\"",
            "params=(not-a-string)",
            "params=?0",
            "params=?1",
            "params=?1, except=(\"x\")",
            "params=(\"a\"), except=(\"x\")",
            "params=(), except=()",
            "except=\"not an inner list\"",
            "except=(not-a-string)",
            "except=?1",
            // As browsers had it before.
            "params",
            "params, except=(\"x\")",
            "params=?0, except=(\"x\")",
            // One error anywhere.
            "params=(\"a\" b)",
            "params=(\"a\" 1)",
            "key-order=1, params=(\"a\")",
            "params=(\"a\"), key-order=()",
            "params=(\"a\"), except",
            "params=(\"a\"",
            "params=(\"a\"),",
            "params=(\"a\"), params=x",
            "Params=(\"a\")",
            "params=(\"é\")",
            "*",
        ] {
            assert_eq!(canonical(field), None, "{field}");
        }
        assert_eq!(UrlVariation::parse(&Headers::new()), None);
    }

    #[test]
    fn lines_are_one_field() {
        let parse = |lines: &[&str]| {
            let lines = lines.iter().map(|line| ("no-vary-search", *line));
            UrlVariation::parse(&Headers::from_iter(lines)).map(|variation| variation.canonical())
        };
        let expected = Some(r#"key-order, params=("a")"#.to_owned());
        assert_eq!(parse(&["key-order", r#"params=("a")"#]), expected);
        assert_eq!(parse(&["key-order", r#"params=("a" x)"#]), None);
    }

    #[test]
    fn there_are_so_many_names_and_no_more() {
        let list = |count: usize, name: &str| {
            let names: Vec<_> = (0..count).map(|n| format!("\"{name}{n}\"")).collect();
            canonical(&format!("params=({})", names.join(" ")))
        };
        assert!(list(64, "a").is_some());
        assert_eq!(list(65, "a"), None);
        assert!(list(10, &"a".repeat(90)).is_some());
        assert_eq!(list(10, &"a".repeat(100)), None);
    }

    #[test]
    fn names_are_compared_as_text() {
        let variation = |field: &str| UrlVariation::from_field(field.as_bytes()).unwrap();
        let some = variation(r#"params=("a" "%C3%A9" "%f6")"#);
        for (name, varies) in [
            (&b"a"[..], false),
            (b"A", true),
            ("é".as_bytes(), false),
            (b"", true),
            (b"\xff", false),
        ] {
            assert_eq!(some.varies_on(name), varies, "{name:?}");
        }
        let only = variation(r#"except=("a" "%f6")"#);
        for (name, varies) in [
            (&b"a"[..], true),
            (b"b", false),
            (b"\xff", true),
            ("\u{fffd}".as_bytes(), true),
        ] {
            assert_eq!(only.varies_on(name), varies, "{name:?}");
        }
        assert!(!variation("except=()").varies_on(b"a"));
        assert!(variation("key-order").varies_on(b"a"));
    }

    #[test]
    fn only_the_canonical_form_is_read_back() {
        let read = |text: &str| UrlVariation::from_canonical(text.as_bytes());
        assert!(read(r#"key-order, params=("a" "b")"#).is_some());
        for text in [
            "",
            r#"params=("b" "a")"#,
            r#"params=("a"), key-order"#,
            "key-order ",
            "key-order, x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(field in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(variation) = UrlVariation::from_field(&field) {
                let canonical = variation.canonical();
                prop_assert_eq!(UrlVariation::from_canonical(canonical.as_bytes()), Some(variation));
            }
        }

        #[test]
        fn any_names_are_read_back(
            names in proptest::collection::vec("[a-zé%+\\x00-\\x7f]{0,6}", 0..6),
            key in proptest::sample::select(vec!["params", "except"]),
        ) {
            let mut field = format!("key-order, {key}=(");
            for name in &names {
                field.push('"');
                form::encode(name, &mut field);
                field.push_str("\" ");
            }
            field.push(')');
            let variation = UrlVariation::from_field(field.as_bytes()).unwrap();
            for name in &names {
                prop_assert_eq!(variation.varies_on(name.as_bytes()), key == "except");
            }
            let canonical = variation.canonical();
            prop_assert_eq!(UrlVariation::from_canonical(canonical.as_bytes()), Some(variation));
        }
    }
}
