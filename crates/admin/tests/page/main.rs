//! The page, as a person sees and uses it: real Chromium, a real service, and instances that say what filters would.
//!
//! Without Chromium (`CHROMIUM_BIN`, or one of its names in `PATH`) the plays are printed as not run. With
//! `LARDER_PICTURES=<directory>` they leave pictures there, to look at.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

mod figures;
mod look;
mod purge;
mod stage;
mod trouble;
