//! What the keys are called.
//!
//! What one script touches stands together in one slot of a Cluster: the log and what belongs to it under
//! `{larder:<fleet>}`, an entry and its lead under a slot of their own for each key, so that a Cluster shares that load.

use larder_core::fleet::InstanceId;
use larder_core::key::KeyDigest;

#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `larder:<fleet>`.
    fleet: String,
}

impl Keys {
    pub(super) fn new(fleet: &str) -> Self {
        let fleet = format!("larder:{fleet}");
        Self { fleet }
    }

    fn together(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.fleet)
    }

    /// Where it is announced that something has happened.
    pub(super) fn channel(&self) -> String {
        format!("{}:bell", self.fleet)
    }

    /// Head, stream, said, speakers.
    pub(super) fn log(&self) -> Vec<String> {
        let names = ["log", "stream", "said", "speakers"];
        names.map(|name| self.together(name)).into()
    }

    /// Heard, reports, applied.
    pub(super) fn instances(&self) -> Vec<String> {
        let names = ["heard", "reports", "applied"];
        names.map(|name| self.together(name)).into()
    }

    /// How far an instance has got in a log, and when.
    pub(super) fn steps(&self, log: u64, instance: InstanceId) -> String {
        self.together(&format!("steps:{log:016x}:{instance}"))
    }

    /// Who has steps.
    pub(super) fn steppers(&self, log: u64) -> String {
        self.together(&format!("steppers:{log:016x}"))
    }

    pub(super) fn config(&self) -> String {
        self.together("config")
    }

    /// Counts, since.
    pub(super) fn heat(&self) -> Vec<String> {
        ["heat", "heat-since"]
            .map(|name| self.together(name))
            .into()
    }

    /// Written to see whether it can be.
    pub(super) fn probe(&self) -> String {
        self.together("probe")
    }

    pub(super) fn document(&self, name: &str) -> String {
        format!("{}:d:{name}", self.fleet)
    }

    pub(super) fn entry(&self, digest: KeyDigest) -> String {
        format!("{}:{{{}}}:e", self.fleet, name(digest))
    }

    pub(super) fn lead(&self, digest: KeyDigest) -> String {
        format!("{}:{{{}}}:l", self.fleet, name(digest))
    }

    /// What all keys of entries match.
    pub(super) fn entries(&self) -> String {
        format!("{}:{{*}}:e", self.fleet)
    }

    /// The digest in the key of an entry.
    pub(super) fn digest(&self, key: &str) -> Option<KeyDigest> {
        let rest = key.strip_prefix(self.fleet.as_str())?;
        digest_of(rest.strip_prefix(":{")?.strip_suffix("}:e")?)
    }
}

pub(super) fn name(digest: KeyDigest) -> String {
    format!("{:032x}", u128::from_be_bytes(digest.0))
}

/// 32 hexadecimal digits.
pub(super) fn digest_of(text: &str) -> Option<KeyDigest> {
    if text.len() != 32 {
        return None;
    }
    let number = u128::from_str_radix(text, 16).ok()?;
    Some(KeyDigest(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_in_its_key() {
        let keys = Keys::new("a.b");
        let digest = KeyDigest([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(keys.digest(&keys.entry(digest)), Some(digest));
        assert_eq!(keys.digest(&keys.lead(digest)), None);
        assert_eq!(Keys::new("a").digest(&keys.entry(digest)), None);
        assert_eq!(digest_of(&"+".repeat(32)), None);
        let expected = "larder:a.b:{000102030405060708090a0b0c0d0eff}:e";
        assert_eq!(keys.entry(digest), expected);
    }
}
