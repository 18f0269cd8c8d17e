//! The list of requirements in docs/http-semantics.md: complete by section, and every test that it names exists. So does every
//! test that docs/security.md and docs/upgrade.md name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

use std::collections::BTreeSet;
use std::fs;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What a middle column may begin with in place of a test.
const REASONS: [&str; 4] = ["Not applicable: ", "Not used: ", "Envoy: ", "Deviation: "];

/// The sections of RFC 9111 that require something of a cache.
#[rustfmt::skip]
const SECTIONS: [&str; 47] = [
    "1.2.2", "2", "3", "3.1", "3.2", "3.3", "3.4", "3.5", "4", "4.1", "4.2", "4.2.1", "4.2.2", "4.2.3", "4.2.4",
    "4.3.1", "4.3.2", "4.3.3", "4.3.4", "4.3.5", "4.4", "5.1", "5.2", "5.2.1", "5.2.1.1", "5.2.1.2", "5.2.1.3",
    "5.2.1.4", "5.2.1.5", "5.2.1.6", "5.2.1.7", "5.2.2", "5.2.2.1", "5.2.2.2", "5.2.2.3", "5.2.2.4", "5.2.2.5",
    "5.2.2.6", "5.2.2.7", "5.2.2.8", "5.2.2.9", "5.2.2.10", "5.2.3", "5.3", "5.4", "5.5", "7",
];

/// One row: its section, and its three columns.
struct Row {
    section: String,
    cells: [String; 3],
}

impl Row {
    /// The tests it names.
    fn tests(&self) -> impl Iterator<Item = &str> {
        let parts = self.cells[2].split('`').skip(1).step_by(2);
        parts.filter(|part| part.contains("::"))
    }

    fn has_reason(&self) -> bool {
        REASONS
            .iter()
            .any(|reason| self.cells[1].starts_with(reason))
    }
}

fn manual() -> String {
    fs::read_to_string(format!("{ROOT}/docs/http-semantics.md")).unwrap()
}

fn rows(manual: &str) -> Vec<Row> {
    let (mut specification, mut section, mut rows) = ("", "", Vec::new());
    for line in manual.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            (specification, section) = (heading, "");
        } else if let Some(heading) = line.strip_prefix("### ") {
            section = heading;
        }
        let Some(inside) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            assert!(!line.contains('|'), "no row: {line}");
            continue;
        };
        let cells: Vec<String> = inside
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        let cells = cells
            .try_into()
            .unwrap_or_else(|_| panic!("not three columns: {line}"));
        let row = Row {
            section: format!("{specification}, {section}"),
            cells,
        };
        if !["attack", "requirement", "who", "---"].contains(&&*row.cells[0]) {
            rows.push(row);
        }
    }
    rows
}

/// Whether `name` is a test in the file that stands for `module`.
fn exists(module: &str, name: &str) -> bool {
    let folder = match module.split('/').next() {
        Some("e2e") => "tests",
        Some("page" | "service") => "crates/admin/tests",
        Some("plays") => "crates/compose/tests",
        Some("scenarios") => "crates/core/tests",
        _ => "crates/core/src",
    };
    let path = format!("{ROOT}/{folder}/{module}.rs");
    let Ok(source) = fs::read_to_string(&path) else {
        return false;
    };
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    // Attributes stand between the end of what is before and the function.
    let since = before.rfind(['}', '{', ';']).unwrap_or(0);
    let attributes = before.get(since..).unwrap_or_default();
    ["#[test]", "#[tokio::test"]
        .iter()
        .any(|test| attributes.contains(test))
}

#[test]
fn every_row_names_tests_that_exist_or_a_reason() {
    let manual = manual();
    let mut wrong = Vec::new();
    for row in rows(&manual) {
        let [requirement, answer, _] = &row.cells;
        let mut unnamed = true;
        for test in row.tests() {
            unnamed = false;
            let (module, name) = test.split_once("::").unwrap();
            if !exists(module, name) {
                wrong.push(format!("{}: no test `{test}`", row.section));
            }
        }
        if requirement.is_empty() || answer.is_empty() || (unnamed && !row.has_reason()) {
            wrong.push(format!("{}: nothing shows \"{requirement}\"", row.section));
        }
        if row
            .cells
            .iter()
            .any(|cell| cell.to_lowercase().contains("pending"))
        {
            wrong.push(format!("{}: pending: \"{requirement}\"", row.section));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_attack_has_a_test_that_exists() {
    let manual = fs::read_to_string(format!("{ROOT}/docs/security.md")).unwrap();
    let rows = rows(&manual);
    assert!(rows.len() > 15, "{}", rows.len());
    for row in rows {
        assert!(row.tests().next().is_some(), "{}", row.cells[0]);
        for test in row.tests() {
            let (module, name) = test.split_once("::").unwrap();
            assert!(exists(module, name), "{test}");
        }
    }
}

#[test]
fn what_is_said_about_upgrades_is_shown_by_tests_that_exist() {
    let manual = fs::read_to_string(format!("{ROOT}/docs/upgrade.md")).unwrap();
    let named = manual.split('`').skip(1).step_by(2);
    let tests: Vec<&str> = named.filter(|text| text.contains("::")).collect();
    assert!(tests.len() > 8, "{tests:?}");
    for test in tests {
        let (module, name) = test.split_once("::").unwrap();
        assert!(exists(module, name), "{test}");
    }
}

#[test]
fn no_section_is_left_out() {
    let manual = manual();
    let found: BTreeSet<String> = rows(&manual)
        .into_iter()
        .filter_map(|row| {
            let section = row.section.strip_prefix("RFC 9111: HTTP Caching, ")?;
            section.split(' ').next().map(str::to_owned)
        })
        .collect();
    for section in SECTIONS {
        assert!(found.contains(section), "RFC 9111 section {section}");
    }
    for specification in ["9110", "9113", "6585", "8246", "9211", "9213", "9875"] {
        let heading = format!("\n## RFC {specification}");
        assert!(manual.contains(&heading), "RFC {specification}");
    }
    for name in ["\n## No-Vary-Search\n", "\n## QUERY\n"] {
        assert!(manual.contains(name), "{name}");
    }
}

#[test]
fn a_name_alone_is_no_test() {
    assert!(exists("policy/freshness", "age_on_arrival"));
    assert!(exists(
        "http/directives",
        "numbers_are_read_as_they_are_written"
    ));
    assert!(exists("e2e/protocols", "http_1_before_http_1"));
    assert!(
        !exists("policy/freshness", "lifetime"),
        "a function, no test"
    );
    assert!(
        !exists("policy/freshness", "lifetime_of"),
        "a helper of tests"
    );
    assert!(!exists("policy/freshness", "none"));
    assert!(!exists("policy/none", "age_on_arrival"));
}
