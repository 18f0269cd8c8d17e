//! What shares a key with No-Vary-Search, against the draft.

use super::super::canonical::tests::{elements, fields};
use super::super::tests::{key, rule, try_key};
use super::*;
use crate::config::{Captures, Config, Unmatched};
use crate::http::{Authority, Target};
use crate::key::{BuiltKey, Resource};
use proptest::prelude::*;

fn unmatched() -> Config {
    Config::parse(br#"{"no_vary_search": true}"#).unwrap()
}

/// A request's key, and what it is searched by.
struct Searched {
    key: Key,
    search: Search,
}

impl Searched {
    fn record(&self) -> Key {
        self.search.record(&self.key, 4096).unwrap()
    }

    fn reduced(&self, variation: &UrlVariation, max_key_bytes: usize) -> Result<Key, KeyError> {
        self.search.reduced(&self.key, variation, max_key_bytes)
    }
}

fn searched(config: &Config, host: &str, target: &str, lines: &[(&str, &str)]) -> Option<Searched> {
    let BuiltKey { key, search, .. } = try_key(config, host, target, lines).unwrap();
    search.map(|search| Searched { key, search })
}

fn search(config: &Config, target: &str) -> Option<Searched> {
    searched(config, "a", target, &[])
}

fn variation(field: &str) -> UrlVariation {
    UrlVariation::from_field(field.as_bytes()).unwrap()
}

fn reduced(config: &Config, target: &str, field: &str) -> Key {
    let search = search(config, target).unwrap();
    search.reduced(&variation(field), 4096).unwrap()
}

/// What the draft says of two queries, step by step (section 6), without regard to how keys are made.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "as the draft writes it; a test may overflow"
)]
mod draft {
    use std::collections::BTreeMap;

    pub(super) type Pairs = Vec<(String, String)>;

    /// "application/x-www-form-urlencoded parsing", URL Standard section 5.1.
    pub(super) fn parse(query: &str) -> Pairs {
        let mut pairs = Vec::new();
        for sequence in query.as_bytes().split(|byte| *byte == b'&') {
            if sequence.is_empty() {
                continue;
            }
            let at = sequence.iter().position(|byte| *byte == b'=');
            let (name, value) = match at {
                Some(at) => (&sequence[..at], &sequence[at + 1..]),
                None => (sequence, &b""[..]),
            };
            pairs.push((decode(name), decode(value)));
        }
        pairs
    }

    pub(super) fn decode(bytes: &[u8]) -> String {
        let text: Vec<u8> = bytes
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let escape = text.get(at + 1..at + 3).filter(|_| text[at] == b'%');
            let byte = escape
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                .map(|digits| {
                    u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
                });
            out.push(byte.unwrap_or(text[at]));
            at += if byte.is_some() { 3 } else { 1 };
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    pub(super) struct Config<'a> {
        pub(super) order_counts: bool,
        pub(super) params: Option<Vec<&'a str>>,
        pub(super) except: Option<Vec<&'a str>>,
    }

    fn left(config: &Config<'_>, query: Option<&str>) -> Pairs {
        let mut pairs = query.map(parse).unwrap_or_default();
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| decode(name.as_bytes()))
                .collect::<Vec<_>>()
        };
        if let Some(params) = &config.params {
            let params = names(params);
            pairs.retain(|(name, _)| !params.contains(name));
        } else if let Some(except) = &config.except {
            let except = names(except);
            pairs.retain(|(name, _)| except.contains(name));
        }
        if !config.order_counts {
            let mut by_name: BTreeMap<Vec<u16>, Pairs> = BTreeMap::new();
            for pair in pairs {
                by_name
                    .entry(pair.0.encode_utf16().collect())
                    .or_default()
                    .push(pair);
            }
            pairs = by_name.into_values().flatten().collect();
        }
        pairs
    }

    pub(super) fn are_equivalent(
        config: &Config<'_>,
        one: Option<&str>,
        other: Option<&str>,
    ) -> bool {
        left(config, one) == left(config, other)
    }
}

#[test]
fn the_drafts_equivalences_hold_but_for_invalid_text() {
    // Section 6.1; a target has no bytes outside US-ASCII, so `é` and the space stand escaped.
    for (one, other, same) in [
        ("/", "/?", true),
        ("/?a=x", "/?%61=%78", true),
        ("/?a=%c3%a9", "/?a=%C3%A9", true),
        ("/?a=x&&&&", "/?a=x", true),
        ("/?a=", "/?a", true),
        ("/?a=%20", "/?a=+&", true),
        ("/?a=%f6", "/?a=%ef%bf%bd", false), // for the draft they are
        ("/?a=%C3%A9", "/?a=e%CC%81", false),
        ("/?a=1", "/?A=1", false),
        ("/?a=1", "/b?a=1", false),
        ("/?a=%2B", "/?a=+", false),
    ] {
        for config in [
            unmatched(),
            rule(r#""match": {}, "no_vary_search": true, "key": {"query": {"sort": false}}"#),
        ] {
            let key = |target| reduced(&config, target, "key-order");
            assert_eq!(key(one) == key(other), same, "{one} {other}");
        }
    }
    // Section 5.3.1.
    let key = |target| reduced(&unmatched(), target, r#"params=("%C3%A9+%E6%B0%97")"#);
    for target in [
        "/?%C3%A9%20%E6%B0%97=3",
        "/?%C3%A9+%E6%B0%97=4",
        "/?%c3%a9+%e6%b0%97",
    ] {
        assert_eq!(key(target), key("/"), "{target}");
    }
}

#[test]
fn parameters_are_reduced() {
    for (field, one, other, same) in [
        ("key-order", "/?a=1&b=2", "/?b=2&a=1", true),
        ("key-order", "/?a=1&a=2", "/?a=2&a=1", false),
        ("key-order", "/?a=1&b=2&a=3", "/?b=2&a=1&a=3", true),
        ("key-order", "/?a=1", "/?a=1&b", false),
        (r#"params=("x")"#, "/?a=1&x=1", "/?x=2&a=1&x", true),
        (r#"params=("x")"#, "/?a=1&b=2", "/?b=2&a=1", false),
        (
            r#"params=("x"), key-order"#,
            "/?a=1&x=1&b=2",
            "/?b=2&a=1",
            true,
        ),
        (r#"except=("a")"#, "/?a=1&x=1&b=2", "/?y&a=1", true),
        (r#"except=("a")"#, "/?a=1", "/?a=2", false),
        ("except=()", "/?a=1", "/", true),
    ] {
        let key = |target| reduced(&unmatched(), target, field);
        assert_eq!(key(one) == key(other), same, "{field} {one} {other}");
    }
}

#[test]
fn each_value_has_keys_of_its_own() {
    let config = unmatched();
    let keys = [
        key(&config, "a", "/", &[]),
        search(&config, "/").unwrap().record(),
        reduced(&config, "/", "key-order"),
        reduced(&config, "/", r#"params=("x")"#),
        reduced(&config, "/", r#"except=("x")"#),
        reduced(&config, "/", r#"key-order, except=("x")"#),
        reduced(&config, "/", r#"params=("x" "y")"#),
    ];
    for (index, one) in keys.iter().enumerate() {
        for other in keys.iter().skip(index + 1) {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn the_form_is_frozen() {
    let config = unmatched();
    let search = search(&config, "/?b=%61&a=1&x=2").unwrap();
    let base = key(&config, "a", "/", &[]);
    let record = [base.canonical(), b"\x0d\0\0\0\0"].concat();
    assert_eq!(search.record().canonical(), record);
    let key = search
        .reduced(&variation(r#"key-order, params=("x")"#), 4096)
        .unwrap();
    let fields = fields(key.canonical());
    let (tag, content) = fields.last().unwrap();
    assert_eq!(*tag, 14);
    let expected: [&[u8]; 5] = [br#"key-order, params=("x")"#, b"a", b"1", b"b", b"a"];
    assert_eq!(elements(content), expected);
    assert!(key.canonical().starts_with(&record));
}

#[test]
fn all_but_the_query_stays_in_the_record() {
    let config = rule(
        r#""match": {}, "no_vary_search": true, "identity": {"cookie": "id"}, "key": {"headers": ["x"], "cookies": ["c"]}"#,
    );
    let record = |host: &str, target: &str, lines: &[(&str, &str)]| {
        searched(&config, host, target, lines).unwrap().record()
    };
    let lines = [("x", "1"), ("cookie", "c=1; id=2")];
    let one = record("a", "/p?a=1", &lines);
    assert_eq!(record("a", "/p?b=2", &lines), one);
    assert_eq!(record("a", "/p", &lines), one);
    assert_ne!(record("b", "/p", &lines), one);
    assert_ne!(record("a", "/q", &lines), one);
    assert_ne!(
        record("a", "/p", &[("x", "2"), ("cookie", "c=1; id=2")]),
        one
    );
    assert_ne!(
        record("a", "/p", &[("x", "1"), ("cookie", "c=2; id=2")]),
        one
    );
    assert_ne!(
        record("a", "/p", &[("x", "1"), ("cookie", "c=1; id=3")]),
        one
    );
}

#[test]
fn the_rules_choice_comes_first() {
    let config = |query: &str| {
        rule(&format!(
            r#""match": {{"path": "/(?P<a>.*)"}}, "no_vary_search": true, "key": {query}"#
        ))
    };
    let same = |settings: &str, field: &str, one: &str, other: &str| {
        let config = config(settings);
        reduced(&config, one, field) == reduced(&config, other, field)
    };
    assert!(same(
        r#"{"query": {"exclude": ["utm_*"]}}"#,
        "key-order",
        "/?a=1&utm_x=2",
        "/?a=1"
    ));
    assert!(same(
        r#"{"query": {"sort": true}}"#,
        r#"params=("x")"#,
        "/?b=1&x&a=1",
        "/?a=1&b=1"
    ));
    assert!(!same(
        r#"{"query": {"sort": false}}"#,
        r#"params=("x")"#,
        "/?b=1&x&a=1",
        "/?a=1&b=1"
    ));
    let template = r#"{"template": "t:{a}", "query": {"include": ["p", "q"]}}"#;
    assert!(same(
        template,
        r#"params=("q")"#,
        "/?p=1&q=2&r=3",
        "/?r=4&p=1"
    ));
    assert!(!same(template, r#"params=("q")"#, "/?p=1", "/?p=2"));
    // The query is no part of the key, so there is nothing that could be reduced.
    assert!(search(&config(r#"{"template": "t:{a}"}"#), "/?p=1").is_none());
}

#[test]
fn a_reduced_key_is_of_the_paths_resource() {
    let config = unmatched();
    let own = |target: &str| key(&config, "a", target, &[]).resource();
    let one = search(&config, "/p?a=1").unwrap();
    let path = one.record().resource();
    let value = variation(r#"params=("a")"#);
    assert_eq!(one.reduced(&value, 4096).unwrap().resource(), path);
    assert_ne!(own("/p?a=1"), path);
    assert_ne!(own("/p"), path);
    assert_eq!(search(&config, "/p?b").unwrap().record().resource(), path);
    // What a write to any query of the path names.
    let target = Target::parse(b"/p?b=;2").unwrap();
    let Unmatched::Rfc9111(policy) = &config.unmatched else {
        panic!("unmatched requests are left alone");
    };
    let authority = Authority::parse(b"a").unwrap();
    let captures = Captures::none();
    let named: Vec<_> =
        Resource::of(b"https", authority, &target, (policy, &captures), 4096).collect();
    assert_eq!(named, [own("/p?b=;2"), path]);
}

#[test]
fn without_the_switch_nothing_is_searched_for() {
    assert!(search(&Config::parse(b"").unwrap(), "/?a").is_none());
    let on = try_key(&unmatched(), "a", "/?a", &[]).unwrap();
    assert_eq!(on.key, key(&Config::parse(b"").unwrap(), "a", "/?a", &[]));
}

#[test]
fn what_holds_a_semicolon_is_compared_as_a_whole() {
    assert!(search(&unmatched(), "/?utm_x=1;a=2").is_none());
    assert!(search(&unmatched(), "/p;v=1?utm_x=1%3Ba=2").is_some());
}

#[test]
fn keys_are_bounded() {
    let search = search(&unmatched(), "/?a=1").unwrap();
    let value = variation("key-order");
    let len = search.reduced(&value, 4096).unwrap().canonical().len();
    assert!(search.reduced(&value, len).is_ok());
    assert_eq!(search.reduced(&value, len - 1), Err(KeyError::TooLong));
}

/// Two queries of few letters: the second is the first in another order, perhaps with one parameter changed.
fn pairs(
    pieces: &'static [&'static str],
) -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let parameter = move || {
        let name = proptest::sample::select(pieces.to_vec());
        let value = proptest::sample::select(vec!["", "=", "=1", "=%31", "=+", "=%"]);
        (name, value).prop_map(|(name, value)| format!("{name}{value}"))
    };
    let list = proptest::collection::vec(parameter(), 0..5);
    let turned = list.prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()));
    let change = proptest::option::of((0..5_usize, parameter()));
    (turned, change).prop_map(|((one, mut other), change)| {
        if let Some((at, parameter)) = change {
            other.truncate(at.max(1));
            other.push(parameter);
        }
        let query = |list: Vec<String>| (!list.is_empty()).then(|| list.join("&"));
        (query(one), query(other))
    })
}

const NAMES: &[&str] = &[
    "a",
    "%61",
    "b",
    "b",
    "",
    "+",
    "%20",
    "%f6",
    "%ff",
    "%ef%bf%bd",
    "%C3%A9",
    "a%",
];

fn values() -> impl Strategy<Value = (bool, bool, Vec<&'static str>)> {
    let names = proptest::sample::select(NAMES.to_vec());
    (
        any::<bool>(),
        any::<bool>(),
        proptest::collection::vec(names, 0..3),
    )
}

fn field(order_counts: bool, is_except: bool, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let key = if is_except { "except" } else { "params" };
    let order = if order_counts { "?0" } else { "?1" };
    format!("key-order={order}, {key}=({})", names.join(" "))
}

fn draft_config<'a>(order_counts: bool, is_except: bool, names: &[&'a str]) -> draft::Config<'a> {
    let list = Some(names.to_vec());
    let (params, except) = if is_except {
        (None, list)
    } else {
        (list, None)
    };
    draft::Config {
        order_counts,
        params,
        except,
    }
}

fn target(query: Option<&str>) -> String {
    query.map_or("/p".to_owned(), |query| format!("/p?{query}"))
}

proptest! {
    #![proptest_config(crate::property::cases())]
    #[test]
    fn what_shares_a_reduced_key_is_equivalent_to_the_draft(
        (one, other) in pairs(NAMES), (order_counts, is_except, names) in values(),
    ) {
        let field = field(order_counts, is_except, &names);
        let Some(value) = UrlVariation::from_field(field.as_bytes()) else {
            return Ok(()); // says nothing
        };
        let config = unmatched();
        let key = |query: &Option<String>| {
            search(&config, &target(query.as_deref())).unwrap().reduced(&value, 4096).unwrap()
        };
        if key(&one) == key(&other) {
            let draft = draft_config(order_counts, is_except, &names);
            prop_assert!(draft::are_equivalent(&draft, one.as_deref(), other.as_deref()), "{field}");
        }
    }

    #[test]
    fn what_is_text_shares_a_reduced_key_when_it_is_equivalent(
        (one, other) in pairs(&["a", "%61", "b", "", "+", "%C3%A9", "a%"]), (order_counts, is_except, names) in values(),
    ) {
        let field = field(order_counts, is_except, &names);
        let Some(value) = UrlVariation::from_field(field.as_bytes()) else {
            return Ok(());
        };
        let config = unmatched();
        let key = |query: &Option<String>| {
            search(&config, &target(query.as_deref())).unwrap().reduced(&value, 4096).unwrap()
        };
        let draft = draft_config(order_counts, is_except, &names);
        let same = draft::are_equivalent(&draft, one.as_deref(), other.as_deref());
        prop_assert_eq!(key(&one) == key(&other), same, "{}", field);
    }

    #[test]
    fn a_rules_own_normalising_changes_no_equivalence(
        (one, other) in pairs(NAMES), (order_counts, is_except, names) in values(),
    ) {
        let field = field(order_counts, is_except, &names);
        let Some(value) = UrlVariation::from_field(field.as_bytes()) else {
            return Ok(());
        };
        let as_sent = rule(r#""match": {}, "no_vary_search": true, "key": {"query": {"sort": false}}"#);
        let key = |config: &Config, query: &Option<String>| {
            search(config, &target(query.as_deref())).unwrap().reduced(&value, 4096).unwrap()
        };
        let config = unmatched();
        prop_assert_eq!(key(&as_sent, &one) == key(&as_sent, &other), key(&config, &one) == key(&config, &other));
    }
}
