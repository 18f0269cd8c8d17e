//! What one process has fetched, for the others; and what another has, for this one.
//!
//! What is stored here goes to the service too, with how far the fleet's log had been followed when its request was sent: so the
//! service knows what has ended it. What comes from there is judged here once more, in this process's own order.

use std::rc::Rc;

use larder_core::config::{Admin, Switch};
use larder_core::entry::{Epoch, Payload};
use larder_core::epoch::Currency;
use larder_core::exchange::{Candidate, Provenance, Shareable};
use larder_core::fleet::Cursor;
use larder_core::key::{Key, KeyDigest};
use larder_core::report::{FleetOp, FleetResult};
use larder_core::tier::{Lookup, Stored, WhyNot};
use larder_core::time::Timestamp;
use larder_core::wire::{Frame, FrameError};

use super::consult::{Lead, entry_path};
use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison, earlier, milliseconds_between};
use crate::worker::Worker;

/// So many bytes of one entry go through the fleet.
const MOST_BYTES: usize = 4 << 20;
/// So many bytes are under way at once ...
const MOST_UNDER_WAY: usize = 16 << 20;
/// ... in so many calls.
const MOST_CALLS: usize = 64;
/// The service has so many milliseconds to take an entry.
const PATIENCE: u32 = 2000;

/// What one step of an exchange has stored, for the others.
#[derive(Default)]
pub(crate) struct Parcel {
    items: Vec<Item>,
    /// That of the request that fetched it.
    epoch: Option<Epoch>,
}

struct Item {
    digest: KeyDigest,
    frame: Vec<u8>,
    keep_ms: u64,
    /// How long ago it was asked for.
    asked_ms: u64,
}

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) enum Expected<'a> {
    /// The entry with this digest.
    Digest(KeyDigest),
    /// That under this key.
    Key(&'a Rc<Key>),
}

/// What another process has fetched, as it is here.
pub(crate) struct Brought {
    pub(crate) key: Rc<Key>,
    pub(crate) payload: Vec<u8>,
}

impl Parcel {
    /// Adds what became this here, where there is a fleet that it is shared with.
    #[inline]
    pub(crate) fn add(
        &mut self,
        liaison: &Liaison,
        candidate: &Candidate,
        stored: Stored,
        now: Timestamp,
    ) {
        if stored == Stored::Published && liaison.is_there() {
            self.put_in(liaison, candidate, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_in(&mut self, liaison: &Liaison, candidate: &Candidate, now: Timestamp) {
        if let Shareable::Since(epoch) = candidate.shareable
            && liaison.is_sharing()
            && !liaison.is_shut.get()
        {
            let times = (candidate.started, candidate.expires);
            self.pack((&candidate.key, times, &candidate.payload), epoch, now);
        }
    }

    fn pack(
        &mut self,
        (key, times, payload): (&Key, (Timestamp, Timestamp), &[u8]),
        epoch: Epoch,
        now: Timestamp,
    ) {
        if payload.len() > MOST_BYTES {
            return;
        }
        self.epoch = Some(epoch);
        if let Some(frame) = Frame::encode(now, key, times, payload) {
            self.items.push(Item {
                digest: key.digest(),
                frame,
                keep_ms: milliseconds_between(now, times.1),
                asked_ms: milliseconds_between(times.0, now),
            });
        }
    }
}

impl Liaison {
    pub(super) fn is_sharing(&self) -> bool {
        let admin = self.admin();
        admin.is_some_and(|admin| admin.share_entries == Switch::On && admin.secret.is_some())
    }

    /// Sends what was stored, and ends the lead that it was fetched with.
    #[inline]
    pub(crate) fn share(
        &self,
        worker: &Worker,
        parcel: Parcel,
        lead: Option<Lead>,
        now: Timestamp,
    ) {
        if lead.is_some() || !parcel.items.is_empty() {
            self.send_off(worker, parcel, lead, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn send_off(&self, worker: &Worker, parcel: Parcel, mut lead: Option<Lead>, now: Timestamp) {
        let cursor = parcel.epoch.and_then(|epoch| self.cursor_at(epoch));
        if let (Some(cursor), Some(admin)) = (cursor, self.admin()) {
            let last = parcel.items.len().saturating_sub(1);
            for (place, item) in parcel.items.into_iter().enumerate() {
                let ended = lead.as_ref().filter(|_| place == last);
                let is_sent = self.put((worker, &admin), &item, (cursor, ended), now);
                if is_sent && place == last {
                    lead = None;
                }
            }
        }
        if let Some(lead) = lead {
            self.release(lead, now);
        }
    }

    /// What stands under a key was compressed: in that form it is shared from now on.
    #[cold]
    #[inline(never)]
    pub(crate) fn share_again(&self, worker: &Worker, key: &Key, now: Timestamp) {
        if !self.is_sharing() || self.is_shut.get() {
            return;
        }
        if let Lookup::Found(found) = worker.lookup(key, now)
            && let Ok(Payload::Response(response)) = Payload::decode(found.payload())
        {
            let mut parcel = Parcel::default();
            let times = (found.started, found.expires);
            parcel.pack((key, times, found.payload()), response.meta.epoch, now);
            self.send_off(worker, parcel, None, now);
        }
    }

    fn put(
        &self,
        (worker, admin): (&Worker, &Admin),
        item: &Item,
        (cursor, ended): (Cursor, Option<&Lead>),
        now: Timestamp,
    ) -> bool {
        let bytes = item.frame.len();
        if !self.has_room(bytes) || self.is_shut.get() {
            worker.count_fleet(FleetOp::Put, FleetResult::Busy);
            return false;
        }
        let (path, cursor) = (entry_path(item.digest), cursor.to_string());
        let (keep, asked) = (item.keep_ms.to_string(), item.asked_ms.to_string());
        let fence = ended.map(|lead| lead.fence.to_string());
        let mut fields = vec![
            ("content-type", "application/octet-stream"),
            ("larder-cursor", cursor.as_str()),
            ("larder-keep-ms", keep.as_str()),
            ("larder-asked-ms", asked.as_str()),
        ];
        let release;
        if let (Some(lead), Some(fence)) = (ended, &fence) {
            release = [&lead.digest.to_string(), ".", fence].concat();
            fields.push(("larder-release", release.as_str()));
            if lead.digest == item.digest {
                fields.push(("larder-fence", fence));
            }
        }
        let letter = Letter {
            method: "PUT",
            path: &path,
            fields: &fields,
            body: &item.frame,
            patience: PATIENCE,
        };
        self.send(admin, &letter, Errand::Share(bytes), now)
            .is_some()
    }

    fn has_room(&self, more: usize) -> bool {
        let Ok(calls) = self.calls.try_borrow() else {
            return false;
        };
        let (mut count, mut bytes) = (0_usize, more);
        for call in calls.iter() {
            if let Errand::Share(size) = call.errand {
                count = count.saturating_add(1);
                bytes = bytes.saturating_add(size);
            }
        }
        count < MOST_CALLS && bytes <= MOST_UNDER_WAY
    }

    /// An entry has come, which is to have a body of at most so many bytes: whether it is in the shared tier now, or where it could
    /// not be put there, the entry.
    pub(super) fn take_in(
        &self,
        worker: &Worker,
        (expected, most): (Expected<'_>, usize),
        said: &Said,
        now: Timestamp,
    ) -> Result<Option<Brought>, FleetResult> {
        let bytes = said.body(MOST_BYTES).ok_or(FleetResult::Error)?;
        let frame = Frame::decode(&bytes).map_err(|error| match error {
            FrameError::Version => FleetResult::Version,
            FrameError::Checksum
            | FrameError::Entry(_)
            | FrameError::Invalid
            | FrameError::Truncated => FleetResult::Error,
        })?;
        let key = match expected {
            Expected::Key(key) if frame.key() == **key => Rc::clone(key),
            Expected::Digest(digest) if frame.digest() == digest => Rc::new(frame.key()),
            Expected::Digest(_) | Expected::Key(_) => return Err(FleetResult::Error),
        };
        if frame.body_len() > most {
            return Err(FleetResult::Error);
        }
        let cursor = said.head.only("larder-cursor").and_then(Cursor::parse);
        let epoch = cursor.and_then(|cursor| self.epoch_at(cursor));
        let epoch = epoch.ok_or(FleetResult::Miss)?; // nobody can say what has ended it
        let age = said.number("larder-age-ms").ok_or(FleetResult::Error)?;
        let imported = frame.import(earlier(now, age), epoch);
        let imported = imported.ok_or(FleetResult::Busy)?;
        let candidate = Candidate {
            key,
            started: imported.started,
            expires: imported.expires,
            payload: imported.payload,
            provenance: imported.stamps.map(|stamps| Provenance {
                epoch,
                stamps,
                judged: epoch,
            }),
            shareable: Shareable::Here, // it is there
        };
        match worker.store(&candidate, now) {
            Stored::Published => return Ok(None),
            // What stands here is younger: it is what the request is to see.
            Stored::Skipped(WhyNot::Newer) => return Ok(None),
            Stored::Skipped(_) => {}
        }
        // What is looked at is judged as what stands in the tier, where patterns that were retired since have been carried out.
        match candidate.judge(worker) {
            Currency::Current | Currency::Softened { .. } => Ok(Some(Brought {
                key: candidate.key,
                payload: candidate.payload,
            })),
            Currency::Gone | Currency::Invalidated => Err(FleetResult::Miss),
        }
    }

    /// What became of an entry that was sent.
    pub(super) fn shared(&self, worker: &Worker, answer: &Result<Said, Trouble>) {
        // One that was fetched later stands there: as good.
        let result = self.result_of(answer, |said| match said.status {
            204 | 200 | 409 => FleetResult::Ok,
            413 => FleetResult::Busy,
            _ => FleetResult::Error,
        });
        worker.count_fleet(FleetOp::Put, result);
    }
}
