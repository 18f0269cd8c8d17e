//! A client's response from an entry.
//!
//! The reply passes the proxy's response filters like any other. The proxy writes content-length from the body, so
//! a HEAD gets the whole body here and the client none of it. `date` stays what the origin sent; `age` is ours.

use super::{Effect, Reply, Step, Verdict};
use crate::config::AddedHeaders;
use crate::http::Headers;
use crate::policy::validation::{self, Condition, Preconditions};
use crate::report::{Annotation, Counter};
use crate::time::Seconds;

/// A stored response that may be used.
pub(super) struct Found<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: &'a [u8],
    /// Its age now.
    pub(super) age: Seconds,
    /// How long it stays fresh.
    pub(super) ttl: Seconds,
}

/// Answers from the entry: the whole response, or 304 where the client has it already.
pub(super) fn hit<'a>(
    found: Found<'a>,
    preconditions: Option<&Preconditions>,
    added: AddedHeaders,
) -> Step<'a> {
    let annotation = Annotation::Hit {
        age: found.age,
        ttl: found.ttl,
    };
    let condition = preconditions.map_or(Condition::Full, |asked| {
        asked.evaluate(found.status, &found.headers)
    });
    let (status, mut headers, body, details, mut effects) = match condition {
        Condition::Full => (
            found.status,
            found.headers,
            found.body,
            "larder_hit",
            Vec::new(),
        ),
        Condition::NotModified => {
            let effects = vec![Effect::Count(Counter::NotModified)];
            (
                304,
                validation::not_modified_fields(&found.headers),
                &[][..],
                "larder_not_modified",
                effects,
            )
        }
    };
    // "The presence of an Age header field implies that the response was not generated or validated by the origin
    // server for this request." RFC 9111 section 5.1.
    headers.push("age", found.age.get().to_string());
    annotation.write(added, &mut headers);
    effects.push(Effect::Count(Counter::Hit));
    Step {
        verdict: Verdict::Reply(Reply {
            status,
            pairs: headers.to_pairs(),
            body,
            details,
        }),
        effects,
    }
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
        body: &[],
        details: "larder_only_if_cached",
    };
    Step {
        verdict: Verdict::Reply(reply),
        effects: vec![Effect::Count(Counter::Missed)],
    }
}
