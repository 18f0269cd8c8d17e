//! Structured fields: lists and dictionaries with one strict grammar (RFC 9651).
//!
//! ```text
//! dictionary = member *( OWS "," OWS member )       member = key [ "=" ( item / inner-list ) ] / key parameters
//! list       = value  *( OWS "," OWS value )        value  = item / inner-list
//! item       = ( integer / decimal / string / token / bytes / boolean / date / display-string ) parameters
//! ```
//!
//! Unlike with the older lists of [`super::list`], nothing is guessed: "When a receiving implementation parses HTTP
//! fields that are known to be Structured Fields, it is important that care be taken, as there are a number of edge
//! cases that can cause interoperability or even security problems. [...] If parsing fails, either the entire field value
//! MUST be ignored (i.e., treated as if the field were not present in the section), or alternatively the complete HTTP
//! message MUST be treated as malformed" (section 4.2). So a reader takes in the members one by one, and throws all of
//! them away when one is an error.
//!
//! Every type is checked to the last byte, but only what is read somewhere has a value; parameters are checked and
//! dropped. An inner list is checked when it is met, and gives its items out when asked ([`InnerList::items`]). A key that stands twice is given out twice: the reader lets the later one win, as section 4.2.2 says.
//! Total, linear in the number of bytes, and without an allocation for a field of one line.

use std::borrow::Cow;

use super::Headers;
use super::list::is_token_byte;

/// What a member of a list or a dictionary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `?0` or `?1`; also a dictionary's key without a value, which means true.
    Boolean(bool),
    /// Items in parentheses.
    InnerList(InnerList<'a>),
    /// A whole number, of at most 15 digits.
    Integer(i64),
    /// A byte sequence, a date, a decimal or a display string.
    Other,
    /// The inside of a quoted string, escapes and all.
    String(&'a [u8]),
    /// A token.
    Token(&'a [u8]),
}

/// Items in parentheses, which are known to follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerList<'a> {
    /// From behind the opening parenthesis to the closing one, and with it.
    items: &'a [u8],
}

impl<'a> InnerList<'a> {
    /// The items, without their parameters.
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let mut cursor = Cursor { rest: self.items };
        std::iter::from_fn(move || cursor.inner_item().ok().flatten())
    }
}

/// The field is no structured field: all of it is to be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// The value of a field: its lines joined with commas, as section 4.2 asks; `None` where there is no line.
pub fn joined<'a>(headers: &'a Headers, name: &'a str) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.all(name);
    let first = Cow::Borrowed(lines.next()?);
    Some(lines.fold(first, |mut all, line| {
        all.to_mut().extend_from_slice(b", ");
        all.to_mut().extend_from_slice(line);
        all
    }))
}

/// What the inside of a quoted string stands for.
pub fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut bytes = raw.iter().copied();
    std::iter::from_fn(|| match bytes.next() {
        Some(b'\\') => bytes.next(),
        byte => byte,
    })
    .collect()
}

/// The members of a dictionary, each a key and a value; ends behind the first error.
pub fn dictionary(field: &[u8]) -> impl Iterator<Item = Result<(&[u8], Value<'_>), Invalid>> {
    members(field, |cursor| {
        let key = cursor.key()?;
        let value = if cursor.eat(b'=') {
            cursor.value()?
        } else {
            cursor.parameters()?;
            Value::Boolean(true)
        };
        Ok((key, value))
    })
}

/// The members of a list; ends behind the first error.
pub fn list(field: &[u8]) -> impl Iterator<Item = Result<Value<'_>, Invalid>> {
    members(field, Cursor::value)
}

fn members<'a, T>(
    field: &'a [u8],
    read: impl Fn(&mut Cursor<'a>) -> Result<T, Invalid>,
) -> impl Iterator<Item = Result<T, Invalid>> {
    let mut cursor = Cursor { rest: field };
    cursor.skip(|byte| byte == b' ');
    std::iter::from_fn(move || {
        if cursor.rest.is_empty() {
            return None;
        }
        let member = read(&mut cursor).and_then(|member| cursor.separator().map(|()| member));
        if member.is_err() {
            cursor.rest = &[];
        }
        Some(member)
    })
}

/// What is left of a field.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Invalid> {
        self.eat(byte).then_some(()).ok_or(Invalid)
    }

    fn next(&mut self) -> Result<u8, Invalid> {
        let (first, rest) = self.rest.split_first().ok_or(Invalid)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !is_part(byte));
        let end = end.unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        taken
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        self.take(is_part);
    }

    /// What stands behind a member: the end, or a comma and another member.
    fn separator(&mut self) -> Result<(), Invalid> {
        let is_space = |byte| matches!(byte, b' ' | b'\t');
        self.skip(is_space);
        if self.rest.is_empty() {
            return Ok(());
        }
        self.expect(b',')?;
        self.skip(is_space);
        // "there is a trailing comma; fail parsing" (section 4.2.2).
        if self.rest.is_empty() {
            return Err(Invalid);
        }
        Ok(())
    }

    fn key(&mut self) -> Result<&'a [u8], Invalid> {
        match self.peek() {
            Some(b'a'..=b'z' | b'*') => Ok(self.take(
                |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'),
            )),
            Some(_) | None => Err(Invalid),
        }
    }

    fn value(&mut self) -> Result<Value<'a>, Invalid> {
        let value = if self.eat(b'(') {
            Value::InnerList(self.inner_list()?)
        } else {
            self.bare_item()?
        };
        self.parameters()?;
        Ok(value)
    }

    fn inner_list(&mut self) -> Result<InnerList<'a>, Invalid> {
        let all = self.rest;
        while self.inner_item()?.is_some() {}
        let len = all.len().saturating_sub(self.rest.len());
        let items = all.get(..len).unwrap_or_default();
        Ok(InnerList { items })
    }

    /// The next item, or none behind the closing parenthesis.
    fn inner_item(&mut self) -> Result<Option<Value<'a>>, Invalid> {
        self.skip(|byte| byte == b' ');
        if self.eat(b')') {
            return Ok(None);
        }
        let item = self.bare_item()?;
        self.parameters()?;
        match self.peek() {
            Some(b' ' | b')') => Ok(Some(item)),
            Some(_) | None => Err(Invalid),
        }
    }

    fn parameters(&mut self) -> Result<(), Invalid> {
        while self.eat(b';') {
            self.skip(|byte| byte == b' ');
            self.key()?;
            if self.eat(b'=') {
                self.bare_item()?;
            }
        }
        Ok(())
    }

    fn bare_item(&mut self) -> Result<Value<'a>, Invalid> {
        match self.peek().ok_or(Invalid)? {
            b'-' | b'0'..=b'9' => self.number(),
            b'A'..=b'Z' | b'a'..=b'z' | b'*' => {
                Ok(Value::Token(self.take(|byte| {
                    is_token_byte(byte) || matches!(byte, b':' | b'/')
                })))
            }
            b'"' => self.string(),
            b'%' => self.display_string(),
            b':' => self.bytes(),
            b'?' => self.boolean(),
            b'@' => self.date(),
            _ => Err(Invalid),
        }
    }

    fn number(&mut self) -> Result<Value<'a>, Invalid> {
        let is_negative = self.eat(b'-');
        let whole = self.take(|byte| byte.is_ascii_digit());
        if self.eat(b'.') {
            let fraction = self.take(|byte| byte.is_ascii_digit());
            let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
            return fits.then_some(Value::Other).ok_or(Invalid);
        }
        if !(1..=15).contains(&whole.len()) {
            return Err(Invalid);
        }
        let magnitude = whole.iter().fold(0_i64, |sum, digit| {
            let digit = i64::from(digit.saturating_sub(b'0'));
            sum.saturating_mul(10).saturating_add(digit)
        });
        let sign = if is_negative { -1 } else { 1 };
        Ok(Value::Integer(magnitude.saturating_mul(sign)))
    }

    fn string(&mut self) -> Result<Value<'a>, Invalid> {
        self.expect(b'"')?;
        let all = self.rest;
        loop {
            self.skip(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte));
            match self.next()? {
                b'"' => break,
                b'\\' if matches!(self.next()?, b'"' | b'\\') => {}
                _ => return Err(Invalid),
            }
        }
        let len = all.len().saturating_sub(self.rest.len());
        let inside = all.get(..len.saturating_sub(1)).unwrap_or_default();
        Ok(Value::String(inside))
    }

    fn boolean(&mut self) -> Result<Value<'a>, Invalid> {
        self.expect(b'?')?;
        match self.next()? {
            b'0' => Ok(Value::Boolean(false)),
            b'1' => Ok(Value::Boolean(true)),
            _ => Err(Invalid),
        }
    }

    /// A whole number of seconds.
    fn date(&mut self) -> Result<Value<'a>, Invalid> {
        self.expect(b'@')?;
        match self.number()? {
            Value::Integer(_) => Ok(Value::Other),
            Value::Boolean(_)
            | Value::InnerList(_)
            | Value::Other
            | Value::String(_)
            | Value::Token(_) => Err(Invalid),
        }
    }

    /// Base64 between colons; "parsers SHOULD NOT fail when "=" padding is not present" (section 4.2.7).
    fn bytes(&mut self) -> Result<Value<'a>, Invalid> {
        self.expect(b':')?;
        let digits = self.take(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        let padding = self.take(|byte| byte == b'=');
        self.expect(b':')?;
        // One digit is six bits, which are no byte.
        let is_base64 = digits.len() % 4 != 1 && padding.len() <= 2;
        is_base64.then_some(Value::Other).ok_or(Invalid)
    }

    fn display_string(&mut self) -> Result<Value<'a>, Invalid> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        let mut decoded = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'%' => {
                    let high = lower_hex(self.next()?)?;
                    let low = lower_hex(self.next()?)?;
                    decoded.push(high.wrapping_shl(4) | low);
                }
                byte @ b' '..=b'~' => decoded.push(byte),
                _ => return Err(Invalid),
            }
        }
        let is_text = std::str::from_utf8(&decoded).is_ok();
        is_text.then_some(Value::Other).ok_or(Invalid)
    }
}

fn lower_hex(digit: u8) -> Result<u8, Invalid> {
    match digit {
        b'0'..=b'9' => Ok(digit.saturating_sub(b'0')),
        b'a'..=b'f' => Ok(digit.saturating_sub(b'a').saturating_add(10)),
        _ => Err(Invalid),
    }
}

#[cfg(test)]
mod tests;
