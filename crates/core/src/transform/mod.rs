//! What Larder makes of a stored body: gzip of what is worth it, and that undone.
//!
//! ```text
//! response ─▶ suitability: may it be compressed? ─▶ stored as it came
//!                                                     │ hit by a client that takes gzip, and later, on a tick:
//!                                                     ▼
//!                                         compressor ─▶ gzip, if that saves enough ─▶ stored in its place
//! hit ─▶ wish: what does the client take? ─▶ gzip as it stands, or unzipped
//!            └─▶ fields: the head that goes with it
//! ```
//!
//! Nothing here knows of tiers or exchanges, and nothing is trusted about a stored body but that it has a length: what
//! unzips to another length than was promised, or to other bytes, is no body.

mod checksum;
mod compressor;
mod fields;
mod gzip;
mod suitability;
mod wish;

pub use compressor::{Compressor, Progress, Unfinished};
pub use fields::{gzip_fields, plain_fields};
pub use gzip::{GzipError, MAX_RATIO, OVERHEAD, unzip};
pub use suitability::is_suitable;
pub use wish::{Wish, forbids_transforming, wish};
