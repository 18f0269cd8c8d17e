//! The authority of a request: a host and, perhaps, a port.
//!
//! Host names are compared without regard to case, and a port that is the scheme's own says nothing (RFC 3986
//! section 6.2.3). Everything that is no plain host is refused, user information too: what a proxy and an origin
//! could read differently must not become part of a key.

use std::borrow::Cow;

/// A host and a port, borrowed from `:authority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    host: &'a str,
    port: Option<&'a str>,
}

impl<'a> Authority<'a> {
    /// Splits an authority; `None` when it is empty, has user information, or holds a byte no host has.
    pub fn parse(authority: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(authority).ok()?;
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (text, None),
        };
        let port_is_number = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        (port_is_number && is_host(host)).then_some(Self { host, port })
    }

    /// The host as it came; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The host in lower case.
    pub fn lower_host(&self) -> Cow<'a, str> {
        match self.host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(self.host.to_ascii_lowercase()),
            false => Cow::Borrowed(self.host),
        }
    }

    /// The host in lower case, with the port unless that is missing or the one that `scheme` (in lower case) stands for.
    pub fn origin(&self, scheme: &[u8]) -> String {
        let mut origin = self.lower_host().into_owned();
        if let Some(port) = self.port_other_than_default(scheme) {
            origin.push(':');
            origin.push_str(port);
        }
        origin
    }

    /// The port, unless it is missing, or the one that `scheme` (in lower case) stands for.
    pub fn port_other_than_default(&self, scheme: &[u8]) -> Option<&'a str> {
        let default = match scheme {
            b"http" => "80",
            b"https" => "443",
            _ => return self.port,
        };
        self.port
            .filter(|port| !port.is_empty() && *port != default)
    }
}

fn is_host(host: &str) -> bool {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(address) => {
            !address.is_empty()
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_told_apart() {
        for (name, text, host, port) in [
            ("host alone", "example.com", "example.com", None),
            ("with port", "Example.com:8080", "Example.com", Some("8080")),
            ("default port", "example.com:443", "example.com", None),
            ("other default", "example.com:80", "example.com", Some("80")),
            ("empty port", "example.com:", "example.com", None),
            ("IPv6", "[::1]", "[::1]", None),
            ("IPv6 with port", "[::1]:443", "[::1]", None),
        ] {
            let authority = Authority::parse(text.as_bytes()).unwrap();
            assert_eq!(authority.host(), host, "{name}");
            assert_eq!(authority.port_other_than_default(b"https"), port, "{name}");
        }
    }

    #[test]
    fn what_is_no_plain_host_is_refused() {
        for text in [
            "",
            ":80",
            "user@example.com",
            "a b",
            "a/b",
            "a:b",
            "a:80:80",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "bücher.example",
            "a%2eb",
            "a\0",
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Authority::parse(b"\xff"), None);
    }
}
