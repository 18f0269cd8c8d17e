//! Responses that a client would rather have had in gzip, and their compression: later, on the worker's tick, a bounded
//! step at a time, while no client waits for it.
//!
//! They are found by their hits, so what nobody asks for twice, or nobody wants in gzip, is never compressed. Nothing of a
//! response is kept until its turn comes; then it is read from the tier anew, and stored there in place of itself, under the
//! same times and with the same position among the invalidations. So a younger response is never replaced
//! ([`SharedTier::store`]), an invalidation in between covers it like the one before, also one that was carried out while it
//! was out of the tier, and what has left the tier meanwhile does not come back.
//!
//! Several workers may do the same work at once. That costs only the work: whoever comes second finds it done, or stores the
//! same again.

use std::collections::VecDeque;
use std::rc::Rc;

use super::budget::{CaptureBudget, Hold};
use super::step::Provenance;
use crate::config::Share;
use crate::entry::{Coding, Meta, Payload, StoredResponse, TagList, encode_response};
use crate::epoch::{Currency, Epochs};
use crate::key::Key;
use crate::tier::{ByteGauge, Candidate, Found, Lookup, SharedKv, SharedTier, Stored};
use crate::time::Timestamp;
use crate::transform::{Compressor, Progress, Unfinished};

/// How many bytes a step takes in: about 20 µs of the worker's time a KiB, so one or two milliseconds.
const STEP_BYTES: usize = 64 << 10;
/// What it costs to begin with another response, or to find that there is nothing to begin with, in such bytes.
const BEGINNING: usize = 4 << 10;
/// To read a response from the tier, or to write it there, costs as much as to compress so small a part of it.
const COPIES: usize = 16;
/// No longer body is compressed: it is read, and written, in one call.
pub(super) const LONGEST: usize = 4 << 20;
/// More wishes are not noted; the next hit will say it again.
const MAX_WISHES: usize = 64;

/// The wish for a stored response in gzip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// Under which key it stands.
    pub key: Rc<Key>,
    /// What has to be saved of it.
    pub min_saving: Share,
}

/// A worker's compressions, noted and under way.
#[derive(Debug)]
pub struct Compressions {
    budget: Rc<CaptureBudget>,
    wishes: VecDeque<(Compress, Hold)>,
    job: Option<Job>,
    /// Made when it is first needed, and kept: it is as large as its tables.
    compressor: Option<Compressor>,
}

/// What a step has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    /// The keys of responses that now stand in gzip.
    pub stored: Vec<Rc<Key>>,
    /// The bytes of their bodies before.
    pub input_bytes: u64,
    /// The bytes of them that this saves.
    pub saved_bytes: u64,
    /// Responses that stay as they came, since it would not save enough.
    pub wasted: u32,
}

/// A response that is being compressed.
#[derive(Debug)]
struct Job {
    key: Rc<Key>,
    response: Owned,
    begun: Unfinished,
    _hold: Hold,
}

/// A stored response that has left its slot's bytes behind.
#[derive(Debug)]
struct Owned {
    meta: Meta,
    started: Timestamp,
    expires: Timestamp,
    status: u16,
    provenance: Provenance,
    tags: TagList,
    pairs: Vec<u8>,
    body: Vec<u8>,
}

/// What is stored and read with.
struct Shared<'a> {
    tier: &'a mut SharedTier,
    kv: &'a dyn SharedKv,
    gauge: &'a dyn ByteGauge,
    epochs: &'a dyn Epochs,
    now: Timestamp,
}

impl Compressions {
    /// None yet. What they keep is taken from this budget.
    pub fn new(budget: Rc<CaptureBudget>) -> Self {
        Self {
            budget,
            wishes: VecDeque::new(),
            job: None,
            compressor: None,
        }
    }

    /// Notes a wish, unless it is noted already or there is no room.
    pub fn note(&mut self, wish: Compress) {
        let is_known = self.wishes.iter().any(|(other, _)| other.key == wish.key)
            || self.job.as_ref().is_some_and(|job| job.key == wish.key);
        if is_known || self.wishes.len() >= MAX_WISHES {
            return;
        }
        if let Ok(hold) = Hold::of(&self.budget, wish.key.canonical().len()) {
            self.wishes.push_back((wish, hold));
        }
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.wishes.is_empty() && self.job.is_none()
    }

    /// Takes a bounded step.
    pub fn step(
        &mut self,
        (tier, kv): (&mut SharedTier, &dyn SharedKv),
        gauge: &dyn ByteGauge,
        epochs: &dyn Epochs,
        now: Timestamp,
    ) -> Compressed {
        let mut shared = Shared {
            tier,
            kv,
            gauge,
            epochs,
            now,
        };
        let mut result = Compressed::default();
        let mut room = STEP_BYTES;
        while room > 0 && !self.is_idle() {
            let job = match self.job.take() {
                Some(job) => Some(job),
                None => {
                    let (job, read) = self.next_job(&mut shared);
                    room = room.saturating_sub(BEGINNING.saturating_add(read / COPIES));
                    job
                }
            };
            if let Some(job) = job {
                let length = job.response.body.len();
                let read = length.min(room.max(1));
                room = room.saturating_sub(read);
                self.advance(job, read, &mut shared, &mut result);
                if self.job.is_none() {
                    room = room.saturating_sub(length / COPIES);
                }
            }
        }
        result
    }

    /// The next response, if there is room for it, and how many bytes were read to find that out.
    fn next_job(&mut self, shared: &mut Shared<'_>) -> (Option<Job>, usize) {
        let Some((wish, _hold)) = self.wishes.pop_front() else {
            return (None, 0);
        };
        let Lookup::Found(found) = shared.tier.lookup(shared.kv, &wish.key, shared.now) else {
            return (None, 0);
        };
        let read = found.payload().len();
        (self.begin(&wish, &found, shared.epochs), read)
    }

    fn begin(&mut self, wish: &Compress, found: &Found, epochs: &dyn Epochs) -> Option<Job> {
        // All of it is copied, and the copy in gzip is less.
        let most = found.payload().len().saturating_mul(2);
        let hold = Hold::of(&self.budget, most).ok()?;
        let response = Owned::of(found, epochs)?;
        match response.provenance.judge(&wish.key, epochs) {
            Currency::Current | Currency::Softened { .. } => {}
            Currency::Gone | Currency::Invalidated => return None,
        }
        let length = response.body.len();
        let room = length.saturating_sub(wish.min_saving.of(length).saturating_add(1));
        if self.compressor.is_none() {
            self.compressor = Compressor::new();
        }
        let begun = self.compressor.as_mut()?.begin(room)?;
        Some(Job {
            key: Rc::clone(&wish.key),
            response,
            begun,
            _hold: hold,
        })
    }

    fn advance(
        &mut self,
        job: Job,
        budget: usize,
        shared: &mut Shared<'_>,
        result: &mut Compressed,
    ) {
        let Some(compressor) = &mut self.compressor else {
            return; // it was there when the job began
        };
        let response = job.response;
        match compressor.step(job.begun, &response.body, budget) {
            Progress::Begun(begun) => {
                self.job = Some(Job {
                    response,
                    begun,
                    ..job
                });
            }
            Progress::Done(member) => {
                let length = response.body.len();
                let coding = Coding::Gzip { length };
                if shared.store(&job.key, &response, coding, &member) {
                    result.stored.push(job.key);
                    let input = u64::try_from(length).unwrap_or(u64::MAX);
                    result.input_bytes = result.input_bytes.saturating_add(input);
                    let saved = length.saturating_sub(member.len());
                    let saved = u64::try_from(saved).unwrap_or(u64::MAX);
                    result.saved_bytes = result.saved_bytes.saturating_add(saved);
                }
            }
            Progress::Wasted => {
                // Stored as what need not be tried again.
                let body = &response.body;
                shared.store(&job.key, &response, Coding::AsReceived, body);
                result.wasted = result.wasted.saturating_add(1);
            }
        }
    }
}

impl Owned {
    /// A copy of the response, if it still wants to be compressed.
    fn of(found: &Found, epochs: &dyn Epochs) -> Option<Self> {
        let Ok(Payload::Response(stored)) = Payload::decode(found.payload()) else {
            return None;
        };
        if stored.coding != Coding::Compressible || stored.body.len() > LONGEST {
            return None;
        }
        Some(Self {
            meta: stored.meta,
            started: found.started,
            expires: found.expires,
            status: stored.status,
            provenance: Provenance {
                epoch: stored.meta.epoch,
                stamps: stored.stamps.iter().collect(),
                judged: epochs.now(), // it is, next
            },
            tags: stored.tags.to_list()?,
            pairs: copied(stored.pairs)?,
            body: copied(stored.body)?,
        })
    }
}

impl Shared<'_> {
    /// Puts the response in its own place, in this form; whether it stands there now.
    fn store(&mut self, key: &Key, response: &Owned, coding: Coding, body: &[u8]) -> bool {
        let stored = StoredResponse {
            meta: response.meta,
            status: response.status,
            stamps: response.provenance.stamps.as_stamps(),
            tags: response.tags.as_names(),
            pairs: &response.pairs,
            coding,
            body,
        };
        let Some(payload) = encode_response(&stored) else {
            return false;
        };
        let epochs = self.epochs;
        let is_there = self.tier.holds(self.kv, key, response.started, self.now);
        let candidate = Candidate {
            key,
            started: response.started,
            expires: response.expires,
            payload: &payload,
            currency: &|| response.provenance.judge(key, epochs),
        };
        is_there && self.tier.store(self.kv, self.gauge, candidate, self.now) == Stored::Published
    }
}

/// A copy; `None` where there is no memory for it.
fn copied(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).ok()?;
    copy.extend_from_slice(bytes);
    Some(copy)
}
