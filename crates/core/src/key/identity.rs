//! Whose entry it is, and what proves it.
//!
//! An identity says whose entry it is, not who asks. Where nobody verified it before Larder, a client can claim any:
//! a forged header or token must not open what belongs to another. So unless the operator calls the identity
//! trusted, the key also holds the credential that came with it: every Authorization line as it came (the identity
//! cookie, where that is the form, is in the key as the identity itself). Whoever asks with another credential asks
//! for another entry, and the origin decides what it may hold.
//!
//! The credential's own bytes are kept, not a digest: the key is compared whole on every read, so there is no
//! collision to argue about, and the memory that holds the credential holds the responses it opens as well. It
//! counts against `limits.max_key_bytes`; a longer one makes the request pass through.
//!
//! A claim by header or metadata that comes without any Authorization is refused: with nothing to tell it from a
//! forged one, it could only be believed. So is whatever cannot be understood, and an Authorization that is not a
//! token with the claim: such a client is somebody, and must not share the entry of nobody.

use crate::config::{Identity, IdentitySource, Trust};
use crate::http::{Headers, cookies};

use super::KeyError;
use super::jwt::{Claim, bearer_claim};

/// Reads the attributes of the request that the host knows.
pub trait Attributes {
    /// The value at `path`, such as `["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", …]`; `None` when
    /// there is none.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when there may be one. That is not the same as none: somebody known must not become nobody.
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable>;
}

/// The host would not tell an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// An identity as it stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Anonymous,
    /// An integer, in decimal.
    Integer(String),
    /// A text of any bytes, not empty.
    Text(Vec<u8>),
}

/// Who sends a request, in bytes; `None` for nobody.
///
/// # Errors
/// [`KeyError::IdentityInvalid`]
pub fn identity_of(
    identity: &Identity,
    headers: &Headers,
    attributes: &dyn Attributes,
) -> Result<Option<Vec<u8>>, KeyError> {
    Ok(match find(identity, headers, attributes)? {
        Found::Anonymous => None,
        Found::Integer(number) => Some(number.into_bytes()),
        Found::Text(text) => Some(text),
    })
}

/// Finds the identity of a request.
pub(super) fn find(
    identity: &Identity,
    headers: &Headers,
    attributes: &dyn Attributes,
) -> Result<Found, KeyError> {
    let found = match &identity.source {
        IdentitySource::Cookie(name) => {
            let value = at_most_one(cookies(headers, name))?;
            text(value.map(|value| value.unwrap_or_default()))
        }
        IdentitySource::Header(name) => text(at_most_one(headers.all(name))?),
        IdentitySource::JwtClaim(name) => claim(headers, name),
        IdentitySource::Metadata(path) => {
            let path: Vec<&str> = ["metadata", "filter_metadata"]
                .into_iter()
                .chain(path.iter().map(String::as_str))
                .collect();
            let value = attributes.attribute(&path);
            let value = value.map_err(|Unreadable| KeyError::IdentityInvalid)?;
            text(value.as_deref())
        }
    }?;
    let is_proved = match (identity.trust, &identity.source) {
        (Trust::Verified, _) => true,
        // The value is, or stands in, the credential that the key holds.
        (Trust::Claimed, IdentitySource::Cookie(_) | IdentitySource::JwtClaim(_)) => true,
        (Trust::Claimed, IdentitySource::Header(_) | IdentitySource::Metadata(_)) => {
            found == Found::Anonymous || headers.contains("authorization")
        }
    };
    if is_proved {
        Ok(found)
    } else {
        Err(KeyError::IdentityInvalid)
    }
}

fn at_most_one<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, KeyError> {
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(KeyError::IdentityInvalid),
    }
}

fn text(value: Option<&[u8]>) -> Result<Found, KeyError> {
    match value {
        None => Ok(Found::Anonymous),
        Some([]) => Err(KeyError::IdentityInvalid),
        Some(value) => Ok(Found::Text(value.to_vec())),
    }
}

fn claim(headers: &Headers, name: &str) -> Result<Found, KeyError> {
    let Some(authorization) = at_most_one(headers.all("authorization"))? else {
        return Ok(Found::Anonymous);
    };
    match bearer_claim(authorization, name) {
        Some(Claim::Integer(number)) => Ok(Found::Integer(number)),
        Some(Claim::Text(text)) => Ok(Found::Text(text.into_bytes())),
        None => Err(KeyError::IdentityInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwt::tests::bearer;
    use super::*;
    use crate::config::PrivateResponses;

    struct Metadata(&'static [u8]);

    impl Attributes for Metadata {
        fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
            let known = ["metadata", "filter_metadata", "jwt_authn", "payload", "sub"];
            let known_but = [known[0], known[1], "jwt_authn", "payload", "broken"];
            match path {
                path if path == known_but => Err(Unreadable),
                path => Ok((path == known).then(|| self.0.to_vec())),
            }
        }
    }

    fn found(
        source: IdentitySource,
        trust: Trust,
        lines: &[(&str, &str)],
    ) -> Result<Found, KeyError> {
        let identity = Identity {
            source,
            trust,
            private: PrivateResponses::Bypass,
        };
        let headers = Headers::from_iter(lines.iter().copied());
        find(&identity, &headers, &Metadata(b"alice"))
    }

    fn alice() -> Result<Found, KeyError> {
        Ok(Found::Text(b"alice".to_vec()))
    }

    const REFUSED: Result<Found, KeyError> = Err(KeyError::IdentityInvalid);
    const NOBODY: Result<Found, KeyError> = Ok(Found::Anonymous);

    #[test]
    fn an_identity_in_a_header_stands_once_and_is_not_empty() {
        let header = |lines: &[(&str, &str)]| {
            found(
                IdentitySource::Header("x-user".to_owned()),
                Trust::Verified,
                lines,
            )
        };
        assert_eq!(header(&[("X-User", "alice")]), alice());
        assert_eq!(header(&[]), NOBODY);
        assert_eq!(header(&[("x-user", "")]), REFUSED);
        assert_eq!(header(&[("x-user", "alice"), ("x-user", "alice")]), REFUSED);
    }

    #[test]
    fn an_identity_in_a_cookie_stands_once_and_has_a_value() {
        let cookie = |line: &str| {
            found(
                IdentitySource::Cookie("s".to_owned()),
                Trust::Claimed,
                &[("cookie", line)],
            )
        };
        assert_eq!(cookie("a=b; s=alice"), alice());
        assert_eq!(cookie("a=b"), NOBODY);
        for line in ["s=alice; s=bob", "s=", "s", "s=alice; s"] {
            assert_eq!(cookie(line), REFUSED, "{line}");
        }
    }

    #[test]
    fn an_identity_in_a_token_needs_a_token() {
        let token = |values: &[&str]| {
            let lines: Vec<_> = values
                .iter()
                .map(|value| ("authorization", *value))
                .collect();
            found(
                IdentitySource::JwtClaim("sub".to_owned()),
                Trust::Verified,
                &lines,
            )
        };
        let good = bearer(r#"{"sub": "alice"}"#, "sig");
        assert_eq!(token(&[&good]), alice());
        assert_eq!(token(&[]), NOBODY);
        assert_eq!(token(&[&good, &good]), REFUSED);
        assert_eq!(token(&["Basic YTpi"]), REFUSED);
        assert_eq!(token(&[&bearer("{}", "sig")]), REFUSED);
        let number = bearer(r#"{"sub": 7}"#, "sig");
        assert_eq!(token(&[&number]), Ok(Found::Integer("7".to_owned())));
    }

    #[test]
    fn an_identity_in_metadata_is_asked_for_by_its_path() {
        let metadata = |path: [&str; 3]| {
            let path = path.iter().map(|name| name.to_string()).collect();
            found(IdentitySource::Metadata(path), Trust::Verified, &[])
        };
        assert_eq!(metadata(["jwt_authn", "payload", "sub"]), alice());
        assert_eq!(metadata(["jwt_authn", "payload", "iss"]), NOBODY);
        assert_eq!(metadata(["jwt_authn", "payload", "broken"]), REFUSED);
    }

    #[test]
    fn a_claim_without_any_credential_is_refused() {
        let path = ["jwt_authn", "payload", "sub"].map(str::to_owned).to_vec();
        for source in [
            IdentitySource::Header("x-user".to_owned()),
            IdentitySource::Metadata(path),
        ] {
            let user = ("x-user", "alice");
            let login = ("authorization", "Basic YTpi");
            assert_eq!(
                found(source.clone(), Trust::Claimed, &[user]),
                REFUSED,
                "{source:?}"
            );
            assert_eq!(
                found(source.clone(), Trust::Claimed, &[user, login]),
                alice(),
                "{source:?}"
            );
            assert_eq!(
                found(source.clone(), Trust::Verified, &[user]),
                alice(),
                "{source:?}"
            );
        }
    }
}
