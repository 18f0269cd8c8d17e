//! What a description of the configuration is made of.

use serde_json::Value;

/// An object whose fields are ours.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name among the definitions of the schema.
    pub name: &'static str,
    /// Its fields, in the order and the groups in which the page shows them.
    pub groups: Vec<Group>,
    /// What its fields have to do with each other.
    pub conditions: Vec<Condition>,
}

impl Table {
    /// One whose fields belong together.
    #[must_use]
    pub fn new(name: &'static str, fields: Vec<Field>) -> Self {
        Self {
            name,
            groups: vec![Group::new("", fields)],
            conditions: Vec::new(),
        }
    }

    /// The same with this condition too.
    #[must_use]
    pub fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.groups.iter().flat_map(|group| &group.fields)
    }
}

/// Fields that stand in one table of the page.
#[derive(Clone, Debug)]
pub struct Group {
    /// The mark in whose place they stand; none where they stand nowhere, or with the object that they are in.
    pub mark: &'static str,
    /// The fields.
    pub fields: Vec<Field>,
}

impl Group {
    /// Fields in the place of this mark.
    #[must_use]
    pub fn new(mark: &'static str, fields: Vec<Field>) -> Self {
        Self { mark, fields }
    }
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What may stand in it.
    pub kind: Kind,
    /// Whether `null` may, which says as much as nothing.
    pub nullable: bool,
    /// What holds where it is absent.
    pub default: Absent,
    /// What it does, in Markdown without links.
    pub about: &'static str,
    /// The section of the page that says more about it.
    pub section: Option<&'static str>,
    /// Values that somebody might want.
    pub examples: Vec<Value>,
}

impl Field {
    /// A field that need not be there.
    #[must_use]
    pub fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            nullable: false,
            default: Absent::Nothing,
            about,
            section: None,
            examples: Vec::new(),
        }
    }

    /// It has to be there.
    #[must_use]
    pub fn required(self) -> Self {
        self.absent(Absent::Refused)
    }

    /// What holds where it is absent.
    #[must_use]
    pub fn absent(mut self, default: Absent) -> Self {
        self.default = default;
        self
    }

    /// Where it is absent, it is as if this stood there.
    #[must_use]
    pub fn or(self, value: impl Into<Value>) -> Self {
        self.absent(Absent::Is(value.into()))
    }

    /// `null` may stand there too.
    #[must_use]
    pub fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The section with this anchor says more.
    #[must_use]
    pub fn see(mut self, anchor: &'static str) -> Self {
        self.section = Some(anchor);
        self
    }

    /// Somebody might want this.
    #[must_use]
    pub fn such_as(mut self, value: impl Into<Value>) -> Self {
        self.examples.push(value.into());
        self
    }

    /// The table of the object that may stand in it, or of those in its list.
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Object(table) => Some(table),
            Kind::List(list) => match &list.of {
                Kind::Object(table) => Some(table),
                Kind::Any
                | Kind::Flag
                | Kind::List(_)
                | Kind::OneOrMore(_)
                | Kind::Part(_)
                | Kind::Text(_)
                | Kind::Values
                | Kind::Whole(_)
                | Kind::Word(_) => None,
            },
            Kind::Any
            | Kind::Flag
            | Kind::OneOrMore(_)
            | Kind::Part(_)
            | Kind::Text(_)
            | Kind::Values
            | Kind::Whole(_)
            | Kind::Word(_) => None,
        }
    }
}

/// What holds where a field is absent.
#[derive(Clone, Debug)]
pub enum Absent {
    /// The same as where this stands.
    Is(Value),
    /// Nothing that would have a name.
    Nothing,
    /// The document is refused.
    Refused,
    /// What these words say.
    Says(&'static str),
    /// What is said at the top.
    Top,
}

/// What may stand in a field.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Any JSON.
    Any,
    /// True or false.
    Flag,
    /// A list.
    List(Box<List>),
    /// An object whose fields are ours.
    Object(Table),
    /// One, or a list of some.
    OneOrMore(Box<List>),
    /// A part of a whole.
    Part(Part),
    /// A text.
    Text(Text),
    /// Names of HTTP fields, and a value for each.
    Values,
    /// A whole number.
    Whole(Whole),
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A list.
#[derive(Clone, Debug)]
pub struct List {
    /// What stands in it.
    pub of: Kind,
    /// As many at least.
    pub least: usize,
    /// As many at most.
    pub most: usize,
}

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// At least this.
    pub least: u64,
    /// At most this.
    pub most: u64,
    /// A multiple of this.
    pub step: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What a number counts, where that changes how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else.
    Other,
}

/// A part of a whole, with three digits behind the point at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// From 0 to this.
    UpTo(f64),
    /// From 0 on, less than 1.
    Less,
    /// More than 0, less than 1.
    Between,
}

/// A text.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// What it is: one of them, and many.
    pub noun: (&'static str, &'static str),
    /// Whether it may be empty.
    pub may_be_empty: bool,
    /// So many bytes at most.
    pub most: usize,
    /// What all of it matches.
    pub pattern: Option<&'static str>,
}

/// What the fields of an object have to do with each other.
#[derive(Clone, Debug)]
pub enum Condition {
    /// One of these is there, and only one.
    ExactlyOneOf(&'static [&'static str]),
    /// One of these is there at least.
    SomeOf(&'static [&'static str]),
    /// Texts do not stand in both.
    NotBoth(&'static str, &'static str),
    /// Where a field is there, some others are not.
    Alone {
        /// The field.
        field: &'static str,
        /// With this value; none: with any.
        value: Option<bool>,
        /// The others.
        refused: Vec<&'static str>,
    },
}
