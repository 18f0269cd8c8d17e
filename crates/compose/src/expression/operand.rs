//! What is compared.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::client::Client;
use crate::variable;

/// A longer text is in none: it would be compared at each place of the other.
const MOST_SOUGHT_BYTES: usize = 256;

/// A value of either side.
#[derive(Debug)]
pub(super) struct Operand<'a> {
    text: Cow<'a, [u8]>,
    is_literal: bool,
}

/// How two are compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    /// By their order, which has to be one of these.
    Order(&'static [Ordering]),
    /// Whether the right one is in the left one.
    Has,
}

/// What is written for it; what begins like another comes before that.
pub(super) const OPERATORS: [(&str, Comparison); 7] = [
    ("==", Comparison::Order(&[Ordering::Equal])),
    (
        "!=",
        Comparison::Order(&[Ordering::Less, Ordering::Greater]),
    ),
    ("<=", Comparison::Order(&[Ordering::Less, Ordering::Equal])),
    (
        ">=",
        Comparison::Order(&[Ordering::Greater, Ordering::Equal]),
    ),
    ("<", Comparison::Order(&[Ordering::Less])),
    (">", Comparison::Order(&[Ordering::Greater])),
    ("has ", Comparison::Has),
];

impl<'a> Operand<'a> {
    /// Reads one, and gives what stands behind it.
    pub(super) fn read(text: &'a [u8], client: &mut Client) -> Option<(Self, &'a [u8])> {
        if let variable::Read::Is(length, variable) = variable::read(text) {
            let text_of = match variable.value(client) {
                Some(value) => Cow::Owned(value.text.into_bytes()),
                None => Cow::Owned(variable.default().to_vec()),
            };
            let operand = Self {
                text: text_of,
                is_literal: false,
            };
            return Some((operand, text.get(length..)?));
        }
        let (literal, rest) = match text.strip_prefix(b"'") {
            Some(quoted) => {
                let end = quoted.iter().position(|byte| *byte == b'\'')?;
                (quoted.get(..end)?, quoted.get(end.saturating_add(1)..)?)
            }
            None => {
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
                let end = text.iter().position(|byte| !is_word(byte));
                text.split_at_checked(end.unwrap_or(text.len()))?
            }
        };
        let is_some = !literal.is_empty() || text.starts_with(b"'");
        let operand = Self {
            text: Cow::Borrowed(literal),
            is_literal: true,
        };
        is_some.then_some((operand, rest))
    }

    /// Whether it is something, alone.
    pub(super) fn is_true(&self) -> bool {
        !self.text.is_empty() && *self.text != *b"false"
    }

    fn is_undefined(&self) -> bool {
        self.text.is_empty() && !self.is_literal
    }

    pub(super) fn is(&self, comparison: Comparison, other: &Self) -> bool {
        let asks_for_nothing = |one: &Self| one.is_literal && one.text.is_empty();
        let is_of_nothing = self.is_undefined() || other.is_undefined();
        if is_of_nothing && !asks_for_nothing(self) && !asks_for_nothing(other) {
            return false;
        }
        match comparison {
            Comparison::Order(orders) => orders.contains(&order(&self.text, &other.text)),
            Comparison::Has => match other.text.len() {
                0 => true,
                length @ 1..=MOST_SOUGHT_BYTES => {
                    let mut parts = self.text.windows(length);
                    parts.any(|part| *part == *other.text)
                }
                _ => false,
            },
        }
    }
}

/// The order of two numbers, or else of two texts.
fn order(left: &[u8], right: &[u8]) -> Ordering {
    match (Number::read(left), Number::read(right)) {
        (Some(left), Some(right)) => left.order(&right),
        (Some(_) | None, _) => left.cmp(right),
    }
}

/// A decimal number of any length, so that no two are the same that are not.
struct Number<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Number<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let mut halves = digits.splitn(2, |byte| *byte == b'.');
        let whole = halves.next().unwrap_or_default();
        let fraction = halves.next();
        let is_digits = |half: &[u8]| !half.is_empty() && half.iter().all(u8::is_ascii_digit);
        if !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let fraction = fraction.unwrap_or_default();
        let last = fraction.iter().rposition(|byte| *byte != b'0');
        let length = last.map_or(0, |last| last.saturating_add(1));
        let number = Self {
            is_negative,
            whole: whole.get(zeros..)?,
            fraction: fraction.get(..length)?,
        };
        let is_zero = number.whole.is_empty() && number.fraction.is_empty();
        Some(Self {
            is_negative: is_negative && !is_zero,
            ..number
        })
    }

    fn order(&self, other: &Self) -> Ordering {
        let size = |one: &Self, two: &Self| {
            let wholes = one.whole.len().cmp(&two.whole.len());
            let wholes = wholes.then_with(|| one.whole.cmp(two.whole));
            wholes.then_with(|| one.fraction.cmp(two.fraction))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}
