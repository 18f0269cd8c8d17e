//! A cursor over one value of the document, which knows its path and remembers what is wrong with it.
//!
//! Reading never stops at a problem: what could not be read is [`Given::Refused`], so that what follows from it is
//! not reported as well, and the rest of the document is read on.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::document::parse_document;
use super::problem::{ConfigError, Problems, excerpt, field_path, item_path};

/// What the document says about one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that has been reported as a problem.
    Refused,
    /// This.
    Value(T),
}

impl<T> Given<T> {
    /// What it says, if that could be read.
    pub fn value(self) -> Option<T> {
        match self {
            Given::Value(value) => Some(value),
            Given::Absent | Given::Refused => None,
        }
    }

    /// What it says, or this.
    pub fn unwrap_or(self, default: T) -> T {
        self.value().unwrap_or(default)
    }

    /// This, or where the document says nothing, `other`.
    pub(super) fn or(self, other: Given<T>) -> Given<T> {
        match self {
            Given::Absent => other,
            Given::Refused | Given::Value(_) => self,
        }
    }

    /// The same of what it says.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Given::Absent => Given::Absent,
            Given::Refused => Given::Refused,
            Given::Value(value) => Given::Value(change(value)),
        }
    }
}

/// Reads a document; no bytes at all are an empty object.
///
/// # Errors
///
/// Every problem of the document at once. A syntax error hides those behind it.
pub fn read<T>(
    json: &[u8],
    read: impl FnOnce(Cursor<'_>) -> Given<T>,
) -> Result<T, Vec<ConfigError>> {
    let problems = Problems::default();
    let read = parse_document(json, &problems).and_then(|document| {
        read(Cursor {
            value: &document,
            path: String::new(),
            problems: &problems,
        })
        .value()
    });
    let errors = problems.into_errors();
    match read {
        Some(read) if errors.is_empty() => Ok(read),
        Some(_) | None => Err(errors),
    }
}

/// One value of the document and its path.
pub struct Cursor<'a> {
    /// The value.
    pub value: &'a Value,
    pub(super) path: String,
    pub(super) problems: &'a Problems,
}

impl<'a> Cursor<'a> {
    /// The same value, for who has more to say about it when it has been read.
    pub(super) fn again(&self) -> Self {
        Cursor {
            value: self.value,
            path: self.path.clone(),
            problems: self.problems,
        }
    }

    /// Reports a problem with this value.
    pub fn refuse<T>(&self, problem: impl Into<String>) -> Given<T> {
        self.problems.add(self.path.clone(), problem);
        Given::Refused
    }

    fn refuse_kind<T>(&self, wanted: &str) -> Given<T> {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.refuse(format!("must be {wanted}, not {found}"))
    }

    /// True or false.
    #[inline(never)]
    pub fn flag(self) -> Given<bool> {
        let Value::Bool(flag) = self.value else {
            return self.refuse_kind("true or false");
        };
        Given::Value(*flag)
    }

    /// A whole number within bounds.
    #[inline(never)]
    pub fn number(self, bounds: RangeInclusive<u64>) -> Given<u64> {
        let Value::Number(number) = self.value else {
            return self.refuse_kind("a whole number");
        };
        let (least, most) = (*bounds.start(), *bounds.end());
        match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) if bounds.contains(&whole) => Given::Value(whole),
            (Some(whole), _) if whole < least => self.refuse(format!("must be at least {least}")),
            (Some(_), _) => self.refuse(format!("must be at most {most}")),
            (None, Some(real)) if real < 0.0 => self.refuse(format!("must be at least {least}")),
            // The 64-bit bound is far above every `most`, so rounding does not matter here.
            (None, Some(real)) if real >= u64::MAX as f64 => {
                self.refuse(format!("must be at most {most}"))
            }
            (None, _) => self.refuse("must be a whole number, without fraction or exponent"),
        }
    }

    /// A number from 0 on and less than 1, as thousandths.
    pub(super) fn thousandths(self) -> Given<u16> {
        let Value::Number(number) = self.value else {
            return self.refuse_kind("a number");
        };
        let number = number.as_f64().unwrap_or(f64::NAN);
        if !(0.0..1.0).contains(&number) {
            return self.refuse("must be at least 0 and less than 1");
        }
        let thousandths = (number * 1000.0).round();
        // Three digits are next to a whole number of thousandths, as near as floating point comes.
        if (thousandths - number * 1000.0).abs() > 1e-6 {
            return self.refuse("must have at most three digits behind the point");
        }
        Given::Value(thousandths as u16)
    }

    /// A text with a number of bytes within bounds.
    #[inline(never)]
    pub fn text(self, bounds: RangeInclusive<usize>) -> Given<&'a str> {
        let Value::String(text) = self.value else {
            return self.refuse_kind("a string");
        };
        if text.is_empty() && !bounds.contains(&0) {
            return self.refuse("must not be empty");
        }
        if text.len() > *bounds.end() {
            return self.refuse(format!("must be at most {} bytes long", bounds.end()));
        }
        Given::Value(text)
    }

    /// One of some words.
    pub fn word<T: Copy>(self, words: &[(&str, T)]) -> Given<T> {
        let Value::String(text) = self.value else {
            return self.refuse_kind("a string");
        };
        match words.iter().find(|(word, _)| word == text) {
            Some((_, meaning)) => Given::Value(*meaning),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.refuse(unknown_word(text, &words))
            }
        }
    }

    /// The elements of an array, at most `most`.
    #[inline(never)]
    pub fn items(self, most: usize) -> Given<Vec<Cursor<'a>>> {
        let Value::Array(array) = self.value else {
            return self.refuse_kind("an array");
        };
        if array.len() > most {
            return self.refuse(format!("must have at most {most} elements"));
        }
        let item = |(index, value)| Cursor {
            value,
            path: item_path(&self.path, index),
            problems: self.problems,
        };
        Given::Value(array.iter().enumerate().map(item).collect())
    }

    /// The fields of an object whose names are the operator's, at most `most`.
    #[inline(never)]
    pub fn entries(self, most: usize) -> Given<Vec<(&'a str, Cursor<'a>)>> {
        let Value::Object(object) = self.value else {
            return self.refuse_kind("an object");
        };
        if object.len() > most {
            return self.refuse(format!("must have at most {most} fields"));
        }
        let entry = |(name, value): (&'a String, &'a Value)| {
            let cursor = Cursor {
                value,
                path: field_path(&self.path, name),
                problems: self.problems,
            };
            (name.as_str(), cursor)
        };
        Given::Value(object.iter().map(entry).collect())
    }

    /// Reads an object whose fields are ours; those that `read` does not ask for are problems.
    pub fn object<T>(self, read: impl FnOnce(&mut Fields<'a>) -> T) -> Given<T> {
        let Value::Object(object) = self.value else {
            return self.refuse_kind("an object");
        };
        let mut fields = Fields {
            object,
            path: self.path,
            problems: self.problems,
            known: Vec::new(),
        };
        let result = read(&mut fields);
        fields.refuse_unknown();
        Given::Value(result)
    }
}

#[inline(never)]
fn unknown_word(text: &str, words: &[&str]) -> String {
    let list: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    let list = list.join(", ");
    format!("must be one of {list}, not `{}`", excerpt(text))
}

/// The fields of one object, asked for one by one.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    pub(super) path: String,
    pub(super) problems: &'a Problems,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Reads a field, if it is there.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'a>) -> Given<T>,
    ) -> Given<T> {
        match self.find(name) {
            None => Given::Absent,
            Some(cursor) => read(cursor),
        }
    }

    /// Once for all fields: it would be most of the code of each.
    #[inline(never)]
    fn find(&mut self, name: &'static str) -> Option<Cursor<'a>> {
        self.known.push(name);
        let value = self.object.get(name)?;
        Some(Cursor {
            value,
            path: field_path(&self.path, name),
            problems: self.problems,
        })
    }

    /// Reads a field that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'a>) -> Given<T>,
    ) -> Given<T> {
        let given = self.optional(name, read);
        if self.has(name) {
            return given;
        }
        let path = field_path(&self.path, name);
        self.problems.add(path, "is missing");
        Given::Refused
    }

    /// Whether the document has this field.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    fn refuse_unknown(self) {
        for name in self.object.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let problem = match nearest(name, &self.known) {
                Some(known) => format!("is unknown; did you mean `{known}`?"),
                None => "is unknown".to_owned(),
            };
            self.problems.add(field_path(&self.path, name), problem);
        }
    }
}

/// The known name that was probably meant: one that begins with what was written, or differs in few letters.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let distance = |known: &str| match known.starts_with(&lower) && lower.len() >= 3 {
        true => 1,
        false => edit_distance(&lower, known),
    };
    let near = known.iter().map(|known| (distance(known), *known));
    let (distance, near) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1.max(name.len() / 4)).then_some(near)
}

/// The number of letters to insert, remove or replace (Levenshtein).
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal.saturating_add(usize::from(letter != other));
            diagonal = *cell;
            left = replaced.min(left.min(diagonal).saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read<T>(value: Value, read: impl FnOnce(Cursor<'_>) -> Given<T>) -> (Given<T>, String) {
        let problems = Problems::default();
        let given = read(Cursor {
            value: &value,
            path: "at".to_owned(),
            problems: &problems,
        });
        let errors = problems.into_errors();
        let shown: Vec<_> = errors.iter().map(|error| error.to_string()).collect();
        (given, shown.join("\n"))
    }

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        for (value, problem) in [
            (json!(1), "at: must be at least 8"),
            (json!(-1), "at: must be at least 8"),
            (json!(-1.5), "at: must be at least 8"),
            (json!(65), "at: must be at most 64"),
            (json!(1e30), "at: must be at most 64"),
            (
                json!(9.5),
                "at: must be a whole number, without fraction or exponent",
            ),
            (
                json!(9.0),
                "at: must be a whole number, without fraction or exponent",
            ),
            (json!("9"), "at: must be a whole number, not a string"),
            (json!(null), "at: must be a whole number, not null"),
        ] {
            let expected = (Given::Refused, problem.to_owned());
            assert_eq!(read(value, |cursor| cursor.number(8..=64)), expected);
        }
        let expected = (Given::Value(64), String::new());
        assert_eq!(read(json!(64), |cursor| cursor.number(8..=64)), expected);
    }

    #[test]
    fn texts_and_words_are_bounded() {
        assert_eq!(
            read(json!(""), |c| c.text(1..=3).map(drop)).1,
            "at: must not be empty"
        );
        let (_, problem) = read(json!("abcd"), |c| c.text(1..=3).map(drop));
        assert_eq!(problem, "at: must be at most 3 bytes long");
        let (_, problem) = read(json!("ON"), |c| c.word(&[("on", 1), ("off", 2)]));
        assert_eq!(problem, "at: must be one of `on`, `off`, not `ON`");
    }

    #[test]
    fn unknown_fields_are_named_with_what_was_probably_meant() {
        let value = json!({"ttl": 1, "ttl_secnds": 1, "Name": 1, "other": 1, "a b": 1});
        let (given, problems) = read(value, |cursor| {
            cursor.object(|fields| {
                let _ = fields.optional("ttl_seconds", Cursor::flag);
                fields.required("name", Cursor::flag)
            })
        });
        assert_eq!(given, Given::Value(Given::Refused));
        let expected = [
            "at.name: is missing",
            "at.Name: is unknown; did you mean `name`?",
            "at[\"a b\"]: is unknown",
            "at.other: is unknown",
            "at.ttl: is unknown; did you mean `ttl_seconds`?",
            "at.ttl_secnds: is unknown; did you mean `ttl_seconds`?",
        ];
        assert_eq!(problems, expected.join("\n"));
    }

    #[test]
    fn distances_count_letters() {
        for (from, to, distance) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("abc", "axc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edit_distance(from, to), distance, "{from} {to}");
            assert_eq!(edit_distance(to, from), distance, "{to} {from}");
        }
    }
}
