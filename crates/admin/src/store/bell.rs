//! Who waits for something to happen in the store is woken here.
//!
//! A bell rings for what this replica does and for what others do, as far as the backend hears of it. It says nothing but
//! "look again": a wake too many costs a look, and so the bell rings for everything when it may have missed something.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use larder_core::key::KeyDigest;
use tokio::sync::watch;

/// Where changes are announced.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    log: watch::Sender<()>,
    digests: Arc<Mutex<HashMap<KeyDigest, watch::Sender<()>>>>,
}

impl Bell {
    pub(crate) fn new() -> Self {
        let (log, _) = watch::channel(());
        let digests = Arc::default();
        Self { log, digests }
    }

    pub(crate) fn log(&self) -> Watch {
        Watch {
            changes: self.log.subscribe(),
            bell: self.clone(),
            digest: None,
        }
    }

    pub(crate) fn digest(&self, digest: KeyDigest) -> Watch {
        let mut digests = lock(&self.digests);
        let sender = digests
            .entry(digest)
            .or_insert_with(|| watch::channel(()).0);
        Watch {
            changes: sender.subscribe(),
            bell: self.clone(),
            digest: Some(digest),
        }
    }

    /// The log has grown, or the configuration has changed.
    pub(crate) fn ring_log(&self) {
        self.log.send_replace(());
    }

    /// An entry has come, or a lead has ended.
    pub(crate) fn ring_digest(&self, digest: KeyDigest) {
        if let Some(sender) = lock(&self.digests).get(&digest) {
            sender.send_replace(());
        }
    }

    /// Nobody knows what happened.
    pub(crate) fn ring_all(&self) {
        self.ring_log();
        for sender in lock(&self.digests).values() {
            sender.send_replace(());
        }
    }
}

/// To be woken: see `Store::watch`.
#[derive(Debug)]
pub struct Watch {
    changes: watch::Receiver<()>,
    bell: Bell,
    digest: Option<KeyDigest>,
}

impl Watch {
    /// Ready when something has happened since this watch was made or since this was ready last. It can be dropped and called
    /// again without missing anything.
    pub async fn changed(&mut self) {
        // The bell that could be gone is in here.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(digest) = self.digest else { return };
        let mut digests = lock(&self.bell.digests);
        if digests
            .get(&digest)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            digests.remove(&digest);
        }
    }
}

/// Nothing is left half done under it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
