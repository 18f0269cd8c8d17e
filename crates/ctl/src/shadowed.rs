//! Rules that never hold, because one before them takes all that they would.
//!
//! The first rule that matches decides, so a rule behind a broader one is dead, and nothing in the filter says so. Whether one
//! regular expression takes all that another does is hard to say in general; this says it where it is plain, of literal
//! beginnings, and is silent where it is not.

use serde_json::Value;

/// A rule that never holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shadowed {
    /// Its place among the rules.
    pub(crate) rule: usize,
    /// The place of the one that takes all.
    pub(crate) by: usize,
}

/// Those of a configuration in which nothing is wrong.
pub(crate) fn shadowed(configuration: &Value) -> Vec<Shadowed> {
    let rules = configuration.get("rules").and_then(Value::as_array);
    let rules = rules.map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        // What a write makes invalid is said by every rule that takes it, wherever it stands.
        if rule.get("invalidates").is_some() {
            continue;
        }
        let before = rules.iter().take(place);
        if let Some(by) = before.clone().position(|before| covers(before, rule)) {
            found.push(Shadowed { rule: place, by });
        }
    }
    found
}

fn covers(broad: &Value, narrow: &Value) -> bool {
    let (Some(broad), Some(narrow)) = (broad.get("match"), narrow.get("match")) else {
        return false;
    };
    methods(broad, narrow)
        && headers(broad, narrow)
        && host(text(broad, "host"), text(narrow, "host"))
        && path(text(broad, "path"), text(narrow, "path"))
}

fn text<'a>(rule: &'a Value, name: &str) -> Option<&'a str> {
    rule.get(name).and_then(Value::as_str)
}

fn methods(broad: &Value, narrow: &Value) -> bool {
    let of = |rule: &Value| match rule.get("methods").and_then(Value::as_array) {
        Some(methods) => methods.clone(),
        None => vec!["GET".into(), "HEAD".into()],
    };
    let all = of(broad);
    of(narrow).iter().all(|method| all.contains(method))
}

fn headers(broad: &Value, narrow: &Value) -> bool {
    let fields = |rule: &Value| -> Vec<(String, Value)> {
        let fields = rule.get("headers").and_then(Value::as_object);
        let fields = fields.into_iter().flatten();
        fields
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect()
    };
    let narrow = fields(narrow);
    fields(broad).iter().all(|field| narrow.contains(field))
}

fn host(broad: Option<&str>, narrow: Option<&str>) -> bool {
    let (Some(broad), narrow) = (broad, narrow) else {
        return true;
    };
    let broad = broad.to_ascii_lowercase();
    narrow.is_some_and(|narrow| {
        let narrow = narrow.to_ascii_lowercase();
        let below = broad.strip_prefix('*');
        broad == narrow || below.is_some_and(|suffix| narrow.ends_with(suffix))
    })
}

fn path(broad: Option<&str>, narrow: Option<&str>) -> bool {
    let Some(broad) = broad else {
        return true;
    };
    if broad == "/.*" || broad == ".*" || Some(broad) == narrow {
        return true;
    }
    let Some(beginning) = broad.strip_suffix(".*") else {
        return false;
    };
    // A part of an alternative, or of what may be missing, is no beginning of all paths.
    beginning == literal(beginning)
        && narrow
            .is_some_and(|narrow| !narrow.contains('|') && literal(narrow).starts_with(beginning))
}

/// What every path begins with that a pattern takes, as far as that is plain.
fn literal(pattern: &str) -> &str {
    let special = |letter: char| ".+*?()|[]{}^$\\".contains(letter);
    let end = pattern.find(special).unwrap_or(pattern.len());
    let (plain, rest) = pattern.split_at_checked(end).unwrap_or((pattern, ""));
    match rest.starts_with(['*', '?', '{']) {
        true => {
            let last = plain.char_indices().next_back();
            plain.get(..last.map_or(0, |(at, _)| at)).unwrap_or("")
        }
        false => plain,
    }
}

#[cfg(test)]
mod tests {
    use larder_core::config::{Config, Selection};
    use larder_core::http::{Headers, RequestHead, Target};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn takes_all(broad: Value, narrow: Value) -> bool {
        covers(&json!({ "match": broad }), &json!({ "match": narrow }))
    }

    #[test]
    fn a_broader_rule_takes_all_of_a_narrower_one() {
        for (broad, narrow) in [
            (json!({}), json!({"path": "/a"})),
            (json!({"path": "/.*"}), json!({})),
            (json!({"path": "/api/.*"}), json!({"path": "/api/health.*"})),
            (json!({"path": "/api/.*"}), json!({"path": "/api/(a|b)"})),
            (
                json!({"path": "/a[b]"}),
                json!({"path": "/a[b]", "host": "x"}),
            ),
            (json!({"host": "*.A.com"}), json!({"host": "b.a.com"})),
            (json!({"methods": ["GET", "HEAD", "POST"]}), json!({})),
            (
                json!({"headers": {"X-A": "1"}}),
                json!({"headers": {"x-a": "1", "b": "2"}}),
            ),
        ] {
            let expected = !narrow["path"]
                .as_str()
                .is_some_and(|path| path.contains('|'));
            assert_eq!(
                takes_all(broad.clone(), narrow.clone()),
                expected,
                "{broad} {narrow}"
            );
        }
    }

    #[test]
    fn where_it_is_not_certain_nothing_is_said() {
        for (broad, narrow) in [
            (json!({"path": "/api/.*"}), json!({"path": "/ap.*"})),
            (json!({"path": "/api/.*"}), json!({"path": "/api/?"})),
            (json!({"path": "/api/.*"}), json!({"path": "/api/x|/b"})),
            (json!({"path": "/a?/.*"}), json!({"path": "/a?/x"})),
            (json!({"path": "/a.*"}), json!({})),
            (json!({"host": "a.com"}), json!({})),
            (json!({"host": "*.a.com"}), json!({"host": "a.com"})),
            (json!({"methods": ["GET"]}), json!({})),
            (
                json!({"headers": {"x-a": "1"}}),
                json!({"headers": {"x-a": "2"}}),
            ),
        ] {
            assert!(
                !takes_all(broad.clone(), narrow.clone()),
                "{broad} {narrow}"
            );
        }
    }

    #[test]
    fn what_a_write_invalidates_is_said_wherever_the_rule_stands() {
        let rules = json!({"rules": [{"match": {}}, {"match": {}, "invalidates": {}}, {"match": {"path": "/a"}}]});
        assert_eq!(shadowed(&rules), [Shadowed { rule: 2, by: 0 }]);
    }
    /// The name of the rule that takes a path.
    fn taken_by(config: &Config, path: &str) -> Option<String> {
        let head = Headers::from_iter([
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a.com"),
            (":path", path),
        ]);
        let head = RequestHead::parse(head).ok()?;
        let target = Target::parse(head.target()).ok()?;
        match config.select(&head, &target) {
            Selection::Bypass(index) => Some(config.rule(index)?.name.clone()),
            Selection::Ambiguous
            | Selection::Cache(_)
            | Selection::Refuse(_)
            | Selection::Unmatched
            | Selection::Writes(_) => None,
        }
    }

    proptest! {
        #[test]
        fn what_is_said_never_to_hold_takes_no_path(
            beginning in "/[ab]{0,2}", broad in "(\\.\\*|\\?\\.\\*|[ab]\\.\\*)?",
            narrow in "[ab]?(\\?|\\.\\*|\\||/b|\\(a\\|b\\))?[ab]?", rest in "[ab/]{0,3}",
        ) {
            let rule = |name: &str, path: &str| {
                let path = [&beginning, path].concat();
                json!({"name": name, "match": {"path": path}, "cache": false})
            };
            let rules = json!({"rules": [rule("broad", &broad), rule("narrow", &narrow)]});
            if let (false, Ok(config)) = (shadowed(&rules).is_empty(), Config::parse(rules.to_string().as_bytes())) {
                for path in [&rest, &[&*beginning, &rest].concat(), &["/", &rest].concat()] {
                    prop_assert_ne!(taken_by(&config, path), Some("narrow".to_owned()), "{}", rules);
                }
            }
        }
    }
}
