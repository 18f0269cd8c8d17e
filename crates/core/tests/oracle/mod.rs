//! Larder's readers beside naive ones.
//!
//! Each module reads bytes a second time, in the slowest and plainest way the grammar allows, knows nothing of the code it
//! judges, and fails where the two do not find the same. So one function says that a reader is total and that it is
//! right. The properties try them on bytes made up, the corpus on bytes kept, the fuzzer on bytes it bred.

mod accept;
mod authority;
mod content_range;
mod cookie;
mod date;
mod directives;
mod entry;
mod etag;
mod frame;
mod groups;
mod gzip;
mod list;
mod message;
mod pairs;
mod range;
mod reference;
mod structured;
mod tags;
mod target;
mod variation;
mod wire;

/// Fails where Larder and the naive reader differ on these bytes.
pub type Check = fn(&[u8]);

/// Every reader, by the name of its corpus.
pub const CHECKS: [(&str, Check); 21] = [
    ("accept", accept::check),
    ("authority", authority::check),
    ("content_range", content_range::check),
    ("cookie", cookie::check),
    ("date", date::check),
    ("directives", directives::check),
    ("entry", entry::check),
    ("etag", etag::check),
    ("frame", frame::check),
    ("groups", groups::check),
    ("gzip", gzip::check),
    ("list", list::check),
    ("message", message::check),
    ("pairs", pairs::check),
    ("range", range::check),
    ("reference", reference::check),
    ("structured", structured::check),
    ("tags", tags::check),
    ("target", target::check),
    ("variation", variation::check),
    ("wire", wire::check),
];

/// The check of that name.
pub fn named(name: &str) -> Check {
    let found = CHECKS.iter().find(|(other, _)| *other == name);
    found
        .unwrap_or_else(|| panic!("no check is called {name}"))
        .1
}

type Line = (Vec<u8>, Vec<u8>);

/// Field lines, one a line, `name:value`, where the name may begin with a colon; what has no other colon is a value of
/// the field `otherwise`.
fn field_lines(data: &[u8], otherwise: &str) -> Vec<Line> {
    let lines = data.split(|byte| *byte == b'\n');
    let line = |line: &[u8]| match line.iter().skip(1).position(|byte| *byte == b':') {
        Some(colon) => (line[..colon + 1].to_vec(), line[colon + 2..].to_vec()),
        None => (otherwise.as_bytes().to_vec(), line.to_vec()),
    };
    lines.map(line).collect()
}

/// The values of one field.
fn values<'a>(lines: &'a [Line], name: &str) -> Vec<&'a [u8]> {
    let is = |line: &&Line| line.0.to_ascii_lowercase() == name.as_bytes();
    lines.iter().filter(is).map(|line| &line.1[..]).collect()
}

/// Without spaces and tabs at both ends.
fn trim(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    while is_blank(bytes.first()) {
        bytes.remove(0);
    }
    while is_blank(bytes.last()) {
        bytes.pop();
    }
    bytes
}

fn is_token(bytes: &[u8]) -> bool {
    const TOKEN: &str =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN.as_bytes().contains(byte))
}

/// A whole number, however long, at most [`u64::MAX`].
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = String::from_utf8(digits.to_vec()).unwrap();
    let text = text.trim_start_matches('0');
    match text.len() {
        0 => Some(0),
        1..=20 => Some(u64::try_from(text.parse::<u128>().unwrap()).unwrap_or(u64::MAX)),
        _ => Some(u64::MAX),
    }
}
