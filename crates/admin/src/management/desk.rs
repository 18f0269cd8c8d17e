//! The desk of the management API, as it stands in the filter, over memory in which nothing is stored.
//!
//! Calls are read, decided and answered by the code that does so in the filter; what comes of it for the fleet, invalidations
//! and changes of the configuration, is handed back to be put into the store. So nothing that the desk notes in its own
//! memory has to last: it has one for each call.

use std::cell::RefCell;
use std::rc::Rc;

use larder_core::config::{Config, PolicyId};
use larder_core::entry::Epoch;
use larder_core::epoch::{Currency, Epochs, Invalidation, Stamped};
use larder_core::exchange::{Call, CaptureBudget, HotTier, Surpluses, Surroundings};
use larder_core::report::{Counter, Gauge, Numbers, RuleCounter};
use larder_core::tier::{
    Cas, ChangeHint, EpochLog, Geometry, MemoryGauge, MemoryKv, SharedTier, Stored, Unnoted, WhyNot,
};
use larder_core::time::Timestamp;
use larder_core::wire::{Label, Said as Record};
use larder_manage::{Change, Desk, Fleet, Named, Progress, Settings, Warm, WarmOrder, answer};
use larder_observe::{Board, Observer};
use serde_json::{Map, Value};

use super::front::{Head, now};
use super::said::Said;

/// A call that is complete.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub content: Vec<u8>,
    /// What instances are configured with.
    pub base: Value,
    /// What the fleet changes of it.
    pub patch: String,
    /// What opens the management API.
    pub token: String,
}

/// What comes of a call.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// What is said, once the rest of this is done.
    pub said: Said,
    /// What is over.
    pub records: Vec<Record>,
    /// What changes of the configuration.
    pub change: Option<Changed>,
}

/// A change of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// By this patch.
    Patch(Map<String, Value>),
    /// All of the fleet's change is taken back.
    Reset,
}

/// Does what a call asks for, as far as that can be done here.
pub(super) fn done(errand: &Errand) -> Done {
    let refused = |message: &str| Done {
        said: Said::failed(500, "internal", message),
        records: Vec::new(),
        change: None,
    };
    let Some(head) = errand.head.parsed() else {
        return refused("the request is none");
    };
    let text = managed(errand.base.clone()).to_string();
    let settings = Settings::new(text.as_bytes());
    let amendment = settings.patched(errand.patch.as_bytes());
    let amendment = amendment.unwrap_or_default();
    let Ok(mut config) = Config::parse(&settings.in_force(&amendment)) else {
        return refused("the configuration of the instances cannot be read by this version");
    };
    if config.unlock(|_| Some(errand.token.clone())).is_err() {
        return refused("there is no token");
    }
    let kv = MemoryKv::new();
    if !amendment.is_empty()
        && settings
            .amendments
            .write(&kv, &amendment, Cas::NEVER)
            .is_err()
    {
        return refused("there is no memory");
    }
    let call = Call {
        head,
        content: errand.content.clone(),
    };
    at(config, (&settings, &kv), &call)
}

fn at(config: Config, (settings, kv): (&Settings, &MemoryKv), call: &Call) -> Done {
    let now = now();
    let config = Rc::new(config);
    let around = surroundings(&config);
    let told = Told::default();
    let tier = SharedTier::new(
        Geometry::clamped(config.storage.slots),
        config.storage.max_bytes,
        0,
    );
    let desk = Desk {
        apart: &|_| Err(Unnoted), // there is a fleet
        around: &around,
        board: &Board::new(0),
        count: &|_| {},
        epochs: &RefCell::new(EpochLog::new(0, config.storage.log_records)),
        fleet: Some(&told),
        gauge: &MemoryGauge::default(),
        hint: &Nobody,
        kv,
        now,
        numbers: &Nobody,
        observer: &Observer::of(&config),
        settings,
        store: &|_| Stored::Skipped(WhyNot::Busy),
        tier: &RefCell::new(tier),
        warm: &Nobody,
    };
    let outcome = answer(call, &desk, now);
    Done {
        said: Said::of(&outcome),
        records: told.records.take(),
        change: told.change.take(),
    }
}

/// With a management API at its usual place, whatever the instances have.
pub(super) fn managed(mut base: Value) -> Value {
    if let Some(fields) = base.as_object_mut() {
        fields.insert("management".to_owned(), Value::Object(Map::new()));
    }
    base
}

fn surroundings(config: &Rc<Config>) -> Rc<Surroundings> {
    Surroundings::managed(
        Rc::clone(config),
        CaptureBudget::new(config.limits.capture_bytes),
        Rc::new(Nobody),
        Surpluses::new(),
        HotTier::new(0, 0),
        None,
    )
}

/// What the fleet has to be told.
#[derive(Debug, Default)]
struct Told {
    records: RefCell<Vec<Record>>,
    change: RefCell<Option<Changed>>,
}

impl Fleet for Told {
    fn invalidate(&self, invalidation: &Invalidation, named: &Named) -> Result<Epoch, Unnoted> {
        let label = Label::new(named.kind.word(), &named.value);
        self.records.borrow_mut().push(Record {
            seq: None,
            invalidation: invalidation.clone(),
            label: Some(label),
        });
        Ok(Epoch::UNKNOWN) // its place is known when the log has it
    }

    fn configured(&self, change: Change<'_>) {
        let changed = match change {
            Change::Reset => Some(Changed::Reset),
            Change::Patch(text) => serde_json::from_str(text).ok().map(Changed::Patch),
        };
        self.change.replace(changed);
    }
}

/// No workers, no numbers, no entries.
#[derive(Debug)]
struct Nobody;

impl ChangeHint for Nobody {
    fn read(&self) -> Option<u64> {
        None
    }

    fn advance(&self) {}
}

impl Epochs for Nobody {
    fn now(&self) -> Epoch {
        Epoch::UNKNOWN
    }

    fn judge(&self, _stored: Stamped<'_>) -> Currency {
        Currency::Gone
    }
}

impl Numbers for Nobody {
    fn counter(&self, _counter: Counter) -> u64 {
        0
    }

    fn of_rule(&self, _rule: PolicyId, _counter: RuleCounter) -> u64 {
        0
    }

    fn gauge(&self, _gauge: Gauge) -> u64 {
        0
    }
}

impl Warm for Nobody {
    fn begin(&self, _order: WarmOrder, _now: Timestamp) -> Option<Progress> {
        None
    }
}
