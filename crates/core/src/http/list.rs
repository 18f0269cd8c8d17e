//! Comma-separated lists, as one field line or several.
//!
//! "A recipient MAY combine multiple field lines within a field section that have the same field name into one field
//! line, without changing the semantics of the message, by appending each subsequent field line value to the initial
//! field line value in order, separated by a comma" (RFC 9110 section 5.3). Hosts do, with a bare comma, so the
//! elements of all lines are one sequence.
//!
//! Quoted strings are respected: a comma within one separates nothing.
//!
//! A quote opens a string only where the grammar lets one begin: at the start of an element or behind `=`. Anywhere
//! else it is a byte like others, so that a stray quote cannot hide the `no-store` behind it. A string that never
//! ends takes the rest of its line with it; what it hides is unknown, so its element says that it is unterminated and
//! the reader decides on which side to err.
//!
//! Total: any bytes give a sequence, in time linear to their number, without an allocation. Entity tags are lists of
//! another grammar (a backslash escapes nothing in them); they are read by [`super::EntityTag`].

/// One element of a list, without the white space around it; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// Its quotes are balanced.
    Complete(&'a [u8]),
    /// It holds a quoted string that the line ends in.
    Unterminated(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The bytes of the element.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Complete(bytes) | Self::Unterminated(bytes) => bytes,
        }
    }
}

/// The elements of all `lines`, in order.
pub fn elements<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Element<'a>> {
    lines.into_iter().flat_map(|line| Line { rest: line })
}

struct Line<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Line<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while !self.rest.is_empty() {
            let (element, rest) = cut(self.rest);
            self.rest = rest;
            // "A recipient MUST parse and ignore a reasonable number of empty list elements" RFC 9110 section 5.6.1.2.
            if !element.bytes().is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Where in an element a byte stands.
#[derive(Clone, Copy)]
enum Place {
    /// Where a quoted string may begin.
    Opening,
    Plain,
    Quoted,
    /// Behind a backslash in a quoted string.
    Escaped,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Opening, b'"') => Self::Quoted,
            (Self::Opening, b' ' | b'\t') | (Self::Opening | Self::Plain, b'=') => Self::Opening,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Opening | Self::Plain, _) | (Self::Quoted, b'"') => Self::Plain,
            (Self::Quoted | Self::Escaped, _) => Self::Quoted,
        }
    }

    fn is_quoted(self) -> bool {
        match self {
            Self::Opening | Self::Plain => false,
            Self::Quoted | Self::Escaped => true,
        }
    }
}

/// Cuts a line behind its first element, and drops the comma.
fn cut(line: &[u8]) -> (Element<'_>, &[u8]) {
    let mut place = Place::Opening;
    let comma = line.iter().position(|&byte| {
        let separates = byte == b',' && !place.is_quoted();
        place = place.after(byte);
        separates
    });
    let end = comma.unwrap_or(line.len());
    let bytes = trim(line.get(..end).unwrap_or_default());
    let rest = line.get(end.saturating_add(1)..).unwrap_or_default();
    match comma {
        None if place.is_quoted() => (Element::Unterminated(bytes), rest),
        None | Some(_) => (Element::Complete(bytes), rest),
    }
}

/// Without the optional white space around it: space and tab, nothing else (RFC 9110 section 5.6.3).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(is_text).unwrap_or(start);
    bytes.get(start..=end).unwrap_or_default()
}

/// A name with an argument, `name[=token|quoted-string]`: the form of a cache directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name, in the case in which it came.
    pub name: &'a [u8],
    /// What stands behind the `=`.
    pub argument: Argument<'a>,
}

/// What stands behind the `=` of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// There is no `=`.
    Absent,
    /// Neither a token nor a quoted string, or white space stands beside the `=`.
    Malformed,
    /// The inside of a quoted string, escapes and all.
    Quoted(&'a [u8]),
    /// A token.
    Token(&'a [u8]),
}

impl<'a> Parameter<'a> {
    /// Reads an element. The name is found even where the rest makes no sense, so that a restriction is not missed.
    pub fn parse(element: Element<'a>) -> Self {
        let bytes = element.bytes();
        let Some(equals) = bytes.iter().position(|&byte| byte == b'=') else {
            return Self {
                name: bytes,
                argument: Argument::Absent,
            };
        };
        let before = bytes.get(..equals).unwrap_or_default();
        let behind = bytes.get(equals.saturating_add(1)..).unwrap_or_default();
        let name = trim(before);
        let argument = match element {
            Element::Complete(_) if name.len() == before.len() => Argument::parse(behind),
            Element::Complete(_) | Element::Unterminated(_) => Argument::Malformed,
        };
        Self { name, argument }
    }

    /// Whether this is its name; "to be compared case-insensitively" (RFC 9111 section 5.2).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl<'a> Argument<'a> {
    fn parse(bytes: &'a [u8]) -> Self {
        if !bytes.is_empty() && bytes.iter().copied().all(is_token_byte) {
            return Self::Token(bytes);
        }
        match bytes.strip_prefix(b"\"") {
            Some(behind)
                if string_end(behind).is_some_and(|end| end.saturating_add(1) == behind.len()) =>
            {
                Self::Quoted(behind.strip_suffix(b"\"").unwrap_or(behind))
            }
            Some(_) | None => Self::Malformed,
        }
    }

    /// The value without quotes and escapes; `None` where there is none, or none that can be read.
    pub fn value(self) -> Option<impl Iterator<Item = u8> + 'a> {
        let (raw, mut escape) = match self {
            Self::Absent | Self::Malformed => return None,
            Self::Quoted(raw) => (raw, Some(b'\\')),
            Self::Token(raw) => (raw, None), // a token holds no backslash
        };
        let introduces = escape;
        Some(raw.iter().copied().filter(move |&byte| {
            let kept = escape != Some(byte);
            escape = if kept { introduces } else { None };
            kept
        }))
    }
}

/// The place of the quote that ends a string whose opening quote is already gone.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut place = Place::Quoted;
    bytes.iter().position(|&byte| {
        place = place.after(byte);
        !place.is_quoted()
    })
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
        )
}

/// Whether the bytes can stand in one line: there is no CR, LF or NUL in them (RFC 9110 section 5.5). Eight are looked at
/// in one step, since all that is stored passes here on its way out.
pub(crate) fn is_one_line(bytes: &[u8]) -> bool {
    let breaks = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n');
    let (words, rest) = bytes.as_chunks::<8>();
    let broken =
        |word: &[u8; 8]| has_byte_below_14(u64::from_le_bytes(*word)) && word.iter().any(breaks);
    !words.iter().any(broken) && !rest.iter().any(breaks)
}

/// As in "Bit Twiddling Hacks", "Determine if a word has a byte less than n": what it borrows is set in the highest bit
/// of a byte that had none.
fn has_byte_below_14(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    word.wrapping_sub(EACH * 14) & !word & (EACH * 0x80) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_bytes_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let listed = b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(
                is_token_byte(byte),
                byte.is_ascii_alphanumeric() || listed,
                "{byte}"
            );
        }
    }

    #[test]
    fn a_break_is_found_wherever_it_stands() {
        for len in 0..20 {
            for byte in 0..=u8::MAX {
                for around in [0x0e, b'a', 0x7f, 0x80, 0xff] {
                    for at in 0..len {
                        let mut bytes = vec![around; len];
                        bytes[at] = byte;
                        let breaks = matches!(byte, 0 | b'\r' | b'\n');
                        assert_eq!(is_one_line(&bytes), !breaks, "{bytes:?}");
                    }
                }
            }
        }
    }

    fn texts<'a>(lines: &[&'a str]) -> Vec<&'a str> {
        elements(lines.iter().map(|line| line.as_bytes()))
            .map(|element| std::str::from_utf8(element.bytes()).unwrap())
            .collect()
    }

    #[test]
    fn lines_are_one_list() {
        #[rustfmt::skip]
        let rows: [(&str, &[&str], &[&str]); 9] = [
            ("nothing", &[], &[]),
            ("one", &["a"], &["a"]),
            ("white space", &[" a\t, b "], &["a", "b"]),
            ("joined with a bare comma", &["a,b"], &["a", "b"]),
            ("empty elements", &[",, a ,,\t,b,"], &["a", "b"]),
            ("several lines", &["a, b", "", "c"], &["a", "b", "c"]),
            ("a quoted comma", &["a=\"b, c\", d"], &["a=\"b, c\"", "d"]),
            ("an escaped quote", &[r#"a="b\", c", d"#], &[r#"a="b\", c""#, "d"]),
            ("a stray quote hides nothing", &["a\"b, no-store"], &["a\"b", "no-store"]),
        ];
        for (name, lines, expected) in rows {
            assert_eq!(texts(lines), expected, "{name}");
        }
    }

    #[test]
    fn a_string_that_never_ends_takes_its_line_and_no_other() {
        let lines = [&b"a, b=\"c, d"[..], b"e"];
        assert_eq!(
            elements(lines).collect::<Vec<_>>(),
            [
                Element::Complete(b"a"),
                Element::Unterminated(b"b=\"c, d"),
                Element::Complete(b"e"),
            ]
        );
    }

    #[test]
    fn a_parameter_has_a_name_and_perhaps_an_argument() {
        use Argument::{Absent, Malformed, Quoted, Token};
        let rows: [(&str, &str, Argument<'_>); 11] = [
            ("public", "public", Absent),
            ("max-age=60", "max-age", Token(b"60")),
            ("max-age=\"60\"", "max-age", Quoted(b"60")),
            ("a=\"b\\\"\"", "a", Quoted(b"b\\\"")),
            ("a=\"\"", "a", Quoted(b"")),
            ("a=", "a", Malformed),
            ("a=6 0", "a", Malformed),
            ("a =60", "a", Malformed),
            ("a= 60", "a", Malformed),
            ("a=\"b\"c", "a", Malformed),
            ("\"=\"", "\"", Malformed),
        ];
        for (text, name, argument) in rows {
            let expected = Parameter {
                name: name.as_bytes(),
                argument,
            };
            let parsed = Parameter::parse(Element::Complete(text.as_bytes()));
            assert_eq!(parsed, expected, "{text}");
        }
        let endless = Parameter::parse(Element::Unterminated(b"private=\"a, b"));
        assert!(endless.is("Private"));
        assert_eq!(endless.argument, Malformed);
    }

    #[test]
    fn escapes_are_undone_in_quoted_values_only() {
        let value = |argument: Argument<'_>| argument.value().map(Iterator::collect::<Vec<u8>>);
        assert_eq!(value(Argument::Quoted(br"a\\b\")), Some(br"a\b".to_vec()));
        assert_eq!(value(Argument::Token(b"60")), Some(b"60".to_vec()));
        assert_eq!(value(Argument::Absent), None);
    }
}
