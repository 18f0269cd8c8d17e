//! What is wrong with a configuration, and where.

use std::cell::Cell;
use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The JSON path of the value, such as `rules[2].match.path`; empty for the document as a whole.
    pub path: String,
    /// What is wrong, for people.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path.as_str() {
            "" => "configuration",
            path => path,
        };
        write!(out, "{path}: {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The problems found so far. Shared by all that read one document, so that reading goes on after each.
#[derive(Default)]
pub(super) struct Problems(Cell<Vec<ConfigError>>);

impl Problems {
    pub(super) fn add(&self, path: impl Into<String>, problem: impl Into<String>) {
        let mut found = self.0.take();
        found.push(ConfigError {
            path: path.into(),
            problem: problem.into(),
        });
        self.0.set(found);
    }

    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.0.into_inner()
    }
}

/// The path of a field of the object at `path`.
pub fn field_path(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !plain {
        return format!("{path}[\"{}\"]", excerpt(name).escape_default());
    }
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

/// The path of an element of the array at `path`.
pub fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The beginning of a text of any length.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_behind_its_path() {
        let problems = Problems::default();
        problems.add(field_path(&item_path("rules", 2), "name"), "is missing");
        problems.add("", "must be an object");
        let shown: Vec<_> = problems
            .into_errors()
            .iter()
            .map(|e| e.to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "rules[2].name: is missing",
                "configuration: must be an object"
            ]
        );
    }

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(field_path("headers", "x-a"), "headers.x-a");
        assert_eq!(field_path("headers", "a.b\n"), "headers[\"a.b\\n\"]");
        assert_eq!(field_path("", ""), "[\"\"]");
        assert_eq!(excerpt(&"ä".repeat(100)).chars().count(), 61);
    }
}
