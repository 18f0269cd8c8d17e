//! The vocabulary of HTTP: messages, fields, lists. It knows nothing of caching.

mod authority;
mod content_range;
mod cookie;
mod directives;
mod etag;
pub mod form;
mod groups;
mod headers;
mod influence;
pub mod list;
mod message;
mod no_vary_search;
mod range;
mod reference;
mod restriction;
pub mod structured;
mod tags;
mod target;
mod targeted;

pub use authority::Authority;
pub use content_range::ContentRange;
pub use cookie::cookies;
pub use directives::{RequestDirectives, ResponseDirectives, Source};
pub(crate) use directives::{decimal, delta_seconds};
pub use etag::{EntityTag, Strength};
pub use groups::{MAX_GROUPS, TooMany, groups};
pub use headers::{Headers, PairsError};
pub(crate) use influence::is_influence;
pub use influence::{INFLUENCES, overrides_method, said};
pub use message::{Malformed, Method, RequestHead, ResponseHead};
pub use no_vary_search::{KeyOrder, UrlVariation};
pub use range::{MAX_RANGES, RangeError, RangeSet, RangeSpec, Span};
pub use reference::Uri;
pub use restriction::Restriction;
pub use tags::{TAG_FIELDS, remove_tags, tag_name, tags};
pub use target::{MAX_TARGET_BYTES, Target, TargetError, normalize_percent};
