//! YAML in the manual and in the files to copy: it is some, and the configurations in it are.

use std::fs;

use larder_core::config::Config;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::pages::{self, root};

/// The documents of a text.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    Ok(documents.iter().map(value).collect())
}

/// The same as JSON would say it.
fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Mapping(mapping) => {
            let field = |(name, inner): (&Yaml<'_>, &Yaml<'_>)| {
                let name = value(name);
                let text = name.as_str().map(str::to_owned);
                (text.unwrap_or_else(|| name.to_string()), value(inner))
            };
            Value::Object(mapping.iter().map(field).collect())
        }
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Tagged(_, inner) => value(inner),
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(flag) => json!(flag),
            Scalar::Integer(number) => json!(number),
            Scalar::FloatingPoint(number) => json!(number.into_inner()),
            Scalar::String(text) => json!(text),
        },
        Yaml::Representation(text, _, _) => json!(text),
        Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    }
}

/// The configurations of Larder in a value of Envoy's, of Istio's or of Envoy Gateway's.
fn configurations(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let own = [configured(fields), plugin(fields), extension(fields)];
            found.extend(own.into_iter().flatten());
            for field in fields.values() {
                configurations(field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| configurations(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Envoy: `configuration: { "@type": ...StringValue, value: "..." }` beside `vm_config`, which is Larder's own where its `vm_id` is or where its module is.
fn configured(fields: &Map<String, Value>) -> Option<String> {
    fields
        .get("vm_config")
        .filter(|vm| vm.to_string().contains("larder"))?;
    let text = fields.get("configuration")?.get("value")?.as_str()?;
    Some(text.to_owned())
}

/// Istio: `pluginConfig` of a WasmPlugin.
fn plugin(fields: &Map<String, Value>) -> Option<String> {
    Some(fields.get("pluginConfig")?.to_string())
}

/// Envoy Gateway: `config` of an extension in Wasm.
fn extension(fields: &Map<String, Value>) -> Option<String> {
    let code = fields.get("code")?.to_string();
    let config = fields.get("config").filter(|_| code.contains("larder"))?;
    Some(config.to_string())
}

/// What is wrong with it, and how many configurations it has.
fn judge(text: &str) -> (Option<String>, usize) {
    let documents = match documents(text) {
        Ok(documents) => documents,
        Err(error) => return (Some(error), 0),
    };
    let mut found = Vec::new();
    for document in &documents {
        configurations(document, &mut found);
    }
    let wrong = found
        .iter()
        .find_map(|json| Config::parse(json.as_bytes()).err());
    (wrong.map(|errors| format!("{errors:?}")), found.len())
}

#[test]
fn every_example_is_yaml_with_a_configuration_that_is_one() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for page in pages::all().values() {
        let blocks = page
            .blocks
            .iter()
            .filter(|(language, _)| language == "yaml");
        for (_, code) in blocks {
            read += 1;
            if let (Some(mistake), _) = judge(code) {
                wrong.push(format!("{}: {mistake}\n{code}", page.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 2, "{read} examples were read");
}

#[test]
fn every_file_to_copy_is_yaml_with_a_configuration_that_is_one() {
    let mut configurations = 0;
    let files = pages::files(".yaml");
    let files = files.iter().filter(|name| name.starts_with("envoy/"));
    for name in files {
        let text = fs::read_to_string(root().join(name)).unwrap();
        // A template of Helm's is no YAML before it is filled in.
        if text.contains("{{ ") && name.contains("/templates/") {
            continue;
        }
        let (mistake, count) = judge(&text);
        assert_eq!(mistake, None, "{name}");
        configurations += count;
    }
    assert!(configurations >= 4, "{configurations} were read");
}

#[test]
fn a_configuration_is_found_wherever_it_stands() {
    for (yaml, count) in [
        ("pluginConfig: { rules: [] }", 1),
        (
            "a: [{ vm_config: { vm_id: larder }, configuration: { value: '{}' } }]",
            1,
        ),
        ("wasm: [{ code: { image: larder }, config: {} }]", 1),
        ("configuration: { value: '{}' }", 0),
    ] {
        assert_eq!(judge(yaml), (None, count), "{yaml}");
    }
    assert!(judge("pluginConfig: { rule: [] }").0.is_some());
    assert!(judge("a: [").0.is_some());
}
