//! What the operator asks of a response before it is stored: a status, fields, a value in a JSON body.
//!
//! The body is the origin's and may be hostile, so it is walked, never built: a tree of a small body can take a
//! hundred times its memory. What the pointer does not lead to is skipped, and what it leads to is compared piece by
//! piece with what the configuration holds. Memory is bounded by the configuration, depth by the parser.
//!
//! A body that is no JSON, or holds the name twice with different values, does not hold the value: parsers disagree
//! about which of two counts, so both must.

use serde_core::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};
use std::fmt;

use crate::config::{JsonCondition, StoreIf};
use crate::http::ResponseHead;
use crate::policy::Reason;

/// Judges what can be judged before the body: status and fields.
pub fn judge_head(condition: &StoreIf, response: &ResponseHead) -> Result<(), Reason> {
    let has_status = condition
        .status
        .as_ref()
        .is_none_or(|statuses| statuses.contains(&response.status));
    let has_fields = condition.response_header.iter().all(|(name, value)| {
        let mut lines = response.headers.all(name);
        lines.any(|line| line == value.as_bytes())
    });
    if has_status && has_fields {
        Ok(())
    } else {
        Err(Reason::StoreIf)
    }
}

/// Judges the whole body.
pub fn judge_body(condition: &StoreIf, body: &[u8]) -> Result<(), Reason> {
    match &condition.json {
        None => Ok(()),
        Some(json) => holds(json, body).map_err(|_| Reason::StoreIf),
    }
}

/// An error stands for every way not to hold: no JSON, nothing at the pointer, another value.
fn holds(condition: &JsonCondition, body: &[u8]) -> serde_json::Result<()> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let pointed = Pointed {
        pointer: &condition.pointer,
        equals: &condition.equals,
    };
    pointed.deserialize(&mut parser)?;
    parser.end()
}

/// What the rest of a pointer leads to must equal a value.
#[derive(Clone, Copy)]
struct Pointed<'a> {
    pointer: &'a str,
    equals: &'a Value,
}

impl<'de> DeserializeSeed<'de> for Pointed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        if self.pointer.is_empty() {
            return Equal(self.equals).deserialize(parser);
        }
        let tokens = self.pointer.strip_prefix('/');
        let tokens = tokens.ok_or_else(|| D::Error::custom("not a pointer"))?;
        let end = tokens.find('/').unwrap_or(tokens.len());
        let (token, rest) = tokens.split_at_checked(end).unwrap_or((tokens, ""));
        // "first transforming any occurrence of the sequence '~1' to '/', and then transforming any occurrence of the
        // sequence '~0' to '~'" RFC 6901 section 4.
        parser.deserialize_any(Step {
            name: token.replace("~1", "/").replace("~0", "~"),
            behind: Pointed {
                pointer: rest,
                ..self
            },
        })
    }
}

/// What is not looked for, so that serde has no words for it: these would bring what it takes to write any number.
macro_rules! refuse {
    ($($visit:ident: $of:ty),+) => {$(
        fn $visit<E: Error>(self, _: $of) -> Result<Self::Value, E> {
            Err(E::custom("another kind of value"))
        }
    )+};
}

/// One step along a pointer.
struct Step<'a> {
    name: String,
    behind: Pointed<'a>,
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or an array")
    }

    refuse!(visit_bool: bool, visit_f64: f64, visit_i64: i64, visit_str: &str, visit_u64: u64);

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom("nothing"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut found = Err(A::Error::custom("absent"));
        while let Some(here) = object.next_key_seed(Name(|key: &str| key == self.name))? {
            if here {
                object.next_value_seed(self.behind)?;
                found = Ok(());
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        found
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        // "characters that represent an unsigned base-10 integer value [...] without leading zeros" RFC 6901 section 4.
        let index = self.name.parse::<usize>().ok();
        let index = index.filter(|index| index.to_string() == self.name);
        for _ in 0..index.ok_or_else(|| A::Error::custom("not an index"))? {
            array
                .next_element::<IgnoredAny>()?
                .ok_or_else(|| A::Error::custom("absent"))?;
        }
        let found = array.next_element_seed(self.behind)?;
        while array.next_element::<IgnoredAny>()?.is_some() {}
        found.ok_or_else(|| A::Error::custom("absent"))
    }
}

/// An object's key, looked at where it stands.
struct Name<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Name<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<T, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Name<F> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<T, E> {
        Ok((self.0)(key))
    }
}

/// The next value must equal this one; numbers are equal where their values are, 1 and 1.0 alike.
struct Equal<'a>(&'a Value);

impl Equal<'_> {
    fn check<E: Error>(holds: bool) -> Result<(), E> {
        if holds {
            Ok(())
        } else {
            Err(E::custom("another value"))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Equal<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Equal<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the value asked for")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Self::check(self.0.is_null())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        Self::check(self.0.as_bool() == Some(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        Self::check(self.0.as_str() == Some(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let float = self.0.as_f64().filter(|_| self.0.is_f64());
        Self::check(self.0.as_u64() == Some(value) || float == Some(value as f64))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let float = self.0.as_f64().filter(|_| self.0.is_f64());
        Self::check(self.0.as_i64() == Some(value) || float == Some(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        Self::check(self.0.as_f64() == Some(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let expected = self.0.as_array();
        for item in expected.ok_or_else(|| A::Error::custom("an array"))? {
            let found = array.next_element_seed(Equal(item))?;
            found.ok_or_else(|| A::Error::custom("too short"))?;
        }
        Self::check(array.next_element::<IgnoredAny>()?.is_none())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let expected = self.0.as_object();
        let expected = expected.ok_or_else(|| A::Error::custom("an object"))?;
        let mut missing: Vec<&str> = expected.keys().map(String::as_str).collect();
        while let Some(member) =
            object.next_key_seed(Name(|key: &str| take(expected, key, &mut missing)))?
        {
            let member = member.ok_or_else(|| A::Error::custom("another member"))?;
            object.next_value_seed(Equal(member))?;
        }
        Self::check(missing.is_empty())
    }
}

/// The member of that name, which is no longer missing.
fn take<'a>(
    expected: &'a Map<String, Value>,
    key: &str,
    missing: &mut Vec<&str>,
) -> Option<&'a Value> {
    missing.retain(|name| *name != key);
    expected.get(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::policy::sample::Fields;
    use proptest::prelude::*;

    fn json(pointer: &str, equals: Value) -> StoreIf {
        StoreIf {
            json: Some(JsonCondition {
                pointer: pointer.into(),
                equals,
            }),
            ..StoreIf::default()
        }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn status_and_fields() {
        let condition = StoreIf {
            status: Some(vec![200, 404]),
            response_header: vec![
                ("x-cacheable".into(), "yes".into()),
                ("x-kind".into(), "a".into()),
            ],
            json: None,
        };
        #[rustfmt::skip]
        let rows: [(&str, u16, Fields<'_>, Result<(), Reason>); 5] = [
            ("all", 404, &[("X-Cacheable", "yes"), ("x-kind", "a")], Ok(())),
            ("one of several lines", 200, &[("x-cacheable", "no"), ("x-cacheable", "yes"), ("x-kind", "a")], Ok(())),
            ("another status", 201, &[("x-cacheable", "yes"), ("x-kind", "a")], Err(Reason::StoreIf)),
            ("another value", 200, &[("x-cacheable", "Yes"), ("x-kind", "a")], Err(Reason::StoreIf)),
            ("a field absent", 200, &[("x-cacheable", "yes")], Err(Reason::StoreIf)),
        ];
        for (name, status, fields, expected) in rows {
            let headers: Headers = fields.iter().copied().collect();
            let head = ResponseHead { status, headers };
            assert_eq!(judge_head(&condition, &head), expected, "{name}");
            assert_eq!(judge_head(&StoreIf::default(), &head), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_pointer_leads_to_a_value() {
        #[rustfmt::skip]
        let rows = [
            ("/cacheable", "true", r#"{"a":[{"b":1}],"cacheable":true,"z":null}"#, true),
            ("/cacheable", "true", r#"{"cacheable":false}"#, false),
            ("/cacheable", "true", r#"{"cacheable":"true"}"#, false),
            ("/cacheable", "true", r#"{"cacheable":{"cacheable":true}}"#, false),
            ("/cacheable", "true", "[true]", false),
            ("/cacheable", "true", "true", false),
            ("/cacheable", "true", r#"{"cacheable":true"#, false),
            ("/cacheable", "true", r#"{"cacheable":true} x"#, false),
            ("/cacheable", "true", "", false),
            ("/a/1/b", "null", r#"{"a":[0,{"b":null}]}"#, true),
            ("/a/01/b", "null", r#"{"a":[0,{"b":null}]}"#, false),
            ("/a/2", "0", r#"{"a":[0,0]}"#, false),
            ("/a/-", "0", r#"{"a":[0]}"#, false),
            ("/a~1b/m~0n", "\"x\"", r#"{"a/b":{"m~n":"x"}}"#, true),
            ("//", "1", r#"{"":{"":1}}"#, true),
            ("", "[1,{\"a\":2}]", r#" [1,{"a":2}] "#, true),
            ("", "[1]", "[1,2]", false),
            ("", "[1,2]", "[1]", false),
            ("", r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true),
            ("", r#"{"a":1,"b":2}"#, r#"{"a":1,"a":1}"#, false),
            ("", r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            ("no slash", "1", "1", false),
            ("/n", "1", r#"{"n":1.0}"#, true),
            ("/n", "1.0", r#"{"n":1}"#, true),
            ("/n", "-1", r#"{"n":-1}"#, true),
            ("/n", "18446744073709551615", r#"{"n":18446744073709551614}"#, false),
            ("/n", "\"é\"", r#"{"n":"\u00e9"}"#, true),
            ("/n", "1", r#"{"n":1,"n":2}"#, false),
            ("/n", "1", r#"{"n":2,"n":1}"#, false),
            ("/n", "1", r#"{"n":1,"n":1}"#, true),
        ];
        for (pointer, equals, body, holds) in rows {
            let expected = if holds { Ok(()) } else { Err(Reason::StoreIf) };
            let condition = json(pointer, value(equals));
            let found = judge_body(&condition, body.as_bytes());
            assert_eq!(found, expected, "{pointer} = {equals} in {body}");
        }
    }

    #[test]
    fn deep_nesting_is_no_match_and_no_overflow() {
        let deep = "[".repeat(1_000_000);
        let pointer = "/0".repeat(1000);
        for pointer in ["", "/a", "/0", &pointer] {
            let condition = json(pointer, Value::Null);
            assert_eq!(
                judge_body(&condition, deep.as_bytes()),
                Err(Reason::StoreIf)
            );
        }
        let aside = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(judge_body(&json("/a", 1.into()), aside.as_bytes()), Ok(()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a~/\"\\\\é]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab]{0,2}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn walking_agrees_with_building(
            body in any_json(), equals in any_json(), pointer in "(/([ab]{0,2}|[0-3])){0,3}",
        ) {
            let text = body.to_string();
            let built = body.pointer(&pointer);
            let found = judge_body(&json(&pointer, equals.clone()), text.as_bytes());
            prop_assert_eq!(found.is_ok(), built == Some(&equals));
            if let Some(there) = built {
                prop_assert_eq!(judge_body(&json(&pointer, there.clone()), text.as_bytes()), Ok(()));
            }
        }

        #[test]
        fn any_bytes_are_judged(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let built = serde_json::from_slice::<Value>(&body).ok();
            let found = judge_body(&json("", 1.into()), &body);
            prop_assert_eq!(found.is_ok(), built.is_some_and(|built| built == 1 || built == 1.0));
        }
    }
}
