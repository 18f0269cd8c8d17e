//! A worker without a host, whose calls to the shared cells are counted.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_core::config::Config;
use larder_core::entry::Epoch;
use larder_core::epoch::{Currency, Epochs, Stamped};
use larder_core::exchange::{
    Answer, Arrival, Arriving, CaptureBudget, Effect, Event, Exchange, HeadSize, HotTier,
    ResponseBody, Step, Surpluses, Surroundings, Verdict,
};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Key, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::tier::{
    AbsentReason, Candidate, Cas, Cell, ChangeHint, EpochLog, Geometry, KvError, Lookup,
    MemoryGauge, SetError, SharedKv, SharedTier, UNCONCERNED,
};
use larder_core::time::Timestamp;

use super::KIB;

#[derive(Debug)]
struct Log {
    kv: Rc<Cells>,
    log: RefCell<EpochLog>,
}

/// A hint that never moves: nothing is invalidated here.
struct Still;

impl ChangeHint for Still {
    fn read(&self) -> Option<u64> {
        Some(1)
    }

    fn advance(&self) {}
}

impl Epochs for Log {
    fn now(&self) -> Epoch {
        self.log.borrow_mut().now(&*self.kv, &Still)
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        self.log.borrow_mut().judge(&*self.kv, stored)
    }
}

/// What the proxy says of every response.
struct Upstream;

impl Attributes for Upstream {
    fn attribute(&self, _path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(Some(b"via_upstream".to_vec()))
    }
}

/// Shared cells, with every call counted.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: RefCell<HashMap<String, Cell>>,
    last: StdCell<u32>,
    pub(super) calls: AtomicU64,
}

impl SharedKv for Cells {
    fn get(&self, name: &str) -> Result<Option<Cell>, KvError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(self.cells.borrow().get(name).cloned())
    }

    fn set(&self, name: &str, value: &[u8], expected: Cas) -> Result<(), SetError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut cells = self.cells.borrow_mut();
        self.last.set(self.last.get() + 1);
        let cas = Cas::from_raw(self.last.get());
        let found = cells.get_mut(name);
        let value = value.to_vec();
        match found {
            Some(cell) if expected != Cas::UNCONDITIONAL && expected != cell.cas => {
                return Err(SetError::Lost);
            }
            Some(cell) => *cell = Cell { value, cas },
            None => drop(cells.insert(name.to_owned(), Cell { value, cas })),
        }
        Ok(())
    }
}

/// A worker without a host.
pub(super) struct Worker {
    surroundings: Rc<Surroundings>,
    hot: Rc<HotTier>,
    pub(super) kv: Rc<Cells>,
    gauge: MemoryGauge,
    tier: RefCell<SharedTier>,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    Replied(u16),
    Stored,
}

impl Worker {
    pub(super) fn new(config: &str, max_bytes: u64, hot_bytes: usize) -> Self {
        let config = Rc::new(Config::parse(config.as_bytes()).unwrap());
        let kv = Rc::new(Cells::default());
        let log = Log {
            kv: Rc::clone(&kv),
            log: RefCell::new(EpochLog::new(7, 4096)),
        };
        let hot = HotTier::new(hot_bytes, 3);
        Self {
            surroundings: Surroundings::new(
                Rc::clone(&config),
                CaptureBudget::new(config.limits.capture_bytes),
                Rc::new(log),
                Surpluses::new(),
                Rc::clone(&hot),
            ),
            hot,
            kv,
            gauge: MemoryGauge::default(),
            tier: RefCell::new(SharedTier::new(Geometry::clamped(8192), max_bytes, 5)),
        }
    }

    /// One exchange, as the filter drives it.
    pub(super) fn exchange(
        &self,
        request: &[u8],
        response: &[u8],
        body: &[u8],
        now: Timestamp,
    ) -> End {
        let mut exchange = Exchange::new(Rc::clone(&self.surroundings));
        let arrival = Arrival {
            headers: Headers::from_pairs(request.to_vec()).unwrap(),
            body: RequestBody::None,
            attributes: &Upstream,
        };
        let step = exchange.on(Event::Request(arrival), now);
        if let Some(status) = self.obey(&mut exchange, step, now) {
            return End::Replied(status);
        }
        let end = |stored| if stored { End::Stored } else { End::Passed };
        let mut stored = false;
        if exchange.wants_response() {
            let arriving = Arriving {
                headers: match exchange.reads_response() {
                    true => Headers::from_pairs(response.to_vec()).unwrap(),
                    false => Headers::new(),
                },
                body: ResponseBody::Follows,
                attributes: &Upstream,
            };
            let step = exchange.on(Event::Response(arriving), now);
            stored |= self.carry_out(step.effects, now);
        }
        for chunk in body.chunks(16 * KIB) {
            if exchange.wanted_body().is_none() {
                return end(stored);
            }
            let chunk = chunk.to_vec();
            let step = exchange.on(Event::Chunk(&chunk), now);
            stored |= self.carry_out(step.effects, now);
        }
        let step = exchange.on(Event::ResponseEnded, now);
        stored |= self.carry_out(step.effects, now);
        end(stored)
    }

    fn obey(&self, exchange: &mut Exchange, step: Step<'_>, now: Timestamp) -> Option<u16> {
        let replied = match step.verdict {
            Verdict::Continue => None,
            Verdict::Lookup(key) => self.look_up(exchange, &key, now),
            Verdict::Reply(reply) => {
                black_box((&reply.pairs, &reply.body, reply.details));
                let size = size_of(&reply.pairs, reply.status, reply.body.len());
                let status = reply.status;
                self.carry_out(step.effects, now);
                let step = exchange.on(Event::Returned(size), now);
                assert!(matches!(step.verdict, Verdict::Continue));
                self.carry_out(step.effects, now);
                return Some(status);
            }
            Verdict::Compose(_)
            | Verdict::Consult(_)
            | Verdict::Hold
            | Verdict::Inspect
            | Verdict::Manage(_)
            | Verdict::Park(_) => {
                panic!("not in this play")
            }
        };
        self.carry_out(step.effects, now);
        replied
    }

    fn look_up(&self, exchange: &mut Exchange, key: &Key, now: Timestamp) -> Option<u16> {
        let found = self.tier.borrow_mut().lookup(&*self.kv, key, now);
        let answer = match &found {
            Lookup::Absent(AbsentReason::Expired) => Answer::Absent, // the misses here are plain ones
            Lookup::Absent(_) => Answer::Absent,
            Lookup::Found(found) => Answer::Found(found.payload()),
        };
        let step = exchange.on(Event::Answer(answer), now);
        self.obey(exchange, step, now)
    }

    /// Whether something was stored.
    fn carry_out(&self, effects: Vec<Effect>, now: Timestamp) -> bool {
        let mut stored = false;
        for effect in effects {
            if let Effect::Store(candidate) = &effect {
                let entry = Candidate {
                    key: &candidate.key,
                    started: candidate.started,
                    expires: candidate.expires,
                    payload: &candidate.payload,
                    currency: UNCONCERNED,
                };
                self.tier
                    .borrow_mut()
                    .store(&*self.kv, &self.gauge, entry, now);
                self.hot.note_store(&candidate.key);
                stored = true;
            }
            black_box(effect);
        }
        stored
    }
}

/// The size of a reply's head as the proxy makes it.
fn size_of(pairs: &[u8], status: u16, body: usize) -> HeadSize {
    let count = u32::from_le_bytes(*pairs.first_chunk().unwrap()) as usize;
    let content = pairs.len() - 4 - count * 10;
    let mut size = HeadSize {
        lines: count + 1,
        bytes: content + ":status".len() + 3,
    };
    if body > 0 {
        let digits = body.ilog10() as usize + 1;
        size.lines += 1;
        size.bytes += "content-length".len() + digits;
    }
    black_box(status);
    size
}
