//! JSON as it is read and written here: bounded, without derived code.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::reading::quote;

use super::{MAX_BYTES, WIRE};

/// Why something said is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// A field is not there, or is not what it has to be: a sentence that names it.
    Malformed(String),
    /// It is no JSON object.
    NoObject,
    /// It is longer, or has more in it, than anybody says.
    TooLarge,
    /// It is of another version than is spoken here.
    Version(u64),
}

impl fmt::Display for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => out.write_str(problem),
            Self::NoObject => out.write_str("not a JSON object"),
            Self::TooLarge => out.write_str("too large"),
            Self::Version(version) => {
                write!(out, "wire version {version} is not known, {WIRE} is")
            }
        }
    }
}

impl std::error::Error for WireError {}

/// A JSON object that may have any fields.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    of: &'a Map<String, Value>,
    /// Where it stands in the whole, to be named.
    at: Place,
}

/// The place of a field's object.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Top,
    Record(usize),
}

/// Reads a document of the version that is spoken here.
pub(super) fn parse(json: &[u8]) -> Result<Value, WireError> {
    if json.len() > MAX_BYTES {
        return Err(WireError::TooLarge);
    }
    let document: Value = serde_json::from_slice(json).map_err(|_| WireError::NoObject)?;
    match document.get("wire") {
        None => Ok(document),
        Some(version) => match version.as_u64() {
            Some(WIRE) => Ok(document),
            Some(other) => Err(WireError::Version(other)),
            None => Err(malformed(Place::Top, "wire", "is no version")),
        },
    }
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, at: Place) -> Result<Self, WireError> {
        match (value.as_object(), at) {
            (Some(of), _) => Ok(Self { of, at }),
            (None, Place::Top) => Err(WireError::NoObject),
            (None, Place::Record(_)) => Err(malformed(at, "", "is no object")),
        }
    }

    /// A field; one that is null is none.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.of.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Whether that is so; where nothing is said, it is not.
    pub(super) fn flag(&self, name: &str) -> Result<bool, WireError> {
        let flag = self.get(name).map(Value::as_bool);
        flag.unwrap_or(Some(false))
            .ok_or_else(|| self.malformed(name, "is neither true nor false"))
    }

    /// A number, or 0.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// What is made of a field's text; `None` where there is no such field.
    pub(super) fn perhaps<T>(
        &self,
        name: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, WireError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let read = value.as_str().and_then(|text| read(text.as_bytes()));
        read.map(Some)
            .ok_or_else(|| self.malformed(name, "cannot be read"))
    }

    /// The same of a field that has to be there.
    pub(super) fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, WireError> {
        let read = self.perhaps(name, read)?;
        read.ok_or_else(|| self.malformed(name, "is missing"))
    }

    /// The elements of an array; of none where there is no such field.
    pub(super) fn items(&self, name: &str, most: usize) -> Result<&'a [Value], WireError> {
        match self.get(name).map(Value::as_array) {
            None => Ok(&[]),
            Some(Some(items)) if items.len() <= most => Ok(items),
            Some(Some(_)) => Err(WireError::TooLarge),
            Some(None) => Err(self.malformed(name, "is no array")),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn malformed(&self, name: &str, problem: &str) -> WireError {
        malformed(self.at, name, problem)
    }
}

#[cold]
#[inline(never)]
fn malformed(at: Place, name: &str, problem: &str) -> WireError {
    let place = match at {
        Place::Top => String::new(),
        Place::Record(number) => ["records[", &number.to_string(), "]"].concat(),
    };
    let dot = match (place.is_empty(), name.is_empty()) {
        (false, false) => ".",
        (true, _) | (_, true) => "",
    };
    WireError::Malformed([&place, dot, name, " ", problem].concat())
}

/// Writes one object, field by field.
pub(super) struct Object<'a> {
    out: &'a mut String,
    before: char,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut String) -> Self {
        Self { out, before: '{' }
    }

    /// A field whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name).push_str(json);
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        quote(text, self.name(name));
    }

    pub(super) fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.raw(name, if flag { "true" } else { "false" });
    }

    /// An array of what is written one by one.
    pub(super) fn array<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(T, &mut String),
    ) {
        let out = self.name(name);
        out.push('[');
        let mut is_first = true;
        for item in items {
            if !is_first {
                out.push(',');
            }
            is_first = false;
            write(item, out);
        }
        out.push(']');
    }

    pub(super) fn name(&mut self, name: &str) -> &mut String {
        self.out.push(self.before);
        self.before = ',';
        quote(name, self.out);
        self.out.push(':');
        self.out
    }

    pub(super) fn end(self) {
        if self.before == '{' {
            self.out.push('{');
        }
        self.out.push('}');
    }
}
