//! The manual says what the code does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

use larder_core::policy::Reason;

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
