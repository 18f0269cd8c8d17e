//! What a worker does for the tier between requests: its heartbeat, noted repairs, and a step of the sweep.
//!
//! The sweep walks over all sets, a bounded step each tick, by one worker at a time: whoever holds the sweeper's
//! lease, which stands in a cell together with how far the sweep is, so that the next holder goes on from there. It
//! empties what is past or abandoned, and counts.
//!
//! ```text
//! "LSW2" │ u64 incarnation │ u32 holder │ u64 deadline │ u32 position │ u32 round
//!        │ u64 counted │ u64 entries │ i64 moved │ i128 gauge                                    the sweep under way
//!        │ u64 log │ u64 position │ u64 patterns │ u8: 1 full 2 empties what is softened 4 patchy   its plan
//!        │ u64 original bytes │ u64 stored bytes │ 2,048 bytes: a bit for each tag               its census
//!        │ u64 log, u64 position of the last complete full one
//!        │ u64 entries │ u64 bytes │ u64 at                                                      the last complete one
//!        │ u64 original bytes │ u64 stored bytes │ u64 tags                                      the last census
//! ```
//!
//! All little-endian. What a sweep does about invalidations is in [`super::round`].
//!
//! **The gauge.** The sum of the charged bytes is the truth, but while the sweep counts, others store and evict. What
//! drifts apart is found all the same: the gauge is read at each step, and its mean over the sets, less what the sweep
//! itself moved meanwhile, stands against the sum over the sets. In a quiet cache the difference is exact, and made
//! good; in a busy one it is an estimate, and made good where it is more than an estimate's error. The gauge is moved by the
//! difference, never set, so no other worker's move is lost.

use crate::time::{Seconds, Timestamp};

use super::census::Counted;
use super::claim::{Host, TRIES};
use super::directory::Ways;
use super::epochs::{ChangeHint, EpochLog};
use super::generation::Generation;
use super::incarnation::Geometry;
use super::kv::{ByteGauge, Cas, KvError, SetError, SharedKv};
use super::lease::{Heartbeat, Lease};
use super::name::Name;
use super::outcome::WhyNot;
use super::progress::Progress;
use super::round::Step;
use super::shared::SharedTier;
use super::slot::{self, Stamp};
use super::way::Way;

/// How long the sweep stays a silent worker's.
const SPAN: Seconds = Seconds::clamped(30);

/// Repairs in one tick at most.
const REPAIRS: usize = 16;

/// What a complete sweep counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Entries that may be found.
    pub entries: u64,
    /// The bytes they take, the host's overhead included.
    pub bytes: u64,
    /// When the sweep was complete.
    pub at: Timestamp,
    /// What the last sweep counted that looked into every entry.
    pub counted: Counted,
}

/// How soon the sweep wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepPace {
    /// At the next tick.
    Rest,
    /// Soon: somebody waits for what it does ([`SharedTier::sweep_on`]).
    Work,
}

/// The order of invalidations, for who sweeps by it.
pub struct Order<'a> {
    /// As this worker knows it.
    pub log: &'a mut EpochLog,
    /// What tells that it has changed.
    pub hint: &'a dyn ChangeHint,
}

/// What a tick did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickReport {
    /// Entries and claims that were past, emptied by this tick.
    pub freed_entries: u64,
    /// Entries that an invalidation has ended, likewise.
    pub ended_entries: u64,
    /// The bytes that all of these took.
    pub freed_bytes: u64,
    /// Ways that were inconsistent and are put right.
    pub repaired: u64,
    /// Ways still to be looked after.
    pub repairs_left: usize,
    /// The sweep that this tick completed.
    pub swept: Option<Totals>,
    /// Whether the configured geometry is the one in force.
    pub geometry: GeometryNotice,
    /// How soon this worker is to sweep on.
    pub pace: SweepPace,
    /// What kept the tick from its work, if anything did.
    pub trouble: Option<WhyNot>,
}

impl TickReport {
    fn nothing() -> Self {
        Self {
            freed_entries: 0,
            ended_entries: 0,
            freed_bytes: 0,
            repaired: 0,
            repairs_left: 0,
            swept: None,
            geometry: GeometryNotice::Agreed,
            pace: SweepPace::Rest,
            trouble: None,
        }
    }
}

/// Whether the configured geometry is the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryNotice {
    /// It is, or none is in force yet.
    Agreed,
    /// Another was first in this incarnation and holds; `storage.slots` takes effect when all proxies' workers of this
    /// process have gone.
    Ignored {
        /// What this worker was given.
        configured: Geometry,
        /// What holds.
        in_force: Geometry,
    },
}

impl SharedTier {
    /// Does what is due where nothing is ever invalidated.
    pub fn tick(&mut self, kv: &dyn SharedKv, gauge: &dyn ByteGauge, now: Timestamp) -> TickReport {
        self.tend((kv, gauge), None, now)
    }

    /// Does what is due: call it from each worker's timer, about twice a second. The sweep judges entries by this order.
    pub fn tend(
        &mut self,
        (kv, gauge): (&dyn SharedKv, &dyn ByteGauge),
        order: Option<&mut Order<'_>>,
        now: Timestamp,
    ) -> TickReport {
        let host = Host::new(kv, gauge, now);
        let mut report = TickReport::nothing();
        report.trouble = self.work(&host, order, &mut report).err();
        report.repairs_left = self.repairs.len();
        if let Some(in_force) = self.geometry()
            && in_force != self.configured
        {
            let configured = self.configured;
            report.geometry = GeometryNotice::Ignored {
                configured,
                in_force,
            };
        }
        report
    }

    /// One more step of the sweep, for a worker that was told so ([`SweepPace::Work`]).
    pub fn sweep_on(
        &mut self,
        (kv, gauge): (&dyn SharedKv, &dyn ByteGauge),
        order: &mut Order<'_>,
        now: Timestamp,
    ) -> TickReport {
        let host = Host::new(kv, gauge, now);
        let mut report = TickReport::nothing();
        report.trouble = self.sweep(&host, Some(order), &mut report).err();
        report
    }

    fn work(
        &mut self,
        host: &Host<'_>,
        order: Option<&mut Order<'_>>,
        report: &mut TickReport,
    ) -> Result<(), WhyNot> {
        if self.life.is_some() {
            // A wipe is noticed here at the latest, also by a worker that meets no directory.
            match self.confirm(host.kv) {
                Ok(()) | Err(WhyNot::Reset) => {}
                Err(why) => return Err(why),
            }
        }
        self.join(host)?;
        let life = self.life()?;
        if let Some(lease) = &mut self.lease
            && lease.beat(host.kv, &life, host.now) == Heartbeat::Lost
        {
            self.lease = None;
            self.join(host)?;
        }
        self.repair_noted(host, report)?;
        self.write_down_touches(host)?;
        self.sweep(host, order, report)
    }

    fn repair_noted(&mut self, host: &Host<'_>, report: &mut TickReport) -> Result<(), WhyNot> {
        for _ in 0..self.repairs.len().min(REPAIRS) {
            let Some((set, way)) = self.repairs.pop_front() else {
                break;
            };
            match self.repair(host, set, way) {
                Ok(Repair::Done) => report.repaired = report.repaired.saturating_add(1),
                Ok(Repair::Needless) => {}
                Err(why) => {
                    self.note(set, Ways::one(way));
                    if matches!(why, WhyNot::Failed | WhyNot::Reset) {
                        return Err(why);
                    }
                }
            }
        }
        Ok(())
    }

    /// Empties a way whose slot and directory do not agree, if they still do not.
    fn repair(&mut self, host: &Host<'_>, set: u32, way: usize) -> Result<Repair, WhyNot> {
        if set >= self.life()?.geometry.sets() {
            // A remnant of an incarnation with more sets: nobody claims there any more.
            return clear_unclaimed(host, set, way);
        }
        for _ in 0..TRIES {
            // What the slot is compared with was read before it: if that still stands when the way is claimed, the two
            // have really been at odds, and it was no reader between two writes of a healthy worker.
            let before = self.snapshot(host, set)?;
            if self.is_sound(host, set, way, before.directory.way(way))? {
                return Ok(Repair::Needless);
            }
            match self.empty(host, set, &before, Ways::one(way)) {
                Ok(()) => return Ok(Repair::Done),
                Err(WhyNot::Contended) => {}
                Err(why) => return Err(why),
            }
        }
        Err(WhyNot::Contended)
    }

    fn is_sound(
        &mut self,
        host: &Host<'_>,
        set: u32,
        way: usize,
        expected: Way,
    ) -> Result<bool, WhyNot> {
        let value = || held(host, set, way);
        match expected {
            Way::Free => Ok(value()?.is_empty()),
            Way::Published(entry) => {
                let stamp = Stamp {
                    incarnation: self.life()?.id,
                    generation: entry.generation,
                };
                Ok(slot::stamp(&value()?) == Ok(stamp))
            }
            Way::Emptying(claim) | Way::Filling { claim, .. } => {
                // One's own claim is not in use: it was given up in an earlier call.
                let own = self.lease.as_ref().map(Lease::holder);
                if claim.is_held(host.now) && own != Some(Generation::holder(claim.generation)) {
                    return Err(WhyNot::Busy);
                }
                Ok(false)
            }
        }
    }

    fn sweep(
        &mut self,
        host: &Host<'_>,
        order: Option<&mut Order<'_>>,
        report: &mut TickReport,
    ) -> Result<(), WhyNot> {
        let (mut progress, cas) = self.progress(host)?;
        self.totals = progress.last;
        let holder = self
            .lease
            .as_ref()
            .map(Lease::holder)
            .ok_or(WhyNot::NoLease)?;
        if progress.holder != holder && progress.is_held(host.now, SPAN) {
            return Ok(());
        }
        let mut step = Step::begin(host, order, &mut progress)?;
        report.pace = step.pace;
        let life = self.life()?;
        let (sets, from) = (life.geometry.sets(), progress.position);
        let to = from.saturating_add(step.sets(life.geometry, progress.plan.depth));
        let (gauge, moved) = (host.gauge.read(), host.moved());
        let mut at = from;
        while at < to.min(sets) && step.has_room() {
            self.sweep_set(host, at, &mut progress, &mut step, report)?;
            at = at.saturating_add(1);
        }
        progress.see_gauge(gauge, at.saturating_sub(from));
        progress.moved = progress
            .moved
            .wrapping_add(host.moved().wrapping_sub(moved));
        progress.holder = holder;
        progress.deadline = host.now.plus(SPAN);
        progress.position = at;
        step.settle(host);
        step.release(self, host, progress.plan.began.log);
        let ended = (at == sets).then_some(progress.plan);
        let correction = ended.map(|_| progress.complete(host.gauge.read(), sets, host.now));
        let record = progress.encode(life.id);
        match host.kv.set(Name::sweeper().as_str(), &record, cas) {
            Ok(()) => {}
            // Two began at once, and the other has the sweep now.
            Err(SetError::Lost) => {
                report.pace = SweepPace::Rest;
                return Ok(());
            }
            Err(SetError::Failed) => return Err(WhyNot::Failed),
        }
        if let (Some(plan), Some(correction)) = (ended, correction) {
            host.gauge.add(correction);
            self.totals = progress.last;
            report.swept = progress.last;
            step.end_round(host, plan)?;
        }
        Ok(())
    }

    fn progress(&mut self, host: &Host<'_>) -> Result<(Progress, Cas), WhyNot> {
        let life = self.life()?;
        let cell = host
            .kv
            .get(Name::sweeper().as_str())
            .map_err(|KvError| WhyNot::Failed)?;
        let known = cell.as_ref().and_then(|cell| {
            let (owner, progress) = Progress::decode(&cell.value).ok()?;
            let fits = progress.position < life.geometry.sets();
            (owner == life.id && fits).then_some(progress)
        });
        match (known, cell) {
            (Some(progress), Some(cell)) => Ok((progress, cell.cas)),
            (_, cell) => {
                self.confirm(host.kv)?;
                Ok((
                    Progress::default(),
                    cell.map_or(Cas::NEVER, |cell| cell.cas),
                ))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    Done,
    Needless,
}

pub(super) fn held(host: &Host<'_>, set: u32, way: usize) -> Result<Vec<u8>, WhyNot> {
    let cell = host.kv.get(Name::slot(set, way).as_str());
    let cell = cell.map_err(|KvError| WhyNot::Failed)?;
    Ok(cell.map(|cell| cell.value).unwrap_or_default())
}

fn clear_unclaimed(host: &Host<'_>, set: u32, way: usize) -> Result<Repair, WhyNot> {
    if held(host, set, way)?.is_empty() {
        return Ok(Repair::Needless);
    }
    let name = Name::slot(set, way);
    match host.kv.set(name.as_str(), b"", Cas::UNCONDITIONAL) {
        Ok(()) => Ok(Repair::Done),
        Err(_) => Err(WhyNot::Failed),
    }
}
