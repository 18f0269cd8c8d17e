//! How well Larder's shared tier chooses what to keep, beside textbook policies: `make bench-eviction`.
//!
//! The same generated requests go to each cache, and what counts is the share of them that it answered, cold start
//! included. All caches have room for the same number of entries of one size. In one half of Larder's runs that number is its number of
//! slots, in the other it is what its byte budget has room for, with four times as many slots.

mod larder;
mod random;
mod reference;
mod report;
mod row;
mod workload;

pub use report::{Missed, Report};
pub use row::{Job, Row};
