//! The tests of `esi:when`: comparisons of variables and literals, joined by `!`, `&` and `|` in this order.
//!
//! What cannot be read is false, and so is what is too deep. Two numbers are compared as numbers, all else as text. "If an operand
//! is empty or undefined, the expression will always evaluate to false" (ESI Language Specification 1.0, section 5.1): so does a
//! comparison here, but for the one with `''`, which asks for just that.

mod operand;

use crate::client::Client;
use operand::Operand;

/// So deep may parentheses and `!` stand in each other.
const MOST_DEPTH: u8 = 16;

/// Whether a test holds for this client.
pub(crate) fn holds(test: &[u8], client: &mut Client) -> bool {
    let mut reader = Reader { rest: test, client };
    let holds = reader.either(MOST_DEPTH);
    reader.space();
    holds == Some(true) && reader.rest.is_empty()
}

struct Reader<'a, 'c> {
    rest: &'a [u8],
    client: &'c mut Client,
}

impl<'a> Reader<'a, '_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Goes behind a sign, if that comes next.
    fn sign(&mut self, sign: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(sign.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn either(&mut self, depth: u8) -> Option<bool> {
        let mut holds = self.both(depth)?;
        while self.sign("||") || self.sign("|") {
            holds |= self.both(depth)?;
        }
        Some(holds)
    }

    fn both(&mut self, depth: u8) -> Option<bool> {
        let mut holds = self.not(depth)?;
        while self.sign("&&") || self.sign("&") {
            holds &= self.not(depth)?;
        }
        Some(holds)
    }

    fn not(&mut self, depth: u8) -> Option<bool> {
        match self.sign("!") {
            true => Some(!self.not(depth.checked_sub(1)?)?),
            false => self.comparison(depth),
        }
    }

    fn comparison(&mut self, depth: u8) -> Option<bool> {
        if self.sign("(") {
            let holds = self.either(depth.checked_sub(1)?)?;
            return self.sign(")").then_some(holds);
        }
        let left = self.operand()?;
        let Some(comparison) = self.operator() else {
            return Some(left.is_true());
        };
        let right = self.operand()?;
        Some(left.is(comparison, &right))
    }

    fn operator(&mut self) -> Option<operand::Comparison> {
        let mut known = operand::OPERATORS.iter();
        let (_, comparison) = known.find(|(sign, _)| self.sign(sign))?;
        Some(*comparison)
    }

    fn operand(&mut self) -> Option<Operand<'a>> {
        self.space();
        let (operand, rest) = Operand::read(self.rest, self.client)?;
        self.rest = rest;
        Some(operand)
    }
}
