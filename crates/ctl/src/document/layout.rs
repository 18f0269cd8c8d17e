//! Where each character of a YAML scalar stands in the file.
//!
//! A plugin's configuration is JSON inside of YAML, mostly in a block. What is wrong with it is found at a character of that
//! JSON, and people want to see the line of their file.

use saphyr_parser::{ScalarStyle, Span};

use super::Place;

/// The place of each character; none where that cannot be said with certainty.
pub(super) fn places(source: &[&str], value: &str, style: ScalarStyle, span: Span) -> Vec<Place> {
    let found = match style {
        ScalarStyle::Literal => block(source, value, span.start.line()),
        ScalarStyle::DoubleQuoted => double_quoted(source, span),
        ScalarStyle::SingleQuoted | ScalarStyle::Plain => on_one_line(source, value, span),
        ScalarStyle::Folded => None,
    };
    let found = found.unwrap_or_default();
    match found.len() == value.chars().count() {
        true => found,
        false => Vec::new(),
    }
}

fn place(line: usize, column: usize) -> Place {
    Place {
        line,
        column,
        at: 0, // nobody counts the characters of the whole file
    }
}

/// Lines below the one with the `|`, which are those of the value behind an indentation.
fn block(source: &[&str], value: &str, marked: usize) -> Option<Vec<Place>> {
    let mut lines = value.split_inclusive('\n').peekable();
    let wanted = lines.peek()?.trim_end_matches('\n');
    // The parser gives the line of the `|` or that of the first letter.
    let first = [marked, marked.saturating_sub(1)]
        .into_iter()
        .find(|index| {
            source
                .get(*index)
                .is_some_and(|line| is_behind(line, wanted))
        })?;
    let mut places = Vec::new();
    for (index, line) in (first..).zip(lines) {
        let text = line.trim_end_matches('\n');
        let indentation = match text {
            "" => 0,
            text => source.get(index)?.strip_suffix(text)?.chars().count(),
        };
        let number = index.saturating_add(1);
        let columns = indentation.saturating_add(1)..;
        places.extend(columns.zip(line.chars()).map(|(at, _)| place(number, at)));
    }
    Some(places)
}

fn is_behind(line: &str, wanted: &str) -> bool {
    let indentation = line.strip_suffix(wanted);
    indentation.is_some_and(|before| before.chars().all(|letter| letter == ' '))
}

/// Without escapes or folds: what is written is what is meant.
fn on_one_line(source: &[&str], value: &str, span: Span) -> Option<Vec<Place>> {
    let line = source.get(span.start.line().checked_sub(1)?)?;
    let rest: String = line.chars().skip(span.start.col()).collect();
    let quote = usize::from(rest.starts_with('\''));
    let written = rest.get(quote..)?;
    written.starts_with(value).then_some(())?;
    let first = span.start.col().saturating_add(quote).saturating_add(1);
    let columns = (first..).zip(value.chars());
    Some(
        columns
            .map(|(at, _)| place(span.start.line(), at))
            .collect(),
    )
}

/// On one line, escapes undone.
fn double_quoted(source: &[&str], span: Span) -> Option<Vec<Place>> {
    let (start, end) = (span.start, span.end);
    (start.line() == end.line()).then_some(())?;
    let line = source.get(start.line().checked_sub(1)?)?;
    let mut letters = (1..).zip(line.chars()).skip(start.col().saturating_add(1));
    let mut places = Vec::new();
    loop {
        let (column, letter) = letters.next()?;
        let skipped = match letter {
            '"' => return Some(places),
            '\\' => match letters.next()?.1 {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            },
            _ => 0,
        };
        places.push(place(start.line(), column));
        for _ in 0..skipped {
            letters.next()?;
        }
    }
}
