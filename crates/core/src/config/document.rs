//! JSON text as a tree of values, in which no object names a field twice.
//!
//! JSON parsers keep the last of two fields with one name. In a configuration the other was meant just as much, so
//! the second is a problem with a path, like every other.

use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::{Problems, field_path, item_path};

/// Reads a document; no bytes at all are an empty object. `None` when it is no JSON, which is a problem too.
pub(super) fn parse_document(json: &[u8], problems: &Problems) -> Option<Value> {
    if json.is_empty() {
        return Some(Value::Object(Map::new()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let root = Node {
        path: String::new(),
        problems,
    };
    let value = root
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value
        .map_err(|error| problems.add("", error.to_string()))
        .ok()
}

/// The place of one value in the document.
struct Node<'a> {
    path: String,
    problems: &'a Problems,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            let element = Node {
                path: item_path(&self.path, array.len()),
                problems: self.problems,
            };
            match elements.next_element_seed(element)? {
                Some(value) => array.push(value),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = field_path(&self.path, &name);
            if object.contains_key(&name) {
                self.problems.add(path.clone(), "stands twice");
            }
            let field = Node {
                path,
                problems: self.problems,
            };
            let value = fields.next_value_seed(field)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(json: &[u8]) -> (Option<Value>, Vec<String>) {
        let problems = Problems::default();
        let value = parse_document(json, &problems);
        let errors = problems.into_errors();
        (value, errors.iter().map(|e| e.to_string()).collect())
    }

    #[test]
    fn every_kind_of_value_is_kept() {
        let text = br#"{"a": [null, true, 1, -1, 1.5, "x"], "b": {"c": []}}"#;
        let expected = serde_json::json!({"a": [null, true, 1, -1, 1.5, "x"], "b": {"c": []}});
        assert_eq!(parse(text), (Some(expected), vec![]));
        assert_eq!(parse(b""), (Some(serde_json::json!({})), vec![]));
    }

    #[test]
    fn every_repeated_field_is_named() {
        let text = br#"{"a": 1, "b": [{"c": 1, "c": 2, "c": 3}], "a": 2}"#;
        let expected = [
            "b[0].c: stands twice",
            "b[0].c: stands twice",
            "a: stands twice",
        ];
        assert_eq!(parse(text).1, expected);
    }

    #[test]
    fn what_is_no_json_is_told_by_line_and_column() {
        for (text, place) in [
            ("{\n  \"a\": }", "line 2 column 8"),
            ("{} x", "line 1 column 4"),
            (" ", "line 1 column 1"),
            ("{\"a\": \"\u{1}\"}", "line 1 column 8"),
        ] {
            let (value, problems) = parse(text.as_bytes());
            assert_eq!(value, None, "{text}");
            assert!(problems[0].starts_with("configuration: "), "{problems:?}");
            assert!(problems[0].ends_with(place), "{problems:?}");
        }
        assert_eq!(parse(b"\"\xff\"").0, None);
    }

    #[test]
    fn a_deep_document_is_refused_before_the_stack_ends() {
        let (value, problems) = parse("[".repeat(100_000).as_bytes());
        assert_eq!(value, None);
        assert!(problems[0].contains("recursion limit"), "{problems:?}");
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_a_document_or_a_problem(json in proptest::collection::vec(any::<u8>(), 0..60)) {
            let (value, problems) = parse(&json);
            prop_assert!(value.is_some() || !problems.is_empty());
        }
    }
}
