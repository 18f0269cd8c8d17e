//! Leased worker ids, and the generations that follow from them.
//!
//! ```text
//! "LLS1" │ u64 incarnation │ n × (u32 lease number, u64 deadline), n ≤ 256                     all little-endian
//! ```
//!
//! The host numbers neither workers nor VMs, so a worker takes the first id whose lease has run out and keeps it
//! alive from its tick. A generation must never be used twice in an incarnation, or a slot written late could pass for
//! another. That does not rest on the heartbeat: each lease of an id has the next number, so a worker that lost its
//! lease without noticing still makes generations that nobody else can. An id whose numbers are used up rests.
//!
//! The table must not be begun afresh while its incarnation lives, for lease numbers would repeat. It is begun only
//! where it is missing, which a wipe of both explains; therefore whoever has taken a lease looks again whether the
//! incarnation still stands (an id never comes back), and whoever finds a table of another incarnation looks before
//! writing over it. A table that cannot be read at all ends its incarnation; the next begins it afresh.

use crate::time::{Seconds, Timestamp};

use super::generation::Generation;
use super::incarnation::Incarnation;
use super::kv::{Cas, KvError, SetError, SharedKv};
use super::name::Name;
use super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LLS1";

/// Worker ids at once.
const IDS: usize = 256;

/// How long an id stays a silent worker's.
const SPAN: Seconds = Seconds::clamped(60);

/// How often a lease is renewed.
const HEARTBEAT: Seconds = Seconds::clamped(15);

const LAST_NUMBER: u32 = (1 << 24) - 1;

const TRIES: usize = 3;

/// A worker's right to an id.
#[derive(Debug)]
pub(super) struct Lease {
    worker: u8,
    number: u32,
    counter: u32,
    renewed: Timestamp,
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseError {
    /// Other workers changed the table each time.
    Contended,
    /// The table cannot be read.
    Corrupt,
    /// The host failed.
    Failed,
    /// All ids are taken.
    Full,
    /// The incarnation is no longer in force.
    Reset,
}

/// What a heartbeat found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heartbeat {
    /// The lease holds, as far as could be seen.
    Kept,
    /// Somebody else has the id, or the table is gone.
    Lost,
}

impl Lease {
    /// Takes an id.
    pub(super) fn take(
        kv: &dyn SharedKv,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Result<Self, LeaseError> {
        for _ in 0..TRIES {
            let (mut table, cas) = Table::read(kv, incarnation)?;
            let (worker, number) = table.grant(now).ok_or(LeaseError::Full)?;
            match kv.set(Name::leases().as_str(), &table.encode(incarnation.id), cas) {
                Ok(()) => {}
                Err(SetError::Lost) => continue,
                Err(SetError::Failed) => return Err(LeaseError::Failed),
            }
            confirm(kv, incarnation)?;
            return Ok(Self {
                worker,
                number,
                counter: 0,
                renewed: now,
            });
        }
        Err(LeaseError::Contended)
    }

    /// The ids of all workers that live; `None` where nobody can say.
    pub(super) fn live(
        kv: &dyn SharedKv,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let (table, _) = Table::read(kv, incarnation).ok()?;
        let rows = table.rows.iter().zip(0..=u8::MAX);
        let live = rows.filter(|(row, _)| row.is_held(now));
        Some(live.map(|(_, worker)| worker).collect())
    }

    /// Begins the table of a new incarnation where one stands that cannot be read.
    ///
    /// Nobody can have a lease in that incarnation yet: taking one needs a table that can be read.
    pub(super) fn begin_anew(kv: &dyn SharedKv, incarnation: &Incarnation) {
        let Ok(Some(cell)) = kv.get(Name::leases().as_str()) else {
            return;
        };
        if Table::decode(&cell.value).is_err() {
            let empty = Table::default().encode(incarnation.id);
            // Whoever was faster has put something readable there; whoever fails is followed by the next to try.
            let _ = kv.set(Name::leases().as_str(), &empty, cell.cas);
        }
    }

    /// The id, unique among the live workers of the process.
    pub(super) fn worker(&self) -> u8 {
        self.worker
    }

    /// What [`Generation::holder`] says of this lease's generations.
    pub(super) fn holder(&self) -> u32 {
        self.number | (u32::from(self.worker) << 24)
    }

    /// A generation that was never used; `None` when this lease has no more.
    pub(super) fn generation(&mut self) -> Option<Generation> {
        self.counter = self.counter.checked_add(1)?;
        Some(Generation::new(self.holder(), self.counter))
    }

    /// Renews the lease if that is due.
    pub(super) fn beat(
        &mut self,
        kv: &dyn SharedKv,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Heartbeat {
        // A clock that was set back must not silence the heartbeat.
        if self.renewed <= now && now < self.renewed.plus(HEARTBEAT) {
            return Heartbeat::Kept;
        }
        for _ in 0..TRIES {
            let (mut table, cas) = match Table::read(kv, incarnation) {
                Ok((table, cas)) if cas != Cas::NEVER => (table, cas),
                Ok(_) | Err(LeaseError::Corrupt | LeaseError::Full | LeaseError::Reset) => {
                    return Heartbeat::Lost;
                }
                Err(LeaseError::Contended | LeaseError::Failed) => return Heartbeat::Kept,
            };
            if !table.renew(self.worker, self.number, now) {
                return Heartbeat::Lost;
            }
            match kv.set(Name::leases().as_str(), &table.encode(incarnation.id), cas) {
                Ok(()) => {
                    self.renewed = now;
                    return Heartbeat::Kept;
                }
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Heartbeat::Kept,
            }
        }
        Heartbeat::Kept
    }
}

fn confirm(kv: &dyn SharedKv, incarnation: &Incarnation) -> Result<(), LeaseError> {
    match Incarnation::current(kv) {
        Ok(Some(current)) if current == *incarnation => Ok(()),
        Ok(_) => Err(LeaseError::Reset),
        Err(KvError) => Err(LeaseError::Failed),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    number: u32,
    deadline: Timestamp,
}

impl Row {
    fn is_held(&self, now: Timestamp) -> bool {
        // Twice the span: another worker's `now` may be ahead of ours, but a clock that was set back must not keep
        // dead workers' ids for years.
        now < self.deadline && self.deadline <= now.plus(SPAN).plus(SPAN)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    rows: Vec<Row>,
}

impl Table {
    fn read(kv: &dyn SharedKv, incarnation: &Incarnation) -> Result<(Self, Cas), LeaseError> {
        let cell = kv
            .get(Name::leases().as_str())
            .map_err(|KvError| LeaseError::Failed)?;
        let Some(cell) = cell else {
            return Ok((Self::default(), Cas::NEVER));
        };
        let (owner, table) = Self::decode(&cell.value).map_err(|Corrupt| LeaseError::Corrupt)?;
        if owner == incarnation.id {
            return Ok((table, cell.cas));
        }
        // Only after this table was read: were ours the past one, this would be the table of those after us.
        confirm(kv, incarnation)?;
        Ok((Self::default(), cell.cas))
    }

    fn grant(&mut self, now: Timestamp) -> Option<(u8, u32)> {
        let deadline = now.plus(SPAN);
        let free = |row: &Row| !row.is_held(now) && row.number < LAST_NUMBER;
        let id = match self.rows.iter().position(free) {
            Some(id) => id,
            None if self.rows.len() < IDS => {
                self.rows.push(Row {
                    number: 0,
                    deadline,
                });
                self.rows.len().saturating_sub(1)
            }
            None => return None,
        };
        let row = self.rows.get_mut(id)?;
        row.number = row.number.saturating_add(1);
        row.deadline = deadline;
        Some((u8::try_from(id).ok()?, row.number))
    }

    fn renew(&mut self, worker: u8, number: u32, now: Timestamp) -> bool {
        match self.rows.get_mut(usize::from(worker)) {
            Some(row) if row.number == number => {
                row.deadline = now.plus(SPAN);
                true
            }
            Some(_) | None => false,
        }
    }

    fn encode(&self, incarnation: u64) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend_from_slice(TAG);
        record.extend_from_slice(&incarnation.to_le_bytes());
        for row in &self.rows {
            record.extend_from_slice(&row.number.to_le_bytes());
            record.extend_from_slice(&row.deadline.as_nanos().to_le_bytes());
        }
        record
    }

    fn decode(record: &[u8]) -> Result<(u64, Self), Corrupt> {
        let mut fields = Fields::of(record, TAG)?;
        let incarnation = fields.u64()?;
        let (rows, rest) = fields.rest().as_chunks::<12>();
        if rows.len() > IDS || !rest.is_empty() {
            return Err(Corrupt);
        }
        let rows = rows.iter().map(|row| {
            let mut fields = Fields::new(row);
            Ok(Row {
                number: fields.u32()?.min(LAST_NUMBER),
                deadline: Timestamp::from_nanos(fields.u64()?),
            })
        });
        let rows = rows.collect::<Result<_, Corrupt>>()?;
        Ok((incarnation, Self { rows }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::incarnation::Geometry;
    use crate::tier::memory::MemoryKv;
    use crate::tier::random::Random;
    use proptest::prelude::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn begin(kv: &MemoryKv, seed: u128) -> Incarnation {
        let geometry = Geometry::new(8).unwrap();
        let proposal = Incarnation::propose(geometry, &mut Random::new(seed));
        proposal.found(kv).unwrap().0
    }

    #[test]
    fn workers_get_ids_of_their_own_and_dead_ones_are_reused() {
        let kv = MemoryKv::new();
        let life = begin(&kv, 1);
        let mut first = Lease::take(&kv, &life, at(0)).unwrap();
        let second = Lease::take(&kv, &life, at(0)).unwrap();
        assert_eq!((first.worker(), second.worker()), (0, 1));
        assert_eq!(first.beat(&kv, &life, at(40)), Heartbeat::Kept);
        let mut third = Lease::take(&kv, &life, at(70)).unwrap();
        assert_eq!(third.worker(), 1, "the second has been silent for its span");
        assert_ne!(third.holder(), second.holder());
        let holder = third.generation().map(Generation::holder);
        assert_eq!(holder, Some(third.holder()));
    }

    #[test]
    fn a_lost_lease_makes_no_generation_of_its_successor() {
        let kv = MemoryKv::new();
        let life = begin(&kv, 1);
        let mut old = Lease::take(&kv, &life, at(0)).unwrap();
        let mut new = Lease::take(&kv, &life, at(100)).unwrap();
        assert_eq!(old.worker(), new.worker());
        assert_ne!(old.generation(), new.generation());
        assert_eq!(old.beat(&kv, &life, at(101)), Heartbeat::Lost);
        assert_eq!(new.beat(&kv, &life, at(200)), Heartbeat::Kept);
    }

    #[test]
    fn ids_run_out_at_256_and_come_back_when_the_clock_was_set_back() {
        let kv = MemoryKv::new();
        let life = begin(&kv, 1);
        for id in 0..256 {
            let lease = Lease::take(&kv, &life, at(10_000)).unwrap();
            assert_eq!(usize::from(lease.worker()), id);
        }
        let none = Lease::take(&kv, &life, at(10_000)).unwrap_err();
        assert_eq!(none, LeaseError::Full);
        assert!(Lease::take(&kv, &life, at(5_000)).is_ok());
    }

    #[test]
    fn a_counter_that_is_used_up_gives_no_generation() {
        let kv = MemoryKv::new();
        let life = begin(&kv, 1);
        let mut lease = Lease::take(&kv, &life, at(0)).unwrap();
        lease.counter = u32::MAX - 1;
        assert!(lease.generation().is_some());
        assert_eq!(lease.generation(), None);
        assert_eq!(lease.generation(), None);
    }

    #[test]
    fn a_past_incarnation_neither_takes_nor_overwrites_leases() {
        let kv = MemoryKv::new();
        let past = begin(&kv, 1);
        let mut lease = Lease::take(&kv, &past, at(0)).unwrap();
        kv.wipe();
        assert_eq!(lease.beat(&kv, &past, at(20)), Heartbeat::Lost);
        assert_eq!(
            Lease::take(&kv, &past, at(20)).unwrap_err(),
            LeaseError::Reset
        );
        let life = begin(&kv, 2);
        let holder = Lease::take(&kv, &life, at(20)).unwrap().holder();
        assert_eq!(
            Lease::take(&kv, &past, at(20)).unwrap_err(),
            LeaseError::Reset
        );
        let next = Lease::take(&kv, &life, at(20)).unwrap();
        assert_ne!(next.holder(), holder, "the table was left alone");
    }

    #[test]
    fn the_table_is_frozen() {
        let rows = vec![Row {
            number: 2,
            deadline: at(1),
        }];
        let golden = b"LLS1\x01\0\0\0\0\0\0\0\x02\0\0\0\x00\xca\x9a\x3b\0\0\0\0";
        assert_eq!(Table { rows }.encode(1), golden);
        let generation = Lease {
            worker: 1,
            number: 2,
            counter: 2,
            renewed: at(0),
        }
        .generation();
        assert_eq!(
            generation,
            Some(Generation::from_raw(0x0100_0002_0000_0003))
        );
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes: Vec<u8>, tagged: bool) {
            if tagged {
                bytes.splice(0..0, *TAG);
            }
            if let Ok((incarnation, table)) = Table::decode(&bytes) {
                prop_assert_eq!(Table::decode(&table.encode(incarnation)), Ok((incarnation, table)));
            }
        }
    }
}
