//! Where the management API stands, and what opens it.
//!
//! Of the token only the SHA-256 is kept: it is what the configuration may name in the token's place, it has one length
//! whatever the token's, and a picture of the VM's memory does not show the token.

use std::fmt;

use serde_json::Value;

use super::problem::field_path;
use super::read::{Cursor, Fields, Given};
use super::sha256::sha256;
use crate::http::Authority;

const DEFAULT_PREFIX: &str = "/api/cache";
const DEFAULT_VARIABLE: &str = "LARDER_TOKEN";

/// Where the management API stands, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    /// What its paths begin with: `/` and segments of unreserved characters, without a `/` at the end.
    pub prefix: String,
    /// The only host that has it, in lower case; any where there is none.
    pub host: Option<String>,
    token: Token,
    /// Where calls are answered.
    pub exposure: Exposure,
}

/// Where calls of the management API are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// At another listener; what it changes of the configuration holds here.
    Elsewhere,
    /// Here.
    Here,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// It has this digest.
    Known(TokenDigest),
    /// It stands in this variable of the environment.
    Environment(String),
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

/// Whether a token is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVerdict {
    /// It is.
    Right,
    /// It is not.
    Wrong,
}

/// The variable of the environment that should hold the token has nothing in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Its name.
    pub variable: String,
}

impl TokenDigest {
    /// That of a token.
    pub fn of(token: &[u8]) -> Self {
        Self(sha256(token))
    }

    /// Whether this is the token.
    pub fn judge(&self, token: &[u8]) -> TokenVerdict {
        self.compare(&Self::of(token))
    }

    /// Compares in a time that does not depend on where they differ.
    fn compare(&self, other: &Self) -> TokenVerdict {
        let differing = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |all, (own, other)| all | (own ^ other));
        // Else a compiler may end the fold at the first difference.
        match std::hint::black_box(differing) {
            0 => TokenVerdict::Right,
            _ => TokenVerdict::Wrong,
        }
    }

    fn from_hex(text: &str) -> Option<Self> {
        let digit = |letter: u8| u8::try_from(char::from(letter).to_digit(16)?).ok();
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let bytes = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)?.wrapping_shl(4) | digit(*low)?))
            .collect::<Option<Vec<u8>>>()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TokenDigest(..)")
    }
}

impl Management {
    pub(super) fn unlock(
        &mut self,
        read: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), NoToken> {
        let (Token::Environment(variable), Exposure::Here) = (&self.token, self.exposure) else {
            return Ok(());
        };
        // A file or a secret that was filled with `echo` ends in a line feed.
        let token = read(variable).unwrap_or_default();
        let token = token.trim();
        if token.is_empty() {
            let variable = variable.clone();
            return Err(NoToken { variable });
        }
        self.token = Token::Known(TokenDigest::of(token.as_bytes()));
        Ok(())
    }

    /// Whether this is the token; none is, as long as it is not known.
    pub fn judge(&self, token: &[u8]) -> TokenVerdict {
        match &self.token {
            Token::Known(digest) => digest.judge(token),
            Token::Environment(_) => TokenVerdict::Wrong,
        }
    }

    /// Whether this host has it.
    pub fn is_at(&self, authority: &[u8]) -> bool {
        let Some(host) = &self.host else {
            return true;
        };
        let named = Authority::parse(authority).map(|authority| authority.lower_host());
        named.is_some_and(|named| named == *host)
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let given = fields.optional("management", |cursor| match cursor.value {
            Value::Null => Given::Absent,
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => cursor.object(Self::read_fields),
        });
        given.value()
    }

    fn read_fields(fields: &mut Fields<'_>) -> Self {
        let prefix = fields.optional("prefix", read_prefix);
        let host = fields.optional("host", |cursor| nullable(cursor, read_host));
        let variable = fields.optional("token_env", |cursor| nullable(cursor, read_variable));
        let digest = fields.optional("token_sha256", |cursor| nullable(cursor, read_digest));
        if let (Given::Value(_), Given::Value(_)) = (&variable, &digest) {
            let at = field_path(&fields.path, "token_env");
            let problem = "has no meaning beside `token_sha256`";
            fields.problems.add(at, problem);
        }
        let elsewhere = fields.optional("elsewhere", Cursor::flag).unwrap_or(false);
        if elsewhere {
            for name in ["prefix", "host", "token_env", "token_sha256"] {
                if fields.has(name) {
                    let at = field_path(&fields.path, name);
                    fields
                        .problems
                        .add(at, "has no meaning beside `elsewhere: true`");
                }
            }
        }
        Self {
            exposure: match elsewhere {
                true => Exposure::Elsewhere,
                false => Exposure::Here,
            },
            prefix: prefix.unwrap_or(DEFAULT_PREFIX.to_owned()),
            host: host.value(),
            token: match digest {
                Given::Value(digest) => Token::Known(digest),
                Given::Absent | Given::Refused => {
                    Token::Environment(variable.unwrap_or(DEFAULT_VARIABLE.to_owned()))
                }
            },
        }
    }
}

fn nullable<'a, T>(cursor: Cursor<'a>, read: impl FnOnce(Cursor<'a>) -> Given<T>) -> Given<T> {
    match cursor.value {
        Value::Null => Given::Absent,
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => read(cursor),
    }
}

fn read_prefix(cursor: Cursor<'_>) -> Given<String> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(prefix) = cursor.text(1..=128) else {
        return Given::Refused;
    };
    let is_name = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
    };
    match prefix.strip_prefix('/') {
        Some(rest) if rest.split('/').all(is_name) => Given::Value(prefix.to_owned()),
        Some(_) | None => {
            let problem = "must be `/` and names of letters, digits and `-._~` with `/` between them, without one at the end";
            problems.add(path, problem);
            Given::Refused
        }
    }
}

/// A host, with a port or without.
pub(super) fn read_authority(cursor: Cursor<'_>) -> Given<String> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(text) = cursor.text(1..=255) else {
        return Given::Refused;
    };
    match Authority::parse(text.as_bytes()) {
        Some(_) => Given::Value(text.to_owned()),
        None => {
            problems.add(path, "must be a host, with a port or without");
            Given::Refused
        }
    }
}

fn read_host(cursor: Cursor<'_>) -> Given<String> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(host) = cursor.text(1..=255) else {
        return Given::Refused;
    };
    match Authority::parse(host.as_bytes()) {
        Some(authority) if authority.host() == host => Given::Value(host.to_ascii_lowercase()),
        Some(_) | None => {
            problems.add(path, "must be a host, without a port");
            Given::Refused
        }
    }
}

pub(super) fn read_variable(cursor: Cursor<'_>) -> Given<String> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(name) = cursor.text(1..=128) else {
        return Given::Refused;
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.bytes().all(is_name) {
        return Given::Value(name.to_owned());
    }
    problems.add(path, "must be the name of an environment variable");
    Given::Refused
}

fn read_digest(cursor: Cursor<'_>) -> Given<TokenDigest> {
    let (path, problems) = (cursor.path.clone(), cursor.problems);
    let Given::Value(text) = cursor.text(1..=128) else {
        return Given::Refused;
    };
    match TokenDigest::from_hex(text) {
        Some(digest) => Given::Value(digest),
        None => {
            problems.add(path, "must be a SHA-256 in 64 hexadecimal digits");
            Given::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    /// SHA-256 of `secret` (`printf secret | sha256sum`).
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn management(json: &str) -> Management {
        let config = Config::parse(format!(r#"{{"management": {json}}}"#).as_bytes());
        config.unwrap().management.unwrap()
    }

    #[test]
    fn it_is_absent_unless_asked_for() {
        for json in ["{}", r#"{"management": null}"#] {
            assert_eq!(Config::parse(json.as_bytes()).unwrap().management, None);
        }
        let plain = management("{}");
        assert_eq!((plain.prefix.as_str(), plain.host), ("/api/cache", None));
    }

    #[test]
    fn the_token_comes_from_the_environment_or_as_a_digest() {
        let parse = |json: &str| Config::parse(json.as_bytes()).unwrap();
        let mut config = parse(r#"{"management": {}}"#);
        config
            .unlock(|name| (name == "LARDER_TOKEN").then(|| "secret\n".to_owned()))
            .unwrap();
        let digest =
            format!(r#"{{"management": {{"token_sha256": "{SECRET}", "token_env": null}}}}"#);
        let mut by_digest = parse(&digest);
        by_digest
            .unlock(|_| panic!("no variable is asked for"))
            .unwrap();
        assert_eq!(config.management, by_digest.management);
        let management = config.management.unwrap();
        for (token, verdict) in [
            ("secret", TokenVerdict::Right),
            ("secret ", TokenVerdict::Wrong),
            ("", TokenVerdict::Wrong),
            (SECRET, TokenVerdict::Wrong),
        ] {
            assert_eq!(management.judge(token.as_bytes()), verdict, "{token}");
        }
    }

    #[test]
    fn without_a_token_nothing_is_exposed() {
        for value in [None, Some(""), Some(" \n")] {
            let mut config = Config::parse(br#"{"management": {"token_env": "X"}}"#).unwrap();
            assert_eq!(
                config.management.as_ref().unwrap().judge(b""),
                TokenVerdict::Wrong
            );
            let unlocked = config.unlock(|_| value.map(str::to_owned));
            let variable = "X".to_owned();
            assert_eq!(unlocked, Err(NoToken { variable }));
            assert_eq!(config.management, None);
        }
    }

    #[test]
    fn what_is_no_place_or_token_is_refused() {
        for (field, problem) in [
            (r#""prefix": "/""#, "prefix: must be `/` and names"),
            (r#""prefix": "/a/""#, "prefix: must be `/` and names"),
            (r#""prefix": "a""#, "prefix: must be `/` and names"),
            (r#""prefix": "/a//b""#, "prefix: must be `/` and names"),
            (r#""prefix": "/a/../b""#, "prefix: must be `/` and names"),
            (r#""prefix": "/a%2fb""#, "prefix: must be `/` and names"),
            (r#""host": "a:80""#, "host: must be a host, without a port"),
            (r#""host": "a b""#, "host: must be a host"),
            (r#""token_env": "A=B""#, "token_env: must be the name of"),
            (r#""token_sha256": "2b""#, "token_sha256: must be a SHA-256"),
            (r#""token": "secret""#, "token: is unknown"),
            (
                r#""elsewhere": true, "host": "a""#,
                "host: has no meaning beside `elsewhere: true`",
            ),
        ] {
            let json = format!(r#"{{"management": {{{field}}}}}"#);
            let errors = Config::parse(json.as_bytes()).unwrap_err();
            assert_eq!(errors.len(), 1, "{field}: {errors:?}");
            let error = errors[0].to_string();
            let expected = format!("management.{problem}");
            assert!(error.starts_with(&expected), "{field}: {error}");
        }
        let both = format!(r#"{{"management": {{"token_env": "A", "token_sha256": "{SECRET}"}}}}"#);
        let errors = Config::parse(both.as_bytes()).unwrap_err();
        let expected = "management.token_env: has no meaning beside `token_sha256`";
        assert_eq!(errors[0].to_string(), expected);
    }

    #[test]
    fn a_host_is_compared_without_port_and_case() {
        let one = management(r#"{"host": "Cache.Internal"}"#);
        for (authority, is_at) in [
            ("cache.internal", true),
            ("CACHE.internal:8080", true),
            ("cache.internal.example", false),
            ("x@cache.internal", false),
        ] {
            assert_eq!(one.is_at(authority.as_bytes()), is_at, "{authority}");
        }
        assert!(management("{}").is_at(b"whatever"));
    }

    #[test]
    fn nothing_shows_a_token() {
        let shown = format!(
            "{:?}",
            management(&format!(r#"{{"token_sha256": "{SECRET}"}}"#))
        );
        assert!(
            !shown.contains("2bb8") && !shown.contains("43, 184"),
            "{shown}"
        );
    }
}
