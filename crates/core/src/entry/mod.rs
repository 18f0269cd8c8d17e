//! What is kept of a response, and what it takes to use it again.
//!
//! A place in the cache holds one of two things: a response, or, where responses vary, the list of request fields
//! that tell them apart; each variant then has a place of its own. Both are plain bytes with a version in front, so
//! that a worker of another build reads them or knows that it cannot.

mod checksum;
mod codec;
mod meta;
mod reader;
mod response;
mod stamp;
mod variants;

pub use codec::{DecodeError, Payload};
pub use meta::{FreshnessSource, Lifetime, Meta, StalePermission, Staleness, Validation};
pub use reader::Reader;
pub use response::{StoredResponse, encode_response};
pub use stamp::{Epoch, Stamp, StampList, Stamps};
pub use variants::{VariantMark, Variants, encode_variants};
