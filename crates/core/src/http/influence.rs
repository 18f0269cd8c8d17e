//! Fields by which a client can make an origin believe that it was asked for something else: at another host, for another
//! path, by another method.
//!
//! They are meant for proxies, and read by frameworks whoever sends them. What an origin answers to `x-forwarded-host:
//! evil.example` has that host in its links and redirects, and under the key of the plain URL everybody would get it (Kettle,
//! "Practical Web Cache Poisoning", 2018). So what they say is part of every key: who sends them, a proxy in front or an attacker,
//! gets what was made for just that.
//!
//! A method that a field puts in the place of the request's own makes of a GET whatever the origin takes it for, so such a
//! request is none that a cache should look at (Nguyen, Lo Iacono and Federrath, "Your Cache Has Fallen", 2019).

use super::{Headers, RequestHead};

/// Fields that say what a request is for, in lower case.
pub const INFLUENCES: [&str; 14] = [
    "forwarded",
    "front-end-https",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-host",
    ROAD,
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-url-scheme",
];

/// In a request for a fragment of a page: through which cluster it is asked for, past routes and filters. What comes by
/// this way is no answer to a client, whose route may lead elsewhere. Nobody behind this proxy sees it, and no client can say it:
/// a name in HTTP/1 ends before a colon (RFC 9112 section 5), and unknown pseudo-fields are refused in HTTP/2 and 3 (RFC 9113
/// section 8.3).
pub const ROAD: &str = ":larder-road";

const OVERRIDES: [&str; 3] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Whether an origin may do something about a request because of a line of this name.
pub(crate) fn is_influence(name: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        6 => is("x-host"),
        9 => is("forwarded"),
        12 => is("x-url-scheme") || is(ROAD),
        13 => is("x-rewrite-url") || is("x-http-method"),
        14 => is("x-original-url"),
        15 => is("front-end-https") || is("x-forwarded-ssl") || is("x-original-host"),
        16 => is("x-forwarded-host") || is("x-forwarded-port"),
        17 => is("x-method-override"),
        18 => is("x-forwarded-prefix") || is("x-forwarded-scheme") || is("x-forwarded-server"),
        22 => is("x-http-method-override"),
        _ => false,
    }
}

/// What the lines of one of [`INFLUENCES`] say. Of `forwarded` (RFC 7239) only what is not about who asks: `for` and `by` differ
/// from client to client.
pub fn said<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let is_forwarded = name == "forwarded";
    let lines = headers.all(name);
    let parts =
        lines.flat_map(move |line| line.split(move |byte| is_forwarded && b",;".contains(byte)));
    parts.filter(move |part| !is_forwarded || !is_about_who(part))
}

fn is_about_who(part: &[u8]) -> bool {
    let part = part.trim_ascii();
    let begins = |name: &[u8]| {
        part.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    part.is_empty() || begins(b"for=") || begins(b"by=")
}

/// Whether a field says that the request has another method than its own.
pub fn overrides_method(head: &RequestHead) -> bool {
    let headers = head.headers();
    let method = headers.first(":method").unwrap_or_default();
    let mut lines = OVERRIDES.into_iter().flat_map(|name| headers.all(name));
    lines.any(|line| !line.eq_ignore_ascii_case(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_known_by_its_name() {
        for name in INFLUENCES.into_iter().chain(OVERRIDES) {
            assert!(is_influence(name.as_bytes()), "{name}");
            assert!(is_influence(name.to_uppercase().as_bytes()), "{name}");
        }
        for name in ["host", "x-forwarded-for", "accept", "via", "x-real-ip"] {
            assert!(!is_influence(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn of_forwarded_counts_what_is_not_about_who_asks() {
        for (line, expected) in [
            (
                "for=192.0.2.1;proto=https; Host=a, for=\"[::1]\"",
                "proto=https| Host=a",
            ),
            ("FOR=1, by=2", ""),
            ("host=\"a;b\"", "host=\"a|b\""),
        ] {
            let headers = Headers::from_iter([("forwarded", line)]);
            let found: Vec<_> = said(&headers, "forwarded").collect();
            assert_eq!(found.join(&b'|'), expected.as_bytes(), "{line}");
        }
        let headers = Headers::from_iter([("x-host", "a;b,c")]);
        assert_eq!(said(&headers, "x-host").collect::<Vec<_>>(), [b"a;b,c"]);
    }
}
