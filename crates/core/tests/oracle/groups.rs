//! Cache groups.

use larder_core::http::{MAX_GROUPS, groups};

use super::structured::{Value, list};
use super::{field_lines, values};

const FIELD: &str = "cache-groups";

/// The names, without escapes; none where the field is no list of strings.
fn read(field: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for member in list(field).unwrap_or_default() {
        let Value::String(raw) = member else {
            return Vec::new();
        };
        names.push(raw);
    }
    names
}

fn unescaped(raw: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let halves = text.split("\\\\").map(|part| part.replace("\\\"", "\""));
    halves.collect::<Vec<_>>().join("\\").into_bytes()
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, FIELD);
    let headers = lines.iter().map(|(name, value)| (name, value)).collect();
    let expected = read(&values(&lines, FIELD).join(&b", "[..]));
    let is_too_much = expected.len() > MAX_GROUPS || expected.iter().any(|raw| raw.len() > 256);
    let expected: Vec<_> = expected.iter().map(|raw| unescaped(raw)).collect();
    match groups(&headers, FIELD) {
        Ok(found) => assert_eq!((found, false), (expected, is_too_much)),
        Err(_) => assert!(is_too_much),
    }
}
