//! What holds of ages, reuse and updates for any fields and any clocks, told in plain arithmetic.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "128 bits hold what 64 may add up to"
)]

use proptest::prelude::*;

use super::freshness::{Times, current_age, initial_age, lifetime};
use super::request::Demands;
use super::reuse::{self, Need, Reuse, Stale};
use super::stale::Terms;
use super::{Reason, freshening, sample};
use crate::config::{CachePolicy, Heuristic, RuleHash, SetCookie, StaleWindow, StaleWindows, Ttl};
use crate::entry::{FreshnessSource, Lifetime, Meta, StalePermission, Staleness, Validation};
use crate::epoch::Currency;
use crate::http::{Headers, ResponseDirectives, ResponseHead, Source};
use crate::property::cases;
use crate::time::{Seconds, Timestamp, format_http_date, parse_http_date, parse_http_date_at};

const NANOS: i128 = 1_000_000_000;

/// Nanoseconds of a clock that may step to anywhere, now and then to where it has been.
fn clock() -> impl Strategy<Value = u64> {
    let second = |seconds: u64| seconds.saturating_mul(1_000_000_000);
    prop_oneof![
        1 => Just(0),
        1 => Just(u64::MAX),
        1 => any::<u64>(),
        2 => (999..1100_u64).prop_map(second),
        2 => (0..1_u64 << 32).prop_map(second),
    ]
}

fn seconds() -> impl Strategy<Value = Seconds> {
    let any = any::<u32>().prop_map(|seconds| Seconds::clamped(seconds.into()));
    prop_oneof![
        4 => (0..100_u64).prop_map(Seconds::clamped),
        1 => any,
        1 => Just(Seconds::MAX),
    ]
}

fn date() -> impl Strategy<Value = String> {
    let date = clock().prop_map(|at| format_http_date(Timestamp::from_nanos(at)));
    prop_oneof![6 => date, 1 => "0|-1|never|Sun, 06 Nov 1994", 1 => "[ -~]{0,30}"]
}

fn field() -> impl Strategy<Value = (String, String)> {
    let named =
        |names: &'static [&'static str]| proptest::sample::select(names).prop_map(str::to_owned);
    let directives = "((s-maxage|max-age)=[0-9x\"-]{0,11}(, )?|public, |private|no-cache|, ){0,3}";
    prop_oneof![
        (
            named(&["date", "Expires", "last-modified", "date", "expires"]),
            date()
        ),
        (
            named(&["age", "Age"]),
            prop_oneof!["[0-9]{0,12}", "[-0-9, x]{0,12}"].boxed()
        ),
        (
            named(&["cache-control", "cdn-cache-control"]),
            directives.boxed()
        ),
    ]
}

fn clamped(seconds: i128) -> Seconds {
    Seconds::clamped(u64::try_from(seconds.max(0)).unwrap_or(u64::MAX))
}

/// Whole seconds from one reading of a clock to another; less than nothing where it stepped back.
fn between(earlier: u64, later: u64) -> i128 {
    (i128::from(later) - i128::from(earlier)).div_euclid(NANOS)
}

fn date_in(headers: &Headers, name: &str, received: u64) -> Option<u64> {
    let date = headers.only(name)?;
    parse_http_date_at(date, Timestamp::from_nanos(received)).map(Timestamp::as_nanos)
}

/// What `Age` says: the first member that is there, or nothing.
fn age_field(headers: &Headers) -> i128 {
    let lines: Vec<_> = headers
        .all("age")
        .map(|line| String::from_utf8_lossy(line))
        .collect();
    let members = lines.join(",");
    let mut members = members
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let first = members
        .find(|member| !member.is_empty())
        .unwrap_or_default();
    let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
    first.parse().ok().filter(|_| is_number).unwrap_or(0)
}

/// The age on arrival, exactly.
fn age_on_arrival(headers: &Headers, asked: u64, received: u64) -> i128 {
    let apparent = date_in(headers, "date", received).map_or(0, |date| between(date, received));
    apparent
        .max(age_field(headers) + between(asked, received).max(0))
        .max(0)
}

/// The lifetime that the origin names, exactly.
fn explicit(headers: &Headers, directives: &ResponseDirectives, received: u64) -> Option<Seconds> {
    let by_directive = directives.s_maxage.or(directives.max_age);
    let expires = || {
        let counts = directives.source == Source::CacheControl && headers.contains("expires");
        let date = date_in(headers, "date", received).unwrap_or(received);
        let expires = date_in(headers, "expires", received);
        counts.then(|| expires.map_or(Seconds::ZERO, |expires| clamped(between(date, expires))))
    };
    by_directive.or_else(expires)
}

fn demands() -> impl Strategy<Value = Demands> {
    let within = (
        seconds(),
        proptest::option::of(seconds()),
        prop_oneof![Just(Seconds::ZERO), seconds()],
    );
    prop_oneof![
        1 => Just(Demands::Confirmed),
        1 => Just(Demands::Nothing),
        4 => within.prop_map(|(max_age, max_stale, min_fresh)| Demands::Within { max_age, max_stale, min_fresh }),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let rule = prop_oneof![9 => Just(RuleHash(1)), 1 => Just(RuleHash(2))];
    let window = || {
        let otherwise = prop_oneof![Just(Seconds::ZERO), seconds()];
        prop_oneof![
            2 => otherwise.prop_map(StaleWindow::Otherwise),
            1 => seconds().prop_map(StaleWindow::Instead),
        ]
    };
    (rule, window(), window()).prop_map(|(rule, while_revalidate, if_error)| Terms {
        rule,
        stale: StaleWindows {
            while_revalidate,
            if_error,
        },
    })
}

fn meta() -> impl Strategy<Value = Meta> {
    let window = || proptest::option::of(seconds());
    let permission = proptest::sample::select(vec![
        StalePermission::Granted,
        StalePermission::Granted,
        StalePermission::Forbidden,
        StalePermission::ForbiddenBySMaxage,
    ]);
    let validation = proptest::sample::select(vec![
        Validation::Always,
        Validation::Never,
        Validation::WhenStale,
        Validation::WhenStale,
    ]);
    let staleness = (permission, window(), window());
    (seconds(), seconds(), clock(), staleness, validation).prop_map(
        |(lifetime, initial_age, received, staleness, validation)| Meta {
            initial_age,
            lifetime: Lifetime {
                seconds: lifetime,
                source: FreshnessSource::Origin,
            },
            response_time: Timestamp::from_nanos(received),
            validation,
            staleness: Staleness {
                permission: staleness.0,
                while_revalidate: staleness.1,
                if_error: staleness.2,
            },
            ..sample::meta()
        },
    )
}

/// What a stored response is good for, in numbers that may be negative.
fn judged(
    (meta, currency): (&Meta, Currency),
    terms: Terms,
    demands: Demands,
    now: u64,
) -> (Reuse, Option<(Seconds, Seconds)>) {
    let refuse = |reason| match meta.validation {
        Validation::Never => Reuse::Unusable(reason),
        Validation::Always | Validation::WhenStale => Reuse::Validate(reason),
    };
    let number = |seconds: Seconds| i128::from(seconds.get());
    let resident = between(meta.response_time.as_nanos(), now).max(0);
    let age = number(clamped(number(meta.initial_age) + resident));
    let left = number(meta.lifetime.seconds) - age;
    let (confirmed, max_age, max_stale, min_fresh) = match demands {
        Demands::Confirmed => (true, Seconds::MAX, None, Seconds::ZERO),
        Demands::Nothing => (false, Seconds::MAX, None, Seconds::ZERO),
        Demands::Within {
            max_age,
            max_stale,
            min_fresh,
        } => (false, max_age, max_stale, min_fresh),
    };
    let is_young = age <= number(max_age);
    let (is_softened, since) = match currency {
        Currency::Softened { since } => (true, since),
        Currency::Current | Currency::Gone | Currency::Invalidated => (false, None),
    };
    let request = meta.request_time.as_nanos();
    // As long as it can have been: since the purge, if that lies between the request and now.
    let purge = since.map_or(request, Timestamp::as_nanos);
    let purge = if request <= purge && purge <= now {
        purge
    } else {
        request
    };
    let since_purge = between(purge, now).max(0);
    let left = match is_softened {
        false => left,
        true => left.min(0).min(-number(clamped(since_purge))),
    };
    let taken = !confirmed
        && is_young
        && min_fresh == Seconds::ZERO
        && max_stale.is_none_or(|most| -left <= number(most));
    let said = |origin: Option<Seconds>, own| {
        number(match own {
            StaleWindow::Instead(own) => own,
            StaleWindow::Otherwise(own) => origin.unwrap_or(own),
        })
    };
    let swr = said(
        meta.staleness.while_revalidate,
        terms.stale.while_revalidate,
    );
    let sie = said(meta.staleness.if_error, terms.stale.if_error);
    let within = |window: i128| {
        let permits = match meta.staleness.permission {
            StalePermission::Granted => true,
            StalePermission::ForbiddenBySMaxage => window > 0,
            StalePermission::Forbidden => false,
        };
        taken && permits && -left < window
    };
    let stands = left <= 0
        && matches!(currency, Currency::Current | Currency::Softened { .. })
        && meta.rule == terms.rule
        && meta.validation != Validation::Always;
    let in_need = (stands && within(swr.max(sie))).then(|| (clamped(age), clamped(-left)));
    let obstacle = match is_softened {
        true => Reason::SoftPurged,
        false => Reason::Expired,
    };
    let stale = |why| Stale {
        age: clamped(age),
        overdue: clamped(-left),
        why,
    };
    let reuse = if currency == Currency::Gone {
        Reuse::Unusable(Reason::Invalidated)
    } else if currency == Currency::Invalidated {
        refuse(Reason::Invalidated)
    } else if meta.rule != terms.rule {
        refuse(Reason::OtherRule)
    } else if meta.validation == Validation::Always {
        refuse(Reason::NoCache)
    } else if left > 0 && !is_softened && !confirmed && is_young && left >= number(min_fresh) {
        Reuse::Fresh {
            age: clamped(age),
            ttl_left: clamped(left),
        }
    } else if left > 0 {
        refuse(Reason::RequestDirective)
    } else if within(swr) {
        Reuse::StaleMeanwhile {
            stale: stale(Reason::Swr),
            obstacle,
        }
    } else if taken && max_stale.is_some() && meta.staleness.permission == StalePermission::Granted
    {
        Reuse::Stale(stale(Reason::MaxStale))
    } else {
        refuse(obstacle)
    };
    (reuse, in_need)
}

const ABOUT_THE_BODY: [&str; 3] = ["content-encoding", "content-length", "content-range"];
/// Fields that are never taken from an update.
const NEVER: [&str; 13] = [
    "age",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    ":status",
];

fn head() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = proptest::sample::select(vec![
        "etag",
        "Cache-Control",
        "content-type",
        "Content-Length",
        "content-encoding",
        "content-range",
        "content-language",
        "x-a",
        "X-A",
        "link",
        "Link",
        "date",
        "Date",
        "age",
        "connection",
        "Connection",
        "set-cookie",
        "keep-alive",
        "te",
        ":status",
        "x-envoy-a",
        "Server",
        "transfer-encoding",
        "vary",
        "last-modified",
        "proxy-authenticate",
        "upgrade",
    ]);
    let value = prop_oneof![
        3 => "[ab]",
        2 => "(x-a|link|close|etag|DATE|content-type|[ ,]){1,4}",
        2 => date(),
        1 => "[ -~]{0,6}",
    ];
    proptest::collection::vec((name.prop_map(str::to_owned), value), 0..8)
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// What of an update is taken over.
fn taken(update: &Headers, cookies: SetCookie, received: Timestamp) -> Vec<(String, Vec<u8>)> {
    let connection: Vec<_> = update.all("connection").map(lower).collect();
    let connection = connection.join(",");
    let options: Vec<_> = connection
        .split(',')
        .map(|option| option.trim_matches([' ', '\t']))
        .collect();
    let mut taken = Vec::new();
    for (name, value) in update.iter() {
        let name = lower(name);
        let is_refused = NEVER.contains(&&*name)
            || name.starts_with("x-envoy-")
            || options.contains(&&*name)
            || (cookies == SetCookie::Strip && name == "set-cookie");
        if !is_refused {
            taken.push((name, value.to_vec()));
        }
    }
    let dates: Vec<_> = taken.iter().filter(|(name, _)| name == "date").collect();
    let is_dated = matches!(dates[..], [(_, date)] if parse_http_date(date).is_some());
    if !is_dated {
        taken.retain(|(name, _)| name != "date");
        taken.push(("date".to_owned(), format_http_date(received).into_bytes()));
    }
    taken.retain(|(name, _)| !ABOUT_THE_BODY.contains(&&**name));
    taken
}

fn lines(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (lower(name), value.to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn ages_and_lifetimes_are_exact_and_never_less_than_nothing(
        fields in proptest::collection::vec(field(), 0..6), asked in clock(), received in clock(), ttl in seconds(), mode in 0..3,
    ) {
        let headers = Headers::from_iter(fields);
        let times = Times { request: Timestamp::from_nanos(asked), response: Timestamp::from_nanos(received) };
        let on_arrival = clamped(age_on_arrival(&headers, asked, received));
        prop_assert_eq!(initial_age(&headers, times), on_arrival);

        let directives = ResponseDirectives::parse(&headers);
        let named = explicit(&headers, &directives, received);
        let policy = CachePolicy {
            ttl: match mode { 0 => Ttl::Origin, 1 => Ttl::Default(ttl), _ => Ttl::Override(ttl) },
            heuristic: Heuristic::On,
            ..sample::policy()
        };
        let by_rule = (Seconds::clamped(u64::from(on_arrival.get()) + u64::from(ttl.get())), FreshnessSource::Rule);
        let modified = date_in(&headers, "last-modified", received);
        let made = date_in(&headers, "date", received).unwrap_or(received);
        let guessed = modified.map(|modified| clamped((between(modified, made).max(0) / 10).min(86_400)));
        let expected = match (mode, named) {
            (2, _) | (1, None) => Some(by_rule),
            (_, Some(named)) => Some((named, FreshnessSource::Origin)),
            (_, None) => guessed.map(|guessed| (guessed, FreshnessSource::Heuristic)),
        };
        let head = ResponseHead { status: 200, headers };
        let found = lifetime(&head, &directives, &policy, policy.ttl, times);
        prop_assert_eq!(found.map(|found| (found.seconds, found.source)), expected.ok_or(Reason::NoFreshness));
    }

    #[test]
    fn age_never_falls_as_time_passes(meta in meta(), mut clock in proptest::collection::vec(clock(), 2..6)) {
        let age = |now| current_age(&meta, Timestamp::from_nanos(now));
        // However the clock steps, nothing is younger than when it came.
        prop_assert!(clock.iter().all(|now| age(*now) >= meta.initial_age && age(*now) <= Seconds::MAX));
        clock.sort_unstable();
        prop_assert!(clock.iter().map(|now| age(*now)).is_sorted());
    }

    #[test]
    fn what_is_reused_is_as_fresh_as_it_is_said_to_be(
        meta in meta(), demands in demands(), clock in proptest::collection::vec(clock(), 1..5),
        terms in terms(),
        currency in prop_oneof![
            7 => Just(Currency::Current), 1 => Just(Currency::Invalidated), 1 => Just(Currency::Gone), 1 => Just(Currency::Softened { since: None }),
            3 => clock().prop_map(|at| Currency::Softened { since: Some(Timestamp::from_nanos(at)) })
        ],
    ) {
        for now in clock {
            let (facts, at) = ((&meta, currency), Timestamp::from_nanos(now));
            let (expected, expected_in_need) = judged(facts, terms, demands, now);
            prop_assert_eq!(reuse::judge(facts, terms, demands, at), expected);
            let in_need = reuse::judge_in_need(facts, terms, demands, Need::Failed, at);
            prop_assert_eq!(in_need.map(|stale| (stale.age, stale.overdue)), expected_in_need);
        }
    }

    #[test]
    fn an_update_changes_what_it_names_once(
        stored in head(), update in head(), strips in any::<bool>(), received in clock(),
    ) {
        let (stored, update) = (Headers::from_iter(stored), Headers::from_iter(update));
        let cookies = if strips { SetCookie::Strip } else { SetCookie::Store };
        let received = Timestamp::from_nanos(received);
        let once = freshening::freshen(stored.clone(), &update, cookies, received);
        let twice = freshening::freshen(once.clone(), &update, cookies, received);
        prop_assert_eq!(&twice, &once);

        let taken = taken(&update, cookies, received);
        let mut expected = lines(&stored);
        expected.retain(|(name, _)| !taken.iter().any(|(other, _)| other == name));
        expected.extend(taken);
        prop_assert_eq!(lines(&once), expected);
        for name in ABOUT_THE_BODY.into_iter().chain(NEVER) {
            prop_assert!(once.all(name).eq(stored.all(name)), "{} changed", name);
        }
    }
}
