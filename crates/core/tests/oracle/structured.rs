//! Structured fields.

use larder_core::http::structured::{self, Value as Read};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    InnerList(Vec<Value>),
    Integer(i64),
    Other,
    String(Vec<u8>),
    Token(Vec<u8>),
}

/// What was read, and what is left.
type Parsed<'a, T> = Option<(T, &'a str)>;

/// The members of a dictionary.
pub(super) fn dictionary(field: &[u8]) -> Option<Vec<(Vec<u8>, Value)>> {
    members(field, |text| {
        let (key, rest) = key(text)?;
        let (value, rest) = match rest.strip_prefix('=') {
            Some(rest) => value(rest)?,
            None => (Value::Boolean(true), parameters(rest)?),
        };
        Some(((key, value), rest))
    })
}

/// The members of a list.
pub(super) fn list(field: &[u8]) -> Option<Vec<Value>> {
    members(field, value)
}

fn members<T>(field: &[u8], read: impl Fn(&str) -> Parsed<'_, T>) -> Option<Vec<T>> {
    let text = std::str::from_utf8(field)
        .ok()
        .filter(|text| text.is_ascii())?;
    let mut rest = text.trim_start_matches(' ');
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (member, behind) = read(rest)?;
        members.push(member);
        let behind = behind.trim_start_matches([' ', '\t']);
        if behind.is_empty() {
            break;
        }
        rest = behind.strip_prefix(',')?.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// As many of the letters as there are.
fn while_in<'a>(text: &'a str, letters: &str) -> (&'a str, &'a str) {
    let rest = text.trim_start_matches(|letter| letters.contains(letter));
    text.split_at(text.len() - rest.len())
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

fn key(text: &str) -> Parsed<'_, Vec<u8>> {
    let (key, rest) = while_in(text, &format!("{LOWER}{DIGITS}_-.*"));
    let starts_well = key.starts_with(|first| LOWER.contains(first) || first == '*');
    starts_well.then(|| (key.as_bytes().to_vec(), rest))
}

fn parameters(text: &str) -> Option<&str> {
    let Some(rest) = text.strip_prefix(';') else {
        return Some(text);
    };
    let (_, rest) = key(rest.trim_start_matches(' '))?;
    match rest.strip_prefix('=') {
        Some(rest) => parameters(bare(rest)?.1),
        None => parameters(rest),
    }
}

fn value(text: &str) -> Parsed<'_, Value> {
    let (value, rest) = match text.strip_prefix('(') {
        Some(rest) => {
            let (items, rest) = inner(rest)?;
            (Value::InnerList(items), rest)
        }
        None => bare(text)?,
    };
    Some((value, parameters(rest)?))
}

/// The items up to the parenthesis that closes the list.
fn inner(text: &str) -> Parsed<'_, Vec<Value>> {
    let mut rest = text.trim_start_matches(' ');
    let mut items = Vec::new();
    while !rest.starts_with(')') {
        let (item, behind) = bare(rest)?;
        items.push(item);
        rest = parameters(behind)?;
        let next = rest.trim_start_matches(' ');
        if next.len() == rest.len() && !rest.starts_with(')') {
            return None;
        }
        rest = next;
    }
    rest.strip_prefix(')').map(|rest| (items, rest))
}

fn bare(text: &str) -> Parsed<'_, Value> {
    let first = text.chars().next()?;
    let behind = &text[1..];
    match first {
        '"' => string(behind),
        '%' => display_string(behind),
        ':' => bytes(behind),
        '?' if behind.starts_with('0') => Some((Value::Boolean(false), &behind[1..])),
        '?' if behind.starts_with('1') => Some((Value::Boolean(true), &behind[1..])),
        '@' => match number(behind)? {
            (Value::Integer(_), rest) => Some((Value::Other, rest)),
            _ => None,
        },
        '-' | '0'..='9' => number(text),
        'a'..='z' | 'A'..='Z' | '*' => {
            let (token, rest) = while_in(text, &format!("{LOWER}{UPPER}{DIGITS}!#$%&'*+-.^_`|~:/"));
            Some((Value::Token(token.as_bytes().to_vec()), rest))
        }
        _ => None,
    }
}

fn number(text: &str) -> Parsed<'_, Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, rest) = while_in(digits, DIGITS);
    match rest.strip_prefix('.') {
        Some(rest) => {
            let (fraction, rest) = while_in(rest, DIGITS);
            let fits = !whole.is_empty()
                && whole.len() <= 12
                && !fraction.is_empty()
                && fraction.len() <= 3;
            fits.then_some((Value::Other, rest))
        }
        None if whole.len() <= 15 => {
            Some((Value::Integer(sign * whole.parse::<i64>().ok()?), rest))
        }
        None => None,
    }
}

fn string(text: &str) -> Parsed<'_, Value> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((Value::String(bytes[..at].to_vec()), &text[at + 1..])),
            b'\\' if matches!(bytes.get(at + 1)?, b'"' | b'\\') => at += 2,
            b'\\' | 0..0x20 | 0x7f.. => return None,
            _ => at += 1,
        }
    }
}

fn bytes(text: &str) -> Parsed<'_, Value> {
    let (inside, rest) = text.split_once(':')?;
    let digits = inside.trim_end_matches('=');
    let (all, none) = while_in(digits, &format!("{LOWER}{UPPER}{DIGITS}+/"));
    let fits = none.is_empty() && all.len() % 4 != 1 && inside.len() - digits.len() <= 2;
    fits.then_some((Value::Other, rest))
}

fn display_string(text: &str) -> Parsed<'_, Value> {
    let (inside, rest) = text.strip_prefix('"')?.split_once('"')?;
    let mut decoded = Vec::new();
    let mut parts = inside.split('%');
    decoded.extend(parts.next()?.bytes());
    for part in parts {
        let digits = part.get(..2)?;
        let is_lower = digits
            .chars()
            .all(|digit| format!("{DIGITS}abcdef").contains(digit));
        decoded.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_lower)?);
        decoded.extend(part[2..].bytes());
    }
    let is_text = inside.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && String::from_utf8(decoded).is_ok();
    is_text.then_some((Value::Other, rest))
}

fn plain(value: Read<'_>) -> Value {
    match value {
        Read::Boolean(value) => Value::Boolean(value),
        Read::InnerList(list) => Value::InnerList(list.items().map(plain).collect()),
        Read::Integer(number) => Value::Integer(number),
        Read::Other => Value::Other,
        Read::String(raw) => Value::String(raw.to_vec()),
        Read::Token(token) => Value::Token(token.to_vec()),
    }
}

pub(super) fn check(data: &[u8]) {
    let found: Result<Vec<_>, _> = structured::dictionary(data).collect();
    let found = found.map(|members| {
        members
            .into_iter()
            .map(|(key, value)| (key.to_vec(), plain(value)))
            .collect()
    });
    assert_eq!(found.ok(), dictionary(data));
    let found: Result<Vec<_>, _> = structured::list(data).collect();
    assert_eq!(
        found
            .ok()
            .map(|values| values.into_iter().map(plain).collect()),
        list(data)
    );
}
