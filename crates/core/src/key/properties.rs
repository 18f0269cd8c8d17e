//! What holds for the keys of all requests.

use proptest::prelude::*;

use super::tests::{Nothing, key, rule};
use super::*;
use crate::config::Selection;
use crate::http::{Headers, RequestHead, Target};

/// What the parts of a request mean, found in another way than the key does.
fn meaning(host: &str, path: &str, query: &[String], lines: &[String]) -> impl PartialEq + use<> {
    let mut query: Vec<_> = query.iter().filter(|p| !p.is_empty()).cloned().collect();
    query.sort_by_key(|parameter| parameter.split('=').next().map(str::to_owned));
    (host.to_lowercase(), path.to_owned(), query, lines.to_vec())
}

fn requests() -> impl Strategy<Value = (String, String, Vec<String>, Vec<String>)> {
    let parts = |pattern, most| proptest::collection::vec(pattern, 0..most);
    ("[aA]", "/[a/]?", parts("[ab]?=?a?", 3), parts("a?", 3))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn keys_are_equal_when_and_only_when_requests_mean_the_same(one in requests(), other in requests()) {
        let config = rule(r#""match": {}, "key": {"headers": ["x"]}"#);
        let build = |(host, path, query, lines): &(String, String, Vec<String>, Vec<String>)| {
            let lines: Vec<_> = lines.iter().map(|line| ("x", line.as_str())).collect();
            key(&config, host, &format!("{path}?{}", query.join("&")), &lines)
        };
        let same = meaning(&one.0, &one.1, &one.2, &one.3) == meaning(&other.0, &other.1, &other.2, &other.3);
        prop_assert_eq!(build(&one) == build(&other), same);
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
