//! The vocabulary of HTTP: messages, fields, lists. It knows nothing of caching.

mod authority;
mod cookie;
mod headers;
mod message;
mod target;

pub use authority::Authority;
pub use cookie::cookies;
pub use headers::{Headers, PairsError};
pub use message::{Malformed, Method, RequestHead, ResponseHead};
pub use target::{MAX_TARGET_BYTES, Target, TargetError, normalize_percent};
