//! What the operator decided, compiled: typed, immutable, impossible to be wrong.
//!
//! [`Config::parse`] reads the plugin's JSON and either gives all of this or every problem it found, each with the
//! path of the value it is about. A cache with half a configuration leaks, so there is no partial result and no
//! silent default for a value that could not be read.

mod pattern;
mod rule;

pub use pattern::{NamePattern, Template};
pub use rule::{
    Action, CacheErrors, CachePolicy, Heuristic, Identity, IdentitySource, JsonCondition, KeySpec,
    PrivateResponses, QueryOrder, QuerySpec, RequestCacheControl, Rule, RuleHash, SetCookie,
    StoreIf, Trust, Ttl,
};

/// A compiled configuration.
#[derive(Debug)]
pub struct Config {
    /// The rules in the order in which they are tried; the first that matches decides.
    pub rules: Vec<Rule>,
    /// What happens to a request that no rule matches.
    pub unmatched: Unmatched,
    /// Which fields Larder adds to responses.
    pub headers: AddedHeaders,
    /// Bounds on what one request or response may take.
    pub limits: Limits,
    /// Bounds on what is kept.
    pub storage: Storage,
}

/// What happens to a request that no rule matches.
#[derive(Debug)]
pub enum Unmatched {
    /// It is left alone.
    Bypass,
    /// It is cached where RFC 9111 allows and the origin gives explicit freshness.
    Rfc9111(CachePolicy),
}

/// Whether one field is added to responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is not.
    Off,
    /// It is.
    On,
}

/// Which fields Larder adds to responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedHeaders {
    /// `x-cache`, and `x-cache-age` on answers from the cache.
    pub x_cache: Switch,
    /// `cache-status` (RFC 9211).
    pub cache_status: Switch,
    /// `cache-control` on responses that have none and are cached by a rule's TTL.
    pub cache_control: Switch,
}

/// Bounds on what one request or response may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body that is stored, in bytes.
    pub max_object_bytes: usize,
    /// The bytes of bodies in capture at once, per worker.
    pub capture_bytes: usize,
    /// The variants of one URL.
    pub max_variants: usize,
    /// The canonical bytes of one key.
    pub max_key_bytes: usize,
}

/// Bounds on what is kept in the memory that all workers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The number of entries there is room for; a multiple of the ways of a set.
    pub slots: u32,
    /// The bytes that entries may take, keys and headers included.
    pub max_bytes: u64,
}
