//! Whole exchanges as short plays: the core with a scripted origin and a clock that we hold.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that cannot go on should stop"
)]

mod abort;
mod besieged;
mod breaking;
mod compression;
mod consult;
mod contact;
mod content;
mod counting;
mod crowd;
mod fleet;
mod fleetwide;
mod fresh;
mod growth;
mod head;
mod herd;
mod hot;
mod interleaved;
mod invalidation;
mod isolation;
mod landing;
mod managed;
mod meanwhile;
mod negative;
mod orders;
mod overdue;
mod partial;
mod purge;
mod ranges;
mod replies;
mod rescue;
mod search;
mod shadow;
mod spokesman;
mod stage;
mod stale;
mod tags;
mod templates;
mod together;
mod token;
mod totality;
mod validation;
mod variants;
mod ways;
