//! What a worker does between requests, on its ticks.

use std::cell::Cell;
use std::rc::Rc;

use larder_core::exchange::What;
use larder_core::report::{Counter, EvictionCause};
use larder_core::tier::{GeometryNotice, Order, SweepPace, TickReport};
use larder_core::time::Timestamp;
use larder_manage::Outcome;

use super::{Pace, Worker};
use crate::desk;
use crate::host::{self, LogLevel};
use crate::shared_data::SharedData;

/// The tier is looked after on a tick that comes so long after the last: a little less than [`Pace::Rest`], since ticks
/// are not exact.
const MAINTENANCE_NANOS: u64 = 450_000_000;

/// A step of a sweep that somebody waits for is taken so long after the last: a little less than [`Pace::Work`].
const SWEEP_NANOS: u64 = 18_000_000;

/// A step of compression is taken so long after the last: a little less than [`Pace::Work`].
const COMPRESSION_NANOS: u64 = 18_000_000;

impl Worker {
    /// Compresses, keeps the lease, repairs and sweeps: a bounded step of each, and all but the first only where it is due.
    /// Last, because of what [`host::resume_request`] does to the calls behind it, some of those are
    /// let go that have waited too long.
    pub(crate) fn tick(self: &Rc<Self>) -> Pace {
        let Ok(now) = host::now() else {
            return Pace::Rest;
        };
        let mut pace = self.compress(now);
        self.warming.step(self, now);
        self.refreshing.step(self, now);
        if !self.warming.is_idle() {
            pace = Pace::Work;
        }
        if is_due(&self.maintained, MAINTENANCE_NANOS, now) {
            if let Ok(mut epochs) = self.epochs.try_borrow_mut() {
                epochs.doubt();
            }
            self.maintain(now);
            self.weed();
            self.metrics.note_start(now);
            self.show_hot();
            self.let_go(now);
        } else {
            self.sweep_on(now);
        }
        self.composing.step(self, now);
        let mut watch = self.watch_flights(now).max(self.fleet.step(self, now));
        if !self.composing.is_idle() {
            watch = watch.max(Pace::Watch);
        }
        match self.sweeping.get() {
            SweepPace::Rest => pace.max(watch),
            SweepPace::Work => Pace::Work,
        }
    }

    fn compress(&self, now: Timestamp) -> Pace {
        let (Ok(mut compressions), Ok(mut tier)) = (
            self.compressions.try_borrow_mut(),
            self.tier.try_borrow_mut(),
        ) else {
            return Pace::Rest;
        };
        if compressions.is_idle() {
            return Pace::Rest;
        }
        // Several configurations tick in turn, and the work is the worker's.
        if !is_due(&self.compressed, COMPRESSION_NANOS, now) {
            return Pace::Work;
        }
        let done = compressions.step((&mut tier, &SharedData), &*self.metrics, self, now);
        drop(tier);
        for key in &done.stored {
            self.hot.note_store(key);
            self.count(Counter::Compressed);
            if self.fleet.is_there() {
                self.fleet.share_again(self, key, now);
            }
        }
        self.metrics
            .add(Counter::CompressionInput, done.input_bytes);
        self.metrics
            .add(Counter::CompressionSaved, done.saved_bytes);
        self.metrics
            .add(Counter::CompressionWasted, done.wasted.into());
        match compressions.is_idle() {
            true => Pace::Rest,
            false => Pace::Work,
        }
    }

    fn maintain(&self, now: Timestamp) {
        let (Ok(mut tier), Ok(mut log)) =
            (self.tier.try_borrow_mut(), self.epochs.try_borrow_mut())
        else {
            return;
        };
        let mut order = Order {
            log: &mut log,
            hint: &*self.metrics,
        };
        let report = tier.tend((&SharedData, &*self.metrics), Some(&mut order), now);
        if let Ok(end) = host::now() {
            tier.note_round(end.as_nanos().saturating_sub(now.as_nanos()), end);
        }
        self.tell(report.geometry);
        self.take_in(report);
    }

    /// Lets go of what invalidations have ended in this worker's own memory, and says so.
    fn weed(&self) {
        if let Some(done) = self.hot.weed(self)
            && let Ok(mut tier) = self.tier.try_borrow_mut()
        {
            tier.note_applied(&SharedData, done);
        }
    }

    /// What the hot tier takes, which is not shown at each hit.
    fn show_hot(&self) {
        let bytes = self.hot.bytes();
        self.metrics
            .move_hot_bytes(self.hot_bytes.replace(bytes), bytes);
    }

    /// A step of the sweep between two times of maintenance, where somebody waits for it.
    fn sweep_on(&self, now: Timestamp) {
        if self.sweeping.get() == SweepPace::Rest || !is_due(&self.swept, SWEEP_NANOS, now) {
            return;
        }
        let (Ok(mut tier), Ok(mut log)) =
            (self.tier.try_borrow_mut(), self.epochs.try_borrow_mut())
        else {
            return;
        };
        let mut order = Order {
            log: &mut log,
            hint: &*self.metrics,
        };
        let report = tier.sweep_on((&SharedData, &*self.metrics), &mut order, now);
        self.take_in(report);
    }

    fn take_in(&self, report: TickReport) {
        self.sweeping.set(report.pace);
        if let Some(totals) = report.swept {
            self.metrics.show_entries(totals.entries);
        }
        for (cause, entries) in [
            (EvictionCause::Expired, report.freed_entries),
            (EvictionCause::Invalidated, report.ended_entries),
        ] {
            self.metrics.add(Counter::Evicted(cause), entries);
        }
        if report.trouble.is_some() {
            self.count(Counter::TickFailed);
        }
    }

    fn let_go(&self, now: Timestamp) {
        let Ok(overdue) = self
            .waiting
            .try_borrow_mut()
            .map(|mut waiting| waiting.overdue(now))
        else {
            return;
        };
        if !overdue.is_empty() && !self.told_of_waiting.replace(true) {
            host::log(
                LogLevel::Warn,
                "larder: a request was held for its body, and nothing came of it for 5 seconds. Where that is so with every \
                 request, `allow_on_headers_stop_iteration: true` is missing where Envoy loads this filter",
            );
        }
        for (stream, what) in overdue {
            self.tolerate(match what {
                What::Call => desk::answer_from_outside(stream, &Outcome::no_body()),
                What::Request => host::resume_request(stream),
            });
        }
    }

    /// Says once that `storage.slots` is not what is in force.
    fn tell(&self, notice: GeometryNotice) {
        match notice {
            GeometryNotice::Agreed => self.told.set(false),
            GeometryNotice::Ignored {
                configured,
                in_force,
            } if !self.told.replace(true) => {
                let (asked, held) = (configured.slots(), in_force.slots());
                let text = format!(
                    "larder: storage.slots is {asked}, but {held} are in use since this process started; restart to change it"
                );
                host::log(LogLevel::Warn, &text);
            }
            GeometryNotice::Ignored { .. } => {}
        }
    }
}

/// Whether so much time has passed since `last`, which is then now.
fn is_due(last: &Cell<Timestamp>, nanos: u64, now: Timestamp) -> bool {
    let since = now.as_nanos().abs_diff(last.get().as_nanos()); // a clock can be set back
    let is_due = since >= nanos;
    if is_due {
        last.set(now);
    }
    is_due
}
