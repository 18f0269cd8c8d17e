//! From the path of a value to its place.

use larder_core::config::reading::{field_path, item_path};

use super::{Kind, Node, Place};

/// The place of every value of a document, by path as the core writes it.
#[derive(Debug)]
pub(crate) struct Places(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    path: String,
    name: Place,
    value: Place,
}

/// What of a field something is said about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// That it stands there, for the nth time (from 0 on).
    Name(usize),
    /// What its value is.
    Value,
}

impl Places {
    /// Those of this document.
    pub(crate) fn of(document: &Node) -> Self {
        let mut places = Self(Vec::new());
        places.add(document, String::new(), document.place);
        places
    }

    fn add(&mut self, node: &Node, path: String, name: Place) {
        match &node.kind {
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(item, item_path(&path, index), item.place);
                }
            }
            Kind::Object(fields) => {
                for field in fields {
                    self.add(&field.value, field_path(&path, &field.name), field.place);
                }
            }
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) => {}
        }
        let value = node.place;
        self.0.push(Entry { path, name, value });
    }

    /// The place of what stands at a path; of what is missing, that of the object it is missing in.
    pub(crate) fn find(&self, path: &str, part: Part) -> Place {
        let mut entries = self.0.iter().filter(|entry| entry.path == path);
        let found = match part {
            Part::Name(which) => entries.nth(which).map(|entry| entry.name),
            Part::Value => entries.next_back().map(|entry| entry.value),
        };
        found.unwrap_or_else(|| self.around(path))
    }

    fn around(&self, path: &str) -> Place {
        let around = self.0.iter().filter(|entry| {
            let rest = path.strip_prefix(&entry.path);
            entry.path.is_empty() || rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        let nearest = around.max_by_key(|entry| entry.path.len());
        nearest.map_or(Place::START, |entry| entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    #[test]
    fn a_path_leads_to_its_value_its_name_or_what_is_around_it() {
        let document = scan("{\"a\": [{\"b c\": 1, \"b c\": 2}],\n \"d\": {}}").unwrap();
        let places = Places::of(&document);
        let at = |path, part| {
            let place = places.find(path, part);
            (place.line, place.column)
        };
        assert_eq!(at("a[0][\"b c\"]", Part::Value), (1, 26));
        assert_eq!(at("a[0][\"b c\"]", Part::Name(0)), (1, 9));
        assert_eq!(at("a[0][\"b c\"]", Part::Name(1)), (1, 19));
        assert_eq!(at("d.name", Part::Value), (2, 7));
        assert_eq!(at("e", Part::Value), (1, 1));
        assert_eq!(at("", Part::Value), (1, 1));
    }
}
