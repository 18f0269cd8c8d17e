//! The key of a request that asks by its content.
//!
//! "The cache key for a QUERY request MUST incorporate the request content and related metadata." RFC 10008 section 2.7.
//! The content is written as it came, byte for byte. A cache may first take away differences without a meaning, but then
//! has to know what means something to the origin. Where the key has content it also has the method, because a GET, a
//! POST and a QUERY with the same content need not be the same question. GET and HEAD are, and without content they have
//! the key that they have under any rule.

use super::canonical::{Canonical, Tag};
use super::{Key, KeyError};
use crate::http::{Method, RequestHead};

/// What says how content is to be read (RFC 9110 section 8).
const METADATA: [&str; 4] = [
    "content-type",
    "content-encoding",
    "content-language",
    "content-location",
];

impl Key {
    /// The key of a request with this content. It has at most `max_key_bytes`.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLong`].
    pub fn with_content(
        &self,
        head: &RequestHead,
        content: &[u8],
        max_key_bytes: usize,
    ) -> Result<Key, KeyError> {
        let mut canonical = Canonical::resume(self.canonical(), max_key_bytes);
        canonical.list(Tag::Content, |list| {
            list.element(&[question(head)]);
            for name in METADATA {
                for line in head.headers().all(name) {
                    list.element(&[name.as_bytes(), b":", line]);
                }
            }
            list.element(&[content]);
        });
        canonical.finish()
    }
}

/// What kind of question the request is: its method, except that HEAD asks what GET asks.
fn question(head: &RequestHead) -> &[u8] {
    match head.method() {
        Method::Head => b"GET",
        Method::Delete
        | Method::Get
        | Method::Options
        | Method::Other
        | Method::Patch
        | Method::Post
        | Method::Put
        | Method::Query => head.headers().first(":method").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::canonical::tests::{elements, fields};
    use super::*;
    use crate::http::Headers;

    fn primary() -> Key {
        let mut canonical = Canonical::new(100);
        canonical.bytes(Tag::Host, &[b"a"]);
        canonical.finish().unwrap()
    }

    fn key(method: &str, lines: &[(&str, &str)], content: &[u8]) -> Key {
        let pseudo = [(":method", method), (":authority", "a"), (":path", "/")];
        let headers = Headers::from_iter(pseudo.iter().chain(lines).copied());
        let head = RequestHead::parse(headers).unwrap();
        primary().with_content(&head, content, 4096).unwrap()
    }

    #[test]
    fn the_form_is_frozen() {
        let lines = [("Content-Type", "a/b"), ("content-encoding", "gzip")];
        let key = key("QUERY", &lines, b"q\0");
        let expected = b"\x01\x02\x01\0\0\0a\x0c\x3c\0\0\0\
            \x05\0\0\0QUERY\x10\0\0\0content-type:a/b\x15\0\0\0content-encoding:gzip\x02\0\0\0q\0";
        assert_eq!(key.canonical(), expected);
    }

    #[test]
    fn whatever_may_change_the_question_changes_the_key() {
        let json = ("content-type", "application/json");
        let keys = [
            primary(),
            key("GET", &[], b""),
            key("GET", &[], b"a"),
            key("POST", &[], b""),
            key("POST", &[], b"a"),
            key("POST", &[], b"a "),
            key("POST", &[], b"A"),
            key("QUERY", &[], b"a"),
            key("POST", &[json], b"a"),
            key("POST", &[json, json], b"a"),
            key("POST", &[], b"content-type:application/json"),
            key("POST", &[("content-type", "application/json;v=1")], b"a"),
            key("POST", &[("content-encoding", "application/json")], b"a"),
            key("POST", &[("content-language", "de")], b"a"),
            key("POST", &[("content-location", "/a")], b"a"),
        ];
        for (index, one) in keys.iter().enumerate() {
            for other in keys.iter().skip(index + 1) {
                assert_ne!(one, other);
            }
        }
        assert_eq!(key("HEAD", &[json], b"a"), key("GET", &[json], b"a"));
        assert_eq!(key("POST", &[("x", "1")], b"a"), key("POST", &[], b"a"));
    }

    #[test]
    fn it_is_bounded_and_stands_before_the_variant() {
        let head = Headers::from_iter([(":method", "POST"), (":authority", "a"), (":path", "/")]);
        let head = RequestHead::parse(head).unwrap();
        let key = |most| primary().with_content(&head, b"abc", most);
        let whole = key(100).unwrap();
        let len = whole.canonical().len();
        assert!(key(len).is_ok());
        assert_eq!(key(len - 1), Err(KeyError::TooLong));
        let variant = whole.variant(&["x"], &Headers::new(), 100).unwrap();
        let tags: Vec<_> = fields(variant.canonical())
            .iter()
            .map(|(tag, _)| *tag)
            .collect();
        assert_eq!(tags, [Tag::Host as u8, Tag::Content as u8, Tag::Vary as u8]);
    }

    fn requests() -> impl Strategy<Value = (&'static str, Vec<(&'static str, String)>, Vec<u8>)> {
        let names = vec!["content-type", "content-encoding"];
        let lines = proptest::collection::vec((proptest::sample::select(names), "[a:]{0,2}"), 0..3);
        let methods = vec!["GET", "POST", "QUERY"];
        let bytes = proptest::sample::select(b"a:\0\x01".to_vec());
        let content = proptest::collection::vec(bytes, 0..4);
        (proptest::sample::select(methods), lines, content)
    }

    proptest! {
        #![proptest_config(crate::property::cases())]
        #[test]
        fn keys_are_equal_when_and_only_when_the_questions_are(one in requests(), other in requests()) {
            let build = |(method, lines, content): &(&str, Vec<(&str, String)>, Vec<u8>)| {
                let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
                key(method, &lines, content)
            };
            let meaning = |(method, lines, content): &(&'static str, Vec<(&'static str, String)>, Vec<u8>)| {
                let mut lines = lines.clone();
                lines.sort_by_key(|(name, _)| *name); // lines of one name keep their order
                (*method, lines, content.clone())
            };
            prop_assert_eq!(build(&one) == build(&other), meaning(&one) == meaning(&other));
        }

        #[test]
        fn any_content_can_be_read_back(content in proptest::collection::vec(any::<u8>(), 0..60)) {
            let key = key("POST", &[], &content);
            let fields = fields(key.canonical());
            let (tag, list) = fields.last().unwrap();
            prop_assert_eq!(*tag, Tag::Content as u8);
            prop_assert_eq!(elements(list), [b"POST".to_vec(), content]);
        }
    }
}
