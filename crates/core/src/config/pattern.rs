//! Small patterns: names with `*`, and templates with captures.

/// A pattern for names in which `*` stands for any bytes, none included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// The pattern as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` matches; in time proportional to its length.
    pub fn matches(&self, name: &str) -> bool {
        let Some((prefix, rest)) = self.0.split_once('*') else {
            return name == self.0;
        };
        // The last part must end the name; those between may take the first place they find.
        let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
        let between = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(suffix));
        let Some(mut between) = between else {
            return false;
        };
        for part in middle.split('*') {
            match between.split_once(part) {
                Some((_, rest)) => between = rest,
                None => return false,
            }
        }
        true
    }
}

/// A text with `{name}` for a named group of the rule's path; `{{` and `}}` stand for braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<TemplatePart>,
    names: Vec<String>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// What a group took: its index in [`Template::names`], and so in the captures of a selection.
    Capture(usize),
    /// This text.
    Literal(String),
}

impl Template {
    /// Reads a template; the error is for people.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(TemplatePart::Literal(text)),
            Piece::Name(name) => group(name, &mut names).map(TemplatePart::Capture),
        };
        let parts = pieces(text)?.into_iter().map(part);
        let parts = parts.collect::<Result<_, _>>()?;
        Ok(Self { parts, names })
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// The groups it names, each once.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// What stands in a text with names in braces.
pub(super) enum Piece<'a> {
    /// This.
    Literal(String),
    /// A name.
    Name(&'a str),
}

/// The pieces of a text with `{name}` for values, in which `{{` and `}}` stand for braces; the error is for people.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let rest = letters.as_str();
        match letter {
            '{' | '}' if rest.starts_with(letter) => {
                letters.next();
                literal.push(letter);
            }
            '{' => {
                let (name, rest) = rest.split_once('}').ok_or("has a `{` without `}`")?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Name(name));
                letters = rest.chars();
            }
            '}' => return Err("has a `}` without `{`; write `}}` for a brace".to_owned()),
            _ => literal.push(letter),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The place of a group among `groups`, to which it is added; the error is for people.
pub(super) fn group(name: &str, groups: &mut Vec<String>) -> Result<usize, String> {
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(format!("has `{{{name}}}`, which is no name of a group"));
    }
    let known = groups.iter().position(|other| other == name);
    if known.is_none() {
        groups.push(name.to_owned());
    }
    Ok(known.unwrap_or(groups.len().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, yes, no) in [
            ("page", &["page"][..], &["pag", "pages", ""][..]),
            ("utm_*", &["utm_", "utm_source"], &["utm", "xutm_"]),
            ("*_id", &["_id", "a_id"], &["_idx"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("a*b*c", &["abc", "axbxbc", "abbc"], &["ac", "acb"]),
            ("*", &["", "x"], &[]),
            ("**a**", &["a", "xax"], &["", "x"]),
        ] {
            let pattern = NamePattern::new(pattern);
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_name_pattern_is_the_regular_expression_it_looks_like(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let regex = format!("^(?:{})$", pattern.replace('*', ".*"));
            let expected = regex_lite::Regex::new(&regex).unwrap().is_match(&name);
            prop_assert_eq!(NamePattern::new(&pattern).matches(&name), expected);
        }

        #[test]
        fn any_text_is_a_template_or_refused(text in any::<String>()) {
            let _ = Template::parse(&text);
        }
    }

    #[test]
    fn a_template_is_literals_and_captures() {
        let template = Template::parse("user:{id}:{{{part}}}/{id}").unwrap();
        let literal = |text: &str| TemplatePart::Literal(text.to_owned());
        let expected = [
            literal("user:"),
            TemplatePart::Capture(0),
            literal(":{"),
            TemplatePart::Capture(1),
            literal("}/"),
            TemplatePart::Capture(0),
        ];
        assert_eq!(template.parts(), expected);
        assert_eq!(template.names(), ["id", "part"]);
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_reason() {
        for (text, problem) in [
            ("a{", "has a `{` without `}`"),
            ("a}", "has a `}` without `{`; write `}}` for a brace"),
            ("{}", "has `{}`, which is no name of a group"),
            ("{1}", "has `{1}`, which is no name of a group"),
            ("{a b}", "has `{a b}`, which is no name of a group"),
        ] {
            assert_eq!(Template::parse(text), Err(problem.to_owned()), "{text}");
        }
    }
}
