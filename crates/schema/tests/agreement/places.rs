//! The objects of the configuration, and documents in which something stands in one of them.

use larder_schema::model::{Absent, Condition, Field, Kind, Table};
use serde_json::{Map, Value, json};

/// An object of the configuration.
pub(crate) struct Place {
    pub(crate) table: Table,
    /// The fields that lead there from the top, and whether what stands in them is a list.
    way: Vec<(Table, &'static str, bool)>,
}

impl Place {
    /// Every object that there is.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        Self::below(larder_schema::top(), Vec::new(), &mut all);
        all
    }

    fn below(table: Table, way: Vec<(Table, &'static str, bool)>, all: &mut Vec<Self>) {
        for field in table.fields() {
            if let Some(below) = field.table() {
                let mut way = way.clone();
                let in_list = matches!(field.kind, Kind::List(_));
                way.push((table.clone(), field.name, in_list));
                Self::below(below.clone(), way, all);
            }
        }
        all.push(Self { table, way });
    }

    /// Its path, as problems name it.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for (_, name, in_list) in &self.way {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            if *in_list {
                path.push_str("[0]");
            }
        }
        path
    }

    /// The path of one of its fields.
    pub(crate) fn path_of(&self, name: &str) -> String {
        match (self.path().as_str(), name.contains('$')) {
            (path, true) => format!("{path}[\"{name}\"]"),
            ("", false) => name.to_owned(),
            (path, false) => format!("{path}.{name}"),
        }
    }

    /// A document in which this object has these fields, and those that have to stand beside them.
    pub(crate) fn with(&self, fields: &[(&str, Value)]) -> Value {
        let mut value = Value::Object(completed(&self.table, fields));
        for (table, name, in_list) in self.way.iter().rev() {
            let inner = match in_list {
                true => json!([value]),
                false => value,
            };
            value = Value::Object(completed(table, &[(*name, inner)]));
        }
        value
    }
}

/// These fields, and those that have to stand beside them.
fn completed(table: &Table, fields: &[(&str, Value)]) -> Map<String, Value> {
    let mut object = Map::new();
    let is_given = |name: &str| fields.iter().any(|(given, _)| *given == name);
    let needed = table
        .fields()
        .filter(|field| matches!(field.default, Absent::Refused));
    let mut add = |field: &Field| object.insert(field.name.to_owned(), sample(field));
    for field in needed {
        add(field);
    }
    for condition in &table.conditions {
        match condition {
            Condition::ExactlyOneOf(names) | Condition::SomeOf(names) => {
                if !names.iter().any(|name| is_given(name)) {
                    add(table.fields().find(|field| field.name == names[0]).unwrap());
                }
            }
            Condition::NotBoth(_, _) | Condition::Alone { .. } => {}
        }
    }
    for (name, value) in fields {
        object.insert((*name).to_owned(), value.clone());
    }
    object
}

/// Something that may stand in the field.
pub(crate) fn sample(field: &Field) -> Value {
    let default = match &field.default {
        Absent::Is(value) => Some(value),
        Absent::Nothing | Absent::Refused | Absent::Says(_) | Absent::Top => None,
    };
    let sample = field.examples.first().or(default);
    sample
        .cloned()
        .unwrap_or_else(|| panic!("`{}` has no example", field.name))
}
