//! Why a Valkey did not come up.

use std::error::Error;
use std::process::ExitStatus;
use std::{fmt, io};

use crate::tools::MissingTool;

/// Valkey did not come up.
pub enum ValkeyError {
    /// It ended by itself.
    Ended {
        /// How.
        status: ExitStatus,
        /// Its whole log.
        log: String,
    },
    /// Files, ports or processes could not be had.
    Io(io::Error),
    /// There is nothing to start.
    Missing(MissingTool),
    /// It runs but never became ready.
    NotReady {
        /// Its whole log.
        log: String,
    },
}

impl From<io::Error> for ValkeyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MissingTool> for ValkeyError {
    fn from(error: MissingTool) -> Self {
        Self::Missing(error)
    }
}

impl fmt::Display for ValkeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { status, log } => {
                write!(f, "Valkey ended at start ({status}); its log:\n{log}")
            }
            Self::Io(error) => write!(f, "cannot start Valkey: {error}"),
            Self::Missing(error) => error.fmt(f),
            Self::NotReady { log } => write!(f, "Valkey is not ready in time; its log:\n{log}"),
        }
    }
}

/// As readable as for users, because tests unwrap it.
impl fmt::Debug for ValkeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ValkeyError {}
