//! The manual says what the code does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

use larder_core::policy::Reason;
use larder_core::report::Counter;

#[test]
fn the_manual_lists_every_reason_with_its_description() {
    let manual = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/configuration.md"
    ))
    .unwrap();
    let (_, section) = manual
        .split_once("| reason | meaning |\n|---|---|\n")
        .unwrap();
    let expected: String = Reason::ALL
        .iter()
        .map(|reason| format!("| `{}` | {} |\n", reason.code(), reason.description()))
        .collect();
    assert!(
        section == expected,
        "the table in docs/configuration.md should be:\n{expected}"
    );
}

#[test]
fn the_manual_names_every_counter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let manual = std::fs::read_to_string(path).unwrap();
    for name in Counter::all().map(Counter::name) {
        let family = name
            .split_once(".reason.")
            .map_or(name.as_str(), |(family, _)| family);
        let (stem, last) = family.rsplit_once('.').unwrap_or((family, family));
        let is_named = manual.contains(family)
            || (manual.contains(stem) && manual.contains(&format!("`.{last}`")));
        assert!(is_named, "{name} is not in docs/operations.md");
    }
}

#[test]
fn the_architecture_names_what_exists() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let manual = std::fs::read_to_string(format!("{root}/docs/architecture.md")).unwrap();
    let paths: Vec<&str> = manual
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains('/') && !text.contains(' '))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(std::path::Path::new(root).join(path).exists(), "{path}");
    }
}
