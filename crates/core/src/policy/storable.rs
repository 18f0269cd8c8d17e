//! Whether a response may be stored (RFC 9111 section 3), and as what.
//!
//! "A cache MUST NOT store a response to a request unless" every one of a list of conditions holds; the checks below
//! stand in the order of that list, with what configuration adds between them, and the first that fails is the reason
//! the operator sees.
//!
//! What nothing could use is not stored either: what is stale on arrival, or may only be used after asking the origin
//! (`no-cache`), is worth its place only with a validator to ask with.
//!
//! [`judge`] sees the head alone. Whether the body came whole and fits is the capture's to say, and what the operator
//! asks of it is [`super::store_if::judge_body`].

use crate::config::{CacheErrors, CachePolicy, Limits, RequestContent};
use crate::entry::{Lifetime, Staleness, Validation};
use crate::http::{Headers, Method, ResponseDirectives, ResponseHead, decimal, list};
use crate::policy::freshness::{self, Times};
use crate::policy::request::RequestFacts;
use crate::policy::stale::Terms;
use crate::policy::{Reason, fields, freshening, sharing, staleness, store_if};
use crate::time::Seconds;

/// Whether a response may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storability {
    /// No.
    Skip(Reason),
    /// Yes, like this.
    Store(Plan),
}

/// How a response is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its age when it arrived.
    pub initial_age: Seconds,
    /// How long it is fresh; more than its age, unless it can be validated or used stale.
    pub lifetime: Lifetime,
    /// When the origin has to be asked first.
    pub validation: Validation,
    /// What the origin says about using it stale.
    pub staleness: Staleness,
    /// The fields to keep of it.
    pub headers: Headers,
}

/// Judges the head of a response.
pub fn judge(
    request: RequestFacts,
    response: &ResponseHead,
    policy: &CachePolicy,
    times: Times,
    limits: &Limits,
) -> Storability {
    match plan(request, response, policy, times, limits) {
        Ok(plan) => Storability::Store(plan),
        Err(reason) => Storability::Skip(reason),
    }
}

/// Whether what this response adds to a stored one may be given to others. The stored one's word is about what it came
/// with itself: to a request with Authorization, "a response directive [...] that allows it to be stored by a shared cache"
/// (RFC 9111 section 3.5) has to stand in the response to that request.
pub fn judge_sharing(
    request: RequestFacts,
    response: &ResponseHead,
    policy: &CachePolicy,
) -> Result<(), Reason> {
    let directives = ResponseDirectives::parse(&response.headers);
    sharing::judge(request, response, &directives, policy)
}

fn plan(
    request: RequestFacts,
    response: &ResponseHead,
    policy: &CachePolicy,
    times: Times,
    limits: &Limits,
) -> Result<Plan, Reason> {
    let directives = ResponseDirectives::parse(&response.headers);
    check_method(request.method, policy)?;
    check_status(response.status, &directives)?;
    check_no_store(request, &directives)?;
    sharing::judge(request, response, &directives, policy)?;
    check_vary(&response.headers)?;
    check_error(response.status, policy)?;
    let ttl = sharing::ttl(request, &directives, policy);
    let lifetime = freshness::lifetime(response, &directives, policy, ttl, times);
    let initial_age = freshness::initial_age(&response.headers, times);
    let staleness = staleness::of(&directives);
    // What the origin counting as failed may add to that is no reason to store.
    let stale = Terms::of(policy, response.status).worth(&staleness, Seconds::ZERO);
    let (lifetime, validation) = usefulness(response, &directives, (lifetime, stale), initial_age)?;
    store_if::judge_head(&policy.store_if, response)?;
    check_length(&response.headers, limits)?;
    let mut headers = fields::stored(&response.headers, policy.set_cookie, times.response);
    // "a shared cache MUST NOT store the listed header fields if they are present in the original response but MAY store
    // the remainder of the response message without those header fields" RFC 9111 section 5.2.2.7. Those that no-cache
    // lists are not stored either, so that they "are excluded from the subsequent response" (section 5.2.2.4).
    headers.retain(|name, _| !directives.withholds(name));
    Ok(Plan {
        initial_age,
        lifetime,
        validation,
        staleness,
        headers,
    })
}

/// What the response is good for: as it is while it is fresh, and for some time when it is `stale`, after validation, or
/// nothing.
fn usefulness(
    response: &ResponseHead,
    directives: &ResponseDirectives,
    (lifetime, stale): (Result<Lifetime, Reason>, Seconds),
    initial_age: Seconds,
) -> Result<(Lifetime, Validation), Reason> {
    let can_be_validated = freshening::has_validator(response);
    // "the response MUST NOT be used to satisfy any other request without forwarding it for validation and receiving a
    // successful response" RFC 9111 section 5.2.2.4.
    if directives.no_cache.is_of_response() {
        allow(can_be_validated, Reason::NoCache)?;
        return Ok((lifetime.unwrap_or(Lifetime::NONE), Validation::Always));
    }
    let lifetime = lifetime?;
    if can_be_validated {
        return Ok((lifetime, Validation::WhenStale));
    }
    let use_until = lifetime.seconds.saturating_add(stale);
    allow(use_until > initial_age, Reason::Expired)?;
    Ok((lifetime, Validation::Never))
}

fn allow(holds: bool, otherwise: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// "the request method is understood by the cache" RFC 9111 section 3. The response to HEAD has no body to store.
///
/// What a QUERY or POST asks is in its content, so its response is stored where that is part of the key (RFC 10008 section
/// 2.7). That a POST's response with Content-Location answers later GETs (RFC 9110 section 9.3.3) is not done.
fn check_method(method: Method, policy: &CachePolicy) -> Result<(), Reason> {
    match (method, policy.key.content) {
        (Method::Get, _) | (Method::Post | Method::Query, RequestContent::Key) => Ok(()),
        (Method::Post | Method::Query, RequestContent::Bypass)
        | (
            Method::Delete
            | Method::Head
            | Method::Options
            | Method::Other
            | Method::Patch
            | Method::Put,
            _,
        ) => Err(Reason::Method),
    }
}

/// "the response status code is final; if the response status code is 206 or 304, or the must-understand cache directive
/// is present: the cache understands the response status code" RFC 9111 section 3.
fn check_status(status: u16, directives: &ResponseDirectives) -> Result<(), Reason> {
    match status {
        206 => Err(Reason::PartialContent),
        // No final status, the answer to a condition, or no status of HTTP.
        ..200 | 304 | 600.. => Err(Reason::Status),
        // "Responses with the 428 status code MUST NOT be stored by a cache." RFC 6585 section 3; the same stands in its
        // sections 4 to 6. They are about who asked.
        428 | 429 | 431 | 511 => Err(Reason::Status),
        _ if directives.must_understand => allow(is_understood(status), Reason::Status),
        _ => Ok(()),
    }
}

/// Whether the status is one of RFC 9110 section 15 that asks nothing of a cache that is not done here.
fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=415 | 417 | 421 | 422 | 426 | 500..=505
    )
}

/// "the no-store cache directive is not present in the response" RFC 9111 section 3.
fn check_no_store(request: RequestFacts, directives: &ResponseDirectives) -> Result<(), Reason> {
    // "a cache MUST NOT store any part of either this request or any response to it" RFC 9111 section 5.2.1.5.
    allow(!request.no_store, Reason::NoStore)?;
    // "the cache SHOULD ignore the no-store directive if it understands and implements the status code's caching
    // requirements" RFC 9111 section 5.2.2.3, of must-understand; that it does was checked with the status.
    let is_lifted = directives.must_understand;
    allow(!directives.no_store || is_lifted, Reason::NoStore)
}

/// "A stored response with a Vary header field value containing a member "*" always fails to match." RFC 9111 section 4.1.
fn check_vary(headers: &Headers) -> Result<(), Reason> {
    let has_star = list::elements(headers.all("vary")).any(|member| member.bytes() == b"*");
    allow(!has_star, Reason::VaryStar)
}

/// That an error needs explicit freshness, or the operator's word, is [`freshness::lifetime`]'s to see.
fn check_error(status: u16, policy: &CachePolicy) -> Result<(), Reason> {
    let is_named = policy.sparing.negative(status).is_some();
    match policy.cache_errors {
        CacheErrors::Explicit => Ok(()),
        CacheErrors::Never => allow(status < 400 || is_named, Reason::Status),
    }
}

/// How many bytes of body the head announces; the host has made sure that it does not announce two numbers.
pub fn announced_length(headers: &Headers) -> Option<u64> {
    let value = headers.only("content-length")?;
    decimal(list::trim(value).iter().copied())
}

/// Says no early where the length is announced; the capture counts what really comes.
fn check_length(headers: &Headers, limits: &Limits) -> Result<(), Reason> {
    let announced = announced_length(headers).unwrap_or(0);
    let fits = usize::try_from(announced).is_ok_and(|length| length <= limits.max_object_bytes);
    allow(fits, Reason::TooLarge)
}

#[cfg(test)]
mod tests;
