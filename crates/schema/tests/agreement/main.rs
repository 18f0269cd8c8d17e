//! The description and the reader are of one mind: about every field, every bound and every default.
//!
//! The reader is the filter's own, and the schema is read by an implementation of JSON Schema that knows nothing of Larder.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod defaults;
mod documents;
mod fields;
mod places;
mod values;

use larder_core::config::{Config, ConfigError};
use larder_schema::BEYOND;
use serde_json::Value;

/// The schema as others read it.
fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&larder_schema::schema()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What the filter has to say about a document.
fn problems(document: &Value) -> Vec<ConfigError> {
    let text = document.to_string();
    Config::parse(text.as_bytes()).err().unwrap_or_default()
}

/// Whether a schema cannot tell this problem. That texts are counted in bytes makes no difference to those of US-ASCII.
fn is_beyond(problem: &ConfigError, document: &Value) -> bool {
    let said = BEYOND.iter().flat_map(|beyond| beyond.said);
    let mut said = said.filter(|said| **said != "bytes long" || !document.to_string().is_ascii());
    said.any(|said| problem.problem.contains(said))
}

/// What is wrong with how the two judge a document, if anything is.
fn difference(validator: &jsonschema::Validator, document: &Value) -> Option<String> {
    let problems = problems(document);
    let broken: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    let told = problems.iter().all(|problem| is_beyond(problem, document));
    match (broken.is_empty(), told) {
        (true, false) => Some(format!("only the reader refuses {document}: {problems:?}")),
        (false, true) if problems.is_empty() => {
            Some(format!("only the schema refuses {document}: {broken:?}"))
        }
        (true | false, true) | (false, false) => None,
    }
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(&larder_schema::schema()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    assert!(validator().is_valid(&serde_json::json!({})));
}

#[test]
fn what_the_schema_gives_as_an_example_is_taken() {
    let schema: Value = serde_json::from_str(&larder_schema::schema()).unwrap();
    let examples = schema["examples"].as_array().unwrap();
    assert!(!examples.is_empty());
    for example in examples {
        assert_eq!(problems(example), []);
        assert!(validator().is_valid(example));
    }
}

/// The largest configuration that the tests of the reader have.
#[test]
fn the_full_example_keeps_to_the_schema() {
    let full = include_str!("../../../core/tests/data/full.json");
    let full: Value = serde_json::from_str(full).unwrap();
    assert_eq!(problems(&full), []);
    let broken: Vec<String> = validator()
        .iter_errors(&full)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(broken, [""; 0]);
}
