//! What may be depended on, asked of cargo without a network.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const LICENCES: [&str; 9] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What does I/O, keeps time or talks to the host has no place in the core.
const IMPURE: [&str; 9] = [
    "chrono",
    "getrandom",
    "hyper",
    "libc",
    "mio",
    "proxy-wasm",
    "socket2",
    "time",
    "tokio",
];

struct Package {
    name: String,
    version: String,
    place: Option<String>,
    licence: String,
}

/// The packages that `cargo tree` finds with `arguments`, each once.
fn tree(arguments: &[&str]) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: BTreeSet<&str> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter().map(parse).collect()
}

/// `name v1.2.3 (proc-macro) (place)|licence`
fn parse(line: &str) -> Package {
    let (package, licence) = line.rsplit_once('|').unwrap_or_else(|| panic!("{line}"));
    let mut words = package.split(' ');
    let name = words.next().unwrap().to_owned();
    let version = words.next().unwrap_or_default().to_owned();
    let place = words.find(|word| *word != "(proc-macro)");
    Package {
        name,
        version,
        place: place.map(str::to_owned),
        licence: licence.replace('/', " OR "),
    }
}

fn names(packages: &[Package]) -> BTreeSet<&str> {
    packages
        .iter()
        .map(|package| package.name.as_str())
        .collect()
}

#[test]
fn everything_comes_from_the_registry_or_from_here() {
    let checkout = larder_harness::tools::checkout().to_str().unwrap();
    for package in tree(&["--workspace"]) {
        let ours = |place: String| place.trim_start_matches('(').starts_with(checkout);
        assert!(
            package.place.is_none_or(ours),
            "{} is from elsewhere",
            package.name
        );
    }
}

#[test]
fn every_licence_is_one_we_may_ship() {
    for package in tree(&["--workspace"]) {
        let allowed = |choice: &str| LICENCES.contains(&choice.trim_matches(['(', ')', ' ']));
        let mut terms = package.licence.split(" AND ");
        let all = terms.all(|term| term.split(" OR ").any(allowed));
        assert!(all, "{}: {}", package.name, package.licence);
    }
}

#[test]
fn the_module_carries_nothing_twice() {
    let mut versions = BTreeMap::new();
    for package in tree(&[
        "--package=larder",
        "--edges=normal",
        "--target=wasm32-wasip1",
    ]) {
        let other = versions.insert(package.name.clone(), package.version);
        assert_eq!(other, None, "{} is there in two versions", package.name);
    }
}

#[test]
fn the_core_is_pure_and_depends_on_little() {
    let direct = tree(&["--package=larder-core", "--edges=normal", "--depth=1"]);
    assert!(
        direct.len() <= 9,
        "itself and at most eight: {:?}",
        names(&direct)
    );
    let all = tree(&[
        "--package=larder-core",
        "--edges=normal",
        "--target=wasm32-wasip1",
    ]);
    let impure: Vec<&str> = IMPURE
        .into_iter()
        .filter(|name| names(&all).contains(name))
        .collect();
    assert_eq!(impure, [""; 0]);
    assert!(names(&all).contains("serde_json"), "the tree was read");
}
