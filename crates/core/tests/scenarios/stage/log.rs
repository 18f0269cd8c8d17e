//! The invalidations of a stage, which the workers of a process share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use larder_core::entry::Epoch;
use larder_core::epoch::{Coverage, Currency, Epochs, Invalidation, Mode, Scope, Stamped};
use larder_core::tier::{ChangeHint, EpochLog, MemoryKv};

use super::Stage;

/// The invalidations of a stage.
#[derive(Debug)]
pub struct Log {
    pub(super) kv: Rc<MemoryKv>,
    log: RefCell<EpochLog>,
    pub(super) hint: Rc<Hint>,
}

#[derive(Debug, Default)]
pub(super) struct Hint(Cell<u64>);

impl ChangeHint for Hint {
    fn read(&self) -> Option<u64> {
        Some(self.0.get())
    }

    fn advance(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Log {
    pub fn new(kv: Rc<MemoryKv>) -> Rc<Self> {
        Self::of(kv, Rc::default(), 0)
    }

    pub(super) fn of(kv: Rc<MemoryKv>, hint: Rc<Hint>, worker: u128) -> Rc<Self> {
        Rc::new(Self {
            kv,
            log: RefCell::new(EpochLog::new(11 + worker, 4096)),
            hint,
        })
    }
}

impl Epochs for Log {
    fn now(&self) -> Epoch {
        self.log.borrow_mut().now(&*self.kv, &*self.hint)
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        self.log.borrow_mut().judge(&*self.kv, stored)
    }
}

impl Stage {
    /// An invalidation from outside.
    pub fn invalidate(&self, scopes: &[Scope<'_>], mode: Mode) {
        let stamps = scopes.iter().map(|scope| scope.stamp()).collect();
        self.apply(&Invalidation {
            coverage: Coverage::Stamps(stamps),
            mode,
        });
    }

    /// This is invalidated here.
    pub fn apply(&self, invalidation: &Invalidation) {
        let Log { kv, log, hint } = &*self.log;
        let appended = log
            .borrow_mut()
            .append(&**kv, &**hint, invalidation, self.now);
        appended.unwrap();
    }
}
