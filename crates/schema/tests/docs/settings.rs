//! Settings that are named in the text, such as `limits.max_tags`.

use std::collections::BTreeSet;

use larder_schema::model::Table;

use crate::pages;

/// The fields of a table by their paths, and those below them.
fn paths(table: &Table, above: &str, found: &mut BTreeSet<String>) {
    for field in table.fields() {
        let path = format!("{above}{}", field.name);
        if let Some(below) = field.table() {
            // A rule's settings are named without the list that it stands in.
            let above = match below.name {
                "rule" => String::new(),
                _ => format!("{path}."),
            };
            paths(below, &above, found);
        }
        found.insert(path);
    }
}

/// The path that words of code begin with, if they look like one.
fn path(span: &str) -> Option<&str> {
    let path = span.split([':', ' ']).next()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
    (path.contains('.') && path.bytes().all(plain)).then_some(path)
}

#[test]
fn every_setting_that_is_named_exists() {
    let mut known = BTreeSet::new();
    paths(&larder_schema::top(), "", &mut known);
    let objects: BTreeSet<&str> = known
        .iter()
        .filter_map(|path| path.split_once('.'))
        .map(|(object, _)| object)
        .collect();
    let (mut lost, mut seen) = (Vec::new(), 0);
    for page in pages::all().values() {
        for path in page.spans.iter().filter_map(|span| path(span)) {
            let (object, _) = path.split_once('.').unwrap_or_default();
            let is_file = page.find(path).is_some(); // such as `management.yaml`
            if !objects.contains(object) || is_file {
                continue;
            }
            seen += 1;
            if !known.contains(path) {
                lost.push(format!("{}: {path}", page.name));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(seen > 100, "{seen} settings were looked for");
}
