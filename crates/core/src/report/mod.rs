//! What happened, in the words that clients, graphs and manuals share.

mod annotation;
mod counter;
mod family;
mod label;
mod numbers;
mod tally;

pub use annotation::{Annotation, Forward, Line, Storing};
pub use counter::{Counter, RuleCounter};
pub use family::Family;
pub use label::{
    BreakerState, CallOutcome, EvictionCause, FetchClass, FetchResult, FleetOp, FleetResult,
    InvalidationKind, InvalidationSource, Outcome, Reload, ServedFrom,
};
pub use numbers::{Gauge, Numbers};
pub use tally::{Sampling, Tally};
