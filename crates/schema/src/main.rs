//! Writes what is printed from the description of the configuration: `make schema`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let root = Path::new(&root);
    fs::write(root.join(larder_schema::SCHEMA), larder_schema::schema())?;
    fs::write(root.join(larder_schema::PAGE), larder_schema::page())
}
