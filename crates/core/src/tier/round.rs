//! What a round of the sweep looks at, and what it does about invalidations.
//!
//! **The audit.** A slot can hold bytes that no directory knows: a worker wrote into cells that had just been wiped, or
//! after its claim had run out, and died. Each round looks into one slot in eight, the next round into the next: an
//! eighth of all bytes is read, and no entry is wrong for long.
//!
//! **A full round** looks into every slot that holds an entry, judges it by what was invalidated, and empties what is gone. It
//! is taken where something was invalidated since the last one, so that purged memory comes back; where the cache is small;
//! and else every eighth time, for the census. To know from the directories which entries an invalidation may concern would
//! mean to compare times, and clocks step back. Reading them all costs a copy each: at 256 MiB about 50 ms of one worker's
//! time, spread over a hundred steps, less than what the directories cost that have to be read in any case.
//!
//! **Hurry.** Patterns slow down hits for as long as they are in force, and receipts wait for the sweep. Then the worker that
//! sweeps takes its steps soon after each other, each bounded in slots and bytes, and an audit under way begins anew as a
//! full round. The more patterns there are, the longer the steps: when the list is full the next pattern invalidates everything.
//!
//! **Retirement** ([`super::epochs`]). When a full round began, the patterns announced by then were known, and the hint was
//! moved, so that everybody who stores something later knows them too. Who claims a way after the round has passed it
//! asks again before he writes ([`super::shared`]); one who had claimed before is met as a fill under way, and then the
//! round retires nothing. So when it ends, nothing that those patterns cover is left or can still come. A soft pattern is to
//! stay, for what is stale may be of use; only where more than half of the room for patterns is taken does a round
//! empty what soft patterns cover, and retire them too.

use crate::entry::{Epoch, Payload};
use crate::epoch::{Currency, Stamped, Whereabouts};
use crate::key::Key;

use super::claim::{Host, Reading, Snapshot};
use super::directory::Ways;
use super::epochs::patterns::MOST_PATTERNS;
use super::epochs::{Outlook, Retired, Verdict};
use super::incarnation::Geometry;
use super::outcome::WhyNot;
use super::progress::{Depth, Plan, Progress, Softened, Thoroughness};
use super::receipt::{Fate, Tallies};
use super::shared::SharedTier;
use super::slot::{self, Stamp};
use super::sweep::{Order, SweepPace, TickReport, Totals, held};
use super::way::{Condition, Published, Way};

/// Sets in a step at least, and at most; in between, a round takes 16 steps.
const SETS: std::ops::RangeInclusive<u32> = 32..=512;

/// Slots in a step of a full round at most, but those of one set; as many again for so many patterns in force.
const SLOTS: u32 = 1024;
const CROWD: usize = 64;

/// The bytes of entries that a step looks into, about.
const BYTES: u64 = 2 << 20;

/// A round looks into one slot in so many of each set, the next round into the next; and every so many is a full one.
const AUDIT: usize = 8;

/// A cache with no more than this is looked at as a whole each time.
const SMALL_ENTRIES: u64 = 16_384;
const SMALL_BYTES: u64 = 16 << 20;

/// Soft patterns are carried out when more than so many are in force.
const ENOUGH: usize = MOST_PATTERNS / 2;

/// One step of a round.
pub(super) struct Step<'a, 'b> {
    order: Option<&'a mut Order<'b>>,
    /// Whether patterns in force are to be retired by this round.
    retires: bool,
    tallies: Tallies,
    bytes: u64,
    /// How many slots it may look into, about.
    slots: u32,
    pub(super) pace: SweepPace,
}

/// What stands in a slot that should hold an entry.
enum Found {
    /// The entry, which stays.
    Good,
    /// The entry, which an invalidation has ended.
    Over,
    /// Something else.
    Unsound,
}

impl<'a, 'b> Step<'a, 'b> {
    /// Looks at what there is to do, and plans a round where none is under way that will do.
    pub(super) fn begin(
        host: &Host<'_>,
        order: Option<&'a mut Order<'b>>,
        progress: &mut Progress,
    ) -> Result<Self, WhyNot> {
        let Some(order) = order else {
            progress.plan = Plan::AUDIT;
            return Ok(Self {
                order: None,
                retires: false,
                tallies: Tallies::default(),
                bytes: 0,
                slots: SLOTS,
                pace: SweepPace::Rest,
            });
        };
        let outlook = order.log.outlook(host.kv, order.hint);
        let outlook = outlook.ok_or(WhyNot::Failed)?;
        let tallies = Tallies::of(host.kv).unwrap_or_default();
        let retires = outlook.pressing > 0 || outlook.live > ENOUGH;
        let pace = match retires || !tallies.is_empty() {
            true => SweepPace::Work,
            false => SweepPace::Rest,
        };
        let plan = progress.plan;
        if progress.position == 0
            || plan.began.log != outlook.began.log
            || (pace == SweepPace::Work && plan.depth == Depth::Audit)
        {
            progress.start_over();
            progress.plan = plan_of(outlook, pace, progress);
            if outlook.live > 0 {
                order.hint.advance();
            }
        }
        Ok(Self {
            order: Some(order),
            retires,
            tallies,
            bytes: 0,
            slots: u32::try_from(outlook.live / CROWD)
                .unwrap_or_default()
                .saturating_add(1)
                .saturating_mul(SLOTS),
            pace,
        })
    }

    /// How many sets it takes.
    pub(super) fn sets(&self, geometry: Geometry, depth: Depth) -> u32 {
        let sets = (geometry.sets() / 16).clamp(*SETS.start(), *SETS.end());
        match depth {
            Depth::Audit => sets,
            Depth::Full => sets
                .min(self.slots.checked_div(geometry.ways()).unwrap_or(1))
                .max(1),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < BYTES
    }

    /// Writes down what was counted for receipts; where that fails they say less.
    pub(super) fn settle(&self, host: &Host<'_>) {
        let _ = self.tallies.settle(host.kv);
    }

    /// Completes receipts that waited for the workers only; where that fails the next step does.
    pub(super) fn release(&self, tier: &SharedTier, host: &Host<'_>, log: u64) {
        if !self.tallies.has_swept() {
            return;
        }
        if let Some(position) = tier.applied_by_all(host.kv, log, host.now) {
            let _ = self.tallies.release(host.kv, Epoch { log, position });
        }
    }

    /// The round that had this plan is complete, and everybody knows.
    pub(super) fn end_round(self, host: &Host<'_>, plan: Plan) -> Result<(), WhyNot> {
        let Some(order) = self.order else {
            return Ok(());
        };
        if plan.depth != Depth::Full || plan.so_far != Thoroughness::Complete {
            return Ok(());
        }
        if self.retires {
            let to = Retired {
                position: plan.began.position,
                patterns: plan.patterns,
                soft_patterns: match plan.softened {
                    Softened::Empty => plan.patterns,
                    Softened::Keep => 0,
                },
            };
            let retired = order.log.retire(host.kv, order.hint, plan.began.log, to);
            retired.map_err(|_| WhyNot::Failed)?;
        }
        let completed = self.tallies.complete(host.kv, plan.began);
        completed.map_err(|_| WhyNot::Failed)
    }

    /// Looks at an entry; `None` where it is not the one that should be there.
    fn look(
        &mut self,
        host: &Host<'_>,
        value: &[u8],
        (expected, charged): (Stamp, u32),
        progress: &mut Progress,
    ) -> Found {
        let (canonical, payload) = match slot::split(value) {
            Ok((stamp, canonical, payload)) if stamp == expected => (canonical, payload),
            Ok(_) | Err(_) => return Found::Unsound,
        };
        let (Some(order), Some(response)) = (&mut self.order, Payload::outline(payload)) else {
            return Found::Good;
        };
        let key = Key::from_canonical(canonical.to_vec());
        let stored = Stamped {
            epoch: response.meta.epoch,
            stamps: response.stamps,
            key: &key,
            whereabouts: Whereabouts::Shared,
        };
        let Some(verdict) = order.log.weigh(host.kv, stored) else {
            progress.plan.so_far = Thoroughness::Patchy;
            return Found::Good;
        };
        let fate = fate(verdict, progress.plan.softened);
        self.tallies
            .count(stored, charged.into(), fate, progress.plan.began);
        match fate {
            Fate::Emptied => Found::Over,
            Fate::Stays => {
                progress.census.see(&response);
                Found::Good
            }
        }
    }
}

/// What invalid stamps have met stays, for the origin may say that it is still good; so does what is stale.
fn fate(verdict: Verdict, softened: Softened) -> Fate {
    match (verdict.currency(), verdict.patterns, softened) {
        (Currency::Gone, _, _)
        | (_, Currency::Gone | Currency::Invalidated, _)
        | (_, Currency::Softened { .. }, Softened::Empty) => Fate::Emptied,
        (_, Currency::Softened { .. }, Softened::Keep) | (_, Currency::Current, _) => Fate::Stays,
    }
}

fn plan_of(outlook: Outlook, pace: SweepPace, progress: &Progress) -> Plan {
    let is_small = |last: Totals| last.entries <= SMALL_ENTRIES && last.bytes <= SMALL_BYTES;
    let is_full = pace == SweepPace::Work
        || outlook.began != progress.swept
        || progress.last.is_none_or(is_small)
        || (progress.round as usize).is_multiple_of(AUDIT);
    Plan {
        began: outlook.began,
        patterns: outlook.patterns,
        depth: match is_full {
            true => Depth::Full,
            false => Depth::Audit,
        },
        softened: match outlook.live > ENOUGH {
            true => Softened::Empty,
            false => Softened::Keep,
        },
        so_far: Thoroughness::Complete,
    }
}

impl SharedTier {
    pub(super) fn sweep_set(
        &mut self,
        host: &Host<'_>,
        set: u32,
        progress: &mut Progress,
        step: &mut Step<'_, '_>,
        report: &mut TickReport,
    ) -> Result<(), WhyNot> {
        let ways = self.life()?.geometry.ways() as usize;
        let first = progress.round as usize % AUDIT;
        let audited: Ways = (first..ways).step_by(AUDIT).collect();
        let before = match self.read(host, set)? {
            Reading::Missing => return self.audit_free(host, set, audited),
            reading @ (Reading::Other(..) | Reading::Own(_)) => self.resolve(host, reading)?,
        };
        progress.counted = progress.counted.saturating_add(before.counted);
        let in_condition = |wanted| {
            let is_so = |way: &Way| way.condition(host.now) == wanted;
            before.directory.ways_where(is_so)
        };
        let is_filling = |way: &Way| matches!(way, Way::Filling { .. });
        let filling = before.directory.ways_where(is_filling);
        let current = in_condition(Condition::Current);
        if in_condition(Condition::Held)
            .iter()
            .any(|way| filling.contains(way))
        {
            progress.plan.so_far = Thoroughness::Patchy;
        }
        self.audit_free(host, set, in_condition(Condition::Free).and(audited))?;
        let open = match progress.plan.depth {
            Depth::Audit => current.and(audited),
            Depth::Full => current,
        };
        let over = self.look_into((host, set), &before, open, progress, step)?;
        let past = in_condition(Condition::Abandoned).or(in_condition(Condition::Expired));
        let stays = self.free(host, set, &before, (past, over), report)?;
        match stays.is_empty() {
            true => step.tallies.keep(),
            false => {
                progress.plan.so_far = Thoroughness::Patchy;
                step.tallies.forget();
            }
        }
        let left = current.without(over.without(stays)).iter().count() as u64;
        progress.entries = progress.entries.saturating_add(left);
        Ok(())
    }

    /// Those of the ways whose entry an invalidation has ended.
    fn look_into(
        &mut self,
        (host, set): (&Host<'_>, u32),
        before: &Snapshot,
        ways: Ways,
        progress: &mut Progress,
        step: &mut Step<'_, '_>,
    ) -> Result<Ways, WhyNot> {
        let incarnation = self.life()?.id;
        let mut over = Ways::NONE;
        for at in ways.iter() {
            let Way::Published(entry) = before.directory.way(at) else {
                continue; // a current way is published
            };
            let Published {
                generation,
                charged,
                ..
            } = entry;
            let value = held(host, set, at)?;
            step.bytes = step.bytes.saturating_add(charged.into());
            let expected = Stamp {
                incarnation,
                generation,
            };
            match step.look(host, &value, (expected, charged), progress) {
                Found::Good => {}
                Found::Over => over.insert(at),
                Found::Unsound => self.note(set, Ways::one(at)),
            }
        }
        Ok(over)
    }

    /// Empties ways; gives those that others have changed meanwhile. The next round comes by again.
    fn free(
        &mut self,
        host: &Host<'_>,
        set: u32,
        before: &Snapshot,
        (past, over): (Ways, Ways),
        report: &mut TickReport,
    ) -> Result<Ways, WhyNot> {
        let all = past.or(over);
        if all.is_empty() {
            return Ok(Ways::NONE);
        }
        match self.empty(host, set, before, all) {
            Ok(()) => {
                let bytes = all.iter().map(|way| before.directory.way(way).charged());
                report.freed_bytes = bytes.fold(report.freed_bytes, |sum, bytes| {
                    sum.saturating_add(bytes.into())
                });
                let count = |ways: Ways| ways.iter().count() as u64;
                report.freed_entries = report.freed_entries.saturating_add(count(past));
                report.ended_entries = report.ended_entries.saturating_add(count(over));
                Ok(Ways::NONE)
            }
            Err(WhyNot::Contended | WhyNot::Overtaken) => Ok(all),
            Err(why) => Err(why),
        }
    }

    /// Notes slots that hold something although their ways are free.
    fn audit_free(&mut self, host: &Host<'_>, set: u32, ways: Ways) -> Result<(), WhyNot> {
        for at in ways.iter() {
            if !held(host, set, at)?.is_empty() {
                self.note(set, Ways::one(at));
            }
        }
        Ok(())
    }
}
