//! What a client is given for a write, so that a later request can show it to any instance (`larder-token`).
//!
//! ```text
//! <instance>.<seq>.<mac>       16 hexadecimal digits, a decimal number, 16 hexadecimal digits
//! ```
//!
//! Who shows one may make an instance ask the origin, so it is signed with the secret of the fleet: HMAC-MD5 (RFC 2104), the first
//! 64 bits. The weakness of MD5 is that collisions can be made by who knows what goes in; here that needs the secret (RFC 6151
//! section 2.3), and what a forger would win is a question to the origin.

use std::fmt;

use md5::{Digest, Md5};

use crate::digits::{decimal, hexadecimal, push_hexadecimal};
use crate::fleet::InstanceId;

/// The longest token, in bytes.
const MAX_BYTES: usize = 64;
const BLOCK: usize = 64;

/// Which invalidation a client has seen acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteToken {
    /// Whose it was.
    pub instance: InstanceId,
    /// Its number there.
    pub seq: u64,
}

/// Two numbers of the token, as they are signed.
impl fmt::Display for WriteToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.instance, self.seq)
    }
}

impl WriteToken {
    /// The text of it, signed.
    pub fn mint(&self, secret: &[u8]) -> String {
        let mut text = self.to_string();
        let mac = mac(secret, text.as_bytes());
        text.push('.');
        push_hexadecimal(mac, &mut text);
        text
    }

    /// The one that this text is; `None` where it was not signed with this secret, or is none at all.
    pub fn verify(text: &[u8], secret: &[u8]) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut parts = text.rsplitn(2, |byte| *byte == b'.');
        let (signature, signed) = (parts.next()?, parts.next()?);
        let mut numbers = signed.splitn(2, |byte| *byte == b'.');
        let token = Self {
            instance: InstanceId::parse(numbers.next()?)?,
            seq: decimal(numbers.next()?)?,
        };
        // Compared as one number: no time tells how many digits were right.
        let is_signed = hexadecimal(signature, 16)? ^ mac(secret, signed) == 0;
        is_signed.then_some(token)
    }
}

/// The first half of HMAC-MD5. A word in front tells it from whatever else the secret may come to sign.
fn mac(secret: &[u8], text: &[u8]) -> u64 {
    let mut key = [0; BLOCK];
    let hashed;
    let short = match secret.len() > BLOCK {
        true => {
            hashed = <[u8; 16]>::from(Md5::digest(secret));
            &hashed[..]
        }
        false => secret,
    };
    for (place, byte) in key.iter_mut().zip(short) {
        *place = *byte;
    }
    let inner = Md5::new()
        .chain_update(key.map(|byte| byte ^ 0x36))
        .chain_update(b"larder-token ")
        .chain_update(text)
        .finalize();
    let outer = Md5::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 16]>::from(outer);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: WriteToken = WriteToken {
        instance: InstanceId(0x11),
        seq: 7,
    };

    #[test]
    fn golden_token() {
        // printf 'larder-token 0000000000000011.7' | openssl md5 -hmac secret
        assert_eq!(TOKEN.mint(b"secret"), "0000000000000011.7.6a4418edbe147fdf");
    }

    #[test]
    fn what_was_not_signed_is_no_token() {
        let text = TOKEN.mint(b"secret");
        assert_eq!(WriteToken::verify(text.as_bytes(), b"secret"), Some(TOKEN));
        assert_eq!(WriteToken::verify(text.as_bytes(), b"Secret"), None);
        for bit in 0..text.len() * 8 {
            let mut forged = text.clone().into_bytes();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(WriteToken::verify(&forged, b"secret"), None, "{bit}");
        }
        for other in ["", ".", "..", "0000000000000011.7", "0000000000000011.7."] {
            assert_eq!(WriteToken::verify(other.as_bytes(), b"secret"), None);
        }
        let padded = ["0", &text].concat();
        assert_eq!(WriteToken::verify(padded.as_bytes(), b"secret"), None);
    }

    #[test]
    fn a_long_secret_counts_to_its_end() {
        let (one, other) = ([b'a'; 100], [[b'a'; 99].as_slice(), b"b"].concat());
        assert_ne!(TOKEN.mint(&one), TOKEN.mint(&other));
    }

    proptest! {
        #[test]
        fn a_token_minted_is_a_token_read(instance: u64, seq: u64, secret: Vec<u8>) {
            let token = WriteToken { instance: InstanceId(instance), seq };
            let text = token.mint(&secret);
            prop_assert!(text.len() <= MAX_BYTES);
            prop_assert_eq!(WriteToken::verify(text.as_bytes(), &secret), Some(token));
        }

        #[test]
        fn any_bytes_are_a_token_or_none(text: Vec<u8>) {
            prop_assert_eq!(WriteToken::verify(&text, b"secret"), None);
        }
    }
}
