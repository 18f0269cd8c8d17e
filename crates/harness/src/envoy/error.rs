//! Why there is no Envoy.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitStatus;

use crate::client::ClientError;
use crate::tools::MissingTool;

/// Envoy did not come up.
pub enum StartError {
    /// The admin interface broke off.
    Admin(ClientError),
    /// Envoy ended by itself: it refused the configuration, or crashed.
    Ended {
        /// How.
        status: ExitStatus,
        /// Its whole log.
        log: String,
    },
    /// Files or processes could not be made.
    Io(io::Error),
    /// There is no Envoy to start.
    Missing(MissingTool),
    /// It runs but never became ready.
    NotReady {
        /// Its whole log.
        log: String,
    },
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ClientError> for StartError {
    fn from(error: ClientError) -> Self {
        Self::Admin(error)
    }
}

impl From<MissingTool> for StartError {
    fn from(error: MissingTool) -> Self {
        Self::Missing(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin(error) => write!(f, "Envoy's admin interface does not answer: {error}"),
            Self::Ended { status, log } => {
                write!(f, "Envoy ended at start ({status}); its log:\n{log}")
            }
            Self::Io(error) => write!(f, "cannot start Envoy: {error}"),
            Self::Missing(error) => error.fmt(f),
            Self::NotReady { log } => write!(f, "Envoy is not ready in time; log:\n{log}"),
        }
    }
}

/// As readable as for users, because tests unwrap it.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for StartError {}
