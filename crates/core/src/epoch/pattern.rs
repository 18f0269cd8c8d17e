//! Patterns over the names of keys ([`crate::key::KeyName`]).
//!
//! ```text
//! GET:api.example.com/a/*      `*` stands for any bytes, none included; the whole name must match
//! /api/analytics/*             begins with "/": held against the name from its path on
//! regex:GET:[^/]+/a/\d+        a regular expression that the whole name must match
//! regex:/a/\d+                 the same, from its path on
//! ```
//!
//! A prefix is one by the way it is given, and has no letters with a meaning of their own. Each takes time in proportion to
//! the name's length, the regular expression times its own, so that no name can be made to cost more. A name without a path,
//! that of a rule's template, is met by no pattern that begins at the path.

use regex_lite::Regex;

use crate::config;
use crate::key::KeyName;

/// What a pattern may have, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1024;

const REGEX: &str = "regex:";

/// A pattern over names, known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    form: Form,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Glob,
    Prefix,
    Regex,
}

/// A pattern that can be held against names.
#[derive(Debug)]
pub struct NameMatcher {
    from: From,
    test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Path,
    Start,
}

#[derive(Debug)]
enum Test {
    Glob(config::NamePattern),
    Prefix(String),
    Regex(Regex),
}

impl NamePattern {
    /// A pattern with `*`, or with `regex:` in front a regular expression.
    ///
    /// # Errors
    /// A sentence for people, to stand behind what they call the pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(REGEX) {
            Some(regex) => Self::new(Form::Regex, regex),
            None => Self::new(Form::Glob, text),
        }
    }

    /// A pattern with `*`, whatever it begins with: what a client has written is no regular expression.
    ///
    /// # Errors
    /// As [`NamePattern::parse`].
    pub fn glob(text: &str) -> Result<Self, String> {
        Self::new(Form::Glob, text)
    }

    /// Names that begin with this.
    ///
    /// # Errors
    /// As [`NamePattern::parse`].
    pub fn prefix(text: &str) -> Result<Self, String> {
        Self::new(Form::Prefix, text)
    }

    fn new(form: Form, text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err("is longer than 1024 bytes".to_owned());
        }
        let pattern = Self {
            form,
            text: text.to_owned(),
        };
        pattern.compile()?;
        Ok(pattern)
    }

    /// What holds it against names.
    ///
    /// # Errors
    /// Never in fact: it was compiled when it was made. As [`NamePattern::parse`].
    pub fn compile(&self) -> Result<NameMatcher, String> {
        let from = match self.text.starts_with('/') {
            true => From::Path,
            false => From::Start,
        };
        let test = match self.form {
            Form::Glob => Test::Glob(config::NamePattern::new(&self.text)),
            Form::Prefix => Test::Prefix(self.text.clone()),
            Form::Regex => Test::Regex(config::expression(&self.text)?),
        };
        Ok(NameMatcher { from, test })
    }

    /// Its form and its text, as the fleet is told it.
    pub(crate) fn to_words(&self) -> (&'static str, &'static str, &str) {
        match self.form {
            // Else it would be read as another.
            Form::Glob if self.text.starts_with(REGEX) => ("glob", "", &self.text),
            Form::Glob => ("pattern", "", &self.text),
            Form::Prefix => ("prefix", "", &self.text),
            Form::Regex => ("pattern", REGEX, &self.text),
        }
    }

    /// A letter for its form, and its text, to write down.
    pub(crate) fn to_parts(&self) -> (u8, &str) {
        let form = match self.form {
            Form::Glob => b'g',
            Form::Prefix => b'p',
            Form::Regex => b'r',
        };
        (form, &self.text)
    }

    /// From what was written down.
    pub(crate) fn from_parts(form: u8, text: &str) -> Option<Self> {
        let form = match form {
            b'g' => Form::Glob,
            b'p' => Form::Prefix,
            b'r' => Form::Regex,
            _ => return None,
        };
        Self::new(form, text).ok()
    }
}

impl NameMatcher {
    /// Whether the pattern covers a key of this name.
    pub fn matches(&self, name: &KeyName) -> bool {
        let text = match self.from {
            From::Path => name.from_path(),
            From::Start => Some(name.as_str()),
        };
        text.is_some_and(|text| match &self.test {
            Test::Glob(pattern) => pattern.matches(text),
            Test::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Test::Regex(regex) => regex.is_match(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use proptest::prelude::*;

    /// The key of a path or, without one, of a template that gives this.
    fn name(text: &str) -> KeyName {
        let mut canonical = vec![1];
        let mut push = |tag: u8, content: &[u8]| {
            canonical.push(tag);
            canonical.extend_from_slice(&(content.len() as u32).to_le_bytes());
            canonical.extend_from_slice(content);
        };
        match text.strip_prefix("GET:") {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap());
                push(2, host.as_bytes());
                push(3, path.as_bytes());
            }
            None => {
                let part = ["L", text].concat();
                let mut list = (part.len() as u32).to_le_bytes().to_vec();
                list.extend_from_slice(part.as_bytes());
                push(4, &list);
            }
        }
        let name = Key::from_canonical(canonical).name();
        assert_eq!(name.as_str(), text);
        name
    }

    fn meets(pattern: &str, text: &str) -> bool {
        let pattern = NamePattern::parse(pattern).unwrap();
        pattern.compile().unwrap().matches(&name(text))
    }

    #[test]
    fn a_pattern_is_held_against_the_name_or_from_its_path_on() {
        for (pattern, yes, no) in [
            (
                "/api/*",
                &["GET:a/api/", "GET:b:8080/api/x/y?z=1"][..],
                &["GET:a/api", "GET:a/x/api/", "/api/x"][..],
            ),
            ("/a", &["GET:a/a"], &["GET:a/a/", "GET:a/a?b", "/a"]),
            ("GET:a/*", &["GET:a/", "GET:a/b"], &["GET:aa/", "GET:b/"]),
            ("*", &["GET:a/", "user:7"], &[]),
            ("user:*", &["user:", "user:7"], &["xuser:7", "GET:user/"]),
            ("*/p?a=*&b", &["GET:a/p?a=1&b"], &["GET:a/p?a=1&bc"]),
            ("/a.c", &["GET:a/a.c"], &["GET:a/abc"]),
            (
                r"regex:/a/\d+",
                &["GET:a/a/12"],
                &["GET:a/a/", "GET:a/a/1x", "GET:a/x/a/1"],
            ),
            ("regex:GET:[ab]/.*", &["GET:b/x"], &["GET:c/x", "GET:ab/x"]),
            ("regex:user|/a", &["user"], &["GET:a/a", "users"]),
        ] {
            for text in yes {
                assert!(meets(pattern, text), "{pattern} {text}");
            }
            for text in no {
                assert!(!meets(pattern, text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn the_letters_of_a_prefix_mean_themselves() {
        let matcher = |text| NamePattern::prefix(text).unwrap().compile().unwrap();
        assert!(matcher("/a*").matches(&name("GET:a/a*b")));
        assert!(!matcher("/a*").matches(&name("GET:a/ab")));
        assert!(matcher("GET:a/").matches(&name("GET:a/b")));
        assert!(matcher("regex:x").matches(&name("regex:xy")));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        let long = "a".repeat(1025);
        for (pattern, problem) in [
            ("", "is empty"),
            ("regex:", "is empty"),
            (long.as_str(), "is longer than 1024 bytes"),
            ("regex:a(", "is no regular expression: "),
            ("regex:a)(b", "is no regular expression: "),
            ("regex:(a{99}){99}", "is no regular expression: "),
        ] {
            let error = NamePattern::parse(pattern).unwrap_err();
            assert!(error.starts_with(problem), "{pattern}: {error}");
        }
        assert!(NamePattern::parse(&"a".repeat(1024)).is_ok());
        assert_eq!(NamePattern::prefix("").unwrap_err(), "is empty");
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_is_written_down_is_read_again(text in ".{0,30}", form in 0..256u16) {
            for pattern in [NamePattern::parse(&text), NamePattern::prefix(&text)].into_iter().flatten() {
                let (form, text) = pattern.to_parts();
                prop_assert_eq!(NamePattern::from_parts(form, text), Some(pattern.clone()));
            }
            let _ = NamePattern::from_parts(form as u8, &text);
        }
    }
}
