use super::*;
use serde_json::json;

fn settings(base: &Value) -> Settings {
    Settings::new(base.to_string().as_bytes())
}

/// The configuration after these changes, one after the other.
fn after(base: &Value, changes: &[Value]) -> Result<Value, String> {
    let settings = settings(base);
    let mut text = Vec::new();
    for change in changes {
        let change = read(change.to_string().as_bytes())?;
        text = amend(&settings, &text, &change)?;
    }
    Ok(settings.document(&text))
}

#[test]
fn the_names_that_people_know_are_aliases() {
    let change = json!({"default_ttl_seconds": 600, "compression_threshold_bytes": 2048, "enable_compression": true});
    let expected = json!({"default_ttl_seconds": 600, "compression": {"threshold_bytes": 2048, "enabled": true}});
    assert_eq!(after(&json!({}), &[change]), Ok(expected));
}

#[test]
fn changes_add_up_and_null_takes_out() {
    let base = json!({"default_ttl_seconds": 60, "limits": {"max_variants": 4}});
    let changes = [
        json!({"limits": {"max_key_bytes": 1024}}),
        json!({"limits": {"max_variants": null}, "default_ttl_seconds": 5}),
        json!({"default_ttl_seconds": null}),
    ];
    let expected = json!({"limits": {"max_key_bytes": 1024}});
    assert_eq!(after(&base, &changes), Ok(expected));
    // What was taken out may come again.
    let changes = [
        json!({"limits": null}),
        json!({"limits": {"max_variants": 5}}),
    ];
    let after = after(&base, &changes).unwrap();
    assert_eq!(after["limits"]["max_variants"], 5);
}

#[test]
fn the_origin_can_be_spared_more_while_it_needs_it() {
    let base = json!({"rules": [{"name": "a", "match": {}, "ttl_seconds": 5}],
        "coalesce": {"wait_seconds": 3}});
    let changes = [json!({
        "stale_if_error_seconds": 3600, "coalesce": {"max_waiters": 0}, "background": {"cluster": "refreshes"},
        "rules": {"a": {"stale_while_revalidate_seconds": 30, "negative": [{"status": 404, "ttl_seconds": 10}]}},
    })];
    let after = after(&base, &changes).unwrap();
    assert_eq!(
        after["coalesce"],
        json!({"wait_seconds": 3, "max_waiters": 0})
    );
    assert_eq!(after["rules"][0]["stale_while_revalidate_seconds"], 30);
    let text = after.to_string();
    let config = Config::parse(text.as_bytes()).unwrap();
    assert_eq!(config.coalescing.max_waiters, 0);
    assert_eq!(config.background.as_deref(), Some("refreshes"));
}

#[test]
fn rules_are_changed_by_name() {
    let rule = |name: &str, ttl: u32| json!({"name": name, "match": {}, "ttl_seconds": ttl});
    let base = json!({"rules": [rule("a", 1), rule("b", 2)]});
    for (changes, expected) in [
        (
            vec![json!({"rules": {"a": {"ttl_seconds": 9}}})],
            json!([rule("a", 9), rule("b", 2)]),
        ),
        (
            vec![json!({"rules": {"a": null, "c": {"match": {}, "ttl_seconds": 3}}})],
            json!([rule("b", 2), rule("c", 3)]),
        ),
        (
            vec![
                json!({"rules": [rule("x", 1)]}),
                json!({"rules": {"x": {"ttl_seconds": 7}}}),
            ],
            json!([rule("x", 7)]),
        ),
        (
            vec![
                json!({"rules": {"a": {"ttl_seconds": 9}}}),
                json!({"rules": [rule("x", 1)]}),
            ],
            json!([rule("x", 1)]),
        ),
        (
            vec![
                json!({"rules": {"a": null}}),
                json!({"rules": {"a": {"match": {}, "ttl_seconds": 4}}}),
            ],
            json!([rule("b", 2), rule("a", 4)]),
        ),
    ] {
        let after = after(&base, &changes).unwrap();
        assert_eq!(after["rules"], expected, "{changes:?}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (change, problem) in [
        (json!([]), "must be an object"),
        (
            json!({"default_ttl": 5}),
            "default_ttl: is unknown; did you mean `default_ttl_seconds`?",
        ),
        (
            json!({"limits": {"max_variants": "many"}}),
            "limits.max_variants: must be a whole number",
        ),
        (
            json!({"breaker": {"failure_ratio": 0}}),
            "breaker.failure_ratio: must be more than 0",
        ),
        (
            json!({"enable_compression": 1}),
            "compression.enabled: must be true or false",
        ),
        (
            json!({"enable_compression": true, "compression": {"enabled": false}}),
            "enable_compression: stands beside `compression.enabled`",
        ),
        (
            json!({"enable_compression": true, "compression": 1}),
            "compression: must be an object",
        ),
        (
            json!({"management": null}),
            "management: cannot be changed here",
        ),
        (
            json!({"storage": {"slots": 8}}),
            "storage.slots: cannot be changed",
        ),
        (
            json!({"rules": {"new": {"ttl_seconds": 5}}}),
            "rules[0].match: is missing",
        ),
        (
            json!({"rules": {"new": {"match": {"path": "("}}}}),
            "rules[0].match.path: is no regular",
        ),
    ] {
        let error = after(&json!({}), std::slice::from_ref(&change)).unwrap_err();
        assert!(error.starts_with(problem), "{change}: {error}");
    }
    for (text, problem) in [("", "needs a body"), ("{", "EOF while parsing")] {
        let error = read(text.as_bytes()).unwrap_err();
        assert!(error.starts_with(problem), "{text}: {error}");
    }
    let long = json!({"rules": [{"name": "a", "match": {"path": "a".repeat(300_000)}}]});
    assert!(after(&json!({}), &[long]).is_err());
}

#[test]
fn no_secret_is_shown() {
    let base = json!({"management": {"token_sha256": "0".repeat(64)}});
    let shown = shown(&settings(&base), b"").end();
    assert!(!shown.contains("000"), "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["enable_compression"], true);
    assert_eq!(shown["compression_threshold_bytes"], 1024);
    assert_eq!(shown["default_ttl_seconds"], Value::Null);
}

#[test]
fn configurations_that_differ_in_management_alone_share_their_changes() {
    let one = settings(&json!({"default_ttl_seconds": 5, "management": {"prefix": "/x"}}));
    let other = settings(&json!({"management": {"elsewhere": true}, "default_ttl_seconds": 5}));
    assert_eq!(one.amendments, other.amendments);
    let change = json!({"default_ttl_seconds": 7});
    let text = amend(&one, b"", &change).unwrap();
    let holds = |settings: &Settings, text: &[u8]| -> Value {
        serde_json::from_slice(&settings.in_force(text)).unwrap()
    };
    let expected = json!({"default_ttl_seconds": 7, "management": {"elsewhere": true}});
    assert_eq!(holds(&other, &text), expected);
    // Whoever writes into the cell gives nobody an API.
    let forged = br#"{"management": {"token_sha256": "00"}}"#;
    assert_eq!(
        holds(&other, forged),
        json!({"management": {"elsewhere": true}})
    );
    let third = settings(&json!({"default_ttl_seconds": 6}));
    assert_ne!(third.amendments, one.amendments);
}

/// RFC 7396, appendix A.
#[test]
fn the_standards_examples() {
    for (target, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (
            json!({"a": "b"}),
            json!({"b": "c"}),
            json!({"a": "b", "b": "c"}),
        ),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (
            json!({"a": "b", "b": "c"}),
            json!({"a": null}),
            json!({"b": "c"}),
        ),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (
            json!({"a": [{"b": "c"}]}),
            json!({"a": [1]}),
            json!({"a": [1]}),
        ),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (
            json!({"e": null}),
            json!({"a": 1}),
            json!({"e": null, "a": 1}),
        ),
        (
            json!([1, 2]),
            json!({"a": "b", "c": null}),
            json!({"a": "b"}),
        ),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
    ] {
        let mut merged = target.clone();
        merge(&mut merged, &patch);
        assert_eq!(merged, expected, "{target} {patch}");
    }
}

/// What comes of these changes as one, and one after the other.
fn as_one(base: &Value, changes: &[Value]) -> (Value, Value) {
    let mut whole = String::new();
    for change in changes {
        whole = compose(&whole, change.as_object().unwrap()).unwrap();
    }
    let settings = settings(base);
    let text = settings.patched(whole.as_bytes()).unwrap();
    (settings.document(&text), after(base, changes).unwrap())
}

#[test]
fn changes_of_a_fleet_are_one_change() {
    let base = json!({"default_ttl_seconds": 60, "limits": {"max_variants": 4, "max_tags": 9},
        "rules": [{"name": "a", "match": {}, "ttl_seconds": 5}, {"name": "b", "match": {}, "ttl_seconds": 6}]});
    let all = json!({"rules": [{"name": "c", "match": {}, "ttl_seconds": 7}]});
    for changes in [
        vec![
            json!({"limits": {"max_variants": 5}}),
            json!({"limits": {"max_variants": null}}),
        ],
        vec![json!({"limits": null}), json!({"default_ttl_seconds": 1})],
        vec![
            json!({"rules": {"a": {"ttl_seconds": 9}}}),
            json!({"rules": {"b": null, "a": {"tags": ["x"]}}}),
        ],
        vec![all.clone(), json!({"rules": {"c": {"ttl_seconds": 8}}})],
        vec![json!({"rules": {"a": null}}), all],
        vec![
            json!({"enable_compression": false}),
            json!({"compression_threshold_bytes": 2048}),
        ],
    ] {
        let (one, each) = as_one(&base, &changes);
        assert_eq!(one, each, "{changes:?}");
    }
}

#[test]
fn no_change_of_a_fleet_leaves_nothing_in_the_cell() {
    let settings = settings(&json!({"default_ttl_seconds": 60}));
    assert_eq!(settings.patched(b"{}"), Ok(Vec::new()));
    assert!(settings.patched(br#"{"rules": 1}"#).is_err());
    assert!(settings.patched(br#"{"management": {}}"#).is_err());
}

#[test]
fn a_change_leads_no_process_away_from_its_fleet() {
    let settings = settings(&json!({"admin": {"cluster": "larder_admin"}}));
    for refused in [
        r#"{"admin": null}"#,
        r#"{"admin": {"cluster": "a"}}"#,
        r#"{"admin": {"secret_env": null}}"#,
    ] {
        let problem = settings.patched(refused.as_bytes()).unwrap_err();
        assert!(problem.starts_with("admin: "), "{refused}: {problem}");
    }
    assert!(
        settings
            .patched(br#"{"admin": {"timeout_ms": 20}}"#)
            .is_ok()
    );
}

#[test]
fn the_changes_of_a_fleet_take_the_place_of_those_before() {
    let kv = larder_core::tier::MemoryKv::new();
    let settings =
        Settings::new(br#"{"default_ttl_seconds": 60, "management": {"token_env": "T"}}"#);
    assert_eq!(settings.plugin(), r#"{"default_ttl_seconds":60}"#);
    let now = || String::from_utf8(written(&settings.now(&kv)).into_bytes()).unwrap();
    assert_eq!(
        settings.follow(r#"{"default_ttl_seconds": 7}"#, &kv),
        Ok(true)
    );
    assert_eq!(
        settings.follow(r#"{"default_ttl_seconds": 7}"#, &kv),
        Ok(false)
    );
    assert!(now().contains(r#""default_ttl_seconds":7"#), "{}", now());
    assert_eq!(
        settings.follow(r#"{"compression": {"enabled": false}}"#, &kv),
        Ok(true)
    );
    assert!(now().contains(r#""default_ttl_seconds":60"#), "{}", now());
    assert!(now().contains(r#""token_env":"T""#), "{}", now());
    for refused in [
        "[]",
        r#"{"nothing": 1}"#,
        r#"{"management": {}}"#,
        r#"{"storage": {"slots": 64}}"#,
    ] {
        assert!(settings.follow(refused, &kv).is_err(), "{refused}");
    }
    assert!(
        now().contains(r#""enabled":false"#),
        "what was refused changes nothing"
    );
    assert_eq!(settings.follow("{}", &kv), Ok(true));
    assert!(settings.amendments.read(&kv).unwrap().text.is_empty());
}
