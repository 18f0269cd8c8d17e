//! JSON with includes: an object whose one member is `"$include": "/path"` stands for the JSON that is there, with `"$default"` beside
//! it, in either order, for that which is taken when nothing is.
//!
//! Everything else stays byte for byte as it came, in strings too. What is no JSON is text from there on. The names are only known as they
//! are written here, without escapes; what `$default` holds is taken as it is.

mod grammar;

use std::ops::Range;

use grammar::{Event, Grammar, Kind};

use crate::address::address;
use crate::page::Failure;
use crate::sheet::{Address, End, Instead, Parts, Place};

/// How far a template is read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    grammar: Grammar,
    at: usize,
    /// Everything before is in a piece.
    kept: usize,
    is_broken: bool,
    /// Where the last name begins.
    name: usize,
    candidate: Option<Candidate>,
}

/// An object that may be an include.
#[derive(Debug)]
struct Candidate {
    start: usize,
    /// What is open within it.
    depth: u8,
    member: Member,
    /// Where the value of that member begins.
    value: usize,
    include: Option<Range<usize>>,
    default: Option<Range<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Include,
    Default,
}

/// Whether bytes are JSON, in UTF-8.
pub(crate) fn is_json(text: &[u8]) -> bool {
    let mut reader = Reader::default();
    reader.scan(text, None);
    reader.is_valid() && std::str::from_utf8(text).is_ok()
}

/// Whether a byte is anything but text within a string.
fn ends_a_run(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

impl Reader {
    pub(crate) fn read(&mut self, text: &[u8], end: End, parts: &mut Parts) {
        self.scan(text, Some(parts));
        if end == End::Reached {
            parts.text(Place::Open, self.kept..text.len());
            self.kept = text.len();
        }
    }

    /// Whether what has come is all of a text.
    pub(crate) fn is_valid(&self) -> bool {
        !self.is_broken && self.grammar.is_over()
    }

    fn scan(&mut self, text: &[u8], mut parts: Option<&mut Parts>) {
        while let Some(byte) = text.get(self.at).filter(|_| !self.is_broken) {
            if self.grammar.is_in_text() && !ends_a_run(*byte) {
                let rest = text.get(self.at..).unwrap_or_default();
                let run = rest.iter().position(|byte| ends_a_run(*byte));
                self.at = self.at.saturating_add(run.unwrap_or(rest.len()));
                continue;
            }
            let Some(event) = self.grammar.step(*byte) else {
                self.is_broken = true;
                return;
            };
            if let Some(parts) = parts.as_deref_mut() {
                self.event(event, text, parts);
            }
            if event != Event::HasEnded {
                self.at = self.at.saturating_add(1);
            }
        }
    }

    fn event(&mut self, event: Event, text: &[u8], parts: &mut Parts) {
        let next = self.at.saturating_add(1);
        match event {
            Event::Nothing => {}
            Event::Begins(kind) => self.begins(kind),
            Event::Ends => self.ends(next, text, parts),
            Event::HasEnded => self.ends(self.at, text, parts),
            Event::NameBegins => self.name = next,
            Event::NameEnds => self.names(text.get(self.name..self.at).unwrap_or_default()),
        }
    }

    fn begins(&mut self, kind: Kind) {
        let depth = self.grammar.depth();
        let around = match kind {
            Kind::Array | Kind::Object => depth.saturating_sub(1),
            Kind::Scalar | Kind::Text => depth,
        };
        if let Some(candidate) = &mut self.candidate
            && candidate.depth == around
        {
            candidate.value = self.at;
            if candidate.member == Member::Include && kind != Kind::Text {
                self.candidate = None;
            }
        }
        if kind == Kind::Object && self.candidate.is_none() {
            self.candidate = Some(Candidate {
                start: self.at,
                depth,
                member: Member::Include,
                value: self.at,
                include: None,
                default: None,
            });
        }
    }

    fn names(&mut self, name: &[u8]) {
        let depth = self.grammar.depth();
        let Some(candidate) = self.candidate.as_mut().filter(|one| one.depth == depth) else {
            return;
        };
        candidate.member = match name {
            b"$include" if candidate.include.is_none() => Member::Include,
            b"$default" if candidate.default.is_none() => Member::Default,
            _ => {
                self.candidate = None; // another object, in which there may be others
                return;
            }
        };
    }

    fn ends(&mut self, end: usize, text: &[u8], parts: &mut Parts) {
        let depth = self.grammar.depth();
        let Some(candidate) = &mut self.candidate else {
            return;
        };
        if candidate.depth == depth {
            let value = Some(candidate.value..end);
            match candidate.member {
                Member::Include => candidate.include = value,
                Member::Default => candidate.default = value,
            }
        } else if candidate.depth > depth
            && let Some(candidate) = self.candidate.take()
            && let Some(include) = candidate.include
        {
            parts.text(Place::Open, self.kept..candidate.start);
            self.kept = end;
            let written = text.get(include).unwrap_or_default();
            let instead = candidate.default.map_or(Instead::Null, Instead::Text);
            parts.include(Place::Open, (addressed(written, parts), None), instead);
        }
    }
}

/// The address that is written as a string.
fn addressed(written: &[u8], parts: &Parts) -> Address {
    let inside = written
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let text = inside.and_then(unescaped).ok_or(Failure::Address)?;
    address(parts.base.as_ref(), &text)
}

/// A string without its escapes; `None` where one is of a character that no address has.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Some(out),
            [b'\\', b'u', digits @ ..] => {
                let (digits, behind) = digits.split_at_checked(4)?;
                let number = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                out.push(u8::try_from(number).ok().filter(u8::is_ascii_graphic)?);
                behind
            }
            [b'\\', byte @ (b'/' | b'"' | b'\\'), behind @ ..] => {
                out.push(*byte);
                behind
            }
            [b'\\', ..] => return None,
            [byte, behind @ ..] => {
                out.push(*byte);
                behind
            }
        };
    }
}
