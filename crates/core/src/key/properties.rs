//! What holds for the keys of all requests.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{Nothing, rule, try_key_of};
use super::*;
use crate::config::Selection;
use crate::http::{Headers, RequestHead, Target};
use crate::property::cases;

/// A request, part by part.
#[derive(Clone, Debug)]
struct Request {
    scheme: &'static str,
    told: Vec<&'static str>,
    authority: &'static str,
    path: String,
    query: Option<Vec<String>>,
    lines: Vec<(&'static str, String)>,
}

impl Request {
    fn headers(&self) -> Headers {
        let query = self.query.as_ref().map(|parameters| parameters.join("&"));
        let path = match query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        let mut headers = Headers::from_iter([
            (":method", "GET"),
            (":scheme", self.scheme),
            (":authority", self.authority),
            (":path", &path),
        ]);
        for told in &self.told {
            headers.push("x-forwarded-proto", told);
        }
        for (name, value) in &self.lines {
            headers.push(name, value);
        }
        headers
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|line| line.0 == name);
        lines.map(|(_, value)| &**value).collect()
    }

    /// What its parts mean, each under its name, found in another way than the key does.
    fn meaning(&self, takes: fn(&str) -> &str) -> BTreeMap<&'static str, Vec<String>> {
        let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let scheme = self.scheme.to_lowercase();
        let told = self.told.first().map_or(&*scheme, |told| *told);
        let default = if scheme == "https" { ":443" } else { ":80" };
        let host = self.authority.to_lowercase();
        let host = host.strip_suffix(':').unwrap_or(&host); // an empty port is none
        let mut query = self.query.clone().unwrap_or_default();
        query.retain(|parameter| !parameter.is_empty());
        query.sort_by_key(|parameter| parameter.split('=').next().map(str::to_owned));
        let cookies = self.all("cookie").join(";");
        let cookies = cookies.split(';').map(str::trim);
        let cookies = cookies.filter(|pair| *pair == "c" || pair.starts_with("c="));
        BTreeMap::from([
            ("scheme", vec![scheme.clone()]),
            (
                "told",
                owned(vec![if told.eq_ignore_ascii_case(&scheme) {
                    ""
                } else {
                    told
                }]),
            ),
            (
                "host",
                owned(vec![host.strip_suffix(default).unwrap_or(host)]),
            ),
            ("path", owned(vec![takes(&self.path)])),
            ("query", query),
            ("x", owned(self.all("x"))),
            ("y", owned(self.all("y"))),
            ("cookies", owned(cookies.collect())),
            ("user", owned(self.all("u"))),
            ("credential", owned(self.all("authorization"))),
        ])
    }
}

fn requests() -> impl Strategy<Value = Request> {
    let parts = |pattern, most| proptest::collection::vec(pattern, 0..most);
    let line = (
        proptest::sample::select(vec!["x", "y", "cookie", "u", "authorization"]),
        prop_oneof![3 => "a?", 2 => "(c|c=|d|c=a|;|; ){0,3}"],
    );
    (
        proptest::sample::select(vec!["http", "https", "HTTP", "http,https", "http,x"]),
        proptest::collection::vec(
            proptest::sample::select(vec!["http", "https", "x", ",x"]),
            0..2,
        ),
        proptest::sample::select(vec![
            "a", "A", "b", "a:80", "a:443", "a:8", "a:", "[::a]:80",
        ]),
        "/u/[ab]/?[ab]?",
        proptest::option::of(parts("[ab]?=?a?", 3)),
        proptest::collection::vec(line, 0..4),
    )
        .prop_map(|(scheme, told, authority, path, query, lines)| Request {
            scheme,
            told,
            authority,
            path,
            query,
            lines,
        })
}

/// The same request or another, or one that differs in a part.
fn pairs() -> impl Strategy<Value = (Request, Request)> {
    (requests(), requests(), 0..64_u8).prop_map(|(one, other, parts)| {
        let takes = |part: u8| parts & (1 << part) != 0;
        let mixed = Request {
            scheme: if takes(0) { other.scheme } else { one.scheme },
            told: if takes(1) {
                other.told.clone()
            } else {
                one.told.clone()
            },
            authority: if takes(2) {
                other.authority
            } else {
                one.authority
            },
            path: if takes(3) {
                other.path.clone()
            } else {
                one.path.clone()
            },
            query: if takes(4) {
                other.query.clone()
            } else {
                one.query.clone()
            },
            lines: if takes(5) {
                other.lines.clone()
            } else {
                one.lines.clone()
            },
        };
        (one, mixed)
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn keys_are_equal_when_and_only_when_requests_mean_the_same((one, other) in pairs(), form in 0..3_usize) {
        let key = r#""headers": ["x", "y"], "cookies": ["c"]"#;
        let (config, takes): (_, fn(&str) -> &str) = match form {
            0 => (rule(&format!(r#""match": {{}}, "key": {{{key}}}, "identity": {{"header": "u"}}"#)), |path| path),
            1 => (rule(&format!(r#""match": {{}}, "key": {{{key}}}, "identity": {{"header": "u", "trusted": true}}"#)), |path| path),
            _ => (
                rule(&format!(
                    r#""match": {{"path": "/u/(?P<id>.).*"}}, "key": {{{key}, "template": "u:{{id}}", "query": {{"include": ["*"]}}}}"#
                )),
                |path| path.split('/').nth(2).and_then(|part| part.get(..1)).unwrap_or_default(),
            ),
        };
        let head = |request: &Request| RequestHead::parse(request.headers()).unwrap();
        let built = (try_key_of(&config, &head(&one)), try_key_of(&config, &head(&other)));
        if let (Ok(first), Ok(second)) = built {
            let meaning = |request: &Request| {
                let mut meaning = request.meaning(takes);
                if form > 0 {
                    meaning.remove("credential");
                }
                if form > 1 {
                    meaning.remove("user");
                }
                meaning
            };
            prop_assert_eq!(first.key == second.key, meaning(&one) == meaning(&other));
            prop_assert_eq!(first.key.canonical() == second.key.canonical(), first.key == second.key);
        }
    }

    #[test]
    fn variants_are_equal_when_and_only_when_their_fields_are((one, other) in pairs(), names in "x|y|xy|yx") {
        let primary = |request: &Request| Key::from_canonical(request.path.clone().into_bytes());
        let names: Vec<_> = names.split("").filter(|name| !name.is_empty()).collect();
        let key = |request: &Request| primary(request).variant(&names, &request.headers(), 4096).unwrap();
        let meaning = |request: &Request| {
            let fields: BTreeMap<_, Vec<_>> = names.iter().map(|name| (*name, request.all(name).into_iter().map(|line| line.trim().to_owned()).collect())).collect();
            (request.path.clone(), fields)
        };
        prop_assert_eq!(key(&one) == key(&other), meaning(&one) == meaning(&other));
    }

    #[test]
    fn any_request_has_a_key_or_a_reason(
        target in "/[ -~]{0,20}",
        authority in "[ -~]{0,8}",
        lines in proptest::collection::vec(
            ("(x|cookie|authorization)", proptest::collection::vec(any::<u8>(), 0..20)), 0..5),
        identity in proptest::sample::select(vec![
            r#""header": "x""#, r#""cookie": "x""#, r#""jwt_claim": "x""#, r#""metadata": ["x", "y"]"#,
        ]),
        trusted in any::<bool>(),
    ) {
        let config = rule(&format!(
            r#""match": {{}}, "key": {{"headers": ["x"], "cookies": ["x"]}},
            "identity": {{{identity}, "trusted": {trusted}}}"#
        ));
        let mut headers = Headers::from_iter([
            (":method", "GET"), (":authority", &authority), (":path", &target),
        ]);
        for (name, value) in &lines {
            headers.push(name, value);
        }
        let head = RequestHead::parse(headers).unwrap();
        if let Ok(target) = Target::parse(head.target())
            && let Selection::Cache(selected) = config.select(&head, &target)
        {
            let _ = Key::build(KeyParts {
                head: &head,
                target: &target,
                policy: selected.policy,
                captures: &selected.captures,
                attributes: &Nothing,
                max_key_bytes: 4096,
            });
        }
    }
}
