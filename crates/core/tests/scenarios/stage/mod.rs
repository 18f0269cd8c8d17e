//! A worker without a proxy: the shared tier over memory, a scripted origin, a clock that we hold.

mod counts;
mod effects;
mod exchange;
mod log;
mod message;
mod response;
mod tiers;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::epoch::Epochs;
use larder_core::exchange::{
    Background, CaptureBudget, Compressions, Exchange, HotTier, Parking, Refresh, Surpluses,
    Surroundings, Template,
};
use larder_core::fleet::{Consultation, Fleet};
use larder_core::flight::Flights;
use larder_core::http::Headers;
use larder_core::key::{Key, KeyDigest};
use larder_core::policy::Reason;
use larder_core::report::{Counter, RuleCounter};
use larder_core::tier::{Geometry, Member, MemoryGauge, MemoryKv, SharedTier};
use larder_core::time::Timestamp;

use crate::fleet::Port;

pub use log::Log;
pub use message::{Request, Response, Seen, get, reply, request};

use log::Hint;

/// Caches everything for a minute.
pub const CACHE_ALL: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

/// When plays begin, in seconds.
const BEGIN: u64 = 1_000_000;

/// A worker without a proxy.
pub struct Stage {
    config: Rc<Config>,
    surroundings: Rc<Surroundings>,
    pub budget: Rc<CaptureBudget>,
    surpluses: Rc<Surpluses>,
    pub hot: Rc<HotTier>,
    pub kv: Rc<MemoryKv>,
    log: Rc<Log>,
    /// The process has one.
    gauge: Rc<MemoryGauge>,
    tier: SharedTier,
    compressions: Compressions,
    pub now: Timestamp,
    counts: RefCell<HashMap<Counter, u64>>,
    /// By rule.
    of_rules: RefCell<HashMap<(String, RuleCounter), u64>>,
    /// Every entry that wanted to be stored.
    pub stored: Vec<Vec<u8>>,
    /// Under which key the last one did.
    last_key: Option<Rc<Key>>,
    /// How many requests came to the origin.
    pub origin_requests: usize,
    /// The head of the last one.
    pub asked: Headers,
    /// The most bytes that were held while a request's body came.
    pub most_held: usize,
    /// What the route adds to each response, of the origin and of ours.
    route: Vec<(String, String)>,
    /// Where its requests wait for each other.
    flights: Option<Rc<dyn Flights>>,
    /// The request that was asked last waits like this.
    pub parked: Option<Parking>,
    /// The fleet that it is of, if it is.
    fleet: Option<Rc<Port>>,
    /// What the fleet has given to the request at hand alone, and under which key.
    pub lent: Option<(KeyDigest, Vec<u8>)>,
    /// The request that was asked last waits for what the fleet says to this.
    pub consulting: Option<Consultation>,
    /// The requests of the filter's own that nobody has answered yet, the oldest first.
    pub refreshes: VecDeque<Refresh>,
    /// Why fragments are missing on pages.
    pub missing: Vec<Reason>,
    /// The template whose body comes.
    pub gathered: Option<Box<Template<'static>>>,
    /// How often it was to be seen whether the proxy alters requests.
    pub watched: usize,
}

impl Stage {
    pub fn new(configuration: &str) -> Self {
        let kv = Rc::new(MemoryKv::new());
        Self::over(Log::new(kv), configuration, 0)
    }

    /// One worker of several.
    fn over(log: Rc<Log>, configuration: &str, worker: u128) -> Self {
        let config = Rc::new(Config::parse(configuration.as_bytes()).unwrap());
        let budget = CaptureBudget::new(config.limits.capture_bytes);
        let surpluses = Surpluses::new();
        let hot = HotTier::new(config.storage.hot_bytes, 5);
        let surroundings = Surroundings::new(
            Rc::clone(&config),
            Rc::clone(&budget),
            Rc::clone(&log) as Rc<dyn Epochs>,
            Rc::clone(&surpluses),
            Rc::clone(&hot),
        );
        Self {
            kv: Rc::clone(&log.kv),
            log,
            compressions: Compressions::new(Rc::clone(&budget)),
            budget,
            surpluses,
            hot,
            surroundings,
            config: Rc::clone(&config),
            gauge: Rc::new(MemoryGauge::new()),
            tier: SharedTier::new(
                Geometry::clamped(config.storage.slots),
                config.storage.max_bytes,
                7 + worker,
            ),
            now: Timestamp::from_secs(BEGIN),
            counts: RefCell::default(),
            of_rules: RefCell::default(),
            stored: Vec::new(),
            last_key: None,
            origin_requests: 0,
            asked: Headers::new(),
            most_held: 0,
            route: Vec::new(),
            flights: None,
            parked: None,
            fleet: None,
            consulting: None,
            lent: None,
            refreshes: VecDeque::new(),
            missing: Vec::new(),
            gathered: None,
            watched: 0,
        }
    }

    /// So many workers of one process.
    pub fn workers(configuration: &str, number: u8) -> Vec<Self> {
        let (kv, hint) = (Rc::new(MemoryKv::new()), Rc::new(Hint::default()));
        let gauge = Rc::new(MemoryGauge::new());
        let worker = |worker| {
            let log = Log::of(Rc::clone(&kv), Rc::clone(&hint), worker);
            Self {
                gauge: Rc::clone(&gauge),
                ..Self::over(log, configuration, worker)
            }
        };
        (0..number).map(u128::from).map(worker).collect()
    }

    /// Its requests wait for each other from now on.
    pub fn coalesce(&mut self, flights: Rc<dyn Flights>) {
        self.surroundings.coalesce(Rc::clone(&flights));
        self.flights = Some(flights);
    }

    /// It is one of a fleet from now on.
    pub fn join(&mut self, port: &Rc<Port>) {
        self.surroundings.join(Rc::clone(port) as Rc<dyn Fleet>);
        self.fleet = Some(Rc::clone(port));
    }

    /// What it knows of its fleet.
    pub fn port(&self) -> Rc<Port> {
        self.fleet.clone().unwrap()
    }

    /// Its place among the flights.
    pub fn member(&mut self) -> Member {
        let member = self.tier.member((&*self.kv, &*self.gauge), self.now);
        member.unwrap()
    }

    /// What has been invalidated.
    pub fn log(&self) -> Rc<dyn Epochs> {
        Rc::clone(&self.log) as Rc<dyn Epochs>
    }

    /// A new configuration takes over; what is stored stays.
    pub fn reconfigure(&mut self, configuration: &str) {
        self.take_tally();
        self.config = Rc::new(Config::parse(configuration.as_bytes()).unwrap());
        self.surroundings = Surroundings::new(
            Rc::clone(&self.config),
            Rc::clone(&self.budget),
            Rc::clone(&self.log) as Rc<dyn Epochs>,
            Rc::clone(&self.surpluses),
            Rc::clone(&self.hot),
        );
        if let Some(flights) = &self.flights {
            self.surroundings.coalesce(Rc::clone(flights));
        }
        if let Some(port) = self.fleet.take() {
            self.join(&port);
        }
    }

    /// The route adds this line to responses from now on.
    pub fn route_adds(&mut self, name: &str, value: &str) {
        self.route.push((name.to_owned(), value.to_owned()));
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) {
        self.now = Timestamp::from_nanos(self.now.as_nanos() + seconds * 1_000_000_000);
    }

    /// Seconds since the play began.
    pub fn now_in_play(&self) -> u64 {
        self.now.since(Timestamp::from_secs(BEGIN)).get().into()
    }

    /// Another worker of the process, over the same cells.
    pub fn another_worker(&self, configuration: &str) -> Self {
        let Log { kv, hint, .. } = &*self.log;
        let log = Log::of(Rc::clone(kv), Rc::clone(hint), 1);
        Self {
            now: self.now,
            gauge: Rc::clone(&self.gauge),
            ..Self::over(log, configuration, 1)
        }
    }

    /// An exchange that has not begun.
    pub fn new_exchange(&self) -> Exchange {
        Exchange::new(Rc::clone(&self.surroundings))
    }

    /// What is stale is made fresh behind clients' backs, as far as `background` lets it.
    pub fn refresh_through(&self, background: Rc<dyn Background>, flights: Rc<dyn Flights>) {
        self.refresh_behind(background);
        self.surroundings.coalesce(flights);
    }

    /// The same, where nobody waits for anybody.
    pub fn refresh_behind(&self, background: Rc<dyn Background>) {
        self.surroundings.refresh_through(background);
    }
}
