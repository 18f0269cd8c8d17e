//! The vocabulary of HTTP: messages, fields, lists. It knows nothing of caching.

mod headers;
mod message;

pub use headers::{Headers, PairsError};
pub use message::{Malformed, Method, RequestHead, ResponseHead};
