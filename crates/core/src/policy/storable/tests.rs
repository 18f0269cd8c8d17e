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
