//! One rule: which requests it takes, and what it decides about them.

use super::Compression;
use super::matcher::{Matcher, Misfit};
use crate::http::{Authority, Method, RequestHead, Target};
use crate::time::Seconds;

/// A named rule.
#[derive(Debug)]
pub struct Rule {
    /// Unique among the rules; the word operators find in metrics.
    pub name: String,
    /// Which requests it takes.
    pub(super) matcher: Matcher,
    /// What to do with the requests it takes.
    pub action: Action,
}

impl Rule {
    /// Why it does not take a request; `None` where it does.
    pub fn misfit(&self, head: &RequestHead, target: &Target) -> Option<Misfit<'_>> {
        let host = Authority::parse(head.authority()).map(|authority| authority.host());
        self.matcher.misfit(head, host, target.path())
    }
}

/// What a rule does with the requests it takes.
#[derive(Debug)]
pub enum Action {
    /// They are not looked up and their responses not stored (`cache: false`).
    Bypass,
    /// They are cached like this.
    Cache(Box<CachePolicy>),
    /// They write, and when they succeed this is invalid.
    Invalidate(Box<super::Orders>),
    /// They pass, since nobody knows what is meant.
    Refuse,
}

/// A digest of everything in a rule that shapes what is stored; an entry made under another one is not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleHash(pub u64);

/// How the responses to some requests are cached.
#[derive(Debug)]
pub struct CachePolicy {
    /// Identifies this policy in entries.
    pub hash: RuleHash,
    /// The freshness that the operator gives.
    pub ttl: Ttl,
    /// Whether freshness may be guessed from Last-Modified.
    pub heuristic: Heuristic,
    /// How much the client's Cache-Control counts.
    pub request_cache_control: RequestCacheControl,
    /// What becomes of responses that set cookies.
    pub set_cookie: SetCookie,
    /// Whether 4xx and 5xx with explicit freshness are stored.
    pub cache_errors: CacheErrors,
    /// Whether the origin may say which query parameters its response does not vary on.
    pub no_vary_search: NoVarySearch,
    /// Whether and when what is stored is compressed.
    pub compression: Compression,
    /// What makes two requests the same.
    pub key: KeySpec,
    /// Whose entry it is.
    pub identity: Option<Identity>,
    /// Further conditions on a response.
    pub store_if: StoreIf,
    /// How the origin is spared.
    pub sparing: super::Sparing,
    /// Whether its answers are only compared with the origin's.
    pub shadow: super::Switch,
    /// The tags that are given to responses.
    pub tagging: super::Tagging,
    /// Which of the responses are templates.
    pub templates: super::Templates,
}

impl CachePolicy {
    /// Whether the operator says that a request with this method changes nothing, although the method does not: then it
    /// is no write (RFC 9111 section 4.4), also where it is not looked up.
    pub fn is_question(&self, method: Method) -> bool {
        method == Method::Post && self.key.content == RequestContent::Key
    }

    /// Names of the request fields that its keys are made of.
    pub(crate) fn key_fields(&self) -> impl Iterator<Item = &str> {
        let cookie = (!self.key.cookies.is_empty()).then_some("cookie");
        let identity = self.identity.iter().flat_map(|identity| {
            let source = match &identity.source {
                IdentitySource::Cookie(_) => Some("cookie"),
                IdentitySource::Header(name) => Some(name.as_str()),
                IdentitySource::JwtClaim(_) | IdentitySource::Metadata(_) => None,
            };
            source.into_iter().chain(["authorization"])
        });
        let headers = self.key.headers.iter().map(String::as_str);
        headers.chain(cookie).chain(identity)
    }

    /// Whether its keys are made of request fields alone, or of what the proxy knows besides.
    pub(crate) fn key_source(&self) -> KeySource {
        let identity = self.identity.as_ref().map(|identity| &identity.source);
        match identity {
            Some(IdentitySource::Metadata(_)) => KeySource::Attributes,
            Some(
                IdentitySource::Cookie(_) | IdentitySource::Header(_) | IdentitySource::JwtClaim(_),
            )
            | None => KeySource::Fields,
        }
    }
}

/// What a rule's keys are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Attributes of the proxy, too.
    Attributes,
    /// Fields of the request.
    Fields,
}

/// The freshness that the operator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// None: the origin says, or nothing is stored.
    Origin,
    /// Where the origin says nothing.
    Default(Seconds),
    /// In place of what the origin says; its private and no-store still hold.
    Override(Seconds),
}

/// Whether freshness may be guessed from Last-Modified (RFC 9111 section 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heuristic {
    /// Never.
    Off,
    /// A tenth of the time since the last modification.
    On,
}

/// How much the client's Cache-Control counts. `no-store` and `only-if-cached` always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestCacheControl {
    /// `no-cache`, `max-age`, `min-fresh`, `max-stale` and Pragma are obeyed.
    Honor,
    /// They are ignored, so that a client cannot drive load to the origin.
    Ignore,
}

/// What becomes of responses that set cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// They are not stored.
    Bypass,
    /// They are stored as they are: whoever asks gets the cookie.
    Store,
    /// They are stored without the cookies.
    Strip,
}

/// Whether 4xx and 5xx are stored. A rule's TTL never applies to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheErrors {
    /// When the origin itself gives them explicit freshness.
    Explicit,
    /// Not at all.
    Never,
}

/// Whether the response field No-Vary-Search counts, by which the origin says which query parameters a response does not
/// vary on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVarySearch {
    /// It does not: another query is another URL.
    Ignore,
    /// A stored response answers every URL that the field makes equivalent.
    Obey,
}

/// What makes two requests the same.
#[derive(Debug)]
pub struct KeySpec {
    /// Takes the place of path and query, expanded with the path's captures.
    pub template: Option<crate::config::Template>,
    /// Request fields that are part of the key, in lower case, sorted, without repetition; among them those by which
    /// the rule takes requests.
    pub headers: Vec<String>,
    /// Cookies that are part of the key, sorted, without repetition.
    pub cookies: Vec<String>,
    /// Which query parameters are part of the key.
    pub query: QuerySpec,
    /// What becomes of requests with content.
    pub content: RequestContent,
}

/// What becomes of requests with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestContent {
    /// They are left alone: nothing but the target and the fields tells requests apart.
    Bypass,
    /// The content, its metadata and the method are part of the key (`key.body`). By it the operator says that a POST
    /// under this rule is a question and changes nothing.
    Key,
}

/// Which query parameters are part of the key.
#[derive(Debug)]
pub struct QuerySpec {
    /// Only these, where given.
    pub include: Option<Vec<crate::config::NamePattern>>,
    /// Not these.
    pub exclude: Vec<crate::config::NamePattern>,
    /// In which order.
    pub order: QueryOrder,
}

/// The order of query parameters in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryOrder {
    /// As the client sent them.
    AsSent,
    /// By name; parameters of the same name keep their order.
    Sorted,
    /// The whole query byte for byte, as for requests that no rule matches: nothing is known about its parameters,
    /// so none is left out.
    Verbatim,
}

/// Whose entry it is.
#[derive(Debug)]
pub struct Identity {
    /// Where the identity stands.
    pub source: IdentitySource,
    /// Whether the value can be believed.
    pub trust: Trust,
    /// What becomes of responses marked private.
    pub private: PrivateResponses,
}

/// Where the identity stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A request field, by its name in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A claim in the payload of the bearer token.
    JwtClaim(String),
    /// Metadata that another filter set: the filter's name, then the path within; two elements or more.
    Metadata(Vec<String>),
}

/// Whether an identity can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody has verified it: the key also holds the whole credential.
    Claimed,
    /// It was verified or set before Larder sees it.
    Verified,
}

/// What becomes of responses marked private under an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateResponses {
    /// They are not stored.
    Bypass,
    /// They are stored for that identity (`store_private: true`).
    Store,
}

/// Further conditions on a response; all must hold.
#[derive(Debug, Default)]
pub struct StoreIf {
    /// Its status is among these, where given.
    pub status: Option<Vec<u16>>,
    /// Fields (lower case) that must be present with exactly this value.
    pub response_header: Vec<(String, String)>,
    /// A value within its JSON body.
    pub json: Option<JsonCondition>,
}

/// A value within a JSON body.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonCondition {
    /// Where it stands (RFC 6901).
    pub pointer: String,
    /// What it must be.
    pub equals: serde_json::Value,
}
