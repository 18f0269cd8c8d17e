//! Which field of a response decides: Cache-Control, or one that is targeted at caches like this one (RFC 9213).
//!
//! "the cache MUST select the first (in target-list order) field with a valid, non-empty value and use its value to
//! determine the caching policy for the response, and it MUST ignore the Cache-Control and Expires header fields in that
//! response, unless no valid, non-empty value is available from the listed header fields" (section 2.2). The target list
//! is `Larder-Cache-Control`, `CDN-Cache-Control`, `Surrogate-Control`. All of them are stored and passed on: other
//! caches on the way to the client may go by them too.
//!
//! The first two are dictionaries ([`structured`]): one error, and the field is as if it were not there. A directive whose
//! value has not the type that Cache-Control's grammar gives it is not consumed (section 2.1), except that a restriction
//! holds with every value but `?0`: to store what `private=1` was meant to protect would be the worse mistake.
//!
//! Surrogate-Control is older than structured fields (Edge Architecture Specification, a W3C note of 2001) and in use in
//! forms that are none, so it is read like Cache-Control, with three peculiarities. `max-age=3600+600` is a maximum age
//! with a time behind it in which the response may be stale. A directive with a parameter (`max-age=60;name`) is addressed
//! to the surrogate of that name, which Larder never claims to be; and `no-store-remote` is for caches far from the
//! origin, which Larder is not. And where none of its directives is about caching (`content="ESI/1.0"` alone), the field
//! decides nothing.

use super::directives::{ResponseDirectives, Source};
use super::list::{Argument, Element, elements};
use super::structured::{self, Value};
use super::{Headers, Restriction};
use crate::time::Seconds;

impl ResponseDirectives {
    /// Reads the directives of the field that decides.
    pub fn parse(headers: &Headers) -> Self {
        from_dictionary(Source::LarderCacheControl, headers)
            .or_else(|| from_dictionary(Source::CdnCacheControl, headers))
            .or_else(|| from_surrogate_control(headers))
            .unwrap_or_else(|| Self::from_cache_control(headers))
    }
}

/// "If a targeted field in a given response is empty, or a parsing error is encountered, that field MUST be ignored by the
/// cache" RFC 9213 section 2.1.
fn from_dictionary(source: Source, headers: &Headers) -> Option<ResponseDirectives> {
    let field = structured::joined(headers, source.field())?;
    let mut directives = None;
    for member in structured::dictionary(&field) {
        let (key, value) = member.ok()?;
        let directives = directives.get_or_insert_with(|| ResponseDirectives::none(source));
        set(directives, key, value);
    }
    directives
}

/// Takes in one member; of members with one key, the last counts (RFC 9651 section 4.2.2).
fn set(directives: &mut ResponseDirectives, key: &[u8], value: Value<'_>) {
    // "For example, a consuming implementation that coerces a max-age with a decimal value into an integer would behave
    // differently than other implementations" RFC 9213 section 2.1.
    let number = match value {
        Value::Integer(number) => Some(Seconds::clamped(u64::try_from(number).unwrap_or(0))),
        Value::Boolean(_)
        | Value::InnerList(_)
        | Value::Other
        | Value::String(_)
        | Value::Token(_) => None,
    };
    let permits = value == Value::Boolean(true);
    let restricts = value != Value::Boolean(false);
    let restriction = || match value {
        Value::Boolean(false) => Restriction::Nothing,
        Value::Boolean(true) | Value::InnerList(_) | Value::Integer(_) | Value::Other => {
            Restriction::Response
        }
        Value::String(raw) => Restriction::parse(Argument::Quoted(raw)),
        Value::Token(token) => Restriction::parse(Argument::Token(token)),
    };
    match key {
        b"max-age" => directives.max_age = number,
        b"must-revalidate" => {
            directives.must_revalidate = permits;
            directives.revalidate |= restricts;
        }
        b"must-understand" => directives.must_understand = permits,
        b"no-cache" => directives.no_cache = restriction(),
        b"no-store" => directives.no_store = restricts,
        b"private" => directives.private = restriction(),
        b"proxy-revalidate" => directives.revalidate |= restricts,
        b"public" => directives.public = permits,
        b"s-maxage" => directives.s_maxage = number,
        b"stale-if-error" => directives.stale_if_error = number,
        b"stale-while-revalidate" => directives.stale_while_revalidate = number,
        _ => {} // "unrecognized extension directives are ignored" RFC 9213 section 2.2
    }
}

fn from_surrogate_control(headers: &Headers) -> Option<ResponseDirectives> {
    let source = Source::SurrogateControl;
    let for_all = elements(headers.all(source.field())).filter(|element| !has_parameter(*element));
    ResponseDirectives::from_list(source, for_all)
}

/// Whether a `;` stands behind the value.
fn has_parameter(element: Element<'_>) -> bool {
    let behind_strings = element.bytes().rsplit(|byte| *byte == b'"').next();
    behind_strings.is_some_and(|rest| rest.contains(&b';'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Restriction::{Fields, Response};
    use proptest::prelude::*;

    type Lines<'a> = &'a [(&'a str, &'a str)];

    fn parse(fields: Lines<'_>) -> ResponseDirectives {
        ResponseDirectives::parse(&fields.iter().copied().collect())
    }

    fn aged(source: Source, max_age: u64) -> ResponseDirectives {
        ResponseDirectives {
            max_age: Some(Seconds::clamped(max_age)),
            ..ResponseDirectives::none(source)
        }
    }

    #[test]
    fn the_first_valid_field_that_says_something_decides_alone() {
        use Source::{CacheControl, CdnCacheControl, LarderCacheControl, SurrogateControl};
        let (own, cdn) = (
            ("Larder-Cache-Control", "max-age=1"),
            ("CDN-Cache-Control", "max-age=2"),
        );
        let surrogate = ("Surrogate-Control", "max-age=3");
        let plain = ("Cache-Control", "max-age=4, private, no-store");
        #[rustfmt::skip]
        let rows: [(&str, Lines<'_>, ResponseDirectives); 12] = [
            ("all four", &[plain, surrogate, cdn, own], aged(LarderCacheControl, 1)),
            ("three", &[plain, surrogate, cdn], aged(CdnCacheControl, 2)),
            ("two", &[plain, surrogate], aged(SurrogateControl, 3)),
            ("one", &[plain], ResponseDirectives { private: Response, no_store: true, ..aged(CacheControl, 4) }),
            ("an empty one is none", &[("larder-cache-control", " "), cdn], aged(CdnCacheControl, 2)),
            ("an invalid one is none", &[("larder-cache-control", "max-age=1,"), cdn], aged(CdnCacheControl, 2)),
            ("capitals are invalid", &[("larder-cache-control", "max-age=1, Private"), cdn], aged(CdnCacheControl, 2)),
            ("one invalid line is enough", &[own, ("larder-cache-control", "a b"), cdn], aged(CdnCacheControl, 2)),
            ("two invalid ones", &[("larder-cache-control", "="), ("cdn-cache-control", "="), surrogate], aged(SurrogateControl, 3)),
            ("an unknown directive is something", &[("cdn-cache-control", "none"), plain], ResponseDirectives::none(CdnCacheControl)),
            ("but not in Surrogate-Control", &[("surrogate-control", "content=\"ESI/1.0\""), ("cache-control", "max-age=4")], aged(CacheControl, 4)),
            ("a field for somebody else", &[("other-cache-control", "max-age=1"), ("cache-control", "max-age=4")], aged(CacheControl, 4)),
        ];
        for (name, fields, expected) in rows {
            assert_eq!(parse(fields), expected, "{name}");
        }
    }

    #[test]
    fn types_are_those_of_the_directives() {
        let none = ResponseDirectives::none(Source::CdnCacheControl);
        let age = |seconds| aged(Source::CdnCacheControl, seconds);
        #[rustfmt::skip]
        let rows: [(&str, &[&str], ResponseDirectives); 18] = [
            ("a number", &["max-age=60"], age(60)),
            ("leading zeros", &["max-age=0060"], age(60)),
            ("a large number", &["max-age=999999999999999"], ResponseDirectives { max_age: Some(Seconds::MAX), ..none.clone() }),
            ("a negative number", &["max-age=-1"], age(0)),
            ("a decimal", &["max-age=60.0"], none.clone()),
            ("a string", &["max-age=\"60\""], none.clone()),
            ("a token", &["max-age=a"], none.clone()),
            ("no value", &["max-age"], none.clone()),
            ("parameters", &["max-age=60;a=1"], age(60)),
            ("the last of a kind", &["max-age=60, max-age=5", "max-age=9"], age(9)),
            ("the last is of no use", &["max-age=60, max-age=a"], none.clone()),
            ("several lines", &["max-age=60", "private"], ResponseDirectives { private: Response, ..age(60) }),
            ("restrictions", &["no-store, no-cache=\"a\", private=1"],
                ResponseDirectives { no_store: true, no_cache: Fields(b"a".to_vec()), private: Response, ..none.clone() }),
            ("restrictions lifted", &["no-store, no-cache=?0, private=?0, no-store=?0"], none.clone()),
            ("permissions", &["public, must-revalidate=?1, must-understand"],
                ResponseDirectives { public: true, must_revalidate: true, revalidate: true, must_understand: true, ..none.clone() }),
            ("no permissions", &["public=1, must-revalidate=a, must-understand=\"\", public=?0"], ResponseDirectives { revalidate: true, ..none.clone() }),
            ("stale use", &["proxy-revalidate, stale-while-revalidate=5, stale-if-error=1.5"],
                ResponseDirectives { revalidate: true, stale_while_revalidate: Some(Seconds::clamped(5)), ..none.clone() }),
            ("for shared caches", &["s-maxage=5, max-age=60"], ResponseDirectives { s_maxage: Some(Seconds::clamped(5)), ..age(60) }),
        ];
        for (name, lines, expected) in rows {
            let headers = Headers::from_iter(lines.iter().map(|line| ("CDN-Cache-Control", *line)));
            assert_eq!(ResponseDirectives::parse(&headers), expected, "{name}");
        }
    }

    #[test]
    fn surrogate_control_is_read_as_it_is_written() {
        let none = ResponseDirectives::none(Source::SurrogateControl);
        let age = |seconds| aged(Source::SurrogateControl, seconds);
        let other = aged(Source::CacheControl, 4);
        #[rustfmt::skip]
        let rows: [(&str, &str, ResponseDirectives); 13] = [
            ("beside other things", "content=\"ESI/1.0\", max-age=3600", age(3600)),
            ("with an extension", "max-age=3600+600", ResponseDirectives { stale_while_revalidate: Some(Seconds::clamped(600)), ..age(3600) }),
            ("with a broken extension", "max-age=3600+a", age(3600)),
            ("with nothing before it", "max-age=+600", ResponseDirectives { stale_while_revalidate: Some(Seconds::clamped(600)), ..age(0) }),
            ("no number", "max-age=a", age(0)),
            ("capitals", "Max-Age=60, No-Store", ResponseDirectives { no_store: true, ..age(60) }),
            ("for another surrogate", "no-store;other, max-age=60", age(60)),
            ("all for another surrogate", "max-age=60;other", other.clone()),
            ("with semicolons for commas", "max-age=60; no-store", other.clone()),
            ("a semicolon in a string", "content=\"a;b\", max-age=60", age(60)),
            ("for remote surrogates", "no-store-remote, max-age=60", age(60)),
            ("nothing about caching", "no-store-remote, content=\"ESI/1.0\"", other),
            ("an endless string", "content=\"ESI/1.0, max-age=60", ResponseDirectives { no_store: true, ..none.clone() }),
        ];
        for (name, value, expected) in rows {
            let fields = [("surrogate-control", value), ("cache-control", "max-age=4")];
            assert_eq!(parse(&fields), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_field_that_is_no_dictionary_changes_nothing(value in "[ -~]{0,20}[^a-z0-9_\\-.*?:\")]", rest in "[ -~]{0,20}") {
            let plain = ("cache-control", rest.as_str());
            let invalid = structured::dictionary(value.as_bytes()).any(|member| member.is_err());
            if invalid {
                prop_assert_eq!(parse(&[("cdn-cache-control", &value), plain]), parse(&[plain]));
            }
        }
    }
}
