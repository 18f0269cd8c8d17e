//! Kinds of values that stand in more than one place. The bounds are those of the reader, which a test compares.

use crate::model::{Field, Kind, List, Part, Table, Text, Unit, Whole};

/// One of something, and many.
type Noun = (&'static str, &'static str);

/// A token (RFC 9110 section 5.6.2).
pub(crate) const TOKEN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
/// The most elements of any list in a rule.
pub(crate) const MOST: usize = 64;
/// The longest name.
pub(crate) const LONGEST_NAME: usize = 128;
/// The longest value of a field.
pub(crate) const LONGEST_VALUE: usize = 1024;

const LONGEST_TIME: u64 = 1 << 31;

pub(crate) const fn whole(least: u64, most: u64) -> Kind {
    Kind::Whole(Whole {
        least,
        most,
        step: 1,
        unit: Unit::Other,
    })
}

pub(crate) const fn bytes(least: u64, most: u64) -> Kind {
    Kind::Whole(Whole {
        least,
        most,
        step: 1,
        unit: Unit::Bytes,
    })
}

/// A time in seconds that is not 0.
pub(crate) const fn lifetime() -> Kind {
    whole(1, LONGEST_TIME)
}

/// A time in seconds, or none.
pub(crate) const fn window() -> Kind {
    whole(0, LONGEST_TIME)
}

/// A status of a response.
pub(crate) const fn status(least: u64) -> Kind {
    whole(least, 599)
}

/// A text of any letters.
pub(crate) const fn text(noun: Noun, most: usize) -> Text {
    Text {
        noun,
        may_be_empty: false,
        most,
        pattern: None,
    }
}

/// A text that matches.
pub(crate) const fn formed(noun: Noun, most: usize, pattern: &'static str) -> Text {
    Text {
        noun,
        may_be_empty: false,
        most,
        pattern: Some(pattern),
    }
}

pub(crate) const FIELD_NAME: Text = formed(
    ("the name of a field", "names of fields"),
    LONGEST_NAME,
    TOKEN,
);
pub(crate) const COOKIE: Text = formed(
    ("the name of a cookie", "names of cookies"),
    LONGEST_NAME,
    TOKEN,
);
pub(crate) const METHOD: Text = formed(("a method", "methods"), LONGEST_NAME, TOKEN);
pub(crate) const VARIABLE: Text = formed(
    ("the name of a variable", "names of variables"),
    128,
    "^[0-9A-Za-z_]+$",
);
pub(crate) const CLUSTER: Text = text(("the name of a cluster", "names of clusters"), 255);

pub(crate) fn list(of: Kind, least: usize, most: usize) -> Kind {
    Kind::List(Box::new(List { of, least, most }))
}

/// A list of texts, as it may stand in a rule.
pub(crate) fn texts(text: Text, least: usize) -> Kind {
    list(Kind::Text(text), least, MOST)
}

pub(crate) const fn part(part: Part) -> Kind {
    Kind::Part(part)
}

pub(crate) fn object(name: &'static str, fields: Vec<Field>) -> Kind {
    Kind::Object(Table::new(name, fields))
}
