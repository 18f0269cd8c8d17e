//! The manual's examples are true.

use crate::stage::Stage;

/// The rows of all tables that say what is in a template and what on the page.
fn rows() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/esi.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let tables = manual
        .split("| in the template | on the page |\n|---|---|\n")
        .skip(1);
    let lines = tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|')));
    let row = |line: &str| {
        let cells = line
            .strip_prefix("| `")
            .and_then(|line| line.strip_suffix("` |"));
        let (template, page) = cells.unwrap().split_once("` | `").unwrap();
        (template.replace("\\|", "|"), page.to_owned())
    };
    lines.map(row).collect()
}

#[test]
fn the_examples_of_the_manual_are_what_happens() {
    let esi = Stage::new().with("/menu", "<nav>").without("/gone");
    let json = Stage::json()
        .with_json("/api/user", "{\"name\": \"ann\"}")
        .with_json("/api/n", "1.50")
        .without("/gone");
    let rows = rows();
    assert!(rows.len() > 15, "{rows:?}");
    for (template, page) in rows {
        let stage = match template.starts_with(['{', '[', '"']) {
            true => &json,
            false => &esi,
        };
        assert_eq!(stage.text(&template), page, "{template}");
    }
}
