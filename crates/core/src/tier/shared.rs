//! Looking entries up and storing them.
//!
//! A hit costs two reads, the directory and the slot; a miss costs one. Neither writes, and the slot's bytes are the
//! host's copy, handed on as they are. A store reads the directory twice, before the claim and before it
//! settles, because the host does not tell the version a write produced.
//!
//! Where there is room, everything is stored at once. Where something current would have to go, the newcomer has to be
//! wanted more ([`super::evict`]); another version of what is stored already never has to be.
//!
//! A worker needs an id to store, so the first store (or tick) leases one; looking up needs none. Nothing is leased
//! when a worker starts, since the host also starts a trial worker to validate a configuration, and throws it away.
//!
//! The tier knows nothing of HTTP: a payload is bytes with a time of start and an end of use. An entry is never
//! replaced by a fill whose request started earlier, which is what invalidation builds on.

use std::collections::VecDeque;

use crate::entry::Epoch;
use crate::key::Key;
use crate::time::Timestamp;

use super::claim::{Holding, Host, TRIES};
use super::demand::Demand;
use super::directory::{Directory, View, Ways};
use super::evict::Claimant;
use super::incarnation::{Geometry, Incarnation, Place};
use super::kv::{ByteGauge, Cas, KvError, SharedKv};
use super::lease::Lease;
use super::name::Name;
use super::outcome::{AbsentReason, Candidate, Found, Lookup, Removed, Stored, WhyNot};
use super::random::Random;
use super::record::Corrupt;
use super::slot::{self, Mismatch, Stamp};
use super::sweep::Totals;
use super::touches::Touches;
use super::trust::{Leave, Trust};
use super::way::{CLAIM, Claim, Published, Touched, Way, is_current};

/// One worker's part in the shared tier.
#[derive(Debug)]
pub struct SharedTier {
    pub(super) configured: Geometry,
    pub(super) max_bytes: u64,
    /// The widest bound so far: what a gauge may rightly say after the bound was lowered.
    pub(super) widest: u64,
    pub(super) random: Random,
    pub(super) life: Option<Incarnation>,
    pub(super) lease: Option<Lease>,
    pub(super) demand: Demand,
    pub(super) touches: Touches,
    pub(super) repairs: VecDeque<(u32, usize)>,
    pub(super) totals: Option<Totals>,
    pub(super) evicted: u32,
    /// What this worker has said last of its own memory, under which lease.
    pub(super) applied: Option<(u32, Epoch)>,
    /// Sets this worker filled, the oldest first: where something to evict is, when few sets hold anything.
    pub(super) filled: VecDeque<u32>,
    /// Whether the cells are asked at all.
    pub(super) trust: Trust,
}

impl SharedTier {
    /// A worker that has not touched the host yet.
    ///
    /// `max_bytes` bounds what all entries of the process take, keys and the host's overhead included. `seed` must be
    /// unpredictable and differ from worker to worker: it names incarnations and keys their sets.
    pub fn new(geometry: Geometry, max_bytes: u64, seed: u128) -> Self {
        Self {
            configured: geometry,
            max_bytes,
            widest: max_bytes,
            random: Random::new(seed),
            life: None,
            lease: None,
            demand: Demand::new(geometry.slots()),
            touches: Touches::new(0),
            repairs: VecDeque::new(),
            totals: None,
            evicted: 0,
            applied: None,
            filled: VecDeque::new(),
            trust: Trust::default(),
        }
    }

    /// The geometry in force: the first one of the incarnation, known after the first call that met it.
    pub fn geometry(&self) -> Option<Geometry> {
        self.life.map(|life| life.geometry)
    }

    /// This worker's id, unique among the live workers of the process, while it has one.
    pub fn worker_id(&self) -> Option<u8> {
        self.lease.as_ref().map(Lease::worker)
    }

    /// What the last complete sweep counted, as of the last tick.
    pub fn totals(&self) -> Option<Totals> {
        self.totals
    }

    /// Entries that went to make room since this was last asked.
    pub fn take_evictions(&mut self) -> u32 {
        std::mem::take(&mut self.evicted)
    }

    /// A new configuration: the bound on bytes holds from now on; another geometry than the one in force is only told
    /// of, at each tick.
    pub fn configure(&mut self, geometry: Geometry, max_bytes: u64) {
        self.configured = geometry;
        self.max_bytes = max_bytes;
        self.widest = self.widest.max(max_bytes);
    }

    /// Looks an entry up.
    pub fn lookup(&mut self, kv: &dyn SharedKv, key: &Key, now: Timestamp) -> Lookup {
        if self.trust.ask(now) == Leave::Refused {
            return Lookup::Absent(AbsentReason::Distrusted);
        }
        let found = self.find(kv, key, now);
        match found {
            Err(AbsentReason::Failed) => self.trust.note_failure(now),
            Ok(_) | Err(_) => self.trust.note_answer(),
        }
        match found {
            Ok(found) => Lookup::Found(found),
            Err(reason) => Lookup::Absent(reason),
        }
    }

    /// A round of [`SharedTier::tend`] took so many nanoseconds: where the cells are slow, they are left alone for a while.
    pub fn note_round(&mut self, nanos: u64, now: Timestamp) {
        self.trust.note_round(nanos, now);
    }

    fn find(
        &mut self,
        kv: &dyn SharedKv,
        key: &Key,
        now: Timestamp,
    ) -> Result<Found, AbsentReason> {
        let life = self.known_life(kv)?;
        let place = life.place(key.digest());
        self.demand.note(place);
        let cell = read(kv, Name::directory(place.set))?.ok_or(AbsentReason::NoEntry)?;
        let view = View::parse(&cell).map_err(|Corrupt| AbsentReason::CorruptDirectory)?;
        if view.incarnation != life.id {
            return Err(match self.confirm(kv) {
                Ok(()) => AbsentReason::NoEntry,
                Err(WhyNot::Failed) => AbsentReason::Failed,
                Err(_) => AbsentReason::Reset,
            });
        }
        let (way, entry) = view.find(place.fingerprint).ok_or(AbsentReason::NoEntry)?;
        if !entry.is_current(now) {
            return Err(AbsentReason::Expired);
        }
        self.open(kv, key, place, way, &entry)
    }

    fn open(
        &mut self,
        kv: &dyn SharedKv,
        key: &Key,
        place: Place,
        way: usize,
        entry: &Published,
    ) -> Result<Found, AbsentReason> {
        let value = read(kv, Name::slot(place.set, way))?.unwrap_or_default();
        let stamp = Stamp {
            incarnation: self.known_life(kv)?.id,
            generation: entry.generation,
        };
        match slot::open(&value, stamp, key) {
            Ok(payload) => {
                self.touches.note(place.set, way);
                Ok(Found {
                    value,
                    payload,
                    started: entry.started,
                    expires: entry.expires,
                })
            }
            Err(Mismatch::Key) => Err(AbsentReason::OtherKey),
            Err(mismatch @ (Mismatch::Corrupt | Mismatch::Stamp)) => {
                self.note(place.set, Ways::one(way));
                let displaced = value.is_empty() || mismatch == Mismatch::Stamp;
                Err(if displaced {
                    AbsentReason::Displaced
                } else {
                    AbsentReason::CorruptSlot
                })
            }
        }
    }

    pub(super) fn known_life(&mut self, kv: &dyn SharedKv) -> Result<Incarnation, AbsentReason> {
        if let Some(life) = self.life {
            return Ok(life);
        }
        let current = Incarnation::current(kv).map_err(|KvError| AbsentReason::Failed)?;
        let life = current.ok_or(AbsentReason::Unfounded)?;
        self.adopt(Some(life));
        Ok(life)
    }

    /// Stores an entry.
    pub fn store(
        &mut self,
        kv: &dyn SharedKv,
        gauge: &dyn ByteGauge,
        candidate: Candidate<'_>,
        now: Timestamp,
    ) -> Stored {
        if self.trust.ask(now) == Leave::Refused {
            return Stored::Skipped(WhyNot::Failed);
        }
        let filled = self.fill(&Host::new(kv, gauge, now), &candidate);
        match filled {
            Ok(()) => self.trust.note_answer(),
            Err(WhyNot::Failed) => self.trust.note_failure(now),
            Err(_) => {}
        }
        match filled {
            Ok(()) => Stored::Published,
            Err(why) => Stored::Skipped(why),
        }
    }

    fn fill(&mut self, host: &Host<'_>, candidate: &Candidate<'_>) -> Result<(), WhyNot> {
        let charged = slot::charge(candidate.key, candidate.payload)
            .filter(|&charged| u64::from(charged) <= self.max_bytes)
            .ok_or(WhyNot::TooLarge)?;
        if !is_current(candidate.started, candidate.expires, host.now) {
            return Err(WhyNot::Expired);
        }
        candidate.still_stands()?;
        self.join(host)?;
        let life = self.life()?;
        let place = life.place(candidate.key.digest());
        self.demand.note_unasked(place);
        self.demand.weigh(charged, self.max_bytes);
        let (way, holding) = self.claim_to_fill(host, candidate, place, charged)?;
        let stamp = Stamp {
            incarnation: life.id,
            generation: holding.generation,
        };
        let value = candidate.still_stands().and_then(|()| {
            slot::encode(stamp, candidate.key, candidate.payload).ok_or(WhyNot::NoMemory)
        });
        let value = match value {
            Ok(value) => value,
            Err(why) => {
                let stolen = self.drain(host, holding)?;
                self.retake(host, place.set, stolen)?;
                return Err(why);
            }
        };
        let name = Name::slot(place.set, way);
        if host
            .kv
            .set(name.as_str(), &value, Cas::UNCONDITIONAL)
            .is_err()
        {
            self.note(place.set, holding.ways);
            return Err(WhyNot::Failed);
        }
        let published = Way::Published(Published {
            fingerprint: place.fingerprint,
            generation: holding.generation,
            charged,
            started: candidate.started,
            expires: candidate.expires,
            touched: Touched::at(host.now),
        });
        self.remember_fill(place.set);
        let stolen = self.settle(host, holding, published)?;
        self.retake(host, place.set, stolen)
    }

    fn claim_to_fill(
        &mut self,
        host: &Host<'_>,
        candidate: &Candidate<'_>,
        place: Place,
        charged: u32,
    ) -> Result<(usize, Holding), WhyNot> {
        let generation = self.generation(host)?;
        for _ in 0..TRIES {
            let before = self.snapshot(host, place.set)?;
            let mut after = before.directory.clone();
            self.fold_touches(&mut after, place.set, host.now);
            let (way, claimant) =
                match same_key(&after, place.fingerprint, candidate.started, host)? {
                    Some(way) => (way, Claimant::Successor),
                    None => (
                        self.place_anew(&after, place, host)?,
                        Claimant::Newcomer(place),
                    ),
                };
            let replaced = before.directory.way(way).charged();
            let growth = u64::from(charged.saturating_sub(replaced));
            self.make_room(host, place.set, growth, claimant)?;
            let claim = Claim {
                generation,
                // Until the slot is written it holds what it held, also if this worker gets no further.
                charged: charged.max(replaced),
                deadline: host.now.plus(CLAIM),
            };
            let filling = Way::Filling {
                claim,
                fingerprint: place.fingerprint,
                started: candidate.started,
            };
            after.set(way, filling);
            match self.commit(host, place.set, &before, &after) {
                Ok(()) => {
                    self.touches.clear(place.set);
                    if before
                        .directory
                        .way(way)
                        .is_anothers(place.fingerprint, host.now)
                    {
                        self.evicted = self.evicted.saturating_add(1);
                    }
                    let holding = Holding {
                        set: place.set,
                        ways: Ways::one(way),
                        generation,
                    };
                    return Ok((way, holding));
                }
                Err(WhyNot::Contended) => {}
                Err(why) => return Err(why),
            }
        }
        Err(WhyNot::Contended)
    }

    /// Removes the entry of one key.
    pub fn remove(
        &mut self,
        kv: &dyn SharedKv,
        gauge: &dyn ByteGauge,
        key: &Key,
        now: Timestamp,
    ) -> Removed {
        let host = Host::new(kv, gauge, now);
        for _ in 0..TRIES {
            match self.try_remove(&host, key) {
                Ok(removed) => return removed,
                Err(WhyNot::Contended) => {}
                // Whatever was taken from this worker meanwhile was emptied by it or by those who took it.
                Err(why) => return Removed::Failed(why),
            }
        }
        Removed::Failed(WhyNot::Contended)
    }

    fn try_remove(&mut self, host: &Host<'_>, key: &Key) -> Result<Removed, WhyNot> {
        self.join(host)?;
        let place = self.life()?.place(key.digest());
        let before = self.snapshot(host, place.set)?;
        let ways = before.directory.ways_where(
            |way| matches!(way, Way::Published(entry) if entry.fingerprint == place.fingerprint),
        );
        if ways.is_empty() {
            return Ok(Removed::Absent);
        }
        self.empty(host, place.set, &before, ways)?;
        Ok(Removed::Emptied)
    }
}

pub(super) fn read(kv: &dyn SharedKv, name: Name) -> Result<Option<Vec<u8>>, AbsentReason> {
    let cell = kv
        .get(name.as_str())
        .map_err(|KvError| AbsentReason::Failed)?;
    Ok(cell.map(|cell| cell.value))
}

/// The way that already is this key's, if a fill that started then may take it.
fn same_key(
    directory: &Directory,
    fingerprint: u32,
    started: Timestamp,
    host: &Host<'_>,
) -> Result<Option<usize>, WhyNot> {
    for (at, way) in directory.ways().iter().enumerate() {
        match way {
            Way::Published(entry) if entry.fingerprint == fingerprint => {
                if entry.is_current(host.now) && entry.started > started {
                    return Err(WhyNot::Newer);
                }
                return Ok(Some(at));
            }
            Way::Filling {
                claim,
                fingerprint: filling,
                ..
            } if *filling == fingerprint => {
                if claim.is_held(host.now) {
                    return Err(WhyNot::Busy);
                }
                return Ok(Some(at));
            }
            Way::Emptying(_) | Way::Filling { .. } | Way::Free | Way::Published(_) => {}
        }
    }
    Ok(None)
}
