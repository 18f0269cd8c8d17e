//! Words and numbers for people.
//!
//! What is shown has come from elsewhere: keys are made by clients, and a terminal does what bytes tell it. So nothing goes
//! out of here but characters that are seen.

use serde_json::Value;

/// A text of which every character is seen.
pub(crate) fn seen(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match is_seen(character) {
            true => out.push(character),
            false => out.extend(character.escape_default()),
        }
    }
    out
}

/// Whether a terminal shows a character, and does nothing else with it.
pub(crate) fn is_seen(character: char) -> bool {
    // Besides controls, what turns the direction of writing around hides what stands there.
    let turns = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !character.is_control() && !turns
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let behind = digits.len().saturating_sub(place);
        if place > 0 && behind.is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in the unit that suits it.
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1000.0 => format!("{bytes} B"),
        ..1_000_000.0 => format!("{:.1} kB", bytes / 1e3),
        ..1_000_000_000.0 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} GB", bytes / 1e9),
    }
}

/// The whole number at a place of a JSON document; 0 where none is.
pub(crate) fn number(value: &Value, place: &str) -> u64 {
    let found = value.pointer(place);
    let whole = found.and_then(Value::as_u64);
    whole.unwrap_or_else(|| {
        found
            .and_then(Value::as_f64)
            .map_or(0, |found| found.max(0.0) as u64)
    })
}

/// The text at a place of a JSON document, a number as it is written there; a dash where nothing is.
pub(crate) fn text(value: &Value, place: &str) -> String {
    match value.pointer(place) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_))) => {
            other.to_string()
        }
    }
}

/// The items of the list at a place of a JSON document.
pub(crate) fn items<'a>(value: &'a Value, place: &str) -> &'a [Value] {
    value
        .pointer(place)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_the_cursor_is_shown_as_what_it_is() {
        assert_eq!(seen("/a\u{1b}[2J\n\u{202e}b"), "/a\\u{1b}[2J\\n\\u{202e}b");
        assert_eq!(seen("/straße"), "/straße");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        assert_eq!(
            [999, 1_500, 2_000_000].map(size),
            ["999 B", "1.5 kB", "2.0 MB"]
        );
    }
}
