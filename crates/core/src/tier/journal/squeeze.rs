//! What becomes of an outbox for which there is no room: the service has been away for long.
//!
//! It always ends everything that it has ended before; it may end more. Only neighbours become one, and have the number of the
//! last: whoever has heard a number has heard everything before it.

use super::outbox::{MOST, Outbox, Pending};
use crate::entry::Epoch;
use crate::epoch::{Coverage, Invalidation};
use crate::wire::MAX_STAMPS;

/// What all records may take, in bytes.
const MOST_BYTES: usize = 96 << 10;

impl Outbox {
    pub(super) fn squeeze(&mut self) {
        if self.fits() {
            return;
        }
        let mut kept: Vec<Pending> = Vec::new();
        for record in std::mem::take(&mut self.records) {
            match kept.pop() {
                Some(before) if before.is_like(&record) => kept.push(before.and(record)),
                Some(before) => kept.extend([before, record]),
                None => kept.push(record),
            }
        }
        self.records = kept;
        if self.fits() {
            return;
        }
        // From the first that has to be said on: what is durable in between is said again.
        let is_said = |record: &&Pending| record.durable.is_some();
        let said = self.records.iter().take_while(is_said).count();
        let rest = self.records.split_off(said);
        for run in [std::mem::take(&mut self.records), rest] {
            self.records
                .extend(run.into_iter().reduce(Pending::and_all));
        }
    }

    fn fits(&self) -> bool {
        let bytes = self.records.iter().map(Pending::size);
        self.records.len() <= MOST && bytes.fold(0, usize::saturating_add) <= MOST_BYTES
    }
}

impl Pending {
    /// Whether a later one can become one with it and end no more than the two.
    fn is_like(&self, later: &Self) -> bool {
        let (one, other) = (&self.invalidation, &later.invalidation);
        let is_short = match (&one.coverage, &other.coverage) {
            (Coverage::Stamps(one), Coverage::Stamps(other)) => {
                one.len().saturating_add(other.len()) <= MAX_STAMPS
            }
            (Coverage::All | Coverage::Names(_) | Coverage::Stamps(_), _) => false,
        };
        match (self.durable, later.durable) {
            (None, None) => is_short && one.mode == other.mode,
            // Of what is durable only its place counts; what it ends comes back from the fleet.
            (Some(one), Some(other)) => one.log == other.log,
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn and(self, later: Self) -> Self {
        let coverage = match (&self.invalidation.coverage, &later.invalidation.coverage) {
            (Coverage::Stamps(one), Coverage::Stamps(other)) if self.durable.is_none() => {
                Coverage::Stamps([&one[..], other].concat())
            }
            (Coverage::All | Coverage::Names(_) | Coverage::Stamps(_), _) => Coverage::All,
        };
        self.joined(later, coverage)
    }

    fn and_all(self, later: Self) -> Self {
        self.joined(later, Coverage::All)
    }

    fn joined(self, later: Self, coverage: Coverage) -> Self {
        Self {
            first: self.first,
            seq: later.seq,
            before: match self.before.log == later.before.log {
                true => Epoch {
                    log: later.before.log,
                    position: self.before.position.min(later.before.position),
                },
                // That of no order: where it stands cannot be said.
                false => Epoch::UNKNOWN,
            },
            intended: self.intended.saturating_add(later.intended),
            durable: match (self.durable, later.durable) {
                (Some(one), Some(other))
                    if one.log != other.log || one.position < other.position =>
                {
                    Some(other)
                }
                (Some(one), Some(_)) => Some(one),
                (None, _) | (_, None) => None,
            },
            invalidation: Invalidation {
                coverage,
                mode: self.invalidation.mode.min(later.invalidation.mode),
            },
            label: None,
        }
    }

    fn size(&self) -> usize {
        let coverage = match &self.invalidation.coverage {
            Coverage::All => 0,
            Coverage::Names(pattern) => pattern.to_parts().1.len(),
            Coverage::Stamps(stamps) => stamps.len().saturating_mul(8),
        };
        let label = self.label.as_ref();
        let label = label.map_or(0, |label| {
            label.kind().len().saturating_add(label.value().len())
        });
        coverage.saturating_add(label).saturating_add(64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::tests::records;
    use super::*;
    use crate::epoch::Mode;
    use crate::fleet::InstanceId;
    use proptest::prelude::*;

    /// Whether one ends all that another does, as much as that.
    fn includes(one: &Invalidation, other: &Invalidation) -> bool {
        one.mode <= other.mode
            && match (&one.coverage, &other.coverage) {
                (Coverage::All, _) => true,
                (Coverage::Stamps(all), Coverage::Stamps(some)) => {
                    some.iter().all(|stamp| all.contains(stamp))
                }
                (one, other) => one == other,
            }
    }

    /// Whether one keeps an entry from being brought in, or makes it early enough, wherever another does.
    fn is_as_careful(one: &Pending, (before, intended): (Epoch, u16)) -> bool {
        let is_earlier = one.before == Epoch::UNKNOWN
            || (one.before.log == before.log && one.before.position <= before.position);
        is_earlier && (intended == 0 || one.intended > 0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_squeezed_ends_no_less_and_is_no_bolder(records in records(300), step in 1..9u64) {
            let mut whole = Vec::new();
            let mut outbox = Outbox::fresh(InstanceId(1));
            for (before, invalidation, _, noted) in records {
                let seq = outbox.push(before, &invalidation, None);
                let intended = 1_u16.saturating_sub(noted);
                let last = outbox.records.last_mut().unwrap();
                last.intended = last.intended.saturating_sub(noted);
                whole.push((seq, before, intended, invalidation));
                if seq.is_multiple_of(step) {
                    outbox.sent = seq;
                }
            }
            prop_assert!(outbox.records.len() <= MOST);
            prop_assert_eq!(Outbox::decode(&outbox.encode()), Ok(outbox.clone()));
            let mut next = 1;
            for record in &outbox.records {
                prop_assert_eq!(record.first, next, "all numbers are there, in a row");
                next = record.seq.saturating_add(1);
            }
            for (seq, before, intended, invalidation) in &whole {
                let mut records = outbox.records.iter();
                let holder = records.find(|record| record.has(*seq)).unwrap();
                prop_assert!(includes(&holder.invalidation, invalidation), "{seq}: {holder:?}");
                prop_assert!(is_as_careful(holder, (*before, *intended)), "{seq}: {holder:?}");
            }
        }
    }

    #[test]
    fn what_is_durable_becomes_one_and_holds_its_place() {
        let mut outbox = Outbox::fresh(InstanceId(1));
        let invalidation = Invalidation {
            coverage: Coverage::All,
            mode: Mode::Hard,
        };
        for position in 0..=MOST as u64 {
            outbox.push(Epoch { log: 1, position }, &invalidation, None);
            if position < 100 {
                outbox.records.last_mut().unwrap().durable = Some(crate::fleet::Cursor {
                    log: 1,
                    position,
                    check: 0,
                });
            }
        }
        let [said, rest @ ..] = &outbox.records[..] else {
            panic!("{outbox:?}");
        };
        assert_eq!((said.first, said.seq), (1, 100));
        assert_eq!(said.durable.map(|id| id.position), Some(99));
        assert_eq!(said.before.position, 0);
        assert_eq!(rest.len(), 29);
    }
}
