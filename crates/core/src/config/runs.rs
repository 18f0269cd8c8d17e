//! Paths whose variable parts end where a letter stands that they cannot hold, as in `/user/(?P<id>[^/]+)/profile` or
//! `/item/[0-9]+`: matched without a regular expression.
//!
//! What follows such a part cannot be taken for more of it, so there is one way to match or none: what is taken is what the
//! regular expression takes, in one pass.

use super::path::literal_prefix;

/// A pattern of literals and of runs of letters of a class; at its end may stand a `.*`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Runs(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `.*` behind everything else, and the name of the group around it.
    Rest(Option<String>),
    /// One or more letters, and the name of the group around them.
    Run(Class, Option<String>),
}

/// Some of the letters of US-ASCII, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class(u128);

impl Runs {
    /// Reads a pattern that is a regular expression; `None` where it is of another kind, or in doubt.
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        let (first, mut left) = literal_prefix(pattern);
        if !first.starts_with('/') {
            return None;
        }
        let mut pieces = vec![Piece::Literal(first)];
        while !left.is_empty() {
            let (piece, behind) = variable(left)?;
            let (literal, behind) = literal_prefix(behind);
            let is_last = behind.is_empty() && literal.is_empty();
            let ends = match (&piece, literal.bytes().next()) {
                (Piece::Run(class, _), Some(next)) => !class.has(next),
                (Piece::Literal(_) | Piece::Rest(_) | Piece::Run(..), _) => is_last,
            };
            if !ends {
                return None;
            }
            pieces.push(piece);
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal));
            }
            left = behind;
        }
        Some(Self(pieces))
    }

    /// Whether the whole of `path` matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.walk(path, |_, _| ())
    }

    /// What the named groups took of a path that matches, in the order of `names`.
    pub(super) fn captures(&self, path: &str, names: &[String]) -> Vec<Option<String>> {
        let mut captures = vec![None; names.len()];
        let matches = self.walk(path, |name, taken| {
            let wanted = names.iter().zip(&mut captures);
            let wanted = wanted.filter(|(wanted, _)| *wanted == name);
            wanted.for_each(|(_, capture)| *capture = Some(taken.to_owned()));
        });
        match matches {
            true => captures,
            false => vec![None; names.len()],
        }
    }

    fn walk<'a>(&self, path: &'a str, mut take: impl FnMut(&str, &'a str)) -> bool {
        let mut rest = path;
        for piece in &self.0 {
            let (name, len) = match piece {
                Piece::Literal(literal) => match rest.strip_prefix(literal.as_str()) {
                    Some(behind) => {
                        rest = behind;
                        continue;
                    }
                    None => return false,
                },
                Piece::Rest(name) => (name, rest.len()),
                Piece::Run(class, name) => match class.run(rest) {
                    0 => return false,
                    len => (name, len),
                },
            };
            let (taken, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
            if let Some(name) = name {
                take(name, taken);
            }
            rest = behind;
        }
        rest.is_empty()
    }
}

impl Class {
    const NONE: Self = Self(0);

    fn has(self, letter: u8) -> bool {
        let bit = 1_u128.checked_shl(letter.into()).unwrap_or_default();
        self.0 & bit != 0
    }

    fn with(self, letters: std::ops::RangeInclusive<u8>) -> Self {
        let bit = |letter: u8| 1_u128.checked_shl(letter.into()).unwrap_or_default();
        Self(letters.fold(self.0, |set, letter| set | bit(letter)))
    }

    /// How many letters of it `text` begins with.
    fn run(self, text: &str) -> usize {
        let end = text.bytes().position(|letter| !self.has(letter));
        end.unwrap_or(text.len())
    }

    /// Reads a class that a pattern begins with.
    fn parse(pattern: &str) -> Option<(Self, &str)> {
        let digits = Self::NONE.with(b'0'..=b'9');
        if let Some(behind) = pattern.strip_prefix(r"\d") {
            return Some((digits, behind));
        }
        if let Some(behind) = pattern.strip_prefix(r"\w") {
            let letters = digits.with(b'a'..=b'z').with(b'A'..=b'Z');
            return Some((letters.with(b'_'..=b'_'), behind));
        }
        let (inside, behind) = pattern.strip_prefix('[')?.split_once(']')?;
        // Sets in sets, operations on sets, escapes: the regular expression knows.
        let is_special = inside.contains(['[', '\\']) || !inside.is_ascii();
        if is_special || ["&&", "--", "~~"].iter().any(|sign| inside.contains(sign)) {
            return None;
        }
        match inside.strip_prefix('^') {
            None => Some((Self::of(inside)?, behind)),
            Some(others) => Some((Self(!Self::of(others)?.0), behind)),
        }
    }

    /// The letters and ranges between brackets; `None` where there are none.
    fn of(mut letters: &str) -> Option<Self> {
        let mut class = Self::NONE;
        loop {
            letters = match letters.as_bytes() {
                [first, b'-', last, ..] => {
                    class = class.with(*first..=*last);
                    letters.get(3..)?
                }
                [letter, ..] => {
                    class = class.with(*letter..=*letter);
                    letters.get(1..)?
                }
                [] => return (class != Self::NONE).then_some(class),
            };
        }
    }
}

/// The part that stands for more than one text, alone or in a group, and what follows it. A quantifier behind it is no
/// literal, so that such a pattern is not taken.
fn variable(pattern: &str) -> Option<(Piece, &str)> {
    let Some(inside) = pattern.strip_prefix('(') else {
        return content(pattern, None);
    };
    let (name, inside) = match inside.strip_prefix('?') {
        None => (None, inside),
        Some(kind) => match kind.strip_prefix(':') {
            Some(inside) => (None, inside),
            None => {
                let name = kind.strip_prefix("P<").or_else(|| kind.strip_prefix('<'))?;
                let (name, inside) = name.split_once('>')?;
                (Some(name.to_owned()), inside)
            }
        },
    };
    let (piece, behind) = content(inside, name)?;
    Some((piece, behind.strip_prefix(')')?))
}

fn content(pattern: &str, name: Option<String>) -> Option<(Piece, &str)> {
    if let Some(behind) = pattern.strip_prefix(".*") {
        return Some((Piece::Rest(name), behind));
    }
    let (class, behind) = Class::parse(pattern)?;
    Some((Piece::Run(class, name), behind.strip_prefix('+')?))
}
