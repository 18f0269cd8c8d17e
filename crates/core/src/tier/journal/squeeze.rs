//! What becomes of an outbox for which there is no room: the service has been away for long.
//!
//! It always ends everything that it has ended before; it may end more. Of one that is folded into a later one the number is
//! skipped, which the service does not mind: whoever has said a number has said all before it.

use super::outbox::{Local, MOST, Outbox, Pending};
use crate::entry::Epoch;
use crate::epoch::{Coverage, Invalidation, Mode};
use crate::wire::MAX_STAMPS;

/// What all records may take, in bytes.
const MOST_BYTES: usize = 96 << 10;

impl Outbox {
    pub(super) fn squeeze(&mut self) {
        if self.fits() {
            return;
        }
        // Of what is durable only its place counts; what it ends comes back from the fleet.
        self.fold(|record| record.durable.is_some(), |_, _| Coverage::All);
        for mode in Mode::ALL {
            self.fold(|record| record.is_of(*mode), joined);
        }
        if !self.fits() {
            self.fold(|record| record.durable.is_none(), |_, _| Coverage::All);
        }
    }

    fn fits(&self) -> bool {
        let bytes = self.records.iter().map(Pending::size);
        self.records.len() <= MOST && bytes.fold(0, usize::saturating_add) <= MOST_BYTES
    }

    /// Makes one of all such records, in the place of the last of them.
    fn fold(
        &mut self,
        is_such: impl Fn(&Pending) -> bool,
        join: fn(Coverage, Coverage) -> Coverage,
    ) {
        let mut folded: Option<Pending> = None;
        let mut kept = Vec::new();
        for record in std::mem::take(&mut self.records) {
            match is_such(&record) {
                true => {
                    folded = Some(match folded {
                        Some(earlier) => earlier.folded_into(record, join),
                        None => record,
                    })
                }
                false => kept.push(record),
            }
        }
        if let Some(folded) = folded {
            let place = kept.partition_point(|record| record.seq < folded.seq);
            kept.insert(place, folded);
        }
        self.records = kept;
    }
}

/// As one, where that is not more than one may have.
fn joined(one: Coverage, other: Coverage) -> Coverage {
    match (one, other) {
        (Coverage::Stamps(mut all), Coverage::Stamps(more)) => {
            all.extend(more);
            match all.len() > MAX_STAMPS {
                true => Coverage::All,
                false => Coverage::Stamps(all),
            }
        }
        (Coverage::All | Coverage::Names(_) | Coverage::Stamps(_), _) => Coverage::All,
    }
}

impl Pending {
    fn is_of(&self, mode: Mode) -> bool {
        let is_of_stamps = match self.invalidation.coverage {
            Coverage::Stamps(_) => true,
            Coverage::All | Coverage::Names(_) => false,
        };
        self.durable.is_none() && self.invalidation.mode == mode && is_of_stamps
    }

    fn folded_into(self, later: Self, join: fn(Coverage, Coverage) -> Coverage) -> Self {
        let coverage = join(self.invalidation.coverage, later.invalidation.coverage);
        let mode = self.invalidation.mode.min(later.invalidation.mode);
        Self {
            seq: later.seq,
            before: match self.before.log == later.before.log {
                true => Epoch {
                    log: later.before.log,
                    position: self.before.position.min(later.before.position),
                },
                // That of no order: where it stands cannot be said.
                false => Epoch::UNKNOWN,
            },
            local: match (self.local, later.local) {
                (Local::Noted, Local::Noted) => Local::Noted,
                (Local::Intended, _) | (_, Local::Intended) => Local::Intended,
            },
            durable: match (self.durable, later.durable) {
                (Some(one), Some(other)) if one.log == other.log => {
                    match one.position > other.position {
                        true => Some(one),
                        false => Some(other),
                    }
                }
                (_, durable) => durable,
            },
            invalidation: Invalidation { coverage, mode },
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
    fn is_as_careful(one: &Pending, other: &Pending) -> bool {
        let is_later = match (one.durable, other.durable) {
            (None, _) => true,
            (Some(one), Some(other)) => one.log != other.log || one.position >= other.position,
            (Some(_), None) => false,
        };
        let is_earlier = one.before == Epoch::UNKNOWN
            || (one.before.log == other.before.log && one.before.position <= other.before.position);
        one.seq >= other.seq && is_later && is_earlier
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_squeezed_ends_no_less_and_is_no_bolder(records in records(300)) {
            let mut whole = Vec::new();
            let mut outbox = Outbox::fresh(InstanceId(1));
            for (before, invalidation, durable, local) in records {
                let seq = outbox.push(before, &invalidation, None);
                let last = outbox.records.last_mut().unwrap();
                if last.before == before && last.invalidation == invalidation {
                    (last.durable, last.local) = (durable, local);
                }
                let last = last.clone();
                let durable = last.durable.filter(|_| last.invalidation == invalidation);
                whole.push(Pending { seq, before, durable, local: last.local, invalidation, label: None });
            }
            prop_assert!(outbox.records.len() <= MOST);
            prop_assert!(outbox.records.is_sorted_by(|one, other| one.seq < other.seq));
            prop_assert_eq!(Outbox::decode(&outbox.encode()), Ok(outbox.clone()));
            for said in &whole {
                let mut left = outbox.records.iter().filter(|left| is_as_careful(left, said));
                let is_told = |left: &&Pending| left.durable.is_none() && includes(&left.invalidation, &said.invalidation);
                match said.durable {
                    Some(_) => prop_assert!(left.next().is_some(), "{said:?}"),
                    None => prop_assert!(left.any(|left| is_told(&left)), "{said:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_not_noted_stays_so_in_whatever_it_becomes() {
        let mut outbox = Outbox::fresh(InstanceId(1));
        let invalidation = Invalidation {
            coverage: Coverage::Stamps(Vec::new()),
            mode: Mode::Hard,
        };
        for count in 0..=MOST {
            outbox.push(Epoch::UNKNOWN, &invalidation, None);
            if count > 0 {
                outbox.records.last_mut().unwrap().local = Local::Noted;
            }
        }
        assert_eq!(outbox.records.len(), 1);
        assert_eq!(outbox.records[0].seq, MOST as u64 + 1);
        let mut outbox = Outbox::fresh(InstanceId(1));
        for count in 0..=MOST {
            outbox.push(Epoch::UNKNOWN, &invalidation, None);
            if count < MOST {
                outbox.records.last_mut().unwrap().local = Local::Noted;
            }
        }
        assert_eq!(outbox.records[0].local, Local::Intended, "the last is not");
    }
}
