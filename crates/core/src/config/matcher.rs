//! Which requests a rule takes.

use std::ops::Deref;

use crate::http::{Method, RequestHead};

use super::path::PathPattern;

/// What a request must be like; everything that is given must hold.
#[derive(Debug)]
pub(super) struct Matcher {
    pub(super) path: Option<PathPattern>,
    pub(super) host: Option<HostPattern>,
    /// GET and HEAD where the operator names none.
    pub(super) methods: Vec<MethodName>,
    /// Names in lower case; one line of the field must be exactly the value.
    pub(super) headers: Vec<(String, String)>,
}

impl Matcher {
    /// Whether a request matches. `host` is that of its authority, without port, and `path` is normalised.
    pub(super) fn matches<'a, H>(&self, head: &'a RequestHead, host: &H, path: &str) -> bool
    where
        H: Deref<Target = Option<&'a str>>,
    {
        self.methods.iter().any(|method| method.is_of(head)) && self.fits(head, host, path)
    }

    /// Whether a GET of it matches that is in all else like this request.
    pub(super) fn matches_as_get<'a, H>(&self, head: &'a RequestHead, host: &H, path: &str) -> bool
    where
        H: Deref<Target = Option<&'a str>>,
    {
        self.methods.contains(&MethodName::Known(Method::Get)) && self.fits(head, host, path)
    }

    /// Whether a request matches, but for its method.
    fn fits<'a, H>(&self, head: &'a RequestHead, host: &H, path: &str) -> bool
    where
        H: Deref<Target = Option<&'a str>>,
    {
        self.takes_path(path)
            && self.takes_host(|| **host)
            && self.headers.iter().all(|(name, value)| {
                head.headers()
                    .all(name)
                    .any(|line| line == value.as_bytes())
            })
    }

    /// The first condition that does not hold; `None` where the request matches. For who asks why: [`Matcher::matches`]
    /// decides.
    pub(super) fn misfit(
        &self,
        head: &RequestHead,
        host: Option<&str>,
        path: &str,
    ) -> Option<Misfit<'_>> {
        if !self.methods.iter().any(|method| method.is_of(head)) {
            return Some(Misfit::Method);
        }
        if !self.takes_path(path) {
            return Some(Misfit::Path);
        }
        if !self.takes_host(|| host) {
            return Some(Misfit::Host);
        }
        let mut headers = self.headers.iter();
        let is_missing = |(name, value): &&(String, String)| {
            let mut lines = head.headers().all(name);
            !lines.any(|line| line == value.as_bytes())
        };
        let missing = headers.find(is_missing);
        missing.map(|(name, _)| Misfit::Header(name))
    }

    /// Names of the fields it looks at.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// Whether some request for a resource matches: one with the right method and fields.
    pub(super) fn takes_resource(&self, host: &str, path: &str) -> bool {
        self.takes_path(path) && self.takes_host(|| Some(host))
    }

    fn takes_path(&self, path: &str) -> bool {
        let path_matches = |pattern: &PathPattern| pattern.matches(path);
        self.path.as_ref().is_none_or(path_matches)
    }

    /// `host` is asked for only where the rule has one.
    fn takes_host<'a>(&self, host: impl Fn() -> Option<&'a str>) -> bool {
        let host_matches = |pattern: &HostPattern| host().is_some_and(|host| pattern.matches(host));
        self.host.as_ref().is_none_or(host_matches)
    }
}

/// What a rule asks for that a request has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit<'a> {
    /// A field of this name, with that value.
    Header(&'a str),
    /// The host.
    Host,
    /// The method.
    Method,
    /// The path.
    Path,
}

/// A method, also one that Larder attaches no meaning to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MethodName {
    Known(Method),
    Other(String),
}

impl MethodName {
    pub(super) fn parse(name: &str) -> Self {
        match Method::parse(name.as_bytes()) {
            Method::Other => Self::Other(name.to_owned()),
            known @ (Method::Delete
            | Method::Get
            | Method::Head
            | Method::Options
            | Method::Patch
            | Method::Post
            | Method::Put
            | Method::Query) => Self::Known(known),
        }
    }

    fn is_of(&self, head: &RequestHead) -> bool {
        match self {
            Self::Known(method) => head.method() == *method,
            Self::Other(name) => head.headers().first(":method") == Some(name.as_bytes()),
        }
    }
}

/// A host name, or every name below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// This, in lower case.
    Exact(String),
    /// Any name that ends with this, which begins with a dot, in lower case.
    Below(String),
}

impl HostPattern {
    /// Reads `name` or `*.name`; the error is for people.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        if name.contains('*') {
            return Err("may have one `*`, as in `*.example.com`".to_owned());
        }
        let authority = crate::http::Authority::parse(name.as_bytes())
            .ok_or("must be a host name or address, or `*.` and a host name")?;
        if authority.host().len() != name.len() {
            return Err("must be without port".to_owned());
        }
        Ok(match below {
            true => Self::Below(format!(".{name}")),
            false => Self::Exact(name.to_owned()),
        })
    }

    /// Whether a host matches, in whatever case. The dot that ends a fully qualified name makes no other host of it:
    /// else a request could slip past a rule by adding one.
    fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .filter(|name| *name > 0)
                .and_then(|name| host.get(name..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_in_any_case() {
        for (pattern, yes, no) in [
            (
                "Example.com",
                &["example.com", "EXAMPLE.COM", "example.com."][..],
                &["a.example.com", "example.co", ""][..],
            ),
            (
                "*.Example.com",
                &["a.example.com", "A.B.Example.COM", "a.example.com."],
                &["example.com", ".example.com", "aexample.com", ""],
            ),
            ("[::1]", &["[::1]"], &["[::2]"]),
        ] {
            let pattern = HostPattern::parse(pattern).unwrap();
            for host in yes {
                assert!(pattern.matches(host), "{pattern:?} {host}");
            }
            for host in no {
                assert!(!pattern.matches(host), "{pattern:?} {host}");
            }
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_reason() {
        for (text, problem) in [
            ("example.com:80", "must be without port"),
            ("a.*.com", "may have one `*`, as in `*.example.com`"),
            ("*example.com", "may have one `*`, as in `*.example.com`"),
            (
                "*.",
                "must be a host name or address, or `*.` and a host name",
            ),
            (
                "a/b",
                "must be a host name or address, or `*.` and a host name",
            ),
        ] {
            assert_eq!(HostPattern::parse(text), Err(problem.to_owned()), "{text}");
        }
    }
    #[test]
    fn what_does_not_match_has_a_condition_that_does_not_hold() {
        let config = crate::config::Config::parse(
            br#"{"rules": [{"name": "a", "match": {"path": "/a/.*", "host": "*.b.com", "headers": {"x-c": "1"}}}]}"#,
        );
        let config = config.unwrap();
        let [rule] = config.rules.as_slice() else {
            panic!("{config:?}");
        };
        for (method, host, path, field, expected) in [
            ("GET", "a.b.com", "/a/1", "1", None),
            ("PUT", "a.b.com", "/a/1", "1", Some(Misfit::Method)),
            ("GET", "a.b.com", "/b", "1", Some(Misfit::Path)),
            ("GET", "b.com", "/a/1", "1", Some(Misfit::Host)),
            ("GET", "a.b.com", "/a/1", "2", Some(Misfit::Header("x-c"))),
        ] {
            let head = crate::http::Headers::from_iter([
                (":method", method),
                (":scheme", "http"),
                (":authority", host),
                (":path", path),
                ("x-c", field),
            ]);
            let head = RequestHead::parse(head).unwrap();
            let misfit = rule.matcher.misfit(&head, Some(host), path);
            assert_eq!(misfit, expected, "{method} {host}{path}");
            let matches = rule.matcher.matches(&head, &&Some(host), path);
            assert_eq!(matches, misfit.is_none());
        }
    }
}
