//! What is kept of a response, and what it takes to use it again.

mod meta;

pub use meta::{FreshnessSource, Lifetime, Meta};
