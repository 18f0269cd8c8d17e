//! The module that is shipped, in a real Envoy, told as short plays: what the origin answers, how Larder is
//! configured, what the client sends, what it must see.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that cannot go on should stop"
)]

mod bounds;
mod chaos;
mod compression;
mod conditional;
mod configuration;
mod content;
mod crowd;
mod dashboard;
mod entries;
mod esi;
mod evil;
mod fidelity;
mod fleet;
mod flights;
mod herd;
mod hostile;
mod hot;
mod invalidation;
mod isolation;
mod keys;
mod management;
mod managing;
mod meshes;
mod negative;
mod partial;
mod performance;
mod poison;
mod protocols;
mod purges;
mod ranges;
mod replies;
mod routes;
mod search;
mod seed;
mod shadow;
mod stage;
mod stale;
mod steady;
mod streaming;
mod tags;
mod targeted;
mod validation;
mod warm;
mod wipe;
mod workers;
