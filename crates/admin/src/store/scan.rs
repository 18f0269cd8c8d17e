//! Going through everything that is stored.

use larder_core::key::KeyDigest;
use tokio::time::Instant;

use super::redis::Walk;
use super::shapes::StoredEntry;
use super::{Backend, StoreError};

/// A walk over all entries.
#[derive(Debug)]
pub struct Scan {
    backend: Backend,
    at: Place,
}

#[derive(Debug)]
enum Place {
    Start,
    Memory(Vec<KeyDigest>),
    Redis(Walk),
}

impl Scan {
    pub(super) fn of(backend: Backend) -> Self {
        let at = Place::Start;
        Self { backend, at }
    }

    /// The next piece (it may be empty, and may name an entry again); `None` at the end.
    ///
    /// # Errors
    /// When the store does not answer; the call may be repeated.
    pub async fn next(&mut self) -> Result<Option<Vec<(KeyDigest, StoredEntry)>>, StoreError> {
        if matches!(self.at, Place::Start) {
            self.at = match &self.backend {
                Backend::Memory(memory) => Place::Memory(memory.digests()),
                Backend::Redis(redis) => Place::Redis(redis.walk()?),
            };
        }
        match (&self.backend, &mut self.at) {
            (Backend::Memory(memory), Place::Memory(left)) => {
                Ok(memory.batch(left, Instant::now()))
            }
            (Backend::Redis(redis), Place::Redis(walk)) => redis.step(walk).await,
            (Backend::Memory(_) | Backend::Redis(_), _) => Ok(None),
        }
    }
}
