//! What opens the service: kept as a digest, never shown, compared in the same time wherever it differs.

use larder_core::config::{TokenDigest, TokenVerdict};

/// A secret of which only the digest is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(TokenDigest);

impl Secret {
    /// Of a text; white space around it, as a file has it at its end, is no part of it. `None` where nothing is left.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(TokenDigest::of(text.as_bytes())))
    }

    /// Whether an `authorization` field carries it.
    pub fn is_in(&self, authorization: Option<&[u8]>) -> bool {
        let given = authorization.and_then(bearer).unwrap_or_default();
        self.0.judge(given) == TokenVerdict::Right
    }
}

/// What stands behind `Bearer`.
fn bearer(field: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = field.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_and_not_shown() {
        let secret = Secret::of("s3cret\n").unwrap();
        for (field, is_right) in [
            (Some(&b"Bearer s3cret"[..]), true),
            (Some(b"bearer  s3cret "), true),
            (Some(b"Bearer s3cre"), false),
            (Some(b"Basic s3cret"), false),
            (Some(b"Bearer "), false),
            (Some(b"Bearer"), false),
            (None, false),
        ] {
            assert_eq!(secret.is_in(field), is_right, "{field:?}");
        }
        assert!(!format!("{secret:?}").contains("s3cret"));
        assert_eq!(Secret::of(" \n"), None);
    }
}
