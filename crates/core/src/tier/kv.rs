//! The two ports of the shared tier: cells that every worker sees, and one number that every worker can move.
//!
//! They are narrow because the host is: proxy-wasm offers get and compare-and-set over byte strings, no delete, no
//! list, no "set only if it exists". What the protocol relies on is written at the methods, with a pointer into the
//! host's source, and [`MemoryKv`](super::MemoryKv) behaves the same.

use std::fmt;

/// A version of a cell, handed out by the host at each write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cas(u32);

impl Cas {
    /// A version that no cell is ever found in, so a write that expects it succeeds only where there is no cell.
    ///
    /// The host counts from 1, over all cells of the process (proxy-wasm-cpp-host `src/shared_data.h`, `nextCas`), and
    /// would have to be written to four thousand million times to come here.
    pub const NEVER: Cas = Cas(u32::MAX);

    /// Writes whatever the cell's version is. Only a way's claimant uses it, and only on that way's slot.
    pub const UNCONDITIONAL: Cas = Cas(0);

    /// From the host's number.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The host's number.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// A cell as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The bytes; none at all in a cell that was emptied.
    pub value: Vec<u8>,
    /// The version to expect in a write that builds on this value.
    pub cas: Cas,
}

/// The host did not answer a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvError;

/// Why a cell was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetError {
    /// The host refused.
    Failed,
    /// The cell exists in another version than expected.
    Lost,
}

/// Cells shared by all workers of a process, which can all be lost at any moment.
///
/// The host wipes them when the last VM of a `vm_id` goes (proxy-wasm-cpp-host `src/vm_id_handle.cc`), and since on
/// Istio every module lives under the same `vm_id`, anything may write anything into them.
pub trait SharedKv: fmt::Debug {
    /// Reads a cell: `None` if it was never set, an empty value if it was emptied.
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError>;

    /// Writes a cell.
    ///
    /// A cell that does not exist is created whatever `expected` says; one that exists must be in that version, unless
    /// it is [`Cas::UNCONDITIONAL`] (proxy-wasm-cpp-host `src/shared_data.cc`, `SharedData::set`). The new version is
    /// not told: who needs it reads again.
    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError>;
}

/// A number that all workers of a process can read and move, and that nothing keeps in step with the cells.
///
/// A gauge is the cheapest cell across workers (no lock, no allocation), but it outlives a wipe of the cells, is not
/// part of any compare-and-set, and wraps below zero. So it is a hint: read with suspicion, corrected by the sweep.
pub trait ByteGauge: fmt::Debug {
    /// The number as the host holds it; anything, where the host fails.
    fn read(&self) -> u64;

    /// Moves the number; wraps in either direction.
    fn add(&self, delta: i64);
}
