//! Starts the service, drains it, and picks the exit code.

fn main() {}
