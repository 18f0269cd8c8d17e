//! Every template that was worth keeping, tried again: the corpus of the fuzzer, on stable and in a second.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop"
)]

mod check;

#[test]
fn every_template_of_the_corpus_is_a_page() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/page");
    let files = std::fs::read_dir(corpus).unwrap();
    let mut count = 0;
    for file in files {
        check::page(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 10, "there is little in the corpus");
}
