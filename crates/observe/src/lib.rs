//! What a cache learns from what it could not answer by itself.
//!
//! ```text
//! exchange ─ Sighting ─▶ Observer: templates of paths, counted ─▶ wire ─▶ a cell of shared data, per worker
//!                                                                              │ merged by whoever is asked
//!                               Numbers (the proxy's statistics) ─▶ stats, performance ◀─ advise ◀─┘
//! ```
//!
//! Memory is bounded everywhere: so many templates ([`Observer`]), so many names of parameters and fields, counts of distinct
//! values that take 32 bytes each. Nothing a client sends is kept but templates of paths, in which whatever looks like somebody's
//! is a `*`, and the names of query parameters; never values.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests"))]

mod advise;
mod cells;
mod distinct;
mod json;
mod observer;
mod patch;
mod performance;
mod resources;
mod seen;
mod shown;
mod stats;
mod table;
mod template;
mod wire;

pub use advise::{Advice, advise};
pub use cells::Board;
pub use json::{Json, quoted};
pub use observer::Observer;
pub use performance::performance;
pub use seen::Seen;
pub use stats::{Census, stats};

/// A hash of what may be compared between workers. It keeps nobody from making collisions, which only make counts wrong.
fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = larder_core::tier::NameHash::new(SEED).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

const SEED: u128 = 0x8f1b_bcdc_bfa5_3e0b_8ebc_6af0_9c88_c6e3;
