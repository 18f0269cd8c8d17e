use proptest::prelude::*;

use super::*;
use crate::http::Method;
use crate::time::Seconds;

fn problems(json: &str) -> Vec<String> {
    match Config::parse(json.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.to_string()).collect(),
    }
}

fn policy(rule: &Rule) -> &CachePolicy {
    match &rule.action {
        Action::Bypass | Action::Invalidate(_) | Action::Refuse => {
            panic!("{} is not cached", rule.name)
        }
        Action::Cache(policy) => policy,
    }
}

#[test]
fn nothing_at_all_means_every_default() {
    let config = Config::parse(b"").unwrap();
    let explicit = Config::parse(
        br#"{"$schema": "larder.schema.json", "rules": [], "unmatched": "rfc9111", "default_ttl_seconds": null,
                "heuristic": false, "request_cache_control": "ignore", "set_cookie": "bypass",
                "cache_errors": "explicit", "no_vary_search": false,
                "compression": {"enabled": true, "threshold_bytes": 1024, "min_saving": 0.10},
                "stale_while_revalidate_seconds": 0, "stale_if_error_seconds": 0,
                "stale_if_error_statuses": [500, 502, 503, 504],
                "coalesce": {"wait_seconds": 5, "max_waiters": 1024}, "hit_for_miss_seconds": 120,
                "breaker": {"window_seconds": 10, "failure_ratio": 0.5, "min_requests": 20, "max_stale_seconds": 0},
                "negative": [], "refresh_ahead": 0, "ttl_jitter": 0, "background": {"cluster": null},
                "headers": {"x_cache": true, "cache_status": true, "warning": false, "cache_control": true},
                "composition": {"max_depth": 3, "max_fragments": 64, "max_bytes": 1048576, "timeout_ms": 2000},
                "limits": {"max_object_bytes": 1048576, "capture_bytes": 67108864,
                           "max_variants": 16, "max_key_bytes": 4096},
                "storage": {"slots": 65536, "max_bytes": 268435456, "hot_bytes": 16777216, "log_records": 4096}}"#,
    );
    assert_eq!(format!("{config:?}"), format!("{:?}", explicit.unwrap()));
    let Unmatched::Rfc9111(policy) = config.unmatched else {
        panic!("unmatched requests are left alone");
    };
    assert_eq!(policy.ttl, Ttl::Origin);
    assert_eq!(policy.key.query.order, QueryOrder::Verbatim);
}

#[test]
fn the_full_example_is_understood() {
    let config = Config::parse(include_bytes!("../../tests/data/full.json")).unwrap();
    let names: Vec<_> = config.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "predictive",
            "conversation",
            "analytics",
            "profile",
            "search",
            "update"
        ]
    );
    assert!(matches!(config.rules[0].action, Action::Bypass));
    assert_eq!(
        policy(&config.rules[2]).ttl,
        Ttl::Default(Seconds::clamped(300))
    );
    let profile = policy(&config.rules[3]);
    assert_eq!(profile.ttl, Ttl::Override(Seconds::clamped(300)));
    assert_eq!(profile.key.headers, ["accept-language", "x-api"]);
    assert_eq!(profile.key.cookies, ["tenant"]);
    let identity = profile.identity.as_ref().unwrap();
    assert_eq!(
        identity.source,
        IdentitySource::Header("x-user-id".to_owned())
    );
    assert_eq!(identity.trust, Trust::Verified);
    assert_eq!(identity.private, PrivateResponses::Bypass);
    assert_eq!(profile.store_if.status, Some(vec![200]));
    let condition = profile.store_if.json.as_ref().unwrap();
    assert_eq!(condition.equals, serde_json::Value::Bool(true));
    assert_eq!(profile.tagging.templates.len(), 4);
    assert_eq!(profile.tagging.groups, ["user_id"]);
    assert_eq!(profile.key.content, RequestContent::Bypass);
    let search = policy(&config.rules[4]);
    assert_eq!(search.key.content, RequestContent::Key);
    let Action::Invalidate(orders) = &config.rules[5].action else {
        panic!("{:?}", config.rules[5]);
    };
    assert_eq!(orders.mode, Purging::Soft);
    assert_eq!((orders.tags.len(), orders.keys.len()), (3, 2));
    assert_eq!(orders.patterns.len(), 1);
    assert_eq!(orders.expressions, [r"/api/\d{2}"]);
    assert_eq!(orders.groups, ["part"]);
}

#[test]
fn the_six_first_rules_are_understood() {
    let config = Config::parse(include_bytes!("../../tests/data/six_rules.json")).unwrap();
    let ttl = |rule: &Rule| match &rule.action {
        Action::Bypass | Action::Invalidate(_) | Action::Refuse => None,
        Action::Cache(policy) => Some(policy.ttl),
    };
    let ttls: Vec<_> = config.rules.iter().map(ttl).collect();
    let seconds = |seconds| Some(Ttl::Default(Seconds::clamped(seconds)));
    let expected = [
        None,
        None,
        seconds(300),
        seconds(60),
        seconds(600),
        seconds(30),
    ];
    assert_eq!(ttls, expected);
}

#[test]
fn rules_inherit_what_they_do_not_say() {
    let config = Config::parse(
        br#"{"default_ttl_seconds": 60, "set_cookie": "strip", "cache_errors": "never",
                "no_vary_search": true,
                "rules": [
                    {"name": "silent", "match": {}},
                    {"name": "own", "match": {}, "ttl_seconds": 5, "set_cookie": "store",
                     "heuristic": true, "request_cache_control": "honor", "cache_errors": "explicit",
                     "no_vary_search": false},
                    {"name": "override", "match": {}, "ttl_mode": "override"}
                ]}"#,
    )
    .unwrap();
    let [silent, own, r#override] = config.rules.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(policy(silent).ttl, Ttl::Default(Seconds::clamped(60)));
    assert_eq!(policy(silent).set_cookie, SetCookie::Strip);
    assert_eq!(policy(silent).cache_errors, CacheErrors::Never);
    assert_eq!(policy(silent).no_vary_search, NoVarySearch::Obey);
    assert_eq!(policy(own).no_vary_search, NoVarySearch::Ignore);
    assert_eq!(policy(own).ttl, Ttl::Default(Seconds::clamped(5)));
    assert_eq!(policy(own).set_cookie, SetCookie::Store);
    assert_eq!(policy(own).heuristic, Heuristic::On);
    assert_eq!(
        policy(own).request_cache_control,
        RequestCacheControl::Honor
    );
    assert_eq!(policy(own).cache_errors, CacheErrors::Explicit);
    assert_eq!(policy(r#override).ttl, Ttl::Override(Seconds::clamped(60)));
}

#[test]
fn content_in_the_key_needs_words_that_nobody_writes_by_accident() {
    let rule = |settings: &str| problems(&format!(r#"{{"rules": [{{"name": "a", {settings}}}]}}"#));
    let body = r#""key": {"body": true}"#;
    let hold = r#""hold_headers": true"#;
    let problem = |settings: String, starts: &str| {
        let found = rule(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert!(found[0].starts_with(starts), "{settings}: {found:?}");
    };
    let methods = |names: &str| format!(r#""match": {{"methods": [{names}]}}"#);
    let all = methods(r#""GET", "HEAD", "POST", "QUERY""#);
    assert_eq!(rule(&format!("{all}, {body}, {hold}")), [""; 0]);
    let query = methods(r#""QUERY""#);
    let needs = "rules[0].key.body: needs `hold_headers: true`";
    problem(format!("{query}, {body}"), needs);
    problem(format!(r#"{query}, {body}, "hold_headers": false"#), needs);
    problem(
        format!(r#""match": {{}}, {hold}"#),
        "rules[0].hold_headers: has no meaning without `key.body`, `esi: true` or `json_include: true`",
    );
    problem(
        format!(r#""match": {{}}, "key": {{"body": false}}, {hold}"#),
        "rules[0].hold_headers: has no meaning",
    );
    problem(
        format!(r#""match": {{}}, {body}, {hold}"#),
        "rules[0].match.methods: must be named beside `key.body`",
    );
    problem(
        format!("{}, {body}, {hold}", methods(r#""PUT""#)),
        "rules[0].match.methods[0]: `PUT` is not cached: only GET, HEAD, POST and QUERY",
    );
    problem(
        query,
        "rules[0].match.methods[0]: `QUERY` is cached only with `key.body`",
    );
    problem(
        format!(r#""match": {{}}, "cache": false, {hold}"#),
        "rules[0].hold_headers: has no meaning beside `cache: false`",
    );
}

#[test]
fn a_post_is_a_question_where_the_operator_says_so() {
    let config = Config::parse(include_bytes!("../../tests/data/full.json")).unwrap();
    let (search, profile) = (policy(&config.rules[4]), policy(&config.rules[3]));
    assert!(search.is_question(Method::Post) && !profile.is_question(Method::Post));
    assert!(!search.is_question(Method::Put) && !search.is_question(Method::Other));
}

#[test]
fn every_problem_is_reported_at_once() {
    let json = include_str!("../../tests/data/wrong.json");
    let expected = include_str!("../../tests/data/wrong.txt");
    assert_eq!(problems(json).join("\n"), expected.trim_end());
}

#[test]
fn a_guest_has_only_so_much_memory() {
    for (field, most) in [
        ("capture_bytes", 512 << 20),
        ("max_object_bytes", 128 << 20),
    ] {
        let parse = |bytes: u32| {
            let storage = r#""storage": {"max_bytes": 1099511627776}"#;
            let others = r#""capture_bytes": 536870912"#;
            let limits = match field {
                "capture_bytes" => format!(r#""{field}": {bytes}"#),
                _ => format!(r#"{others}, "{field}": {bytes}"#),
            };
            let json = format!(r#"{{{storage}, "limits": {{{limits}}}}}"#);
            Config::parse(json.as_bytes())
        };
        assert!(parse(most).is_ok(), "{field}");
        let problem = parse(most + 1).unwrap_err();
        let expected = format!("limits.{field}: must be at most {most}");
        assert_eq!(problem.len(), 1);
        assert_eq!(problem[0].to_string(), expected);
    }
}

#[test]
fn one_problem_does_not_breed_others() {
    for (json, problem) in [
        (
            r#"{"rules": [{"name": "a", "match": {"path": "/("}, "key": {"template": "{id}"}}]}"#,
            "rules[0].match.path: is no regular expression: found open group without closing ')'",
        ),
        (
            r#"{"default_ttl_seconds": "1", "rules": [{"name": "a", "match": {}, "ttl_mode": "override"}]}"#,
            "default_ttl_seconds: must be a whole number, not a string",
        ),
        ("[]", "configuration: must be an object, not an array"),
        (
            "{",
            "configuration: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        let problems = problems(json);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(problem), "{problems:?}");
    }
}

proptest! {
    #![proptest_config(crate::property::cases())]

    #[test]
    fn a_damaged_document_is_read_or_refused_with_a_reason(
        at in 0..2000_usize,
        cut in 0..20_usize,
        instead in "[\\x00-\\x7f]{0,4}",
    ) {
        let mut json = include_bytes!("../../tests/data/full.json").to_vec();
        let start = at.min(json.len());
        let end = at.saturating_add(cut).min(json.len());
        json.splice(start..end, instead.bytes());
        if let Err(errors) = Config::parse(&json) {
            prop_assert!(!errors.is_empty());
        }
    }
}
