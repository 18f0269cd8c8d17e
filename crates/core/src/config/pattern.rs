//! Small patterns: names with `*`, and templates with captures.

/// A pattern for names in which `*` stands for any bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

/// A text with `{name}` for a named capture of the rule's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);
