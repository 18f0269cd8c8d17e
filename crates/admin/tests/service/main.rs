//! Plays with the service over real HTTP: two replicas over one store.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod door;
mod entries;
mod erasure;
mod instances;
mod invalidations;
mod management;
mod process;
mod stage;
mod valkey;
