//! The real larderctl at real Envoys and a real fleet: what it prints, and how it ends.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

mod entries;
mod explain;
mod fleet;
mod purge;
mod stage;
mod stats;
mod terminal;
mod top;
mod trouble;
mod warm;
