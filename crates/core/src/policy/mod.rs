//! What is allowed: pure decisions, each with its reason.

mod reason;

pub use reason::Reason;
