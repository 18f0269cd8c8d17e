//! Which fields there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::places::Place;
use crate::problems;

/// The words that the reader's source has in quotation marks: all that it could ask for.
pub(crate) fn words() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/config");
    let mut words = BTreeSet::new();
    for file in fs::read_dir(source).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let quoted = text.split('"').filter(|word| is_name(word));
        words.extend(quoted.map(str::to_owned));
    }
    words
}

fn is_name(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-');
    !word.is_empty() && word.len() <= 64 && word.bytes().all(plain)
}

/// All at once stand in an object: the reader names those that it does not know.
#[test]
fn the_reader_asks_for_what_is_described_and_for_nothing_else() {
    let words = words();
    let places = Place::all();
    assert!(places.len() > 15, "the tables were followed");
    for place in places {
        let described: BTreeSet<&str> = place.table.fields().map(|field| field.name).collect();
        for name in &described {
            assert!(words.contains(*name), "the reader's source has no `{name}`");
        }
        let asked: Vec<(&str, Value)> = words
            .iter()
            .map(|word| (word.as_str(), Value::from("?")))
            .collect();
        let document = place.with(&asked);
        let problems = problems(&document);
        let is_unknown = |name: &str| {
            let path = place.path_of(name);
            let mut problems = problems.iter().filter(|problem| problem.path == path);
            problems.any(|problem| problem.problem.starts_with("is unknown"))
        };
        for word in &words {
            let path = place.path_of(word);
            assert_eq!(
                !is_unknown(word),
                described.contains(word.as_str()),
                "{path}"
            );
        }
    }
}

#[test]
fn each_field_is_described_once_and_shown_once() {
    let page = larder_schema::page();
    for place in Place::all() {
        let mut names = BTreeSet::new();
        for field in place.table.fields() {
            let path = place.path_of(field.name);
            assert!(names.insert(field.name), "{path} is there twice");
            assert!(field.about.ends_with('.'), "{path}: {}", field.about);
            let shown = path.replace("rules[0].", "").replace("[0]", "[]");
            let shown = shown.replace("[\"", "").replace("\"]", ""); // a name that is no word
            let row = format!("\n| `{shown}` | ");
            assert!(page.contains(&row), "{shown} is not on the page");
        }
    }
    assert!(!page.contains("<!-- top."), "a mark has no table");
    assert!(!page.contains("<!-- rule."), "a mark has no table");
}
