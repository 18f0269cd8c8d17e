//! A document in which every value knows where it stands, in JSON or YAML.
//!
//! The core says what is wrong by path (`rules[2].match.path`), since what it is given has no lines. Here the same document is
//! read once more for its places, so that an editor can jump there.

mod json;
mod layout;
mod places;
mod yaml;

pub(crate) use json::scan;
pub(crate) use places::{Part, Places};
pub(crate) use yaml::read;

use serde_json::{Map, Number, Value};

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1 on.
    pub(crate) line: usize,
    /// From 1 on, in characters.
    pub(crate) column: usize,
    /// Characters before it.
    pub(crate) at: usize,
}

impl Place {
    /// The beginning.
    pub(crate) const START: Self = Self {
        line: 1,
        column: 1,
        at: 0,
    };
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Flag(bool),
    Number(Number),
    /// A text, and where each of its characters stands as far as that is known.
    Text(String, Vec<Place>),
    List(Vec<Node>),
    Object(Vec<Field>),
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) place: Place,
    pub(crate) problem: String,
}

impl Node {
    /// A field of an object; of those with one name the last, as everywhere.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let fields = self.fields().iter().rev();
        let mut found = fields.filter(|field| field.name == name);
        found.next().map(|field| &field.value)
    }

    /// What stands at the end of these fields.
    pub(crate) fn at(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |node, name| node.field(name))
    }

    /// The fields of an object; none of what is no object.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Object(fields) => fields,
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) | Kind::List(_) => &[],
        }
    }

    /// The elements of a list; none of what is no list.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) | Kind::Object(_) => &[],
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text, _) => Some(text),
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::List(_) | Kind::Object(_) => None,
        }
    }

    /// The same as JSON, fields that stand twice twice.
    pub(crate) fn json(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(",");
        match &self.kind {
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) => {
                self.value().to_string()
            }
            Kind::List(items) => format!("[{}]", joined(items.iter().map(Self::json).collect())),
            Kind::Object(fields) => {
                let fields = fields.iter().map(|Field { name, value, .. }| {
                    format!("{}:{}", Value::from(name.as_str()), value.json())
                });
                format!("{{{}}}", joined(fields.collect()))
            }
        }
    }

    /// The same at other places.
    pub(crate) fn moved(mut self, to: &impl Fn(Place) -> Place) -> Self {
        self.place = to(self.place);
        self.kind = match self.kind {
            Kind::List(items) => Kind::List(items.into_iter().map(|item| item.moved(to)).collect()),
            Kind::Object(fields) => Kind::Object(
                fields
                    .into_iter()
                    .map(|Field { name, place, value }| Field {
                        name,
                        place: to(place),
                        value: value.moved(to),
                    })
                    .collect(),
            ),
            kind @ (Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..)) => kind,
        };
        self
    }

    /// The same without places.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Flag(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text, _) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|field| (field.name.clone(), field.value.value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}
