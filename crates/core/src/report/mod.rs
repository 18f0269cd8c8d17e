//! What happened, in the words that clients, graphs and manuals share.

mod annotation;
mod counter;

pub use annotation::{Annotation, Forward, Line, Storing};
pub use counter::Counter;
