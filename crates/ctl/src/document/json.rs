//! JSON with places.
//!
//! Whether a text is JSON is for `serde_json` to say, which the core reads it with; this only walks over what it has taken,
//! and lets it read each text and number. So the two cannot disagree about a value, and a walk that goes astray gives nothing.

use std::iter::Peekable;
use std::str::CharIndices;

use serde::de::IgnoredAny;

use super::{Broken, Field, Kind, Node, Place};

/// A document of JSON.
pub(crate) fn scan(text: &str) -> Result<Node, Broken> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(broken(text, &error));
    }
    let mut scan = Scan {
        text,
        rest: text.char_indices().peekable(),
        place: Place::START,
    };
    scan.value().ok_or_else(|| Broken {
        place: scan.place,
        problem: "cannot be followed".to_owned(),
    })
}

fn broken(text: &str, error: &serde_json::Error) -> Broken {
    let said = error.to_string();
    let (problem, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
    Broken {
        place: place_of(text, error.line(), error.column()),
        problem: problem.to_owned(),
    }
}

/// `serde_json` counts bytes.
fn place_of(text: &str, line: usize, bytes: usize) -> Place {
    let before: usize = {
        let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
        lines.map(|line| line.chars().count()).sum()
    };
    let this = text.split('\n').nth(line.saturating_sub(1)).unwrap_or("");
    let letters = this.char_indices();
    let column = letters.filter(|(at, _)| *at < bytes).count().max(1);
    Place {
        line: line.max(1),
        column,
        at: before.saturating_add(column).saturating_sub(1),
    }
}

struct Scan<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    /// Of the next letter.
    place: Place,
}

impl<'a> Scan<'a> {
    fn value(&mut self) -> Option<Node> {
        self.skip_space();
        let place = self.place;
        let kind = match self.peek()? {
            '{' => Kind::Object(self.object()?),
            '[' => Kind::List(self.list()?),
            '"' => {
                let (text, places) = self.string()?;
                Kind::Text(text, places)
            }
            _ => self.word()?,
        };
        Some(Node { place, kind })
    }

    fn object(&mut self) -> Option<Vec<Field>> {
        self.take('{')?;
        let mut fields = Vec::new();
        while !self.ends_with('}')? {
            let place = self.place;
            let (name, _) = self.string()?;
            self.skip_space();
            self.take(':')?;
            let value = self.value()?;
            fields.push(Field { name, place, value });
        }
        Some(fields)
    }

    fn list(&mut self) -> Option<Vec<Node>> {
        self.take('[')?;
        let mut items = Vec::new();
        while !self.ends_with(']')? {
            items.push(self.value()?);
        }
        Some(items)
    }

    /// Whether the end stands here, which is then behind us; else the next one does.
    fn ends_with(&mut self, end: char) -> Option<bool> {
        self.skip_space();
        if self.peek()? == ',' {
            self.next();
            self.skip_space();
        }
        let ends = self.peek()? == end;
        if ends {
            self.next();
        }
        Some(ends)
    }

    /// A text, and where each of its letters begins.
    fn string(&mut self) -> Option<(String, Vec<Place>)> {
        let (start, _) = *self.rest.peek()?;
        self.take('"')?;
        let mut places = Vec::new();
        loop {
            let place = self.place;
            match self.next()? {
                '"' => break,
                '\\' => match self.next()? {
                    'u' => self.escape(place, &mut places)?,
                    _ => places.push(place),
                },
                _ => places.push(place),
            }
        }
        let end = self.offset();
        let text = serde_json::from_str(self.text.get(start..end)?).ok()?;
        Some((text, places))
    }

    /// Four digits; two such escapes may be one letter.
    fn escape(&mut self, place: Place, places: &mut Vec<Place>) -> Option<()> {
        let mut digits = String::new();
        for _ in 0..4 {
            digits.push(self.next()?);
        }
        let unit = u32::from_str_radix(&digits, 16).ok()?;
        let second_of_two = (0xDC00..0xE000).contains(&unit);
        if !second_of_two {
            places.push(place);
        }
        Some(())
    }

    /// A number, or one of three words.
    fn word(&mut self) -> Option<Kind> {
        let start = self.offset();
        while self.peek().is_some_and(|letter| {
            letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.')
        }) {
            self.next();
        }
        match self.text.get(start..self.offset())? {
            "null" => Some(Kind::Null),
            "true" => Some(Kind::Flag(true)),
            "false" => Some(Kind::Flag(false)),
            number => serde_json::from_str(number).ok().map(Kind::Number),
        }
    }

    fn skip_space(&mut self) {
        while self
            .peek()
            .is_some_and(|letter| matches!(letter, ' ' | '\t' | '\r' | '\n'))
        {
            self.next();
        }
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, letter)| *letter)
    }

    fn next(&mut self) -> Option<char> {
        let (_, letter) = self.rest.next()?;
        let Place { line, column, at } = self.place;
        let (line, column) = match letter {
            '\n' => (line.saturating_add(1), 1),
            _ => (line, column.saturating_add(1)),
        };
        self.place = Place {
            line,
            column,
            at: at.saturating_add(1),
        };
        Some(letter)
    }

    /// Bytes before the next letter.
    fn offset(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_value_knows_its_line_and_column() {
        let document = scan("{\n  \"ä\": [1,\n    \"x\\u00e4\\ud83d\\ude00y\"]\n}").unwrap();
        let list = document.field("ä").unwrap();
        let places: Vec<_> = list.items().iter().map(|item| item.place).collect();
        let shown: Vec<_> = places
            .iter()
            .map(|place| (place.line, place.column))
            .collect();
        assert_eq!(shown, [(2, 9), (3, 5)]);
        let Kind::Text(text, letters) = &list.items()[1].kind else {
            panic!("{list:?}");
        };
        assert_eq!(text, "xä😀y");
        let columns: Vec<_> = letters.iter().map(|place| place.column).collect();
        assert_eq!(columns, [6, 7, 13, 25]);
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (text, line, column, problem) in [
            ("{\n  \"ä\": }", 2, 8, "expected value"),
            ("{} x", 1, 4, "trailing characters"),
            ("", 1, 1, "EOF while parsing a value"),
        ] {
            let broken = scan(text).unwrap_err();
            let place = (broken.place.line, broken.place.column);
            assert_eq!((place, &*broken.problem), ((line, column), problem));
        }
        assert!(scan(&"[".repeat(100_000)).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let list = proptest::collection::vec(inner.clone(), 0..6);
            let object = proptest::collection::vec((any::<String>(), inner), 0..6);
            prop_oneof![
                list.prop_map(Value::from),
                object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_document_is_read_as_serde_json_reads_it(value in values(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(scan(&text).unwrap().value(), read);
        }

        #[test]
        fn whatever_is_json_to_serde_json_is_json_here(text in r#"[\[\]{}:,"\\u0-9a-fnt. \n-]{0,24}"#) {
            let read: Result<Value, _> = serde_json::from_str(&text);
            prop_assert_eq!(scan(&text).ok().map(|node| node.value()), read.ok());
        }

        #[test]
        fn each_letter_of_a_text_has_a_place(text: String) {
            let document = json!({ "a": text }).to_string();
            let scanned = scan(&document).unwrap();
            let Some(Kind::Text(text, places)) = scanned.field("a").map(|node| &node.kind) else {
                panic!("{scanned:?}");
            };
            prop_assert_eq!(text.chars().count(), places.len());
        }
    }
}
