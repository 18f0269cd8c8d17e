//! What the replicas share: the log of invalidations, entries, leads, instances, and small documents.
//!
//! One contract, kept by memory and by Redis alike, and tried on both by the same suite (`tests/contract.rs`). Everything
//! that has an age has it by the store's clock, so that clocks of replicas never meet. Everything is bounded ([`Bounds`]):
//! what is over a bound makes room for what is newer, and the log tells whoever was behind that ([`Reading::Reset`]).
//!
//! No call takes longer than [`PATIENCE`]; what cannot be answered by then is a [`StoreError`], and whoever asked goes on
//! as if there were no fleet.

mod bell;
mod error;
mod invalidations;
mod memory;
mod random;
mod redis;
mod scan;
mod shapes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_core::fleet::{Cursor, InstanceId};
use larder_core::key::KeyDigest;
use tokio::time::Instant;

pub use bell::Watch;
pub use error::StoreError;
pub use redis::AddressError;
pub use scan::Scan;
pub use shapes::{
    Acknowledged, Acknowledgement, Appended, Bounds, Extent, HEAT_HALF_LIFE, Heat, Instance, Lease,
    Loss, MAX_HEAT_NAME, NewEntry, NewRecord, Put, Reading, Record, Replaced, Said, StoredEntry,
    Versioned,
};

use bell::Bell;
use memory::Memory;
use redis::{Address, Redis};

/// How long a call may take.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// An instance that was not heard of for so long is gone.
pub const INSTANCE_EXPIRY: Duration = Duration::from_secs(30);

/// What it has said is remembered for so long: it may be there still, and only be cut off.
pub const INSTANCE_MEMORY: Duration = Duration::from_secs(25 * 3600);

/// How many instances are remembered: reports, acknowledgements, and what each said last.
pub const MAX_INSTANCES: usize = 4096;

/// How many steps of an instance through the log are remembered, for acknowledgements.
const MAX_STEPS: usize = 256;

/// What the replicas share; a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    bounds: Bounds,
}

#[derive(Clone, Debug)]
enum Backend {
    Memory(Arc<Memory>),
    Redis(Arc<Redis>),
}

impl Store {
    /// The memory of this process: for one replica, and lost with it.
    #[must_use]
    pub fn memory(bounds: Bounds) -> Self {
        let backend = Backend::Memory(Arc::new(Memory::new(bounds)));
        Self { backend, bounds }
    }

    /// The store at an address as an operator writes it: `memory`, `redis://host:port`, `rediss://…`, `redis-cluster://…`,
    /// `redis-sentinel://…?service=name`. Fleets with different names in one store do not see each other.
    ///
    /// Nobody has to be there: calls fail until somebody is, and again while nobody is. So this answers within [`PATIENCE`].
    ///
    /// # Errors
    /// What is wrong with the address, the name, or the certificates of this machine.
    pub async fn open(address: &str, fleet: &str, bounds: Bounds) -> Result<Self, AddressError> {
        let servers = match checked(address, fleet)? {
            Address::Memory => return Ok(Self::memory(bounds)),
            Address::Redis(servers) => servers,
        };
        let redis = Redis::open(servers, fleet, bounds).await;
        let redis = redis.map_err(|error| AddressError(error.to_string()))?;
        let backend = Backend::Redis(Arc::new(redis));
        Ok(Self { backend, bounds })
    }

    /// Whether [`Store::open`] would take this address and this name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(address: &str, fleet: &str) -> Result<(), AddressError> {
        checked(address, fleet).map(|_| ())
    }

    /// How much it keeps.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn bell(&self) -> &Bell {
        match &self.backend {
            Backend::Memory(memory) => memory.bell(),
            Backend::Redis(redis) => redis.bell(),
        }
    }

    /// To be woken when the log has grown or the configuration has changed, at any replica.
    ///
    /// What happens after this call wakes; so take it first, and look then. It may wake without a reason.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.bell().log()
    }

    /// To be woken when an entry has come under `digest` or its lead has ended, at any replica; as [`Store::watch`].
    #[must_use]
    pub fn watch_digest(&self, digest: KeyDigest) -> Watch {
        self.bell().digest(digest)
    }

    /// The entry under `digest`.
    ///
    /// # Errors
    /// When the store does not answer, or what stands there makes no sense.
    pub async fn entry(&self, digest: KeyDigest) -> Result<Option<StoredEntry>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.entry(digest, Instant::now())),
            Backend::Redis(redis) => redis.entry(digest).await,
        }
    }

    /// Stores an entry, unless what stands there was fetched under a later lead, or, where not both were fetched under
    /// one or it was the same, with the log followed further.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; or when the store does not answer.
    pub async fn put_entry(&self, digest: KeyDigest, entry: &NewEntry) -> Result<Put, StoreError> {
        let (bytes, limit) = (entry.frame.len(), self.bounds.entry_bytes);
        if bytes > limit {
            return Err(StoreError::TooLarge { bytes, limit });
        }
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.put_entry(digest, entry, Instant::now())),
            Backend::Redis(redis) => redis.put_entry(digest, entry).await,
        }
    }

    /// Removes what stands under `digest`; whether something did.
    ///
    /// # Errors
    /// When the store does not answer: then it may be gone or not.
    pub async fn remove_entry(&self, digest: KeyDigest) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.remove_entry(digest, None, Instant::now())),
            Backend::Redis(redis) => redis.remove_entry(digest, None).await,
        }
    }

    /// Removes what stands under `digest` if it is still what was `seen` there.
    ///
    /// # Errors
    /// As [`Store::remove_entry`].
    pub async fn discard(&self, digest: KeyDigest, seen: &StoredEntry) -> Result<bool, StoreError> {
        let seen = Some((seen.fence, seen.cursor));
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.remove_entry(digest, seen, Instant::now())),
            Backend::Redis(redis) => redis.remove_entry(digest, seen).await,
        }
    }

    /// Everything that stands there, piece by piece: what was there from the first call to the last is among it.
    #[must_use]
    pub fn scan(&self) -> Scan {
        Scan::of(self.backend.clone())
    }

    /// Asks for the lead under `digest`, for so long.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn lease(&self, digest: KeyDigest, length: Duration) -> Result<Lease, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.lease(digest, length, Instant::now())),
            Backend::Redis(redis) => redis.lease(digest, length).await,
        }
    }

    /// Ends the lead that has this number, if it has not ended; whether it had not.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn release(&self, digest: KeyDigest, fence: u64) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.release(digest, fence, Instant::now())),
            Backend::Redis(redis) => redis.release(digest, fence).await,
        }
    }

    /// An instance was heard of. `report` is what it says of itself, in JSON.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn report(
        &self,
        id: InstanceId,
        applied: Option<Cursor>,
        report: &str,
    ) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(memory) => memory.report(id, applied, report, Instant::now()),
            Backend::Redis(redis) => redis.report(id, applied, report).await?,
        }
        Ok(())
    }

    /// The instances that were heard of within [`INSTANCE_EXPIRY`], in the order of their ids.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let mut remembered = self.remembered().await?;
        remembered.retain(|instance| instance.age < INSTANCE_EXPIRY);
        Ok(remembered)
    }

    /// The instances that were heard of within [`INSTANCE_MEMORY`], in the order of their ids.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remembered(&self) -> Result<Vec<Instance>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.instances(Instant::now())),
            Backend::Redis(redis) => redis.instances().await,
        }
    }

    /// The fleet's configuration; `None` when nobody has put one there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn config(&self) -> Result<Option<Versioned>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.config()),
            Backend::Redis(redis) => redis.config().await,
        }
    }

    /// Replaces the configuration that has version `seen` (0: there is none).
    ///
    /// # Errors
    /// When the store does not answer: then it may be there or not.
    pub async fn put_config(&self, seen: u64, body: &str) -> Result<Replaced, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.put_config(seen, body)),
            Backend::Redis(redis) => redis.put_config(seen, body).await,
        }
    }

    /// A document by its name, while it is kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn document(&self, name: &str) -> Result<Option<String>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.document(name, Instant::now())),
            Backend::Redis(redis) => redis.document(name).await,
        }
    }

    /// Keeps a document for so long, instead of what had that name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put_document(
        &self,
        name: &str,
        body: &str,
        keep: Duration,
    ) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(memory) => memory.put_document(name, body, keep, Instant::now()),
            Backend::Redis(redis) => redis.put_document(name, body, keep).await?,
        }
        Ok(())
    }

    /// Forgets a document.
    ///
    /// # Errors
    /// When the store does not answer: then it may be gone or not.
    pub async fn remove_document(&self, name: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(memory) => memory.remove_document(name),
            Backend::Redis(redis) => redis.remove_document(name).await?,
        }
        Ok(())
    }

    /// What was asked for so often, counted by one instance since it last said so.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn add_heat(&self, asked: &[Heat]) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(memory) => memory.add_heat(asked, Instant::now()),
            Backend::Redis(redis) => redis.add_heat(asked).await?,
        }
        Ok(())
    }

    /// What has been asked for most of late, most first. A count is worth half after [`HEAT_HALF_LIFE`].
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn hottest(&self, limit: usize) -> Result<Vec<Heat>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.hottest(limit, Instant::now())),
            Backend::Redis(redis) => redis.hottest(limit).await,
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// When it does not, and why.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory(_) => Ok(()),
            Backend::Redis(redis) => redis.ping().await,
        }
    }
}

impl fmt::Display for Store {
    /// Where it is, without passwords.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Backend::Memory(_) => out.write_str("memory"),
            Backend::Redis(redis) => redis.servers().fmt(out),
        }
    }
}

fn checked(address: &str, fleet: &str) -> Result<Address, AddressError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if fleet.is_empty() || fleet.len() > 64 || !fleet.bytes().all(good) {
        let rule = "a fleet's name has letters, digits, '-', '_' and '.', at most 64";
        return Err(AddressError(format!("{fleet:?} is no name: {rule}")));
    }
    Address::parse(address)
}
