//! Comma-separated lists, and the parameters that are their elements.

use larder_core::http::list::{Argument, Element, Parameter, elements};

use super::{is_token, trim};

/// The elements of a line, and whether their strings end.
pub(super) fn split(line: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let mut found = Vec::new();
    let (mut word, mut in_string, mut at) = (Vec::new(), false, 0);
    while at < line.len() {
        let byte = line[at];
        let before = trim(&word);
        if byte == b',' && !in_string {
            found.push((std::mem::take(&mut word), true));
        } else {
            word.push(byte);
            if in_string && byte == b'\\' && at + 1 < line.len() {
                at += 1;
                word.push(line[at]);
            } else if in_string && byte == b'"' {
                in_string = false;
            } else if byte == b'"' && (before.is_empty() || before.ends_with(b"=")) {
                in_string = true;
            }
        }
        at += 1;
    }
    found.push((word, !in_string));
    let trimmed = found.into_iter().map(|(word, ends)| (trim(&word), ends));
    trimmed.filter(|(word, _)| !word.is_empty()).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    Nothing,
    Nonsense,
    Quoted(Vec<u8>),
    Token(Vec<u8>),
}

impl Behind {
    /// The value without its quotes and escapes.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Nothing | Self::Nonsense => None,
            Self::Token(token) => Some(token.clone()),
            Self::Quoted(raw) => {
                let mut raw = raw.iter();
                let mut value = Vec::new();
                while let Some(byte) = raw.next() {
                    value.push(if *byte == b'\\' { *raw.next()? } else { *byte });
                }
                Some(value)
            }
        }
    }
}

/// The name of an element in lower case, and what stands behind its `=`.
pub(super) fn parameter(element: &[u8], ends: bool) -> (Vec<u8>, Behind) {
    let Some(equals) = element.iter().position(|byte| *byte == b'=') else {
        return (element.to_ascii_lowercase(), Behind::Nothing);
    };
    let (before, behind) = (&element[..equals], &element[equals + 1..]);
    let name = trim(before);
    let argument = if !ends || name != before {
        Behind::Nonsense
    } else if is_token(behind) {
        Behind::Token(behind.to_vec())
    } else if let Some(inside) = inside_of_string(behind) {
        Behind::Quoted(inside)
    } else {
        Behind::Nonsense
    };
    (name.to_ascii_lowercase(), argument)
}

/// The inside of what is one string from its first byte to its last.
fn inside_of_string(bytes: &[u8]) -> Option<Vec<u8>> {
    let inside = bytes.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut rest = inside.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return None,
            b'\\' => {
                rest.next()?;
            }
            _ => {}
        }
    }
    Some(inside.to_vec())
}

pub(super) fn check(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let expected: Vec<_> = lines.iter().flat_map(|line| split(line)).collect();
    let found: Vec<_> = elements(lines.iter().copied()).collect();
    let plain = |element: &Element<'_>| match element {
        Element::Complete(bytes) => (bytes.to_vec(), true),
        Element::Unterminated(bytes) => (bytes.to_vec(), false),
    };
    assert_eq!(found.iter().map(plain).collect::<Vec<_>>(), expected);
    for (element, (bytes, ends)) in found.into_iter().zip(expected) {
        let read = Parameter::parse(element);
        let argument = match read.argument {
            Argument::Absent => Behind::Nothing,
            Argument::Malformed => Behind::Nonsense,
            Argument::Quoted(raw) => Behind::Quoted(raw.to_vec()),
            Argument::Token(token) => Behind::Token(token.to_vec()),
        };
        let value = read.argument.value().map(Iterator::collect);
        let (name, expected) = parameter(&bytes, ends);
        assert_eq!(
            (read.name.to_ascii_lowercase(), &argument),
            (name, &expected)
        );
        assert_eq!(value, expected.value());
    }
}
