//! YAML with places.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use serde_json::Number;

use super::layout::places;
use super::{Broken, Field, Kind, Node, Place};

/// People write no deeper, and the stack has an end.
const DEEPEST: usize = 128;
/// What all aliases of a document may stand for.
const MOST_COPIES: usize = 10_000;

/// The documents of a YAML stream.
pub(crate) fn read(text: &str) -> Result<Vec<Node>, Broken> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        source: text.lines().collect(),
        anchors: Vec::new(),
        copies: 0,
    };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event @ (Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd) => documents.push(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: Vec<&'a str>,
    anchors: Vec<(usize, Node)>,
    copies: usize,
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col().saturating_add(1),
        at: marker.index(),
    }
}

fn refuse<T>(span: Span, problem: &str) -> Result<T, Broken> {
    Err(Broken {
        place: place(span.start),
        problem: problem.to_owned(),
    })
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Broken {
                place: place(*error.marker()),
                problem: error.info().to_owned(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Broken> {
        if depth > DEEPEST {
            return refuse(span, "is nested too deeply");
        }
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, self.scalar(&text, style, span)),
            Event::SequenceStart(anchor, _) => (anchor, Kind::List(self.list(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Kind::Object(self.object(depth)?)),
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return refuse(span, "ends too early"),
        };
        let place = place(span.start);
        let node = Node { place, kind };
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Broken> {
        let mut anchors = self.anchors.iter();
        let Some((_, node)) = anchors.find(|(known, _)| *known == anchor) else {
            return refuse(span, "names an anchor that is not complete");
        };
        self.copies = self.copies.saturating_add(size(node));
        if self.copies > MOST_COPIES {
            return refuse(span, "aliases stand for too much");
        }
        Ok(node.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth.saturating_add(1))?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Field>, Broken> {
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let (name, named) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(fields),
                (Event::Scalar(name, _, _, _), span) => (name.into_owned(), span),
                (_, span) => return refuse(span, "must be a plain name"),
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth.saturating_add(1))?;
            if name == "<<" {
                return refuse(named, "merging is not YAML 1.2; write the fields out");
            }
            let place = place(named.start);
            fields.push(Field { name, place, value });
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Span) -> Kind {
        let word = match style {
            ScalarStyle::Plain => word(text),
            ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => None,
        };
        word.unwrap_or_else(|| Kind::Text(text.to_owned(), places(&self.source, text, style, span)))
    }
}

/// What a plain scalar is besides a text (YAML 1.2, the core schema).
fn word(text: &str) -> Option<Kind> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Flag(true),
        "false" | "False" | "FALSE" => Kind::Flag(false),
        text => Kind::Number(number(text)?),
    })
}

fn number(text: &str) -> Option<Number> {
    let radix = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    let digits = text.trim_start_matches(['-', '+']);
    let numeric = |letter: char| letter.is_ascii_digit() || "eE+-.".contains(letter);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return None;
    }
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(number);
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    let positive = whole.parse::<u64>().map(Number::from);
    let negative = text.parse::<i64>().map(Number::from);
    let real = || {
        let numeric = text.chars().all(numeric);
        Number::from_f64(text.parse().ok().filter(|_| numeric)?)
    };
    positive.or(negative).ok().or_else(real)
}

fn size(node: &Node) -> usize {
    let items = node.items().iter().map(size);
    let fields = node.fields().iter().map(|field| size(&field.value));
    items.chain(fields).fold(1, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(text: &str) -> Vec<serde_json::Value> {
        read(text).unwrap().iter().map(Node::value).collect()
    }

    #[test]
    fn plain_words_are_what_the_core_schema_says() {
        let text =
            "[~, null, true, no, 7, -7, +7, 0x1f, 0o17, 1.5, .5, 1e3, 1.2.3, 2026-11-26, '7', a b]";
        let expected = json!([
            null,
            null,
            true,
            "no",
            7,
            -7,
            7,
            31,
            15,
            1.5,
            0.5,
            1000.0,
            "1.2.3",
            "2026-11-26",
            "7",
            "a b"
        ]);
        assert_eq!(values(text), [expected]);
    }

    #[test]
    fn documents_anchors_and_blocks_are_read() {
        let text = "a: &x\n  - 1\nb: *x\n---\nc: |\n  {}\n";
        let expected = [json!({"a": [1], "b": [1]}), json!({"c": "{}\n"})];
        assert_eq!(values(text), expected);
    }

    #[test]
    fn every_letter_of_a_block_knows_its_place() {
        for (text, places) in [
            (
                "a:\n  b: |\n    x\n\n      y\n",
                &[(3, 5), (3, 6), (4, 1), (5, 5), (5, 6), (5, 7), (5, 8)][..],
            ),
            (
                "a:\n  b: \"x\\n\\u00e4y\"\n",
                &[(2, 7), (2, 8), (2, 10), (2, 16)],
            ),
            ("a:\n  b: 'xy'\n", &[(2, 7), (2, 8)]),
            ("a:\n  b: >\n    x\n    y\n", &[]),
        ] {
            let document = read(text).unwrap().remove(0);
            let Kind::Text(_, letters) = &document.at(&["a", "b"]).unwrap().kind else {
                panic!("{document:?}");
            };
            let letters: Vec<_> = letters.iter().map(|p| (p.line, p.column)).collect();
            assert_eq!(letters, places, "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        for (text, line, column) in [("a: [1\nb: 2", 2, 2), ("a: *x", 1, 4), ("? [a]\n: 1", 1, 3)] {
            let place = read(text).unwrap_err().place;
            assert_eq!((place.line, place.column), (line, column), "{text}");
        }
        assert!(read(&"[".repeat(10_000)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = level - 1;
            let many = vec![format!("*a{below}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{many}]\n"));
        }
        let refused = read(&bomb).unwrap_err();
        assert_eq!(refused.problem, "aliases stand for too much");
    }
}
