//! What a script answers, read without trust: a store may hold what another version, or somebody else, has put there.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a reply may be is the client's to say; all but what is wanted is wrong"
)]

use bytes::Bytes;
use fred::types::Value;
use larder_core::fleet::{Cursor, InstanceId};

use crate::store::StoreError;

/// A list that is read from its beginning.
#[derive(Debug)]
pub(super) struct List(std::vec::IntoIter<Value>);

impl List {
    pub(super) fn of(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            other => Err(nonsense("a list", &other)),
        }
    }

    pub(super) fn next(&mut self) -> Result<Value, StoreError> {
        let missing = || StoreError::Corrupt("an answer is too short".to_owned());
        self.0.next().ok_or_else(missing)
    }

    pub(super) fn list(&mut self) -> Result<Self, StoreError> {
        Self::of(self.next()?)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, StoreError> {
        bytes(self.next()?)
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        text(self.next()?)
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        number(self.next()?)
    }

    /// The name of a log, or an instance.
    pub(super) fn hex(&mut self) -> Result<u64, StoreError> {
        hex(&self.text()?)
    }

    pub(super) fn instance(&mut self) -> Result<InstanceId, StoreError> {
        self.hex().map(InstanceId)
    }

    pub(super) fn check(&mut self) -> Result<u32, StoreError> {
        check(&self.text()?)
    }

    /// Log, position, check.
    pub(super) fn cursor(&mut self) -> Result<Cursor, StoreError> {
        Ok(Cursor {
            log: self.hex()?,
            position: self.number()?,
            check: self.check()?,
        })
    }

    /// The rest, each read by `read`.
    pub(super) fn rest<T>(
        self,
        read: impl Fn(Value) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.0.map(read).collect()
    }
}

/// Nothing is `None`.
pub(super) fn optional(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        value => Some(value),
    }
}

pub(super) fn bytes(value: Value) -> Result<Bytes, StoreError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::String(text) => Ok(text.into_inner()),
        other => Err(nonsense("bytes", &other)),
    }
}

pub(super) fn text(value: Value) -> Result<String, StoreError> {
    let bytes = bytes(value)?;
    let not_text = |_| StoreError::Corrupt("a text is not UTF-8".to_owned());
    String::from_utf8(bytes.to_vec()).map_err(not_text)
}

/// A number, or the digits of one.
pub(super) fn number(value: Value) -> Result<u64, StoreError> {
    match value {
        Value::Integer(number) => {
            u64::try_from(number).map_err(|_| nonsense("a number", &Value::Integer(number)))
        }
        other => {
            let digits = text(other)?;
            let wrong = |_| StoreError::Corrupt(format!("{digits:?} is not a number"));
            digits.parse().map_err(wrong)
        }
    }
}

pub(super) fn hex(text: &str) -> Result<u64, StoreError> {
    let wrong = |_| StoreError::Corrupt(format!("{text:?} is not a hexadecimal number"));
    u64::from_str_radix(text, 16).map_err(wrong)
}

pub(super) fn check(text: &str) -> Result<u32, StoreError> {
    let wrong = |_| StoreError::Corrupt(format!("{text:?} is not a check"));
    u32::from_str_radix(text, 16).map_err(wrong)
}

/// A position and a check, `<position>.<check>`, in `log`; nothing is `None`.
pub(super) fn place(log: u64, text: &str) -> Result<Option<Cursor>, StoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || StoreError::Corrupt(format!("{text:?} is not a place"));
    let (position, behind) = text.split_once('.').ok_or_else(wrong)?;
    Ok(Some(Cursor {
        log,
        position: position.parse().map_err(|_| wrong())?,
        check: check(behind)?,
    }))
}

/// A cursor as it is written; nothing is `None`.
pub(super) fn cursor(text: &str) -> Result<Option<Cursor>, StoreError> {
    match text.split_once('.') {
        None => Ok(None),
        Some((log, behind)) => place(hex(log)?, behind),
    }
}

fn nonsense(wanted: &str, found: &Value) -> StoreError {
    StoreError::Corrupt(format!("{wanted} was to come, not {:?}", found.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrupt<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
        assert!(
            matches!(outcome, Err(StoreError::Corrupt(_))),
            "{outcome:?}"
        );
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        corrupt(List::of(Value::Integer(1)));
        corrupt(List::of(Value::Array(vec![])).unwrap().next());
        corrupt(number(Value::Integer(-1)));
        corrupt(number(Value::from("1x")));
        corrupt(bytes(Value::Null));
        corrupt(text(Value::Bytes(Bytes::from_static(b"\xff"))));
        corrupt(hex("g"));
        corrupt(place(1, "12"));
        corrupt(place(1, "x.00000001"));
        corrupt(cursor("zz.1.00000001"));
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let written = Cursor {
            log: u64::MAX,
            position: 12,
            check: 7,
        };
        assert_eq!(cursor(&written.to_string()), Ok(Some(written)));
        assert_eq!(cursor(""), Ok(None));
        assert_eq!(number(Value::from("18446744073709551615")), Ok(u64::MAX));
    }
}
