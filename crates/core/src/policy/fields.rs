//! Which of a response's fields are stored.
//!
//! "Caches MUST include all received response header fields — including unrecognized ones — when storing a response"
//! (RFC 9111 section 3.1), so this is a list of exceptions, each with its reason. Order and repetition are kept.
//!
//! A host that replies from a cache writes some fields itself, and applies its route's additions a second time; what it
//! would double is dropped here: `server`, `x-envoy-*` (Envoy, `source/common/http/utility.cc`, `prepareLocalReply`).

use crate::config::SetCookie;
use crate::http::{Headers, list};
use crate::time::{Timestamp, format_http_date, parse_http_date};

/// Fields that are never stored, in alphabetical order.
const DROPPED: &[&str] = &[
    "age",            // computed anew for every answer
    "connection",     // RFC 9110 section 7.6.1
    "content-length", // told by the stored body
    "keep-alive",     // RFC 9110 section 7.6.1
    "larder-token",   // another Larder's word to one client
    // "Header fields that are specific to the proxy that a cache uses when forwarding a request MUST NOT be stored"
    // RFC 9111 section 3.1.
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",  // RFC 9110 section 7.6.1
    "server",            // written by the host
    "te",                // RFC 9110 section 7.6.1
    "trailer",           // trailers are not stored, so they are not announced
    "transfer-encoding", // RFC 9110 section 7.6.1
    "upgrade",           // RFC 9110 section 7.6.1
];

/// The fields that are stored of a response received at `received`.
pub fn stored(headers: &Headers, cookies: SetCookie, received: Timestamp) -> Headers {
    let mut kept = Headers::with_room_for(headers);
    for (name, value) in headers.iter() {
        if is_stored(name, headers, cookies) {
            kept.push(name, value);
        }
    }
    let date = kept.only("date").and_then(parse_http_date);
    if date.is_none() {
        // "A recipient with a clock that receives a response message without a Date header field MUST record the time it
        // was received and append a corresponding Date header field to the message's header section if it is cached or
        // forwarded downstream. A recipient with a clock that receives a response with an invalid Date header field value
        // MAY replace that value with the time that response was received." RFC 9110 section 6.6.1.
        kept.remove("date");
        kept.push("date", format_http_date(received));
    }
    kept
}

fn is_stored(name: &[u8], headers: &Headers, cookies: SetCookie) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    let is_cookie = match cookies {
        SetCookie::Strip => is("set-cookie"),
        SetCookie::Bypass | SetCookie::Store => false,
    };
    let is_envoys = name
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"x-envoy-"));
    let is_dropped = DROPPED.iter().any(|dropped| is(dropped));
    !(name.starts_with(b":") || is_cookie || is_envoys || is_dropped || is_hop(name, headers))
}

/// "for each connection-option in this field, remove any header or trailer field(s) from the message with the same name
/// as the connection-option" RFC 9110 section 7.6.1.
///
/// "A sender MUST NOT send a connection option corresponding to a field that is intended for all recipients of the content"
/// (as before). Without its Vary a response would be taken for everybody's.
fn is_hop(name: &[u8], headers: &Headers) -> bool {
    let is_vary = name.eq_ignore_ascii_case(b"vary");
    let mut options = list::elements(headers.all("connection"));
    !is_vary && options.any(|option| option.bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;

    const RECEIVED: Timestamp = Timestamp::from_secs(784_111_777);
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

    fn kept(fields: Fields<'_>) -> Headers {
        stored(
            &fields.iter().copied().collect(),
            SetCookie::Store,
            RECEIVED,
        )
    }

    #[test]
    fn unknown_and_repeated_fields_are_kept_in_order() {
        let fields = [
            ("link", "<a>"),
            ("x-anything", "1"),
            DATE,
            ("Link", "<b>"),
            ("set-cookie", "a=1"),
            ("etag", "\"1\""),
            ("vary", "accept"),
            ("cache-status", "other; hit"),
            ("x-empty", ""),
        ];
        assert_eq!(kept(&fields), Headers::from_iter(fields));
    }

    #[test]
    fn what_belongs_to_one_hop_is_dropped() {
        for name in DROPPED {
            assert_eq!(kept(&[(name, "5"), DATE]), kept(&[DATE]), "{name}");
        }
        let named = [
            ("Connection", "close, X-One"),
            ("connection", "x-two,"),
            ("x-one", "1"),
            ("X-TWO", "2"),
            ("x-three", "3"),
            DATE,
        ];
        assert_eq!(kept(&named), kept(&[("x-three", "3"), DATE]));
    }

    #[test]
    fn what_the_host_writes_is_dropped() {
        let fields = [
            (":status", "200"),
            ("Server", "nginx"),
            ("x-envoy-upstream-service-time", "3"),
            ("X-Envoy-Decorator", "a"),
            ("x-envo", "kept"),
            DATE,
        ];
        assert_eq!(kept(&fields), kept(&[("x-envo", "kept"), DATE]));
    }

    #[test]
    fn cookies_are_stripped_on_demand() {
        let fields = Headers::from_iter([("Set-Cookie", "a=1"), ("set-cookie", "b=2"), DATE]);
        let stripped = stored(&fields, SetCookie::Strip, RECEIVED);
        assert_eq!(stripped, Headers::from_iter([DATE]));
    }

    #[test]
    fn there_is_always_a_date() {
        let rows: [(&str, Fields<'_>); 3] = [
            ("none", &[]),
            ("invalid", &[("date", "yesterday")]),
            ("two", &[DATE, DATE]),
        ];
        for (name, fields) in rows {
            assert_eq!(kept(fields), Headers::from_iter([DATE]), "{name}");
        }
        let other = ("date", "Sun, 06 Nov 1994 08:00:00 GMT");
        assert_eq!(kept(&[other]), Headers::from_iter([other]));
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(DROPPED.is_sorted());
    }
}
