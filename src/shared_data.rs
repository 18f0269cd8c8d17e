//! Shared data and the byte gauge as the core's tier wants them.

use larder_core::tier::{Cas, Cell, KvError, SetError, SharedKv};

use crate::host::{self, HostError};

/// The proxy's shared data, scoped by the VM's id: one map under one mutex for all workers of the process.
#[derive(Debug)]
pub(crate) struct SharedData;

impl SharedKv for SharedData {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        match host::shared_data(name) {
            Ok((value, cas)) => Ok(Some(Cell {
                value,
                cas: Cas::from_raw(cas),
            })),
            Err(HostError::NOT_FOUND) => Ok(None),
            Err(_) => Err(KvError),
        }
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        match host::set_shared_data(name, value, expected.raw()) {
            Ok(()) => Ok(()),
            Err(HostError::CAS_MISMATCH) => Err(SetError::Lost),
            Err(_) => Err(SetError::Failed),
        }
    }
}
