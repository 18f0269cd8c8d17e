//! A client's response from an entry.
//!
//! The reply passes the proxy's response filters like any other. The proxy writes content-length from the body, so
//! a HEAD gets the whole body here and the client none of it. `date` stays what the origin sent; `age` is ours.

use std::borrow::Cow;

use super::{Effect, Reply, Step, Surroundings, Verdict};
use crate::config::{AddedHeaders, CachePolicy, Switch};
use crate::entry::{FreshnessSource, Meta};
use crate::http::Headers;
use crate::policy::validation::{self, Condition, Preconditions};
use crate::report::{Annotation, Counter, Forward, Storing};
use crate::time::Seconds;

/// A stored response that may be used.
pub(super) struct Found<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Cow<'a, [u8]>,
    /// Its age now.
    pub(super) age: Seconds,
    pub(super) warrant: Warrant,
}

/// Why it may be used.
pub(super) enum Warrant {
    /// The origin has just said that it is still good.
    Confirmed(Forward, Storing),
    /// It is fresh, and stays so for this long.
    Fresh(Seconds),
}

/// Answers with the stored response: all of it, or 304 where the client has it already.
pub(super) fn answer<'a>(
    found: Found<'a>,
    preconditions: Option<&Preconditions>,
    added: AddedHeaders,
) -> Step<'a> {
    let (annotation, outcome) = match found.warrant {
        Warrant::Confirmed(forward, storing) => (
            Annotation::Revalidated(forward, storing),
            Counter::Revalidated,
        ),
        Warrant::Fresh(ttl) => (
            Annotation::Hit {
                age: found.age,
                ttl,
            },
            Counter::Hit,
        ),
    };
    let mut effects = vec![Effect::Count(outcome)];
    let condition = preconditions.map_or(Condition::Full, |asked| {
        asked.evaluate(found.status, &found.headers)
    });
    let (status, mut headers, body, details) = match condition {
        Condition::Full => (found.status, found.headers, found.body, "larder_hit"),
        Condition::NotModified => {
            effects.push(Effect::Count(Counter::NotModified));
            let headers = validation::not_modified_fields(&found.headers);
            (304, headers, Cow::Borrowed(&[][..]), "larder_not_modified")
        }
    };
    // "The presence of an Age header field implies that the response was not generated or validated by the origin server
    // for this request." RFC 9111 section 5.1. A confirmation may itself come from a cache, and then has an age.
    if matches!(found.warrant, Warrant::Fresh(_)) || found.age > Seconds::ZERO {
        headers.push("age", found.age.get().to_string());
    }
    annotation.write(added, &mut headers);
    let reply = Reply {
        status,
        pairs: headers.to_pairs(),
        body,
        details,
    };
    Step {
        verdict: Verdict::Reply(reply),
        effects,
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
pub(super) fn unanswered<'a>(added: AddedHeaders) -> Step<'a> {
    let mut headers = Headers::new();
    Annotation::Unanswered.write(added, &mut headers);
    let reply = Reply {
        status: 504,
        pairs: headers.to_pairs(),
        body: Cow::Borrowed(&[]),
        details: "larder_only_if_cached",
    };
    Step {
        verdict: Verdict::Reply(reply),
        effects: vec![Effect::Count(Counter::Missed)],
    }
}
