//! Which Envoy it is, for plays in which releases differ through no doing of the filter's.

use serde_json::Value;

use super::Envoy;
use crate::client::{ClientError, Protocol};

/// Major and minor: that of 1.36.4 is 1.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

impl Release {
    /// Whether a client learns that a response broke off at the origin. Over HTTP/2 Envoy 1.36 ends such a stream without an
    /// error, with Larder and without; over HTTP/1.1 every release closes the connection early.
    #[must_use]
    pub fn tells_what_broke_off(self, protocol: Protocol) -> bool {
        protocol == Protocol::Http1 || self >= Self(1, 37)
    }

    /// Reads `commit/1.36.4/Clean/RELEASE/BoringSSL`.
    fn parse(version: &str) -> Option<Self> {
        let mut numbers = version.split('/').nth(1)?.split('.');
        let mut next = || numbers.next()?.parse().ok();
        Some(Self(next()?, next()?))
    }
}

impl Envoy {
    /// Which release this is.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    ///
    /// # Panics
    /// When it does not say.
    pub async fn release(&self) -> Result<Release, ClientError> {
        let answer = self.ask("GET", "/server_info").await?;
        let info: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let version = info["version"].as_str().and_then(Release::parse);
        Ok(version.unwrap_or_else(|| panic!("no version in {}", answer.text())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_compared_by_number() {
        let read = |version| Release::parse(version).unwrap();
        assert_eq!(read("ab12/1.36.4/Clean/RELEASE/BoringSSL"), Release(1, 36));
        assert!(read("ab12/1.9.0/Clean") < read("ab12/1.36.0/Clean"));
        assert_eq!(Release::parse("1.36.4"), None);
    }
}
