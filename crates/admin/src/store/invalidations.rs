//! The log, and who has applied it.

use larder_core::fleet::{Cursor, InstanceId};
use tokio::time::Instant;

use super::shapes::{Acknowledged, Appended, Extent, NewRecord, Reading, Record, Said};
use super::{Backend, Store, StoreError};

impl Store {
    /// Puts `records` at the end of the log, in their order; when this answers they are as durable as the store is.
    ///
    /// What an instance has said before (its highest `seq` counts, so it has to say things in order) is not put there again.
    ///
    /// # Errors
    /// When the store does not answer: then each of them may be there or not. Saying them again is right.
    pub async fn append(&self, records: &[NewRecord]) -> Result<Appended, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.append(records, Instant::now())),
            Backend::Redis(redis) => redis.append(records).await,
        }
    }

    /// At most `limit` records behind `after`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(&self, after: Cursor, limit: usize) -> Result<Reading, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.read(after, limit, Instant::now())),
            Backend::Redis(redis) => redis.read(Some(after), limit).await,
        }
    }

    /// At most `limit` records from the oldest that is retained; never a [`Reading::Reset`].
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read_oldest(&self, limit: usize) -> Result<Reading, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.read_oldest(limit, Instant::now())),
            Backend::Redis(redis) => redis.read(None, limit).await,
        }
    }

    /// The record that a cursor names, while it is retained.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn record(&self, at: Cursor) -> Result<Option<Record>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.record(at, Instant::now())),
            Backend::Redis(redis) => redis.record(at).await,
        }
    }

    /// Where the log begins and ends.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn extent(&self) -> Result<Extent, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.extent()),
            Backend::Redis(redis) => redis.extent().await,
        }
    }

    /// What each instance said last, who spoke last first; at most `limit`. It is so in the log, retained or not.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn last_said(&self, limit: usize) -> Result<Vec<Said>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.last_said(limit)),
            Backend::Redis(redis) => redis.last_said(limit).await,
        }
    }

    /// An instance has applied everything up to `applied`; [`Instance::applied`] follows where the instance has reported. A
    /// cursor that is not of this log, or ahead of it, counts for nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn acknowledge(&self, id: InstanceId, applied: Cursor) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(memory) => memory.acknowledge(id, applied, Instant::now()),
            Backend::Redis(redis) => redis.acknowledge(id, applied).await?,
        }
        Ok(())
    }

    /// Who has applied a record, and how long that took; `None` when it is not retained.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn acknowledged(&self, at: Cursor) -> Result<Option<Acknowledged>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.acknowledged(at, Instant::now())),
            Backend::Redis(redis) => redis.acknowledged(at).await,
        }
    }
}
