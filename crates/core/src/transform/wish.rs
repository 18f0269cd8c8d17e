//! In which coding a client wants a response.

use crate::http::list::{self, Element, Parameter};
use crate::http::{Headers, RequestHead, Source};
use crate::key::weighted;
use crate::policy::range::RangeRequest;

/// A client that names more codings is given none.
const MAX_ELEMENTS: usize = 64;

/// In which coding a client wants a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// In gzip.
    Gzip,
    /// In none.
    Plain,
}

/// In which coding this client wants a response: in gzip where it says so, wants it no less than the response as it is, and
/// asks for nothing that only the response as it is can give. Allocates nothing.
pub fn wish(request: &RequestHead) -> Wish {
    // A part is cut from the response as it is, so that parts fit together whatever the client accepts each time.
    let headers = request.headers();
    if RangeRequest::of(request).is_some() || says_no_transform(headers, Source::CacheControl) {
        return Wish::Plain;
    }
    by_weight(headers)
}

/// Whether a response says that its content must not be transformed (RFC 9111 section 5.2.2.6), in Cache-Control or in a
/// field that stands in its place.
pub fn forbids_transforming(response: &Headers) -> bool {
    let mut sources = Source::ALL.into_iter();
    sources.any(|source| says_no_transform(response, source))
}

fn says_no_transform(headers: &Headers, source: Source) -> bool {
    let mut directives = list::elements(headers.all(source.field()));
    directives.any(|directive| Parameter::parse(directive).is("no-transform"))
}

/// "If the representation's content coding is one of the content codings listed in the Accept-Encoding field value, then it is
/// acceptable unless it is accompanied by a qvalue of 0. [...] If multiple content codings are acceptable, then the acceptable
/// content coding with the highest non-zero qvalue is preferred" (RFC 9110 section 12.5.3). `*` is for those not listed;
/// `identity` is acceptable without being listed, and then by no weight, so that gzip of any weight is wanted more.
///
/// "If no Accept-Encoding header field is in the request, any content coding is considered acceptable by the user agent":
/// it is also what clients send that know nothing of codings, so they are sent none. What is no list of weighted codings,
/// or gives one of them two weights, says nothing.
fn by_weight(request: &Headers) -> Wish {
    let (mut gzip, mut identity, mut rest) = (None, None, None);
    for (place, element) in list::elements(request.all("accept-encoding")).enumerate() {
        let Element::Complete(bytes) = element else {
            return Wish::Plain;
        };
        let Some((name, weight)) = weighted(bytes) else {
            return Wish::Plain;
        };
        if place >= MAX_ELEMENTS
            || name.is_empty()
            || !name.iter().copied().all(list::is_token_byte)
        {
            return Wish::Plain;
        }
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let known = if is(b"gzip") || is(b"x-gzip") {
            &mut gzip
        } else if is(b"identity") {
            &mut identity
        } else if is(b"*") {
            &mut rest
        } else {
            continue;
        };
        if known.replace(weight).is_some_and(|before| before != weight) {
            return Wish::Plain;
        }
    }
    let gzip = gzip.or(rest).unwrap_or(0);
    let identity = identity.or(rest).unwrap_or(0);
    match gzip > 0 && gzip >= identity {
        true => Wish::Gzip,
        false => Wish::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Wish {
        let pseudo = [(":method", "GET"), (":authority", "a"), (":path", "/")];
        let headers = pseudo.iter().chain(fields).copied().collect();
        wish(&RequestHead::parse(headers).unwrap())
    }

    #[test]
    fn gzip_is_wanted_where_it_is_wanted_no_less() {
        #[rustfmt::skip]
        let rows = [
            ("gzip", Wish::Gzip),
            ("GZIP", Wish::Gzip),
            ("x-gzip", Wish::Gzip),
            ("gzip, deflate, br, zstd", Wish::Gzip),
            ("br;q=1.0, gzip;q=0.001", Wish::Gzip),
            ("gzip;q=0.5, identity;q=0.5", Wish::Gzip),
            ("gzip;q=0.4, identity;q=0.5", Wish::Plain),
            ("gzip;q=0.4, *;q=0.5", Wish::Plain),
            ("gzip;q=0.5, *;q=0.4", Wish::Gzip),
            ("*", Wish::Gzip),
            ("*, gzip;q=0", Wish::Plain),
            ("*;q=0", Wish::Plain),
            ("gzip;q=0", Wish::Plain),
            ("gzip;q=0.000", Wish::Plain),
            ("identity;q=0, gzip;q=0.1", Wish::Gzip),
            ("identity;q=0", Wish::Plain),
            ("identity;q=1, *;q=0", Wish::Plain),
            ("br", Wish::Plain),
            ("gzipped", Wish::Plain),
            ("", Wish::Plain),
            (",, gzip ,", Wish::Gzip),
            ("gzip, gzip;q=1.0", Wish::Gzip),
            ("gzip, x-gzip;q=0.5", Wish::Plain),
            ("gzip;q=2", Wish::Plain),
            ("gzip;level=9", Wish::Plain),
            ("gz ip", Wish::Plain),
            ("\"gzip\"", Wish::Plain),
            ("gzip, \"", Wish::Plain),
        ];
        for (value, expected) in rows {
            assert_eq!(of(&[("Accept-Encoding", value)]), expected, "{value}");
        }
        assert_eq!(of(&[]), Wish::Plain);
        let lines = [("accept-encoding", "br"), ("accept-encoding", "gzip")];
        assert_eq!(of(&lines), Wish::Gzip);
        let many = vec!["br"; 63].join(",");
        assert_eq!(
            of(&[("accept-encoding", &format!("{many},gzip"))]),
            Wish::Gzip
        );
        assert_eq!(
            of(&[("accept-encoding", &format!("{many},br,gzip"))]),
            Wish::Plain
        );
    }

    #[test]
    fn parts_and_untransformed_content_are_as_they_came() {
        let gzip = ("accept-encoding", "gzip");
        for (field, expected) in [
            (("range", "bytes=0-1"), Wish::Plain),
            (("cache-control", "max-age=0, no-transform"), Wish::Plain),
            (("cache-control", "max-age=0"), Wish::Gzip),
            (("if-none-match", "\"a\""), Wish::Gzip),
        ] {
            assert_eq!(of(&[gzip, field]), expected, "{field:?}");
        }
    }
}
