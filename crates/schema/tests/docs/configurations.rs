//! Configurations in the manual are some.
//!
//! A block of JSON is a whole configuration, unless the word behind `json` says what else it is: `rules`, one or several, as they
//! stand in a list; or `other`, which is not for the filter. So none is left out because it was not recognised: what is neither is a failure.

use larder_core::config::Config;
use larder_schema::model::Table;
use serde_json::{Value, json};

use crate::pages;

/// The languages of other blocks. What is in none of them has none, and then it is no JSON.
const LANGUAGES: [&str; 12] = [
    "", "console", "diff", "html", "jsonnet", "nginx", "promql", "python", "sh", "text", "vcl",
    "xml",
];

/// What is wrong with a block of code, if anything is.
fn mistake(language: &str, code: &str) -> Option<String> {
    match language {
        "json" => refused(code),
        "json rules" => refused(&format!(r#"{{"rules": [{code}]}}"#)),
        "json other" if refused(code).is_none() => {
            Some("is a configuration; say `json` alone".to_owned())
        }
        "json other" => None,
        // These are read as what they are, see `yaml`.
        "yaml" => None,
        language if !LANGUAGES.contains(&language) => {
            Some(format!("`{language}` is no language that is known here"))
        }
        _ if serde_json::from_str::<Value>(code).is_ok_and(|value| value.is_object()) => {
            Some("is JSON; say so with `json`".to_owned())
        }
        _ => None,
    }
}

fn refused(code: &str) -> Option<String> {
    let errors = Config::parse(code.as_bytes()).err()?;
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Some(errors.join("; "))
}

#[test]
fn every_configuration_is_one() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for page in pages::all().values() {
        for (language, code) in &page.blocks {
            if let Some(mistake) = mistake(language, code) {
                wrong.push(format!("{}: {mistake}\n{code}", page.name));
            }
            read += u32::from(["json", "json rules"].contains(&language.as_str()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 8, "{read} configurations were read");
}

/// What is named in a call of the service.
const IN_A_CALL: &str = r#""key": "GET:host/path""#;

/// In the text stand small ones, such as `{ "compression": { "enabled": false } }` or `"cache": false`: whatever has only names of ours is a
/// configuration, or a rule.
fn in_text(span: &str) -> Option<Value> {
    if span == IN_A_CALL {
        return None;
    }
    let whole = serde_json::from_str(span);
    let value = whole.or_else(|_| serde_json::from_str(&format!("{{{span}}}")));
    let object: Value = value.ok()?;
    let mut names = object
        .as_object()
        .filter(|object| !object.is_empty())?
        .keys();
    let top = larder_schema::top();
    let has = |table: &Table, name: &str| table.fields().any(|field| field.name == name);
    if names.clone().all(|name| has(&top, name)) {
        return Some(object);
    }
    let rule = top
        .fields()
        .find_map(|field| field.table().filter(|table| table.name == "rule"))?;
    names
        .all(|name| has(rule, name))
        .then(|| json!({ "rules": [completed("a", &object)] }))
}

/// Whether it is only that a part of a rule lacks the rest.
fn is_incomplete(problem: &str) -> bool {
    let said = larder_schema::BEYOND.iter().flat_map(|beyond| beyond.said);
    said.into_iter().any(|said| problem.contains(said))
}

/// A rule with these settings.
fn completed(name: &str, settings: &Value) -> Value {
    let mut rule = json!({ "name": name, "match": {} });
    for (name, value) in settings.as_object().into_iter().flatten() {
        // In a change `null` takes back what was there.
        if !value.is_null() {
            rule[name] = value.clone();
        }
    }
    rule
}

#[test]
fn every_configuration_in_the_text_is_one() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for page in pages::all().values() {
        for span in &page.spans {
            if let Some(configuration) = in_text(span) {
                read += 1;
                let errors = Config::parse(configuration.to_string().as_bytes()).err();
                let errors = errors.unwrap_or_default();
                let mistake = errors.iter().find(|error| !is_incomplete(&error.problem));
                wrong.extend(mistake.map(|it| format!("{}: `{span}`: {it}", page.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 10, "{read} were read");
}

/// What calls of the management API put into the configuration.
fn changes(code: &str) -> Vec<&str> {
    let calls = code.split("curl ").filter(|call| call.contains("/config"));
    let content = |call| Some(<str>::split_once(call, "-d '")?.1.split_once('\'')?.0);
    calls.filter_map(content).collect()
}

/// The configuration that a change makes of none: its rules stand under their names.
fn changed(change: &str) -> Result<Value, serde_json::Error> {
    let mut change: Value = serde_json::from_str(change)?;
    for (name, ours) in [
        ("compression_threshold_bytes", "threshold_bytes"),
        ("enable_compression", "enabled"),
    ] {
        let object = change.as_object_mut();
        if let Some(value) = object.and_then(|object| object.remove(name)) {
            change["compression"][ours] = value;
        }
    }
    if let Some(rules) = change["rules"].as_object() {
        let rules = rules
            .iter()
            .map(|(name, settings)| completed(name, settings));
        change["rules"] = rules.collect();
    } else if let Some(object) = change.as_object_mut() {
        object.remove("rules");
    }
    Ok(change)
}

#[test]
fn every_change_of_the_configuration_is_one() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for page in pages::all().values() {
        let blocks = page.blocks.iter().map(|(_, code)| code);
        for change in blocks.chain(&page.spans).flat_map(|code| changes(code)) {
            read += 1;
            let mistake = match changed(change) {
                Ok(configuration) => refused(&configuration.to_string()),
                Err(error) => Some(error.to_string()),
            };
            wrong.extend(mistake.map(|it| format!("{}: {change}: {it}", page.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 3, "{read} were read");
}

/// The files beside Envoy's.
#[test]
fn every_file_of_rules_is_one() {
    let root = pages::root();
    let files = ["envoy/larder.json", "envoy/fleet.json"];
    for name in files {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        assert_eq!(refused(&text), None, "{name}");
    }
    let mut others = pages::files(".json");
    others.retain(|name| name.starts_with("envoy/") && !name["envoy/".len()..].contains('/'));
    others.retain(|name| name != larder_schema::SCHEMA);
    assert_eq!(others, ["envoy/fleet.json", "envoy/larder.json"]);
}

#[test]
fn what_is_wrong_is_found() {
    assert_eq!(mistake("json", "{}"), None);
    assert!(
        mistake("json", r#"{"rule": []}"#)
            .unwrap()
            .contains("did you mean `rules`")
    );
    assert_eq!(mistake("json rules", r#"{"name": "a", "match": {}}"#), None);
    assert!(mistake("json rules", r#"{"name": "a", "match": {}, "ttl": 1}"#).is_some());
    assert!(mistake("json other", "{}").is_some());
    assert!(mistake("", r#"{"a": 1}"#).is_some());
    assert!(mistake("jsn", "").is_some());
}
