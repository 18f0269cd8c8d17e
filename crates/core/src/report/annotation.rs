//! What the client is told about the cache: `x-cache`, `x-cache-age`, `cache-status` (RFC 9211), and `warning` where somebody
//! still wants it (RFC 9111 section 5.5 has made it obsolete).
//!
//! `x-cache` is the short word that dashboards know. `cache-status` says why: which step failed to answer, whether
//! the response is being stored, and the [`Reason`] as its `detail`. A field from a cache nearer the origin is left
//! standing in front, as RFC 9211 section 2 asks.

use std::fmt::Write as _;

use crate::config::{AddedHeaders, Switch};
use crate::http::Headers;
use crate::policy::Reason;
use crate::time::Seconds;

/// What the client is told about the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotation {
    /// The answer is from the cache, where it has come from another process of the fleet, which was asked for it.
    Brought {
        /// Its age.
        age: Seconds,
        /// How long it stays fresh.
        ttl: Seconds,
    },
    /// The cache was not looked at.
    Bypass(Reason),
    /// The answer is from the cache, where another request has brought it that this one has waited for.
    Collapsed {
        /// Its age.
        age: Seconds,
        /// Why it would have gone to the origin.
        forward: Forward,
    },
    /// The answer is from the cache.
    Hit {
        /// Its age.
        age: Seconds,
        /// How long it stays fresh.
        ttl: Seconds,
    },
    /// The origin was asked, and failed; the answer is from the cache, and stale.
    Instead {
        /// Its age.
        age: Seconds,
        /// For how long it has been stale.
        overdue: Seconds,
        /// Who lets it be used.
        why: Reason,
        /// Why the origin was asked.
        forward: Forward,
        /// What it said, if it said anything.
        status: Option<u16>,
    },
    /// The cache was looked at; the answer is the origin's.
    Miss(Forward, Storing),
    /// The origin was asked whether the stored response is still good, and said yes; the answer is the stored one.
    Revalidated(Forward, Storing),
    /// The answer is from the cache, and stale.
    Stale {
        /// Its age.
        age: Seconds,
        /// For how long it has been stale.
        overdue: Seconds,
        /// Who lets it be used.
        why: Reason,
    },
    /// The client wanted an answer from the cache or none, and there is none.
    Unanswered,
}

/// One field line, and what becomes of others of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It stands alone: another cache's word gives way.
    Alone(&'static str, String),
    /// It is a list's next member: caches nearer the origin stand in front.
    Behind(&'static str, String),
}

/// Why a request went to the origin (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// There is a part, but not all of what the request asks for.
    Partial,
    /// The request's own directives asked for it.
    Request,
    /// The rule is only tried, and there is nothing that could have been the answer.
    Shadow,
    /// There is a response, but it may no longer be used.
    Stale(Reason),
    /// There is nothing under this key.
    UriMiss,
    /// There are responses under this key, but for other values of the fields that tell them apart.
    VaryMiss,
}

/// What becomes of the origin's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// It is being captured; it will be stored when it is complete.
    Captured,
    /// It is not stored.
    Skipped(Reason),
}

impl Annotation {
    /// Fields of the same name as Larder's own legacy fields give way to them. Of warnings only those do that are about how
    /// fresh a response is, which are Larder's to give then: "1xx Warning codes describe the freshness or validation status of
    /// the response" (RFC 7234 section 5.5). They stay where Larder gives none.
    pub fn make_way(self, added: AddedHeaders, headers: &mut Headers) {
        if self.warning(added).is_some() {
            headers.retain(|name, value| {
                !name.eq_ignore_ascii_case(b"warning") || !value.trim_ascii().starts_with(b"1")
            });
        }
        if added.x_cache == Switch::On {
            headers.retain(|name, _| {
                !name.eq_ignore_ascii_case(b"x-cache") && !name.eq_ignore_ascii_case(b"x-cache-age")
            });
        }
    }

    /// The lines that are switched on.
    pub fn lines(self, added: AddedHeaders) -> impl Iterator<Item = Line> {
        let word = || Line::Alone("x-cache", self.word().to_owned());
        let legacy = (added.x_cache == Switch::On).then(word);
        let age = match (added.x_cache, self) {
            (
                Switch::On,
                Self::Brought { age, .. }
                | Self::Collapsed { age, .. }
                | Self::Hit { age, .. }
                | Self::Instead { age, .. }
                | Self::Stale { age, .. },
            ) => Some(Line::Alone("x-cache-age", age.get().to_string())),
            (Switch::On | Switch::Off, _) => None,
        };
        let status = || Line::Behind("cache-status", self.cache_status());
        let status = (added.cache_status == Switch::On).then(status);
        let warning = self.warning(added);
        let warning = warning.map(|warning| Line::Behind("warning", warning.to_owned()));
        [legacy, age, status, warning].into_iter().flatten()
    }

    /// The value of `warning`: that the response is stale, and where the origin failed that one too.
    fn warning(self, added: AddedHeaders) -> Option<&'static str> {
        let warning = match self {
            Self::Instead { .. } => "110 - \"Response is Stale\", 111 - \"Revalidation Failed\"",
            Self::Stale { .. } => "110 - \"Response is Stale\"",
            Self::Brought { .. }
            | Self::Bypass(_)
            | Self::Collapsed { .. }
            | Self::Hit { .. }
            | Self::Miss(..)
            | Self::Revalidated(..)
            | Self::Unanswered => return None,
        };
        (added.warning == Switch::On).then_some(warning)
    }

    /// The value of `x-cache`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bypass(_) | Self::Miss(Forward::Shadow, _) => "BYPASS",
            Self::Brought { .. } | Self::Collapsed { .. } | Self::Hit { .. } => "HIT",
            Self::Miss(..) | Self::Unanswered => "MISS",
            Self::Revalidated(..) => "REVALIDATED",
            Self::Instead { .. } | Self::Stale { .. } => "STALE",
        }
    }

    /// The value of `cache-status`.
    pub fn cache_status(self) -> String {
        let mut out = String::with_capacity(48); // longer than most
        out.push_str("larder");
        // Writing to a String cannot fail.
        let _ = match self {
            // It "was not forwarded" (RFC 9211 section 2.1): the fleet is one cache.
            Self::Brought { ttl, .. } => write!(out, "; hit; ttl={}; detail=fleet", ttl.get()),
            Self::Bypass(Reason::Method) => write!(out, "; fwd=method"),
            Self::Bypass(reason) => {
                out.extend(["; fwd=bypass; detail=", reason.code()]);
                Ok(())
            }
            // "If true, the request was collapsed with others, and the response was reused" (RFC 9211 section 2.6).
            Self::Collapsed { forward, .. } => {
                out.extend(["; fwd=", forward.code(), "; collapsed"]);
                if let Some(reason) = forward.detail() {
                    out.extend(["; detail=", reason.code()]);
                }
                Ok(())
            }
            Self::Hit { ttl, .. } => write!(out, "; hit; ttl={}", ttl.get()),
            Self::Instead {
                overdue,
                why,
                forward,
                status,
                ..
            } => {
                out.extend(["; fwd=", forward.code()]);
                if let Some(status) = status {
                    let _ = write!(out, "; fwd-status={status}");
                }
                write_stale(&mut out, overdue, why)
            }
            Self::Miss(forward, storing) => {
                out.extend(["; fwd=", forward.code()]);
                write_storing(&mut out, forward, storing)
            }
            Self::Revalidated(forward, storing) => {
                let _ = write!(out, "; fwd={}; fwd-status=304", forward.code());
                write_storing(&mut out, forward, storing)
            }
            Self::Stale { overdue, why, .. } => {
                out.push_str("; hit");
                write_stale(&mut out, overdue, why)
            }
            Self::Unanswered => write!(out, "; detail={}", Reason::OnlyIfCached.code()),
        };
        out
    }
}

/// The time that is left, which is less than nothing for what is stale (RFC 9211 section 2.4).
fn write_stale(out: &mut String, overdue: Seconds, why: Reason) -> std::fmt::Result {
    let ttl = 0_i64.saturating_sub(overdue.get().into());
    write!(out, "; ttl={ttl}; detail={}", why.code())
}

/// There is one `detail`: why the response is not stored, or else why the stored one was not used.
fn write_storing(out: &mut String, forward: Forward, storing: Storing) -> std::fmt::Result {
    match (storing, forward.detail()) {
        (Storing::Captured, None) => write!(out, "; stored"),
        (Storing::Captured, Some(reason)) => write!(out, "; stored; detail={}", reason.code()),
        (Storing::Skipped(reason), _) => write!(out, "; detail={}", reason.code()),
    }
}

impl Forward {
    /// What a stored response's obstacle says about the request.
    pub fn because(obstacle: Reason) -> Self {
        if obstacle == Reason::RequestDirective {
            Self::Request
        } else {
            Self::Stale(obstacle)
        }
    }

    /// What `fwd` does not say already.
    fn detail(self) -> Option<Reason> {
        match self {
            Self::Request => Some(Reason::RequestDirective),
            Self::Shadow => Some(Reason::ShadowMiss),
            Self::Partial | Self::Stale(Reason::Expired) | Self::UriMiss | Self::VaryMiss => None,
            Self::Stale(reason) => Some(reason),
        }
    }

    /// The value of the `fwd` parameter.
    fn code(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Request => "request",
            Self::Shadow => "bypass",
            Self::Stale(_) => "stale",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: AddedHeaders = AddedHeaders {
        x_cache: Switch::On,
        cache_status: Switch::On,
        warning: Switch::Off,
        cache_control: Switch::On,
        expose_tags: Switch::Off,
    };
    const NEITHER: AddedHeaders = AddedHeaders {
        x_cache: Switch::Off,
        cache_status: Switch::Off,
        ..BOTH
    };

    #[test]
    fn each_outcome_has_its_words() {
        let hit = Annotation::Hit {
            age: Seconds::clamped(3),
            ttl: Seconds::clamped(297),
        };
        let brought = Annotation::Brought {
            age: Seconds::ZERO,
            ttl: Seconds::clamped(60),
        };
        let collapsed = |forward| Annotation::Collapsed {
            age: Seconds::ZERO,
            forward,
        };
        let stale = |overdue| Annotation::Stale {
            age: Seconds::clamped(303),
            overdue: Seconds::clamped(overdue),
            why: Reason::MaxStale,
        };
        let instead = |status| Annotation::Instead {
            age: Seconds::clamped(303),
            overdue: Seconds::clamped(3),
            why: Reason::Sie,
            forward: Forward::Stale(Reason::Expired),
            status,
        };
        let rows = [
            (
                collapsed(Forward::UriMiss),
                "HIT",
                "larder; fwd=uri-miss; collapsed",
            ),
            (
                collapsed(Forward::Stale(Reason::Invalidated)),
                "HIT",
                "larder; fwd=stale; collapsed; detail=invalidated",
            ),
            (stale(3), "STALE", "larder; hit; ttl=-3; detail=max-stale"),
            (
                instead(Some(503)),
                "STALE",
                "larder; fwd=stale; fwd-status=503; ttl=-3; detail=sie",
            ),
            (
                instead(None),
                "STALE",
                "larder; fwd=stale; ttl=-3; detail=sie",
            ),
            (stale(0), "STALE", "larder; hit; ttl=0; detail=max-stale"),
            (brought, "HIT", "larder; hit; ttl=60; detail=fleet"),
            (hit, "HIT", "larder; hit; ttl=297"),
            (
                Annotation::Bypass(Reason::RuleBypass),
                "BYPASS",
                "larder; fwd=bypass; detail=rule-bypass",
            ),
            (
                Annotation::Bypass(Reason::Method),
                "BYPASS",
                "larder; fwd=method",
            ),
            (
                Annotation::Miss(Forward::UriMiss, Storing::Captured),
                "MISS",
                "larder; fwd=uri-miss; stored",
            ),
            (
                Annotation::Miss(Forward::Partial, Storing::Captured),
                "MISS",
                "larder; fwd=partial; stored",
            ),
            (
                Annotation::Miss(
                    Forward::Stale(Reason::Expired),
                    Storing::Skipped(Reason::Private),
                ),
                "MISS",
                "larder; fwd=stale; detail=private",
            ),
            (
                Annotation::Revalidated(Forward::Stale(Reason::Expired), Storing::Captured),
                "REVALIDATED",
                "larder; fwd=stale; fwd-status=304; stored",
            ),
            (
                Annotation::Unanswered,
                "MISS",
                "larder; detail=only-if-cached",
            ),
        ];
        for (annotation, word, status) in rows {
            assert_eq!(
                (annotation.word(), annotation.cache_status().as_str()),
                (word, status)
            );
        }
    }

    fn write(annotation: Annotation, added: AddedHeaders, headers: &mut Headers) {
        annotation.make_way(added, headers);
        for line in annotation.lines(added) {
            match line {
                Line::Alone(name, value) | Line::Behind(name, value) => headers.push(name, value),
            }
        }
    }

    #[test]
    fn an_upstream_caches_status_stays_in_front_and_its_x_cache_gives_way() {
        let mut headers = Headers::from_iter([
            ("X-Cache", "Hit from elsewhere"),
            ("cache-status", "cdn; hit"),
        ]);
        let hit = Annotation::Hit {
            age: Seconds::clamped(1),
            ttl: Seconds::clamped(2),
        };
        write(hit, BOTH, &mut headers);
        let expected = [
            ("cache-status", "cdn; hit"),
            ("x-cache", "HIT"),
            ("x-cache-age", "1"),
            ("cache-status", "larder; hit; ttl=2"),
        ];
        assert_eq!(headers, Headers::from_iter(expected));
    }

    #[test]
    fn a_warning_takes_the_place_of_those_about_freshness() {
        let stale = Annotation::Stale {
            age: Seconds::clamped(9),
            overdue: Seconds::clamped(3),
            why: Reason::Swr,
        };
        let hit = Annotation::Hit {
            age: Seconds::clamped(1),
            ttl: Seconds::clamped(2),
        };
        let warned = |annotation, warning| {
            let theirs = [
                ("Warning", "113 cdn \"Heuristic Expiration\""),
                ("warning", "299 - \"Deprecated API\""),
            ];
            let mut headers = Headers::from_iter(theirs);
            let added = AddedHeaders { warning, ..NEITHER };
            write(annotation, added, &mut headers);
            let lines = headers.all("warning");
            lines
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect::<Vec<_>>()
        };
        let (theirs, other) = (
            "113 cdn \"Heuristic Expiration\"",
            "299 - \"Deprecated API\"",
        );
        let ours = "110 - \"Response is Stale\"";
        assert_eq!(warned(stale, Switch::On), [other, ours]);
        assert_eq!(warned(stale, Switch::Off), [theirs, other]);
        assert_eq!(warned(hit, Switch::On), [theirs, other]);
    }

    #[test]
    fn what_is_switched_off_is_not_said() {
        let mut headers = Headers::from_iter([("x-cache", "theirs")]);
        write(Annotation::Bypass(Reason::Method), NEITHER, &mut headers);
        assert_eq!(headers, Headers::from_iter([("x-cache", "theirs")]));
    }
}
