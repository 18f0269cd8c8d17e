//! Cache directives, read once into what they decide (RFC 9111 section 5.2).
//!
//! What is unclear counts against caching: a restriction holds in whatever form it comes, a permission only in the
//! form the grammar gives it, and a number that is none is zero. Directives that decide nothing here are not kept:
//! "A cache MUST ignore unrecognized cache directives" (section 5.2.3).
//!
//! `immutable` (RFC 8246) is not kept, because it asks for what is done anyway: fresh responses are not validated unless the
//! client demands it. Nor is `no-transform` (section 5.2.2.6), which is looked for only where something would be transformed
//! ([`crate::transform`]).
//!
//! Of a directive that is repeated, the smallest value counts. "When there is more than one value present for a given
//! directive [...] either the first occurrence should be used or the response should be considered stale" (section
//! 4.2.1): with the smallest, the response is at any moment either fresh by its first occurrence or considered stale.

use super::list::{Argument, Element, Parameter, elements};
use super::{Headers, Restriction};
use crate::time::Seconds;

/// What a request's Cache-Control, or Pragma, asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// The answer should be no older than this; a value that is no number is ignored.
    pub max_age: Option<Seconds>,
    /// The answer may be stale for no longer than this, [`Seconds::MAX`] for however long; a value that is no number is
    /// ignored.
    pub max_stale: Option<Seconds>,
    /// The answer should stay fresh for at least this long; a value that is no number is ignored.
    pub min_fresh: Option<Seconds>,
    /// The answer should have been validated with the origin; also `Pragma: no-cache`.
    pub no_cache: bool,
    /// The answer must not be stored.
    pub no_store: bool,
    /// The answer should come from the cache or not at all.
    pub only_if_cached: bool,
}

impl RequestDirectives {
    /// Reads the Cache-Control lines of a request, or Pragma where there are none. Allocates nothing.
    pub fn parse(headers: &Headers) -> Self {
        let mut directives = Self::default();
        for element in elements(headers.all("cache-control")) {
            directives.read(Parameter::parse(element));
        }
        // Pragma "was defined for HTTP/1.0 caches, so that clients could specify a 'no-cache' request (as
        // Cache-Control was not defined until HTTP/1.1)" RFC 9111 section 5.4.
        directives.no_cache |= !headers.contains("cache-control")
            && elements(headers.all("pragma"))
                .any(|element| Parameter::parse(element).is("no-cache"));
        directives
    }

    fn read(&mut self, parameter: Parameter<'_>) {
        if parameter.is("max-age") {
            let new = seconds(parameter.argument);
            self.max_age = stricter(self.max_age, new, Seconds::min);
        } else if parameter.is("max-stale") {
            // "If no value is assigned to max-stale, then the client will accept a stale response of any age." RFC 9111 section
            // 5.2.1.2.
            let new = match parameter.argument {
                Argument::Absent => Some(Seconds::MAX),
                Argument::Malformed | Argument::Quoted(_) | Argument::Token(_) => {
                    seconds(parameter.argument)
                }
            };
            self.max_stale = stricter(self.max_stale, new, Seconds::min);
        } else if parameter.is("min-fresh") {
            let new = seconds(parameter.argument);
            self.min_fresh = stricter(self.min_fresh, new, Seconds::max);
        } else if parameter.is("no-cache") {
            self.no_cache = true;
        } else if parameter.is("no-store") {
            self.no_store = true;
        } else if parameter.is("only-if-cached") {
            self.only_if_cached = true;
        }
    }
}

/// A field of a response that holds cache directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Cache-Control, for every cache.
    CacheControl,
    /// CDN-Cache-Control (RFC 9213 section 3).
    CdnCacheControl,
    /// Larder-Cache-Control, for this cache alone.
    LarderCacheControl,
    /// Surrogate-Control (Edge Architecture Specification, W3C note of 2001).
    SurrogateControl,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::CacheControl,
        Self::CdnCacheControl,
        Self::LarderCacheControl,
        Self::SurrogateControl,
    ];

    /// The name of the field, in lower case.
    pub const fn field(self) -> &'static str {
        match self {
            Self::CacheControl => "cache-control",
            Self::CdnCacheControl => "cdn-cache-control",
            Self::LarderCacheControl => "larder-cache-control",
            Self::SurrogateControl => "surrogate-control",
        }
    }
}

/// What a response's Cache-Control says, or the field that stands in its place (see [`Source`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// Which field says so.
    pub source: Source,
    /// How long it is fresh; zero where the value is no number.
    pub max_age: Option<Seconds>,
    /// `must-revalidate` in its proper form, which makes it storable in spite of Authorization.
    pub must_revalidate: bool,
    /// Only for caches that know its status, and for those `no-store` does not count.
    pub must_understand: bool,
    /// Not to be used without asking the origin.
    pub no_cache: Restriction,
    /// Not to be stored.
    pub no_store: bool,
    /// For one user alone.
    pub private: Restriction,
    /// For everyone, in spite of Authorization.
    pub public: bool,
    /// Not to be used stale: `must-revalidate` or `proxy-revalidate`, in whatever form.
    pub revalidate: bool,
    /// How long it is fresh in a shared cache; zero where the value is no number.
    pub s_maxage: Option<Seconds>,
    /// For how long it may be used stale when the origin fails (RFC 5861 section 4).
    pub stale_if_error: Option<Seconds>,
    /// For how long it may be used stale while the origin is asked (RFC 5861 section 3).
    pub stale_while_revalidate: Option<Seconds>,
}

impl ResponseDirectives {
    /// A field that says nothing.
    pub(super) const fn none(source: Source) -> Self {
        Self {
            source,
            max_age: None,
            must_revalidate: false,
            must_understand: false,
            no_cache: Restriction::Nothing,
            no_store: false,
            private: Restriction::Nothing,
            public: false,
            revalidate: false,
            s_maxage: None,
            stale_if_error: None,
            stale_while_revalidate: None,
        }
    }

    /// Whether the field is one that a qualified `private` or `no-cache` names.
    pub fn withholds(&self, field: &[u8]) -> bool {
        self.private.names(field) || self.no_cache.names(field)
    }

    /// Reads the Cache-Control lines of a response. Allocates nothing but the names in qualified directives.
    pub fn from_cache_control(headers: &Headers) -> Self {
        let source = Source::CacheControl;
        let elements = elements(headers.all(source.field()));
        Self::from_list(source, elements).unwrap_or(Self::none(source))
    }

    /// Reads directives in the form of Cache-Control; `None` where none of them decides anything.
    pub(super) fn from_list<'a>(
        source: Source,
        elements: impl Iterator<Item = Element<'a>>,
    ) -> Option<Self> {
        let mut directives = Self::none(source);
        let (mut decides, mut hides) = (false, false);
        for element in elements {
            hides |= matches!(element, Element::Unterminated(_));
            decides |= directives.read(Parameter::parse(element));
        }
        // What an endless string hides is unknown, and could be anything.
        directives.no_store |= hides;
        directives.must_understand &= !hides;
        (decides || hides).then_some(directives)
    }

    /// Takes in a directive; says whether it is known.
    fn read(&mut self, parameter: Parameter<'_>) -> bool {
        // "no argument is defined (nor allowed) unless stated otherwise" RFC 9111 section 5.2.
        let is_permission = parameter.argument == Argument::Absent;
        let must_revalidate = parameter.is("must-revalidate");
        if parameter.is("no-store") {
            self.no_store = true;
        } else if parameter.is("public") {
            self.public |= is_permission;
        } else if must_revalidate || parameter.is("proxy-revalidate") {
            self.must_revalidate |= must_revalidate && is_permission;
            self.revalidate = true;
        } else if parameter.is("must-understand") {
            self.must_understand |= is_permission;
        } else {
            return self.read_number(parameter) || self.read_restriction(parameter);
        }
        true
    }

    fn read_number(&mut self, parameter: Parameter<'_>) -> bool {
        let (mut argument, mut extension) = (parameter.argument, None);
        let place = if parameter.is("max-age") {
            (argument, extension) = split_extension(self.source, argument);
            &mut self.max_age
        } else if parameter.is("s-maxage") {
            &mut self.s_maxage
        } else if parameter.is("stale-if-error") {
            &mut self.stale_if_error
        } else if parameter.is("stale-while-revalidate") {
            &mut self.stale_while_revalidate
        } else {
            return false;
        };
        // "Caches are encouraged to consider responses that have invalid freshness information (e.g., a max-age
        // directive with non-integer content) to be stale." RFC 9111 section 4.2.1.
        let number = seconds(argument).unwrap_or(Seconds::ZERO);
        *place = stricter(*place, Some(number), Seconds::min);
        let window = &mut self.stale_while_revalidate;
        *window = stricter(*window, extension, Seconds::min);
        true
    }

    fn read_restriction(&mut self, parameter: Parameter<'_>) -> bool {
        let place = if parameter.is("no-cache") {
            &mut self.no_cache
        } else if parameter.is("private") {
            &mut self.private
        } else {
            return false;
        };
        let earlier = std::mem::replace(place, Restriction::Response);
        *place = earlier.and(Restriction::parse(parameter.argument));
        true
    }
}

/// `max-age=3600+600` of Surrogate-Control: the second number says how much longer the response may be used stale.
fn split_extension(source: Source, argument: Argument<'_>) -> (Argument<'_>, Option<Seconds>) {
    match (source, argument) {
        (Source::SurrogateControl, Argument::Token(token)) => {
            let mut halves = token.splitn(2, |byte| *byte == b'+');
            let fresh = halves.next().unwrap_or_default();
            let extension = halves
                .next()
                .and_then(|half| delta_seconds(half.iter().copied()));
            (Argument::Token(fresh), extension)
        }
        (
            Source::CacheControl
            | Source::CdnCacheControl
            | Source::LarderCacheControl
            | Source::SurrogateControl,
            argument,
        ) => (argument, None),
    }
}

fn stricter(
    old: Option<Seconds>,
    new: Option<Seconds>,
    choose: fn(Seconds, Seconds) -> Seconds,
) -> Option<Seconds> {
    match (old, new) {
        (Some(old), Some(new)) => Some(choose(old, new)),
        (old, new) => new.or(old),
    }
}

/// "recipients ought to accept both forms, even if a specific form is required for generation" RFC 9111 section 5.2.
fn seconds(argument: Argument<'_>) -> Option<Seconds> {
    delta_seconds(argument.value()?)
}

/// Reads delta-seconds, a non-negative integer in decimal digits (RFC 9111 section 1.2.2); `None` for anything else.
pub(crate) fn delta_seconds(digits: impl Iterator<Item = u8>) -> Option<Seconds> {
    decimal(digits).map(Seconds::clamped)
}

/// Reads `1*DIGIT`, at most [`u64::MAX`]; `None` for anything else.
pub(crate) fn decimal(digits: impl Iterator<Item = u8>) -> Option<u64> {
    let mut sum: Option<u64> = None;
    for byte in digits {
        let digit = char::from(byte).to_digit(10)?;
        let tens = sum.unwrap_or(0).saturating_mul(10);
        sum = Some(tens.saturating_add(u64::from(digit)));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn lines(values: &[&str]) -> Headers {
        values
            .iter()
            .map(|value| ("Cache-Control", *value))
            .collect()
    }

    fn some(seconds: u64) -> Option<Seconds> {
        Some(Seconds::clamped(seconds))
    }

    #[test]
    fn response_directives() {
        use Restriction::{Fields, Response};
        let none = ResponseDirectives::none(Source::CacheControl);
        #[rustfmt::skip]
        let rows: [(&str, &[&str], ResponseDirectives); 26] = [
            ("no line", &[], none.clone()),
            ("unknown ones", &["foo, bar=1, immutable, no-transform=\"x\", ="], none.clone()),
            ("case", &["No-Store"], ResponseDirectives { no_store: true, ..none.clone() }),
            ("max-age", &["max-age=60"], ResponseDirectives { max_age: some(60), ..none.clone() }),
            ("quoted number", &["max-age=\"60\""], ResponseDirectives { max_age: some(60), ..none.clone() }),
            ("leading zeros", &["max-age=0060"], ResponseDirectives { max_age: some(60), ..none.clone() }),
            ("overflow", &["max-age=99999999999999999999999"], ResponseDirectives { max_age: Some(Seconds::MAX), ..none.clone() }),
            ("no value", &["max-age"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("negative", &["max-age=-1"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("signed", &["max-age=+1"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("fraction", &["max-age=1.5"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("white space", &["max-age = 60"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("text", &["max-age=a"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("repeated: the smallest", &["max-age=60, max-age=5", "max-age=9"], ResponseDirectives { max_age: some(5), ..none.clone() }),
            ("repeated: one invalid", &["max-age=60, max-age=x"], ResponseDirectives { max_age: some(0), ..none.clone() }),
            ("s-maxage beside", &["s-maxage=1,max-age=2"], ResponseDirectives { max_age: some(2), s_maxage: some(1), ..none.clone() }),
            ("restricted", &["private, no-cache"], ResponseDirectives { private: Response, no_cache: Response, ..none.clone() }),
            ("qualified", &["private=\"x\", no-cache=\"a, b\"", "private=y"], ResponseDirectives { private: Fields(b"x,y".to_vec()), no_cache: Fields(b"a, b".to_vec()), ..none.clone() }),
            ("qualified and not", &["private=\"x\", no-cache=\"\"", "private"], ResponseDirectives { private: Response, no_cache: Response, ..none.clone() }),
            ("a restriction with an argument", &["no-store=1"], ResponseDirectives { no_store: true, ..none.clone() }),
            ("a permission with an argument", &["public=1, must-revalidate=\"\", must-understand=a"], ResponseDirectives { revalidate: true, ..none.clone() }),
            ("permissions", &["public, must-revalidate", "must-understand"], ResponseDirectives { public: true, must_revalidate: true, revalidate: true, must_understand: true, ..none.clone() }),
            ("hidden in a quoted value", &["foo=\"no-store, private\", public"], ResponseDirectives { public: true, ..none.clone() }),
            ("stale use", &["proxy-revalidate, stale-while-revalidate=5, stale-if-error=x"],
                ResponseDirectives { revalidate: true, stale_while_revalidate: some(5), stale_if_error: some(0), ..none.clone() }),
            ("an endless name", &["private=\"x"], ResponseDirectives { private: Response, no_store: true, ..none.clone() }),
            ("an endless string", &["max-age=60, must-understand, foo=\"private"], ResponseDirectives { max_age: some(60), no_store: true, ..none.clone() }),
        ];
        for (name, values, expected) in rows {
            assert_eq!(
                ResponseDirectives::parse(&lines(values)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn request_directives() {
        let none = RequestDirectives::default();
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, RequestDirectives); 13] = [
            ("no line", &[], none),
            ("unknown ones", &[("cache-control", "stale-if-error=5, foo")], none),
            ("all", &[("cache-control", "no-cache, NO-STORE"), ("cache-control", "only-if-cached")],
                RequestDirectives { no_cache: true, no_store: true, only_if_cached: true, ..none }),
            ("numbers", &[("cache-control", "max-age=5,min-fresh=\"7\"")], RequestDirectives { max_age: some(5), min_fresh: some(7), ..none }),
            ("invalid numbers", &[("cache-control", "max-age=x, min-fresh")], none),
            ("the strictest", &[("cache-control", "max-age=5, max-age=3, min-fresh=1, min-fresh=2")],
                RequestDirectives { max_age: some(3), min_fresh: some(2), ..none }),
            ("max-stale", &[("cache-control", "Max-Stale=5")], RequestDirectives { max_stale: some(5), ..none }),
            ("max-stale of any age", &[("cache-control", "max-stale")], RequestDirectives { max_stale: Some(Seconds::MAX), ..none }),
            ("max-stale twice", &[("cache-control", "max-stale, max-stale=\"7\", max-stale=9")], RequestDirectives { max_stale: some(7), ..none }),
            ("max-stale without a number", &[("cache-control", "max-stale=, max-stale=x, max-stale=-1, max-stale =5")], none),
            ("pragma", &[("Pragma", "foo, No-Cache")], RequestDirectives { no_cache: true, ..none }),
            ("another pragma", &[("pragma", "foo=no-cache")], none),
            ("pragma beside cache-control", &[("pragma", "no-cache"), ("cache-control", "foo")], none),
        ];
        for (name, fields, expected) in rows {
            let headers = fields.iter().copied().collect();
            assert_eq!(RequestDirectives::parse(&headers), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_restriction_is_found_behind_any_list(before in "[ -~]{0,40}") {
            let headers = Headers::from_iter([("cache-control", format!("{before},no-store"))]);
            prop_assert!(ResponseDirectives::parse(&headers).no_store);
        }

        #[test]
        fn numbers_are_read_as_they_are_written(number in any::<u64>()) {
            let seconds = delta_seconds(number.to_string().bytes());
            prop_assert_eq!(seconds, Some(Seconds::clamped(number)));
        }

        #[test]
        fn more_lines_never_make_a_response_fresher(
            first in "max-age=[0-9a]{0,12}",
            second in "[a-z-]{0,8}(=\"?[0-9]{0,12}\"?)?",
        ) {
            let alone = ResponseDirectives::parse(&lines(&[&first])).max_age;
            let both = ResponseDirectives::parse(&lines(&[&first, &second])).max_age;
            prop_assert!(both <= alone);
        }
    }
}
