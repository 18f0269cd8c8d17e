//! A document's values, written as JSON.
//!
//! serde_json's own way to write numbers with a point brings sixteen kilobytes of powers of ten, for numbers of which a
//! configuration has three or four.

use serde_json::{Number, Value};

/// More digits than a floating-point number can tell apart.
const MOST: f64 = 9_007_199_254_740_992.0; // 2^53
/// Powers of ten up to this one are exact.
const MOST_SHIFT: u8 = 22;

/// The value as JSON. What reads it reads the same, unless it holds a number that is not [`writable`]: that becomes null.
pub fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Whether no number in it is one that cannot be written: one with a point or an exponent, and more digits than are told apart.
pub fn writable(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => digits(number).is_some(),
        Value::Array(items) => items.iter().all(writable),
        Value::Object(fields) => fields.values().all(writable),
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(digits(number).as_deref().unwrap_or("null")),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            let mut before = '[';
            for item in items {
                out.push(before);
                write(item, out);
                before = ',';
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(fields) => {
            let mut before = '{';
            for (name, value) in fields {
                out.push(before);
                quote(name, out);
                out.push(':');
                write(value, out);
                before = ',';
            }
            out.push_str(if fields.is_empty() { "{}" } else { "}" });
        }
    }
}

/// Writes a text.
pub fn quote(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\0'..='\u{1f}' => {
                let code = letter as usize;
                out.push_str("\\u00");
                for nibble in [code >> 4, code & 15] {
                    out.push(DIGITS.get(nibble).map_or('0', |digit| char::from(*digit)));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn digits(number: &Number) -> Option<String> {
    if let Some(whole) = number.as_u64() {
        return Some(whole.to_string());
    }
    if let Some(whole) = number.as_i64() {
        return Some(whole.to_string());
    }
    let number = number.as_f64()?;
    let sign = if number.is_sign_negative() { "-" } else { "" };
    decimal(number.abs()).map(|digits| [sign, &digits].concat())
}

/// Digits of which a reader makes this number: it takes them for a whole number, and divides it by a power of ten, or
/// multiplies it. Where both are exact the result is rounded once, here and there.
fn decimal(number: f64) -> Option<String> {
    let power = |shift| (0..shift).fold(1.0, |power, _| power * 10.0);
    for shift in 0..=MOST_SHIFT {
        let power = power(shift);
        let whole = (number * power).round();
        if whole < MOST && whole / power == number {
            return Some(pointed(whole as u64, shift.into()));
        }
    }
    for shift in (1..=MOST_SHIFT).rev() {
        let power = power(shift);
        let whole = (number / power).round();
        if whole < MOST && whole * power == number {
            return Some(raised(whole as u64, shift));
        }
    }
    None
}

/// The digits, with so many of them behind the point, and one at least: else it would be read as another kind of number.
fn pointed(whole: u64, behind: usize) -> String {
    let mut digits = whole.to_string();
    if behind == 0 && digits.len() < 15 {
        return digits + ".0";
    }
    if behind == 0 {
        return raised(whole, 0); // one digit more would be one too many
    }
    while digits.len() <= behind {
        digits.insert(0, '0');
    }
    digits.insert(digits.len().saturating_sub(behind), '.');
    digits
}

fn raised(whole: u64, by: u8) -> String {
    [&whole.to_string(), "e", &by.to_string()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            r#"{"a":[null,true,false,"x\"\\\n\u0001é"],"b":{},"c":[],"d":[[1],{"e":-2}]}"#,
            "[0.1,0.5,0.95,0.005,1.5,-1.25,3.0,0.000001,123456.789,18446744073709551615]",
        ] {
            assert_eq!(written(&read(text)), text);
            assert!(writable(&read(text)));
        }
        assert_eq!(written(&read("1e3")), "1000.0");
        assert_eq!(written(&read("2e20")), "2e20");
        assert_eq!(written(&read("1E-7")), "0.0000001");
        assert_eq!(written(&read("-0.0")), "-0.0");
    }

    #[test]
    fn what_nobody_writes_is_told() {
        for text in ["1e300", "1e-300", "0.12345678901234567890123"] {
            let value = json!({ "a": [read(text)] });
            assert!(!writable(&value), "{text}");
            assert_eq!(written(&value), r#"{"a":[null]}"#);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (any::<i32>(), -9..10_i32)
                .prop_map(|(digits, shift)| read(&format!("{digits}e{shift}"))),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_is_written_is_read_as_it_was(value in value()) {
            prop_assert!(writable(&value));
            prop_assert_eq!(read(&written(&value)), value);
        }

        #[test]
        fn any_number_is_read_as_it_was_or_told(number: f64) {
            if let Some(number) = Number::from_f64(number) {
                let value = Value::Number(number);
                let text = written(&value);
                match writable(&value) {
                    true => prop_assert_eq!(read(&text), value),
                    false => prop_assert_eq!(text, "null"),
                }
            }
        }
    }
}
