//! The checks that the stable tests make as well, compiled once for all targets.

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;
