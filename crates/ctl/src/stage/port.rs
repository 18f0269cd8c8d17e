//! What a worker has of others, where there is nobody else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use larder_core::config::PolicyId;
use larder_core::entry::Epoch;
use larder_core::epoch::{Currency, Epochs, Invalidation, Stamped};
use larder_core::exchange::{Background, Readiness};
use larder_core::key::{Attributes, Key, Unreadable};
use larder_core::report::{Counter, Gauge, Numbers, RuleCounter};
use larder_core::tier::{ChangeHint, EpochLog, MemoryKv, Unnoted};
use larder_core::time::Timestamp;
use larder_manage::{Progress, Warm, WarmOrder};

/// What has been invalidated.
#[derive(Debug)]
pub(super) struct Log {
    kv: Rc<MemoryKv>,
    epochs: RefCell<EpochLog>,
    hint: Hint,
}

#[derive(Debug, Default)]
pub(super) struct Hint(Cell<u64>);

impl ChangeHint for Hint {
    fn read(&self) -> Option<u64> {
        Some(self.0.get())
    }

    fn advance(&self) {
        self.0.set(self.0.get().wrapping_add(1));
    }
}

impl Log {
    pub(super) fn new(kv: Rc<MemoryKv>, records: u32) -> Rc<Self> {
        Rc::new(Self {
            kv,
            epochs: RefCell::new(EpochLog::new(0, records)),
            hint: Hint::default(),
        })
    }

    pub(super) fn epochs(&self) -> &RefCell<EpochLog> {
        &self.epochs
    }

    pub(super) fn hint(&self) -> &Hint {
        &self.hint
    }

    /// Memory takes all that is written.
    pub(super) fn apply(&self, invalidation: &Invalidation, now: Timestamp) {
        let _ = self.note(invalidation, now);
    }

    /// What the management API is told has a place in the order.
    pub(super) fn note(
        &self,
        invalidation: &Invalidation,
        now: Timestamp,
    ) -> Result<Epoch, Unnoted> {
        let mut epochs = self.epochs.borrow_mut();
        epochs.append(&*self.kv, &self.hint, invalidation, now)
    }
}

impl Epochs for Log {
    fn now(&self) -> Epoch {
        self.epochs.borrow_mut().now(&*self.kv, &self.hint)
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        self.epochs.borrow_mut().judge(&*self.kv, stored)
    }
}

/// Requests of the filter's own reach the origin.
#[derive(Debug)]
pub(super) struct Ways;

impl Background for Ways {
    fn readiness(&self, _key: &Key) -> Readiness {
        Readiness::Ready
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        Some(b"origin".to_vec())
    }
}

/// The proxy's word for where a response came from.
pub(super) struct Details(pub(super) &'static str);

impl Attributes for Details {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_told = path == ["response", "code_details"];
        Ok(is_told.then(|| self.0.as_bytes().to_vec()))
    }
}

/// No numbers, and nobody who fetches.
#[derive(Debug)]
pub(super) struct Nobody;

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
