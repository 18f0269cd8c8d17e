//! Who asks the origin for what, where every worker sees it ([`crate::flight`]).
//!
//! A key belongs to one of 1,024 cells ([`cell`]), which changes only by compare-and-set. A flight is a record there: who leads,
//! from which place in the order of invalidations on, until when at most, and on which workers somebody follows.
//!
//! ```text
//! join      no flight in force: take the lead     in force, elsewhere: note that this worker follows     one read, one write
//! join      in force, and it is noted already, or led on this worker                                     one read
//! land      forget it, or leave what was learned                                                         one read, one write
//! ```
//!
//! **Nobody waits for nothing.** Whoever was told to wait had its worker noted in the record before, so whoever takes the record
//! away reads who has to be woken. Who takes a flight over takes those over that follow it, and the worker that led it, on which
//! somebody may wait without a note. Where a record was lost, its leader wakes everybody. A leader that never lands leaves a
//! record that runs out, and those that wait have a time of their own ([`crate::exchange::Lot`]).
//!
//! **A flight is not in force** when its time is over, when its time lies further ahead than any that is given, or when
//! something that covers its key has been invalidated since it began: what it brings is of no use to who asks now. Then the
//! newcomer takes it over. When the former leader lands after all, everybody looks again.
//!
//! Everything fails soft: cells of another incarnation are empty, damaged ones too, and where a cell cannot be changed, or is
//! full of flights, the request goes by itself.

mod cell;
mod landing;
mod signal;

use md5::{Digest, Md5};

use crate::entry::StampList;
use crate::epoch::{Currency, Epochs, Stamped, Whereabouts};
use crate::exchange::Wake;
use crate::flight::{Alone, Joined, Landing, Purpose, Token, Wish};
use crate::key::KeyDigest;
use crate::time::{Seconds, Timestamp};

use super::claim::Host;
use super::incarnation::Incarnation;
use super::kv::{ByteGauge, Cas, KvError, SetError, SharedKv};
use super::lease::Lease;
use super::name::Name;
use super::shared::SharedTier;
use cell::{Cell, Kind, Lead, Record};
use landing::{Cleared, clear};

pub use cell::Workers;
pub use signal::Signal;

const CELLS: u32 = 1024;

/// Every lost compare-and-set is another worker's success, and when a crowd comes each of them has one.
const TRIES: usize = 64;

/// A slow origin is not asked again while somebody may still wait for it behind a client's back: longer than any such request takes.
const LONGEST_REFRESH: Seconds = Seconds::clamped(40);

/// A worker that has an id, in one life of the cells.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    life: Incarnation,
    holder: u32,
}

/// Whether a worker can be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It cannot: nobody waits there.
    Out,
    /// It can.
    Within,
}

/// What a landing asks for: on the worker itself in any case, and on those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed {
    /// What becomes of those that wait.
    pub wake: Wake,
    /// On which other workers.
    pub whom: Whom,
}

/// The workers on which somebody may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All that live.
    Everybody,
    /// Those.
    These(Workers),
}

/// One worker's part in the flights of a process.
#[derive(Debug)]
pub struct FlightTable {
    number: u32,
}

impl SharedTier {
    /// This worker, with an id, which it takes if it has none; `None` where there is none to be had now.
    pub fn member(
        &mut self,
        (kv, gauge): (&dyn SharedKv, &dyn ByteGauge),
        now: Timestamp,
    ) -> Option<Member> {
        if self.lease.is_none() {
            self.join(&Host::new(kv, gauge, now)).ok()?;
        }
        self.membership()
    }

    /// This worker, while it has an id.
    pub fn membership(&self) -> Option<Member> {
        Some(Member {
            life: self.life?,
            holder: self.lease.as_ref()?.holder(),
        })
    }
}

impl Member {
    /// What nobody can know but those who share these cells: by it the workers of the process tell their own requests from
    /// those of clients.
    pub fn watchword(&self) -> [u8; 32] {
        let mut digest = Md5::new();
        digest.update(b"larder's own");
        for part in self.life.secret() {
            digest.update(part.to_le_bytes());
        }
        let mut word = [0; 32];
        for (digits, byte) in word.chunks_exact_mut(2).zip(digest.finalize()) {
            let hex =
                |nibble: u8| char::from_digit(nibble.into(), 16).map_or(b'0', |hex| hex as u8);
            digits.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        word
    }

    /// Its id, unique among the live workers of the process.
    pub fn worker(&self) -> u8 {
        (self.holder >> 24) as u8
    }

    /// The name of the queue through which the worker with this id is woken.
    pub fn queue(worker: u8) -> String {
        Name::queue(worker).as_str().to_owned()
    }

    /// All workers that live; none where nobody can say.
    pub fn everybody(&self, kv: &dyn SharedKv, now: Timestamp) -> Workers {
        let mut workers = Workers::NONE;
        for worker in Lease::live(kv, &self.life, now).unwrap_or_default() {
            workers.add(worker);
        }
        workers
    }

    pub(super) fn name(&self, digest: KeyDigest) -> Name {
        Name::flights(self.life.place(digest).fingerprint % CELLS)
    }

    fn read(&self, kv: &dyn SharedKv, digest: KeyDigest) -> Result<(Cell, Cas), SetError> {
        let cell = kv.get(self.name(digest).as_str());
        let Some(found) = cell.map_err(|KvError| SetError::Failed)? else {
            return Ok((Cell::default(), Cas::NEVER));
        };
        let records = match Cell::decode(&found.value) {
            _ if found.value.is_empty() => Cell::default(),
            Ok((life, cell)) if life == self.life.id => cell,
            // Of a life that is over, or is it ours that is?
            Ok(_) => match Incarnation::current(kv) {
                Ok(Some(current)) if current == self.life => Cell::default(),
                Ok(_) | Err(KvError) => return Err(SetError::Failed),
            },
            Err(_) => Cell::default(),
        };
        Ok((records, found.cas))
    }

    fn write(
        &self,
        kv: &dyn SharedKv,
        digest: KeyDigest,
        (cell, cas): (&Cell, Cas),
    ) -> Result<(), SetError> {
        kv.set(self.name(digest).as_str(), &cell.encode(self.life.id), cas)
    }
}

impl FlightTable {
    /// A worker that leads nothing. `seed` should differ from worker to worker.
    pub fn new(seed: u32) -> Self {
        Self { number: seed }
    }

    /// Takes the lead, for so long at most, or says why not.
    pub fn join(
        &mut self,
        kv: &dyn SharedKv,
        (member, reach): (&Member, Reach),
        wish: &Wish<'_>,
        (wait, epochs): (Seconds, &dyn Epochs),
        now: Timestamp,
    ) -> Joined {
        self.number = self.number.wrapping_add(1);
        let attempt = Attempt {
            kv,
            member,
            reach,
            wish,
            digest: wish.key.digest(),
            now,
        };
        let lead = Lead {
            holder: member.holder,
            number: self.number,
            epoch: wish.epoch,
            followers: Workers::NONE,
        };
        for _ in 0..TRIES {
            match attempt.run(lead, wait, epochs) {
                Ok(joined) => return joined,
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => break,
            }
        }
        Joined::Alone(Alone::Unavailable)
    }

    /// A flight has ended: who is to be woken. The clock is read where something is left behind.
    pub fn land(
        &self,
        kv: &dyn SharedKv,
        member: Option<&Member>,
        (token, landing): (&Token, Landing),
        clock: &dyn Fn() -> Timestamp,
    ) -> Option<Landed> {
        let wake = match landing {
            Landing::Abandoned | Landing::Stored => Wake::Look,
            Landing::Failed { .. } => Wake::Failed,
            Landing::Unshared { .. } => Wake::LetGo,
        };
        let cleared = member.map(|member| clear(kv, member, (token, landing), clock));
        let (wake, whom) = match cleared {
            None | Some(Cleared::Unknown) => (wake, Whom::Everybody),
            Some(Cleared::Own(followers)) => (wake, Whom::These(followers)),
            Some(Cleared::Another(workers)) if token.is_outside() => {
                (Wake::Look, Whom::These(workers))
            }
            Some(Cleared::Over) if token.is_outside() => return None,
            // Where its record went for want of room, nobody else knows who followed.
            Some(Cleared::Another(_) | Cleared::Over) => (Wake::Look, Whom::Everybody),
        };
        Some(Landed { wake, whom })
    }
}

/// One request's try to join.
struct Attempt<'a> {
    kv: &'a dyn SharedKv,
    member: &'a Member,
    reach: Reach,
    wish: &'a Wish<'a>,
    digest: KeyDigest,
    now: Timestamp,
}

impl Attempt<'_> {
    fn run(&self, mut lead: Lead, wait: Seconds, epochs: &dyn Epochs) -> Result<Joined, SetError> {
        let (mut cell, cas) = self.member.read(self.kv, self.digest)?;
        let purpose = self.wish.purpose;
        if let Some(record) = cell.find(self.digest).copied() {
            let is_in_force = record.is_in_force(self.now);
            match (record.kind, purpose) {
                (Kind::Flight(other), _)
                    if (is_in_force || self.may_be_refreshing(&record))
                        && !self.is_covered(&other, epochs) =>
                {
                    return self.follow(record, other, (cell, cas));
                }
                (Kind::Flight(other), _) => lead.followers = other.workers(),
                (Kind::Unshared, _) if is_in_force => return Ok(Joined::Alone(Alone::Unshared)),
                (Kind::Resting, Purpose::Refresh) if is_in_force => return Ok(Joined::Resting),
                (Kind::Resting | Kind::Unshared, _) => {}
            }
        }
        match purpose {
            Purpose::Follow => return Ok(Joined::Alone(Alone::Unled)),
            Purpose::Fill | Purpose::Refresh => {}
        }
        let record = Record {
            digest: self.digest,
            until: self.now.plus(wait),
            span: wait,
            kind: Kind::Flight(lead),
        };
        if cell.put(record, self.now).is_none() {
            return Ok(Joined::Alone(Alone::Unavailable));
        }
        self.member.write(self.kv, self.digest, (&cell, cas))?;
        Ok(Joined::Lead(Token {
            digest: self.digest,
            holder: lead.holder,
            number: lead.number,
        }))
    }

    /// Whether somebody still asks for what this would ask for too, although nobody waits so long for that.
    fn may_be_refreshing(&self, record: &Record) -> bool {
        self.wish.purpose == Purpose::Refresh && record.is_younger_than(LONGEST_REFRESH, self.now)
    }

    /// Somebody else leads.
    fn follow(
        &self,
        record: Record,
        mut lead: Lead,
        (mut cell, cas): (Cell, Cas),
    ) -> Result<Joined, SetError> {
        match (self.wish.purpose, self.reach) {
            (Purpose::Refresh, _) => return Ok(Joined::Behind),
            (Purpose::Fill | Purpose::Follow, Reach::Out) => {
                return Ok(Joined::Alone(Alone::Unavailable));
            }
            (Purpose::Fill | Purpose::Follow, Reach::Within) => {}
        }
        let worker = self.member.worker();
        // Under the same lease it is this worker itself, which hears of its own landings.
        if lead.holder != self.member.holder && !lead.followers.has(worker) {
            lead.followers.add(worker);
            let record = Record {
                kind: Kind::Flight(lead),
                ..record
            };
            if cell.put(record, self.now).is_none() {
                return Ok(Joined::Alone(Alone::Unavailable));
            }
            self.member.write(self.kv, self.digest, (&cell, cas))?;
        }
        Ok(Joined::Behind)
    }

    /// Whether something that covers the key has been invalidated between the beginning of a flight and this request.
    fn is_covered(&self, lead: &Lead, epochs: &dyn Epochs) -> bool {
        let (began, epoch) = (lead.epoch, self.wish.epoch);
        if began.log == epoch.log && began.position >= epoch.position {
            return false;
        }
        let stamps: StampList = (self.wish.stamps)().into_iter().collect();
        let judged = epochs.judge(Stamped {
            epoch: began,
            stamps: stamps.as_stamps(),
            key: self.wish.key,
            whereabouts: Whereabouts::Aside(began),
        });
        judged != Currency::Current
    }
}
