//! What a request asks for: path and query of `:path`, read only where they have one meaning.
//!
//! A cache that reads a path otherwise than the origin does can be made to keep one resource under the name of
//! another. So a path is brought to the form of RFC 3986 section 6.2.2 where the RFC says that nothing changes:
//!
//! > URIs that differ in the replacement of an unreserved character with its corresponding percent-encoded
//! > US-ASCII octet are equivalent (section 2.3).
//!
//! > For all URIs, the hexadecimal digits within a percent-encoding triplet (e.g., "%3a" versus "%3A") are
//! > case-insensitive and therefore should be normalized to use uppercase letters (section 6.2.2.1).
//!
//! and refused where origins are known to differ: dot segments in any spelling (behind `%2F`, before `;`), the
//! backslash, control bytes, bytes outside US-ASCII, broken escapes, fragments. Nothing is resolved, since resolving
//! is a guess. Empty segments, `%2F` and what stands behind a `;` stay as they are: they name other resources. But some
//! servers drop them, so what must not be cached is looked for under that reading too ([`Target::loose_path`]).
//!
//! The query is kept as it came; which of its parameters count, and how they are compared, is the rule's to say.

use std::borrow::Cow;

/// No target longer than this is read: every rule's pattern is tried on the path, and time is not the client's to
/// take. In bytes.
pub const MAX_TARGET_BYTES: usize = 8192;

/// An unambiguous path, and the query as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The normalised path and, behind `?`, the query.
    text: String,
    path_bytes: usize,
    spelling: Spelling,
}

/// How a path is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// No server reads it in another way: there is no escape in it, no parameter, no backslash, no empty segment and none
    /// that begins with a dot.
    Plain,
    /// It has to be looked at.
    Special,
}

/// Why a target is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// A backslash, plain or escaped.
    Backslash,
    /// A `%` without two hexadecimal digits in the path.
    BrokenEscape,
    /// A control byte or space, or an escaped control byte in the path.
    ControlByte,
    /// A segment that is `.` or `..` in any spelling.
    DotSegment,
    /// A `#`.
    Fragment,
    /// A byte outside US-ASCII.
    NotAscii,
    /// It does not begin with `/`.
    NotAPath,
    /// It is longer than [`MAX_TARGET_BYTES`].
    TooLong,
}

impl Target {
    /// Reads `:path`.
    pub fn parse(target: &[u8]) -> Result<Self, TargetError> {
        if target.len() > MAX_TARGET_BYTES {
            return Err(TargetError::TooLong);
        }
        for byte in target {
            match byte {
                0..=0x20 | 0x7f => return Err(TargetError::ControlByte),
                0x80.. => return Err(TargetError::NotAscii),
                b'#' => return Err(TargetError::Fragment),
                _ => {}
            }
        }
        let text = std::str::from_utf8(target).map_err(|_| TargetError::NotAscii)?;
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if !path.starts_with('/') {
            return Err(TargetError::NotAPath);
        }
        match Spelling::of(path) {
            Spelling::Plain => Ok(Self {
                text: text.to_owned(),
                path_bytes: path.len(),
                spelling: Spelling::Plain,
            }),
            Spelling::Special => Ok(Self::new(&parse_path(path)?, query)),
        }
    }

    /// What a write is about, however it is written; `None` for what begins with no `/`. Nothing is stored under a target that
    /// cannot be read, but the origin may read it, and what depends on it is over then: what no target has is escaped.
    pub fn of_write(target: &[u8]) -> Option<Self> {
        if let Ok(target) = Self::parse(target) {
            return Some(target);
        }
        let end = target.iter().position(|byte| *byte == b'#');
        let target = target.get(..end.unwrap_or(target.len()))?;
        let target = target.get(..MAX_TARGET_BYTES).unwrap_or(target);
        let mut text = String::with_capacity(target.len());
        for (at, byte) in target.iter().enumerate() {
            let is_escape = || {
                let digits = target.get(at.saturating_add(1)..at.saturating_add(3));
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            };
            match byte {
                b'%' if !is_escape() => text.push_str("%25"),
                0x21..=0x7e => text.push(char::from(*byte)),
                byte => {
                    let escaped = super::tag_name(std::slice::from_ref(byte));
                    text.extend(escaped.iter().copied().map(char::from));
                }
            }
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text.as_str(), None),
        };
        let path = normalize_percent(path).unwrap_or(Cow::Borrowed(path));
        path.starts_with('/').then(|| Self::new(&path, query))
    }

    /// All of it, as it is read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn new(path: &str, query: Option<&str>) -> Self {
        let (mark, query) = match query {
            Some(query) => ("?", query),
            None => ("", ""),
        };
        Self {
            text: [path, mark, query].concat(),
            path_bytes: path.len(),
            spelling: Spelling::of(path),
        }
    }

    /// The normalised path: US-ASCII without controls, beginning with `/`, without dot segments.
    pub fn path(&self) -> &str {
        self.text.get(..self.path_bytes).unwrap_or_default()
    }

    /// The path as servers read it that merge slashes, decode `%2F` and drop the parameters of segments; `None` where
    /// that is the same.
    pub fn loose_path(&self) -> Option<String> {
        let path = self.path();
        match self.spelling {
            Spelling::Plain => return None,
            Spelling::Special => {}
        }
        if !["//", "%2F", ";", "%3B"]
            .iter()
            .any(|sign| path.contains(sign))
        {
            return None;
        }
        let mut loose = String::with_capacity(path.len());
        for segment in path.split('/').flat_map(|part| part.split("%2F")) {
            let name = without_parameters(segment);
            if !name.is_empty() {
                loose.push('/');
                loose.push_str(name);
            }
        }
        if path.ends_with('/') || loose.is_empty() {
            loose.push('/');
        }
        Some(loose)
    }

    /// This target under its [`Target::loose_path`]; `None` where that is the same.
    pub fn loose(&self) -> Option<Self> {
        Some(Self::new(&self.loose_path()?, self.query()))
    }

    /// What stood behind the first `?`, as it came; `None` where there was none.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_bytes.saturating_add(1)..)
    }
}

impl Spelling {
    fn of(path: &str) -> Self {
        let mut before = 0;
        for byte in path.bytes() {
            match byte {
                b'%' | b';' | b'\\' => return Self::Special,
                b'.' | b'/' if before == b'/' => return Self::Special,
                _ => before = byte,
            }
        }
        Self::Plain
    }
}

fn parse_path(path: &str) -> Result<String, TargetError> {
    let path = normalize_percent(path).ok_or(TargetError::BrokenEscape)?;
    if path.contains('\\') || path.contains("%5C") {
        return Err(TargetError::Backslash);
    }
    if path.contains("%0") || path.contains("%1") || path.contains("%7F") {
        return Err(TargetError::ControlByte);
    }
    if path.split('/').flat_map(|s| s.split("%2F")).any(is_dots) {
        return Err(TargetError::DotSegment);
    }
    Ok(path.into_owned())
}

// Some servers take `..;x` for `..` with a parameter.
fn is_dots(segment: &str) -> bool {
    matches!(without_parameters(segment), "." | "..")
}

fn without_parameters(segment: &str) -> &str {
    let name = segment.split(';').next().unwrap_or_default();
    name.split("%3B").next().unwrap_or_default()
}

/// Decodes escaped unreserved characters and writes the other escapes in upper case; `None` when a `%` is not
/// followed by two hexadecimal digits.
pub fn normalize_percent(text: &str) -> Option<Cow<'_, str>> {
    let Some((plain, rest)) = text.split_once('%') else {
        return Some(Cow::Borrowed(text));
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(plain);
    for part in rest.split('%') {
        let (digits, tail) = part.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match u8::from_str_radix(digits, 16).ok()? {
            byte if is_unreserved(byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        out.push_str(tail);
    }
    Some(Cow::Owned(out))
}

// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_with_one_meaning_become_one() {
        for (name, text, path, query) in [
            ("plain", "/a/b", "/a/b", None),
            ("query", "/a?b=c?d", "/a", Some("b=c?d")),
            ("empty query", "/a?", "/a", Some("")),
            ("unreserved", "/%61%2D%7e%5F", "/a-~_", None),
            ("reserved, upper case", "/a%2fb%3a", "/a%2Fb%3A", None),
            ("escaped percent", "/%2561", "/%2561", None),
            ("empty segments", "//a//", "//a//", None),
            ("dots within names", "/a..b/.c/...", "/a..b/.c/...", None),
            ("query kept", "/?%61=%zz&..", "/", Some("%61=%zz&..")),
            ("escaped UTF-8", "/%c3%a4", "/%C3%A4", None),
        ] {
            let target = Target::parse(text.as_bytes()).unwrap();
            assert_eq!((target.path(), target.query()), (path, query), "{name}");
        }
    }

    #[test]
    fn what_some_servers_drop_is_dropped_in_the_loose_path() {
        for (text, loose) in [
            ("/a/b", None),
            ("/", None),
            ("/a//b", Some("/a/b")),
            ("//a///b//", Some("/a/b/")),
            ("/a%2fb", Some("/a/b")),
            ("/a;x=1/b;y", Some("/a/b")),
            ("/a%3bx/b", Some("/a/b")),
            ("/;x/a/", Some("/a/")),
            ("//", Some("/")),
            ("/;", Some("/")),
            ("/a?b;//", None),
        ] {
            let target = Target::parse(text.as_bytes()).unwrap();
            assert_eq!(target.loose_path().as_deref(), loose, "{text}");
        }
    }

    #[test]
    fn spellings_with_two_meanings_are_refused() {
        use TargetError::*;
        for (text, error) in [
            ("/a/../b", DotSegment),
            ("/.", DotSegment),
            ("/a/%2e%2E", DotSegment),
            ("/a/.%2e/b", DotSegment),
            ("/a%2f..%2fb", DotSegment),
            ("/a/..;x=1/b", DotSegment),
            ("/a/..%3bx/b", DotSegment),
            ("/a\\b", Backslash),
            ("/a%5cb", Backslash),
            ("/a\0", ControlByte),
            ("/a b", ControlByte),
            ("/a\x7f", ControlByte),
            ("/a%00", ControlByte),
            ("/a%1f", ControlByte),
            ("/a?b\n", ControlByte),
            ("/ä", NotAscii),
            ("/?ä", NotAscii),
            ("/a%", BrokenEscape),
            ("/a%4", BrokenEscape),
            ("/a%+1", BrokenEscape),
            ("/a%%41", BrokenEscape),
            ("/a#b", Fragment),
            ("/a?b#c", Fragment),
            ("", NotAPath),
            ("*", NotAPath),
            ("a/b", NotAPath),
            ("?a", NotAPath),
            ("http://example.com/a", NotAPath),
        ] {
            assert_eq!(Target::parse(text.as_bytes()), Err(error), "{text:?}");
        }
        assert_eq!(Target::parse(b"/\xff"), Err(NotAscii));
    }

    #[test]
    fn a_target_has_a_greatest_length() {
        let longest = format!("/{}", "a".repeat(MAX_TARGET_BYTES - 1));
        assert!(Target::parse(longest.as_bytes()).is_ok());
        let longer = format!("{longest}a");
        assert_eq!(Target::parse(longer.as_bytes()), Err(TargetError::TooLong));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_normal_form_is_its_own(text in "/[a-c./%0-9A-Fa-f;?&=]{0,20}") {
            if let Ok(target) = Target::parse(text.as_bytes()) {
                let again = Target::parse(target.path().as_bytes()).unwrap();
                prop_assert_eq!(again.path(), target.path());
            }
        }
    }
}
