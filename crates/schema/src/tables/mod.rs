//! Every field of the configuration: what may stand in it, what holds without it, what it does.

mod rule;
mod service;
mod shared;
mod top;

pub(crate) use rule::rule;
pub use top::top;
