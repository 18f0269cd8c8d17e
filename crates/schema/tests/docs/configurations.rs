//! Configurations in the manual are some.
//!
//! A block of JSON is a whole configuration, unless the word behind `json` says what else it is: `rules`, one or several, as they
//! stand in a list; or `other`, which is not for the filter. So none is left out because it was not recognised: what is neither is a failure.

use larder_core::config::Config;
use serde_json::Value;

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

/// In the text stand small ones, such as `{ "compression": { "enabled": false } }`: whatever has only names of ours.
#[test]
fn every_configuration_in_the_text_is_one() {
    let top = larder_schema::top();
    let is_ours = |name: &str| top.fields().any(|field| field.name == name);
    let (mut wrong, mut read) = (Vec::new(), 0);
    for page in pages::all().values() {
        for span in &page.spans {
            let Ok(Value::Object(object)) = serde_json::from_str(span) else {
                continue;
            };
            if object.is_empty() || !object.keys().all(|name| is_ours(name)) {
                continue;
            }
            read += 1;
            if let Some(mistake) = refused(span) {
                wrong.push(format!("{}: `{span}`: {mistake}", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 0, "none was read");
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
