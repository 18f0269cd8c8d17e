//! What is committed is what the description says now.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use larder_schema::{PAGE, SCHEMA};

#[test]
fn the_schema_and_the_page_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, printed) in [
        (SCHEMA, larder_schema::schema()),
        (PAGE, larder_schema::page()),
    ] {
        let committed = fs::read_to_string(root.join(name)).unwrap();
        assert!(
            committed == printed,
            "{name} is not what `make schema` writes"
        );
    }
}
