//! What a cache learns from its misses, told as short plays; and that it is silent without evidence.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that cannot go on should stop"
)]

mod advice;
mod numbers;
mod world;
