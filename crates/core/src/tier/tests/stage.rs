//! The cells and the gauge that the workers of a play share, and a watch on them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::{Cas, MemoryGauge, MemoryKv, SetError, SharedKv};
use super::act::{Act, Trouble};
use super::chronicle::Chronicle;

/// What is shared, watched.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) kv: MemoryKv,
    pub(super) gauge: MemoryGauge,
    chronicle: Mutex<Chronicle>,
}

impl Stage {
    pub(super) fn new(trouble: Trouble) -> Self {
        Self {
            chronicle: Mutex::new(Chronicle::new(trouble)),
            ..Self::default()
        }
    }

    pub(super) fn chronicle(&self) -> MutexGuard<'_, Chronicle> {
        self.chronicle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is made.
    pub(super) fn tick(&self) {
        self.chronicle().tick();
    }

    /// A worker writes a cell.
    pub(super) fn set(
        &self,
        name: &str,
        value: &[u8],
        expected: Cas,
        act: &mut Act,
    ) -> Result<(), SetError> {
        let before = self.kv.get(name).unwrap();
        self.kv.set(name, value, expected)?;
        let before = before.map(|cell| cell.value);
        self.chronicle()
            .written(&self.kv, name, before.as_deref(), value, act);
        Ok(())
    }

    /// Loses all cells.
    pub(super) fn wipe(&self) {
        self.kv.wipe();
        self.chronicle().wiped();
    }

    /// Something else than a worker changes a cell, or loses it.
    pub(super) fn damage(&self, name: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.kv.set(name, value, Cas::UNCONDITIONAL).unwrap(),
            None => self.kv.forget(name),
        }
        self.chronicle().damaged(&self.kv, name);
    }
}
