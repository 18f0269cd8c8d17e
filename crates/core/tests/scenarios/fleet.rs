//! A fleet without a network: processes over one store, which says what it is told to say, or what it has.
//!
//! What is invalidated anywhere stands in one log. What one process has put into the store, another is given as if it had asked
//! for it now, unless something behind where the first one was in the log when it asked the origin covers it. Each play
//! says itself how far the processes follow.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use larder_core::entry::{Payload, encode_response};
use larder_core::epoch::{Currency, Invalidation, Stamped, Whereabouts};
use larder_core::exchange::{Candidate, Shareable};
use larder_core::fleet::{Consultation, Consulted, Contact, Fleet, Invitation, Patience, Standing};
use larder_core::key::{Key, KeyDigest};
use larder_core::time::Timestamp;

use crate::stage::Stage;

/// Caches everything for a minute, in a fleet of which ten seconds long nothing may be heard.
pub const FLEET: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}],
    "admin":{"cluster":"larder-admin","max_unsynced_seconds":10}}"#;

/// What the processes share.
#[derive(Debug, Default)]
pub struct Store {
    entries: RefCell<HashMap<KeyDigest, Shared>>,
    log: RefCell<Vec<Invalidation>>,
}

#[derive(Debug, Clone)]
struct Shared {
    started: Timestamp,
    expires: Timestamp,
    payload: Vec<u8>,
    /// How much of the log had been followed when the origin was asked for it.
    position: usize,
}

/// The fleet, as one process knows it.
#[derive(Debug)]
pub struct Port {
    store: Rc<Store>,
    side: Side,
    /// How much of the log had been followed when the origin was asked for what is put now.
    pub position: Cell<usize>,
    /// Whether there is a place in the process for what is found.
    pub has_room: Cell<bool>,
    pub invitation: Cell<Invitation>,
    pub contact: Cell<Contact>,
    standings: RefCell<HashMap<Vec<u8>, Standing>>,
    /// What it says next, whatever it has.
    sayings: RefCell<VecDeque<Saying>>,
    /// What it was asked, in order.
    asked: RefCell<Vec<Consultation>>,
}

/// Whose invalidations count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Those of a process with an order of its own.
    Another,
    /// Those of the process whose workers share the store.
    Same,
}

/// What the fleet is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// This.
    AtOnce(Consulted),
    /// Nothing yet: the request waits until the play goes on with it.
    Later,
    /// What it has.
    Truth,
}

impl Fleet for Port {
    fn invitation(&self, _: Timestamp) -> Invitation {
        self.invitation.get()
    }

    fn contact(&self, _: Timestamp) -> Contact {
        self.contact.get()
    }

    fn standing(&self, token: &[u8]) -> Standing {
        let standings = self.standings.borrow();
        standings.get(token).copied().unwrap_or(Standing::Unknown)
    }
}

impl Port {
    /// Another process's.
    pub fn of(store: &Rc<Store>) -> Rc<Self> {
        Self::on(Side::Another, store)
    }

    /// That of another worker of the same process.
    pub fn within(store: &Rc<Store>) -> Rc<Self> {
        Self::on(Side::Same, store)
    }

    fn on(side: Side, store: &Rc<Store>) -> Rc<Self> {
        Rc::new(Self {
            store: Rc::clone(store),
            side,
            position: Cell::new(0),
            has_room: Cell::new(true),
            invitation: Cell::new(Invitation::Open),
            contact: Cell::new(Contact::Kept),
            standings: RefCell::default(),
            sayings: RefCell::default(),
            asked: RefCell::default(),
        })
    }

    /// It says these next, one after the other.
    pub fn says(&self, sayings: &[Saying]) {
        self.sayings.borrow_mut().extend(sayings);
    }

    /// What became of the write with this token.
    pub fn stands(&self, token: &str, standing: Standing) {
        let mut standings = self.standings.borrow_mut();
        standings.insert(token.as_bytes().to_vec(), standing);
    }

    /// How it was asked since this was asked last, and in order.
    pub fn asked(&self) -> Vec<Patience> {
        let asked = self.asked.take();
        asked.iter().map(|asked| asked.patience).collect()
    }

    /// What was stored, for the others.
    pub fn put(&self, candidate: &Candidate) {
        if let Shareable::Since(_) = candidate.shareable {
            let shared = Shared {
                started: candidate.started,
                expires: candidate.expires,
                payload: candidate.payload.clone(),
                position: self.position.get(),
            };
            let mut entries = self.store.entries.borrow_mut();
            entries.insert(candidate.key.digest(), shared);
        }
    }

    /// What was invalidated, for the others.
    pub fn post(&self, invalidation: Invalidation) {
        self.store.log.borrow_mut().push(invalidation);
    }
}

impl Store {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// What was invalidated, in order.
    pub fn log(&self) -> Vec<Invalidation> {
        self.log.borrow().clone()
    }

    /// What stands under this key, unless it has been invalidated since.
    fn current(&self, key: &Key) -> Option<Shared> {
        let shared = self.entries.borrow().get(&key.digest()).cloned()?;
        if let Payload::Response(response) = Payload::decode(&shared.payload).unwrap() {
            let stamped = Stamped {
                epoch: response.meta.epoch,
                stamps: response.stamps,
                key,
                whereabouts: Whereabouts::Shared,
            };
            let log = self.log.borrow();
            let mut since = log.iter().skip(shared.position);
            if since.any(|one| one.coverage.compile().unwrap().covers(stamped)) {
                return None;
            }
        }
        Some(shared)
    }
}

/// A process of a new fleet.
pub fn member(configuration: &str) -> (Stage, Rc<Port>) {
    member_of(&Rc::default(), configuration)
}

/// Another process of this fleet.
pub fn member_of(store: &Rc<Store>, configuration: &str) -> (Stage, Rc<Port>) {
    let (mut stage, port) = (Stage::new(configuration), Port::of(store));
    stage.join(&port);
    (stage, port)
}

impl Stage {
    /// It asks its fleet; what that says, or what is still asked where it says nothing now.
    pub fn consult(&mut self, asked: Consultation) -> Result<Consulted, Consultation> {
        let port = self.port();
        port.asked.borrow_mut().push(asked.clone());
        let saying = port.sayings.borrow_mut().pop_front();
        match saying.unwrap_or(Saying::Truth) {
            Saying::AtOnce(consulted) => Ok(consulted),
            Saying::Later => Err(asked),
            Saying::Truth => Ok(self.fetch(&asked.key)),
        }
    }

    /// What the fleet has under this key comes here.
    pub fn fetch(&mut self, key: &Key) -> Consulted {
        let port = self.port();
        let Some(shared) = port.store.current(key) else {
            return Consulted::Absent;
        };
        match self.imported(port.side, key, &shared.payload) {
            None => Consulted::Absent,
            Some(payload) if !port.has_room.get() => {
                self.lent = Some((key.digest(), payload));
                Consulted::Lent
            }
            Some(payload) => {
                self.import(key, (shared.started, shared.expires), &payload);
                Consulted::Found
            }
        }
    }

    /// What was put there, as it is stored here, if nothing has ended it.
    fn imported(&self, side: Side, key: &Key, payload: &[u8]) -> Option<Vec<u8>> {
        let Payload::Response(mut response) = Payload::decode(payload).unwrap() else {
            return Some(payload.to_vec());
        };
        let epochs = self.log();
        let now = epochs.now();
        match side {
            Side::Another => response.meta.epoch = now,
            Side::Same => {
                let stamped = Stamped {
                    epoch: response.meta.epoch,
                    stamps: response.stamps,
                    key,
                    whereabouts: Whereabouts::Aside(response.meta.epoch),
                };
                if epochs.judge(stamped) != Currency::Current {
                    return None;
                }
            }
        }
        encode_response(&response)
    }
}
