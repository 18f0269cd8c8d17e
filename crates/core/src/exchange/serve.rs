//! A client's response from an entry.
//!
//! The reply passes the proxy's response filters like any other, and ours again ([`super::echo`]). The proxy writes
//! content-length from the body, so a HEAD gets the whole body here and the client none of it. `date` stays what the origin sent; `age` is ours.

use std::borrow::Cow;
use std::rc::Rc;

use super::compose::{self, Asked};
use super::echo::{Given, Sent, Source};
use super::request::Subject;
use super::{Effect, Reply, State, Step, Surroundings, Verdict, partial};
use crate::config::{AddedHeaders, CachePolicy, Switch};
use crate::entry::{FreshnessSource, Meta};
use crate::http::{ContentRange, Headers, Method, RequestHead, list, remove_tags};
use crate::policy::Reason;
use crate::policy::range::{Coverage, RangeRequest, Validators};
use crate::policy::validation::{self, Condition, Preconditions};
use crate::report::{Annotation, Counter, Forward, Line, Outcome, ServedFrom, Storing};
use crate::time::Seconds;

/// The host drops all fields of a reply that has more than 1,024 of them, or more than 1 MiB, without a word
/// (proxy-wasm-cpp-host `src/pairs_util.cc`, `limits.h`); an answer from the cache adds a few of its own.
const MAX_FIELDS: usize = 1000;
const MAX_FIELD_BYTES: usize = 1_000_000; // each takes ten more in the block

/// Whether a reply can have these fields, and so many `more` of Larder's own.
fn is_within_bounds(headers: &Headers, more: usize) -> bool {
    let size = |(name, value): (&[u8], &[u8])| name.len().saturating_add(value.len());
    let bytes = headers.iter().map(size).fold(0, usize::saturating_add);
    headers.len().saturating_add(more) <= MAX_FIELDS && bytes <= MAX_FIELD_BYTES
}

/// Whether there is room for a response's fields, and for the Cache-Control and ETag that may be added to them.
pub(super) fn is_storable(headers: &Headers) -> bool {
    is_within_bounds(headers, 2)
}

/// Whether stored fields can be sent. Anything may stand in a slot, and the host writes what it is given: a line break
/// in a value would begin another field, or another response.
pub(super) fn is_sendable(headers: &Headers) -> bool {
    let is_field = |(name, value): (&[u8], &[u8])| {
        !name.is_empty()
            && name.iter().copied().all(list::is_token_byte)
            && list::is_one_line(value)
    };
    is_within_bounds(headers, 0) && headers.iter().all(is_field)
}

/// A stored response that may be used.
pub(super) struct Found<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Cow<'a, [u8]>,
    /// What tells its parts from those of others.
    pub(super) validators: Validators,
    /// Its age now.
    pub(super) age: Seconds,
    pub(super) warrant: Warrant,
}

/// Why it may be used.
pub(super) enum Warrant {
    /// It is fresh, and stays so for this long; another process has fetched it, and this request has asked the fleet for it.
    Brought(Seconds),
    /// It is fresh, and was fetched by another request, for which this one has waited; it would have been forwarded.
    Collapsed(Forward),
    /// The origin has just said that it is still good.
    Confirmed(Forward, Storing),
    /// It is fresh, and stays so for this long.
    Fresh(Seconds),
    /// It has been stale for so long, and is given in place of what has come from the origin, if anything has.
    Instead {
        forward: Forward,
        status: Option<u16>,
        overdue: Seconds,
        why: Reason,
    },
    /// It has been stale for this long, and somebody lets it be used.
    Stale(Seconds, Reason),
}

/// What the client is sent, before the cache has had its word.
pub(super) struct Content<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Cow<'a, [u8]>,
    /// A word for the proxy's access log.
    pub(super) details: &'static str,
}

impl<'a> Content<'a> {
    /// The stored response as it is.
    pub(super) fn whole(found: Found<'a>) -> Self {
        Self {
            status: found.status,
            headers: found.headers,
            body: found.body,
            details: "larder_hit",
        }
    }

    /// 304 in its place.
    fn not_modified(found: &Found<'_>) -> Self {
        Self {
            status: 304,
            headers: validation::not_modified_fields(&found.headers),
            body: Cow::Borrowed(&[]),
            details: "larder_not_modified",
        }
    }
}

/// An answer that is ready to go.
pub(super) struct Answered<'a> {
    pub(super) content: Content<'a>,
    /// From which field on they are [`timed_lines`].
    pub(super) timed_from: usize,
    pub(super) effects: Vec<Effect>,
    /// Where it is a template.
    pub(super) template: Option<Box<Asked>>,
}

impl<'a> Answered<'a> {
    /// It is sent in place of the request, and comes by again before the client gets it.
    pub(super) fn reply(self, source: Source) -> (State, Step<'a>) {
        let content = self.content;
        if let Some(asked) = self.template {
            return compose::begin(*asked, (content, self.effects), source);
        }
        let given = Given::new(content.status, &content.headers, content.body.len());
        let reply = Reply {
            status: content.status,
            pairs: Rc::clone(&given.pairs),
            body: content.body.into(),
            details: content.details,
        };
        let step = Step {
            verdict: Verdict::Reply(reply),
            effects: self.effects,
        };
        (State::Serving(Box::new(Sent::new(given, source))), step)
    }
}

/// The lines that change with time, which stand behind all others.
pub(super) fn timed_lines(
    age: Option<Seconds>,
    annotation: Annotation,
    added: AddedHeaders,
) -> impl Iterator<Item = (&'static str, String)> {
    let age = age.map(|age| ("age", age.get().to_string()));
    let lines = annotation.lines(added).map(|line| match line {
        Line::Alone(name, value) | Line::Behind(name, value) => (name, value),
    });
    age.into_iter().chain(lines)
}

/// Answers the request with the stored response: all of it, the parts it asks for, or 304 where the client has it already.
pub(super) fn answer<'a>(
    found: Found<'a>,
    subject: &Subject,
    around: &Surroundings,
) -> Answered<'a> {
    let request = &subject.head;
    answer_with(found, subject, around, |found| selected(found, request))
}

/// Answers the request with what `select` takes of the stored response, or 304 where the client has it already.
pub(super) fn answer_with<'a>(
    found: Found<'a>,
    subject: &Subject,
    around: &Surroundings,
    select: impl FnOnce(Found<'a>) -> Content<'a>,
) -> Answered<'a> {
    let (annotation, outcome) = match found.warrant {
        Warrant::Confirmed(forward, storing) => (
            Annotation::Revalidated(forward, storing),
            Outcome::Revalidated,
        ),
        Warrant::Collapsed(forward) => {
            let age = found.age;
            (Annotation::Collapsed { age, forward }, Outcome::Collapsed)
        }
        Warrant::Brought(ttl) => (
            Annotation::Brought {
                age: found.age,
                ttl,
            },
            Outcome::of_fresh(found.status),
        ),
        Warrant::Fresh(ttl) => (
            Annotation::Hit {
                age: found.age,
                ttl,
            },
            Outcome::of_fresh(found.status),
        ),
        Warrant::Instead {
            forward,
            status,
            overdue,
            why,
        } => (
            Annotation::Instead {
                age: found.age,
                overdue,
                why,
                forward,
                status,
            },
            Outcome::Stale,
        ),
        Warrant::Stale(overdue, why) => (
            Annotation::Stale {
                age: found.age,
                overdue,
                why,
            },
            Outcome::Stale,
        ),
    };
    // "The presence of an Age header field implies that the response was not generated or validated by the origin server
    // for this request." RFC 9111 section 5.1. A confirmation may itself come from a cache, and then has an age.
    let has_age = match found.warrant {
        Warrant::Confirmed(..) => found.age > Seconds::ZERO,
        Warrant::Brought(_)
        | Warrant::Collapsed(_)
        | Warrant::Fresh(_)
        | Warrant::Instead { .. }
        | Warrant::Stale(..) => true,
    };
    let source = match found.warrant {
        Warrant::Brought(_) => ServedFrom::Fleet,
        Warrant::Collapsed(_)
        | Warrant::Confirmed(..)
        | Warrant::Fresh(_)
        | Warrant::Instead { .. }
        | Warrant::Stale(..) => ServedFrom::Shared,
    };
    let age = has_age.then_some(found.age);
    let head = (found.status, &found.headers);
    let template = compose::language(around, subject, head);
    let template = compose::asked(template, subject.head.headers(), source);
    let conditions = Preconditions::of(&subject.head).filter(|_| template.is_none());
    let condition = conditions.map_or(Condition::Full, |asked| {
        asked.evaluate(found.status, &found.headers)
    });
    let mut content = match condition {
        Condition::Full if template.is_some() => Content::whole(found),
        Condition::Full => select(found),
        Condition::NotModified => {
            around.tally.not_modified();
            Content::not_modified(&found)
        }
    };
    around.tally.request(subject.policy, outcome);
    let stale = match annotation {
        Annotation::Instead { why, .. } | Annotation::Stale { why, .. } => Some(why),
        Annotation::Brought { .. }
        | Annotation::Bypass(_)
        | Annotation::Collapsed { .. }
        | Annotation::Hit { .. }
        | Annotation::Miss(..)
        | Annotation::Revalidated(..)
        | Annotation::Unanswered => None,
    };
    let bytes = compose::sent_bytes(template.as_deref(), &subject.head, &content.body);
    around.tally.serve(source, bytes);
    let added = around.config.headers;
    annotation.make_way(added, &mut content.headers);
    // A response may have been stored by a configuration that exposes them, and a 304 may have brought some.
    if added.expose_tags == Switch::Off {
        remove_tags(&mut content.headers);
    }
    let timed_from = content.headers.len();
    for (name, value) in timed_lines(age, annotation, added) {
        content.headers.push(name, value);
    }
    Answered {
        content,
        timed_from,
        effects: stale
            .into_iter()
            .map(|why| Effect::Count(Counter::StaleServed(why)))
            .collect(),
        template,
    }
}

/// How many bytes of a reply's body the client gets.
pub(super) fn sent_bytes(request: &RequestHead, body: &[u8]) -> usize {
    match request.method() {
        Method::Head => 0,
        Method::Delete
        | Method::Get
        | Method::Options
        | Method::Other
        | Method::Patch
        | Method::Post
        | Method::Put
        | Method::Query => body.len(),
    }
}

/// What of the response the client asks for.
fn selected<'a>(found: Found<'a>, request: &RequestHead) -> Content<'a> {
    let coverage = RangeRequest::of(request).map_or(Coverage::Full, |asked| {
        asked.evaluate(
            found.status,
            &found.headers,
            found.body.len(),
            found.validators,
        )
    });
    match coverage {
        Coverage::Full => Content::whole(found),
        Coverage::Partial(spans, metadata) => match ContentRange::whole(found.body.len()) {
            Some(whole) => partial::content(found, whole, &spans, metadata),
            None => Content::whole(found),
        },
        Coverage::Unsatisfiable => partial::unsatisfiable(&found),
    }
}

/// The fields as the client gets them: with a Cache-Control where a rule's TTL caches a response that carries none.
///
/// It is added to every answer and never stored: what is stored is the origin's word, which judges later responses.
pub(super) fn promise(
    mut headers: Headers,
    meta: &Meta,
    policy: &CachePolicy,
    around: &Surroundings,
) -> Headers {
    if let Some(value) = cache_control(&headers, meta, policy, around) {
        headers.push("cache-control", value);
    }
    headers
}

/// The Cache-Control that stands for a rule's TTL; none beside a cookie, which no cache behind us should keep.
pub(super) fn cache_control(
    headers: &Headers,
    meta: &Meta,
    policy: &CachePolicy,
    around: &Surroundings,
) -> Option<String> {
    let wanted = around.config.headers.cache_control == Switch::On
        && meta.lifetime.source == FreshnessSource::Rule
        && !headers.contains("cache-control")
        && !headers.contains("set-cookie");
    let scope = if policy.identity.is_some() {
        "private"
    } else {
        "public"
    };
    // The lifetime counts from the same moment as the Age that goes with it. That an age is one second may just mean that
    // the clock struck while the response was on its way: then the client gets the number that was configured.
    let inherited = match meta.initial_age.get() {
        0 | 1 => meta.initial_age,
        _ => Seconds::ZERO,
    };
    let max_age = meta.lifetime.seconds.saturating_sub(inherited);
    wanted.then(|| format!("{scope}, max-age={}", max_age.get()))
}

/// Answers that there is nothing stored, since the client wants nothing else.
///
/// "If it does not [have a stored response], it SHOULD respond with a 504 (Gateway Timeout) status code." RFC 9111
/// section 5.2.1.7.
pub(super) fn unanswered<'a>(added: AddedHeaders) -> Answered<'a> {
    let headers = timed_lines(None, Annotation::Unanswered, added).collect();
    Answered {
        content: Content {
            status: 504,
            headers,
            body: Cow::Borrowed(&[]),
            details: "larder_only_if_cached",
        },
        timed_from: 0,
        effects: Vec::new(),
        template: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_would_be_something_else_on_the_wire_are_not_sent() {
        for (name, value) in [
            ("x-a", "1\r\nx-b: 2"),
            ("x-a", "1\n"),
            ("x-a", "\0"),
            ("x-a: 1\r\nx-b", "2"),
            ("x a", "1"),
            ("", "1"),
            (":status", "500"),
        ] {
            let headers = Headers::from_iter([("date", "then"), (name, value)]);
            assert!(!is_sendable(&headers), "{name:?}: {value:?}");
        }
        let good = Headers::from_iter([(&b"X-Any"[..], &b"\xff \t\"a\""[..]), (b"x-empty", b"")]);
        assert!(is_sendable(&good));
    }

    #[test]
    fn more_fields_than_the_host_takes_are_not_sent() {
        let many = |count| (0..count).map(|_| ("x", "")).collect::<Headers>();
        assert!(is_sendable(&many(1000)));
        assert!(!is_sendable(&many(1001)));
        assert!(is_storable(&many(998)));
        assert!(!is_storable(&many(999)));
        let long = |bytes| Headers::from_iter([("x", "a".repeat(bytes))]);
        assert!(is_sendable(&long(900_000)));
        assert!(!is_sendable(&long(1_000_000)));
    }
}
