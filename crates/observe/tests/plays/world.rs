//! A worker that caches in memory, is watched, and whose clock we hold.

use std::cell::Cell;
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::entry::Epoch;
use larder_core::epoch::{Currency, Epochs, Stamped};
use larder_core::exchange::{
    Answer, Arrival, Arriving, CaptureBudget, Effect, Event, Exchange, HotTier, ResponseBody, Step,
    Surpluses, Surroundings, Verdict,
};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::tier::{Candidate, Geometry, Lookup, MemoryGauge, MemoryKv, SharedTier};
use larder_core::time::Timestamp;
use larder_observe::{Advice, Board, Observer, advise};
use serde_json::Value;

/// A worker that is watched.
pub struct World {
    pub document: Value,
    config: Rc<Config>,
    surroundings: Rc<Surroundings>,
    pub observer: Rc<Observer>,
    pub board: Board,
    pub kv: Rc<MemoryKv>,
    tier: SharedTier,
    log: Rc<Log>,
    pub now: u64,
    fetched: u64,
}

/// Says of everything what was said last.
#[derive(Debug)]
struct Log(Cell<Currency>);

impl Epochs for Log {
    fn now(&self) -> Epoch {
        Epoch::UNKNOWN
    }

    fn judge(&self, _: Stamped<'_>) -> Currency {
        self.0.get()
    }
}

/// What came came from the origin.
struct Upstream;

impl Attributes for Upstream {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(Some(b"via_upstream".to_vec()))
    }
}

/// What the origin says.
pub type Response<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

impl World {
    pub fn new(document: &str) -> Self {
        Self::over(Rc::new(MemoryKv::new()), document, 1)
    }

    /// Another worker of the process.
    pub fn another(&self) -> Self {
        Self::over(Rc::clone(&self.kv), &self.document.to_string(), 2)
    }

    fn over(kv: Rc<MemoryKv>, document: &str, worker: u64) -> Self {
        let config = Rc::new(Config::parse(document.as_bytes()).unwrap());
        let log = Rc::new(Log(Cell::new(Currency::Current)));
        let surroundings = Surroundings::new(
            Rc::clone(&config),
            CaptureBudget::new(1 << 20),
            Rc::clone(&log) as Rc<dyn Epochs>,
            Surpluses::new(),
            HotTier::new(0, 5),
        );
        let observer = Observer::of(&config);
        surroundings.watch(Rc::clone(&observer) as Rc<_>);
        Self {
            document: serde_json::from_str(document).unwrap(),
            tier: SharedTier::new(Geometry::clamped(4096), 1 << 26, worker.into()),
            board: Board::new(worker),
            config,
            surroundings,
            observer,
            kv,
            log,
            now: 1_000_000,
            fetched: 0,
        }
    }

    /// From now on what is stored has been invalidated, or not.
    pub fn currency(&self, currency: Currency) {
        self.log.0.set(currency);
    }

    /// GETs it, with these fields; whether the origin was asked.
    pub fn get(&mut self, target: &str, fields: &[(&str, &str)], response: Response<'_>) -> bool {
        let mut head = Headers::from_iter([
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "api.example.com"),
            (":path", target),
        ]);
        fields
            .iter()
            .for_each(|(name, value)| head.push(name, value));
        let arrival = Arrival {
            headers: head,
            body: RequestBody::None,
            attributes: &Upstream,
        };
        let mut exchange = Exchange::new(Rc::clone(&self.surroundings));
        let now = self.time();
        let step = exchange.on(Event::Request(arrival), now);
        if self.settle(&mut exchange, step) {
            return false;
        }
        self.fetched += 1;
        self.respond(&mut exchange, response);
        true
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_secs(self.now)
    }

    /// Whether it was answered from the cache.
    fn settle(&mut self, exchange: &mut Exchange, step: Step<'_>) -> bool {
        let now = self.time();
        match step.verdict {
            Verdict::Continue
            | Verdict::Hold
            | Verdict::Inspect
            | Verdict::Manage(_)
            | Verdict::Consult(_)
            | Verdict::Park(_) => false,
            Verdict::Compose(_) | Verdict::Reply(_) => true,
            Verdict::Lookup(key) => match self.tier.lookup(&*self.kv, &key, now) {
                Lookup::Found(found) => {
                    let answer = Answer::Found(found.payload());
                    let step = exchange.on(Event::Answer(answer), now);
                    self.settle(exchange, step)
                }
                Lookup::Absent(larder_core::tier::AbsentReason::Expired) => {
                    let step = exchange.on(Event::Answer(Answer::Expired), now);
                    self.settle(exchange, step)
                }
                Lookup::Absent(_) => {
                    let step = exchange.on(Event::Answer(Answer::Absent), now);
                    self.settle(exchange, step)
                }
            },
        }
    }

    fn respond(&mut self, exchange: &mut Exchange, (status, fields, body): Response<'_>) {
        let now = self.time();
        if !exchange.wants_response() {
            return;
        }
        let mut head = Headers::from_iter([(":status", status.to_string())]);
        fields
            .iter()
            .for_each(|(name, value)| head.push(name, value));
        let arriving = Arriving {
            headers: head,
            body: match body {
                "" => ResponseBody::None,
                _ => ResponseBody::Follows,
            },
            attributes: &Upstream,
        };
        let mut effects = exchange.on(Event::Response(arriving), now).effects;
        effects.extend(exchange.on(Event::Chunk(body.as_bytes()), now).effects);
        effects.extend(exchange.on(Event::ResponseEnded, now).effects);
        for effect in effects {
            if let Effect::Store(candidate) = effect {
                let entry = Candidate {
                    key: &candidate.key,
                    started: candidate.started,
                    expires: candidate.expires,
                    payload: &candidate.payload,
                    currency: &|| Currency::Current,
                };
                let _ = self.tier.store(&*self.kv, &MemoryGauge::new(), entry, now);
            }
        }
    }

    /// What there is to say.
    pub fn advice(&self) -> Vec<Advice> {
        let (seen, _) = self.board.collect(&*self.kv, &self.observer, self.time());
        advise(&seen, &self.config, &self.document)
    }

    /// What is said.
    pub fn texts(&self) -> Vec<String> {
        self.advice()
            .into_iter()
            .map(|advice| advice.text)
            .collect()
    }

    /// Shows the others what it has seen.
    pub fn show(&self) {
        self.board.show(&*self.kv, &self.observer, self.time());
    }
}
