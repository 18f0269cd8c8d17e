//! Who a caller says to be.
//!
//! `Authorization: Bearer <token>` (RFC 6750 section 2.1). Purging tools that know no more than a URL send what stands in
//! it as `Basic` (`http://any:<token>@host/`), so on their methods the password is taken for the token. On the paths of the
//! API it is not: a browser keeps a password and sends it along with what other sites make it send.

use larder_core::http::Headers;
use larder_core::key::decode_base64url;

use crate::route::Addressed;

/// What a request offers as a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing that could be one.
    None,
    /// This.
    Token(Vec<u8>),
}

/// Which schemes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schemes {
    Bearer,
    BearerAndBasic,
}

/// What these fields offer as a token, on a call of the API or by a purging method.
pub(crate) fn credential(headers: &Headers, ask: &Addressed) -> Credential {
    let schemes = match ask {
        Addressed::Api { .. } | Addressed::Nearly => Schemes::Bearer,
        Addressed::Purge(_) => Schemes::BearerAndBasic,
    };
    match headers
        .only("authorization")
        .and_then(|value| token(value, schemes))
    {
        Some(token) => Credential::Token(token),
        None => Credential::None,
    }
}

fn token(value: &[u8], schemes: Schemes) -> Option<Vec<u8>> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(space)?;
    let rest = rest.trim_ascii();
    let token = if scheme.eq_ignore_ascii_case(b"bearer") {
        rest.to_vec()
    } else if scheme.eq_ignore_ascii_case(b"basic") && schemes == Schemes::BearerAndBasic {
        let pair = decode_base64(rest)?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        pair.get(colon.saturating_add(1)..)?.to_vec()
    } else {
        return None;
    };
    (!token.is_empty()).then_some(token)
}

/// Base64 (RFC 4648 section 4), with its padding or without; `None` for other letters.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=')?;
    let letters = text.get(..=end)?.iter();
    let for_urls = letters.map(|letter| match letter {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    });
    decode_base64url(&for_urls.collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, schemes: Schemes) -> Option<String> {
        let token = token(value.as_bytes(), schemes)?;
        Some(String::from_utf8(token).unwrap())
    }

    #[test]
    fn a_token_is_what_stands_behind_bearer() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bEARER  abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("abc", None),
            ("Basic YTpi", None),
            ("", None),
        ] {
            assert_eq!(read(value, Schemes::Bearer).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_purging_tool_may_send_it_as_a_password() {
        for (value, expected) in [
            ("Basic bGFyZGVyOnNlY3JldA==", Some("secret")),
            ("Basic bGFyZGVyOnNlY3JldA", Some("secret")),
            ("basic OnNlOmNyZXQ=", Some("se:cret")),
            ("Basic bGFyZGVyOg==", None),
            ("Basic bGFyZGVy", None),
            ("Basic !!!!", None),
            ("Basic =", None),
            ("Bearer secret", Some("secret")),
        ] {
            let token = read(value, Schemes::BearerAndBasic);
            assert_eq!(token.as_deref(), expected, "{value}");
        }
    }
}
