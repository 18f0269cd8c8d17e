//! Every byte string that was worth keeping, tried again: the corpora of the fuzzer, on stable and in a second.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a test that cannot go on should stop, and its modules are others' too"
)]

#[path = "../scenarios/fleet.rs"]
mod fleet;
#[path = "../oracle/mod.rs"]
mod oracle;
mod seeds;
#[path = "../scenarios/stage/mod.rs"]
mod stage;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

/// The names in a directory, without what stands behind a dot.
fn names(directory: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(Path::new(FUZZ).join(directory)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(FUZZ).join("corpus").join(name)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_check_has_a_target_and_a_corpus_and_nothing_else_has() {
    let checks: BTreeSet<_> = oracle::CHECKS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(names("fuzz_targets"), checks);
    assert_eq!(names("corpus"), checks);
    let manifest = std::fs::read_to_string(Path::new(FUZZ).join("Cargo.toml")).unwrap();
    for name in checks {
        let target = std::fs::read_to_string(format!("{FUZZ}/fuzz_targets/{name}.rs")).unwrap();
        assert!(
            target.contains(&format!("named(\"{name}\")")),
            "the target {name} checks another"
        );
        assert!(
            manifest.contains(&format!("\nname = \"{name}\"\n")),
            "{name} is not built"
        );
    }
}

#[test]
fn every_file_of_every_corpus_is_read_alike() {
    for (name, check) in oracle::CHECKS {
        let files = files(name);
        assert!(files.len() > 2, "there is little in the corpus of {name}");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| check(&data));
            assert!(outcome.is_ok(), "{} fails", file.display());
        }
    }
}

#[test]
fn seeds_are_read_alike() {
    for (name, check) in oracle::CHECKS {
        let seeds = seeds::of(name);
        assert!(seeds.len() > 2, "{name} has no seeds");
        seeds.iter().for_each(|seed| check(seed));
    }
}

#[test]
#[ignore = "writes into the sources; make fuzz-seeds runs it"]
fn write_the_seeds() {
    for (name, _) in oracle::CHECKS {
        let directory = Path::new(FUZZ).join("corpus").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        for old in files(name).iter().filter(|file| {
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("seed-")
        }) {
            std::fs::remove_file(old).unwrap();
        }
        for (number, seed) in seeds::of(name).iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number:02}")), seed).unwrap();
        }
    }
}
