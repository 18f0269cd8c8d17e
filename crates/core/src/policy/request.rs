//! Whether a request may be answered from the cache at all, and what it demands of an answer.
//!
//! Asked before the key is made, so that what cannot be cached costs no more than one pass over its fields.
//!
//! `no-store` is obeyed by leaving the request alone: not looked up, not stored. RFC 9111 section 5.2.1.5 would permit
//! an answer from the cache, but somebody who asks that nothing be kept of an exchange is better served by an exchange
//! that the cache took no part in, and the operator sees why.
//!
//! Authorization keeps nobody from the lookup: what is stored was allowed to be stored for everyone, or under a key
//! that names its user ([`super::storable`]).
//!
//! `only-if-cached` wins over everything that would send a GET or HEAD on: the client wants what is stored, or a 504.
//! If-Match and If-Unmodified-Since are then ignored, as a cache may.
//!
//! A range is no part of the key: what is stored is whole, and parts are cut from it ([`super::range`]).
//!
//! POST and QUERY are looked up where their content is part of the key, and so is any other request with content.

use crate::config::{CachePolicy, RequestCacheControl, RequestContent};
use crate::http::{Method, RequestDirectives, RequestHead, overrides_method};
use crate::key::Principal;
use crate::policy::Reason;
use crate::time::Seconds;

/// Whether a body comes behind the request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// One follows.
    Follows,
    /// The head is all.
    None,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// It is left alone, and so is its response.
    Bypass(Reason),
    /// It is looked up.
    Lookup(Lookup),
}

/// How a request is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// What a stored response has to be to answer it.
    pub demands: Demands,
    /// What happens when none can.
    pub on_miss: OnMiss,
}

/// What happens to a request that nothing stored can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMiss {
    /// It goes to the origin.
    Forward,
    /// It is answered 504, with [`Reason::OnlyIfCached`].
    GatewayTimeout,
}

/// What a request demands of a stored response: it must be fresh, unless this says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demands {
    /// No stored response will do that the origin has not just confirmed.
    Confirmed,
    /// Nothing.
    Nothing,
    /// All of this.
    Within {
        /// The greatest age.
        max_age: Seconds,
        /// For how long it may be stale; `None` where it must be fresh.
        max_stale: Option<Seconds>,
        /// The least time that it stays fresh.
        min_fresh: Seconds,
    },
}

/// What has to be remembered of a request to judge its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    pub(super) method: Method,
    pub(super) has_authorization: bool,
    pub(super) no_store: bool,
    pub(super) principal: Principal,
}

impl RequestFacts {
    /// Those of a GET with the same fields.
    pub fn as_get(self) -> Self {
        Self {
            method: Method::Get,
            ..self
        }
    }

    /// The facts of a request.
    pub fn of(head: &RequestHead, directives: &RequestDirectives, principal: Principal) -> Self {
        Self {
            method: head.method(),
            has_authorization: head.headers().contains("authorization"),
            no_store: directives.no_store,
            principal,
        }
    }

    /// Whether it has credentials that do not say under which key its response stands.
    pub(crate) fn has_bare_credentials(self) -> bool {
        self.has_authorization && self.principal != Principal::Known
    }

    /// Those of a GET that is like this request in everything else.
    pub(crate) fn as_of_get(self) -> Self {
        Self {
            method: Method::Get,
            ..self
        }
    }
}

/// Judges the head of a request that a rule wants cached. Allocates nothing.
pub fn judge(
    head: &RequestHead,
    directives: &RequestDirectives,
    policy: &CachePolicy,
    body: RequestBody,
) -> RequestVerdict {
    let (outright, unless_cached) = obstacles(head);
    let content = policy.key.content;
    let outright = outright
        .or_else(|| overrides_method(head).then_some(Reason::Method))
        .or_else(|| method_obstacle(head.method(), content))
        .or_else(|| content_obstacle(head, body, content));
    if let Some(reason) = outright {
        return RequestVerdict::Bypass(reason);
    }
    let demands = demands(directives, policy.request_cache_control);
    // "respond with either a stored response consistent with the other constraints of the request or a 504 (Gateway
    // Timeout) status code" RFC 9111 section 5.2.1.7.
    if directives.only_if_cached {
        return RequestVerdict::Lookup(Lookup {
            demands,
            on_miss: OnMiss::GatewayTimeout,
        });
    }
    let no_store = directives.no_store.then_some(Reason::NoStore);
    match no_store.or(unless_cached) {
        Some(reason) => RequestVerdict::Bypass(reason),
        None => RequestVerdict::Lookup(Lookup {
            demands,
            on_miss: OnMiss::Forward,
        }),
    }
}

/// What in the fields stands against a lookup: outright, and only where the origin may be asked instead.
fn obstacles(head: &RequestHead) -> (Option<Reason>, Option<Reason>) {
    let headers = head.headers();
    let is_upgrade = headers.contains("upgrade")
        || headers.contains(":protocol")
        || headers.all(":method").any(|method| method == b"CONNECT");
    let outright = match is_upgrade {
        true => Some(Reason::Upgrade),
        false => headers
            .all("content-type")
            .any(is_grpc)
            .then_some(Reason::Grpc),
    };
    // "the If-Match and If-Unmodified-Since conditional header fields are not applicable to a cache" RFC 9111 section
    // 4.3.2: the origin may have something to say about them. To a POST it answers 412, not 304, where If-None-Match is
    // false (RFC 9110 section 13.1.2); If-Modified-Since means nothing there (section 13.1.3).
    let is_for_origin = headers.contains("if-match")
        || headers.contains("if-unmodified-since")
        || (head.method() == Method::Post && headers.contains("if-none-match"));
    (outright, is_for_origin.then_some(Reason::Precondition))
}

/// Hosts take `application/grpc` and what begins like it for gRPC, and answer in its way.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type
        .get(..GRPC.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

fn method_obstacle(method: Method, content: RequestContent) -> Option<Reason> {
    match (method, content) {
        (Method::Get | Method::Head, _) | (Method::Post | Method::Query, RequestContent::Key) => {
            None
        }
        (Method::Post | Method::Query, RequestContent::Bypass)
        | (Method::Delete | Method::Options | Method::Other | Method::Patch | Method::Put, _) => {
            Some(Reason::Method)
        }
    }
}

fn content_obstacle(
    head: &RequestHead,
    body: RequestBody,
    content: RequestContent,
) -> Option<Reason> {
    match (body, content) {
        (RequestBody::None, _) => None,
        (RequestBody::Follows, RequestContent::Bypass) => Some(Reason::RequestBody),
        // Where the proxy leaves 100 to the origin, the client waits for its word, and the origin for the request. (Where
        // the proxy says it itself, it has taken the field away.)
        (RequestBody::Follows, RequestContent::Key) => head
            .headers()
            .contains("expect")
            .then_some(Reason::RequestBody),
    }
}

fn demands(directives: &RequestDirectives, counts: RequestCacheControl) -> Demands {
    match counts {
        RequestCacheControl::Ignore => return Demands::Nothing,
        RequestCacheControl::Honor => {}
    }
    // "the client prefers a stored response not be used to satisfy the request without successful validation on the
    // origin server" RFC 9111 section 5.2.1.4. No age is less than or equal to zero for longer than an instant, so
    // max-age=0 means the same.
    if directives.no_cache || directives.max_age == Some(Seconds::ZERO) {
        return Demands::Confirmed;
    }
    match (
        directives.max_age,
        directives.max_stale,
        directives.min_fresh,
    ) {
        (None, None, None) => Demands::Nothing,
        (max_age, max_stale, min_fresh) => Demands::Within {
            max_age: max_age.unwrap_or(Seconds::MAX),
            max_stale,
            min_fresh: min_fresh.unwrap_or(Seconds::ZERO),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::policy::sample::{self, Fields};

    fn head(method: &str, fields: Fields<'_>) -> RequestHead {
        let pseudo = [(":method", method), (":authority", "a"), (":path", "/")];
        RequestHead::parse(pseudo.iter().chain(fields).copied().collect()).unwrap()
    }

    fn verdict(
        method: &str,
        fields: Fields<'_>,
        counts: RequestCacheControl,
        body: RequestBody,
    ) -> RequestVerdict {
        let head = head(method, fields);
        let directives = RequestDirectives::parse(head.headers());
        let policy = CachePolicy {
            request_cache_control: counts,
            ..sample::policy()
        };
        judge(&head, &directives, &policy, body)
    }

    fn lookup(demands: Demands, on_miss: OnMiss) -> RequestVerdict {
        RequestVerdict::Lookup(Lookup { demands, on_miss })
    }

    #[test]
    fn what_is_looked_up_and_what_is_left_alone() {
        let cached = lookup(Demands::Nothing, OnMiss::Forward);
        let or_504 = lookup(Demands::Nothing, OnMiss::GatewayTimeout);
        let only = ("cache-control", "only-if-cached");
        use RequestVerdict::Bypass;
        #[rustfmt::skip]
        let rows: [(&str, &str, Fields<'_>, RequestVerdict); 24] = [
            ("plain", "GET", &[], cached),
            ("HEAD", "HEAD", &[], cached),
            ("credentials", "GET", &[("authorization", "Bearer x"), ("cookie", "a=1")], cached),
            ("conditions a cache can judge", "GET", &[("if-none-match", "*"), ("if-modified-since", "x")], cached),
            ("POST", "POST", &[], Bypass(Reason::Method)),
            ("QUERY", "QUERY", &[], Bypass(Reason::Method)),
            ("get", "get", &[], Bypass(Reason::Method)),
            ("POST, only if cached", "POST", &[only], Bypass(Reason::Method)),
            ("gRPC", "POST", &[("Content-Type", "application/grpc+proto")], Bypass(Reason::Grpc)),
            ("gRPC by GET", "GET", &[("content-type", "Application/gRPC")], Bypass(Reason::Grpc)),
            ("JSON", "GET", &[("content-type", "application/json")], cached),
            ("CONNECT", "CONNECT", &[], Bypass(Reason::Upgrade)),
            ("extended CONNECT", "CONNECT", &[(":protocol", "websocket")], Bypass(Reason::Upgrade)),
            ("an upgrade", "GET", &[("Upgrade", "websocket"), only], Bypass(Reason::Upgrade)),
            ("a range", "GET", &[("Range", "bytes=0-1"), ("if-range", "\"a\"")], cached),
            ("a range, only if cached", "GET", &[("range", "bytes=0-1"), only], or_504),
            ("If-Match", "GET", &[("If-Match", "\"a\"")], Bypass(Reason::Precondition)),
            ("If-Unmodified-Since", "GET", &[("if-unmodified-since", "x")], Bypass(Reason::Precondition)),
            ("If-Match, only if cached", "GET", &[("if-match", "\"a\""), only], or_504),
            ("no-store", "GET", &[("cache-control", "No-Store")], Bypass(Reason::NoStore)),
            ("no-store, only if cached", "GET", &[("cache-control", "no-store"), only], or_504),
            ("only if cached", "HEAD", &[only], or_504),
            ("reload, ignored", "GET", &[("cache-control", "no-cache, max-age=0"), ("pragma", "no-cache")], cached),
            ("demands, ignored", "GET", &[("cache-control", "max-age=5, min-fresh=5, max-stale=5")], cached),
        ];
        for (name, method, fields, expected) in rows {
            let found = verdict(
                method,
                fields,
                RequestCacheControl::Ignore,
                RequestBody::None,
            );
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_body_is_no_part_of_the_key() {
        for fields in [&[][..], &[("cache-control", "only-if-cached")]] {
            let found = verdict(
                "GET",
                fields,
                RequestCacheControl::Ignore,
                RequestBody::Follows,
            );
            assert_eq!(found, RequestVerdict::Bypass(Reason::RequestBody));
        }
    }

    #[test]
    fn with_content_in_the_key() {
        use RequestBody::{Follows, None as Empty};
        use RequestVerdict::Bypass;
        let mut policy = sample::policy();
        policy.key.content = RequestContent::Key;
        let cached = lookup(Demands::Nothing, OnMiss::Forward);
        let only = ("cache-control", "only-if-cached");
        let none_match = ("If-None-Match", "*");
        #[rustfmt::skip]
        let rows: [(&str, &str, Fields<'_>, RequestBody, RequestVerdict); 13] = [
            ("GET", "GET", &[], Empty, cached),
            ("GET with content", "GET", &[], Follows, cached),
            ("POST", "POST", &[], Follows, cached),
            ("POST without content", "POST", &[], Empty, cached),
            ("QUERY", "QUERY", &[], Follows, cached),
            ("PUT", "PUT", &[], Follows, Bypass(Reason::Method)),
            ("gRPC", "POST", &[("content-type", "application/grpc")], Follows, Bypass(Reason::Grpc)),
            ("waits for 100", "POST", &[("Expect", "100-continue")], Follows, Bypass(Reason::RequestBody)),
            ("POST, If-None-Match", "POST", &[none_match], Follows, Bypass(Reason::Precondition)),
            ("POST, If-Modified-Since", "POST", &[("if-modified-since", "x")], Follows, cached),
            ("POST, only if cached", "POST", &[none_match, only], Follows, lookup(Demands::Nothing, OnMiss::GatewayTimeout)),
            ("QUERY, If-None-Match", "QUERY", &[none_match], Follows, cached),
            ("QUERY, If-Match", "QUERY", &[("if-match", "*")], Follows, Bypass(Reason::Precondition)),
        ];
        for (name, method, fields, body, expected) in rows {
            let head = head(method, fields);
            let directives = RequestDirectives::parse(head.headers());
            let found = judge(&head, &directives, &policy, body);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn demands_count_where_the_operator_honors_them() {
        let within = |max_age, max_stale, min_fresh| Demands::Within {
            max_age,
            max_stale,
            min_fresh,
        };
        let five = Seconds::clamped(5);
        let (any, none) = (Seconds::MAX, Seconds::ZERO);
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, Demands); 11] = [
            ("none", &[], Demands::Nothing),
            ("no-cache", &[("cache-control", "no-cache")], Demands::Confirmed),
            ("Pragma", &[("pragma", "no-cache")], Demands::Confirmed),
            ("max-age=0", &[("cache-control", "max-age=0")], Demands::Confirmed),
            ("max-age", &[("cache-control", "max-age=5")], within(five, None, none)),
            ("min-fresh", &[("cache-control", "min-fresh=5")], within(any, None, five)),
            ("both", &[("cache-control", "max-age=5, min-fresh=5")], within(five, None, five)),
            ("max-stale", &[("cache-control", "max-stale=5")], within(any, Some(five), none)),
            ("max-stale of any age", &[("cache-control", "max-stale")], within(any, Some(any), none)),
            ("max-stale and max-age", &[("cache-control", "max-stale=5, max-age=5")], within(five, Some(five), none)),
            ("max-stale and no-cache", &[("cache-control", "max-stale=5, no-cache")], Demands::Confirmed),
        ];
        for (name, fields, demands) in rows {
            let found = verdict("GET", fields, RequestCacheControl::Honor, RequestBody::None);
            assert_eq!(found, lookup(demands, OnMiss::Forward), "{name}");
        }
        let both = &[("cache-control", "no-cache, only-if-cached")];
        let found = verdict("GET", both, RequestCacheControl::Honor, RequestBody::None);
        assert_eq!(found, lookup(Demands::Confirmed, OnMiss::GatewayTimeout));
    }

    #[test]
    fn the_facts_are_the_requests() {
        let head = head(
            "HEAD",
            &[("Authorization", "x"), ("cache-control", "no-store")],
        );
        let directives = RequestDirectives::parse(head.headers());
        let expected = RequestFacts {
            method: Method::Head,
            has_authorization: true,
            no_store: true,
            principal: Principal::Known,
        };
        let found = RequestFacts::of(&head, &directives, Principal::Known);
        assert_eq!(found, expected);
        let plain = RequestHead::parse(Headers::from_iter([
            (":method", "GET"),
            (":authority", "a"),
            (":path", "/"),
        ]));
        let none = RequestDirectives::default();
        let found = RequestFacts::of(&plain.unwrap(), &none, Principal::NotAsked);
        let expected = RequestFacts {
            method: Method::Get,
            has_authorization: false,
            no_store: false,
            principal: Principal::NotAsked,
        };
        assert_eq!(found, expected);
    }
}
