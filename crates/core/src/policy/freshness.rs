//! How old a response is and how old it may get (RFC 9111 section 4.2).
//!
//! "response_is_fresh = (freshness_lifetime > current_age)": the lifetime is decided once, when the response is stored,
//! and so is its age at that moment; a lookup adds the time that has passed since. All spans saturate, so neither a
//! peer's numbers nor a clock that steps can make one negative or small by overflow.
//!
//! Whose word counts, in this order: a rule's TTL that overrides, the origin's explicit freshness, a rule's TTL as the
//! default, a guess from Last-Modified where the operator allows guessing. A rule's TTL counts from the arrival of the
//! response, whatever its age or the origin's clock: the operator says how long Larder keeps it, not how old it may be
//! in the world. It speaks for plain successes and permanent redirects; how long an error lasts only its origin knows, unless
//! the operator gives that status a time of its own (`negative`), which counts where the origin gives none. Where the operator
//! takes the origin's word for no error (`cache_errors`), it can still make that time shorter.
//!
//! Nothing here looks at staleness: a response is fresh or it is not.

use crate::config::{CacheErrors, CachePolicy, Heuristic, Ttl};
use crate::entry::{FreshnessSource, Lifetime, Meta};
use crate::http::{Headers, ResponseDirectives, ResponseHead, Source, delta_seconds, list};
use crate::policy::Reason;
use crate::time::{Seconds, Timestamp, parse_http_date_at};

/// The longest lifetime that is guessed; a file untouched for ten years is no promise for the next one.
const MAX_HEURISTIC: Seconds = Seconds::clamped(24 * 60 * 60);

/// When the origin was asked and when the head of its answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `request_time` of RFC 9111 section 4.2.3.
    pub request: Timestamp,
    /// `response_time` of RFC 9111 section 4.2.3.
    pub response: Timestamp,
}

/// How long the response is fresh, counted from the moment the origin made it, and who says so; `rule` is what the rule
/// may say of this response ([`super::sharing`]).
///
/// [`Reason::NoFreshness`] where nobody does, [`Reason::Status`] where a rule does, but not for this status.
pub fn lifetime(
    response: &ResponseHead,
    directives: &ResponseDirectives,
    policy: &CachePolicy,
    rule: Ttl,
    times: Times,
) -> Result<Lifetime, Reason> {
    let from_arrival = |ttl: Seconds| Lifetime {
        seconds: initial_age(&response.headers, times).saturating_add(ttl),
        source: FreshnessSource::Rule,
    };
    let ttl = match response.status {
        200 | 203 | 204 | 301 | 308 => rule,
        _ => Ttl::Origin,
    };
    if let Ttl::Override(ttl) = ttl {
        return Ok(from_arrival(ttl));
    }
    let said = explicit(&response.headers, directives, times.response).map(|seconds| Lifetime {
        seconds,
        source: FreshnessSource::Origin,
    });
    let negative = policy.sparing.negative(response.status);
    let negative = negative.map(|ttl| Lifetime {
        source: FreshnessSource::Negative,
        ..from_arrival(ttl)
    });
    match (said, negative, policy.cache_errors) {
        (Some(said), Some(negative), CacheErrors::Never) if negative.seconds < said.seconds => {
            return Ok(negative);
        }
        (Some(said), _, _) => return Ok(said),
        (None, Some(negative), _) => return Ok(negative),
        (None, None, _) => {}
    }
    let silence = match rule {
        Ttl::Origin => Reason::NoFreshness,
        Ttl::Default(_) | Ttl::Override(_) => Reason::Status, // there is a TTL, but not for this status
    };
    match ttl {
        Ttl::Default(ttl) | Ttl::Override(ttl) => Ok(from_arrival(ttl)),
        Ttl::Origin => match policy.heuristic {
            Heuristic::Off => Err(silence),
            Heuristic::On => guess(response, directives, times.response)
                .map(|seconds| Lifetime {
                    seconds,
                    source: FreshnessSource::Heuristic,
                })
                .ok_or(silence),
        },
    }
}

/// What the origin itself says.
fn explicit(
    headers: &Headers,
    directives: &ResponseDirectives,
    received: Timestamp,
) -> Option<Seconds> {
    // "If the cache is shared and the s-maxage response directive is present, use its value, or if the max-age response
    // directive is present, use its value, or if the Expires response header field is present, use its value minus the
    // value of the Date response header field (using the time the message was received if it is not present [...])"
    // RFC 9111 section 4.2.1.
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(seconds);
    }
    // "it MUST ignore the Cache-Control and Expires header fields in that response" RFC 9213 section 2.2, where a targeted
    // field decides.
    if directives.source != Source::CacheControl || !headers.contains("expires") {
        return None;
    }
    // "A cache recipient MUST interpret invalid date formats, especially the value "0", as representing a time in the
    // past (i.e., "already expired")." RFC 9111 section 5.3. Two lines are no date either: "either the first occurrence
    // should be used or the response should be considered stale" (section 4.2.1).
    let expires = headers.only("expires");
    let expires = expires.and_then(|value| parse_http_date_at(value, received));
    let date = date(headers, received).unwrap_or(received);
    Some(expires.map_or(Seconds::ZERO, |expires| expires.since(date)))
}

/// A tenth of the time between the last modification and the response, where the response permits a guess.
fn guess(
    response: &ResponseHead,
    directives: &ResponseDirectives,
    received: Timestamp,
) -> Option<Seconds> {
    // "heuristics can only be used on responses without explicit freshness whose status codes are defined as
    // heuristically cacheable [...] and on responses without explicit freshness that have been marked as explicitly
    // cacheable (e.g., with a public response directive)." RFC 9111 section 4.2.2. Errors are left out on purpose.
    let may_guess = match response.status {
        200 | 203 | 204 | 300 | 301 | 308 => true,
        ..400 => directives.public,
        _ => false,
    };
    let modified = response.headers.only("last-modified")?;
    let modified = parse_http_date_at(modified, received).filter(|_| may_guess)?;
    let made = date(&response.headers, received).unwrap_or(received);
    // "caches are encouraged to use a heuristic expiration value that is no more than some fraction of the interval
    // since that time. A typical setting of this fraction might be 10%." RFC 9111 section 4.2.2.
    let tenth = Seconds::clamped(u64::from(made.since(modified).get()) / 10);
    Some(tenth.min(MAX_HEURISTIC))
}

/// The age of a response when its head arrives: `corrected_initial_age` of RFC 9111 section 4.2.3, in its careful form.
pub fn initial_age(headers: &Headers, times: Times) -> Seconds {
    // "apparent_age = max(0, response_time - date_value)"
    let apparent =
        date(headers, times.response).map_or(Seconds::ZERO, |date| times.response.since(date));
    // "corrected_age_value = age_value + response_delay"
    let delay = times.response.since(times.request);
    let corrected = age_value(headers).saturating_add(delay);
    // "corrected_initial_age = max(apparent_age, corrected_age_value)"
    apparent.max(corrected)
}

/// The age of a stored response: "current_age = corrected_initial_age + resident_time" (RFC 9111 section 4.2.3).
///
/// It never falls as `now` grows, and never below the age it was stored with.
pub fn current_age(meta: &Meta, now: Timestamp) -> Seconds {
    meta.initial_age
        .saturating_add(now.since(meta.response_time))
}

fn date(headers: &Headers, received: Timestamp) -> Option<Timestamp> {
    let value = headers.only("date")?;
    parse_http_date_at(value, received)
}

fn age_value(headers: &Headers) -> Seconds {
    // "a cache encountering a message with a list-based Age field value SHOULD use the first member of the field value,
    // discarding subsequent ones. If the field value (after discarding additional members, as per above) is invalid
    // [...], a cache SHOULD ignore the field." RFC 9111 section 5.1.
    list::elements(headers.all("age"))
        .next()
        .and_then(|first| delta_seconds(first.bytes().iter().copied()))
        .unwrap_or(Seconds::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Negative, Sparing};
    use crate::policy::sample::{self, Fields};
    use crate::time::format_http_date;

    /// When the responses of these tests arrive, one second after they were asked for.
    const ARRIVAL: u64 = 1_000_000_000;

    fn times() -> Times {
        Times {
            request: Timestamp::from_secs(ARRIVAL - 1),
            response: Timestamp::from_secs(ARRIVAL),
        }
    }

    fn date_at(offset: i64) -> String {
        format_http_date(Timestamp::from_secs(ARRIVAL.saturating_add_signed(offset)))
    }

    fn lifetime_of(
        status: u16,
        fields: Fields<'_>,
        policy: &CachePolicy,
    ) -> Result<(u32, FreshnessSource), Reason> {
        let headers: Headers = fields.iter().copied().collect();
        let directives = ResponseDirectives::parse(&headers);
        let head = ResponseHead { status, headers };
        lifetime(&head, &directives, policy, policy.ttl, times())
            .map(|it| (it.seconds.get(), it.source))
    }

    #[test]
    fn explicit_freshness_is_the_first_of_three() {
        let (soon, now, past) = (date_at(60), date_at(0), date_at(-60));
        let loud = soon.to_ascii_uppercase();
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, Option<u32>); 15] = [
            ("nothing", &[("date", &now)], None),
            ("s-maxage before max-age", &[("cache-control", "max-age=9, s-maxage=5"), ("expires", &soon)], Some(5)),
            ("max-age before Expires", &[("cache-control", "max-age=9"), ("expires", &soon)], Some(9)),
            ("max-age before an invalid Expires", &[("cache-control", "max-age=9"), ("expires", "0")], Some(9)),
            ("an invalid max-age before Expires", &[("cache-control", "max-age=x"), ("expires", &soon)], Some(0)),
            ("Expires minus Date", &[("expires", &soon), ("date", &past)], Some(120)),
            ("Expires without Date", &[("expires", &soon)], Some(60)),
            ("Expires with an invalid Date", &[("expires", &soon), ("date", "yesterday")], Some(60)),
            ("Expires before Date", &[("expires", &past), ("date", &now)], Some(0)),
            ("Expires: 0", &[("expires", "0")], Some(0)),
            ("Expires in words", &[("expires", "never")], Some(0)),
            ("Expires in capitals", &[("expires", &loud), ("date", &past)], Some(120)),
            ("Expires twice", &[("expires", &soon), ("expires", &soon)], Some(0)),
            ("a targeted field before all", &[("cdn-cache-control", "max-age=7"), ("cache-control", "s-maxage=9"), ("expires", "0")], Some(7)),
            ("a targeted field without freshness", &[("cdn-cache-control", "public"), ("cache-control", "max-age=9"), ("expires", &soon)], None),
        ];
        for (name, fields, expected) in rows {
            let expected = expected
                .map(|seconds| (seconds, FreshnessSource::Origin))
                .ok_or(Reason::NoFreshness);
            assert_eq!(
                lifetime_of(200, fields, &sample::policy()),
                expected,
                "{name}"
            );
            assert_eq!(
                lifetime_of(404, fields, &sample::policy()),
                expected,
                "{name}, 404"
            );
        }
    }

    #[test]
    fn a_rule_speaks_for_successes_and_permanent_redirects() {
        let explicit: Fields<'_> = &[("cache-control", "max-age=9")];
        let with = |ttl| CachePolicy {
            ttl,
            ..sample::policy()
        };
        let default = with(Ttl::Default(Seconds::clamped(300)));
        let forced = with(Ttl::Override(Seconds::clamped(300)));
        // The response took one second to come, so it is one second old on arrival.
        let by_rule = Ok((301, FreshnessSource::Rule));
        let by_origin = Ok((9, FreshnessSource::Origin));
        for status in [200, 203, 204, 301, 308] {
            assert_eq!(lifetime_of(status, &[], &default), by_rule, "{status}");
            let found = lifetime_of(status, explicit, &default);
            assert_eq!(found, by_origin, "{status}");
            assert_eq!(lifetime_of(status, explicit, &forced), by_rule, "{status}");
        }
        for status in [201, 300, 302, 307, 404, 410, 500, 503] {
            assert_eq!(
                lifetime_of(status, &[], &default),
                Err(Reason::Status),
                "{status}"
            );
            assert_eq!(
                lifetime_of(status, &[], &forced),
                Err(Reason::Status),
                "{status}"
            );
            let found = lifetime_of(status, explicit, &forced);
            assert_eq!(found, by_origin, "{status}");
        }
    }

    #[test]
    fn errors_last_as_long_as_their_origin_or_the_operator_says() {
        let negative = vec![Negative {
            status: 404,
            ttl: Seconds::clamped(10),
        }];
        let with = |cache_errors| CachePolicy {
            ttl: Ttl::Override(Seconds::clamped(300)),
            heuristic: Heuristic::On,
            cache_errors,
            sparing: Sparing {
                negative: negative.clone(),
                ..Sparing::new()
            },
            ..sample::policy()
        };
        let (explicit, never) = (with(CacheErrors::Explicit), with(CacheErrors::Never));
        let hour = date_at(-3600);
        let (long, short): (Fields<'_>, Fields<'_>) = (
            &[("cache-control", "max-age=60")],
            &[("cache-control", "max-age=5")],
        );
        let guessable: Fields<'_> = &[("last-modified", &hour)];
        // It took one second to come, so it is one second old on arrival.
        let own = Ok((11, FreshnessSource::Negative));
        let origins = |seconds| Ok((seconds, FreshnessSource::Origin));
        #[rustfmt::skip]
        let rows = [
            ("nothing said", 404, &[][..], &explicit, own),
            ("the origin says more", 404, long, &explicit, origins(60)),
            ("the origin says less", 404, short, &explicit, origins(5)),
            ("the origin says not at all", 404, &[("expires", "0")], &explicit, origins(0)),
            ("another error", 410, &[], &explicit, Err(Reason::Status)),
            ("no guess", 404, guessable, &explicit, own),
            ("a success", 200, &[], &explicit, Ok((301, FreshnessSource::Rule))),
            ("the origin is not asked", 404, &[], &never, own),
            ("it says more than it may", 404, long, &never, own),
            ("it says less", 404, short, &never, origins(5)),
        ];
        for (name, status, fields, policy, expected) in rows {
            assert_eq!(lifetime_of(status, fields, policy), expected, "{name}");
        }
    }

    #[test]
    fn a_rule_counts_from_arrival_whatever_the_origins_clock_says() {
        let forced = CachePolicy {
            ttl: Ttl::Override(Seconds::clamped(300)),
            ..sample::policy()
        };
        let slow_clock = date_at(-3600);
        let rows: [(&str, Fields<'_>, u32); 3] = [
            ("a slow clock", &[("date", &slow_clock)], 3900),
            ("an old copy", &[("age", "1000")], 1301),
            (
                "an endless age",
                &[("age", "99999999999")],
                Seconds::MAX.get(),
            ),
        ];
        for (name, fields, expected) in rows {
            let expected = Ok((expected, FreshnessSource::Rule));
            assert_eq!(lifetime_of(200, fields, &forced), expected, "{name}");
        }
    }

    #[test]
    fn guesses_are_a_tenth_and_at_most_a_day() {
        let policy = CachePolicy {
            heuristic: Heuristic::On,
            ..sample::policy()
        };
        let (hour, years, ahead, now) = (
            date_at(-3600),
            date_at(-900_000_000),
            date_at(60),
            date_at(0),
        );
        #[rustfmt::skip]
        let rows: [(&str, u16, Fields<'_>, Option<u32>); 10] = [
            ("an hour old", 200, &[("last-modified", &hour), ("date", &now)], Some(360)),
            ("without Date", 200, &[("last-modified", &hour)], Some(360)),
            ("years old", 301, &[("last-modified", &years)], Some(86_400)),
            ("from the future", 200, &[("last-modified", &ahead)], Some(0)),
            ("not a date", 200, &[("last-modified", "long ago")], None),
            ("nothing to guess from", 200, &[("date", &now)], None),
            ("a temporary redirect", 302, &[("last-modified", &hour)], None),
            ("a public one", 302, &[("last-modified", &hour), ("cache-control", "public")], Some(360)),
            ("an error", 404, &[("last-modified", &hour)], None),
            ("a public error", 503, &[("last-modified", &hour), ("cache-control", "public")], None),
        ];
        for (name, status, fields, expected) in rows {
            let expected = expected
                .map(|seconds| (seconds, FreshnessSource::Heuristic))
                .ok_or(Reason::NoFreshness);
            assert_eq!(lifetime_of(status, fields, &policy), expected, "{name}");
        }
        let explicit: Fields<'_> = &[("last-modified", &hour), ("expires", "0")];
        let expired = Ok((0, FreshnessSource::Origin));
        assert_eq!(lifetime_of(200, explicit, &policy), expired);
    }

    #[test]
    fn age_on_arrival() {
        let (past, ahead) = (date_at(-30), date_at(30));
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, u32); 9] = [
            ("straight from the origin", &[], 1),
            ("an old copy", &[("age", "10")], 11),
            ("an old Date", &[("date", &past)], 30),
            ("the larger counts", &[("date", &past), ("age", "50")], 51),
            ("a Date ahead", &[("date", &ahead), ("age", "2")], 3),
            ("the first of a list", &[("age", "7, 90")], 8),
            ("the first of two lines", &[("age", "7"), ("age", "90")], 8),
            ("negative", &[("age", "-5")], 1),
            ("not a number", &[("age", "ten")], 1),
        ];
        for (name, fields, expected) in rows {
            let headers = fields.iter().copied().collect();
            assert_eq!(initial_age(&headers, times()).get(), expected, "{name}");
        }
    }
}
