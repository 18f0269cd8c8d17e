//! What the origin says about using its response when it is stale (RFC 9111 section 4.2.4, RFC 5861).
//!
//! These are facts about the response, kept with it; nothing is decided here. `max-age=60, stale-if-error=600` permits,
//! `must-revalidate` forbids, and s-maxage is kept apart from it: it forbids by implication, and many origins write
//! `s-maxage=60, stale-while-revalidate=30` and mean it.

use crate::entry::{StalePermission, Staleness};
use crate::http::ResponseDirectives;

/// What the directives say.
pub fn of(directives: &ResponseDirectives) -> Staleness {
    Staleness {
        permission: permission(directives),
        while_revalidate: directives.stale_while_revalidate,
        if_error: directives.stale_if_error,
    }
}

fn permission(directives: &ResponseDirectives) -> StalePermission {
    // "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive (e.g., by a
    // no-cache response directive, a must-revalidate response directive, or an applicable s-maxage or proxy-revalidate
    // response directive; see Section 5.2.2)." RFC 9111 section 4.2.4.
    if directives.revalidate || directives.no_cache.is_of_response() {
        return StalePermission::Forbidden;
    }
    // "The s-maxage directive incorporates the semantics of the proxy-revalidate response directive (Section 5.2.2.8) for a
    // shared cache." RFC 9111 section 5.2.2.10.
    match directives.s_maxage {
        Some(_) => StalePermission::ForbiddenBySMaxage,
        None => StalePermission::Granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::time::Seconds;

    #[test]
    fn what_is_said_is_kept() {
        use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
        #[rustfmt::skip]
        let rows: [(&str, &str, StalePermission, [Option<u64>; 2]); 14] = [
            ("nothing", "max-age=60", Granted, [None, None]),
            ("both windows", "stale-while-revalidate=30, stale-if-error=600", Granted, [Some(30), Some(600)]),
            ("capitals and quotes", "Stale-While-Revalidate=\"30\"", Granted, [Some(30), None]),
            ("a window of nothing", "stale-if-error=0", Granted, [None, Some(0)]),
            ("no number", "stale-if-error, stale-while-revalidate=x", Granted, [Some(0), Some(0)]),
            ("twice: the smallest", "stale-if-error=5, stale-if-error=3", Granted, [None, Some(3)]),
            ("must-revalidate", "must-revalidate, stale-if-error=9", Forbidden, [None, Some(9)]),
            ("proxy-revalidate", "proxy-revalidate", Forbidden, [None, None]),
            ("with an argument", "must-revalidate=1", Forbidden, [None, None]),
            ("s-maxage", "s-maxage=9, stale-while-revalidate=3", ForbiddenBySMaxage, [Some(3), None]),
            ("both", "s-maxage=9, must-revalidate", Forbidden, [None, None]),
            ("no-cache", "no-cache", Forbidden, [None, None]),
            ("no-cache for fields", "no-cache=\"set-cookie\"", Granted, [None, None]),
            ("what decides nothing here", "immutable, no-transform", Granted, [None, None]),
        ];
        for (name, value, permission, [while_revalidate, if_error]) in rows {
            let expected = Staleness {
                permission,
                while_revalidate: while_revalidate.map(Seconds::clamped),
                if_error: if_error.map(Seconds::clamped),
            };
            let headers = Headers::from_iter([("cache-control", value)]);
            let found = of(&ResponseDirectives::parse(&headers));
            assert_eq!(found, expected, "{name}");
        }
    }
}
