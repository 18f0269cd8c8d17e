//! A store for one replica: its own memory.
//!
//! What it promises is gone with the process; a log that begins anew has another name, so every filter begins anew with it.
//! Each part is behind a lock of its own that is held for as long as a table takes to look at, never over an await.

mod documents;
mod entries;
mod heat;
mod instances;
mod leases;
mod log;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder_core::fleet::{Cursor, InstanceId};
use larder_core::key::KeyDigest;
use tokio::time::Instant;

use super::bell::Bell;
use super::shapes::{
    Acknowledged, Appended, Bounds, Extent, Heat, Instance, Lease, NewEntry, NewRecord, Put,
    Reading, Record, Replaced, Said, StoredEntry, Versioned,
};
use documents::Documents;
use entries::Entries;
use heat::Table;
use instances::Instances;
use leases::Leases;
use log::Log;

/// Bytes of frames that one piece of a walk holds, about.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Memory {
    bell: Bell,
    log: Mutex<Log>,
    entries: Mutex<Entries>,
    leases: Mutex<Leases>,
    instances: Mutex<Instances>,
    config: Mutex<Option<Versioned>>,
    documents: Mutex<Documents>,
    heat: Mutex<Table>,
}

impl Memory {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bell: Bell::new(),
            log: Mutex::new(Log::new(bounds.log_records, bounds.log_bytes)),
            entries: Mutex::new(Entries::new(bounds.entries_bytes)),
            leases: Mutex::new(Leases::new(
                u64::try_from(since_1970().as_micros()).unwrap_or(1),
            )),
            instances: Mutex::default(),
            config: Mutex::default(),
            documents: Mutex::new(Documents::new(bounds.documents)),
            heat: Mutex::new(Table::new(bounds.heat)),
        }
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn append(&self, records: &[NewRecord], now: Instant) -> Appended {
        let appended = lock(&self.log).append(records, now);
        self.bell.ring_log();
        appended
    }

    pub(super) fn read(&self, after: Cursor, limit: usize, now: Instant) -> Reading {
        lock(&self.log).read(after, limit, now)
    }

    pub(super) fn read_oldest(&self, limit: usize, now: Instant) -> Reading {
        lock(&self.log).read_oldest(limit, now)
    }

    pub(super) fn record(&self, at: Cursor, now: Instant) -> Option<Record> {
        lock(&self.log).record(at, now)
    }

    pub(super) fn extent(&self) -> Extent {
        lock(&self.log).extent()
    }

    pub(super) fn last_said(&self, limit: usize) -> Vec<Said> {
        lock(&self.log).last_said(limit)
    }

    pub(super) fn entry(&self, digest: KeyDigest, now: Instant) -> Option<StoredEntry> {
        lock(&self.entries).get(digest, now)
    }

    pub(super) fn put_entry(&self, digest: KeyDigest, entry: &NewEntry, now: Instant) -> Put {
        let put = lock(&self.entries).put(digest, entry, now);
        match put {
            Put::Stored => self.bell.ring_digest(digest),
            Put::Older => {}
        }
        put
    }

    pub(super) fn remove_entry(
        &self,
        digest: KeyDigest,
        seen: Option<(u64, Cursor)>,
        now: Instant,
    ) -> bool {
        lock(&self.entries).remove(digest, seen, now)
    }

    pub(super) fn digests(&self) -> Vec<KeyDigest> {
        lock(&self.entries).digests()
    }

    /// Entries from the end of `left`, which gets shorter; `None` when nothing is left.
    pub(super) fn batch(
        &self,
        left: &mut Vec<KeyDigest>,
        now: Instant,
    ) -> Option<Vec<(KeyDigest, StoredEntry)>> {
        if left.is_empty() {
            return None;
        }
        let mut found = Vec::new();
        let mut bytes: usize = 0;
        let entries = lock(&self.entries);
        while bytes < BATCH_BYTES && found.len() < 256 {
            let Some(digest) = left.pop() else { break };
            if let Some(entry) = entries.peek(digest, now) {
                bytes = bytes.saturating_add(entry.frame.len());
                found.push((digest, entry));
            }
        }
        Some(found)
    }

    pub(super) fn lease(&self, digest: KeyDigest, length: Duration, now: Instant) -> Lease {
        lock(&self.leases).take(digest, length, now)
    }

    pub(super) fn release(&self, digest: KeyDigest, fence: u64, now: Instant) -> bool {
        let released = lock(&self.leases).release(digest, fence, now);
        if released {
            self.bell.ring_digest(digest);
        }
        released
    }

    pub(super) fn report(
        &self,
        id: InstanceId,
        applied: Option<Cursor>,
        report: &str,
        now: Instant,
    ) {
        lock(&self.instances).report(id, applied, Arc::from(report), now);
        if let Some(applied) = applied {
            self.acknowledge(id, applied, now);
        }
    }

    pub(super) fn instances(&self, now: Instant) -> Vec<Instance> {
        lock(&self.instances).all(now)
    }

    pub(super) fn acknowledge(&self, id: InstanceId, applied: Cursor, now: Instant) {
        // A cursor from elsewhere would hide what comes at that position.
        if lock(&self.log).knows(applied) {
            lock(&self.instances).acknowledge(id, applied, now);
        }
    }

    pub(super) fn acknowledged(&self, at: Cursor, now: Instant) -> Option<Acknowledged> {
        let record = lock(&self.log).record(at, now)?;
        let since = now.checked_sub(record.age)?;
        let by = lock(&self.instances).acknowledgements(at.position, since);
        Some(Acknowledged { record, by })
    }

    pub(super) fn config(&self) -> Option<Versioned> {
        lock(&self.config).clone()
    }

    pub(super) fn put_config(&self, seen: u64, body: &str) -> Replaced {
        let mut config = lock(&self.config);
        let there = config.as_ref().map_or(0, |config| config.version);
        if there != seen {
            return Replaced::Conflict(there);
        }
        // Greater than those of an earlier process, which did not count faster than the clock either.
        let clock = u64::try_from(since_1970().as_millis()).unwrap_or_default();
        let version = clock.max(there.saturating_add(1));
        let body = Arc::from(body);
        *config = Some(Versioned { version, body });
        drop(config);
        self.bell.ring_log();
        Replaced::Stored(version)
    }

    pub(super) fn document(&self, name: &str, now: Instant) -> Option<String> {
        lock(&self.documents).get(name, now)
    }

    pub(super) fn put_document(&self, name: &str, body: &str, keep: Duration, now: Instant) {
        lock(&self.documents).put(name, body, keep, now);
    }

    pub(super) fn remove_document(&self, name: &str) {
        lock(&self.documents).remove(name);
    }

    pub(super) fn add_heat(&self, asked: &[Heat], now: Instant) {
        lock(&self.heat).add(asked, now);
    }

    pub(super) fn hottest(&self, limit: usize, now: Instant) -> Vec<Heat> {
        lock(&self.heat).hottest(limit, now)
    }
}

/// Nothing is left half done under it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
