//! What the manual says is so: where its links lead, which files and targets it names, and that its configurations are some.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod configurations;
mod links;
mod names;
mod pages;
mod settings;
mod tables;
mod yaml;
