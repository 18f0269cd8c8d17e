//! Which query parameters are part of a key, and how they are compared.
//!
//! A query is split at `&`; empty parameters say nothing and are left out. Each is normalised as a path is (RFC 3986
//! section 6.2.2); one with a broken escape stays as it came, which no normalised one can look like. `+` and `%20`,
//! `a` and `a=` stay different: only the origin knows whether they mean the same.
//!
//! Some servers split at `;` too. Behind it a client could hide a parameter that counts in one that does not, and have
//! the response kept for those who sent neither; so what holds a `;` is never left out.

use std::borrow::Cow;

use crate::config::{QueryOrder, QuerySpec};
use crate::http::normalize_percent;
use crate::sorting::sort_by;

/// The parameters of a query that a rule chooses, in the order that it wants.
pub(super) fn parameters<'a>(query: &'a str, spec: &QuerySpec) -> Vec<Cow<'a, str>> {
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| normalize_percent(parameter).unwrap_or(Cow::Borrowed(parameter)))
        .filter(|parameter| parameter.contains(';') || is_chosen(name(parameter), spec))
        .collect();
    match spec.order {
        QueryOrder::AsSent | QueryOrder::Verbatim => {}
        QueryOrder::Sorted => sort_by(&mut parameters, |one, other| name(one).cmp(name(other))),
    }
    parameters
}

fn is_chosen(name: &str, spec: &QuerySpec) -> bool {
    let included = spec
        .include
        .as_ref()
        .is_none_or(|include| include.iter().any(|pattern| pattern.matches(name)));
    included && !spec.exclude.iter().any(|pattern| pattern.matches(name))
}

fn name(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Selection};
    use crate::http::{Headers, RequestHead, Target};
    use proptest::prelude::*;

    fn chosen(spec: &str, query: &str) -> String {
        let json =
            format!(r#"{{"rules": [{{"name": "a", "match": {{}}, "key": {{"query": {spec}}}}}]}}"#);
        let config = Config::parse(json.as_bytes()).unwrap();
        let lines = [(":method", "GET"), (":authority", "a"), (":path", "/")];
        let head = RequestHead::parse(Headers::from_iter(lines)).unwrap();
        let Selection::Cache(selected) = config.select(&head, &Target::parse(b"/").unwrap()) else {
            panic!("not cached");
        };
        parameters(query, &selected.policy.key.query).join("&")
    }

    #[test]
    fn parameters_are_chosen_normalised_and_sorted() {
        for (name, spec, query, expected) in [
            ("by name", "{}", "b=1&a=2&c", "a=2&b=1&c"),
            (
                "same name keeps its order",
                "{}",
                "b=2&a=1&b=1",
                "a=1&b=2&b=1",
            ),
            ("name before other letters", "{}", "a!=1&a=2", "a=2&a!=1"),
            ("empty ones", "{}", "&&a=1&&", "a=1"),
            ("no value, empty value", "{}", "a=&a", "a=&a"),
            ("escapes", "{}", "%61=%7e%2f", "a=~%2F"),
            (
                "broken escapes",
                "{}",
                "a=%%34%31&b=%61%",
                "a=%%34%31&b=%61%",
            ),
            ("plus", "{}", "a=b+c&a=b%20c", "a=b+c&a=b%20c"),
            ("as sent", r#"{"sort": false}"#, "b=1&&a=%61", "b=1&a=a"),
            (
                "include",
                r#"{"include": ["a", "p*"]}"#,
                "page=1&b=2&a=3&ax=4",
                "a=3&page=1",
            ),
            ("include nothing", r#"{"include": []}"#, "a=1", ""),
            (
                "exclude",
                r#"{"exclude": ["utm_*"]}"#,
                "utm_source=x&a=1&%75tm_x",
                "a=1",
            ),
            (
                "both",
                r#"{"include": ["a*"], "exclude": ["*b"]}"#,
                "ab=1&ac=2",
                "ac=2",
            ),
            (
                "hidden behind a semicolon",
                r#"{"include": ["a"], "exclude": ["utm_*"]}"#,
                "utm_x=1;a=2&b=1;a=3&utm_y=4%3Ba=5",
                "b=1;a=3&utm_x=1;a=2",
            ),
        ] {
            assert_eq!(chosen(spec, query), expected, "{name}");
        }
    }

    #[test]
    fn many_parameters_of_one_name_keep_their_order() {
        let values = |name| (0..50).map(move |value| format!("{name}={value}"));
        let sent: Vec<_> = values("b")
            .zip(values("a"))
            .map(|(b, a)| format!("{b}&{a}"))
            .collect();
        let sorted: Vec<_> = values("a").chain(values("b")).collect();
        assert_eq!(chosen("{}", &sent.join("&")), sorted.join("&"));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn the_order_of_names_does_not_matter(
            mut parameters in proptest::collection::btree_map("[a-d]{1,2}", "[a-c%=]{0,3}", 0..6)
                .prop_map(|map| map.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>()),
            turn in 0..6_usize,
        ) {
            let sorted = chosen("{}", &parameters.join("&"));
            let turn = turn.min(parameters.len());
            parameters.rotate_left(turn);
            prop_assert_eq!(chosen("{}", &parameters.join("&")), sorted);
        }

        #[test]
        fn tracking_parameters_do_not_matter(
            parameters in proptest::collection::vec("[a-d]=[a-c]{0,2}", 0..5),
            tracking in "utm_[a-z]{1,4}=[a-z0-9]{0,4}",
            at in 0..6_usize,
        ) {
            let spec = r#"{"exclude": ["utm_*"]}"#;
            let mut tracked = parameters.clone();
            tracked.insert(at.min(parameters.len()), tracking);
            prop_assert_eq!(chosen(spec, &tracked.join("&")), chosen(spec, &parameters.join("&")));
        }
    }
}
