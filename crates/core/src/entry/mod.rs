//! What is kept of a response, and what it takes to use it again.
//!
//! A place in the cache holds one of four things: a response; a part of one, as long as nobody has asked for all of it; or,
//! where responses vary, the list of request fields that tell them apart, each variant then having a place of its own; or
//! what No-Vary-Search says of a path, by which its responses are found. All are plain bytes with a version in front, so
//! that a worker of another build reads them or knows that it cannot.

mod checksum;
mod codec;
mod coding;
mod meta;
mod partial;
mod reader;
mod response;
mod search;
mod stamp;
mod tags;
mod variants;

pub use checksum::checksum;
#[cfg(test)]
pub(crate) use codec::tests::sample;
pub use codec::{DecodeError, Payload};
pub use coding::Coding;
pub use meta::{FreshnessSource, Lifetime, Meta, StalePermission, Staleness, Validation};
pub use partial::{StoredPart, encode_part};
pub use reader::Reader;
pub use response::{MAX_STAMPS, StoredResponse, encode_response};
pub use search::{SearchRecord, encode_search};
pub use stamp::{Epoch, Stamp, StampList, Stamps};
pub use tags::{TagList, TagNames, TagSources};
pub use variants::{VariantMark, Variants, encode_variants};
