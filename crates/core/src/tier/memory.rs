//! The host's shared data in a process's own memory: for tests, and for tools that run the cache without a proxy.
//!
//! It follows proxy-wasm-cpp-host `src/shared_data.cc` to the letter: one version counter over all cells that starts
//! at 1 and skips 0, a missing cell is created whatever version is expected, an emptied cell stays, a wipe does not
//! reset the counter.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kv::{ByteGauge, Cas, Cell, KvError, SetError, SharedKv};

/// Shared cells in memory.
#[derive(Debug, Default)]
pub struct MemoryKv {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cells: BTreeMap<String, Cell>,
    last: u32,
}

impl MemoryKv {
    /// No cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of all cells ever set, in order.
    pub fn names(&self) -> Vec<String> {
        self.state().cells.keys().cloned().collect()
    }

    /// Forgets every cell, as the host does when the last VM of a `vm_id` goes.
    pub fn wipe(&self) {
        self.state().cells.clear();
    }

    /// Forgets one cell, which no host does: for plays about damage.
    #[cfg(test)]
    pub(super) fn forget(&self, name: &str) {
        self.state().cells.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedKv for MemoryKv {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        Ok(self.state().cells.get(name).cloned())
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        let mut state = self.state();
        let next = state.last.checked_add(1).unwrap_or(1);
        match state.cells.get_mut(name) {
            Some(cell) if expected != Cas::UNCONDITIONAL && expected != cell.cas => {
                return Err(SetError::Lost);
            }
            Some(cell) => {
                cell.value = value.to_vec();
                cell.cas = Cas::from_raw(next);
            }
            None => {
                let cell = Cell {
                    value: value.to_vec(),
                    cas: Cas::from_raw(next),
                };
                state.cells.insert(name.to_owned(), cell);
            }
        }
        state.last = next;
        Ok(())
    }
}

/// A process-wide gauge in memory; it wraps like the host's.
#[derive(Debug, Default)]
pub struct MemoryGauge(AtomicU64);

impl MemoryGauge {
    /// At zero.
    pub fn new() -> Self {
        Self::default()
    }
}

impl ByteGauge for MemoryGauge {
    fn read(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn add(&self, delta: i64) {
        self.0.fetch_add(delta as u64, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_cell_is_created_whatever_is_expected() {
        let kv = MemoryKv::new();
        assert_eq!(kv.get("a"), Ok(None));
        assert_eq!(kv.set("a", b"1", Cas::NEVER), Ok(()));
        assert_eq!(kv.set("b", b"1", Cas::from_raw(77)), Ok(()));
        let versions = ["a", "b"].map(|name| kv.get(name).unwrap().unwrap().cas.raw());
        assert_eq!(versions, [1, 2], "one counter for all cells, from 1");
    }

    #[test]
    fn a_present_cell_must_be_in_the_expected_version() {
        let kv = MemoryKv::new();
        kv.set("a", b"1", Cas::NEVER).unwrap();
        let first = kv.get("a").unwrap().unwrap().cas;
        assert_eq!(kv.set("a", b"2", Cas::NEVER), Err(SetError::Lost));
        assert_eq!(kv.set("a", b"2", first), Ok(()));
        assert_eq!(kv.set("a", b"3", first), Err(SetError::Lost));
        assert_eq!(kv.set("a", b"4", Cas::UNCONDITIONAL), Ok(()));
        assert_eq!(kv.get("a").unwrap().unwrap().value, b"4");
    }

    #[test]
    fn an_emptied_cell_stays_and_a_wiped_one_does_not() {
        let kv = MemoryKv::new();
        kv.set("a", b"1", Cas::NEVER).unwrap();
        kv.set("a", b"", Cas::UNCONDITIONAL).unwrap();
        assert_eq!(kv.get("a").unwrap().map(|cell| cell.value), Some(vec![]));
        kv.wipe();
        assert_eq!(kv.get("a"), Ok(None));
        kv.set("a", b"1", Cas::NEVER).unwrap();
        assert_eq!(kv.get("a").unwrap().unwrap().cas.raw(), 3);
    }

    #[test]
    fn a_gauge_wraps_below_zero() {
        let gauge = MemoryGauge::new();
        gauge.add(5);
        gauge.add(-6);
        assert_eq!(gauge.read(), u64::MAX);
    }
}
