//! Files and targets that are named.

use std::collections::BTreeSet;
use std::fs;

use crate::pages::{self, Page, root};

/// The directories of the repository in which people look for what a path names.
const OURS: [&str; 8] = [
    "crates", "docs", "envoy", "src", "tests", "deploy", ".ci", ".cargo",
];
/// Endings of files by which a text with slashes is a path, wherever it begins.
const ENDINGS: [&str; 8] = [
    ".rs", ".md", ".yaml", ".json", ".toml", ".sh", ".svg", ".proto",
];
/// Paths elsewhere: two in the sources of proxy-wasm, and one in a checkout of the reader's.
const ELSEWHERE: [&str; 3] = [
    "src/hostcalls.rs",
    "src/shared_data.cc",
    ".vscode/settings.json",
];
/// What `make` builds or fetches is not there in a fresh checkout.
const BUILT: [&str; 3] = ["dist/", "target/", ".tools/"];

/// Whether words of code are a path in the repository.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-*{},".contains(&byte);
    let Some((first, _)) = text.split_once('/') else {
        return false;
    };
    !first.is_empty()
        && text.bytes().all(plain)
        && !BUILT.iter().any(|built| text.starts_with(built))
        && (OURS.contains(&first) || ENDINGS.iter().any(|ending| text.ends_with(ending)))
}

/// The paths that a text with `{a,b}` stands for.
fn alternatives(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else {
        return vec![text.to_owned()];
    };
    let (inner, after) = rest.split_once('}').unwrap_or((rest, ""));
    let others = inner.split(',').map(|word| [before, word, after].concat());
    others.flat_map(|other| alternatives(&other)).collect()
}

/// Whether there is such a file or directory, from the root or from the page's own place; `*` stands for any letters of a name.
fn exists(page: &Page, path: &str) -> bool {
    let Some((directory, name)) = path.trim_end_matches('/').rsplit_once('/') else {
        return false;
    };
    if !path.contains('*') {
        return root().join(path).exists() || page.find(path).is_some();
    }
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let Ok(entries) = fs::read_dir(root().join(directory)) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        name.starts_with(start) && name.ends_with(end)
    })
}

#[test]
fn every_path_that_is_named_exists() {
    let (mut lost, mut seen) = (Vec::new(), 0);
    let mut elsewhere = BTreeSet::new();
    for page in pages::all().values() {
        for path in page.spans.iter().filter(|span| is_path(span)) {
            seen += 1;
            if ELSEWHERE.contains(&path.as_str()) {
                elsewhere.insert(path.clone());
                continue;
            }
            let missing = alternatives(path)
                .into_iter()
                .find(|path| !exists(page, path));
            if let Some(path) = missing {
                lost.push(format!("{}: {path}", page.name));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(seen > 100, "{seen} paths were looked for");
    assert_eq!(
        elsewhere.len(),
        ELSEWHERE.len(),
        "{elsewhere:?} alone are named"
    );
}

/// The targets that a line of code asks `make` for.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut words = line.split_whitespace().peekable();
    let mut begins = true;
    while let Some(word) = words.next() {
        if begins && word == "make" {
            while let Some(target) = words.next_if(|word| is_target(word) || word.contains('=')) {
                if is_target(target) {
                    found.push(target);
                }
            }
        }
        begins = ["&&", ";", "$", "|"].contains(&word) || (begins && word.contains('='));
    }
    found
}

fn is_target(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(plain)
}

#[test]
fn every_target_that_is_named_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let known: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(": ").or(line.split_once(':')))
        .map(|(name, _)| name)
        .filter(|name| is_target(name))
        .collect();
    let (mut lost, mut seen) = (Vec::new(), 0);
    for page in pages::all().values() {
        let blocks = page.blocks.iter().flat_map(|(_, code)| code.lines());
        for line in page.spans.iter().map(String::as_str).chain(blocks) {
            for target in targets(line) {
                seen += 1;
                if !known.contains(target) {
                    lost.push(format!("{}: make {target}", page.name));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(seen > 20, "{seen} targets were looked for");
}

#[test]
fn a_target_is_found_where_make_is_called() {
    assert_eq!(
        targets("LARDER_PORT=1 make wasm run   # starts it"),
        ["wasm", "run"]
    );
    assert_eq!(targets("cd larder && make BENCH=quick bench"), ["bench"]);
    assert_eq!(targets("to make sense of it"), [""; 0]);
}
