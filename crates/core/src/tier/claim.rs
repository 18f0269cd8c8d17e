//! The protocol by which workers change a set: claim, write, settle.
//!
//! Each odd-looking rule excludes a run in which something went wrong:
//!
//! - A way is claimed in the directory before its slot is touched, and the claim says how many bytes it stands for. A
//!   worker that dies in between leaves a claim that runs out, never bytes that nobody accounts for.
//! - A claimant that is so late that others took its way finds another generation when it settles. It cannot know
//!   whether its write came before or after theirs, so it claims the way again, whoever has it now, and empties it.
//!   They find the same and do the same; whoever is last leaves the way free and its slot empty.
//! - Every directory that is missing or another incarnation's is a reason to look at the incarnation again, after it
//!   was read: a worker that slept through a wipe would otherwise write over what belongs to those after it.
//! - A record of another incarnation is not simply empty: its slots may hold bytes. Its ways become claims that have
//!   run out, so that somebody empties them.
//!
//! What cannot be put right within the call (the host fails, others win three times) is noted and repaired at a tick.
//! Versions of cells are read and used within one call and never kept.

use crate::time::Timestamp;

use super::directory::{Directory, View, Ways};
use super::generation::Generation;
use super::incarnation::{Founder, Incarnation};
use super::kv::{ByteGauge, Cas, KvError, SetError, SharedKv};
use super::lease::{Lease, LeaseError};
use super::name::Name;
use super::outcome::WhyNot;
use super::shared::SharedTier;
use super::touches::Touches;
use super::way::{CLAIM, Claim, Way};

/// How often a change is tried against other workers' changes.
pub(super) const TRIES: usize = 3;

/// The spots that wait for repair at most; more are left to the sweep's audit.
const NOTES: usize = 256;

/// The host within one call.
pub(super) struct Host<'a> {
    pub(super) kv: &'a dyn SharedKv,
    pub(super) gauge: &'a dyn ByteGauge,
    pub(super) now: Timestamp,
    /// By how much this call has moved the gauge.
    moved: std::cell::Cell<i64>,
}

impl<'a> Host<'a> {
    pub(super) fn new(kv: &'a dyn SharedKv, gauge: &'a dyn ByteGauge, now: Timestamp) -> Self {
        Self {
            kv,
            gauge,
            now,
            moved: std::cell::Cell::new(0),
        }
    }

    pub(super) fn moved(&self) -> i64 {
        self.moved.get()
    }

    fn account(&self, before: u64, after: u64) {
        let delta = (after as i64).wrapping_sub(before as i64);
        if delta != 0 {
            self.gauge.add(delta);
            self.moved.set(self.moved.get().wrapping_add(delta));
        }
    }
}

/// A directory as it was read, with what it takes to change it.
pub(super) struct Snapshot {
    pub(super) directory: Directory,
    /// The bytes of it that count in this incarnation.
    pub(super) counted: u64,
    incarnation: u64,
    cas: Cas,
}

/// What stood in a directory's cell.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for a moment; a box would be an allocation a reading"
)]
pub(super) enum Reading {
    /// Nothing; it was never set.
    Missing,
    /// No record of this incarnation.
    Other(Vec<u8>, Cas),
    /// A record of this incarnation.
    Own(Snapshot),
}

/// A claim this worker has made.
#[derive(Clone, Copy)]
pub(super) struct Holding {
    pub(super) set: u32,
    pub(super) ways: Ways,
    pub(super) generation: Generation,
}

impl SharedTier {
    /// The incarnation this worker takes part in.
    pub(super) fn life(&self) -> Result<Incarnation, WhyNot> {
        self.life.ok_or(WhyNot::Reset)
    }

    /// Takes part in an incarnation, and takes a worker id in it.
    pub(super) fn join(&mut self, host: &Host<'_>) -> Result<(), WhyNot> {
        if self.life.is_none() {
            self.begin(host)?;
        }
        if self.lease.is_some() {
            return Ok(());
        }
        let life = self.life()?;
        match Lease::take(host.kv, &life, host.now) {
            Ok(lease) => {
                self.lease = Some(lease);
                Ok(())
            }
            Err(LeaseError::Contended) => Err(WhyNot::Contended),
            Err(LeaseError::Corrupt) => {
                self.end(host, life);
                Err(WhyNot::Reset)
            }
            Err(LeaseError::Failed) => Err(WhyNot::Failed),
            Err(LeaseError::Full) => Err(WhyNot::NoLease),
            Err(LeaseError::Reset) => {
                self.adopt(None);
                Err(WhyNot::Reset)
            }
        }
    }

    fn begin(&mut self, host: &Host<'_>) -> Result<(), WhyNot> {
        for _ in 0..TRIES {
            let proposal = Incarnation::propose(self.configured, &mut self.random);
            match proposal.found(host.kv) {
                Ok((life, founder)) => {
                    self.adopt(Some(life));
                    match founder {
                        Founder::Another => {}
                        Founder::Myself => clear_gauge(host.gauge),
                    }
                    return Ok(());
                }
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(WhyNot::Failed),
            }
        }
        Err(WhyNot::Contended)
    }

    /// Ends an incarnation in which no unique generation can be had any more.
    fn end(&mut self, host: &Host<'_>, life: Incarnation) {
        let successor = Incarnation::propose(self.configured, &mut self.random);
        if successor.succeed(host.kv, life.id).is_ok() {
            clear_gauge(host.gauge);
            Lease::begin_anew(host.kv, &successor);
        }
        self.adopt(None);
    }

    /// Takes part in another incarnation than before.
    pub(super) fn adopt(&mut self, life: Option<Incarnation>) {
        self.life = life;
        self.lease = None;
        self.totals = None;
        self.demand.forget();
        self.touches = life.map_or_else(
            || Touches::new(0),
            |life| Touches::new(life.geometry.sets()),
        );
    }

    /// Looks whether this worker's incarnation is still in force, and adopts the one that is.
    pub(super) fn confirm(&mut self, kv: &dyn SharedKv) -> Result<(), WhyNot> {
        match Incarnation::current(kv) {
            // All of it: a seed or geometry that differs would have workers look past each other.
            Ok(current) if current.is_some() && current == self.life => Ok(()),
            Ok(current) => {
                self.adopt(current);
                Err(WhyNot::Reset)
            }
            Err(KvError) => Err(WhyNot::Failed),
        }
    }

    /// A generation that no claim ever had.
    pub(super) fn generation(&mut self, host: &Host<'_>) -> Result<Generation, WhyNot> {
        if let Some(generation) = self.lease.as_mut().and_then(Lease::generation) {
            return Ok(generation);
        }
        self.lease = None;
        self.join(host)?;
        let generation = self.lease.as_mut().and_then(Lease::generation);
        generation.ok_or(WhyNot::NoLease)
    }

    /// Reads a directory.
    pub(super) fn read(&self, host: &Host<'_>, set: u32) -> Result<Reading, WhyNot> {
        let life = self.life()?;
        let cell = host
            .kv
            .get(Name::directory(set).as_str())
            .map_err(|KvError| WhyNot::Failed)?;
        let Some(cell) = cell else {
            return Ok(Reading::Missing);
        };
        let own = View::parse(&cell.value)
            .ok()
            .filter(|view| view.incarnation == life.id)
            .and_then(|view| view.directory().ok())
            .filter(|directory| directory.ways().len() as u32 == life.geometry.ways());
        Ok(match own {
            Some(directory) => Reading::Own(Snapshot {
                counted: directory.charged(),
                directory,
                incarnation: life.id,
                cas: cell.cas,
            }),
            None => Reading::Other(cell.value, cell.cas),
        })
    }

    /// What a reading means for this incarnation, if that is still in force.
    pub(super) fn resolve(
        &mut self,
        host: &Host<'_>,
        reading: Reading,
    ) -> Result<Snapshot, WhyNot> {
        let (record, cas) = match reading {
            Reading::Own(snapshot) => return Ok(snapshot),
            Reading::Missing => (None, Cas::NEVER),
            Reading::Other(record, cas) => (Some(record), cas),
        };
        self.confirm(host.kv)?;
        let ways = self.life()?.geometry.ways();
        let directory = record.map_or_else(
            || Directory::free(ways),
            |record| Directory::salvage(&record, ways),
        );
        Ok(Snapshot {
            directory,
            counted: 0,
            incarnation: self.life()?.id,
            cas,
        })
    }

    pub(super) fn snapshot(&mut self, host: &Host<'_>, set: u32) -> Result<Snapshot, WhyNot> {
        let reading = self.read(host, set)?;
        self.resolve(host, reading)
    }

    /// Changes a directory that is still as it was read; [`WhyNot::Contended`] if it is not.
    pub(super) fn commit(
        &self,
        host: &Host<'_>,
        set: u32,
        before: &Snapshot,
        after: &Directory,
    ) -> Result<(), WhyNot> {
        // A lease taken since the reading may be one in another incarnation.
        if self.life()?.id != before.incarnation {
            return Err(WhyNot::Reset);
        }
        let record = after.encode(before.incarnation);
        match host
            .kv
            .set(Name::directory(set).as_str(), &record, before.cas)
        {
            Ok(()) => {
                host.account(before.counted, after.charged());
                Ok(())
            }
            Err(SetError::Lost) => Err(WhyNot::Contended),
            Err(SetError::Failed) => Err(WhyNot::Failed),
        }
    }

    /// Claims ways, empties their slots and frees them. Whatever goes wrong after the claim is noted for repair.
    pub(super) fn empty(
        &mut self,
        host: &Host<'_>,
        set: u32,
        before: &Snapshot,
        ways: Ways,
    ) -> Result<(), WhyNot> {
        let holding = self.claim_to_empty(host, set, before, ways)?;
        let stolen = self.drain(host, holding)?;
        self.retake(host, set, stolen)
    }

    fn claim_to_empty(
        &mut self,
        host: &Host<'_>,
        set: u32,
        before: &Snapshot,
        ways: Ways,
    ) -> Result<Holding, WhyNot> {
        let generation = self.generation(host)?;
        let mut after = before.directory.clone();
        for way in ways.iter() {
            let claim = Claim {
                generation,
                charged: before.directory.way(way).charged(),
                deadline: host.now.plus(CLAIM),
            };
            after.set(way, Way::Emptying(claim));
        }
        self.commit(host, set, before, &after)?;
        Ok(Holding {
            set,
            ways,
            generation,
        })
    }

    /// Empties the slots of a claim and frees its ways; gives those that others have taken meanwhile.
    pub(super) fn drain(&mut self, host: &Host<'_>, holding: Holding) -> Result<Ways, WhyNot> {
        let mut failed = Ways::NONE;
        for way in holding.ways.iter() {
            let name = Name::slot(holding.set, way);
            if host.kv.set(name.as_str(), b"", Cas::UNCONDITIONAL).is_err() {
                failed.insert(way);
            }
        }
        self.note(holding.set, failed);
        let ways = holding.ways.without(failed);
        self.settle(host, Holding { ways, ..holding }, Way::Free)
    }

    /// Ends a claim: its ways become `to`. Gives those that others have taken meanwhile.
    pub(super) fn settle(
        &mut self,
        host: &Host<'_>,
        holding: Holding,
        to: Way,
    ) -> Result<Ways, WhyNot> {
        let outcome = self.try_settle(host, holding, to);
        if outcome.is_err() {
            self.note(holding.set, holding.ways);
        }
        outcome
    }

    fn try_settle(&mut self, host: &Host<'_>, holding: Holding, to: Way) -> Result<Ways, WhyNot> {
        for _ in 0..TRIES {
            let before = self.snapshot(host, holding.set)?;
            let mut after = before.directory.clone();
            let mut stolen = Ways::NONE;
            for way in holding.ways.iter() {
                if before.directory.way(way).generation() == Some(holding.generation) {
                    after.set(way, to);
                } else {
                    stolen.insert(way);
                }
            }
            if stolen == holding.ways {
                return Ok(stolen);
            }
            match self.commit(host, holding.set, &before, &after) {
                Ok(()) => return Ok(stolen),
                Err(WhyNot::Contended) => {}
                Err(why) => return Err(why),
            }
        }
        Err(WhyNot::Contended)
    }

    /// Empties ways that were taken from this worker while it may have written to their slots.
    pub(super) fn retake(
        &mut self,
        host: &Host<'_>,
        set: u32,
        mut stolen: Ways,
    ) -> Result<(), WhyNot> {
        if stolen.is_empty() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let left = self.snapshot(host, set).and_then(|before| {
                let holding = self.claim_to_empty(host, set, &before, stolen)?;
                self.drain(host, holding)
            });
            match left {
                Ok(left) if left.is_empty() => return Err(WhyNot::Overtaken),
                Ok(left) => stolen = left,
                Err(WhyNot::Contended) => {}
                Err(_) => break,
            }
        }
        self.note(set, stolen);
        Err(WhyNot::Overtaken)
    }

    /// Remembers ways to look after at the next tick.
    pub(super) fn note(&mut self, set: u32, ways: Ways) {
        for way in ways.iter() {
            if self.repairs.len() < NOTES && !self.repairs.contains(&(set, way)) {
                self.repairs.push_back((set, way));
            }
        }
    }
}

/// Brings the gauge to zero, where the truth is when an incarnation begins.
fn clear_gauge(gauge: &dyn ByteGauge) {
    gauge.add((gauge.read() as i64).wrapping_neg());
}
