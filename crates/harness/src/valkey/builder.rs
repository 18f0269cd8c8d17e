//! What a Valkey will be.

use std::fs;
use std::net::SocketAddr;

use crate::port::Port;
use crate::scratch::Scratch;
use crate::tools::Tool;

use super::cluster::LAST_SLOT;
use super::{Valkey, ValkeyError};

/// What a Valkey will be.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) role: Role,
    pub(super) persistent: bool,
    pub(super) password: Option<String>,
    pub(super) settings: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Role {
    #[default]
    Alone,
    /// With these slots.
    Cluster {
        first: u16,
        last: u16,
    },
    Sentinel {
        name: String,
        primary: SocketAddr,
    },
}

impl Builder {
    /// What it has acknowledged survives a restart, also after a kill.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Whoever connects needs this password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A cluster of one node that has all slots.
    #[must_use]
    pub fn cluster(self) -> Self {
        self.node(0, LAST_SLOT)
    }

    pub(super) fn node(mut self, first: u16, last: u16) -> Self {
        self.role = Role::Cluster { first, last };
        self
    }

    /// Follows `primary`.
    #[must_use]
    pub fn replica_of(self, primary: &Valkey) -> Self {
        let address = primary.address();
        self.setting("replicaof", &format!("{} {}", address.ip(), address.port()))
            // By default a primary waits 5 s for more of them to come, and keeps everybody waiting.
            .setting("repl-diskless-sync-delay", "0")
    }

    /// A Sentinel, alone in its opinion, of `primary` under this name; it takes half a second of silence for death.
    #[must_use]
    pub fn sentinel_of(mut self, primary: &Valkey, name: &str) -> Self {
        self.role = Role::Sentinel {
            name: name.to_owned(),
            primary: primary.address(),
        };
        self
    }

    /// One more line of its configuration.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// [`ValkeyError`].
    pub async fn start(self) -> Result<Valkey, ValkeyError> {
        let mut valkey = self.prepare()?;
        valkey.start_again().await?;
        Ok(valkey)
    }

    /// What it will be, and where; started by [`Valkey::start_again`].
    ///
    /// # Errors
    /// When there is no port, no directory, or nothing to start.
    pub fn prepare(self) -> Result<Valkey, ValkeyError> {
        let valkey = Valkey {
            process: None,
            binary: Tool::Valkey.find()?,
            port: Port::reserve()?,
            bus: Port::reserve()?,
            directory: Scratch::new("valkey")?,
            plan: self,
        };
        // A file, since a Sentinel writes into its own.
        fs::write(valkey.configuration(), valkey.lines())?;
        Ok(valkey)
    }
}
