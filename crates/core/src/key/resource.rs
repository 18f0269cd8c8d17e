//! What of a key names the resource, and not the request's way of asking for it.
//!
//! An invalidation names a URI, while the responses of one URI stand under many keys: one for each identity, chosen
//! header and variant. All of them have the same host, path and query, as the rule reads these; the resource is these
//! three, and what it is invalidated by ([`crate::epoch`]). The scheme is left out, because one resource may be asked for
//! by either, and so is everything behind the query.
//!
//! Where No-Vary-Search counts, a response may stand for many queries, and which ones only the response says. It is a
//! resource of its own then, that of the path, which every write to any query of the path invalidates: more than need be,
//! since "A cache MAY invalidate stored responses for URIs that are equivalent modulo URL variation config" (the draft's
//! section 7), and never less.

use super::Key;
use super::build::{has_query, write_host, write_place, write_query};
use super::canonical::{Canonical, Tag, fields};
use crate::config::{CachePolicy, Captures, NoVarySearch};
use crate::http::{Authority, MAX_TARGET_BYTES, Target};

/// The fields of a key that name the resource: their canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Vec<u8>);

/// Room for a host, and for a target as long as any that is read.
const MAX_BYTES: usize = MAX_TARGET_BYTES * 2;

/// What of a key a resource is made of.
const FIELDS: [Tag; 6] = [
    Tag::Host,
    Tag::Path,
    Tag::Template,
    Tag::Query,
    Tag::Parameters,
    Tag::Search,
];

impl Resource {
    /// The resources that a URI names under a policy, whatever else its requests are told apart by: its own, and where
    /// No-Vary-Search counts that of the path. One that has more than `max_key_bytes` is left out, since nothing is
    /// stored under such a key.
    pub fn of(
        scheme: &[u8],
        authority: Authority<'_>,
        target: &Target,
        (policy, captures): (&CachePolicy, &Captures),
        max_key_bytes: usize,
    ) -> impl Iterator<Item = Self> {
        let place = || {
            let mut canonical = Canonical::resume(&[], max_key_bytes);
            write_host(&mut canonical, scheme, authority);
            write_place(&mut canonical, target, policy, captures);
            canonical
        };
        let mut own = place();
        write_query(&mut own, target, &policy.key);
        let path = match policy.no_vary_search {
            NoVarySearch::Obey if has_query(&policy.key) => {
                let mut path = place();
                path.bytes(Tag::Search, &[]); // as in the record's key
                Some(path)
            }
            NoVarySearch::Ignore | NoVarySearch::Obey => None,
        };
        let named = [Some(own), path].into_iter().flatten();
        named.filter_map(|canonical| canonical.into_bytes().ok().map(Self))
    }

    /// The resource that a URI names where nothing of it is left out or rewritten: the same under every configuration.
    pub fn of_uri(scheme: &[u8], authority: Authority<'_>, target: &Target) -> Option<Self> {
        let mut canonical = Canonical::resume(&[], MAX_BYTES);
        write_host(&mut canonical, scheme, authority);
        canonical.bytes(Tag::Path, &[target.path().as_bytes()]);
        if let Some(query) = target.query() {
            canonical.bytes(Tag::Query, &[query.as_bytes()]);
        }
        canonical.into_bytes().ok().map(Self)
    }

    /// What makes it this resource.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn sample(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Key {
    /// The resource whose responses stand under this key, among others.
    pub fn resource(&self) -> Resource {
        let named = fields(self.canonical())
            .filter(|(tag, _)| FIELDS.iter().any(|field| *field as u8 == *tag))
            .map(|(_, field)| field);
        let mut resource = Vec::with_capacity(self.canonical().len());
        named.for_each(|field| resource.extend_from_slice(field));
        Resource(resource)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::Selection;
    use crate::http::{Authority, Headers, RequestHead, Target, UrlVariation};
    use crate::key::tests::{Nothing, rule};
    use crate::key::{BuiltKey, Key, KeyParts, Resource};

    /// The resources of a request's keys, its own and the reduced one, and those that a write to its URI invalidates.
    fn resources(
        settings: &str,
        host: &str,
        target: &str,
        line: &str,
    ) -> (Vec<Resource>, Vec<Resource>) {
        let config = rule(settings);
        let headers = Headers::from_iter([
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", host),
            (":path", target),
            ("x", line),
        ]);
        let head = RequestHead::parse(headers).unwrap();
        let target = Target::parse(head.target()).unwrap();
        let Selection::Cache(selected) = config.select(&head, &target) else {
            panic!("it is cached");
        };
        let built = Key::build(KeyParts {
            head: &head,
            target: &target,
            policy: selected.policy,
            captures: &selected.captures,
            attributes: &Nothing,
            max_key_bytes: 4096,
        });
        let BuiltKey { key, search, .. } = built.unwrap();
        assert_eq!(
            key.variant(&["x"], head.headers(), 4096)
                .unwrap()
                .resource(),
            key.resource()
        );
        let authority = Authority::parse(host.as_bytes()).unwrap();
        let written =
            config
                .policies_of(authority.host(), &target)
                .flat_map(|(policy, captures)| {
                    let of = (policy, &captures);
                    Resource::of(b"https", authority, &target, of, 4096).collect::<Vec<_>>()
                });
        let value = UrlVariation::from_field(b"params=(\"a\")").unwrap();
        let reduced = search.map(|search| search.reduced(&key, &value, 4096).unwrap().resource());
        let stored = [key.resource()].into_iter().chain(reduced);
        (stored.collect(), written.collect())
    }

    #[test]
    fn what_tells_requests_apart_tells_no_resources_apart() {
        let rule = r#""match": {}, "key": {"headers": ["x"]}, "identity": {"header": "x", "trusted": true}"#;
        let of = |host, target, line| resources(rule, host, target, line).0.remove(0);
        let one = of("a", "/p?q=1", "ann");
        assert_eq!(one, of("A:443", "/%70?q=1", "bob"));
        for (host, target) in [
            ("b", "/p?q=1"),
            ("a:80", "/p?q=1"),
            ("a", "/p"),
            ("a", "/P?q=1"),
        ] {
            assert_ne!(one, of(host, target, "ann"), "{host}{target}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        /// Else a write would not meet what it changes.
        #[test]
        fn a_write_names_the_resource_of_every_key_of_its_uri(
            host in "[aA](:443|:80)?", target in "/[a/]{0,3}(\\?[ab&=]{0,6})?", line in "[ab]",
            settings in proptest::sample::select(vec![
                r#""match": {}"#,
                r#""match": {"path": "/a.*", "headers": {"x": "a"}}"#,
                r#""match": {"path": "/(?P<n>a*).*", "methods": ["GET"]}, "key": {"template": "t:{n}"}"#,
                r#""match": {"path": "/(?P<n>a*).*"}, "key": {"template": "t:{n}", "query": {"include": ["a"]}}"#,
                r#""match": {"host": "a"}, "key": {"query": {"exclude": ["b"], "sort": false}, "headers": ["x"]}"#,
                r#""match": {}, "identity": {"header": "x", "trusted": true}, "key": {"cookies": ["x"]}"#,
                r#""match": {}, "no_vary_search": true, "key": {"headers": ["x"]}"#,
                r#""match": {"path": "/(?P<n>a*).*"}, "no_vary_search": true, "key": {"template": "t:{n}", "query": {"include": ["a"]}}"#,
            ]),
        ) {
            let (stored, written) = resources(settings, &host, &target, &line);
            for resource in stored {
                prop_assert!(written.contains(&resource), "{resource:?} is not in {written:?}");
            }
        }
    }
}
