//! Pages as clients get them: a template, an origin that has its fragments, and what comes of it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

mod choices;
mod docs;
mod failures;
mod heads;
mod hostile;
mod includes;
mod json;
mod stage;
mod variables;
