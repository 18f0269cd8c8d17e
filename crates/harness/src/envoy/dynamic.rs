//! Changing listeners while Envoy runs, by a file it watches.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Envoy, Listener, Mode, StartError};
use crate::wait;

/// What Envoy made of a pushed configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It serves from now on. New connections may still meet the old one for a moment, and kept
    /// connections meet it until they are drained (about a second): so wait for the new behaviour
    /// on connections opened afterwards.
    Accepted,
    /// The old one goes on.
    Rejected,
}

/// The watched file.
#[derive(Debug)]
pub(super) struct Pushes {
    directory: PathBuf,
}

impl Pushes {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.join("listeners.json")
    }

    /// Replaces the file in one step: Envoy watches for moves into the directory.
    pub(super) fn write(&self, listeners: &[Listener]) -> io::Result<()> {
        let resource = |listener: &Listener| {
            let mut resource = listener.render();
            resource["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
            resource
        };
        let resources: Vec<Value> = listeners.iter().map(resource).collect();
        let response = json!({"resources": resources});
        let fresh = self.directory.join("listeners.json.new");
        fs::write(&fresh, response.to_string())?;
        fs::rename(fresh, self.file())
    }
}

impl Envoy {
    /// Pushes `listeners` in place of all present ones and waits for Envoy's verdict.
    ///
    /// # Errors
    /// When the file cannot be written, or Envoy is gone or gives no verdict.
    ///
    /// # Panics
    /// When this Envoy was not built as dynamic.
    pub async fn update(&mut self, listeners: &[Listener]) -> Result<Update, StartError> {
        assert_eq!(self.mode, Mode::Dynamic, "its listeners are static");
        let before = (self.accepted_updates().await?, self.rejected().await?);
        self.pushes.write(listeners)?;
        let verdict = wait::poll(wait::PATIENCE, async || {
            if self.rejected().await.ok()? > before.1 {
                return Some(Update::Rejected);
            }
            (self.accepted_updates().await.ok()? > before.0).then_some(Update::Accepted)
        });
        let Some(verdict) = verdict.await else {
            return Err(StartError::NotReady {
                log: self.read_log(),
            });
        };
        self.read_addresses().await?;
        Ok(verdict)
    }

    /// How many pushed configurations, the first one included, Envoy has refused or could not parse.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn rejected(&self) -> Result<u64, StartError> {
        let refused = self.stat("listener_manager.lds.update_rejected").await?;
        let unparsed = self.stat("listener_manager.lds.update_failure").await?;
        Ok(refused + unparsed)
    }

    async fn accepted_updates(&self) -> Result<u64, StartError> {
        Ok(self.stat("listener_manager.lds.update_success").await?)
    }
}
