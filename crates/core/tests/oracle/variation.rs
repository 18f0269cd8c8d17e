//! No-Vary-Search: the field in the first line, a parameter's name in each other.

use std::collections::BTreeMap;

use larder_core::http::{KeyOrder, UrlVariation};

use super::structured::{Value, dictionary};

/// What a name stands for: escapes and plus signs decoded, what is no text replaced.
fn decoded(raw: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok());
        let is_hex = |two: &&str| two.bytes().all(|digit| digit.is_ascii_hexdigit());
        match (first, digits.filter(is_hex)) {
            (b'%', Some(two)) => {
                bytes.push(u8::from_str_radix(two, 16).unwrap());
                rest = &behind[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn names(value: &Value) -> Option<Vec<String>> {
    let Value::InnerList(items) = value else {
        return None;
    };
    let name = |item: &Value| match item {
        Value::String(raw) => Some(decoded(&unquoted(raw))),
        Value::Boolean(_)
        | Value::InnerList(_)
        | Value::Integer(_)
        | Value::Other
        | Value::Token(_) => None,
    };
    items.iter().map(name).collect()
}

/// Without the backslashes of the string, so that only the escapes of the query are left.
fn unquoted(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut escaped = false;
    for byte in raw {
        if *byte == b'\\' && !escaped {
            escaped = true;
        } else {
            out.push(*byte);
            escaped = false;
        }
    }
    out
}

/// Whether the order counts, the names, and whether they are those that count.
fn read(field: &[u8]) -> Option<(bool, Vec<String>, bool)> {
    // Of members with one key the last counts.
    let members: BTreeMap<_, _> = dictionary(field)?.into_iter().collect();
    let of = |key: &str| members.get(key.as_bytes());
    let ordered = match of("key-order") {
        None => true,
        Some(Value::Boolean(insignificant)) => !insignificant,
        Some(_) => return None,
    };
    let (names, only) = match (of("params"), of("except")) {
        (Some(_), Some(_)) => return None,
        (Some(value), None) => (names(value)?, false),
        (None, Some(value)) => (names(value)?, true),
        (None, None) => (Vec::new(), false),
    };
    let says_something = !ordered || !names.is_empty() || only;
    says_something.then_some((ordered, names, only))
}

pub(super) fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let field = lines.next().unwrap_or_default();
    let found = UrlVariation::from_field(field);
    // Longer ones may be refused for their length alone.
    if field.len() > 100 {
        return;
    }
    let Some((ordered, names, only)) = read(field) else {
        assert_eq!(found, None);
        return;
    };
    let found = found.expect("it says something");
    assert_eq!(found.key_order() == KeyOrder::Significant, ordered);
    for name in lines.chain(names.iter().map(|name| name.as_bytes())) {
        let is_named = names.contains(&String::from_utf8_lossy(name).into_owned());
        assert_eq!(found.varies_on(name), is_named == only);
    }
    let canonical = found.canonical();
    assert_eq!(
        UrlVariation::from_canonical(canonical.as_bytes()),
        Some(found)
    );
}
