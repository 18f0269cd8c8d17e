//! What a client is given for a write, so that a later request can show it to any instance (`larder-token`).
//!
//! ```text
//! <instance>.<seq>.<minute>.<mac>     16 hexadecimal digits, two decimal numbers, 16 hexadecimal digits
//! ```
//!
//! Who shows one may make an instance ask the origin, so it is signed: HMAC-MD5 (RFC 2104), the first 64 bits. The weakness of MD5
//! is that collisions can be made by who knows what goes in; here that needs the key (RFC 6151 section 2.3), and what a forger
//! would win is a question to the origin.
//!
//! The key is not the fleet's secret, which opens far more, but made from it by many rounds: whoever has a token can try
//! secrets at home, and shall pay for each. It says when it was given, so that nobody has to remember for ever what has
//! been applied.

use std::fmt;

use md5::{Digest, Md5};

use crate::digits::{decimal, hexadecimal, push_hexadecimal};
use crate::fleet::InstanceId;
use crate::time::Timestamp;

/// The longest token, in bytes.
const MAX_BYTES: usize = 96;
const BLOCK: usize = 64;
/// What a guess at the secret costs: some milliseconds.
const ROUNDS: usize = 10_000;

/// Which invalidation a client has seen acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteToken {
    /// Whose it was.
    pub instance: InstanceId,
    /// Its number there.
    pub seq: u64,
    /// When it was noted, in minutes since 1970 by the clock there.
    pub minute: u64,
}

/// What tokens are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey([u8; 16]);

/// Without it.
impl fmt::Debug for TokenKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TokenKey")
    }
}

impl TokenKey {
    /// That of a fleet with this secret. It takes some milliseconds, and is to be kept.
    pub fn of(secret: &[u8]) -> Self {
        let first = hmac(secret, &[b"larder-token key"]);
        let rounds = (0..ROUNDS).fold(first, |key, _| hmac(secret, &[&key]));
        Self(rounds)
    }

    /// The first half of the HMAC.
    fn sign(&self, text: &[u8]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = hmac(&self.0, &[text]);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// What is signed of it.
impl fmt::Display for WriteToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.instance, self.seq, self.minute)
    }
}

impl WriteToken {
    /// That of an instance's own invalidation of this number.
    pub fn new(instance: InstanceId, seq: u64, noted: Timestamp) -> Self {
        let minute = noted.as_secs() / 60;
        Self {
            instance,
            seq,
            minute,
        }
    }

    /// When it was noted, or up to a minute earlier.
    pub fn noted(&self) -> Timestamp {
        Timestamp::from_secs(self.minute.saturating_mul(60))
    }

    /// The text of it, signed.
    pub fn mint(&self, key: &TokenKey) -> String {
        let mut text = self.to_string();
        let mac = key.sign(text.as_bytes());
        text.push('.');
        push_hexadecimal(mac, &mut text);
        text
    }

    /// The one that this text is; `None` where it was not signed with this key, or is none at all.
    pub fn verify(text: &[u8], key: &TokenKey) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut parts = text.rsplitn(2, |byte| *byte == b'.');
        let (signature, signed) = (parts.next()?, parts.next()?);
        let mut numbers = signed.splitn(3, |byte| *byte == b'.');
        let token = Self {
            instance: InstanceId::parse(numbers.next()?)?,
            seq: decimal(numbers.next()?)?,
            minute: decimal(numbers.next()?)?,
        };
        // Compared as one number: no time tells how many digits were right.
        let is_signed = hexadecimal(signature, 16)? ^ key.sign(signed) == 0;
        is_signed.then_some(token)
    }
}

fn hmac(secret: &[u8], text: &[&[u8]]) -> [u8; 16] {
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
    let mut inner = Md5::new().chain_update(key.map(|byte| byte ^ 0x36));
    text.iter().for_each(|text| inner.update(text));
    let outer = Md5::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner.finalize())
        .finalize();
    outer.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: WriteToken = WriteToken {
        instance: InstanceId(0x11),
        seq: 7,
        minute: 29_833_333,
    };

    fn key(secret: &[u8]) -> TokenKey {
        TokenKey::of(secret)
    }

    #[test]
    fn golden_token() {
        // Python: key = hmac(secret, b"larder-token key"), then 10,000 times key = hmac(secret, key).
        let golden = "0000000000000011.7.29833333.94798b1cf2b47708";
        assert_eq!(TOKEN.mint(&key(b"secret")), golden);
        assert_eq!(TOKEN.noted(), Timestamp::from_secs(29_833_333 * 60));
        let noted = Timestamp::from_secs(29_833_333 * 60 + 59);
        assert_eq!(WriteToken::new(InstanceId(0x11), 7, noted), TOKEN);
    }

    #[test]
    fn what_was_not_signed_is_no_token() {
        let (key, other) = (key(b"secret"), key(b"Secret"));
        let text = TOKEN.mint(&key);
        assert_eq!(WriteToken::verify(text.as_bytes(), &key), Some(TOKEN));
        assert_eq!(WriteToken::verify(text.as_bytes(), &other), None);
        for bit in 0..text.len() * 8 {
            let mut forged = text.clone().into_bytes();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(WriteToken::verify(&forged, &key), None, "{bit}");
        }
        for other in ["", ".", "..", "0000000000000011.7", "0000000000000011.7."] {
            assert_eq!(WriteToken::verify(other.as_bytes(), &key), None);
        }
        let padded = ["0", &text].concat();
        assert_eq!(WriteToken::verify(padded.as_bytes(), &key), None);
    }

    #[test]
    fn a_long_secret_counts_to_its_end() {
        let (one, other) = ([b'a'; 100], [[b'a'; 99].as_slice(), b"b"].concat());
        assert_ne!(key(&one), key(&other));
    }

    proptest! {
        #[test]
        fn a_token_minted_is_a_token_read(instance: u64, seq: u64, minute: u64, key: [u8; 16]) {
            let token = WriteToken { instance: InstanceId(instance), seq, minute };
            let key = TokenKey(key);
            let text = token.mint(&key);
            prop_assert!(text.len() <= MAX_BYTES);
            prop_assert_eq!(WriteToken::verify(text.as_bytes(), &key), Some(token));
        }

        #[test]
        fn any_bytes_are_a_token_or_none(text: Vec<u8>) {
            prop_assert_eq!(WriteToken::verify(&text, &TokenKey([0; 16])), None);
        }
    }
}
