//! What all streams of one worker share: the tier, the statistics, the budget of bytes in capture.
//!
//! A VM may run several plugin configurations (one per listener, say); they share this, because the memory they are
//! bounded by is the worker's. It outlives a change of configuration.

mod flights;
mod glance;
mod management;
mod seat;
mod upkeep;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::entry::Epoch;
use larder_core::epoch::{Coverage, Currency, Epochs, Invalidation, Stamped};
use larder_core::exchange::{
    Candidate, CaptureBudget, Compress, Compressions, Histogram, HotTier, Reception, Surpluses,
    Surroundings, WaitingRoom,
};
use larder_core::key::Key;
use larder_core::report::{Counter, EvictionCause, FleetOp, FleetResult};
use larder_core::tier::{
    self, AbsentReason, EpochLog, Geometry, LocalOrder, Lookup, Receipt, SharedTier, Stored,
    SweepPace, WhyNot,
};
use larder_core::time::Timestamp;
use larder_core::wire::WriteToken;
use larder_manage::Desks;

use crate::compose::Composing;
use crate::fleet::{Liaison, Member};
use crate::host::HostError;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::refresh::{Refreshing, Ways};
use crate::shared_data::SharedData;
use crate::warm::Warming;
use flights::{Airspace, Crew};
use glance::Glance;

pub(crate) use seat::Seat;

thread_local! {
    // A VM has one thread, so this is the VM's.
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

/// How soon a worker wants its next tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pace {
    /// Some time.
    #[default]
    Rest,
    /// Somebody waits, and must not wait too long.
    Watch,
    /// Soon: something waits to be compressed, or somebody for the sweep.
    Work,
}

impl Pace {
    /// From one tick to the next. At work, a step of one or two milliseconds in twenty leaves the worker to its requests.
    pub(crate) fn milliseconds(self) -> u32 {
        match self {
            Self::Rest => 500,
            Self::Watch => 100,
            Self::Work => 20,
        }
    }
}

/// What all streams of one worker share.
pub(crate) struct Worker {
    tier: RefCell<SharedTier>,
    epochs: RefCell<EpochLog>,
    budget: Rc<CaptureBudget>,
    compressions: RefCell<Compressions>,
    /// When the tier was last looked after.
    maintained: Cell<Timestamp>,
    /// When the last step of the sweep was taken between two such times.
    swept: Cell<Timestamp>,
    /// How soon the sweep wants to go on.
    sweeping: Cell<SweepPace>,
    /// When the last step of compression was taken.
    compressed: Cell<Timestamp>,
    surpluses: Rc<Surpluses>,
    hot: Rc<HotTier>,
    /// The bytes of the hot tier that the process's gauge knows of.
    hot_bytes: Cell<usize>,
    metrics: Rc<Metrics>,
    /// What is fetched before clients ask.
    pub(crate) warming: Warming,
    /// The fragments of pages.
    pub(crate) composing: Composing,
    /// What is made fresh behind clients' backs.
    pub(crate) refreshing: Refreshing,
    waiting: RefCell<WaitingRoom>,
    /// The other processes of the same cache.
    pub(crate) fleet: Liaison,
    /// Who asks the origin for whom.
    pub(crate) flights: Airspace,
    /// Whether the log already says that held requests got no body.
    told_of_waiting: Cell<bool>,
    /// Whether the log already says that the configured slots are not those in force.
    told: Cell<bool>,
    glance: Cell<Glance>,
}

impl Worker {
    /// The worker of this VM, with the bounds of this configuration.
    pub(crate) fn of_this_vm(config: &Config) -> Rc<Self> {
        let worker =
            WORKER.with(|worker| Rc::clone(worker.get_or_init(|| Rc::new(Self::new(config)))));
        worker.budget.set_limit(config.limits.capture_bytes);
        worker.hot.set_limit(config.storage.hot_bytes);
        if let Ok(mut tier) = worker.tier.try_borrow_mut() {
            tier.configure(
                Geometry::clamped(config.storage.slots),
                config.storage.max_bytes,
            );
            worker.told.set(false);
        }
        if let Ok(mut epochs) = worker.epochs.try_borrow_mut() {
            epochs.configure(config.storage.log_records);
        }
        worker.told_of_waiting.set(false);
        worker
    }

    fn new(config: &Config) -> Self {
        let tier = SharedTier::new(
            Geometry::clamped(config.storage.slots),
            config.storage.max_bytes,
            random(),
        );
        let budget = CaptureBudget::new(config.limits.capture_bytes);
        Self {
            tier: RefCell::new(tier),
            epochs: RefCell::new(EpochLog::new(random(), config.storage.log_records)),
            compressions: RefCell::new(Compressions::new(Rc::clone(&budget))),
            maintained: Cell::new(Timestamp::from_nanos(0)),
            swept: Cell::new(Timestamp::from_nanos(0)),
            sweeping: Cell::new(SweepPace::Rest),
            compressed: Cell::new(Timestamp::from_nanos(0)),
            budget,
            surpluses: Surpluses::new(),
            hot: HotTier::new(config.storage.hot_bytes, random()),
            hot_bytes: Cell::new(0),
            metrics: Rc::new(Metrics::define()),
            warming: Warming::default(),
            composing: Composing::default(),
            refreshing: Refreshing::default(),
            waiting: RefCell::default(),
            fleet: Liaison::default(),
            flights: Airspace::new(random() as u32),
            told_of_waiting: Cell::new(false),
            told: Cell::new(false),
            glance: Cell::default(),
        }
    }

    /// What the exchanges of this worker share under a configuration.
    pub(crate) fn surroundings(self: &Rc<Self>, config: Rc<Config>) -> Rc<Surroundings> {
        let reception = Desks::of(&config);
        let (wait, background) = (config.coalescing.wait, config.background.clone());
        let fleet = config.admin.as_ref().map(|admin| Member::of(self, admin));
        let surroundings = Surroundings::managed(
            config,
            Rc::clone(&self.budget),
            Rc::clone(self) as Rc<dyn Epochs>,
            Rc::clone(&self.surpluses),
            Rc::clone(&self.hot),
            reception.map(|reception| Rc::new(reception) as Rc<dyn Reception>),
        );
        surroundings.coalesce(Crew::of(self, wait));
        surroundings.refresh_through(Ways::of(self, background));
        if let Some(fleet) = fleet {
            surroundings.join(fleet);
        }
        surroundings
    }

    /// The worker of this VM, where it has begun.
    pub(crate) fn here() -> Option<Rc<Self>> {
        WORKER.with(|worker| worker.get().map(Rc::clone))
    }

    /// The numbers of that configuration.
    pub(crate) fn ledger(&self, config: &Config, around: &Rc<Surroundings>) -> Rc<Ledger> {
        Ledger::open(Rc::clone(&self.metrics), config, around, random() as u64)
    }

    /// The VM ends, and its memory with it.
    pub(crate) fn farewell() {
        WORKER.with(|worker| {
            if let Some(worker) = worker.get() {
                worker
                    .metrics
                    .move_hot_bytes(worker.hot_bytes.replace(0), 0);
            }
        });
    }

    /// Looks an entry up; whatever goes wrong is a miss and a number.
    pub(crate) fn lookup(&self, key: &Key, now: Timestamp) -> Lookup {
        let Ok(mut tier) = self.tier.try_borrow_mut() else {
            return Lookup::Absent(AbsentReason::Failed);
        };
        let found = tier.lookup(&SharedData, key, now);
        if let Lookup::Absent(reason) = &found
            && let Some(counter) = reason.counter()
        {
            self.count(counter);
        }
        found
    }

    /// Stores an entry, if it can be.
    pub(crate) fn store(&self, candidate: &Candidate, now: Timestamp) -> Stored {
        let Ok(mut tier) = self.tier.try_borrow_mut() else {
            return Stored::Skipped(WhyNot::Busy); // no borrow outlives a call
        };
        let entry = tier::Candidate {
            key: &candidate.key,
            started: candidate.started,
            expires: candidate.expires,
            payload: &candidate.payload,
            currency: &|| candidate.judge(self),
        };
        // Whatever becomes of it: what stood there may be gone.
        self.hot.note_store(&candidate.key);
        let stored = tier.store(&SharedData, &*self.metrics, entry, now);
        match stored {
            Stored::Published => self.count(Counter::Stored),
            Stored::Skipped(why) => self.count(Counter::NotStored(why.reason())),
        }
        let evicted = Counter::Evicted(EvictionCause::Room);
        self.metrics.add(evicted, tier.take_evictions().into());
        stored
    }

    /// Notes what should be compressed when there is time.
    pub(crate) fn note(&self, wish: Compress) {
        if let Ok(mut compressions) = self.compressions.try_borrow_mut() {
            compressions.note(wish);
        }
    }

    /// Makes entries invalid, for all workers and the whole fleet; gives what stands for it there.
    pub(crate) fn invalidate(
        &self,
        invalidation: &Invalidation,
        now: Timestamp,
    ) -> Option<WriteToken> {
        let noted = match self.fleet.is_there() {
            true => {
                let noted = self.fleet.enter(self, invalidation, None, now);
                noted.map(|noted| noted.token)
            }
            false => {
                let noted = self.fleet.enter_apart(self, invalidation, now);
                noted.map(|_| None)
            }
        };
        noted.unwrap_or_else(|_| {
            self.count(Counter::InvalidationFailed);
            None
        })
    }

    /// The order of invalidations, as the journal of the fleet needs it.
    pub(crate) fn order(&self, now: Timestamp) -> LocalOrder<'_> {
        LocalOrder {
            kv: &SharedData,
            hint: &*self.metrics,
            epochs: &self.epochs,
            now,
        }
    }

    /// The URLs that are answered most from this worker's own memory, and how often.
    pub(crate) fn hottest(&self, most: usize) -> Vec<(Rc<Key>, u32)> {
        self.hot.hottest(most)
    }

    /// Up to where everything that was invalidated is gone from memory.
    pub(crate) fn erased(&self, now: Timestamp) -> Option<Epoch> {
        let at = (Epochs::now(self), now);
        self.tier.try_borrow().ok()?.erased(&SharedData, at)
    }

    /// What this covers is to be gone from memory soon: the sweep hurries while somebody waits for what it counts.
    pub(crate) fn sweep_soon(&self, coverage: &Coverage) {
        let epoch = Epochs::now(self);
        let _ = Receipt::open(&SharedData, epoch, coverage); // else it is gone with the next round
    }

    /// Adds so many to a number.
    pub(crate) fn add(&self, counter: Counter, by: u64) {
        self.metrics.add(counter, by);
    }

    /// The fleet's service was asked for this, and said that.
    pub(crate) fn count_fleet(&self, op: FleetOp, result: FleetResult) {
        self.count(Counter::Fleet(op, result));
    }

    /// Adds one to a number.
    pub(crate) fn count(&self, counter: Counter) {
        self.metrics.count(counter);
    }

    /// Something took so many microseconds.
    pub(crate) fn measure(&self, histogram: Histogram, micros: u64) {
        self.metrics.measure(histogram, micros);
    }

    /// A host call that may fail without harm to the request.
    pub(crate) fn tolerate(&self, outcome: Result<(), HostError>) {
        if outcome.is_err() {
            self.count(Counter::HostFailed);
        }
    }
}

impl Epochs for Worker {
    fn now(&self) -> Epoch {
        match self.epochs.try_borrow_mut() {
            Ok(mut epochs) => epochs.now(&SharedData, self),
            Err(_) => Epoch::UNKNOWN,
        }
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        match self.epochs.try_borrow_mut() {
            Ok(mut epochs) => epochs.judge(&SharedData, stored),
            Err(_) => Currency::Gone,
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// Unpredictable bits from the host (`random_get`), through the one door the standard library has to them.
pub(crate) fn random() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(()));
    (half() << 64) | half()
}
