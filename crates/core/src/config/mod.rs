//! What the operator decided, compiled: typed, immutable, impossible to be wrong.
//!
//! [`Config::parse`] reads the plugin's JSON and either gives all of this or every problem it found, each with the
//! path of the value it is about. A cache with half a configuration leaks, so there is no partial result and no
//! silent default for a value that could not be read.

mod admin;
mod compile;
mod composition;
mod compression;
mod content;
mod document;
mod fingerprint;
mod management;
mod matcher;
mod orders;
mod origin;
mod path;
mod pattern;
mod problem;
mod raw;
mod raw_origin;
mod raw_rule;
mod read;
mod rule;
mod runs;
mod select;
mod sha256;
mod tagging;
mod word;
mod write;

/// How JSON of people's is read, to its end, each problem with its place; and how it is written again.
pub mod reading {
    pub use super::problem::{field_path, item_path};
    pub use super::read::{Cursor, Fields, Given, read};
    pub use super::write::{quote, writable, written};
}

pub use admin::Admin;
pub use composition::{Composition, Esi, Heads, Templates};
pub use compression::{Compression, Share};
pub use management::{Exposure, Management, NoToken, TokenDigest, TokenVerdict};
pub use matcher::Misfit;
pub use orders::{Orders, Purging, REGEX, expression};
pub use origin::{BreakerSettings, Coalescing, Negative, Sparing, StaleWindow, StaleWindows};
pub use pattern::{NamePattern, Template, TemplatePart};
pub use problem::ConfigError;
pub(crate) use rule::KeySource;
pub use rule::{
    Action, CacheErrors, CachePolicy, Heuristic, Identity, IdentitySource, JsonCondition, KeySpec,
    NoVarySearch, PrivateResponses, QueryOrder, QuerySpec, RequestCacheControl, RequestContent,
    Rule, RuleHash, SetCookie, StoreIf, Trust, Ttl,
};
pub use select::{Captures, PolicyId, RuleIndex, Selected, Selection};
pub use tagging::{TagPart, TagTemplate, Tagging};

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
    /// What one page may take that is made of fragments.
    pub composition: Composition,
    /// Who waits for whom.
    pub coalescing: Coalescing,
    /// When an origin counts as failed.
    pub breaker: BreakerSettings,
    /// Through which of the proxy's clusters refreshes and warming go; none: through that of the route.
    pub background: Option<String>,
    /// The management API; none where it is not asked for.
    pub management: Option<Management>,
    /// The service of the fleet; none where there is one process.
    pub admin: Option<Admin>,
    /// Whether settings at the proxy's routes count.
    route_metadata: Switch,
}

impl Config {
    /// Reads the plugin's JSON; no bytes at all are an empty object, which means every default.
    ///
    /// # Errors
    ///
    /// Every problem of the document at once. A syntax error hides those behind it.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<ConfigError>> {
        reading::read(json, |cursor| {
            let problems = cursor.problems;
            let raw = raw::read_config(cursor);
            raw.map(|raw| compile::compile(raw, problems))
        })
    }

    /// Takes the management API's token, and the secret of the fleet, from where the configuration says. `read` looks a variable
    /// of the environment up.
    ///
    /// # Errors
    ///
    /// [`NoToken`] where there is none; then there is no management API.
    pub fn unlock(&mut self, read: impl Fn(&str) -> Option<String>) -> Result<(), NoToken> {
        if let Some(admin) = &mut self.admin {
            admin.unlock(&read);
        }
        let Some(management) = &mut self.management else {
            return Ok(());
        };
        let unlocked = management.unlock(read);
        if unlocked.is_err() {
            self.management = None;
        }
        unlocked
    }

    /// Whether settings at the proxy's routes count.
    pub fn reads_routes(&self) -> bool {
        self.route_metadata == Switch::On
    }

    /// Names of the request fields that some rule reads, beyond those by which every request is judged.
    pub fn request_fields(&self) -> impl Iterator<Item = &str> {
        let matched = self.rules.iter().flat_map(|rule| rule.matcher.fields());
        let unmatched = match &self.unmatched {
            Unmatched::Bypass => None,
            Unmatched::Rfc9111(policy) => Some(&**policy),
        };
        let cached = self.rules.iter().filter_map(|rule| match &rule.action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => None,
            Action::Cache(policy) => Some(&**policy),
        });
        let keyed = cached.chain(unmatched).flat_map(CachePolicy::key_fields);
        matched.chain(keyed)
    }
}

/// What happens to a request that no rule matches.
#[derive(Debug)]
pub enum Unmatched {
    /// It is left alone.
    Bypass,
    /// It is cached where RFC 9111 allows and the origin gives explicit freshness.
    Rfc9111(Box<CachePolicy>),
}

/// Whether one field is added to responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is not.
    Off,
    /// It is.
    On,
}

/// Which fields Larder adds to responses, and which it leaves on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedHeaders {
    /// `x-cache`, and `x-cache-age` on answers from the cache.
    pub x_cache: Switch,
    /// `cache-status` (RFC 9211).
    pub cache_status: Switch,
    /// `warning: 110` or `111` on stale answers, which RFC 9111 section 5.5 has made obsolete.
    pub warning: Switch,
    /// `cache-control` on responses that have none and are cached by a rule's TTL.
    pub cache_control: Switch,
    /// The origin's tag fields ([`crate::http::TAG_FIELDS`]), which otherwise end here.
    pub expose_tags: Switch,
}

/// Bounds on what one request or response may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body that is stored, in bytes.
    pub max_object_bytes: usize,
    /// The bytes kept for exchanges under way, per worker: bodies in capture, and heads of requests that missed.
    pub capture_bytes: usize,
    /// The tags of one response.
    pub max_tags: usize,
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
    /// What each worker keeps in its own memory, in bytes; none turns it off.
    pub hot_bytes: usize,
    /// The invalidated stamps that are remembered one by one ([`crate::tier::EpochLog`]).
    pub log_records: u32,
}

#[cfg(test)]
mod tests;
