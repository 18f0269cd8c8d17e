//! Our own reply, on its way back through the proxy's response filters.
//!
//! A reply that is given to the proxy in the request phase passes every response filter before it is sent, ours among
//! them, and it is not what was given any more (Envoy, `source/common/http/utility.cc` `prepareLocalReply`, and
//! `filter_manager.cc`):
//!
//! - A body without content-type gets `text/plain`; an empty body loses its content-type, and has no content-length.
//! - What the route and the virtual host add to responses is added, although the stored response has it already from
//!   when it passed the router. So is what a filter between Larder and the router adds. A field that the proxy keeps in
//!   one line (Cache-Control, say) is then joined, others stand twice.
//!
//! Here the head becomes what was stored again. The first point is known beforehand; of the second the head's size
//! tells whether there is anything to it, so a head that is only as long as it should be is not even read. Under every
//! name that was given stand then just the lines that were given. Names that were not given stay: what adds them is
//! newer than the stored response.
//!
//! Where the body is not the one that was given, its fields are not ours either: the operator rewrites replies
//! (`local_reply_config`), or a filter behind Larder encodes them.

use std::rc::Rc;

use super::lines::{ByName, added, changed};
use super::step::Field;
use super::surplus::{EntryId, Surpluses};
use super::{Effect, State, Step, Verdict};
use crate::http::Headers;
use crate::report::Counter;

const CONTENT_LENGTH: &str = "content-length";
const CONTENT_TYPE: &str = "content-type";
/// What the proxy says of a body whose type it is not told.
const MADE_UP_TYPE: &[u8] = b"text/plain";

/// How large a head is; the proxy tells this without handing it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSize {
    /// Lines, `:status` included.
    pub lines: usize,
    /// Bytes of all names and values.
    pub bytes: usize,
}

impl HeadSize {
    pub(super) const NOTHING: Self = Self { lines: 0, bytes: 0 };

    /// How much it is larger; `None` where it is smaller in some way.
    fn over(self, expected: Self) -> Option<Self> {
        Some(Self {
            lines: self.lines.checked_sub(expected.lines)?,
            bytes: self.bytes.checked_sub(expected.bytes)?,
        })
    }

    fn plus(self, name: &str, value_bytes: usize) -> Self {
        Self {
            lines: self.lines.saturating_add(1),
            bytes: self
                .bytes
                .saturating_add(name.len())
                .saturating_add(value_bytes),
        }
    }
}

/// A reply's head as it was given to the proxy.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) status: u16,
    /// Its fields, as a block of pairs.
    pub(super) pairs: Rc<Vec<u8>>,
    body_bytes: usize,
    /// How large the head is when nobody but the proxy itself has touched it.
    expected: HeadSize,
    media_type: MediaType,
}

/// Whether the reply says what its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MediaType {
    Told,
    Untold,
}

/// A reply that was given to the proxy, and comes by again.
#[derive(Debug)]
pub(super) struct Sent {
    given: Given,
    source: Source,
    /// How much longer its head came by than it should.
    surplus: HeadSize,
}

/// What a reply was made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A stored response.
    Entry(EntryId),
    /// Nothing.
    Nothing,
}

impl Given {
    /// A head of these fields, for a body of so many bytes.
    pub(super) fn new(status: u16, headers: &Headers, body_bytes: usize) -> Self {
        let media_type = match headers.contains(CONTENT_TYPE) {
            true => MediaType::Told,
            false => MediaType::Untold,
        };
        Self {
            status,
            pairs: Rc::new(headers.to_pairs()),
            body_bytes,
            expected: expected(headers, media_type, body_bytes),
            media_type,
        }
    }

    /// Its fields.
    pub(super) fn headers(&self) -> Headers {
        Headers::from_pairs(self.pairs.to_vec()).unwrap_or_default() // it was made here
    }

    /// What the proxy itself is known to have done is undone.
    fn amendments(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.has_made_up_type() {
            effects.push(Effect::RemoveHeader(CONTENT_TYPE));
        }
        if self.body_bytes > 0 {
            return effects;
        }
        if self.media_type == MediaType::Told {
            let name = CONTENT_TYPE.as_bytes();
            let headers = self.headers();
            let lines: Vec<_> = headers
                .all(CONTENT_TYPE)
                .map(|value| (name, value))
                .collect();
            effects.push(Effect::SetField(Field::new(name, &lines)));
        }
        effects.extend(length_of_nothing(self.status));
        effects
    }

    /// Whether what is on its way is the reply that was given, and not what somebody made of it.
    fn has_its_body(&self, found: &Headers) -> bool {
        let is_length = match (self.body_bytes, found.only(CONTENT_LENGTH)) {
            (0, None) => !found.contains(CONTENT_LENGTH),
            (_, None) => false,
            (bytes, Some(length)) => bytes.to_string().as_bytes() == length,
        };
        is_length && found.only(":status") == Some(self.status.to_string().as_bytes())
    }

    fn has_made_up_type(&self) -> bool {
        self.body_bytes > 0 && self.media_type == MediaType::Untold
    }
}

/// How large a head is when nobody but the proxy itself has touched it.
fn expected(headers: &Headers, media_type: MediaType, body_bytes: usize) -> HeadSize {
    let mut size = HeadSize::NOTHING.plus(":status", 3);
    for (name, value) in headers.iter() {
        let is_lost = body_bytes == 0 && name.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes());
        if !is_lost {
            size.lines = size.lines.saturating_add(1);
            size.bytes = size.bytes.saturating_add(name.len());
            size.bytes = size.bytes.saturating_add(value.len());
        }
    }
    if let Some(digits) = body_bytes.checked_ilog10() {
        let digits = usize::try_from(digits).unwrap_or_default();
        size = size.plus(CONTENT_LENGTH, digits.saturating_add(1));
        if media_type == MediaType::Untold {
            size = size.plus(CONTENT_TYPE, MADE_UP_TYPE.len());
        }
    }
    size
}

impl Sent {
    /// A reply that has just been given.
    pub(super) fn new(given: Given, source: Source) -> Self {
        Self {
            given,
            source,
            surplus: HeadSize::NOTHING,
        }
    }

    /// The head comes by, and is so large.
    pub(super) fn returned<'a>(
        mut self: Box<Self>,
        surpluses: &Surpluses,
        size: HeadSize,
    ) -> (State, Step<'a>) {
        let surplus = size.over(self.given.expected);
        if surplus == Some(HeadSize::NOTHING) {
            let effects = self.given.amendments();
            return (State::done(), Step::continue_with(effects));
        }
        if let (Some(surplus), Source::Entry(entry)) = (surplus, self.source) {
            if let Some(names) = surpluses.recall(entry, surplus) {
                let mut effects = self.given.amendments();
                let headers = self.given.headers();
                let lines = ByName::of(&headers);
                let altered = names.iter().filter_map(|name| lines.field(name));
                effects.extend(altered.map(Effect::SetField));
                return (State::done(), Step::continue_with(effects));
            }
            self.surplus = surplus;
        }
        let step = Step {
            verdict: Verdict::Inspect,
            effects: vec![Effect::Count(Counter::Inspected)],
        };
        (State::Serving(self), step)
    }

    /// The head comes by, and is this.
    pub(super) fn inspected<'a>(self, surpluses: &Surpluses, found: &Headers) -> (State, Step<'a>) {
        let given = &self.given;
        if !given.has_its_body(found) {
            return (State::done(), Step::pass());
        }
        let headers = given.headers();
        let lines = (ByName::of(found), ByName::of(&headers));
        let altered: Vec<_> = changed(&lines.0, &lines.1).collect();
        let mut effects = Vec::new();
        // Another type is none that the proxy made up, so somebody meant it.
        if !given.has_made_up_type() || found.only(CONTENT_TYPE) == Some(MADE_UP_TYPE) {
            if let Source::Entry(entry) = self.source {
                let names = altered.iter().map(|(name, _)| *name);
                let names = names.chain(added(&lines.0, &lines.1));
                surpluses.remember(entry, self.surplus, names);
            }
            effects = given.amendments();
        }
        let fields = altered.iter().map(|(name, lines)| Field::new(name, lines));
        effects.extend(fields.map(Effect::SetField));
        (State::done(), Step::continue_with(effects))
    }
}

/// The content-length of an empty body.
///
/// "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx (Informational) or
/// 204 (No Content)." RFC 9110 section 8.6. In a 304 it would be the length of the 200, which is none of an empty body's
/// business.
fn length_of_nothing(status: u16) -> Option<Effect> {
    let has_length = !matches!(status, 204 | 304);
    has_length.then(|| Effect::SetHeader(CONTENT_LENGTH, "0".to_owned()))
}

/// Turns the head of a response on its way, whose body is empty, into this one.
///
/// What the proxy writes of its own accord stays (`server`, `x-envoy-*`, see [`crate::policy::fields`]).
pub(super) fn turn_into(found: &Headers, status: u16, wanted: &Headers) -> Vec<Effect> {
    let (found, wanted) = (ByName::of(found), ByName::of(wanted));
    let is_gone = |name: &[u8]| {
        let is_hosts = name.starts_with(b":") || name.starts_with(b"x-envoy-") || name == b"server";
        !is_hosts && wanted.lines(name).is_empty()
    };
    let names = found.groups().map(|(name, _)| name);
    let gone = names.filter(|name| is_gone(name));
    let mut effects: Vec<_> = gone
        .map(|name| Effect::SetField(Field::new(name, &[])))
        .collect();
    effects.push(Effect::SetHeader(":status", status.to_string()));
    let altered = changed(&found, &wanted);
    effects.extend(altered.map(|(name, lines)| Effect::SetField(Field::new(name, lines))));
    effects.extend(length_of_nothing(status));
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    const GIVEN: Fields<'_> = &[
        ("date", "then"),
        ("etag", "\"1\""),
        ("link", "a"),
        ("Link", "b"),
    ];

    fn sent(status: u16, fields: Fields<'_>, body_bytes: usize) -> Sent {
        let headers = fields.iter().copied().collect();
        Sent::new(Given::new(status, &headers, body_bytes), Source::Nothing)
    }

    /// A head as the effects leave it, lines by name.
    fn mended(found: Fields<'_>, effects: Vec<Effect>) -> Headers {
        let mut head: Headers = found.iter().copied().collect();
        for effect in effects {
            match effect {
                Effect::RemoveHeader(name) => head.remove(name),
                Effect::SetField(field) => {
                    head.remove(std::str::from_utf8(&field.name).unwrap());
                    for line in &field.lines {
                        head.push(&field.name, line);
                    }
                }
                Effect::SetHeader(name, value) => {
                    head.remove(name);
                    head.push(name, value);
                }
                other @ (Effect::AddHeader(..)
                | Effect::Compress(_)
                | Effect::Count(_)
                | Effect::Gather(_)
                | Effect::Land(..)
                | Effect::Measure(..)
                | Effect::Refresh(_)
                | Effect::Watch(_)
                | Effect::Invalidate(_)
                | Effect::RemoveRequestHeader(_)
                | Effect::SetRequestHeader(..)
                | Effect::Store(_)) => panic!("{other:?}"),
            }
        }
        let lines = ByName::of(&head);
        lines
            .groups()
            .flat_map(|(_, lines)| lines)
            .copied()
            .collect()
    }

    #[test]
    fn the_size_is_that_of_what_the_host_makes() {
        let size = |lines, bytes| HeadSize { lines, bytes };
        let fields = 8 + 7 + 5 + 5;
        let type_and_length = "content-typetext/plaincontent-length".len();
        assert_eq!(sent(200, GIVEN, 0).given.expected, size(5, 10 + fields));
        for (body, digits) in [(1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (1_048_576, 7)] {
            let expected = size(7, 10 + fields + type_and_length + digits);
            assert_eq!(sent(200, GIVEN, body).given.expected, expected, "{body}");
        }
        let typed: Fields<'_> = &[("Content-Type", "a/b")];
        assert_eq!(sent(200, typed, 0).given.expected, size(1, 10));
        assert_eq!(sent(200, typed, 5).given.expected, size(3, 10 + 15 + 15));
    }

    #[test]
    fn what_was_given_is_set_again() {
        let rows: [(&str, Fields<'_>, Fields<'_>); 4] = [
            (
                "added in front, joined, and behind",
                &[
                    (":status", "200"),
                    ("x-new", "1"),
                    ("link", "route"),
                    ("date", "then"),
                    ("etag", "\"0\",\"1\""),
                    ("link", "a"),
                    ("link", "b"),
                    ("content-length", "5"),
                    ("content-type", "text/plain"),
                    ("link", "filter"),
                ],
                &[
                    (":status", "200"),
                    ("content-length", "5"),
                    ("date", "then"),
                    ("etag", "\"1\""),
                    ("link", "a"),
                    ("link", "b"),
                    ("x-new", "1"),
                ],
            ),
            (
                "removed",
                &[
                    (":status", "200"),
                    ("content-length", "5"),
                    ("date", "then"),
                ],
                &[
                    (":status", "200"),
                    ("content-length", "5"),
                    ("date", "then"),
                    ("etag", "\"1\""),
                    ("link", "a"),
                    ("link", "b"),
                ],
            ),
            (
                "another body",
                &[
                    (":status", "200"),
                    ("content-length", "6"),
                    ("etag", "W/\"1\""),
                ],
                &[
                    (":status", "200"),
                    ("content-length", "6"),
                    ("etag", "W/\"1\""),
                ],
            ),
            (
                "encoded on the way",
                &[
                    (":status", "200"),
                    ("content-encoding", "gzip"),
                    ("etag", "W/\"1\""),
                ],
                &[
                    (":status", "200"),
                    ("content-encoding", "gzip"),
                    ("etag", "W/\"1\""),
                ],
            ),
        ];
        for (name, found, expected) in rows {
            let head: Headers = found.iter().copied().collect();
            let (_, step) = sent(200, GIVEN, 5).inspected(&Surpluses::new(), &head);
            let found = mended(found, step.effects);
            let mut expected: Vec<_> = expected.to_vec();
            expected.sort_by_key(|(name, _)| *name);
            assert_eq!(found, Headers::from_iter(expected), "{name}");
        }
    }
}
