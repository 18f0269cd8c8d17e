//! A rule's path: a regular expression that must match the whole path.
//!
//! A regular expression costs microseconds on every request that it is tried on, and milliseconds on paths as long as an
//! attacker likes; most rules are literals with `.*` between them, or are ruled out by their first few letters. So the
//! pattern is read once for these, and often they decide alone. The reading is deliberately timid: where it is not sure, it claims a shorter literal, and the
//! regular expression decides as if there were none. Only speed may depend on it (a property test compares both).
//!
//! Paths come from [`crate::http::Target`]: US-ASCII without control bytes, so `.` matches any of their letters.

use regex_lite::{Regex, RegexBuilder};

/// What a compiled pattern may take, in bytes: operators' patterns stay far below.
const MAX_COMPILED_BYTES: usize = 128 * 1024;

/// A compiled path pattern.
#[derive(Debug)]
pub(super) struct PathPattern {
    shape: Shape,
    regex: Regex,
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    /// Literals with `.*` between them: the first stands at the beginning, the last at the end, the others in order in
    /// between.
    Literals {
        /// What the path begins with.
        first: String,
        /// What follows, each behind a `.*`.
        others: Vec<String>,
    },
    /// Whatever the regular expression says about paths that begin with this.
    Regex(String),
}

impl PathPattern {
    /// Compiles a pattern; the error is for people.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        // Alone first: `a)(b` is no pattern, although it would become one between the anchors.
        build(pattern)?;
        let regex = build(&format!("^(?:{pattern})$"))?;
        let shape = shape_of(pattern);
        let (Shape::Literals { first: literal, .. } | Shape::Regex(literal)) = &shape;
        if !literal.is_empty() && !literal.starts_with('/') {
            return Err("matches nothing: every path begins with `/`".to_owned());
        }
        Ok(Self { shape, regex })
    }

    /// Whether the whole of `path` matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.shape {
            Shape::Literals { first, others } => path
                .strip_prefix(first.as_str())
                .is_some_and(|rest| follow(rest, others)),
            Shape::Regex(literal) => {
                path.starts_with(literal.as_str()) && self.regex.is_match(path)
            }
        }
    }

    /// What the named groups took of a path that matches, in the order of `names`; `None` for a group that took no
    /// part.
    pub(super) fn captures(&self, path: &str, names: &[String]) -> Vec<Option<String>> {
        let found = self.regex.captures(path);
        let value = |name: &String| {
            let group = found.as_ref()?.name(name)?;
            Some(group.as_str().to_owned())
        };
        names.iter().map(value).collect()
    }

    /// Whether the pattern has a group of that name.
    pub(super) fn has_group(&self, name: &str) -> bool {
        self.regex
            .capture_names()
            .flatten()
            .any(|group| group == name)
    }
}

fn build(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| format!("is no regular expression: {error}"))
}

/// Whether `text` is these literals, in order, with anything in front of each.
fn follow(text: &str, literals: &[String]) -> bool {
    let Some((last, between)) = literals.split_last() else {
        return text.is_empty();
    };
    // The earliest place for each leaves the most room for the others.
    let rest = between.iter().try_fold(text, |rest, literal| {
        rest.split_once(literal.as_str()).map(|(_, behind)| behind)
    });
    rest.is_some_and(|rest| rest.ends_with(last.as_str()))
}

fn shape_of(pattern: &str) -> Shape {
    let (first, behind) = literal_prefix(pattern);
    let mut others = Vec::new();
    let mut left = behind;
    while let Some(next) = left.strip_prefix(".*") {
        let (literal, rest) = literal_prefix(next);
        others.push(literal);
        left = rest;
    }
    if left.is_empty() {
        Shape::Literals { first, others }
    } else if has_flags(behind) || may_alternate(behind) {
        Shape::Regex(String::new())
    } else {
        Shape::Regex(first)
    }
}

/// The literal that a pattern begins with, and what follows it.
fn literal_prefix(pattern: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = pattern;
    loop {
        let mut letters = rest.chars();
        let letter = match letters.next() {
            Some('\\') => letters.next().filter(char::is_ascii_punctuation),
            Some('.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') => {
                None
            }
            letter => letter.filter(char::is_ascii),
        };
        let Some(letter) = letter else {
            return (literal, rest);
        };
        // A quantifier takes back the one letter that it is about.
        if letters.as_str().starts_with(['?', '*', '+', '{']) {
            return (literal, rest);
        }
        literal.push(letter);
        rest = letters.as_str();
    }
}

/// Whether there may be a group of flags: they change what letters mean, and a quantifier behind one is about the letter
/// in front of it.
fn has_flags(rest: &str) -> bool {
    let mut groups = rest.split("(?").skip(1);
    groups.any(|inside| ![":", "<", "P<"].iter().any(|kind| inside.starts_with(kind)))
}

/// Whether there may be a `|` outside of every group; `true` when in doubt.
fn may_alternate(rest: &str) -> bool {
    if !rest.contains('|') {
        return false;
    }
    let mut depth: usize = 0;
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '|' if depth == 0 => return true,
            '\\' => {
                letters.next();
            }
            '(' => {
                depth = depth.saturating_add(1);
            }
            ')' => depth = depth.saturating_sub(1),
            '[' => match letters.as_str().split_once(']') {
                Some((class, rest)) if is_plain_class(class) => letters = rest.chars(),
                Some(_) | None => return true,
            },
            _ => {}
        }
    }
    false
}

// The forms in which the first `]` does not end the class are left alone.
fn is_plain_class(class: &str) -> bool {
    !class.trim_start_matches('^').is_empty() && !class.contains(['[', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_literal_is_read_off_the_pattern() {
        let literals = |first: &str, others: &[&str]| Shape::Literals {
            first: first.to_owned(),
            others: others.iter().map(|text| (*text).to_owned()).collect(),
        };
        let exact = |text| literals(text, &[]);
        let prefix = |text| literals(text, &[""]);
        let regex = |text: &str| Shape::Regex(text.to_owned());
        for (pattern, shape) in [
            ("/a/b", exact("/a/b")),
            (r"/a\.json", exact("/a.json")),
            ("/api/.*", prefix("/api/")),
            ("/api/health.*", prefix("/api/health")),
            (".*", prefix("")),
            ("", exact("")),
            ("//(?i)*", regex("")),
            ("/api/.*/summary.*", literals("/api/", &["/summary", ""])),
            ("/a.*b.*", literals("/a", &["b", ""])),
            ("/a.*.*", literals("/a", &["", ""])),
            ("/a.*?b", regex("/a")),
            ("/a.*b+", regex("/a")),
            ("/ab?c", regex("/a")),
            ("/ab*", regex("/a")),
            ("/ab+", regex("/a")),
            ("/ab{2}", regex("/a")),
            (r"/a\.?", regex("/a")),
            (r"/a\d", regex("/a")),
            ("/a|/b", regex("")),
            ("/a(x|y)", regex("/a")),
            ("/a/(?P<id>[^/]+)/(x|y)", regex("/a/")),
            ("/a(x)|b", regex("")),
            ("/a[(]|b", regex("")),
            ("/a[]|x]", regex("")),
            (r"/a[\]|x]", regex("")),
            ("/a(?x) # ( \n|b", regex("")),
            ("(?i)/a", regex("")),
            ("^/a$", regex("")),
        ] {
            assert_eq!(shape_of(pattern), shape, "{pattern}");
        }
    }

    #[test]
    fn the_whole_path_must_match() {
        let pattern = PathPattern::parse("/a|/ab|/a/[0-9]+").unwrap();
        for path in ["/a", "/ab", "/a/12"] {
            assert!(pattern.matches(path), "{path}");
        }
        for path in ["", "/", "/abc", "/a/", "/a/12x", "x/a"] {
            assert!(!pattern.matches(path), "{path}");
        }
    }

    #[test]
    fn groups_are_found_by_name() {
        let pattern = PathPattern::parse("/u/(?P<id>[^/]+)(?:/(?<part>.*))?").unwrap();
        assert!(pattern.has_group("id") && pattern.has_group("part") && !pattern.has_group("x"));
        let names = ["part".to_owned(), "id".to_owned()];
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(pattern.captures("/u/7", &names), [None, some("7")]);
        assert_eq!(pattern.captures("/u/7/", &names), [some(""), some("7")]);
        assert_eq!(pattern.captures("/x", &names), [None, None]);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (pattern, problem) in [
            ("/a(", "is no regular expression: "),
            ("/a)(b", "is no regular expression: "),
            ("/(?x)a # b", "is no regular expression: "),
            ("/(a{500}){500}", "is no regular expression: "),
            ("api/.*", "matches nothing: every path begins with `/`"),
        ] {
            let error = PathPattern::parse(pattern).unwrap_err();
            assert!(error.starts_with(problem), "{pattern}: {error}");
        }
    }

    fn patterns() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[/ab]{1,3}",
            Just(r"\.".to_owned()),
            Just(".*".to_owned()),
            "(\\(|\\)|\\[|\\]|\\?|\\*|\\+|\\^|\\$|\\\\)",
            Just("|/".to_owned()),
            Just("(/|a)".to_owned()),
            Just("(?:".to_owned()),
            Just("(?i)".to_owned()),
            Just("[^/]+".to_owned()),
            Just("b{0,2}".to_owned()),
        ];
        proptest::collection::vec(piece, 0..5).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #![proptest_config(crate::property::cases())]
        #[test]
        fn the_literal_never_changes_the_answer(
            pattern in patterns(),
            paths in proptest::collection::vec("/[ab./(|)B]{0,5}", 8),
        ) {
            if let Ok(compiled) = PathPattern::parse(&pattern) {
                for path in paths {
                    prop_assert_eq!(compiled.matches(&path), compiled.regex.is_match(&path), "{}", pattern);
                }
            }
        }

        #[test]
        fn any_text_is_compiled_or_refused(pattern in any::<String>()) {
            let _ = PathPattern::parse(&pattern);
        }
    }
}
