//! Which of the operator's decisions holds for a request.
//!
//! Rules are tried in their order and the first that matches decides. The answer names the policy by a number, so
//! that a request can keep it for its whole life without borrowing the configuration.
//!
//! A path that some servers read in another way (`/api//me` as `/api/me`) is tried in that reading as well: a client must
//! not slip past a rule that forbids caching, or that keeps users apart, by a spelling that the origin does not mind.

use std::cell::LazyCell;

use crate::http::{Authority, RequestHead, Target};

use super::{Action, CachePolicy, Config, Rule, Unmatched};

/// What the configuration says about a request.
#[derive(Debug)]
pub enum Selection<'a> {
    /// Read in another way, the path is that of a rule which forbids caching or keeps users apart.
    Ambiguous,
    /// This rule says `cache: false`.
    Bypass(RuleIndex),
    /// It is cached.
    Cache(Selected<'a>),
    /// What stands at the route makes no sense.
    Refuse(RuleIndex),
    /// No rule matches, and such requests are left alone.
    Unmatched,
    /// This rule takes it for a write.
    Writes(RuleIndex),
}

/// A policy that holds for a request.
#[derive(Debug)]
pub struct Selected<'a> {
    /// Whose policy it is, to find it again with [`Config::policy`].
    pub id: PolicyId,
    /// The policy.
    pub policy: &'a CachePolicy,
    /// What the groups that its template names took of the path.
    pub captures: Captures,
}

/// Whose policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyId {
    /// That of a rule.
    Rule(RuleIndex),
    /// That of requests which no rule matches.
    Unmatched,
}

/// The place of a rule among the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleIndex(usize);

impl PolicyId {
    /// Its rule; `None` where no rule matches.
    pub const fn rule(self) -> Option<RuleIndex> {
        match self {
            Self::Rule(index) => Some(index),
            Self::Unmatched => None,
        }
    }

    /// Its place in [`Config::labels`].
    pub const fn place(self) -> usize {
        match self {
            Self::Rule(RuleIndex(index)) => index.saturating_add(1),
            Self::Unmatched => 0,
        }
    }
}

/// What the named groups of a rule's path took of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures(Vec<Option<String>>);

impl Captures {
    /// What a pattern without groups takes.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// What one group took, by its index among the template's names; `None` when it took no part.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index)?.as_deref()
    }
}

impl Config {
    /// Finds what holds for a request.
    pub fn select(&self, head: &RequestHead, target: &Target) -> Selection<'_> {
        let found = self.first(head, target.path());
        let selected = match (found, &self.unmatched) {
            (Some((index, rule)), _) => match &rule.action {
                Action::Bypass => return Selection::Bypass(index),
                Action::Invalidate(_) => return Selection::Writes(index),
                Action::Refuse => return Selection::Refuse(index),
                Action::Cache(policy) => Selected {
                    id: PolicyId::Rule(index),
                    policy,
                    captures: captures(rule, policy, target),
                },
            },
            (None, Unmatched::Bypass) => return Selection::Unmatched,
            (None, Unmatched::Rfc9111(policy)) => Selected {
                id: PolicyId::Unmatched,
                policy,
                captures: Captures::none(),
            },
        };
        let other = target.loose_path();
        match other.and_then(|path| self.first(head, &path)) {
            Some((index, rule)) if selected.id != PolicyId::Rule(index) && rule.action.guards() => {
                Selection::Ambiguous
            }
            Some(_) | None => Selection::Cache(selected),
        }
    }

    /// Whose policy holds for a GET that is in all else like this request, which may have another method; `None` where nobody
    /// caches that.
    pub fn document(&self, head: &RequestHead, target: &Target) -> Option<PolicyId> {
        let host = LazyCell::new(|| Some(Authority::parse(head.authority())?.host()));
        let mut rules = self.rules.iter();
        let found = rules.position(|rule| rule.matcher.matches_as_get(head, &host, target.path()));
        let id = found.map_or(PolicyId::Unmatched, |at| PolicyId::Rule(RuleIndex(at)));
        self.policy(id).map(|_| id)
    }

    fn first(&self, head: &RequestHead, path: &str) -> Option<(RuleIndex, &Rule)> {
        let host = LazyCell::new(|| Some(Authority::parse(head.authority())?.host()));
        let rules = self.rules.iter().enumerate();
        let mut rules = rules.map(|(index, rule)| (RuleIndex(index), rule));
        rules.find(|(_, rule)| rule.matcher.matches(head, &host, path))
    }

    /// Every policy under which something could be stored for this host and target, whatever else its requests are like.
    pub fn policies_of(
        &self,
        host: &str,
        target: &Target,
    ) -> impl Iterator<Item = (&CachePolicy, Captures)> {
        let rules = self
            .rules
            .iter()
            .filter_map(move |rule| match &rule.action {
                Action::Cache(policy) if rule.matcher.takes_resource(host, target.path()) => {
                    Some((&**policy, captures(rule, policy, target)))
                }
                Action::Bypass | Action::Cache(_) | Action::Invalidate(_) | Action::Refuse => None,
            });
        let unmatched = match &self.unmatched {
            Unmatched::Bypass => None,
            Unmatched::Rfc9111(policy) => Some((&**policy, Captures::none())),
        };
        rules.chain(unmatched)
    }

    /// What every rule that takes such a write says about it, wherever it stands among the others.
    pub fn orders(
        &self,
        head: &RequestHead,
        target: &Target,
    ) -> impl Iterator<Item = (&super::Orders, Captures)> {
        let host = Authority::parse(head.authority()).map(|authority| authority.host());
        self.rules
            .iter()
            .filter_map(move |rule| match &rule.action {
                Action::Invalidate(orders) if rule.matcher.matches(head, &&host, target.path()) => {
                    let captures = match &rule.matcher.path {
                        Some(path) if !orders.groups.is_empty() => {
                            Captures(path.captures(target.path(), &orders.groups))
                        }
                        Some(_) | None => Captures::none(),
                    };
                    Some((&**orders, captures))
                }
                Action::Bypass | Action::Cache(_) | Action::Invalidate(_) | Action::Refuse => None,
            })
    }

    /// What groups of a rule's path, of these names, took of a target that the rule matches; nothing where there is no rule.
    pub fn captures(&self, id: PolicyId, target: &Target, names: &[String]) -> Captures {
        let path = match id {
            PolicyId::Rule(index) => self.rule(index).and_then(|rule| rule.matcher.path.as_ref()),
            PolicyId::Unmatched => None,
        };
        match path {
            Some(path) if !names.is_empty() => Captures(path.captures(target.path(), names)),
            Some(_) | None => Captures::none(),
        }
    }

    /// The policy with this id; `None` for an id of another configuration.
    pub fn policy(&self, id: PolicyId) -> Option<&CachePolicy> {
        match id {
            PolicyId::Rule(index) => match &self.rule(index)?.action {
                Action::Bypass | Action::Invalidate(_) | Action::Refuse => None,
                Action::Cache(policy) => Some(policy),
            },
            PolicyId::Unmatched => match &self.unmatched {
                Unmatched::Bypass => None,
                Unmatched::Rfc9111(policy) => Some(policy),
            },
        }
    }

    /// By what name each rule is counted; where no rule matches, `unmatched`.
    pub fn labels(&self) -> impl Iterator<Item = (PolicyId, &str)> {
        let rules = self.rules.iter().enumerate();
        let rules = rules.map(|(index, rule)| (PolicyId::Rule(RuleIndex(index)), &*rule.name));
        [(PolicyId::Unmatched, "unmatched")]
            .into_iter()
            .chain(rules)
    }

    /// The rule at this place; `None` for a place in another configuration.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0)
    }
}

impl Action {
    /// Whether it keeps responses from some or all clients.
    fn guards(&self) -> bool {
        match self {
            Self::Bypass | Self::Refuse => true,
            Self::Cache(policy) => policy.identity.is_some(),
            Self::Invalidate(_) => false,
        }
    }
}

fn captures(rule: &Rule, policy: &CachePolicy, target: &Target) -> Captures {
    let names = policy
        .key
        .template
        .as_ref()
        .map(|template| template.names());
    match (names, &rule.matcher.path) {
        (Some(names), Some(path)) if !names.is_empty() => {
            Captures(path.captures(target.path(), names))
        }
        (Some(_) | None, _) => Captures::none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    fn head(method: &str, authority: &str, extra: &[(&str, &str)]) -> RequestHead {
        let mut headers = Headers::from_iter([
            (":method", method),
            (":authority", authority),
            (":path", "/"),
        ]);
        for (name, value) in extra {
            headers.push(name, value);
        }
        RequestHead::parse(headers).unwrap()
    }

    fn chosen(config: &Config, head: &RequestHead, path: &str) -> String {
        match config.select(head, &Target::parse(path.as_bytes()).unwrap()) {
            Selection::Ambiguous => "ambiguous".to_owned(),
            Selection::Bypass(index) => format!("bypass {}", config.rule(index).unwrap().name),
            Selection::Unmatched => "left alone".to_owned(),
            Selection::Refuse(_) => "refused".to_owned(),
            Selection::Writes(_) => "writes".to_owned(),
            Selection::Cache(selected) => match selected.id {
                PolicyId::Rule(index) => format!("cache {}", config.rule(index).unwrap().name),
                PolicyId::Unmatched => "cache unmatched".to_owned(),
            },
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let config = Config::parse(
            br#"{"rules": [
                {"name": "never", "match": {"path": "/api/never/.*"}, "cache": false},
                {"name": "v2", "match": {"path": "/api/.*", "headers": {"X-Api": "v2"}}},
                {"name": "get", "match": {"path": "/api/.*", "methods": ["GET"]}},
                {"name": "purge", "match": {"methods": ["PROPFIND", "DELETE"]}, "cache": false},
                {"name": "host", "match": {"host": "*.example.com"}}
            ]}"#,
        )
        .unwrap();
        let v2 = [("x-api", "v1"), ("x-api", "v2")];
        for (name, head, path, expected) in [
            (
                "never first",
                head("GET", "a", &v2),
                "/api/never/x",
                "bypass never",
            ),
            (
                "escaped",
                head("GET", "a", &[]),
                "/api/neve%72/x",
                "bypass never",
            ),
            (
                "query is no path",
                head("GET", "a", &[]),
                "/x?/api/never/",
                "cache unmatched",
            ),
            ("any line", head("GET", "a", &v2), "/api/x", "cache v2"),
            (
                "GET",
                head("GET", "a", &[("x-api", "v20")]),
                "/api/x",
                "cache get",
            ),
            ("HEAD", head("HEAD", "a", &[]), "/api/x", "cache unmatched"),
            ("POST", head("POST", "a", &v2), "/api/x", "cache unmatched"),
            (
                "other method",
                head("PROPFIND", "a", &[]),
                "/api/x",
                "bypass purge",
            ),
            (
                "known method",
                head("DELETE", "a", &[]),
                "/api/x",
                "bypass purge",
            ),
            (
                "unknown method",
                head("FOO", "a", &[]),
                "/api/x",
                "cache unmatched",
            ),
            (
                "host",
                head("GET", "A.Example.com:8080", &[]),
                "/x",
                "cache host",
            ),
            (
                "no host",
                head("GET", "a b.example.com", &[]),
                "/x",
                "cache unmatched",
            ),
        ] {
            assert_eq!(chosen(&config, &head, path), expected, "{name}");
        }
    }

    #[test]
    fn no_spelling_slips_past_a_rule_that_guards() {
        let config = Config::parse(
            br#"{"rules": [
                {"name": "open", "match": {"path": "/api/chat/public/.*"}},
                {"name": "never", "match": {"path": "/api/chat/.*"}, "cache": false},
                {"name": "mine", "match": {"path": "/api/me"}, "identity": {"cookie": "sid"}},
                {"name": "api", "match": {"path": "/api/.*"}}
            ]}"#,
        )
        .unwrap();
        for (path, expected) in [
            ("/api/chat/1", "bypass never"),
            ("/api//chat/1", "ambiguous"),
            ("/api;x/chat/1", "ambiguous"),
            ("/api/chat%2f1", "ambiguous"),
            ("/api%2Fchat/1", "ambiguous"),
            ("//api/chat/1", "ambiguous"),
            ("/api/me;x", "ambiguous"),
            ("/api/me", "cache mine"),
            ("/api//other", "cache api"),
            ("/api/a;b/c%2Fd", "cache api"),
            ("//api/other", "cache unmatched"),
            ("/api//chat/public/1", "cache api"),
            ("/api/chat/public//1", "cache open"),
            ("/api/chat//public/1", "bypass never"),
        ] {
            let found = chosen(&config, &head("GET", "a", &[]), path);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_write_has_its_first_rule_and_the_orders_of_all() {
        let config = Config::parse(
            br#"{"rules": [
                {"name": "one", "match": {"path": "/a/(?P<id>.*)"}, "invalidates": {"tags": ["{id}", "x"]}},
                {"name": "asked", "match": {"path": "/a/.*", "methods": ["POST"]}, "key": {"body": true}, "hold_headers": true},
                {"name": "other", "match": {"path": "/.*", "methods": ["POST", "MOVE"]}, "invalidates": {"keys": ["/"]}}
            ]}"#,
        )
        .unwrap();
        for (method, path, expected, count) in [
            ("POST", "/a/1", "writes", 2),
            ("PUT", "/a/1", "writes", 1),
            ("PATCH", "/a/1", "writes", 1),
            ("DELETE", "/a/1", "writes", 1),
            ("MOVE", "/a/1", "writes", 1),
            ("GET", "/a/1", "cache unmatched", 0),
            ("PUT", "/b", "cache unmatched", 0),
        ] {
            let head = head(method, "a", &[]);
            assert_eq!(chosen(&config, &head, path), expected, "{method} {path}");
            let target = Target::parse(path.as_bytes()).unwrap();
            let orders: Vec<_> = config.orders(&head, &target).collect();
            assert_eq!(orders.len(), count, "{method} {path}");
            if expected == "writes" && method == "PUT" {
                assert_eq!(orders[0].1.get(0), Some("1"));
            }
        }
    }

    #[test]
    fn unmatched_requests_can_be_left_alone() {
        let config = Config::parse(br#"{"unmatched": "bypass"}"#).unwrap();
        assert_eq!(chosen(&config, &head("GET", "a", &[]), "/"), "left alone");
        assert!(config.policy(PolicyId::Unmatched).is_none());
    }

    #[test]
    fn a_policy_is_found_again_by_its_id() {
        let config = Config::parse(
            br#"{"rules": [
                {"name": "a", "match": {"path": "/a/.*"}, "cache": false},
                {"name": "b", "match": {"path": "/(?P<x>b)?/(?P<unused>.*)/(?P<y>.*)"},
                 "key": {"template": "{y}:{x}"}}
            ]}"#,
        )
        .unwrap();
        let target = Target::parse(b"//c/d").unwrap();
        let Selection::Cache(selected) = config.select(&head("GET", "a", &[]), &target) else {
            panic!("not cached");
        };
        assert_eq!(selected.captures.get(0), Some("d"));
        assert_eq!(selected.captures.get(1), None);
        assert_eq!(selected.captures.get(2), None);
        let again = config.policy(selected.id).unwrap();
        assert_eq!(again.hash, selected.policy.hash);
        assert!(config.policy(PolicyId::Rule(RuleIndex(0))).is_none());
        assert!(config.policy(PolicyId::Rule(RuleIndex(2))).is_none());
    }
}
