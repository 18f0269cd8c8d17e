//! The names that operators write: of rules, methods, fields, cookies.

use super::read::{Cursor, Given};

/// The elements of any list within a rule.
const MAX_LIST: usize = 64;
const MAX_NAME_BYTES: usize = 128;
const MAX_VALUE_BYTES: usize = 1024;

/// A rule's name: it stands in metrics, so it has only letters that every one of their stores takes.
pub(super) fn rule_name(cursor: Cursor<'_>) -> Given<String> {
    checked(
        cursor,
        64,
        "may only have letters, digits, `-` and `_`",
        |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
    )
}

/// A token (RFC 9110 section 5.6.2).
pub(super) fn token(cursor: Cursor<'_>) -> Given<String> {
    checked(
        cursor,
        MAX_NAME_BYTES,
        "is no token (RFC 9110 section 5.6.2)",
        is_tchar,
    )
}

/// A field name, in lower case.
pub(super) fn field_name(cursor: Cursor<'_>) -> Given<String> {
    token(cursor).map(|name| name.to_ascii_lowercase())
}

/// A cookie's name, which unlike a field's has a case (RFC 6265 section 4.1.1).
pub(super) fn cookie_name(cursor: Cursor<'_>) -> Given<String> {
    token(cursor)
}

/// A list of at least `least` elements, each read by `read`: those that can be, the others are reported.
pub(super) fn names<'a, T>(
    cursor: Cursor<'a>,
    least: usize,
    read: impl Fn(Cursor<'a>) -> Given<T>,
) -> Given<Vec<T>> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(items) = cursor.items(MAX_LIST) else {
        return Given::Refused;
    };
    if items.len() < least {
        let problem = match least {
            1 => "must not be empty".to_owned(),
            _ => format!("must have at least {least} elements"),
        };
        problems.add(path, problem);
        return Given::Refused;
    }
    let read = items.into_iter().filter_map(|item| read(item).value());
    Given::Value(read.collect())
}

/// Field names, in lower case and each once, with the value each must have.
pub(super) fn field_values(cursor: Cursor<'_>) -> Given<Vec<(String, String)>> {
    let Some(entries) = cursor.entries(MAX_LIST).value() else {
        return Given::Refused;
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut refused = false;
    for (name, value) in entries {
        let name = name.to_ascii_lowercase();
        let problem =
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_tchar) {
                Some("is no field name (RFC 9110 section 5.1)")
            } else if fields.iter().any(|(other, _)| *other == name) {
                Some("stands twice: field names have no case")
            } else {
                None
            };
        if let Some(problem) = problem {
            value.problems.add(value.path.clone(), problem);
        }
        match (problem, value.text(0..=MAX_VALUE_BYTES).value()) {
            (None, Some(value)) => fields.push((name, value.to_owned())),
            (Some(_), _) | (None, None) => refused = true,
        }
    }
    match refused {
        true => Given::Refused,
        false => Given::Value(fields),
    }
}

fn checked(
    cursor: Cursor<'_>,
    most: usize,
    problem: &str,
    allowed: impl Fn(u8) -> bool,
) -> Given<String> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let given = cursor.text(1..=most);
    match given.value() {
        Some(text) if text.bytes().all(allowed) => Given::Value(text.to_owned()),
        Some(_) => {
            problems.add(path, problem);
            Given::Refused
        }
        None => Given::Refused,
    }
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
