//! What people call a key: a line that they can read, type and search for.
//!
//! ```text
//! GET:api.example.com/user/7/profile?page=2        method ":" host path "?" query
//! user_profile:7?page=2                            where the rule has a template: what that gives, "?" and what it includes
//! ```
//!
//! It is read off the canonical bytes, so nothing more is stored. Scheme, identity, chosen headers and cookies, content and
//! variant are not in it: a name stands for all of them, as an operator means it who says "this page". Two keys of one name
//! are never each other's answer for that; a name is only ever used to show entries, and to invalidate them.
//!
//! The query is that of the key: as it came, or the parameters that the rule chooses, or those that No-Vary-Search leaves
//! (these stand decoded in the key, and are escaped anew).

use std::fmt;

use super::Key;
use super::canonical::{Tag, elements, fields};
use crate::http::form;

/// A key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    text: String,
    /// Where its path begins.
    path: Option<usize>,
}

impl Key {
    /// Its name.
    pub fn name(&self) -> KeyName {
        let mut name = KeyName {
            text: String::with_capacity(self.canonical().len()),
            path: None,
        };
        match self.content_of(Tag::Template) {
            Some(template) => name.push_template(template),
            None => {
                let content = self.content_of(Tag::Content);
                let method = content.and_then(|content| elements(content).next());
                name.push(method.unwrap_or(b"GET"));
                name.text.push(':');
                name.push(self.content_of(Tag::Host).unwrap_or_default());
                name.path = Some(name.text.len());
                name.push(self.content_of(Tag::Path).unwrap_or_default());
            }
        }
        if let Some(query) = self.content_of(Tag::Query) {
            name.text.push('?');
            name.push(query);
        }
        if let Some(parameters) = self.content_of(Tag::Parameters) {
            name.push_parameters(elements(parameters));
        }
        if let Some(reduced) = self.content_of(Tag::Reduced) {
            name.push_reduced(reduced);
        }
        name
    }

    /// Whether it stands for many queries, which only the response tells.
    pub fn is_of_any_query(&self) -> bool {
        self.content_of(Tag::Search).is_some()
    }

    /// The scheme it was asked for by.
    pub fn scheme(&self) -> &str {
        let scheme = self.content_of(Tag::Scheme).unwrap_or_default();
        std::str::from_utf8(scheme).unwrap_or_default()
    }

    /// What tells keys of one name apart, besides the scheme: not the values, which may be somebody's.
    pub fn distinctions(&self) -> Vec<&'static str> {
        let kinds = [
            (Tag::Header, "headers"),
            (Tag::Cookie, "cookies"),
            (Tag::Identity, "identity"),
            (Tag::Vary, "vary"),
            (Tag::Content, "body"),
        ];
        let has = |(tag, _): &(Tag, &str)| self.content_of(*tag).is_some_and(|c| !c.is_empty());
        kinds
            .into_iter()
            .filter(has)
            .map(|(_, kind)| kind)
            .collect()
    }

    fn content_of(&self, tag: Tag) -> Option<&[u8]> {
        let (_, field) = fields(self.canonical()).find(|(found, _)| *found == tag as u8)?;
        field.get(5..)
    }
}

impl KeyName {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// From the path on; `None` where a template stands in the path's place.
    pub fn from_path(&self) -> Option<&str> {
        self.text.get(self.path?..)
    }

    // Keys are made of US-ASCII; bytes that somebody else wrote into the cells need not be.
    fn push(&mut self, bytes: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(bytes));
    }

    fn push_template(&mut self, parts: &[u8]) {
        for part in elements(parts) {
            // Else it is a group that took nothing.
            if let Some((b'C' | b'L', text)) = part.split_first() {
                self.push(text);
            }
        }
    }

    fn push_parameters<'a>(&mut self, parameters: impl Iterator<Item = &'a [u8]>) {
        let mut before = '?';
        for parameter in parameters {
            self.text.push(before);
            self.push(parameter);
            before = '&';
        }
    }

    fn push_reduced(&mut self, list: &[u8]) {
        let mut left = elements(list).skip(1); // the value of No-Vary-Search
        let mut before = '?';
        while let Some(name) = left.next() {
            self.text.push(before);
            form::encode(&form::text(name), &mut self.text);
            self.text.push('=');
            form::encode(&form::text(left.next().unwrap_or_default()), &mut self.text);
            before = '&';
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{key, rule, try_key};
    use super::*;
    use crate::http::{Headers, RequestHead, UrlVariation};

    #[test]
    fn a_name_is_method_host_path_and_the_query_that_counts() {
        let plain = r#""match": {}, "key": {"query": {"sort": false}}"#;
        let chosen = r#""match": {}, "key": {"query": {"exclude": ["utm_*"]}, "headers": ["x"]},
            "identity": {"header": "x", "trusted": true}"#;
        let template = r#""match": {"path": "/u/(?P<id>[^/]+)(?:/(?P<part>.*))?"},
            "key": {"template": "user_{part}profile:{id}"}"#;
        let included = r#""match": {"path": "/u/(?P<id>[^/]+)"},
            "key": {"template": "u:{id}", "query": {"include": ["page"]}}"#;
        for (settings, host, target, expected) in [
            (plain, "A.com", "/", "GET:a.com/"),
            (plain, "a.com:443", "/%61?b=1&a=%61", "GET:a.com/a?b=1&a=a"),
            (plain, "a.com:8443", "/?", "GET:a.com:8443/"),
            (plain, "[::1]:80", "/a", "GET:[::1]:80/a"),
            (chosen, "a", "/p?b=1&utm_x=2&a=3", "GET:a/p?a=3&b=1"),
            (chosen, "a", "/p?utm_x=2", "GET:a/p"),
            (template, "a", "/u/7?page=2", "user_profile:7"),
            (template, "a", "/u/7/big/", "user_big/profile:7"),
            (included, "a", "/u/7?page=2&x=3", "u:7?page=2"),
        ] {
            let key = key(&rule(settings), host, target, &[("x", "ann")]);
            assert_eq!(key.name().as_str(), expected, "{target}");
        }
    }

    #[test]
    fn a_query_that_no_rule_reads_stands_there_as_it_came() {
        let config = crate::config::Config::parse(b"").unwrap();
        let key = key(&config, "a", "/p?", &[]);
        assert_eq!(key.name().as_str(), "GET:a/p?");
        assert_eq!(key.name().from_path(), Some("/p?"));
    }

    #[test]
    fn the_variant_is_not_in_it_and_the_question_only_by_its_method() {
        let key = key(&rule(r#""match": {}"#), "a", "/p", &[]);
        let headers = [(":method", "QUERY"), (":authority", "a"), (":path", "/p")];
        let head = RequestHead::parse(Headers::from_iter(headers)).unwrap();
        let asked = key.with_content(&head, b"?x=1", 4096).unwrap();
        assert_eq!(asked.name().as_str(), "QUERY:a/p");
        assert_eq!(asked.name().from_path(), Some("/p"));
        let variant = key.variant(&["x"], head.headers(), 4096).unwrap();
        assert_eq!(variant.name(), key.name());
    }

    #[test]
    fn what_no_vary_search_leaves_is_in_it() {
        let config = rule(r#""match": {}, "no_vary_search": true"#);
        let built = try_key(&config, "a", "/p?b=%26+%e4&a=1&b", &[]).unwrap();
        let search = built.search.unwrap();
        let record = search.record(&built.key, 4096).unwrap();
        assert_eq!(record.name().as_str(), "GET:a/p");
        let value = UrlVariation::from_field(b"params=(\"a\")").unwrap();
        let reduced = search.reduced(&built.key, &value, 4096).unwrap();
        assert_eq!(reduced.name().as_str(), "GET:a/p?b=%26%20%EF%BF%BD&b=");
        assert!(reduced.is_of_any_query() && !built.key.is_of_any_query());
    }

    #[test]
    fn a_template_has_no_path() {
        let config = rule(r#""match": {"path": "/(?P<id>.*)"}, "key": {"template": "/{id}"}"#);
        let name = key(&config, "a", "/p", &[]).name();
        assert_eq!((name.as_str(), name.from_path()), ("/p", None));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_have_a_name(
            bytes: Vec<u8>, tags in proptest::collection::vec((0..16u8, any::<Vec<u8>>()), 0..6),
        ) {
            let mut shaped = vec![1];
            for (tag, content) in tags {
                shaped.push(tag);
                shaped.extend_from_slice(&(content.len() as u32).to_le_bytes());
                shaped.extend_from_slice(&content);
            }
            for canonical in [bytes, shaped] {
                let name = Key::from_canonical(canonical).name();
                prop_assert!(name.from_path().is_none_or(|path| name.as_str().ends_with(path)));
            }
        }
    }
}
