//! A claim out of a bearer token, unverified.
//!
//! Larder has no keys to verify with and does not pretend to: whether the claim can be believed is the operator's to
//! say. All that is done here is to find it, totally: any bytes give a claim or nothing.

use serde_json::Value;

use crate::config::reading::written;

/// Tokens are far shorter; reading a longer one would be time for nothing. In bytes.
const MAX_TOKEN_BYTES: usize = 16_384;

/// The value of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A JSON integer, in decimal.
    Integer(String),
    /// A JSON string that is not empty.
    Text(String),
}

/// The claim `name` in the payload of the token in an `Authorization` value; `None` for anything but a bearer token
/// in compact form (RFC 7515 section 7.1) that has this claim as a string or an integer.
pub(super) fn bearer_claim(authorization: &[u8], name: &str) -> Option<Claim> {
    if authorization.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let mut parts = token.trim_ascii().split(|byte| *byte == b'.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload: Value = serde_json::from_slice(&decode_base64url(payload)?).ok()?;
    match payload.get(name)? {
        Value::String(text) if !text.is_empty() => Some(Claim::Text(text.clone())),
        number @ Value::Number(_) if !number.is_f64() => Some(Claim::Integer(written(number))),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}

/// Decodes base64url without padding (RFC 7515 section 2); `None` for other letters and for bits that say nothing.
pub fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for group in text.chunks(4) {
        let mut bits: u32 = 0;
        for letter in group {
            bits = (bits << 6) | sextet(*letter)?;
        }
        // The bits of a short group are moved to where those of a whole one stand.
        let (bits, count) = match group.len() {
            2 => (bits << 12, 1),
            3 => (bits << 6, 2),
            4 => (bits, 3),
            _ => return None,
        };
        let [_, decoded @ ..] = bits.to_be_bytes();
        let (decoded, rest) = decoded.split_at_checked(count)?;
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(decoded);
    }
    Some(bytes)
}

fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter.wrapping_sub(b'A'),
        b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The `Authorization` value with a token of this payload and signature.
    pub(in crate::key) fn bearer(payload: &str, signature: &str) -> String {
        format!(
            "Bearer e30.{}.{signature}",
            encode_base64url(payload.as_bytes())
        )
    }

    fn encode_base64url(bytes: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits: Vec<u8> = bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
            .collect();
        let letter = |bits: &[u8]| {
            let padded = bits.iter().chain([0; 6].iter()).take(6);
            let sextet = padded.fold(0, |value, bit| value << 1 | *bit);
            char::from(LETTERS[usize::from(sextet)])
        };
        bits.chunks(6).map(letter).collect()
    }

    #[test]
    fn a_claim_is_a_string_or_an_integer() {
        for (name, payload, claim) in [
            (
                "string",
                r#"{"sub": "alice"}"#,
                Some(Claim::Text("alice".to_owned())),
            ),
            (
                "integer",
                r#"{"sub": 42}"#,
                Some(Claim::Integer("42".to_owned())),
            ),
            (
                "negative",
                r#"{"sub": -42}"#,
                Some(Claim::Integer("-42".to_owned())),
            ),
            (
                "escapes",
                r#"{"sub": "\u00e4"}"#,
                Some(Claim::Text("ä".to_owned())),
            ),
            ("fraction", r#"{"sub": 4.5}"#, None),
            ("empty", r#"{"sub": ""}"#, None),
            ("null", r#"{"sub": null}"#, None),
            ("list", r#"{"sub": ["alice"]}"#, None),
            ("missing", r#"{"sub2": "alice"}"#, None),
            ("deeper", r#"{"a": {"sub": "alice"}}"#, None),
            ("no object", r#"["sub"]"#, None),
            ("no JSON", "sub", None),
        ] {
            assert_eq!(
                bearer_claim(bearer(payload, "x").as_bytes(), "sub"),
                claim,
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_token_has_no_claim() {
        let good = bearer(r#"{"sub": "alice"}"#, "sig");
        let lower = good.replacen("Bearer", "bEARER", 1);
        assert!(bearer_claim(lower.as_bytes(), "sub").is_some());
        for bad in [
            "".to_owned(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Basic YTpi".to_owned(),
            good.replacen("Bearer", "Basic", 1),
            good.replacen("Bearer ", "Bearer", 1),
            good.replacen(".sig", "", 1),
            format!("{good}.more"),
            good.replacen(".sig", "=.sig", 1),
            format!("Bearer e30.{}.x", "A".repeat(MAX_TOKEN_BYTES)),
        ] {
            assert_eq!(bearer_claim(bad.as_bytes(), "sub"), None, "{bad}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("Zg", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("_-8", Some(b"\xff\xef")),
            ("Z", None),
            ("Zh", None),
            ("Zm9", None),
            ("Zg==", None),
            ("Zm9v\n", None),
            ("+/8", None),
        ] {
            assert_eq!(
                decode_base64url(text.as_bytes()).as_deref(),
                bytes,
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_was_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode_base64url(encode_base64url(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn any_bytes_have_a_claim_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = bearer_claim(&bytes, "sub");
            let _ = bearer_claim(&[b"Bearer ".as_slice(), &bytes].concat(), "sub");
        }
    }
}
