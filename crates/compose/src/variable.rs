//! Variables: `$(NAME)`, `$(NAME{key})`, `$(NAME|default)`.
//!
//! What they stand for comes from the client, so it is never read again: it is escaped for the place where it is written, and goes
//! into a buffer of its own, in which nobody looks for tags or variables.

mod value;

use crate::client::Client;
use crate::page::Failure;
use crate::sheet::{Parts, Place};
pub(crate) use value::Value;
use value::value;

/// A variable that is longer is text.
const MOST_BYTES: usize = 512;

/// A value that is longer is none.
const MOST_VALUE_BYTES: usize = 4096;

/// An address that is longer is none.
const MOST_ADDRESS_BYTES: usize = 8192;

/// A variable, as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable<'a> {
    name: &'a [u8],
    key: Option<&'a [u8]>,
    default: Option<&'a [u8]>,
}

/// What some text begins with.
#[derive(Debug)]
pub(crate) enum Read<'a> {
    /// A variable, of so many bytes.
    Is(usize, Variable<'a>),
    IsNot,
    /// That depends on what follows.
    Unknown,
}

/// Reads what may be a variable.
pub(crate) fn read(text: &[u8]) -> Read<'_> {
    let bounded = text.get(..MOST_BYTES).unwrap_or(text);
    let mut cursor = Cursor { rest: bounded };
    match cursor.variable() {
        Ok(variable) => Read::Is(bounded.len().saturating_sub(cursor.rest.len()), variable),
        Err(End::Reached) if bounded.len() < MOST_BYTES => Read::Unknown,
        Err(End::Reached | End::Malformed) => Read::IsNot,
    }
}

/// Why there is no variable.
enum End {
    /// So far there could be one.
    Reached,
    Malformed,
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn variable(&mut self) -> Result<Variable<'a>, End> {
        self.expect(b'$')?;
        self.expect(b'(')?;
        let name = self.take(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
        if name.is_empty() && !self.rest.is_empty() {
            return Err(End::Malformed);
        }
        let key = match self.peek()? {
            b'{' => {
                self.expect(b'{')?;
                let key = self.take(|byte| matches!(byte, b'{' | b'}' | b'$' | b'<' | b')'));
                self.expect(b'}')?;
                Some(key)
            }
            _ => None,
        };
        let default = match self.peek()? {
            b'|' => {
                self.expect(b'|')?;
                Some(self.default()?)
            }
            _ => None,
        };
        self.expect(b')')?;
        Ok(Variable { name, key, default })
    }

    fn default(&mut self) -> Result<&'a [u8], End> {
        if self.peek()? != b'\'' {
            return Ok(self.take(|byte| matches!(byte, b')' | b'$' | b'<' | b'(' | b'\'')));
        }
        self.expect(b'\'')?;
        let default = self.take(|byte| byte == b'\'');
        self.expect(b'\'')?;
        Ok(default)
    }

    fn peek(&self) -> Result<u8, End> {
        self.rest.first().copied().ok_or(End::Reached)
    }

    fn expect(&mut self, expected: u8) -> Result<(), End> {
        match self.rest.split_first() {
            None => Err(End::Reached),
            Some((byte, rest)) if *byte == expected => {
                self.rest = rest;
                Ok(())
            }
            Some(_) => Err(End::Malformed),
        }
    }

    fn take(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| ends(*byte));
        let end = end.unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

impl Variable<'_> {
    /// What it stands for; `None` where that is empty, or nothing.
    pub(crate) fn value(&self, client: &mut Client) -> Option<Value> {
        client.one_more_variable()?;
        let value = value((self.name, self.key), client)?;
        let is_some = !value.text.is_empty() && value.text.len() <= MOST_VALUE_BYTES;
        is_some.then_some(value)
    }

    /// What its author has put in the place of nothing.
    pub(crate) fn default(&self) -> &[u8] {
        self.default.unwrap_or_default()
    }

    /// Writes it onto the page: what comes from the client is text of HTML and nothing else.
    pub(crate) fn write_markup(&self, client: &mut Client, parts: &mut Parts, place: Place) {
        let start = parts.made.len();
        match self.value(client) {
            Some(value) => escape_markup(value.text.as_bytes(), &mut parts.made),
            None => parts.made.extend_from_slice(self.default()),
        }
        parts.made(place, start);
    }
}

fn escape_markup(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            byte => out.push(*byte),
        }
    }
}

/// An address with its variables replaced; `None` where there are none in it.
pub(crate) fn in_address(written: &[u8], client: &mut Client) -> Option<Result<Vec<u8>, Failure>> {
    let mut rest = written;
    let mut out = Vec::new();
    while let Some(at) = memchr::memchr(b'$', rest) {
        let (before, found) = rest.split_at(at.min(rest.len()));
        out.extend_from_slice(before);
        rest = match read(found) {
            Read::Is(length, variable) => {
                match variable.value(client) {
                    Some(value) => value.escape_address(&mut out),
                    None => out.extend_from_slice(variable.default()),
                }
                found.get(length..).unwrap_or_default()
            }
            Read::IsNot | Read::Unknown => {
                out.push(b'$');
                found.get(1..).unwrap_or_default()
            }
        };
        if out.len() > MOST_ADDRESS_BYTES {
            return Some(Err(Failure::Address));
        }
    }
    if rest.len() == written.len() {
        return None;
    }
    out.extend_from_slice(rest);
    Some(Ok(out))
}
