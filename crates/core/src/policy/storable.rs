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
mod tests {
    use super::*;
    use crate::config::{Negative, SetCookie, Sparing, StoreIf, Ttl};
    use crate::entry::{FreshnessSource, StalePermission};
    use crate::key::Principal;
    use crate::policy::sample::{self, Fields};
    use crate::time::Timestamp;

    const PLAIN: RequestFacts = RequestFacts {
        method: Method::Get,
        has_authorization: false,
        no_store: false,
        principal: Principal::NotAsked,
    };
    const FRESH: (&str, &str) = ("cache-control", "max-age=60");

    fn judge_with(
        request: RequestFacts,
        status: u16,
        fields: Fields<'_>,
        policy: &CachePolicy,
    ) -> Result<Plan, Reason> {
        let response = ResponseHead {
            status,
            headers: fields.iter().copied().collect(),
        };
        let times = Times {
            request: Timestamp::from_secs(1000),
            response: Timestamp::from_secs(1002),
        };
        let limits = Limits {
            max_object_bytes: 100,
            capture_bytes: 1000,
            max_tags: 64,
            max_variants: 16,
            max_key_bytes: 4096,
        };
        match judge(request, &response, policy, times, &limits) {
            Storability::Skip(reason) => Err(reason),
            Storability::Store(plan) => Ok(plan),
        }
    }

    fn reason(
        request: RequestFacts,
        status: u16,
        fields: Fields<'_>,
        policy: &CachePolicy,
    ) -> Option<Reason> {
        judge_with(request, status, fields, policy).err()
    }

    #[test]
    fn what_the_response_says() {
        #[rustfmt::skip]
        let rows: [(&str, u16, Fields<'_>, Option<Reason>); 44] = [
            ("fresh", 200, &[FRESH], None),
            ("a temporary redirect", 302, &[FRESH], None),
            ("an unknown status", 299, &[FRESH], None),
            ("an error with explicit freshness", 503, &[FRESH], None),
            ("an error without", 404, &[], Some(Reason::NoFreshness)),
            ("interim", 103, &[FRESH], Some(Reason::Status)),
            ("not modified", 304, &[FRESH], Some(Reason::Status)),
            ("no status of HTTP", 600, &[FRESH], Some(Reason::Status)),
            ("partial", 206, &[FRESH], Some(Reason::PartialContent)),
            ("a condition is wanted", 428, &[FRESH], Some(Reason::Status)),
            ("too many requests", 429, &[FRESH], Some(Reason::Status)),
            ("the next status", 430, &[FRESH], None),
            ("too large fields", 431, &[FRESH], Some(Reason::Status)),
            ("a network that wants a login", 511, &[FRESH], Some(Reason::Status)),
            ("no-store", 200, &[FRESH, ("cache-control", "no-store")], Some(Reason::NoStore)),
            ("understood", 200, &[FRESH, ("cache-control", "no-store, must-understand")], None),
            ("not understood", 299, &[FRESH, ("cache-control", "must-understand")], Some(Reason::Status)),
            ("private", 200, &[FRESH, ("cache-control", "private")], Some(Reason::Private)),
            ("private in part", 200, &[FRESH, ("cache-control", "private=\"x-user\"")], None),
            ("private in a part that is needed", 200, &[FRESH, ("cache-control", "private=\"vary\"")], Some(Reason::Private)),
            ("a cookie", 200, &[FRESH, ("Set-Cookie", "a=1")], Some(Reason::SetCookie)),
            ("a cookie that is left out", 200, &[FRESH, ("Set-Cookie", "a=1"), ("cache-control", "no-cache=set-cookie")], None),
            ("varies", 200, &[FRESH, ("vary", "accept")], None),
            ("varies on everything", 200, &[FRESH, ("vary", "*")], Some(Reason::VaryStar)),
            ("among other things", 200, &[FRESH, ("vary", "accept, *")], Some(Reason::VaryStar)),
            ("on another line", 200, &[FRESH, ("vary", "accept"), ("Vary", " *,")], Some(Reason::VaryStar)),
            ("no-cache", 200, &[FRESH, ("cache-control", "no-cache")], Some(Reason::NoCache)),
            ("no-cache with a validator", 200, &[("etag", "\"1\""), ("cache-control", "no-cache")], None),
            ("no-cache in part", 200, &[FRESH, ("cache-control", "no-cache=\"x-a\"")], None),
            ("a targeted field beats no-store", 200, &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], None),
            ("a targeted field forbids", 200, &[FRESH, ("cdn-cache-control", "private, max-age=60")], Some(Reason::Private)),
            ("an invalid targeted field", 200, &[FRESH, ("cdn-cache-control", "no-store,")], None),
            ("nothing said", 200, &[], Some(Reason::NoFreshness)),
            ("public alone", 200, &[("cache-control", "public")], Some(Reason::NoFreshness)),
            ("stale by its own word", 200, &[("cache-control", "max-age=0")], Some(Reason::Expired)),
            ("stale with a validator", 200, &[("etag", "\"1\""), ("cache-control", "max-age=0")], None),
            ("stale, and to be used so", 200, &[("cache-control", "max-age=0, stale-if-error=9")], None),
            ("stale, and never to be used so", 200, &[("cache-control", "max-age=0, stale-if-error=9, must-revalidate")], Some(Reason::Expired)),
            ("as old as it may get", 200, &[FRESH, ("age", "58")], Some(Reason::Expired)),
            ("just not", 200, &[FRESH, ("age", "57")], None),
            ("small enough", 200, &[FRESH, ("content-length", "100")], None),
            ("too large", 200, &[FRESH, ("content-length", "101")], Some(Reason::TooLarge)),
            ("far too large", 200, &[FRESH, ("content-length", "99999999999999999999")], Some(Reason::TooLarge)),
            ("a length that is none", 200, &[FRESH, ("content-length", "x")], None),
        ];
        for (name, status, fields, expected) in rows {
            assert_eq!(
                reason(PLAIN, status, fields, &sample::policy()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn only_what_get_asked_for_is_stored_or_what_a_content_in_the_key_asked_for() {
        let policy = sample::policy();
        let mut keyed = sample::policy();
        keyed.key.content = RequestContent::Key;
        for (method, plainly, by_content) in [
            (Method::Get, None, None),
            (Method::Head, Some(Reason::Method), Some(Reason::Method)),
            (Method::Post, Some(Reason::Method), None),
            (Method::Put, Some(Reason::Method), Some(Reason::Method)),
            (Method::Query, Some(Reason::Method), None),
        ] {
            let request = RequestFacts { method, ..PLAIN };
            let found = |policy| reason(request, 200, &[FRESH], policy);
            assert_eq!((found(&policy), found(&keyed)), (plainly, by_content));
        }
        let secret = RequestFacts {
            no_store: true,
            ..PLAIN
        };
        let found = reason(secret, 200, &[FRESH], &policy);
        assert_eq!(found, Some(Reason::NoStore));
    }

    #[test]
    fn what_the_operator_says() {
        let base = sample::policy;
        let forced = CachePolicy {
            ttl: Ttl::Override(Seconds::clamped(60)),
            ..base()
        };
        let no_errors = CachePolicy {
            cache_errors: CacheErrors::Never,
            ..base()
        };
        let cookies = |set_cookie| CachePolicy {
            set_cookie,
            ..base()
        };
        let created = CachePolicy {
            store_if: StoreIf {
                status: Some(vec![201]),
                ..StoreIf::default()
            },
            ..base()
        };
        let cookie = [FRESH, ("set-cookie", "a=1")];
        #[rustfmt::skip]
        let rows: [(&str, &CachePolicy, u16, Fields<'_>, Option<Reason>); 10] = [
            ("a TTL beats max-age=0", &forced, 200, &[("cache-control", "max-age=0")], None),
            ("and Expires", &forced, 200, &[("expires", "0")], None),
            ("but not private", &forced, 200, &[("cache-control", "private")], Some(Reason::Private)),
            ("nor no-store", &forced, 200, &[("cache-control", "no-store")], Some(Reason::NoStore)),
            ("nor no-cache", &forced, 200, &[("cache-control", "no-cache")], Some(Reason::NoCache)),
            ("nor does it keep errors", &forced, 500, &[], Some(Reason::Status)),
            ("no errors at all", &no_errors, 404, &[FRESH], Some(Reason::Status)),
            ("cookies for all", &cookies(SetCookie::Store), 200, &cookie, None),
            ("cookies for none", &cookies(SetCookie::Strip), 200, &cookie, None),
            ("another status", &created, 200, &[FRESH], Some(Reason::StoreIf)),
        ];
        for (name, policy, status, fields, expected) in rows {
            assert_eq!(reason(PLAIN, status, fields, policy), expected, "{name}");
        }
    }

    #[test]
    fn fields_that_a_directive_names_are_not_stored() {
        let date = ("date", "Thu, 01 Jan 1970 00:16:40 GMT");
        let named = (
            "cache-control",
            "max-age=60, private=\"X-User, x-other\", no-cache=\"set-cookie\"",
        );
        let fields = [
            date,
            ("x-user", "al"),
            named,
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=1"),
            ("x-kept", "1"),
        ];
        let plan = judge_with(PLAIN, 200, &fields, &sample::policy()).unwrap();
        assert_eq!(
            plan.headers,
            Headers::from_iter([date, named, ("x-kept", "1")])
        );
        assert_eq!(plan.validation, Validation::Never);
    }

    #[test]
    fn an_error_that_the_operator_names_is_stored_where_nothing_else_forbids_it() {
        let with = |cache_errors| CachePolicy {
            cache_errors,
            sparing: Sparing {
                negative: [404, 429, 503]
                    .map(|status| Negative {
                        status,
                        ttl: Seconds::clamped(10),
                    })
                    .to_vec(),
                ..Sparing::new()
            },
            ..sample::policy()
        };
        let authorized = RequestFacts {
            has_authorization: true,
            ..PLAIN
        };
        let no_store = RequestFacts {
            no_store: true,
            ..PLAIN
        };
        let control = |value| [("cache-control", value)];
        #[rustfmt::skip]
        let rows: [(&str, RequestFacts, u16, Fields<'_>, Option<Reason>); 13] = [
            ("nothing said", PLAIN, 404, &[], None),
            ("of a server", PLAIN, 503, &[], None),
            ("not named", PLAIN, 410, &[], Some(Reason::NoFreshness)),
            ("never stored", PLAIN, 429, &[], Some(Reason::Status)),
            ("private", PLAIN, 404, &control("private"), Some(Reason::Private)),
            ("no-store", PLAIN, 404, &control("no-store"), Some(Reason::NoStore)),
            ("no-cache", PLAIN, 404, &control("no-cache"), Some(Reason::NoCache)),
            ("stale by its own word", PLAIN, 404, &control("max-age=0"), Some(Reason::Expired)),
            ("a cookie", PLAIN, 404, &[("set-cookie", "a=1")], Some(Reason::SetCookie)),
            ("varies on everything", PLAIN, 404, &[("vary", "*")], Some(Reason::VaryStar)),
            ("somebody's own", authorized, 404, &[], Some(Reason::Authorization)),
            ("a client that wants nothing stored", no_store, 404, &[], Some(Reason::NoStore)),
            ("too large", PLAIN, 404, &[("content-length", "101")], Some(Reason::TooLarge)),
        ];
        for (name, request, status, fields, expected) in rows {
            for errors in [CacheErrors::Explicit, CacheErrors::Never] {
                let expected = match (name, errors) {
                    ("not named", CacheErrors::Never) => Some(Reason::Status),
                    (_, CacheErrors::Explicit | CacheErrors::Never) => expected,
                };
                let found = reason(request, status, fields, &with(errors));
                assert_eq!(found, expected, "{name} {errors:?}");
            }
        }
        let plan = judge_with(PLAIN, 404, &[], &with(CacheErrors::Explicit)).unwrap();
        assert_eq!(plan.lifetime.source, FreshnessSource::Negative);
        assert_eq!(plan.lifetime.seconds, Seconds::clamped(12)); // two seconds old on arrival
    }

    #[test]
    fn a_plan_is_complete() {
        let fields = [
            FRESH,
            ("age", "5"),
            ("date", "Thu, 01 Jan 1970 00:16:40 GMT"),
        ];
        let plan = judge_with(PLAIN, 200, &fields, &sample::policy()).unwrap();
        assert_eq!(plan.initial_age, Seconds::clamped(7));
        assert_eq!(plan.lifetime.seconds, Seconds::clamped(60));
        assert_eq!(plan.lifetime.source, FreshnessSource::Origin);
        assert_eq!(plan.validation, Validation::Never);
        assert_eq!(plan.staleness.permission, StalePermission::Granted);
        assert_eq!(plan.headers, Headers::from_iter([fields[0], fields[2]]));
    }
}
