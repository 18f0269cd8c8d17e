//! Tables that say what the code does. (That of the reasons is printed, see `fresh`.)

use larder_core::report::Family;

use crate::pages::root;

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn the_manual_lists_every_statistic() {
    let manual = read("docs/operations.md");
    let head = "| name | labels | what |\n|---|---|---|\n";
    let (_, behind) = manual.split_once(head).unwrap_or(("", ""));
    let (table, _) = behind.split_once("\n\n").unwrap_or((behind, ""));
    let row = |family: &Family| {
        let labels: Vec<String> = family
            .labels()
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, description) = (family.name(), family.description());
        format!("| `{name}` | {} | {description} |", labels.join(", "))
    };
    let expected: Vec<String> = Family::ALL.iter().map(row).collect();
    let expected = expected.join("\n");
    assert!(
        table == expected,
        "the table in docs/operations.md should be:\n{head}{expected}"
    );
}

#[test]
fn every_label_is_made_one_again_in_the_sample() {
    let sample = read("envoy/envoy.yaml");
    for label in Family::ALL.iter().flat_map(|family| family.labels()) {
        let tag = format!(
            "- tag_name: {label}\n    regex: '^wasmcustom\\.larder_.*?(\\.{label}\\.([\\w-]+))'\n"
        );
        assert!(sample.contains(&tag), "envoy/envoy.yaml lacks:\n{tag}");
    }
}

#[test]
fn the_architecture_names_what_exists() {
    let manual = read("docs/architecture.md");
    let paths: Vec<&str> = manual
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains('/') && !text.contains(' '))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path}");
    }
}
