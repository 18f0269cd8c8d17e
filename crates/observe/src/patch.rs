//! Changes of a configuration, as merge patches (RFC 7396): what is sent to `PUT config`. A list is replaced as a whole, so a
//! patch that is about a rule holds all rules.

use larder_core::config::Config;
use larder_core::config::reading::written;
use serde_json::{Map, Value, json};

use crate::template;

/// A rule's name may be so long.
const LONGEST_NAME: usize = 64;

/// What is to change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Requests of this template are to have these settings of a rule.
    Rule(Map<String, Value>),
    /// They are not to be looked up.
    Bypass,
    /// URLs may have so many variants.
    MaxVariants(u64),
    /// Rules that invalidate are to make stale what they now take away.
    SoftInvalidations,
}

/// The patch for requests of a template that the rule of this place takes (0 for no rule), if the configuration that comes of it
/// is one.
pub(crate) fn patch(
    document: &Value,
    template: &str,
    place: u16,
    change: &Change,
) -> Option<Value> {
    let rules = document.get("rules").and_then(Value::as_array);
    let rules: Vec<Value> = rules.cloned().unwrap_or_default();
    let patch = match change {
        Change::MaxVariants(most) => {
            let now = document.pointer("/limits/max_variants");
            let most = now.and_then(Value::as_u64).unwrap_or_default().max(*most);
            json!({ "limits": { "max_variants": most } })
        }
        Change::Rule(settings) => json!({ "rules": with_rule(rules, template, place, settings)? }),
        Change::Bypass => {
            let place = usize::from(place).checked_sub(1).unwrap_or(rules.len());
            let methods = rules
                .get(place)
                .and_then(|rule| rule.pointer("/match/methods"));
            let mut matching = Map::new();
            matching.insert("path".to_owned(), template::expression(template).into());
            if let Some(methods) = methods {
                matching.insert("methods".to_owned(), methods.clone());
            }
            let rule = json!({ "name": name(&rules, template), "match": matching, "cache": false });
            json!({ "rules": inserted(rules, place, rule) })
        }
        Change::SoftInvalidations => json!({ "rules": softened(rules)? }),
    };
    let merged = merge(document.clone(), &patch);
    Config::parse(written(&merged).as_bytes()).ok()?;
    Some(patch)
}

fn inserted(mut rules: Vec<Value>, place: usize, rule: Value) -> Vec<Value> {
    rules.insert(place.min(rules.len()), rule);
    rules
}

/// A rule of its own for the template, in front of the one that takes it now and like that in everything else.
fn with_rule(
    mut rules: Vec<Value>,
    template: &str,
    place: u16,
    settings: &Map<String, Value>,
) -> Option<Vec<Value>> {
    let path = template::expression(template);
    let Some(at) = usize::from(place).checked_sub(1) else {
        let mut rule = settings.clone();
        rule.insert("name".to_owned(), name(&rules, template).into());
        rule.insert("match".to_owned(), json!({ "path": path }));
        rules.push(rule.into());
        return Some(rules);
    };
    let name = name(&rules, template);
    let old = rules.get_mut(at)?.as_object_mut()?;
    // Groups of the path may be named anywhere in the rule.
    let has_groups = written(&Value::from(old.clone())).contains('{')
        && old
            .get("match")
            .and_then(|matching| matching.get("path"))
            .and_then(Value::as_str)
            .is_some_and(|path| path.contains("(?P<") || path.contains("(?<"));
    if has_groups {
        overwrite(old, settings);
        return Some(rules);
    }
    let mut rule = old.clone();
    overwrite(&mut rule, settings);
    rule.insert("name".to_owned(), name.into());
    let matching = rule.entry("match").or_insert_with(|| json!({}));
    matching
        .as_object_mut()?
        .insert("path".to_owned(), path.into());
    Some(inserted(rules, at, rule.into()))
}

fn overwrite(rule: &mut Map<String, Value>, settings: &Map<String, Value>) {
    for (name, value) in settings {
        let merged = merge(rule.get(name).cloned().unwrap_or_default(), value);
        rule.insert(name.clone(), merged);
    }
}

/// Rules that invalidate, so that they leave what can be confirmed; `None` where there are none to change.
fn softened(mut rules: Vec<Value>) -> Option<Vec<Value>> {
    let mut changed = None;
    for rule in &mut rules {
        if let Some(invalidates) = rule.get_mut("invalidates").and_then(Value::as_object_mut)
            && invalidates.get("mode").and_then(Value::as_str) != Some("soft")
        {
            invalidates.insert("mode".to_owned(), "soft".into());
            changed = Some(());
        }
    }
    changed.map(|()| rules)
}

/// A name that no rule has.
fn name(rules: &[Value], template: &str) -> String {
    let mut name = "for".to_owned();
    for part in template.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        if !part.is_empty() && name.len().saturating_add(part.len()) < LONGEST_NAME - 8 {
            name.push('-');
            name.push_str(part);
        }
    }
    let is_taken = |name: &str| {
        let mut names = rules.iter().filter_map(|rule| rule.get("name"));
        names.any(|known| known.as_str() == Some(name))
    };
    if !is_taken(&name) {
        return name;
    }
    let numbered = |number: usize| [&name, "-", &number.to_string()].concat();
    let mut numbers = (2..=rules.len().saturating_add(2)).map(numbered);
    numbers.find(|name| !is_taken(name)).unwrap_or(name.clone())
}

/// What a document becomes by a merge patch.
pub(crate) fn merge(document: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else {
        return patch.clone();
    };
    let mut merged = match document {
        Value::Object(fields) => fields,
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {
            Map::new()
        }
    };
    for (name, change) in changes {
        let old = merged.remove(name).unwrap_or_default();
        if !change.is_null() {
            merged.insert(name.clone(), merge(old, change));
        }
    }
    merged.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(value: Value) -> Change {
        match value {
            Value::Object(settings) => Change::Rule(settings),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => panic!("no settings"),
        }
    }

    #[test]
    fn a_template_gets_a_rule_in_front_of_the_one_it_had() {
        let document = json!({"rules": [
            {"name": "never", "match": {"path": "/x"}, "cache": false},
            {"name": "api", "match": {"path": "/api/.*", "host": "a.example"}, "ttl_seconds": 5},
        ]});
        let change = settings(json!({"ttl_seconds": 60}));
        let patch = patch(&document, "/api/trends/*", 2, &change).unwrap();
        let expected = json!({"rules": [
            {"name": "never", "match": {"path": "/x"}, "cache": false},
            {"name": "for-api-trends", "match": {"path": "/api/trends/[^/]+", "host": "a.example"}, "ttl_seconds": 60},
            {"name": "api", "match": {"path": "/api/.*", "host": "a.example"}, "ttl_seconds": 5},
        ]});
        assert_eq!(patch, expected);
    }

    #[test]
    fn where_groups_are_named_the_rule_itself_changes() {
        let document = json!({"rules": [
            {"name": "user", "match": {"path": "/u/(?P<id>[^/]+)"}, "key": {"template": "u:{id}"}, "ttl_seconds": 5},
        ]});
        let change = settings(json!({"ttl_seconds": 60}));
        let patch = patch(&document, "/u/*", 1, &change).unwrap();
        assert_eq!(patch["rules"].as_array().unwrap().len(), 1);
        assert_eq!(patch["rules"][0]["ttl_seconds"], 60);
    }

    #[test]
    fn what_would_be_no_configuration_is_no_patch() {
        let change = settings(json!({"ttl_seconds": -1}));
        assert_eq!(patch(&json!({}), "/a", 0, &change), None);
        assert_eq!(patch(&json!({}), "/a", 0, &Change::SoftInvalidations), None);
        assert_eq!(patch(&json!({}), "/a", 3, &settings(json!({}))), None);
    }

    #[test]
    fn names_are_new_and_short_enough() {
        let taken = [json!({"name": "for-a"}), json!({"name": "for-a-2"})];
        assert_eq!(name(&taken, "/a"), "for-a-3");
        assert!(name(&[], &"/abcdefgh".repeat(20)).len() <= LONGEST_NAME);
    }
}
