//! The digest of a policy: everything that shapes what is stored under it, in one stable form.
//!
//! Settings are written one after the other, name and value each behind its length, and hashed with MD5, of which the
//! first 64 bits are kept. The form is part of what entries mean: another one makes every stored entry that of
//! another rule. Left out are the rule's name, the requests it takes (the key tells them apart), and how much the
//! client's Cache-Control counts, since none of them changes what is kept. Nor does compression, which is undone where another
//! rule does not want it, nor whether the rule is only tried (`shadow`): what was stored meanwhile serves when it is not. The path counts where a template puts its
//! captures into the key in its place.
//!
//! Of what spares the origin only `negative` counts: it says what is stored, and for how long. What may be given stale, and when
//! it is made fresh, is judged when it is used. A lifetime that `ttl_jitter` has not cut, or has cut by more than it would now, is one that
//! the rule allows; and if switching jitter on had everything asked about at once, it would do what it is there to prevent.

use md5::{Digest, Md5};

use super::write::written;
use super::{
    CacheErrors, CachePolicy, Heuristic, Identity, IdentitySource, NamePattern, Negative,
    NoVarySearch, PrivateResponses, QueryOrder, RequestContent, RuleHash, SetCookie, StoreIf,
    TagPart, Tagging, TemplatePart, Trust, Ttl,
};

/// The digest of a policy whose rule has `path` as its pattern.
pub(super) fn fingerprint(policy: &CachePolicy, path: Option<&str>) -> RuleHash {
    let mut digest = Fingerprint(Md5::new());
    digest.add_freshness(policy);
    digest.add_key(policy, path);
    if let Some(identity) = &policy.identity {
        digest.add_identity(identity);
    }
    digest.add_conditions(&policy.store_if);
    digest.add_tags(&policy.tagging, path);
    let [a, b, c, d, e, f, g, h, ..]: [u8; 16] = digest.0.finalize().into();
    RuleHash(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

struct Fingerprint(Md5);

impl Fingerprint {
    fn add(&mut self, name: &str, value: &str) {
        for part in [name, value] {
            let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
            self.0.update(len.to_be_bytes());
            self.0.update(part.as_bytes());
        }
    }

    fn add_all<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            self.add(name, value);
        }
    }

    fn add_freshness(&mut self, policy: &CachePolicy) {
        match policy.ttl {
            Ttl::Origin => {}
            Ttl::Default(seconds) => self.add("ttl", &seconds.get().to_string()),
            Ttl::Override(seconds) => self.add("ttl override", &seconds.get().to_string()),
        }
        let heuristic = match policy.heuristic {
            Heuristic::Off => "off",
            Heuristic::On => "on",
        };
        self.add("heuristic", heuristic);
        let set_cookie = match policy.set_cookie {
            SetCookie::Bypass => "bypass",
            SetCookie::Store => "store",
            SetCookie::Strip => "strip",
        };
        self.add("set-cookie", set_cookie);
        let cache_errors = match policy.cache_errors {
            CacheErrors::Explicit => "explicit",
            CacheErrors::Never => "never",
        };
        self.add("cache-errors", cache_errors);
        for Negative { status, ttl } in &policy.sparing.negative {
            self.add("negative", &status.to_string());
            self.add("for", &ttl.get().to_string());
        }
    }

    fn add_key(&mut self, policy: &CachePolicy, path: Option<&str>) {
        let key = &policy.key;
        if let Some(template) = &key.template {
            self.add("path", path.unwrap_or_default());
            for part in template.parts() {
                match part {
                    TemplatePart::Capture(index) => {
                        let name = template.names().get(*index);
                        self.add("capture", name.map_or("", String::as_str));
                    }
                    TemplatePart::Literal(text) => self.add("literal", text),
                }
            }
        }
        self.add_all("header", key.headers.iter().map(String::as_str));
        self.add_all("cookie", key.cookies.iter().map(String::as_str));
        if let Some(include) = &key.query.include {
            self.add("query", "include");
            self.add_all("include", include.iter().map(NamePattern::as_str));
        }
        self.add_all("exclude", key.query.exclude.iter().map(NamePattern::as_str));
        let order = match key.query.order {
            QueryOrder::AsSent => "as sent",
            QueryOrder::Sorted => "sorted",
            QueryOrder::Verbatim => "verbatim",
        };
        self.add("order", order);
        match policy.no_vary_search {
            NoVarySearch::Ignore => {} // not written, so that rules without it keep what they stored
            NoVarySearch::Obey => self.add("no-vary-search", "obey"),
        }
        match key.content {
            RequestContent::Bypass => {}
            RequestContent::Key => self.add("content", "key"),
        }
    }

    fn add_identity(&mut self, identity: &Identity) {
        match &identity.source {
            IdentitySource::Cookie(name) => self.add("identity cookie", name),
            IdentitySource::Header(name) => self.add("identity header", name),
            IdentitySource::JwtClaim(name) => self.add("identity claim", name),
            IdentitySource::Metadata(path) => {
                self.add_all("identity metadata", path.iter().map(String::as_str));
            }
        }
        let trust = match identity.trust {
            Trust::Claimed => "claimed",
            Trust::Verified => "verified",
        };
        self.add("trust", trust);
        let private = match identity.private {
            PrivateResponses::Bypass => "bypass",
            PrivateResponses::Store => "store",
        };
        self.add("private", private);
    }

    fn add_conditions(&mut self, store_if: &StoreIf) {
        for status in store_if.status.iter().flatten() {
            self.add("status", &status.to_string());
        }
        for (name, value) in &store_if.response_header {
            self.add("response header", name);
            self.add("is", value);
        }
        if let Some(json) = &store_if.json {
            self.add("pointer", &json.pointer);
            self.add("equals", &written(&json.equals));
        }
    }

    fn add_tags(&mut self, tagging: &Tagging, path: Option<&str>) {
        if !tagging.groups.is_empty() {
            self.add("tags of path", path.unwrap_or_default());
        }
        for template in &tagging.templates {
            self.add("tag", "");
            for part in template.parts() {
                match part {
                    TagPart::Capture(index) => {
                        let name = tagging.groups.get(*index);
                        self.add("tag capture", name.map_or("", String::as_str));
                    }
                    TagPart::Header(name) => self.add("tag header", name),
                    TagPart::Identity => self.add("tag identity", ""),
                    TagPart::Literal(text) => self.add("tag literal", text),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::config::{Action, Config, RuleHash};

    fn hash(settings: &str) -> RuleHash {
        let json = format!(r#"{{"rules": [{{"name": "a", {settings}}}]}}"#);
        let config = Config::parse(json.as_bytes()).unwrap();
        match &config.rules[0].action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => {
                panic!("{settings} is not cached")
            }
            Action::Cache(policy) => policy.hash,
        }
    }

    #[test]
    fn the_digest_is_stable() {
        let golden = hash(
            r#""match": {"path": "/(?P<id>.*)"}, "ttl_seconds": 300, "ttl_mode": "override",
            "key": {"template": "a:{id}", "headers": ["accept-language"], "cookies": ["tenant"],
                    "query": {"include": ["page"], "exclude": ["utm_*"], "sort": true}},
            "identity": {"header": "x-user-id", "trusted": true},
            "store_if": {"status": [200], "response_header": {"x-cacheable": "yes"},
                         "json": {"pointer": "/cacheable", "equals": true}}"#,
        );
        assert_eq!(golden, RuleHash(0xb233_f6f2_cc75_cfbc));
        assert_eq!(hash(r#""match": {}"#), RuleHash(0xfe82_729e_5bcb_cf33));
    }

    #[test]
    fn whatever_shapes_an_entry_changes_the_digest() {
        let settings = [
            r#""match": {}"#,
            r#""match": {}, "ttl_seconds": 1"#,
            r#""match": {}, "ttl_seconds": 2"#,
            r#""match": {}, "ttl_seconds": 1, "ttl_mode": "override""#,
            r#""match": {}, "heuristic": true"#,
            r#""match": {}, "set_cookie": "strip""#,
            r#""match": {}, "set_cookie": "store""#,
            r#""match": {}, "cache_errors": "never""#,
            r#""match": {}, "no_vary_search": true"#,
            r#""match": {}, "negative": [{"status": 404, "ttl_seconds": 1}]"#,
            r#""match": {}, "negative": [{"status": 404, "ttl_seconds": 2}]"#,
            r#""match": {}, "negative": [{"status": [404, 410], "ttl_seconds": 1}]"#,
            r#""match": {}, "key": {"template": "a"}"#,
            r#""match": {"path": "/(?P<a>.*)"}, "key": {"template": "{a}"}"#,
            r#""match": {"path": "/x/(?P<a>.*)"}, "key": {"template": "{a}"}"#,
            r#""match": {}, "key": {"headers": ["a"]}"#,
            r#""match": {}, "key": {"headers": ["a", "b"]}"#,
            r#""match": {}, "key": {"cookies": ["a"]}"#,
            r#""match": {}, "key": {"query": {"include": []}}"#,
            r#""match": {}, "key": {"query": {"include": ["a"]}}"#,
            r#""match": {}, "key": {"query": {"exclude": ["a"]}}"#,
            r#""match": {}, "key": {"query": {"sort": false}}"#,
            r#""match": {"methods": ["GET"]}, "key": {"body": true}, "hold_headers": true"#,
            r#""match": {}, "identity": {"header": "a"}"#,
            r#""match": {}, "identity": {"cookie": "a"}"#,
            r#""match": {}, "identity": {"jwt_claim": "a"}"#,
            r#""match": {}, "identity": {"metadata": ["a", "b"]}"#,
            r#""match": {}, "identity": {"header": "a", "trusted": true}"#,
            r#""match": {}, "identity": {"header": "a", "store_private": true}"#,
            r#""match": {}, "store_if": {"status": [200]}"#,
            r#""match": {}, "store_if": {"response_header": {"a": "b"}}"#,
            r#""match": {}, "store_if": {"json": {"pointer": "", "equals": null}}"#,
            r#""match": {}, "store_if": {"json": {"pointer": "", "equals": "null"}}"#,
            r#""match": {}, "tags": ["a"]"#,
            r#""match": {}, "tags": ["a", "b"]"#,
            r#""match": {}, "tags": ["ab"]"#,
            r#""match": {"path": "/(?P<a>.*)"}, "tags": ["{a}"]"#,
            r#""match": {"path": "/x/(?P<a>.*)"}, "tags": ["{a}"]"#,
            r#""match": {}, "key": {"headers": ["a"]}, "tags": ["{header.a}"]"#,
            r#""match": {}, "identity": {"header": "a"}, "tags": ["{header.a}"]"#,
            r#""match": {}, "identity": {"header": "a"}, "tags": ["{identity}"]"#,
        ];
        let hashes: HashSet<_> = settings.iter().map(|settings| hash(settings)).collect();
        assert_eq!(hashes.len(), settings.len());
    }

    #[test]
    fn what_shapes_no_entry_leaves_the_digest_alone() {
        let plain = hash(r#""match": {}, "ttl_seconds": 1"#);
        for settings in [
            r#""match": {"path": "/a"}, "ttl_seconds": 1"#,
            r#""match": {"methods": ["GET"], "host": "a"}, "ttl_seconds": 1"#,
            r#""match": {}, "ttl_seconds": 1, "request_cache_control": "honor""#,
            r#""match": {}, "ttl_seconds": 1, "ttl_mode": "default", "heuristic": false"#,
            r#""match": {}, "ttl_seconds": 1, "no_vary_search": false"#,
            r#""match": {}, "ttl_seconds": 1, "compression": {"enabled": false, "min_saving": 0.5}"#,
            r#""match": {}, "ttl_seconds": 1, "key": {"body": false}, "hold_headers": false"#,
            r#""match": {}, "ttl_seconds": 1, "tags": []"#,
            r#""match": {}, "ttl_seconds": 1, "shadow": true"#,
            r#""match": {}, "ttl_seconds": 1, "negative": []"#,
            r#""match": {}, "ttl_seconds": 1, "stale_while_revalidate_seconds": 9, "stale_if_error_seconds": 9"#,
            r#""match": {}, "ttl_seconds": 1, "stale_if_error_statuses": [500]"#,
            r#""match": {}, "ttl_seconds": 1, "refresh_ahead": 0.1, "ttl_jitter": 0.1"#,
        ] {
            assert_eq!(hash(settings), plain, "{settings}");
        }
    }
}
