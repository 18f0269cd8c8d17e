//! The fields of a request that can make a difference to its answer from the cache.
//!
//! Everything between the request and the answer is a function of these fields, the stored responses, the time and the
//! order of invalidations: which rule matches, the key, the variant, the client's directives, conditions and codings. So
//! two requests that agree on them, line by line, get the same answer at the same moment, whatever else they say. The list
//! is one of three parts: what every request is judged by, what the operator's rules read, and what the `Vary` of answers
//! on the shelf has named. A property of the exchange (`tests/scenarios/hot.rs`) holds it against requests of all kinds.

use crate::config::Config;
use crate::http::{Headers, is_influence};

/// Names that `Vary` may add in a worker's life, over all responses.
const MOST_LEARNED: usize = 64;
/// No longer name is learned.
const LONGEST_NAME: usize = 64;

/// The names of the fields that tell requests apart.
#[derive(Clone, Debug, Default)]
pub struct TellingFields {
    /// Beside those of [`is_always_telling`]; in lower case, each once.
    chosen: Vec<Box<str>>,
    learned: usize,
}

/// There are too many names already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlearned;

/// Whether every request is judged by it.
fn is_always_telling(name: &[u8]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    let is_known = match name.len() {
        5 => is(b"range"),
        6 => is(b"pragma"),
        7 => is(b"upgrade"),
        8 => is(b"if-match") || is(b"if-range"),
        12 => is(b"content-type"),
        13 => is(b"cache-control") || is(b"if-none-match"),
        15 => is(b"accept-encoding"),
        17 => is(b"if-modified-since") || is(b"x-forwarded-proto"),
        19 => is(b"if-unmodified-since"),
        _ => false,
    };
    is_known || is_influence(name)
}

impl TellingFields {
    /// Those of every request, and those that some rule reads.
    pub fn of(config: &Config) -> Self {
        let mut fields = Self::default();
        for name in config.request_fields() {
            fields.add(name);
        }
        fields
    }

    fn add(&mut self, name: &str) {
        if !self.is_chosen(name.as_bytes()) {
            self.chosen.push(name.to_ascii_lowercase().into());
        }
    }

    /// These too, from now on. What was written without them stays right: it did not depend on them.
    ///
    /// # Errors
    /// [`Unlearned`] when there would be too many names, or one is too long; then nothing may be kept that depends on them.
    pub fn learn(&mut self, names: &[String]) -> Result<(), Unlearned> {
        for name in names {
            if is_always_telling(name.as_bytes()) || self.is_chosen(name.as_bytes()) {
                continue;
            }
            if self.learned >= MOST_LEARNED || name.len() > LONGEST_NAME {
                return Err(Unlearned);
            }
            self.learned = self.learned.saturating_add(1);
            self.add(name);
        }
        Ok(())
    }

    /// Writes the telling lines of a request behind what is in `out`, so that no two different requests are written alike.
    pub fn write(&self, request: &Headers, out: &mut Vec<u8>) {
        for (name, value) in request.iter() {
            let is_telling =
                name.starts_with(b":") || is_always_telling(name) || self.is_chosen(name);
            if is_telling {
                // Neither can be as long as 4 GiB in a 32-bit guest.
                for part in [name, value] {
                    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
                    out.extend_from_slice(&length.to_le_bytes());
                    out.extend_from_slice(part);
                }
            }
        }
    }

    fn is_chosen(&self, name: &[u8]) -> bool {
        let mut chosen = self.chosen.iter();
        chosen.any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &TellingFields, lines: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        fields.write(&lines.iter().copied().collect(), &mut out);
        out
    }

    #[test]
    fn what_makes_no_difference_is_left_out() {
        let config = br#"{"rules":[{"name":"a","match":{"headers":{"x-api":"2"}},"ttl_seconds":1,
            "key":{"headers":["X-Tenant"],"cookies":["c"]},
            "identity":{"header":"x-user"}}]}"#;
        let fields = TellingFields::of(&Config::parse(config).unwrap());
        let plain = [(":path", "/"), ("range", "bytes=0-1")];
        let with =
            |line: (&'static str, &'static str)| written(&fields, &[plain[0], line, plain[1]]);
        for line in [
            ("user-agent", "x"),
            ("x-request-id", "1"),
            ("accept", "*/*"),
        ] {
            assert_eq!(with(line), written(&fields, &plain), "{line:?}");
        }
        for name in [
            ":scheme",
            "Cache-Control",
            "if-none-match",
            "x-api",
            "x-tenant",
            "Cookie",
            "x-user",
            "authorization",
        ] {
            let (one, other) = (with((name, "1")), with((name, "2")));
            assert_ne!(one, written(&fields, &plain), "{name}");
            assert_ne!(one, other, "{name}");
        }
    }

    #[test]
    fn what_varies_is_learned_up_to_a_number() {
        let mut fields = TellingFields::default();
        let line = [("accept-language", "de")];
        assert_eq!(written(&fields, &line), b"");
        assert_eq!(fields.learn(&["accept-language".to_owned()]), Ok(()));
        assert_ne!(written(&fields, &line), b"");
        let names: Vec<String> = (0..MOST_LEARNED).map(|n| format!("x-{n}")).collect();
        assert_eq!(fields.learn(&names), Err(Unlearned));
        assert_eq!(fields.learn(&names[..9]), Ok(()), "those are known");
        assert_eq!(fields.learn(&["x".repeat(65)]), Err(Unlearned));
    }

    #[test]
    fn lines_cannot_be_shifted_into_one_another() {
        let fields = TellingFields::default();
        let one = written(&fields, &[(":path", "/a"), ("range", "b")]);
        for other in [
            &[(":path", "/ab"), ("range", "")][..],
            &[(":pat", "h/a"), ("range", "b")],
            &[("range", "b"), (":path", "/a")],
            &[(":path", "/a"), ("range", "b"), ("range", "")],
        ] {
            assert_ne!(written(&fields, other), one, "{other:?}");
        }
    }
}
