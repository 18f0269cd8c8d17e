//! JSON (RFC 8259), a byte at a time, without a tree: what begins and what ends.

/// So deep may arrays and objects stand in each other.
const MOST_DEPTH: u8 = 128;

/// Where in a text a reader stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    state: State,
    /// One bit for each open array or object, the innermost lowest: whether it is an object.
    objects: u128,
    depth: u8,
}

/// What comes next, or what the byte before belongs to.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A value.
    Value,
    /// A value, or `]`.
    FirstValue,
    Name,
    /// A name, or `}`.
    FirstName,
    Colon,
    /// A comma, or the end of what is open.
    Behind,
    /// Nothing but white space.
    Over,
    Text(Text),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Number),
}

/// Within a string.
#[derive(Clone, Copy, Debug)]
struct Text {
    is_name: bool,
    escape: Escape,
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    No,
    Backslash,
    /// So many hexadecimal digits are to come.
    Digits(u8),
}

/// The part of a number that the last byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// What a byte does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It goes on.
    Nothing,
    /// A value begins with it.
    Begins(Kind),
    /// A value ends with it.
    Ends,
    /// A value has ended before it, and it has to be read again.
    HasEnded,
    NameBegins,
    NameEnds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Scalar,
    Text,
}

impl Default for Grammar {
    fn default() -> Self {
        Self {
            state: State::Value,
            objects: 0,
            depth: 0,
        }
    }
}

impl Grammar {
    /// How many arrays and objects are open.
    pub(super) fn depth(&self) -> u8 {
        self.depth
    }

    /// Whether what has come is all of a text.
    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Over => true,
            State::Number(number) => self.depth == 0 && number.may_end(),
            State::Value
            | State::FirstValue
            | State::Name
            | State::FirstName
            | State::Colon
            | State::Behind
            | State::Text(_)
            | State::Word(_) => false,
        }
    }

    /// Whether it stands in a string, behind no backslash.
    pub(super) fn is_in_text(&self) -> bool {
        let State::Text(text) = self.state else {
            return false;
        };
        matches!(text.escape, Escape::No)
    }

    /// Takes in a byte; `None` where it cannot stand there.
    pub(super) fn step(&mut self, byte: u8) -> Option<Event> {
        match self.state {
            State::Text(text) => self.text(text, byte),
            State::Number(number) => match number.step(byte) {
                Some(number) => self.go(State::Number(number), Event::Nothing),
                None => number.may_end().then(|| self.ended(Event::HasEnded)),
            },
            State::Word(rest) => {
                let (expected, rest) = rest.split_first()?;
                match (*expected == byte, rest) {
                    (false, _) => None,
                    (true, []) => Some(self.ended(Event::Ends)),
                    (true, rest) => self.go(State::Word(rest), Event::Nothing),
                }
            }
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => Some(Event::Nothing),
            State::FirstValue if byte == b']' => self.close(false),
            State::Value | State::FirstValue => self.value(byte),
            State::FirstName if byte == b'}' => self.close(true),
            State::Name | State::FirstName => {
                let name = State::Text(Text {
                    is_name: true,
                    escape: Escape::No,
                });
                (byte == b'"').then(|| self.go(name, Event::NameBegins))?
            }
            State::Colon => (byte == b':').then(|| self.go(State::Value, Event::Nothing))?,
            State::Behind => match byte {
                b',' if self.is_in_object() => self.go(State::Name, Event::Nothing),
                b',' => self.go(State::Value, Event::Nothing),
                b'}' => self.close(true),
                b']' => self.close(false),
                _ => None,
            },
            State::Over => None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what all steps give")]
    fn go(&mut self, state: State, event: Event) -> Option<Event> {
        self.state = state;
        Some(event)
    }

    fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn value(&mut self, byte: u8) -> Option<Event> {
        let (state, kind) = match byte {
            b'{' => return self.open(State::FirstName, Kind::Object),
            b'[' => return self.open(State::FirstValue, Kind::Array),
            b'"' => {
                let text = Text {
                    is_name: false,
                    escape: Escape::No,
                };
                (State::Text(text), Kind::Text)
            }
            b't' => (State::Word(b"rue"), Kind::Scalar),
            b'f' => (State::Word(b"alse"), Kind::Scalar),
            b'n' => (State::Word(b"ull"), Kind::Scalar),
            b'-' => (State::Number(Number::Minus), Kind::Scalar),
            b'0' => (State::Number(Number::Zero), Kind::Scalar),
            b'1'..=b'9' => (State::Number(Number::Whole), Kind::Scalar),
            _ => return None,
        };
        self.go(state, Event::Begins(kind))
    }

    fn open(&mut self, state: State, kind: Kind) -> Option<Event> {
        if self.depth >= MOST_DEPTH {
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        self.objects = self.objects.wrapping_shl(1) | u128::from(kind == Kind::Object);
        self.go(state, Event::Begins(kind))
    }

    fn close(&mut self, is_object: bool) -> Option<Event> {
        if self.is_in_object() != is_object || self.depth == 0 {
            return None;
        }
        self.depth = self.depth.saturating_sub(1);
        self.objects = self.objects.wrapping_shr(1);
        Some(self.ended(Event::Ends))
    }

    fn ended(&mut self, event: Event) -> Event {
        self.state = match self.depth {
            0 => State::Over,
            _ => State::Behind,
        };
        event
    }

    fn text(&mut self, text: Text, byte: u8) -> Option<Event> {
        let escape = match (text.escape, byte) {
            (Escape::No, b'"') if text.is_name => return self.go(State::Colon, Event::NameEnds),
            (Escape::No, b'"') => return Some(self.ended(Event::Ends)),
            (Escape::No, b'\\') => Escape::Backslash,
            (Escape::No, 0..0x20) => return None,
            (Escape::No, _) => return Some(Event::Nothing),
            (Escape::Backslash, b'u') => Escape::Digits(4),
            (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Escape::No
            }
            (Escape::Backslash, _) => return None,
            (Escape::Digits(_), byte) if !byte.is_ascii_hexdigit() => return None,
            (Escape::Digits(..=1), _) => Escape::No,
            (Escape::Digits(left), _) => Escape::Digits(left.saturating_sub(1)),
        };
        self.go(State::Text(Text { escape, ..text }), Event::Nothing)
    }
}

impl Number {
    fn may_end(self) -> bool {
        match self {
            Self::Zero | Self::Whole | Self::Fraction | Self::ExponentDigits => true,
            Self::Minus | Self::Point | Self::Exponent | Self::ExponentSign => false,
        }
    }

    fn step(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus | Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Some(Self::ExponentDigits)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn is_json(text: &[u8]) -> bool {
        super::super::is_json(text)
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for text in [
            "0",
            "-0",
            "-0.0e+10",
            "10.25E-3",
            "1e5",
            " true ",
            "null",
            "\"\"",
            "\"\\u00e4\\\"\\/\"",
            "[]",
            "{}",
            "[1,\t\"a\" ,{\"a\":[]}]\r\n",
            "{\"a\":1,\"a\":{\"b\":[{}]}}",
        ] {
            assert!(is_json(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            " ",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "tru",
            "truex",
            "nul",
            "\"",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "[",
            "]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[}",
            "{]",
            "1 1",
            "[]]",
            "\u{feff}1",
            "'a'",
            "NaN",
        ] {
            assert!(!is_json(text.as_bytes()), "{text}");
        }
        assert!(!is_json(b"\"\xff\""));
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(is_json(nested(128).as_bytes()) && !is_json(nested(129).as_bytes()));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\"a\""),
            Just("\"$include\""),
            Just("\"\\"),
            Just("1"),
            Just("-"),
            Just("0.5"),
            Just("e9"),
            Just("true"),
            Just("null"),
            Just(" "),
            Just("\\u12"),
            Just("\""),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn it_is_what_others_take_for_json(text in pieces()) {
            let others = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_json(text.as_bytes()), others, "{}", text);
        }
    }
}
