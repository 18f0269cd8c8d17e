//! Cache groups: a list of strings (RFC 9875 sections 2 and 3).
//!
//! "Implementations MUST support at least 32 groups in a field value, with up to at least 32 characters in each member."
//! More are too many to be sure of, and the reader of the field decides what that means: a response must not be kept
//! without a group that it may be invalidated by, and an invalidation must not leave one out.

use super::Headers;
use super::structured::{self, Value};

/// How many groups a field can have.
pub const MAX_GROUPS: usize = 64;
/// How long a name can be, in bytes as they stand in the field.
const MAX_NAME_BYTES: usize = 256;

/// There are more groups, or longer ones, than are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// The groups that a field of this name lists: each name as it is meant, without quotes and escapes.
///
/// What is no list of strings has no members: "If parsing fails, either the entire field value MUST be ignored [...]"
/// (RFC 9651 section 4.2). Parameters are ignored (RFC 9875 section 2).
///
/// # Errors
/// [`TooMany`]
pub fn groups(headers: &Headers, name: &str) -> Result<Vec<Vec<u8>>, TooMany> {
    let Some(field) = structured::joined(headers, name) else {
        return Ok(Vec::new());
    };
    let mut groups = Vec::new();
    let mut is_too_much = false;
    for member in structured::list(&field) {
        let Ok(Value::String(inside)) = member else {
            return Ok(Vec::new());
        };
        if groups.len() < MAX_GROUPS && inside.len() <= MAX_NAME_BYTES {
            groups.push(structured::unescaped(inside));
        } else {
            is_too_much = true;
        }
    }
    if is_too_much {
        return Err(TooMany);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Vec<String>, TooMany> {
        let headers = lines.iter().map(|line| ("Cache-Groups", *line)).collect();
        let names = groups(&headers, "cache-groups")?;
        Ok(names
            .into_iter()
            .map(|name| String::from_utf8(name).unwrap())
            .collect())
    }

    #[test]
    fn a_list_of_strings() {
        let rows: [(&str, &[&str], &[&str]); 8] = [
            ("absent", &[], &[]),
            ("empty", &[""], &[]),
            ("one", &[r#""scripts""#], &["scripts"]),
            (
                "two lines",
                &[r#""a", "B""#, r#""c d""#],
                &["a", "B", "c d"],
            ),
            ("escapes", &[r#""a\"b\\c""#], &[r#"a"b\c"#]),
            ("parameters", &[r#""a";x=1"#], &["a"]),
            ("a token among them", &[r#""a", b"#], &[]),
            ("an error behind them", &[r#""a", "b"#], &[]),
        ];
        for (name, lines, expected) in rows {
            assert_eq!(read(lines).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_read() {
        let many =
            |count: usize, len: usize| vec![format!("\"{}\"", "x".repeat(len)); count].join(", ");
        assert_eq!(read(&[&many(32, 32)]).unwrap().len(), 32);
        assert_eq!(read(&[&many(64, 256)]).unwrap().len(), 64);
        assert_eq!(read(&[&many(65, 1)]), Err(TooMany));
        assert_eq!(read(&[&many(1, 257)]), Err(TooMany));
        assert_eq!(
            read(&[&format!("{}, x", many(65, 1))]),
            Ok(Vec::new()),
            "no list of strings, however long"
        );
    }
}
