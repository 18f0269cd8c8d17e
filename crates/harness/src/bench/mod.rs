//! `make bench`: what a hit costs, beside the alternatives in the same Envoy.
//!
//! One Envoy has a listener for each way to answer. Two of them at a time are driven in turn, in
//! many short rounds, and what counts is the middle of the ratios. The figure to trust is the CPU
//! time that Envoy's workers took for a request; requests a second depend on what else the machine does.

pub mod comparison;
pub mod crossings;
pub mod document;
pub mod drive;
pub mod duel;
pub mod esi;
pub mod exports;
pub mod floor;
pub mod herd;
pub mod machine;
pub mod memory;
pub mod origin;
pub mod pairs;
pub mod purges;
pub mod report;
pub mod scenario;
pub mod stage;
pub mod stale;
pub mod statistics;
pub mod table;
pub mod wire;
