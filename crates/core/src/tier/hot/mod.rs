//! Answers that one worker has given lately, in its own memory: no host call, no lock, no copy.
//!
//! ```text
//! request's fields ─▶ fields: those that tell it from others ─▶ shelf: the answer
//!                                                      door: whoever comes again may stay
//! ```
//!
//! An answer is found by the very bytes of the request's fields that can make a difference ([`TellingFields`]), so neither
//! rule nor key is worked out again. It is the owner's business whether the answer still holds; this is where it stands.
//!
//! Memory is bounded in bytes. Who stays is decided twice. At the door ([`door`]): an answer is taken in when it is given a
//! second time, so one pass over many URLs takes nobody's place. On the shelf ([`shelf`]): when room is needed, answers go
//! that were not given again since room was last needed (SIEVE). Both cost a hit nothing but one mark.

mod door;
mod fields;
mod hash;
mod shelf;

pub use fields::{TellingFields, Unlearned};
pub use hash::NameHash;
pub use shelf::{Kept, Shelf};

pub(crate) use door::{Door, Knock};
