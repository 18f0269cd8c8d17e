//! Whether what one user got may be given to another.
//!
//! This is where a shared cache does its worst damage, so every sign that a response is somebody's own counts, and only
//! the origin's or the operator's explicit word lifts it: `public` and its like for Authorization, a rule's identity for
//! entries whose key names the user, `store_private` beside it for responses marked private, `set_cookie` for cookies.
//!
//! An identity lifts nothing for a request that has none: its entry would be everyone's.

use crate::config::{CachePolicy, PrivateResponses, SetCookie, Ttl};
use crate::http::{ResponseDirectives, ResponseHead};
use crate::key::Principal;
use crate::policy::Reason;
use crate::policy::request::RequestFacts;

/// Whether the response may be stored under the request's key; the error says whose own it is.
pub(super) fn judge(
    request: RequestFacts,
    response: &ResponseHead,
    directives: &ResponseDirectives,
    policy: &CachePolicy,
) -> Result<(), Reason> {
    let own = own(request, policy);
    // "if the cache is shared: the private response directive is either not present or allows a shared cache to store a
    // modified response" RFC 9111 section 3.
    let keeps_private = match own {
        Some(PrivateResponses::Store) => true,
        Some(PrivateResponses::Bypass) | None => false,
    };
    if directives.private.is_of_response() && !keeps_private {
        return Err(Reason::Private);
    }
    // "if the cache is shared: the Authorization header field is not present in the request or a response directive is
    // present that explicitly allows shared caching" RFC 9111 section 3; these are "must-revalidate, public, and
    // s-maxage" (section 3.5). An entry whose key names its user is not shared.
    let is_shareable =
        directives.must_revalidate || directives.public || directives.s_maxage.is_some();
    if request.has_authorization && !is_shareable && own.is_none() {
        return Err(Reason::Authorization);
    }
    // HTTP itself does not forbid to store a cookie, but mostly it is meant for one. One that is not stored anyway, because
    // a qualified directive names it, is no obstacle.
    let has_cookie =
        response.headers.contains("set-cookie") && !directives.withholds(b"set-cookie");
    match policy.set_cookie {
        SetCookie::Bypass if has_cookie => Err(Reason::SetCookie),
        SetCookie::Bypass | SetCookie::Store | SetCookie::Strip => Ok(()),
    }
}

/// What an entry that is one user's own may hold; `None` where everybody shares it.
fn own(request: RequestFacts, policy: &CachePolicy) -> Option<PrivateResponses> {
    match (&policy.identity, request.principal) {
        (Some(identity), Principal::Known) => Some(identity.private),
        (Some(_), Principal::Anonymous | Principal::NotAsked)
        | (None, Principal::Anonymous | Principal::Known | Principal::NotAsked) => None,
    }
}

/// The rule's TTL, as far as it counts for this response.
pub(super) fn ttl(
    request: RequestFacts,
    directives: &ResponseDirectives,
    policy: &CachePolicy,
) -> Ttl {
    // "unless the response contains a Cache-Control field with a response directive [...] that allows it to be stored by a
    // shared cache, and the cache conforms to the requirements of that directive for that response" RFC 9111 section 3.5.
    // must-revalidate and s-maxage allow it for as long as the origin says; who comes later has to be let in by the origin
    // (s-maxage=0: every time), so no rule makes it longer. public requires nothing.
    let is_on_condition =
        request.has_authorization && !directives.public && own(request, policy).is_none();
    match policy.ttl {
        Ttl::Override(ttl) if is_on_condition => Ttl::Default(ttl),
        ttl @ (Ttl::Default(_) | Ttl::Origin | Ttl::Override(_)) => ttl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Identity, IdentitySource, Trust};
    use crate::http::{Headers, Method};
    use crate::policy::sample::{self, Fields};
    use crate::time::Seconds;

    const PLAIN: RequestFacts = RequestFacts {
        method: Method::Get,
        has_authorization: false,
        no_store: false,
        principal: Principal::NotAsked,
    };
    const AUTHORIZED: RequestFacts = RequestFacts {
        has_authorization: true,
        ..PLAIN
    };
    const OWN: RequestFacts = RequestFacts {
        principal: Principal::Known,
        ..AUTHORIZED
    };

    fn refusal(request: RequestFacts, fields: Fields<'_>, policy: &CachePolicy) -> Option<Reason> {
        let response = ResponseHead {
            status: 200,
            headers: fields.iter().copied().collect(),
        };
        let directives = ResponseDirectives::parse(&response.headers);
        judge(request, &response, &directives, policy).err()
    }

    fn with_identity(private: PrivateResponses) -> CachePolicy {
        CachePolicy {
            identity: Some(Identity {
                source: IdentitySource::Header("x-user".into()),
                trust: Trust::Verified,
                private,
            }),
            ..sample::policy()
        }
    }

    #[test]
    fn an_authorized_answer_is_shared_only_where_the_origin_says_so() {
        let policy = sample::policy();
        for directive in ["public", "must-revalidate", "s-maxage=60", "a, PUBLIC, b"] {
            let fields = [("cache-control", directive)];
            assert_eq!(refusal(AUTHORIZED, &fields, &policy), None, "{directive}");
        }
        for directive in [
            "max-age=60",
            "proxy-revalidate",
            "immutable",
            "public=\"x\"",
            "a=\"public\"",
        ] {
            let fields = [("cache-control", directive)];
            let expected = Some(Reason::Authorization);
            assert_eq!(
                refusal(AUTHORIZED, &fields, &policy),
                expected,
                "{directive}"
            );
        }
        assert_eq!(refusal(PLAIN, &[], &policy), None);
    }

    #[test]
    fn an_entry_of_ones_own_may_hold_what_is_ones_own() {
        let (keeps, refuses) = (
            with_identity(PrivateResponses::Store),
            with_identity(PrivateResponses::Bypass),
        );
        let none = sample::policy();
        let private: Fields<'_> = &[("cache-control", "private")];
        #[rustfmt::skip]
        let rows: [(&str, RequestFacts, Fields<'_>, &CachePolicy, Option<Reason>); 7] = [
            ("credentials", OWN, &[], &refuses, None),
            ("private", OWN, private, &refuses, Some(Reason::Private)),
            ("private, to be kept", OWN, private, &keeps, None),
            ("without an identity in the request", AUTHORIZED, &[], &keeps, Some(Reason::Authorization)),
            ("private without one", PLAIN, private, &keeps, Some(Reason::Private)),
            ("without an identity in the rule", OWN, &[], &none, Some(Reason::Authorization)),
            ("private without one in the rule", OWN, private, &none, Some(Reason::Private)),
        ];
        for (name, request, fields, policy, expected) in rows {
            assert_eq!(refusal(request, fields, policy), expected, "{name}");
        }
    }

    #[test]
    fn a_rule_does_not_outlast_the_origins_condition_for_sharing() {
        let (short, long) = (
            Ttl::Default(Seconds::clamped(60)),
            Ttl::Override(Seconds::clamped(60)),
        );
        let with = |ttl, policy| CachePolicy { ttl, ..policy };
        let (shared, own) = (sample::policy, || with_identity(PrivateResponses::Bypass));
        #[rustfmt::skip]
        let rows = [
            ("s-maxage", AUTHORIZED, "s-maxage=0", with(long, shared()), short),
            ("must-revalidate", AUTHORIZED, "must-revalidate, max-age=0", with(long, shared()), short),
            ("public too", AUTHORIZED, "public, s-maxage=0", with(long, shared()), long),
            ("without credentials", PLAIN, "s-maxage=0", with(long, shared()), long),
            ("in an entry of one's own", OWN, "s-maxage=0", with(long, own()), long),
            ("a default is none", AUTHORIZED, "s-maxage=0", with(short, shared()), short),
        ];
        for (name, request, value, policy, expected) in rows {
            let headers = Headers::from_iter([("cache-control", value)]);
            let directives = ResponseDirectives::parse(&headers);
            assert_eq!(ttl(request, &directives, &policy), expected, "{name}");
        }
    }

    #[test]
    fn cookies_are_the_operators_choice() {
        let cookie: Fields<'_> = &[("Set-Cookie", "a=1"), ("cache-control", "public")];
        let rows = [
            (SetCookie::Bypass, Some(Reason::SetCookie)),
            (SetCookie::Store, None),
            (SetCookie::Strip, None),
        ];
        for (set_cookie, expected) in rows {
            let policy = CachePolicy {
                set_cookie,
                ..sample::policy()
            };
            assert_eq!(refusal(PLAIN, cookie, &policy), expected, "{set_cookie:?}");
            // An identity does not make a cookie storable.
            let policy = CachePolicy {
                set_cookie,
                ..with_identity(PrivateResponses::Store)
            };
            assert_eq!(
                refusal(OWN, cookie, &policy),
                expected,
                "{set_cookie:?}, own"
            );
        }
    }
}
