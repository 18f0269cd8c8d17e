//! What one replica has heard of instances lately: enough not to say the same to the store again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_core::fleet::{Cursor, InstanceId};
use tokio::time::Instant;

use crate::store::MAX_INSTANCES;

/// After so long a configuration is looked for in the store again.
const TRUST: Duration = Duration::from_secs(60);
/// Configurations that are kept in mind.
const MAX_CONFIGURATIONS: usize = 1024;

/// What one replica has heard of instances lately.
#[derive(Debug, Default)]
pub struct Roster(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    applied: HashMap<InstanceId, Cursor>,
    configurations: HashMap<String, Instant>,
}

impl Roster {
    /// Whether an instance has come further than this replica knew; from here on it knows.
    pub fn advances(&self, id: InstanceId, applied: Cursor) -> bool {
        let mut heard = self.heard();
        let is_known = heard.applied.get(&id) == Some(&applied);
        if !is_known {
            if heard.applied.len() >= MAX_INSTANCES {
                heard.applied.clear();
            }
            heard.applied.insert(id, applied);
        }
        !is_known
    }

    /// Whether a configuration with this hash was seen in the store lately.
    pub fn has(&self, hash: &str) -> bool {
        let seen = self.heard().configurations.get(hash).copied();
        seen.is_some_and(|seen| seen.elapsed() < TRUST)
    }

    /// A configuration with this hash is in the store.
    pub fn saw(&self, hash: &str) {
        let mut heard = self.heard();
        if heard.configurations.len() >= MAX_CONFIGURATIONS {
            heard.configurations.clear();
        }
        heard.configurations.insert(hash.to_owned(), Instant::now());
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
