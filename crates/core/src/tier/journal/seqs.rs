//! How far each instance of the fleet has been followed.

use crate::fleet::InstanceId;

/// Instances that are remembered; of those heard of longest ago it is not known any more, which is safe.
pub(super) const MOST: usize = 256;

/// Who says what the service itself does.
const SERVICE: InstanceId = InstanceId(0);

/// The highest number of each instance that has been applied; who was heard of last comes last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seqs(pub(super) Vec<(InstanceId, u64)>);

impl Seqs {
    pub(super) fn note(&mut self, id: InstanceId, seq: u64) {
        // The service counts by positions, and anew in each log: nobody is given a token of it.
        if id == SERVICE {
            return;
        }
        let known = self.0.iter().position(|(known, _)| *known == id);
        let before = known.map(|place| self.0.remove(place));
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let seq = before.map_or(seq, |(_, before)| before.max(seq));
        self.0.push((id, seq));
    }

    /// Whether everything of it up to this number has been applied.
    pub(super) fn has(&self, id: InstanceId, seq: u64) -> bool {
        let known = self.0.iter().find(|(known, _)| *known == id);
        known.is_some_and(|(_, highest)| *highest >= seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_heard_of_longest_ago_is_forgotten_first() {
        let mut seqs = Seqs::default();
        for id in 1..=257 {
            seqs.note(InstanceId(id), 5);
            seqs.note(InstanceId(2), id);
        }
        assert_eq!(seqs.0.len(), MOST);
        assert!(!seqs.has(InstanceId(1), 1));
        assert!(seqs.has(InstanceId(2), 257));
        assert!(!seqs.has(InstanceId(2), 258));
        seqs.note(InstanceId(2), 3);
        assert!(seqs.has(InstanceId(2), 257), "numbers do not fall");
        seqs.note(SERVICE, 3);
        assert!(!seqs.has(SERVICE, 1));
    }
}
