//! Pages from templates and fragments.
//!
//! A [`Page`] is told what comes of its template, says which fragments it wants, is told what has come of each, and is in the
//! end a body with a head that is true of all its parts. It does no I/O and keeps no time: who holds it asks for the fragments,
//! and says when the time is over.

#![forbid(unsafe_code)]

mod address;
mod client;
mod esi;
mod expression;
mod fragments;
mod head;
mod json;
mod page;
mod sheet;
mod variable;
mod write;

pub use page::{Composed, Failure, Language, Number, Page, Part, Wanted};
