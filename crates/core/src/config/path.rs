//! A rule's path: a regular expression that must match the whole path.
//!
//! A regular expression costs microseconds on every request that it is tried on, and milliseconds on paths as long as an
//! attacker likes; most rules are literals with `.*`, whole segments or numbers between them, or are ruled out by
//! their first few letters. So the
//! pattern is read once for these, and often they decide alone. The reading is deliberately timid: where it is not sure, it claims a shorter literal, and the
//! regular expression decides as if there were none. Only speed may depend on it (a property test compares both).
//!
//! Paths come from [`crate::http::Target`]: US-ASCII without control bytes, so `.` matches any of their letters.

use regex_lite::{Regex, RegexBuilder};

use super::runs::Runs;

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
    /// Literals and runs of letters.
    Runs(Runs),
}

impl PathPattern {
    /// Compiles a pattern; the error is for people.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        // Alone first: `a)(b` is no pattern, although it would become one between the anchors.
        build(pattern)?;
        let regex = build(&format!("^(?:{pattern})$"))?;
        let shape = shape_of(pattern);
        let literal = match &shape {
            Shape::Literals { first: literal, .. } | Shape::Regex(literal) => literal,
            Shape::Runs(_) => "/",
        };
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
            Shape::Runs(runs) => runs.matches(path),
        }
    }

    /// What the named groups took of a path that matches, in the order of `names`; `None` for a group that took no
    /// part.
    pub(super) fn captures(&self, path: &str, names: &[String]) -> Vec<Option<String>> {
        if let Shape::Runs(runs) = &self.shape {
            return runs.captures(path, names);
        }
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
    } else if let Some(runs) = Runs::parse(pattern) {
        Shape::Runs(runs)
    } else if has_flags(behind) || may_alternate(behind) {
        Shape::Regex(String::new())
    } else {
        Shape::Regex(first)
    }
}

/// The literal that a pattern begins with, and what follows it.
pub(super) fn literal_prefix(pattern: &str) -> (String, &str) {
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
            ("/a/[^/]+b", regex("/a/")),
            ("/a/[^/]+?", regex("/a/")),
            ("/a/([^/]+)*", regex("/a/")),
            ("/a/(?P<id>[^/]+)?/b", regex("/a/")),
            ("/a/(?i:[^/]+)", regex("")),
            ("/a/.*/[^/]+", regex("/a/")),
            ("/a/[^/]+.*", regex("/a/")),
            ("/a/[0-9]+1", regex("/a/")),
            (r"/a/[\d]+", regex("/a/")),
            ("/a/[a-z&&b]+", regex("/a/")),
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
    fn segments_and_numbers_need_no_regular_expression() {
        let names = ["id", "rest"].map(str::to_owned);
        let some = |text: &str| Some(text.to_owned());
        for (pattern, path, captures) in [
            ("/u/(?P<id>[^/]+)/p", "/u/7/p", Some([some("7"), None])),
            ("/u/(?<id>[^/]+)/p", "/u//p", None),
            (
                "/u/([^/]+)/(?P<id>[^/]+)",
                "/u/7/8",
                Some([some("8"), None]),
            ),
            ("/u-[^/]+/(?:[^/]+)", "/u-1/2", Some([None, None])),
            ("/u/[^/]+/(?P<rest>.*)", "/u/7/", Some([None, some("")])),
            (
                "/u/[^/]+/(?P<rest>.*)",
                "/u/7/a/b",
                Some([None, some("a/b")]),
            ),
            ("/u/[^/]+/(?P<rest>.*)", "/u/7", None),
            ("/u/[^/]+", "/u/7/", None),
            (r"/u/(?P<id>\d+)-\w+", "/u/42-a_Z", Some([some("42"), None])),
            (r"/u/\d+", "/u/4x", None),
            (
                "/u/[^/]+/(?P<id>[a-z0-9-]+)",
                "/u/1/a-9",
                Some([some("a-9"), None]),
            ),
        ] {
            let compiled = PathPattern::parse(pattern).unwrap();
            assert!(matches!(compiled.shape, Shape::Runs(_)), "{pattern}");
            assert_eq!(compiled.matches(path), captures.is_some(), "{pattern}");
            let captures = captures.unwrap_or_default();
            assert_eq!(compiled.captures(path, &names), captures, "{pattern}");
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
            Just("([^/]+)".to_owned()),
            Just("(?P<x>[^/]+)".to_owned()),
            Just("/(?<y>[^/]+)".to_owned()),
            Just("(?P<z>.*)".to_owned()),
            Just("[ab-]+".to_owned()),
            Just("[^a-z/]+".to_owned()),
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
        fn runs_are_those_of_the_regular_expression(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "/", "a", "ab", "-1", r"\d+", r"\w+", "[^/]+", "([^/]+)", "/(?P<x>[^/]+)", "/(?<y>[ab]+)/", "[^a]+", "(?:[a-b1]+)",
                "(?P<z>.*)", "[-a]+", "[a-]+", "[^a-b]+", "[a-b-1]+",
            ]), 1..5),
            paths in proptest::collection::vec("/[ab1/-]{0,8}", 8),
        ) {
            let pattern = format!("/{}", pieces.concat());
            let names = ["z", "x", "y"].map(str::to_owned);
            if let Ok(compiled) = PathPattern::parse(&pattern) {
                for path in &paths {
                    let found = compiled.regex.captures(path);
                    let group = |name: &String| found.as_ref()?.name(name).map(|group| group.as_str().to_owned());
                    let expected: Vec<_> = names.iter().map(group).collect();
                    prop_assert_eq!(compiled.matches(path), found.is_some(), "{} {}", pattern, path);
                    prop_assert_eq!(compiled.captures(path, &names), expected, "{} {}", pattern, path);
                }
            }
        }

        #[test]
        fn any_text_is_compiled_or_refused(pattern in any::<String>()) {
            let _ = PathPattern::parse(&pattern);
        }
    }
}
