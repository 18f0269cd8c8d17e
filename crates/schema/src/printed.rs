//! The description as JSON Schema (draft 2020-12).

use serde_json::{Map, Value, json};

use crate::kinds::{LONGEST_NAME, LONGEST_VALUE, MOST, TOKEN};
use crate::model::{Absent, Condition, Field, Kind, List, Part, Table, Text, Whole};
use crate::tables::top;

/// A name, no address: nothing need be fetched to use it.
const ID: &str = "urn:larder:configuration";
const EXAMPLE: &str = include_str!("../../../envoy/larder.json");

/// The schema as it is committed.
#[must_use]
pub fn schema() -> String {
    let top = top();
    let mut definitions = Map::new();
    define(&top, &mut definitions);
    let mut schema = object(&top);
    schema.extend(fields_of(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Configuration of Larder",
        "description": "The plugin configuration of the HTTP cache for Envoy and Istio. Every field may be left out.",
        "$defs": definitions,
    })));
    if let Ok(example) = serde_json::from_str::<Value>(EXAMPLE) {
        schema.insert("examples".to_owned(), json!([example]));
    }
    // Values are maps of texts here, so writing them cannot fail.
    let text = serde_json::to_string_pretty(&Value::Object(schema)).unwrap_or_default();
    text + "\n"
}

/// Puts the tables below this one among the definitions.
fn define(table: &Table, definitions: &mut Map<String, Value>) {
    for below in table.fields().filter_map(Field::table) {
        definitions.insert(below.name.to_owned(), Value::Object(object(below)));
        define(below, definitions);
    }
}

fn fields_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn object(table: &Table) -> Map<String, Value> {
    let properties: Map<String, Value> = table
        .fields()
        .map(|field| (field.name.to_owned(), Value::Object(property(field))))
        .collect();
    let mut schema = fields_of(json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    }));
    let is_required = |field: &&Field| matches!(field.default, Absent::Refused);
    let required: Vec<&str> = table
        .fields()
        .filter(is_required)
        .map(|field| field.name)
        .collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if !table.conditions.is_empty() {
        let conditions: Vec<Value> = table.conditions.iter().map(condition).collect();
        schema.insert("allOf".to_owned(), json!(conditions));
    }
    schema
}

fn property(field: &Field) -> Map<String, Value> {
    let mut schema = match field.nullable {
        true => or_null(kind(&field.kind)),
        false => fields_of(kind(&field.kind)),
    };
    schema.insert("description".to_owned(), description(field).into());
    if let Absent::Is(value) = &field.default {
        schema.insert("default".to_owned(), value.clone());
    }
    if !field.examples.is_empty() {
        schema.insert("examples".to_owned(), json!(field.examples));
    }
    schema
}

/// Of a value that has a type `null` is another: so editors say what is wrong with it, and not that it is neither.
fn or_null(plain: Value) -> Map<String, Value> {
    let Some(name) = plain.get("type").cloned() else {
        return fields_of(json!({ "anyOf": [plain, { "type": "null" }] }));
    };
    let mut schema = fields_of(plain);
    schema.insert("type".to_owned(), json!([name, "null"]));
    schema
}

fn description(field: &Field) -> String {
    match &field.default {
        Absent::Says(words) => format!("{} Where it is absent: {words}.", field.about),
        Absent::Top => format!(
            "{} Where it is absent, what is said at the top holds.",
            field.about
        ),
        Absent::Is(_) | Absent::Nothing | Absent::Refused => field.about.to_owned(),
    }
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::List(elements) => list(elements),
        Kind::Object(table) => reference(table),
        Kind::OneOrMore(elements) => {
            json!({ "anyOf": [self::kind(&elements.of), list(elements)] })
        }
        Kind::Part(part) => self::part(*part),
        Kind::Text(text) => self::text(*text),
        Kind::Values => json!({
            "type": "object",
            "maxProperties": MOST,
            "propertyNames": { "pattern": TOKEN, "maxLength": LONGEST_NAME },
            "additionalProperties": { "type": "string", "maxLength": LONGEST_VALUE },
        }),
        Kind::Whole(whole) => number(*whole),
        Kind::Word(words) => json!({ "enum": words }),
    }
}

fn reference(table: &Table) -> Value {
    json!({ "$ref": format!("#/$defs/{}", table.name) })
}

fn list(list: &List) -> Value {
    let mut schema =
        fields_of(json!({ "type": "array", "items": kind(&list.of), "maxItems": list.most }));
    if list.least > 0 {
        schema.insert("minItems".to_owned(), list.least.into());
    }
    Value::Object(schema)
}

fn part(part: Part) -> Value {
    match part {
        Part::UpTo(most) => json!({ "type": "number", "minimum": 0, "maximum": most }),
        Part::Less => json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1 }),
        Part::Between => {
            json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 })
        }
    }
}

fn text(text: Text) -> Value {
    let mut schema = fields_of(json!({ "type": "string", "maxLength": text.most }));
    if !text.may_be_empty {
        schema.insert("minLength".to_owned(), 1.into());
    }
    if let Some(pattern) = text.pattern {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    Value::Object(schema)
}

fn number(whole: Whole) -> Value {
    let mut schema = fields_of(json!({
        "type": "integer",
        "minimum": whole.least,
        "maximum": whole.most,
    }));
    if whole.step > 1 {
        schema.insert("multipleOf".to_owned(), whole.step.into());
    }
    Value::Object(schema)
}

fn condition(condition: &Condition) -> Value {
    let there = |name: &&'static str| json!({ "required": [name] });
    match condition {
        Condition::ExactlyOneOf(names) => {
            json!({ "oneOf": names.iter().map(there).collect::<Vec<_>>() })
        }
        Condition::SomeOf(names) => json!({ "anyOf": names.iter().map(there).collect::<Vec<_>>() }),
        Condition::NotBoth(one, other) => {
            let text = json!({ "type": "string" });
            let both = fields_of(json!({ *one: text, *other: text }));
            json!({ "not": { "required": [one, other], "properties": both } })
        }
        Condition::Alone {
            field,
            value,
            refused,
        } => {
            let refused: Map<String, Value> = refused
                .iter()
                .map(|name| ((*name).to_owned(), Value::Bool(false)))
                .collect();
            let mut there = fields_of(json!({ "required": [field] }));
            if let Some(value) = value {
                there.insert(
                    "properties".to_owned(),
                    json!({ *field: { "const": value } }),
                );
            }
            json!({ "if": there, "then": { "properties": refused } })
        }
    }
}
