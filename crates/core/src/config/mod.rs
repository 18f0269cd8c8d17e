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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::Method;
    use crate::time::Seconds;

    fn problems(json: &str) -> Vec<String> {
        match Config::parse(json.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(|error| error.to_string()).collect(),
        }
    }

    fn policy(rule: &Rule) -> &CachePolicy {
        match &rule.action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => {
                panic!("{} is not cached", rule.name)
            }
            Action::Cache(policy) => policy,
        }
    }

    #[test]
    fn nothing_at_all_means_every_default() {
        let config = Config::parse(b"").unwrap();
        let explicit = Config::parse(
            br#"{"$schema": "larder.schema.json", "rules": [], "unmatched": "rfc9111", "default_ttl_seconds": null,
                "heuristic": false, "request_cache_control": "ignore", "set_cookie": "bypass",
                "cache_errors": "explicit", "no_vary_search": false,
                "compression": {"enabled": true, "threshold_bytes": 1024, "min_saving": 0.10},
                "stale_while_revalidate_seconds": 0, "stale_if_error_seconds": 0,
                "stale_if_error_statuses": [500, 502, 503, 504],
                "coalesce": {"wait_seconds": 5, "max_waiters": 1024}, "hit_for_miss_seconds": 120,
                "breaker": {"window_seconds": 10, "failure_ratio": 0.5, "min_requests": 20, "max_stale_seconds": 0},
                "negative": [], "refresh_ahead": 0, "ttl_jitter": 0, "background": {"cluster": null},
                "headers": {"x_cache": true, "cache_status": true, "warning": false, "cache_control": true},
                "composition": {"max_depth": 3, "max_fragments": 64, "max_bytes": 1048576, "timeout_ms": 2000},
                "limits": {"max_object_bytes": 1048576, "capture_bytes": 67108864,
                           "max_variants": 16, "max_key_bytes": 4096},
                "storage": {"slots": 65536, "max_bytes": 268435456, "hot_bytes": 16777216, "log_records": 4096}}"#,
        );
        assert_eq!(format!("{config:?}"), format!("{:?}", explicit.unwrap()));
        let Unmatched::Rfc9111(policy) = config.unmatched else {
            panic!("unmatched requests are left alone");
        };
        assert_eq!(policy.ttl, Ttl::Origin);
        assert_eq!(policy.key.query.order, QueryOrder::Verbatim);
    }

    #[test]
    fn the_full_example_is_understood() {
        let config = Config::parse(include_bytes!("../../tests/data/full.json")).unwrap();
        let names: Vec<_> = config.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "predictive",
                "conversation",
                "analytics",
                "profile",
                "search",
                "update"
            ]
        );
        assert!(matches!(config.rules[0].action, Action::Bypass));
        assert_eq!(
            policy(&config.rules[2]).ttl,
            Ttl::Default(Seconds::clamped(300))
        );
        let profile = policy(&config.rules[3]);
        assert_eq!(profile.ttl, Ttl::Override(Seconds::clamped(300)));
        assert_eq!(profile.key.headers, ["accept-language", "x-api"]);
        assert_eq!(profile.key.cookies, ["tenant"]);
        let identity = profile.identity.as_ref().unwrap();
        assert_eq!(
            identity.source,
            IdentitySource::Header("x-user-id".to_owned())
        );
        assert_eq!(identity.trust, Trust::Verified);
        assert_eq!(identity.private, PrivateResponses::Bypass);
        assert_eq!(profile.store_if.status, Some(vec![200]));
        let condition = profile.store_if.json.as_ref().unwrap();
        assert_eq!(condition.equals, serde_json::Value::Bool(true));
        assert_eq!(profile.tagging.templates.len(), 4);
        assert_eq!(profile.tagging.groups, ["user_id"]);
        assert_eq!(profile.key.content, RequestContent::Bypass);
        let search = policy(&config.rules[4]);
        assert_eq!(search.key.content, RequestContent::Key);
        let Action::Invalidate(orders) = &config.rules[5].action else {
            panic!("{:?}", config.rules[5]);
        };
        assert_eq!(orders.mode, Purging::Soft);
        assert_eq!((orders.tags.len(), orders.keys.len()), (3, 2));
        assert_eq!(orders.patterns.len(), 1);
        assert_eq!(orders.expressions, [r"/api/\d{2}"]);
        assert_eq!(orders.groups, ["part"]);
    }

    #[test]
    fn the_six_first_rules_are_understood() {
        let config = Config::parse(include_bytes!("../../tests/data/six_rules.json")).unwrap();
        let ttl = |rule: &Rule| match &rule.action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => None,
            Action::Cache(policy) => Some(policy.ttl),
        };
        let ttls: Vec<_> = config.rules.iter().map(ttl).collect();
        let seconds = |seconds| Some(Ttl::Default(Seconds::clamped(seconds)));
        let expected = [
            None,
            None,
            seconds(300),
            seconds(60),
            seconds(600),
            seconds(30),
        ];
        assert_eq!(ttls, expected);
    }

    #[test]
    fn rules_inherit_what_they_do_not_say() {
        let config = Config::parse(
            br#"{"default_ttl_seconds": 60, "set_cookie": "strip", "cache_errors": "never",
                "no_vary_search": true,
                "rules": [
                    {"name": "silent", "match": {}},
                    {"name": "own", "match": {}, "ttl_seconds": 5, "set_cookie": "store",
                     "heuristic": true, "request_cache_control": "honor", "cache_errors": "explicit",
                     "no_vary_search": false},
                    {"name": "override", "match": {}, "ttl_mode": "override"}
                ]}"#,
        )
        .unwrap();
        let [silent, own, r#override] = config.rules.as_slice() else {
            panic!("{config:?}");
        };
        assert_eq!(policy(silent).ttl, Ttl::Default(Seconds::clamped(60)));
        assert_eq!(policy(silent).set_cookie, SetCookie::Strip);
        assert_eq!(policy(silent).cache_errors, CacheErrors::Never);
        assert_eq!(policy(silent).no_vary_search, NoVarySearch::Obey);
        assert_eq!(policy(own).no_vary_search, NoVarySearch::Ignore);
        assert_eq!(policy(own).ttl, Ttl::Default(Seconds::clamped(5)));
        assert_eq!(policy(own).set_cookie, SetCookie::Store);
        assert_eq!(policy(own).heuristic, Heuristic::On);
        assert_eq!(
            policy(own).request_cache_control,
            RequestCacheControl::Honor
        );
        assert_eq!(policy(own).cache_errors, CacheErrors::Explicit);
        assert_eq!(policy(r#override).ttl, Ttl::Override(Seconds::clamped(60)));
    }

    #[test]
    fn content_in_the_key_needs_words_that_nobody_writes_by_accident() {
        let rule =
            |settings: &str| problems(&format!(r#"{{"rules": [{{"name": "a", {settings}}}]}}"#));
        let body = r#""key": {"body": true}"#;
        let hold = r#""hold_headers": true"#;
        let problem = |settings: String, starts: &str| {
            let found = rule(&settings);
            assert_eq!(found.len(), 1, "{settings}: {found:?}");
            assert!(found[0].starts_with(starts), "{settings}: {found:?}");
        };
        let methods = |names: &str| format!(r#""match": {{"methods": [{names}]}}"#);
        let all = methods(r#""GET", "HEAD", "POST", "QUERY""#);
        assert_eq!(rule(&format!("{all}, {body}, {hold}")), [""; 0]);
        let query = methods(r#""QUERY""#);
        let needs = "rules[0].key.body: needs `hold_headers: true`";
        problem(format!("{query}, {body}"), needs);
        problem(format!(r#"{query}, {body}, "hold_headers": false"#), needs);
        problem(
            format!(r#""match": {{}}, {hold}"#),
            "rules[0].hold_headers: has no meaning without `key.body`, `esi: true` or `json_include: true`",
        );
        problem(
            format!(r#""match": {{}}, "key": {{"body": false}}, {hold}"#),
            "rules[0].hold_headers: has no meaning",
        );
        problem(
            format!(r#""match": {{}}, {body}, {hold}"#),
            "rules[0].match.methods: must be named beside `key.body`",
        );
        problem(
            format!("{}, {body}, {hold}", methods(r#""PUT""#)),
            "rules[0].match.methods[0]: `PUT` is not cached: only GET, HEAD, POST and QUERY",
        );
        problem(
            query,
            "rules[0].match.methods[0]: `QUERY` is cached only with `key.body`",
        );
        problem(
            format!(r#""match": {{}}, "cache": false, {hold}"#),
            "rules[0].hold_headers: has no meaning beside `cache: false`",
        );
    }

    #[test]
    fn a_post_is_a_question_where_the_operator_says_so() {
        let config = Config::parse(include_bytes!("../../tests/data/full.json")).unwrap();
        let (search, profile) = (policy(&config.rules[4]), policy(&config.rules[3]));
        assert!(search.is_question(Method::Post) && !profile.is_question(Method::Post));
        assert!(!search.is_question(Method::Put) && !search.is_question(Method::Other));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let json = include_str!("../../tests/data/wrong.json");
        let expected = include_str!("../../tests/data/wrong.txt");
        assert_eq!(problems(json).join("\n"), expected.trim_end());
    }

    #[test]
    fn a_guest_has_only_so_much_memory() {
        for (field, most) in [
            ("capture_bytes", 512 << 20),
            ("max_object_bytes", 128 << 20),
        ] {
            let parse = |bytes: u32| {
                let storage = r#""storage": {"max_bytes": 1099511627776}"#;
                let others = r#""capture_bytes": 536870912"#;
                let limits = match field {
                    "capture_bytes" => format!(r#""{field}": {bytes}"#),
                    _ => format!(r#"{others}, "{field}": {bytes}"#),
                };
                let json = format!(r#"{{{storage}, "limits": {{{limits}}}}}"#);
                Config::parse(json.as_bytes())
            };
            assert!(parse(most).is_ok(), "{field}");
            let problem = parse(most + 1).unwrap_err();
            let expected = format!("limits.{field}: must be at most {most}");
            assert_eq!(problem.len(), 1);
            assert_eq!(problem[0].to_string(), expected);
        }
    }

    #[test]
    fn one_problem_does_not_breed_others() {
        for (json, problem) in [
            (
                r#"{"rules": [{"name": "a", "match": {"path": "/("}, "key": {"template": "{id}"}}]}"#,
                "rules[0].match.path: is no regular expression: found open group without closing ')'",
            ),
            (
                r#"{"default_ttl_seconds": "1", "rules": [{"name": "a", "match": {}, "ttl_mode": "override"}]}"#,
                "default_ttl_seconds: must be a whole number, not a string",
            ),
            ("[]", "configuration: must be an object, not an array"),
            (
                "{",
                "configuration: EOF while parsing an object at line 1 column 1",
            ),
        ] {
            let problems = problems(json);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(problem), "{problems:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_damaged_document_is_read_or_refused_with_a_reason(
            at in 0..2000_usize,
            cut in 0..20_usize,
            instead in "[\\x00-\\x7f]{0,4}",
        ) {
            let mut json = include_bytes!("../../tests/data/full.json").to_vec();
            let start = at.min(json.len());
            let end = at.saturating_add(cut).min(json.len());
            json.splice(start..end, instead.bytes());
            if let Err(errors) = Config::parse(&json) {
                prop_assert!(!errors.is_empty());
            }
        }
    }
}
