//! What could be read when, and who ended it: the tier's promises, checked at the call that would break them.
//!
//! An entry can be read from the call that made directory and slot agree on it to the call after which they no longer
//! do. From that follows what a worker may see and do:
//!
//! - what a lookup finds could be read at some moment of the lookup, and what could be read all the while is found;
//! - an entry that can be read, and is good, ends only for a reason: its key is stored again or removed, its set is full,
//!   the bytes are over budget, or its way was written to by a worker that had lost it;
//! - "stored" means that it could be read, "removed" that what could be read before no longer can;
//! - where nobody is late, whatever a slot holds is accounted for in its directory at every moment;
//! - no way is published without a claim, no key twice in a set, none over a newer one, no generation is used twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::KeyDigest;
use crate::time::Timestamp;

use super::super::MemoryKv;
use super::super::directory::{Directory, View, WAYS};
use super::super::incarnation::{Incarnation, Place};
use super::super::name::Name;
use super::super::slot::{self, OVERHEAD, Stamp};
use super::super::way::{Condition, Published, Way};
use super::act::{Act, Deed, Trouble};
use super::audit::value;

/// An entry that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Readable {
    incarnation: u64,
    place: Place,
    entry: Published,
    since: u64,
}

/// What could be read when.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    trouble: Trouble,
    step: u64,
    open: BTreeMap<(u32, usize), Readable>,
    /// What can be read no more, and the call that ended it.
    closed: Vec<(Readable, u64)>,
    used: BTreeSet<(u64, u64)>,
    /// What cells held before, for those that damage them.
    values: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Chronicle {
    pub(super) fn new(trouble: Trouble) -> Self {
        Self {
            trouble,
            ..Self::default()
        }
    }

    pub(super) fn tick(&mut self) {
        self.step += 1;
    }

    pub(super) fn begin(&self, deed: Deed, now: Timestamp) -> Act {
        Act {
            deed,
            now,
            since: self.step,
            ..Act::default()
        }
    }

    /// A value that the cell held before.
    pub(super) fn former(&self, name: &str, back: usize) -> Option<Vec<u8>> {
        self.values.get(name)?.iter().rev().nth(back).cloned()
    }

    /// A worker has written a cell.
    pub(super) fn written(
        &mut self,
        kv: &MemoryKv,
        name: &str,
        before: Option<&[u8]>,
        after: &[u8],
        act: &mut Act,
    ) {
        if self.trouble == Trouble::Damage {
            let past = self.values.entry(name.to_owned()).or_default();
            past.push(after.to_vec());
        }
        let Some((set, way)) = cell(name) else {
            return;
        };
        match way {
            Some(way) => {
                let record = value(kv, Name::directory(set).as_str());
                let view = View::parse(&record).ok();
                let directory = view.and_then(|view| view.directory().ok());
                if let Some(directory) = directory {
                    self.check_bytes(kv, set, way, &directory);
                }
                if let Some(ended) = self.refresh(kv, set, way) {
                    self.check_end(kv, (set, way), &ended, None, act);
                }
            }
            None => self.directory_written(kv, set, before, after, act),
        }
    }

    fn directory_written(
        &mut self,
        kv: &MemoryKv,
        set: u32,
        before: Option<&[u8]>,
        after: &[u8],
        act: &mut Act,
    ) {
        let view = View::parse(after).unwrap();
        let before = before.and_then(|record| View::parse(record).ok());
        // One that was just lost is written again by whoever had read it; it is then another incarnation's.
        let before = before.filter(|before| before.incarnation == view.incarnation);
        let before = before.and_then(|before| before.directory().ok());
        let after = view.directory().unwrap();
        if let Some(before) = &before {
            self.check_change(view.incarnation, before, &after, act);
        }
        act.note_claims(set, before.as_ref(), &after);
        for way in 0..WAYS {
            if before.as_ref().map(|before| before.way(way)) == Some(after.way(way)) {
                continue;
            }
            self.check_bytes(kv, set, way, &after);
            let now = readable(kv, view.incarnation, (set, way), after.way(way), self.step);
            if let Some(ended) = self.put_down((set, way), now) {
                self.check_end(kv, (set, way), &ended, before.as_ref(), act);
            }
        }
    }

    /// All cells are lost.
    pub(super) fn wiped(&mut self) {
        let step = self.step;
        let ended = std::mem::take(&mut self.open).into_values();
        self.closed.extend(ended.map(|ended| (ended, step)));
    }

    /// Something else than a worker has changed a cell.
    pub(super) fn damaged(&mut self, kv: &MemoryKv, name: &str) {
        if let Some((set, way)) = cell(name) {
            for way in way.map_or(0..WAYS, |way| way..way + 1) {
                self.refresh(kv, set, way);
            }
        }
    }

    /// Looks whether a way can be read now; gives what could be read before and cannot any more.
    fn refresh(&mut self, kv: &MemoryKv, set: u32, way: usize) -> Option<Readable> {
        let record = value(kv, Name::directory(set).as_str());
        let now = View::parse(&record).ok().and_then(|view| {
            let state = view.directory().ok()?.way(way);
            readable(kv, view.incarnation, (set, way), state, self.step)
        });
        self.put_down((set, way), now)
    }

    fn put_down(&mut self, at: (u32, usize), now: Option<Readable>) -> Option<Readable> {
        let name = |readable: &Readable| (readable.incarnation, readable.entry.generation);
        let before = self.open.get(&at).copied();
        if before.as_ref().map(name) == now.as_ref().map(name) {
            return None;
        }
        match now {
            Some(now) => self.open.insert(at, now),
            None => self.open.remove(&at),
        };
        self.closed.extend(before.map(|before| (before, self.step)));
        before
    }

    fn check_change(&mut self, life: u64, before: &Directory, after: &Directory, act: &Act) {
        let mut claims = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (old, new) in before.ways().iter().zip(after.ways()) {
            if let Way::Published(entry) = new {
                assert!(keys.insert(entry.fingerprint), "a key is published twice");
                let is_claimed = old.generation() == Some(entry.generation);
                assert!(is_claimed, "published without a claim");
                continue;
            }
            if old.generation() == new.generation() {
                continue;
            }
            claims.extend(new.generation().map(|generation| generation.raw()));
            if let Way::Filling {
                fingerprint,
                started,
                ..
            } = new
            {
                let newer = before.ways().iter().filter_map(published).any(|entry| {
                    entry.fingerprint == *fingerprint
                        && entry.is_current(act.now)
                        && entry.started > *started
                });
                assert!(
                    !newer,
                    "a fill replaces an entry whose request started later"
                );
            }
        }
        for claim in claims {
            let is_new = self.used.insert((life, claim));
            assert!(is_new, "a generation is used twice");
        }
    }

    /// Whatever a slot holds is accounted for, at every moment.
    fn check_bytes(&self, kv: &MemoryKv, set: u32, way: usize, directory: &Directory) {
        let held = value(kv, Name::slot(set, way).as_str()).len();
        if self.trouble == Trouble::None && held > 0 {
            let charged = directory.way(way).charged();
            assert!(
                held as u64 + u64::from(OVERHEAD) <= charged.into(),
                "{set}.{way}: {held}"
            );
        }
    }

    /// A worker has made that an entry can be read no more.
    fn check_end(
        &self,
        kv: &MemoryKv,
        at: (u32, usize),
        ended: &Readable,
        before: Option<&Directory>,
        act: &Act,
    ) {
        let is_over = !ended.entry.is_current(act.now);
        let was_lost = self.trouble == Trouble::Delays && act.claimed.contains(&at);
        if is_over || was_lost || self.trouble == Trouble::Damage {
            return;
        }
        let life = Incarnation::current(kv).unwrap();
        let Some(life) = life.filter(|life| life.id == ended.incarnation) else {
            return; // a life that is over
        };
        let is_meant = match act.deed {
            Deed::Looking | Deed::Ticking => false,
            Deed::Removing(digest) => life.place(digest) == ended.place,
            Deed::Storing {
                digest,
                started,
                charged,
                budget,
            } => {
                let own = life.place(digest);
                let is_replaced = own == ended.place && started >= ended.entry.started;
                let is_full = before.is_some_and(|before| is_full(before, act.now));
                let is_evicted = own.set == at.0 && is_full;
                is_replaced || is_evicted || act.held.saturating_add(charged) > budget
            }
        };
        assert!(is_meant, "{act:?} ended {ended:?} in {before:?}");
    }

    /// A lookup has ended.
    pub(super) fn looked(
        &self,
        life: Option<Incarnation>,
        digest: KeyDigest,
        found: Option<Timestamp>,
        act: &Act,
    ) {
        let Some(life) = life else {
            return;
        };
        let mut all = self.open_since_before(&life, digest, act);
        let Some(started) = found else {
            let missed = all.find(|it| it.entry.is_current(act.now));
            assert_eq!(missed, None, "could be read all the while: {act:?}");
            return;
        };
        let ended = self.closed.iter().filter(|(_, until)| *until > act.since);
        let mut then = self.open.values().chain(ended.map(|(it, _)| it));
        let was_there = then.any(|it| it.is(&life, digest) && it.entry.started == started);
        assert!(was_there, "found what could not be read: {act:?}");
    }

    /// A store has ended, and its entry is said to be stored.
    pub(super) fn stored(&self, life: &Incarnation, act: &Act) {
        let Deed::Storing {
            digest, started, ..
        } = act.deed
        else {
            panic!("{act:?}");
        };
        if self.trouble == Trouble::None {
            let mut all = self
                .open
                .values()
                .chain(self.closed.iter().map(|(it, _)| it));
            let is_there = all.any(|it| {
                it.is(life, digest) && it.entry.started == started && it.since > act.since
            });
            assert!(is_there, "stored, and could never be read: {act:?}");
        }
    }

    /// A removal has ended, and nothing is said to be left.
    pub(super) fn removed(&self, life: &Incarnation, digest: KeyDigest, act: &Act) {
        let left = self.open_since_before(life, digest, act).next();
        assert_eq!(left, None, "removed, and can still be read: {act:?}");
    }

    fn open_since_before(
        &self,
        life: &Incarnation,
        digest: KeyDigest,
        act: &Act,
    ) -> impl Iterator<Item = &Readable> {
        let (life, since) = (*life, act.since);
        let all = self.open.values();
        all.filter(move |it| it.since <= since && it.is(&life, digest))
    }
}

impl Readable {
    fn is(&self, life: &Incarnation, digest: KeyDigest) -> bool {
        self.incarnation == life.id && self.place == life.place(digest)
    }
}

/// The set, and the way where it is a slot, that a cell is about.
fn cell(name: &str) -> Option<(u32, Option<usize>)> {
    if let Some(set) = name.strip_prefix("larder1d") {
        return Some((set.parse().unwrap(), None));
    }
    let (set, way) = name.strip_prefix("larder1s")?.split_once('.')?;
    Some((set.parse().unwrap(), Some(way.parse().unwrap())))
}

fn readable(
    kv: &MemoryKv,
    incarnation: u64,
    (set, way): (u32, usize),
    state: Way,
    since: u64,
) -> Option<Readable> {
    let entry = *published(&state)?;
    let stamp = Stamp {
        incarnation,
        generation: entry.generation,
    };
    let is_whole = slot::stamp(&value(kv, Name::slot(set, way).as_str())) == Ok(stamp);
    let fingerprint = entry.fingerprint;
    is_whole.then_some(Readable {
        incarnation,
        place: Place { set, fingerprint },
        entry,
        since,
    })
}

fn is_full(directory: &Directory, now: Timestamp) -> bool {
    directory.ways().iter().all(|way| match way.condition(now) {
        Condition::Current | Condition::Held => true,
        Condition::Abandoned | Condition::Expired | Condition::Free => false,
    })
}

fn published(way: &Way) -> Option<&Published> {
    match way {
        Way::Published(entry) => Some(entry),
        Way::Emptying(_) | Way::Filling { .. } | Way::Free => None,
    }
}
