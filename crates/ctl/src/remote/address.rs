//! URLs of listeners: a scheme, an authority, and perhaps a path that stands in front of all others.

use std::fmt;
use std::str::FromStr;

/// `http://127.0.0.1:8080`, or `https://ops.example.com/larder` where a proxy in front has given it a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: &'static str,
    authority: String,
    path: String,
}

impl Address {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// That of a URL that is longer: all of it up to its path, and the rest.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn split(url: &str) -> Result<(Self, String), String> {
        let (scheme, rest) = match url.split_once("://") {
            None => ("http", url),
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            Some((other, _)) => {
                return Err(format!("`{other}://` is neither http:// nor https://"));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(
                "must have no password in it: the token is taken from LARDER_TOKEN".to_owned(),
            );
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(is_plain) {
            return Err("must name a host: `http://localhost:8080`".to_owned());
        }
        let (target, _fragment) = target.split_once('#').unwrap_or((target, ""));
        let target = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("/{target}"),
        };
        let address = Self {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: String::new(),
        };
        Ok((address, target))
    }

    /// The URL of a path there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The same, without an API's prefix at its end.
    pub(crate) fn without(&self, prefix: &str) -> Self {
        let path = self.path.strip_suffix(prefix).unwrap_or(&self.path);
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, target) = Self::split(text)?;
        if target.contains('?') {
            return Err("must have no `?`".to_owned());
        }
        let path = target.trim_end_matches('/').to_owned();
        Ok(Self { path, ..address })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// A name as a part of a path: everything in it is escaped but what needs no escape anywhere, and `/` where `slashes` says so.
pub(crate) fn escaped(text: &str, slashes: Slashes) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (byte == b'/' && slashes == Slashes::Kept);
        match is_plain {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether slashes are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slashes {
    /// They are.
    Escaped,
    /// They stay: proxies have their own ideas of `%2F`.
    Kept,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match text.parse::<Address>() {
            Ok(address) => address.to_string(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn a_scheme_may_be_left_out_and_a_slash_at_the_end_too() {
        assert_eq!(shown("localhost:8080"), "http://localhost:8080");
        assert_eq!(
            shown("https://Ops.Example.com/larder/"),
            "https://ops.example.com/larder"
        );
        assert_eq!(shown("http://[::1]:8080"), "http://[::1]:8080");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_word_on_why() {
        for (text, problem) in [
            ("ftp://a", "neither http"),
            ("http://", "must name a host"),
            ("http://a b", "must name a host"),
            ("http://x:token@a", "LARDER_TOKEN"),
            ("http://a/?b", "no `?`"),
        ] {
            assert!(shown(text).contains(problem), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn an_api_may_be_given_with_its_prefix_or_without() {
        let given: Address = "http://a/larder/api/cache/".parse().unwrap();
        assert_eq!(given.without("/api/cache").to_string(), "http://a/larder");
        let plain: Address = "http://a".parse().unwrap();
        assert_eq!(
            plain.without("/api/cache").url("/api/cache/stats"),
            "http://a/api/cache/stats"
        );
    }

    #[test]
    fn a_url_is_an_address_and_a_target() {
        let (address, target) = Address::split("https://a:1/b?c=/d#e").unwrap();
        assert_eq!(
            (address.to_string().as_str(), target.as_str()),
            ("https://a:1", "/b?c=/d")
        );
        let (_, target) = Address::split("http://a?b").unwrap();
        assert_eq!(target, "/?b");
    }

    #[test]
    fn names_are_escaped_as_parts_of_paths() {
        let key = "GET:a.example/b?c=%20 ü";
        let kept = "GET%3Aa.example/b%3Fc%3D%2520%20%C3%BC";
        assert_eq!(escaped(key, Slashes::Kept), kept);
        assert_eq!(escaped("a/b", Slashes::Escaped), "a%2Fb");
    }
}
