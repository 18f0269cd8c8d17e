//! References to resources in fields such as Location, resolved against the request's URI (RFC 3986 section 5.2).
//!
//! Only what such a field can name here is read: resources of `http` and `https` with an authority. Everything else,
//! and every byte that no URI has, resolves to nothing. Fragments are dropped: they name a place within a resource.

use super::Authority;
use super::target::normalize_percent;

/// A URI with everything that a reference may leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// In lower case.
    pub scheme: String,
    /// As it came.
    pub authority: String,
    /// Path and, behind `?`, query; without dot segments.
    pub target: String,
}

impl Uri {
    /// A request's URI; `None` where it has bytes that no URI has. Dot segments are resolved.
    pub fn of_request(scheme: &[u8], authority: &[u8], target: &[u8]) -> Option<Self> {
        let (path, query) = split_query(text(target)?);
        Some(Self {
            scheme: text(scheme)?.to_ascii_lowercase(),
            authority: text(authority)?.to_owned(),
            target: join(&without_dots(path), query),
        })
    }

    /// What a reference in a response to this URI's request names.
    pub fn resolve(&self, reference: &[u8]) -> Option<Self> {
        let reference = text(reference)?;
        let reference = reference.split('#').next().unwrap_or_default();
        let (scheme, rest) = match split_scheme(reference) {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => (self.scheme.clone(), reference),
        };
        if let Some(rest) = rest.strip_prefix("//") {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at_checked(end)?;
            let (path, query) = split_query(target);
            return Some(Self {
                scheme,
                authority: authority.to_owned(),
                target: join(&without_dots(path), query),
            });
        }
        // "mailto:x" and the like name no resource here; neither does "http:x", which is obsolete.
        if rest.len() != reference.len() {
            return None;
        }
        Some(Self {
            target: self.merge(rest),
            ..self.clone()
        })
    }

    /// Whether the other is of the same origin: scheme, host and port (RFC 9110 section 4.3.1).
    pub fn is_same_origin(&self, other: &Self) -> bool {
        let origin = |uri: &Self| {
            let authority = Authority::parse(uri.authority.as_bytes())?;
            Some(authority.origin(uri.scheme.as_bytes()))
        };
        let own = origin(self);
        own.is_some() && own == origin(other) && self.scheme == other.scheme
    }

    fn merge(&self, reference: &str) -> String {
        let (own_path, own_query) = split_query(&self.target);
        let (path, query) = split_query(reference);
        if path.is_empty() {
            return join(own_path, query.or(own_query));
        }
        if path.starts_with('/') {
            return join(&without_dots(path), query);
        }
        let directory = own_path.rsplit_once('/').map_or("", |(before, _)| before);
        join(&without_dots(&format!("{directory}/{path}")), query)
    }
}

/// Visible US-ASCII, as which every URI is written.
fn text(bytes: &[u8]) -> Option<&str> {
    let is_visible = bytes.iter().all(|byte| matches!(byte, 0x21..=0x7e));
    is_visible
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

fn join(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// Resolves `.` and `..` (RFC 3986 section 5.2.4), in an escaped spelling too; an empty path is `/`.
fn without_dots(path: &str) -> String {
    let normal = normalize_percent(path);
    let path = normal.as_deref().unwrap_or(path);
    let segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in segments {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    if ends_open {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Uri {
        Uri::of_request(b"http", b"a.example", b"/b/c/d;p?q").unwrap()
    }

    #[test]
    fn the_examples_of_rfc_3986() {
        // Section 5.4, those with an authority and without a fragment.
        #[rustfmt::skip]
        let rows = [
            ("g", "/b/c/g"), ("./g", "/b/c/g"), ("g/", "/b/c/g/"), ("/g", "/g"), ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"), ("#s", "/b/c/d;p?q"), ("g#s", "/b/c/g"), (";x", "/b/c/;x"), ("g;x", "/b/c/g;x"),
            ("", "/b/c/d;p?q"), (".", "/b/c/"), ("./", "/b/c/"), ("..", "/b/"), ("../", "/b/"), ("../g", "/b/g"),
            ("../..", "/"), ("../../", "/"), ("../../g", "/g"), ("../../../g", "/g"), ("/./g", "/g"),
            ("/../g", "/g"), ("g.", "/b/c/g."), (".g", "/b/c/.g"), ("..g", "/b/c/..g"), ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"), ("g/./h", "/b/c/g/h"), ("g/../h", "/b/c/h"), ("g;x=1/../y", "/b/c/y"),
            ("g?y/./x", "/b/c/g?y/./x"), ("%2e%2E/g", "/b/g"),
        ];
        for (reference, target) in rows {
            let uri = base().resolve(reference.as_bytes()).unwrap();
            assert_eq!(
                (
                    uri.scheme.as_str(),
                    uri.authority.as_str(),
                    uri.target.as_str()
                ),
                ("http", "a.example", target),
                "{reference}"
            );
        }
    }

    #[test]
    fn other_origins_are_named_in_full() {
        #[rustfmt::skip]
        let rows = [
            ("//g", Some(("http", "g", "/"))),
            ("//g?y", Some(("http", "g", "/?y"))),
            ("HTTPS://u@h:1/x/../y", Some(("https", "u@h:1", "/y"))),
            ("mailto:a", None), ("http:g", None), ("g:h", None), ("/\u{e9}", None), ("/a b", None), ("/a\r\n", None),
        ];
        for (reference, expected) in rows {
            let uri = base().resolve(reference.as_bytes());
            let found = uri.as_ref().map(|uri| {
                (
                    uri.scheme.as_str(),
                    uri.authority.as_str(),
                    uri.target.as_str(),
                )
            });
            assert_eq!(found, expected, "{reference}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let rows = [
            ("http://A.example:80/", true),
            ("http://a.example:/x", true),
            ("https://a.example/", false),
            ("http://a.example:81/", false),
            ("http://b.example/", false),
            ("http://u@a.example/", false),
            ("//", false),
        ];
        for (reference, expected) in rows {
            let other = base().resolve(reference.as_bytes()).unwrap();
            assert_eq!(base().is_same_origin(&other), expected, "{reference}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_reference_resolves_to_a_path_without_dots_or_to_nothing(
            target in "/[a./?%2e]{0,12}", reference in prop_oneof!["[a./?#:%2e]{0,14}", "\\PC{0,8}"],
        ) {
            let base = Uri::of_request(b"http", b"h", target.as_bytes()).unwrap();
            if let Some(uri) = base.resolve(reference.as_bytes()) {
                let path = uri.target.split('?').next().unwrap();
                prop_assert!(path.starts_with('/'));
                prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
