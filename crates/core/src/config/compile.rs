//! From what the operator wrote to what Larder does: patterns compiled, defaults settled, contradictions refused.

use super::composition::Templates;
use super::content;
use super::fingerprint::fingerprint;
use super::matcher::{HostPattern, Matcher, MethodName};
use super::orders::{self, RawOrders};
use super::path::PathPattern;
use super::problem::{Problems, field_path};
use super::raw::{RawConfig, RawDefaults, RawLimits, RawStorage, RawUnmatched};
use super::raw_rule::{
    RawCondition, RawIdentity, RawKey, RawMatch, RawQuery, RawRule, RawStoreIf, RawText, RawTtlMode,
};
use super::read::Given;
use super::tagging;
use super::{
    Action, CacheErrors, CachePolicy, Config, Heuristic, Identity, JsonCondition, KeySpec, Limits,
    NamePattern, NoVarySearch, QueryOrder, QuerySpec, RequestCacheControl, RequestContent, Rule,
    RuleHash, SetCookie, Storage, StoreIf, Switch, Tagging, Template, Ttl, Unmatched,
};
use crate::http::Method;
use crate::sorting::sort_by;
use crate::time::Seconds;

/// The methods of a rule that names none.
const READS: [Method; 2] = [Method::Get, Method::Head];
/// The same where it says what a write makes invalid.
const WRITES: [Method; 4] = [Method::Post, Method::Put, Method::Patch, Method::Delete];

/// Compiles a document that could be read. Where something is wrong, `problems` says so and the result is of no use.
pub(super) fn compile(raw: RawConfig, problems: &Problems) -> Config {
    check_sizes(&raw, problems);
    check_names(&raw.rules, problems);
    let context = Context {
        default_ttl: raw.default_ttl,
        defaults: raw.defaults,
        problems,
    };
    Config {
        unmatched: match raw.unmatched {
            RawUnmatched::Bypass => Unmatched::Bypass,
            RawUnmatched::Rfc9111 => Unmatched::Rfc9111(Box::new(context.unmatched_policy())),
        },
        rules: raw
            .rules
            .into_iter()
            .map(|rule| context.rule(rule))
            .collect(),
        headers: raw.headers,
        limits: limits(raw.limits),
        composition: raw.composition,
        storage: storage(raw.storage),
        coalescing: raw.origin.coalescing,
        breaker: raw.origin.breaker,
        background: raw.origin.background,
        route_metadata: raw.route_metadata.unwrap_or(Switch::Off),
        management: raw.management,
        admin: raw.admin,
    }
}

fn limits(raw: RawLimits) -> Limits {
    Limits {
        max_object_bytes: raw.max_object_bytes.unwrap_or(1 << 20),
        capture_bytes: raw.capture_bytes.unwrap_or(64 << 20),
        max_tags: raw.max_tags.unwrap_or(64),
        max_variants: raw.max_variants.unwrap_or(16),
        max_key_bytes: raw.max_key_bytes.unwrap_or(4096),
    }
}

fn storage(raw: RawStorage) -> Storage {
    Storage {
        slots: raw.slots.unwrap_or(65_536),
        max_bytes: raw.max_bytes.unwrap_or(256 << 20),
        hot_bytes: raw.hot_bytes.unwrap_or(16 << 20),
        log_records: raw.log_records.unwrap_or(4096),
    }
}

fn check_sizes(raw: &RawConfig, problems: &Problems) {
    let (limits, storage) = (limits(raw.limits), storage(raw.storage));
    let object = limits.max_object_bytes;
    if raw.limits.max_object_bytes == Given::Refused {
        return;
    }
    if u64::try_from(object).is_ok_and(|object| object > storage.max_bytes) {
        let most = storage.max_bytes;
        let problem = format!("must be at most `storage.max_bytes`, {most}");
        problems.add("limits.max_object_bytes", problem);
    }
    if raw.limits.capture_bytes != Given::Refused && limits.capture_bytes < object {
        let problem = format!("must be at least `limits.max_object_bytes`, {object}");
        problems.add("limits.capture_bytes", problem);
    }
}

fn check_names(rules: &[RawRule], problems: &Problems) {
    for (place, rule) in rules.iter().enumerate() {
        let Given::Value(name) = &rule.name else {
            continue;
        };
        // A thousand rules are half a million short comparisons, and no set's code is needed for them.
        let mut before = rules.iter().take(place);
        if before.any(|other| other.name == rule.name) {
            let problem = format!("`{name}` is the name of an earlier rule");
            problems.add(field_path(&rule.at, "name"), problem);
        }
    }
}

/// What every rule is compiled with.
struct Context<'a> {
    default_ttl: Given<Seconds>,
    defaults: RawDefaults,
    problems: &'a Problems,
}

impl Context<'_> {
    fn unmatched_policy(&self) -> CachePolicy {
        let key = KeySpec {
            template: None,
            headers: Vec::new(),
            cookies: Vec::new(),
            query: QuerySpec {
                include: None,
                exclude: Vec::new(),
                order: QueryOrder::Verbatim,
            },
            content: RequestContent::Bypass,
        };
        let mut policy = self.policy(RawDefaults::default(), Ttl::Origin, key);
        policy.hash = fingerprint(&policy, None);
        policy
    }

    /// A policy without identity and conditions, and without its hash.
    fn policy(&self, settings: RawDefaults, ttl: Ttl, key: KeySpec) -> CachePolicy {
        let defaults = &self.defaults;
        let request_cache_control = settings
            .request_cache_control
            .or(defaults.request_cache_control);
        CachePolicy {
            hash: RuleHash(0),
            ttl,
            heuristic: settings
                .heuristic
                .or(defaults.heuristic)
                .unwrap_or(Heuristic::Off),
            request_cache_control: request_cache_control.unwrap_or(RequestCacheControl::Ignore),
            set_cookie: settings
                .set_cookie
                .or(defaults.set_cookie)
                .unwrap_or(SetCookie::Bypass),
            cache_errors: settings
                .cache_errors
                .or(defaults.cache_errors)
                .unwrap_or(CacheErrors::Explicit),
            no_vary_search: settings
                .no_vary_search
                .or(defaults.no_vary_search)
                .unwrap_or(NoVarySearch::Ignore),
            compression: settings.compression.compile(defaults.compression),
            key,
            identity: None,
            store_if: StoreIf::default(),
            sparing: settings.sparing.compile(&defaults.sparing, ttl),
            shadow: Switch::Off,
            tagging: Tagging::default(),
            templates: Templates::DEFAULT,
        }
    }

    fn rule(&self, mut raw: RawRule) -> Rule {
        let path = self.path(&raw);
        let name = std::mem::take(&mut raw.name).unwrap_or(String::new());
        let invalidates = std::mem::take(&mut raw.invalidates);
        let matching = std::mem::take(&mut raw.matching);
        let (action, unnamed) = match (invalidates, raw.cache) {
            (Given::Value(orders), _) => {
                orders::check_methods(&raw.at, &matching.methods, self.problems);
                let action = self.orders(raw, orders, &path);
                (action, &WRITES[..])
            }
            // Of a document that is refused, so that nothing more is said about it.
            (Given::Refused, _) => (Action::Bypass, &READS[..]),
            (Given::Absent, Given::Absent | Given::Refused | Given::Value(true)) => {
                (self.caching(raw, &matching, &path), &READS[..])
            }
            (Given::Absent, Given::Value(false)) => {
                self.refuse(&raw, "cache: false", |_| true);
                (Action::Bypass, &READS[..])
            }
        };
        Rule {
            name,
            matcher: self.matcher(matching, path.value(), unnamed),
            action,
        }
    }

    /// Reports those of the fields for caching that have no meaning beside another one.
    fn refuse(&self, raw: &RawRule, beside: &str, is_refused: impl Fn(&str) -> bool) {
        let fields = raw.caching_fields.iter();
        for field in fields.filter(|field| is_refused(field)) {
            let problem = format!("has no meaning beside `{beside}`");
            self.problems.add(field_path(&raw.at, field), problem);
        }
    }

    fn orders(&self, raw: RawRule, orders: RawOrders, path: &Given<PathPattern>) -> Action {
        self.refuse(&raw, "invalidates", |field| field != "identity");
        if raw.cache != Given::Absent {
            let problem = "has no meaning beside `invalidates`: writes are never cached";
            self.problems.add(field_path(&raw.at, "cache"), problem);
        }
        let identity = raw
            .identity
            .and_then(|identity| self.identity(&raw.at, identity));
        Action::Invalidate(Box::new(orders.compile(path, identity, self.problems)))
    }

    fn caching(&self, raw: RawRule, matching: &RawMatch, path: &Given<PathPattern>) -> Action {
        let content = content::content(&raw, self.problems);
        content::check_methods(&raw.at, &matching.methods, content, self.problems);
        let templates = Templates::compile(&raw, content, self.problems);
        let ttl = self.ttl(&raw);
        let key = KeySpec {
            content,
            ..self.key(&raw.at, raw.key, matching, path)
        };
        let mut policy = self.policy(raw.settings, ttl, key);
        policy.identity = raw
            .identity
            .and_then(|identity| self.identity(&raw.at, identity));
        policy.shadow = match raw.shadow.unwrap_or(false) {
            true => Switch::On,
            false => Switch::Off,
        };
        policy.templates = templates;
        policy.store_if = self.store_if(&raw.at, raw.store_if);
        policy.tagging = tagging::compile(&raw.tags, &policy, path, self.problems);
        let pattern = matching.path.clone().value();
        policy.hash = fingerprint(&policy, pattern.as_deref());
        Action::Cache(Box::new(policy))
    }

    fn path(&self, raw: &RawRule) -> Given<PathPattern> {
        match &raw.matching.path {
            Given::Absent => Given::Absent,
            Given::Refused => Given::Refused,
            Given::Value(pattern) => match PathPattern::parse(pattern) {
                Ok(pattern) => Given::Value(pattern),
                Err(problem) => {
                    let at = field_path(&field_path(&raw.at, "match"), "path");
                    self.problems.add(at, problem);
                    Given::Refused
                }
            },
        }
    }

    /// `unnamed` are the methods it takes where the operator names none.
    fn matcher(&self, raw: RawMatch, path: Option<PathPattern>, unnamed: &[Method]) -> Matcher {
        let host = raw.host.and_then(|RawText { at, text: host }| {
            HostPattern::parse(&host)
                .map_err(|problem| self.problems.add(at, problem))
                .ok()
        });
        let methods = match raw.methods {
            Given::Absent | Given::Refused => {
                unnamed.iter().copied().map(MethodName::Known).collect()
            }
            Given::Value(names) => names.iter().map(|name| MethodName::parse(name)).collect(),
        };
        Matcher {
            path,
            host,
            methods,
            headers: raw.headers,
        }
    }

    fn ttl(&self, raw: &RawRule) -> Ttl {
        match (raw.ttl.or(self.default_ttl), raw.ttl_mode) {
            (Given::Value(seconds), RawTtlMode::Default) => Ttl::Default(seconds),
            (Given::Value(seconds), RawTtlMode::Override) => Ttl::Override(seconds),
            (Given::Absent, RawTtlMode::Default) | (Given::Refused, _) => Ttl::Origin,
            (Given::Absent, RawTtlMode::Override) => {
                self.problems.add(
                    field_path(&raw.at, "ttl_mode"),
                    "`override` needs `ttl_seconds`, or `default_ttl_seconds` at the top level",
                );
                Ttl::Origin
            }
        }
    }

    fn key(
        &self,
        at: &str,
        raw: RawKey,
        matching: &RawMatch,
        path: &Given<PathPattern>,
    ) -> KeySpec {
        let at = field_path(&field_path(at, "key"), "template");
        // What a rule selects by is part of the key: else two rules that differ in nothing else would share entries.
        let selecting = matching.headers.iter().map(|(name, _)| name.clone());
        KeySpec {
            template: raw.template.and_then(|text| self.template(at, &text, path)),
            headers: sorted(raw.headers.into_iter().chain(selecting)),
            cookies: sorted(raw.cookies),
            query: query(raw.query),
            content: RequestContent::Bypass,
        }
    }

    fn template(&self, at: String, text: &str, path: &Given<PathPattern>) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(problem) => {
                self.problems.add(at, problem);
                return None;
            }
        };
        for problem in missing_groups(template.names(), path) {
            self.problems.add(at.clone(), problem);
        }
        Some(template)
    }

    fn identity(&self, at: &str, raw: RawIdentity) -> Option<Identity> {
        if raw.sources.len() != 1 {
            self.problems.add(
                field_path(at, "identity"),
                "must have exactly one of `header`, `cookie`, `jwt_claim` and `metadata`",
            );
        }
        let source = raw.sources.into_iter().next()?.value()?;
        Some(Identity {
            source,
            trust: raw.trust,
            private: raw.private,
        })
    }

    fn store_if(&self, at: &str, raw: RawStoreIf) -> StoreIf {
        StoreIf {
            status: raw.status.map(sorted),
            response_header: raw.response_header,
            json: raw.json.and_then(|json| self.condition(at, json)),
        }
    }

    fn condition(&self, at: &str, raw: RawCondition) -> Option<JsonCondition> {
        let pointer = raw.pointer.value()?;
        if !is_json_pointer(&pointer) {
            let at = field_path(&field_path(&field_path(at, "store_if"), "json"), "pointer");
            self.problems.add(at, "is no JSON pointer (RFC 6901)");
        }
        Some(JsonCondition {
            pointer,
            equals: raw.equals.value()?,
        })
    }
}

/// What is wrong with texts that name groups which the path does not have.
pub(super) fn missing_groups(names: &[String], path: &Given<PathPattern>) -> Vec<String> {
    let is_missing = |name: &&String| match path {
        Given::Absent => true,
        Given::Refused => false, // nobody can know
        Given::Value(path) => !path.has_group(name),
    };
    let problem = |name| format!("has `{{{name}}}`, but `match.path` has no group of that name");
    names.iter().filter(is_missing).map(problem).collect()
}

fn query(raw: RawQuery) -> QuerySpec {
    let patterns = |names: Vec<String>| {
        let names = sorted(names);
        names.iter().map(|name| NamePattern::new(name)).collect()
    };
    QuerySpec {
        include: raw.include.map(patterns),
        exclude: patterns(raw.exclude),
        order: raw.order.unwrap_or(QueryOrder::Sorted),
    }
}

fn sorted<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = values.into_iter().collect();
    sort_by(&mut sorted, Ord::cmp);
    sorted.dedup();
    sorted
}

// "" or a sequence of "/" and tokens, in which "~" stands only before "0" or "1" (RFC 6901 section 3).
fn is_json_pointer(text: &str) -> bool {
    let starts_well = text.is_empty() || text.starts_with('/');
    starts_well
        && text
            .split('~')
            .skip(1)
            .all(|tail| tail.starts_with(['0', '1']))
}
