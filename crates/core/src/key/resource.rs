//! What of a key names the resource, and not the request's way of asking for it.
//!
//! An invalidation names a URI, while the responses of one URI stand under many keys: one for each identity, chosen
//! header and variant. All of them have the same host, path and query, as the rule reads these; the resource is these
//! three, and what it is invalidated by ([`crate::epoch`]). The scheme is left out, because one resource may be asked for
//! by either, and so is everything behind the query.

use super::build::{write_host, write_locator};
use super::canonical::{Canonical, Tag, fields};
use super::{Key, KeyError};
use crate::config::{CachePolicy, Captures};
use crate::http::{Authority, Target};

/// The fields of a key that name the resource: their canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Vec<u8>);

/// What of a key a resource is made of.
const FIELDS: [Tag; 5] = [
    Tag::Host,
    Tag::Path,
    Tag::Template,
    Tag::Query,
    Tag::Parameters,
];

impl Resource {
    /// The resource that a URI names under a policy, whatever else its requests are told apart by.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] where it has more than `max_key_bytes`; nothing is stored under such a key.
    pub fn of(
        scheme: &[u8],
        authority: Authority<'_>,
        target: &Target,
        (policy, captures): (&CachePolicy, &Captures),
        max_key_bytes: usize,
    ) -> Result<Self, KeyError> {
        let mut canonical = Canonical::resume(&[], max_key_bytes);
        write_host(&mut canonical, scheme, authority);
        write_locator(&mut canonical, target, policy, captures);
        canonical.into_bytes().map(Self)
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
        Resource(named.collect::<Vec<_>>().concat())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::Selection;
    use crate::http::{Authority, Headers, RequestHead, Target};
    use crate::key::tests::{Nothing, rule};
    use crate::key::{Key, KeyParts, Resource};

    /// The resource of a request's key, and those that a write to its URI invalidates.
    fn resources(
        settings: &str,
        host: &str,
        target: &str,
        line: &str,
    ) -> (Resource, Vec<Resource>) {
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
        let key = built.unwrap().key;
        assert_eq!(
            key.variant(&["x"], head.headers(), 4096)
                .unwrap()
                .resource(),
            key.resource()
        );
        let authority = Authority::parse(host.as_bytes()).unwrap();
        let written = config
            .policies_of(authority.host(), &target)
            .map(|(policy, captures)| {
                Resource::of(b"https", authority, &target, (policy, &captures), 4096).unwrap()
            });
        (key.resource(), written.collect())
    }

    #[test]
    fn what_tells_requests_apart_tells_no_resources_apart() {
        let rule = r#""match": {}, "key": {"headers": ["x"]}, "identity": {"header": "x", "trusted": true}"#;
        let of = |host, target, line| resources(rule, host, target, line).0;
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
        #![proptest_config(ProptestConfig::with_cases(10_000))]

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
            ]),
        ) {
            let (stored, written) = resources(settings, &host, &target, &line);
            prop_assert!(written.contains(&stored), "{stored:?} is not in {written:?}");
        }
    }
}
