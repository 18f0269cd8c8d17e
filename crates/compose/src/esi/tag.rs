//! One tag: its name and its attributes, quoted or not, in any order.

use std::borrow::Cow;

/// A complete tag, without `<esi:` and `>`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a [u8],
    attributes: &'a [u8],
    /// Whether it ends in `/>`.
    pub(super) is_closed: bool,
}

impl<'a> Tag<'a> {
    pub(super) fn parse(inside: &'a [u8]) -> Self {
        let (inside, is_closed) = match inside.strip_suffix(b"/") {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let end = inside.iter().position(|byte| !is_name(*byte));
        let (name, attributes) = inside.split_at(end.unwrap_or(inside.len()).min(inside.len()));
        Self {
            name,
            attributes,
            is_closed,
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value of the first attribute of this name, with its character references resolved.
    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        let mut rest = self.attributes;
        while let Some((found, value)) = next_attribute(&mut rest) {
            if found.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(resolved(value));
            }
        }
        None
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':')
}

fn next_attribute<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    *rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return None;
    }
    let name = take(rest, |byte| byte == b'=' || byte.is_ascii_whitespace());
    *rest = rest.trim_ascii_start();
    let Some(behind) = rest.strip_prefix(b"=") else {
        return Some((name, b""));
    };
    *rest = behind.trim_ascii_start();
    let Some(quote) = rest
        .first()
        .copied()
        .filter(|byte| matches!(byte, b'"' | b'\''))
    else {
        return Some((name, take(rest, |byte| byte.is_ascii_whitespace())));
    };
    *rest = rest.get(1..).unwrap_or_default();
    let value = take(rest, |byte| byte == quote);
    *rest = rest.get(1..).unwrap_or_default();
    Some((name, value))
}

/// What stands before the first byte that ends it, or all.
fn take<'a>(rest: &mut &'a [u8], ends: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|byte| ends(*byte));
    let (taken, behind) = rest.split_at(end.unwrap_or(rest.len()).min(rest.len()));
    *rest = behind;
    taken
}

/// The references that XML has. An ampersand before anything else is one: many write addresses without escaping it.
fn resolved(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'&') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let semicolon = behind.iter().take(10).position(|byte| *byte == b';');
        let character = match (byte, semicolon) {
            (b'&', Some(end)) => reference(behind.get(..end).unwrap_or_default()).zip(Some(end)),
            (_, _) => None,
        };
        match character {
            Some((character, end)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = behind.get(end.saturating_add(1)..).unwrap_or_default();
            }
            None => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

fn reference(name: &[u8]) -> Option<char> {
    let digits = |digits: &[u8], base| {
        let digits = std::str::from_utf8(digits).ok()?;
        let is_digit = |byte: u8| char::from(byte).is_digit(base);
        let number = digits.bytes().all(is_digit).then_some(digits)?;
        char::from_u32(u32::from_str_radix(number, base).ok()?)
    };
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', hex @ ..] => digits(hex, 16),
        [b'#', decimal @ ..] => digits(decimal, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tag: &str, name: &str) -> Option<String> {
        let value = Tag::parse(tag.as_bytes()).attribute(name)?.into_owned();
        Some(String::from_utf8(value).unwrap())
    }

    #[test]
    fn attributes_are_found_however_they_are_written() {
        for (tag, value) in [
            (r#"include src="/a""#, "/a"),
            ("include src='/a'/", "/a"),
            ("include\n\tsrc = \"/a\" /", "/a"),
            ("include src=/a", "/a"),
            ("include src=/a/", "/a"),
            ("include SRC=\"/a\"", "/a"),
            (r#"include alt="src='/b'" src="/a""#, "/a"),
            (r#"include src="/a" src="/b""#, "/a"),
            (r#"include x src="/a"#, "/a"),
            (r#"include ttl="3"src="/a""#, "/a"),
            (
                r#"include src="/a?b=1&amp;c=2&d=3&#x26;&#38;""#,
                "/a?b=1&c=2&d=3&&",
            ),
            (
                r#"include src="&lt;&gt;&quot;&apos;&copy;&amp""#,
                "<>\"'&copy;&amp",
            ),
            (
                r#"include src="&#xd800;&#99999999;&#;&#x;""#,
                "&#xd800;&#99999999;&#;&#x;",
            ),
        ] {
            assert_eq!(of(tag, "src").as_deref(), Some(value), "{tag}");
        }
        for tag in [
            "include",
            "include/",
            "include src2='/a'",
            "include x='src=/a'",
        ] {
            assert_eq!(of(tag, "src"), None, "{tag}");
        }
    }

    #[test]
    fn a_tag_has_a_name_and_may_be_closed() {
        let tag = Tag::parse(b"Include src='/a'/");
        assert!(tag.is("include") && tag.is_closed);
        assert!(!Tag::parse(b"include src='/a/'").is_closed);
        assert!(Tag::parse(b"").name.is_empty());
    }
}
