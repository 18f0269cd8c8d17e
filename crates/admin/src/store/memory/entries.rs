//! Entries in memory: the least recently read goes first.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use larder_core::fleet::Cursor;
use larder_core::key::KeyDigest;
use tokio::time::Instant;

use crate::store::shapes::{NewEntry, Put, StoredEntry};

/// What an entry takes besides its frame, about.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(super) struct Entries {
    kept: HashMap<KeyDigest, Kept>,
    /// By the turn of their last use.
    turns: BTreeMap<u64, KeyDigest>,
    turn: u64,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    cursor: Cursor,
    fence: u64,
    since: Instant,
    until: Instant,
    frame: Bytes,
    turn: u64,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.frame.len().saturating_add(OVERHEAD)
    }

    /// Whether it was fetched later than `entry`, or under a later lead.
    fn outranks(&self, entry: &NewEntry) -> bool {
        if self.cursor.log != entry.cursor.log {
            return false;
        }
        // Where only one was fetched under a lead, the leads say nothing about which is newer.
        if self.fence != 0 && entry.fence != 0 && self.fence != entry.fence {
            return self.fence > entry.fence;
        }
        self.cursor.position > entry.cursor.position
    }
}

impl Entries {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            kept: HashMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            bytes: 0,
            max_bytes,
        }
    }

    pub(super) fn get(&mut self, digest: KeyDigest, now: Instant) -> Option<StoredEntry> {
        let turn = self.next_turn();
        let kept = self.kept.get_mut(&digest)?;
        self.turns.remove(&kept.turn);
        self.turns.insert(turn, digest);
        kept.turn = turn;
        self.peek(digest, now)
    }

    pub(super) fn peek(&self, digest: KeyDigest, now: Instant) -> Option<StoredEntry> {
        let kept = self.kept.get(&digest)?;
        (now < kept.until).then(|| StoredEntry {
            cursor: kept.cursor,
            fence: kept.fence,
            age: now.saturating_duration_since(kept.since),
            left: kept.until.saturating_duration_since(now),
            frame: kept.frame.clone(),
        })
    }

    pub(super) fn put(&mut self, digest: KeyDigest, entry: &NewEntry, now: Instant) -> Put {
        let there = self.kept.get(&digest);
        if there.is_some_and(|kept| now < kept.until && kept.outranks(entry)) {
            return Put::Older;
        }
        self.take(digest);
        // A keep that no clock reaches is as good as none.
        let Some(until) = now.checked_add(entry.keep) else {
            return Put::Stored;
        };
        let turn = self.next_turn();
        let kept = Kept {
            cursor: entry.cursor,
            fence: entry.fence,
            since: now,
            until,
            frame: entry.frame.clone(),
            turn,
        };
        self.bytes = self.bytes.saturating_add(kept.bytes());
        self.turns.insert(turn, digest);
        self.kept.insert(digest, kept);
        self.make_room();
        Put::Stored
    }

    fn make_room(&mut self) {
        while self.bytes > self.max_bytes {
            let Some((_, digest)) = self.turns.pop_first() else {
                return;
            };
            self.take(digest);
        }
    }

    fn take(&mut self, digest: KeyDigest) -> Option<Kept> {
        let kept = self.kept.remove(&digest)?;
        self.turns.remove(&kept.turn);
        self.bytes = self.bytes.saturating_sub(kept.bytes());
        Some(kept)
    }

    /// Removes it, only if it is still what was `seen`.
    pub(super) fn remove(
        &mut self,
        digest: KeyDigest,
        seen: Option<(u64, Cursor)>,
        now: Instant,
    ) -> bool {
        let there = self.kept.get(&digest);
        if !there.is_some_and(|kept| seen.is_none_or(|seen| seen == (kept.fence, kept.cursor))) {
            return false;
        }
        self.take(digest).is_some_and(|kept| now < kept.until)
    }

    pub(super) fn digests(&self) -> Vec<KeyDigest> {
        self.kept.keys().copied().collect()
    }

    fn next_turn(&mut self) -> u64 {
        self.turn = self.turn.saturating_add(1);
        self.turn
    }
}
