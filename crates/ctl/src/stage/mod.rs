//! A worker without a proxy: the tiers over memory, and a clock that stands still.
//!
//! Requests are decided by the core's exchange, calls of the management API by the code that answers them in the filter.
//! What stands here is what the filter does with host calls: it looks up, stores, sends and shows. Requests come one after
//! the other, so nobody waits for anybody; what is stale is made fresh right behind the response that it was given in.

mod origin;
mod port;
mod seen;
mod way;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use larder_core::config::{Config, ConfigError};
use larder_core::exchange::{Call, CaptureBudget, HotTier, Refresh, Surpluses, Surroundings};
use larder_core::http::{Headers, RequestHead};
use larder_core::tier::{Geometry, MemoryGauge, MemoryKv, SharedTier, Stored as Outcome, WhyNot};
use larder_core::time::Timestamp;
use larder_manage::{Desk, Settings, answer};
use larder_observe::{Board, Observer};
use serde_json::{Map, Value};

pub(crate) use origin::{Ending, Origin, Response};
pub(crate) use seen::{Seen, line};

use port::{Log, Nobody, Ways};

/// A worker without a proxy.
pub(crate) struct Stage {
    around: Rc<Surroundings>,
    settings: Settings,
    kv: Rc<MemoryKv>,
    log: Rc<Log>,
    gauge: MemoryGauge,
    tier: RefCell<SharedTier>,
    now: Timestamp,
    /// Requests of the filter's own that the origin has not answered yet.
    refreshes: VecDeque<Refresh>,
}

/// What the management API says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Stage {
    /// One with this configuration, in which nothing is stored.
    pub(crate) fn new(json: &str, now: Timestamp) -> Result<Self, Vec<ConfigError>> {
        Config::parse(json.as_bytes())?;
        let json = managed(json);
        let config = Rc::new(Config::parse(json.as_bytes())?);
        let kv = Rc::new(MemoryKv::new());
        let log = Log::new(Rc::clone(&kv), config.storage.log_records);
        let around = Surroundings::new(
            Rc::clone(&config),
            CaptureBudget::new(config.limits.capture_bytes),
            Rc::clone(&log) as _,
            Surpluses::new(),
            // A worker's own copies change no answer, only how quick it is.
            HotTier::new(0, 0),
        );
        around.refresh_through(Rc::new(Ways));
        let geometry = Geometry::clamped(config.storage.slots);
        Ok(Self {
            around,
            settings: Settings::new(json.as_bytes()),
            kv,
            log,
            gauge: MemoryGauge::new(),
            tier: RefCell::new(SharedTier::new(geometry, config.storage.max_bytes, 0)),
            now,
            refreshes: VecDeque::new(),
        })
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let nanos = seconds.saturating_mul(1_000_000_000);
        self.now = Timestamp::from_nanos(self.now.as_nanos().saturating_add(nanos));
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Config {
        self.around.config()
    }

    /// A call of the management API, by somebody who may.
    pub(crate) fn call(&self, head: Headers, content: Vec<u8>) -> Option<Said> {
        let head = RequestHead::parse(head).ok()?;
        let desk = Desk {
            apart: &|invalidation| self.log.note(invalidation, self.now),
            around: &self.around,
            board: &Board::new(0),
            count: &|_| {},
            epochs: self.log.epochs(),
            fleet: None,
            gauge: &self.gauge,
            hint: self.log.hint(),
            kv: &*self.kv,
            now: self.now,
            numbers: &Nobody,
            observer: &Observer::of(self.config()),
            settings: &self.settings,
            store: &|_| Outcome::Skipped(WhyNot::Busy),
            tier: &self.tier,
            warm: &Nobody,
        };
        let outcome = answer(&Call { head, content }, &desk, self.now);
        Some(Said {
            status: outcome.status,
            body: serde_json::from_str(outcome.body()).unwrap_or(Value::Null),
        })
    }

    /// Asks why (`POST explain`).
    pub(crate) fn explain(&self, question: &Value) -> Option<Said> {
        self.post("/explain", question)
    }

    /// Makes invalid what is named (`POST invalidate`).
    pub(crate) fn invalidate(&self, what: &Value) -> Option<Said> {
        self.post("/invalidate", what)
    }

    fn post(&self, path: &str, body: &Value) -> Option<Said> {
        let head = Headers::from_iter([
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", &format!("/api/cache{path}")),
        ]);
        self.call(head, body.to_string().into_bytes())
    }
}

/// The same, with a management API at its usual place: calls come by another way than requests here.
fn managed(json: &str) -> String {
    let mut document = match serde_json::from_str(json) {
        Ok(Value::Object(document)) => document,
        Ok(_) | Err(_) => Map::new(), // no bytes at all
    };
    document.insert("management".to_owned(), Value::Object(Map::new()));
    Value::Object(document).to_string()
}
