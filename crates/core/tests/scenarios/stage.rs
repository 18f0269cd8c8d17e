//! A worker without a proxy: the shared tier over memory, a scripted origin, a clock that we hold.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::entry::{Epoch, Payload, StoredResponse};
use larder_core::epoch::{Coverage, Currency, Epochs, Invalidation, Mode, Scope, Stamped};
use larder_core::exchange::{
    Answer, Arrival, Arriving, Background, CaptureBudget, Compressions, Effect, Event, Exchange,
    HeadSize, HotTier, Page, Parking, Refresh, Reply, ResponseBody, Step, Surpluses, Surroundings,
    Template, Verdict,
};
use larder_core::fleet::{Consultation, Fleet};
use larder_core::flight::{Flights, Landing};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Key, KeyDigest, Unreadable};
use larder_core::policy::Reason;
use larder_core::policy::request::RequestBody;
use larder_core::report::{Counter, InvalidationKind, InvalidationSource, Outcome, RuleCounter};
use larder_core::tier::{
    AbsentReason, Candidate, Cas, ChangeHint, EpochLog, Geometry, Lookup, Member, MemoryGauge,
    MemoryKv, Removed, SharedKv, SharedTier, Stored, UNCONCERNED,
};
use larder_core::time::Timestamp;

use crate::fleet::Port;

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

/// The invalidations of a stage.
#[derive(Debug)]
pub struct Log {
    kv: Rc<MemoryKv>,
    log: RefCell<EpochLog>,
    hint: Rc<Hint>,
}

#[derive(Debug, Default)]
struct Hint(Cell<u64>);

impl ChangeHint for Hint {
    fn read(&self) -> Option<u64> {
        Some(self.0.get())
    }

    fn advance(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Log {
    pub fn new(kv: Rc<MemoryKv>) -> Rc<Self> {
        Self::of(kv, Rc::default(), 0)
    }

    fn of(kv: Rc<MemoryKv>, hint: Rc<Hint>, worker: u128) -> Rc<Self> {
        Rc::new(Self {
            kv,
            log: RefCell::new(EpochLog::new(11 + worker, 4096)),
            hint,
        })
    }
}

impl Epochs for Log {
    fn now(&self) -> Epoch {
        self.log.borrow_mut().now(&*self.kv, &*self.hint)
    }

    fn judge(&self, stored: Stamped<'_>) -> Currency {
        self.log.borrow_mut().judge(&*self.kv, stored)
    }
}

/// A request as the client sends it.
#[derive(Clone)]
pub struct Request {
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// A response as the origin sends it.
#[derive(Clone)]
pub struct Response {
    status: u16,
    fields: Vec<(String, String)>,
    chunks: Vec<Vec<u8>>,
    end: End,
    details: &'static str,
}

/// How a response ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    BreaksOff,
}

/// What the client saw.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

pub fn get(path: &str) -> Request {
    request("GET", path)
}

pub fn request(method: &str, path: &str) -> Request {
    let pseudo = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "api.example.com"),
        (":path", path),
    ];
    Request {
        fields: pseudo
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: None,
    }
}

pub fn reply(body: &str) -> Response {
    Response {
        status: 200,
        fields: Vec::new(),
        chunks: vec![body.as_bytes().to_vec()],
        end: End::Complete,
        details: "via_upstream",
    }
}

impl Request {
    /// Its head, as the origin gets it where nobody changes it.
    pub fn headers(self) -> Headers {
        Headers::from_iter(self.fields)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its arrival.
    fn event(&self, sent: &Headers) -> Event<'static> {
        Event::Request(Arrival {
            headers: sent.clone(),
            body: match self.body {
                None => RequestBody::None,
                Some(_) => RequestBody::Follows,
            },
            attributes: &Details("via_upstream"),
        })
    }

    /// A body follows, of the announced length.
    pub fn body(self, body: &str) -> Self {
        let request = self.with("content-length", &body.len().to_string());
        request.unannounced(body)
    }

    /// A body follows.
    pub fn unannounced(mut self, body: &str) -> Self {
        self.body = Some(body.as_bytes().to_vec());
        self
    }

    /// Of another host.
    pub fn at(mut self, authority: &str) -> Self {
        self.fields.retain(|(name, _)| name != ":authority");
        self.with(":authority", authority)
    }
}

impl Response {
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body comes in these pieces.
    pub fn in_chunks(mut self, chunks: &[&str]) -> Self {
        self.chunks = chunks
            .iter()
            .map(|chunk| chunk.as_bytes().to_vec())
            .collect();
        self
    }

    /// The connection is lost after the last piece.
    pub fn breaking_off(mut self) -> Self {
        self.end = End::BreaksOff;
        self
    }

    /// The proxy made it.
    pub fn by_the_proxy(mut self) -> Self {
        self.details = "upstream_reset_before_response_started";
        self
    }

    /// The proxy made it, for this reason.
    pub fn because(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// The proxy does not say who made it.
    pub fn by_nobody(mut self) -> Self {
        self.details = "";
        self
    }
}

impl Seen {
    fn of(status: u16, mut headers: Headers, body: Vec<u8>) -> Self {
        headers.retain(|name, _| !name.starts_with(b":"));
        Self {
            status,
            headers,
            body,
        }
    }

    pub fn field(&self, name: &str) -> &str {
        self.headers
            .only(name)
            .map_or("", |value| std::str::from_utf8(value).unwrap())
    }

    /// `x-cache` and the detail of `cache-status`.
    pub fn cache(&self) -> (&str, &str) {
        let status = self.headers.all("cache-status").last().unwrap_or_default();
        (self.field("x-cache"), std::str::from_utf8(status).unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Stage {
    /// A write that makes something invalid.
    pub const WRITE: Counter = Counter::Invalidated(
        InvalidationKind::Write,
        Mode::Invalid,
        InvalidationSource::Write,
    );

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

    /// An entry that another process has made, with these times.
    pub fn import(
        &mut self,
        key: &Key,
        (started, expires): (Timestamp, Timestamp),
        payload: &[u8],
    ) {
        let entry = Candidate {
            key,
            started,
            expires,
            payload,
            currency: UNCONCERNED,
        };
        self.tier.store(&*self.kv, &*self.gauge, entry, self.now);
        self.hot.note_store(key);
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

    /// Changes one byte in every slot, so many bytes from its end.
    pub fn damage_slots(&self, place: usize) {
        for name in self
            .kv
            .names()
            .iter()
            .filter(|name| name.starts_with("larder1s"))
        {
            let mut value = self.kv.get(name).unwrap().unwrap().value;
            let at = value.len() - place;
            value[at] ^= 1;
            self.kv.set(name, &value, Cas::UNCONDITIONAL).unwrap();
        }
    }

    /// The entry that was stored last is evicted.
    pub fn evict_last(&mut self) {
        let key = self.last_key.as_ref().unwrap();
        let removed = self.tier.remove(&*self.kv, &*self.gauge, key, self.now);
        assert_eq!(removed, Removed::Emptied);
    }

    /// An invalidation from outside.
    pub fn invalidate(&self, scopes: &[Scope<'_>], mode: Mode) {
        let stamps = scopes.iter().map(|scope| scope.stamp()).collect();
        self.apply(&Invalidation {
            coverage: Coverage::Stamps(stamps),
            mode,
        });
    }

    /// This is invalidated here.
    pub fn apply(&self, invalidation: &Invalidation) {
        let Log { kv, log, hint } = &*self.log;
        let appended = log
            .borrow_mut()
            .append(&**kv, &**hint, invalidation, self.now);
        appended.unwrap();
    }

    /// The tags of the response that was stored last, in order.
    pub fn last_tags(&self) -> Vec<String> {
        let payload = self
            .stored
            .iter()
            .rev()
            .find_map(|bytes| match Payload::decode(bytes) {
                Ok(Payload::Response(response)) => Some(response.tags),
                Ok(Payload::Partial(part)) => Some(part.response.tags),
                _ => None,
            });
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let mut tags: Vec<_> = payload.unwrap().names().map(text).collect();
        tags.sort();
        tags
    }

    /// A tick of the worker, as far as its own memory goes.
    pub fn weed(&self) {
        assert!(self.hot.weed(&*self.log).is_some());
    }

    /// The names of what was answered most from the worker's own memory, and how often.
    pub fn hottest(&self, most: usize) -> Vec<(String, u32)> {
        let hottest = self.hot.hottest(most).into_iter();
        hottest
            .map(|(key, times)| (key.name().as_str().to_owned(), times))
            .collect()
    }

    /// Whether what was to be stored last stands in the tier.
    pub fn finds_last(&mut self) -> bool {
        let key = self.last_key.as_ref().unwrap();
        matches!(self.tier.lookup(&*self.kv, key, self.now), Lookup::Found(_))
    }

    /// Somebody who knows the format writes these bytes over the response that was stored last.
    pub fn forge_last(&mut self, forge: impl FnOnce(StoredResponse<'_>) -> Vec<u8>) {
        let key = Rc::clone(self.last_key.as_ref().unwrap());
        let Lookup::Found(found) = self.tier.lookup(&*self.kv, &key, self.now) else {
            panic!("nothing stands there");
        };
        let Ok(Payload::Response(response)) = Payload::decode(found.payload()) else {
            panic!("no response stands there");
        };
        let entry = Candidate {
            key: &key,
            started: found.started,
            expires: found.expires,
            payload: &forge(response),
            currency: UNCONCERNED,
        };
        let stored = self.tier.store(&*self.kv, &*self.gauge, entry, self.now);
        assert_eq!(stored, Stored::Published);
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

    /// A tick of the worker, as far as compression goes; whether there is more to do.
    pub fn tick(&mut self) -> bool {
        let done = self.compressions.step(
            (&mut self.tier, &*self.kv),
            &*self.gauge,
            &*self.log,
            self.now,
        );
        for key in &done.stored {
            self.hot.note_store(key);
        }
        for (counter, number) in [
            (Counter::Compressed, done.stored.len() as u64),
            (Counter::CompressionInput, done.input_bytes),
            (Counter::CompressionSaved, done.saved_bytes),
            (Counter::CompressionWasted, done.wasted.into()),
        ] {
            *self.counts.get_mut().entry(counter).or_default() += number;
        }
        !self.compressions.is_idle()
    }

    /// Ticks until nothing is left to compress.
    pub fn compress(&mut self) {
        for _ in 0..1000 {
            if !self.tick() {
                return;
            }
        }
        panic!("compression never ends");
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.take_tally();
        self.counts
            .borrow()
            .get(&counter)
            .copied()
            .unwrap_or_default()
    }

    /// How many requests came to this, under whatever rule.
    pub fn outcomes(&self, outcome: Outcome) -> u64 {
        self.take_tally();
        let of_rules = self.of_rules.borrow();
        let is_it = |counter: &RuleCounter| *counter == RuleCounter::Requests(outcome);
        let counts = of_rules.iter().filter(|((_, counter), _)| is_it(counter));
        counts.map(|(_, count)| count).sum()
    }

    /// How many there were of a rule.
    pub fn of_rule(&self, rule: &str, counter: RuleCounter) -> u64 {
        self.take_tally();
        let of_rules = self.of_rules.borrow();
        of_rules
            .get(&(rule.to_owned(), counter))
            .copied()
            .unwrap_or_default()
    }

    /// What the next tick of a worker shows.
    fn take_tally(&self) {
        let tally = self.surroundings.tally();
        tally.take(&mut |counter, by| *self.counts.borrow_mut().entry(counter).or_default() += by);
        let names: Vec<&str> = self.config.labels().map(|(_, name)| name).collect();
        tally.take_rules(&mut |place, counter, by| {
            let rule = (names[place].to_owned(), counter);
            *self.of_rules.borrow_mut().entry(rule).or_default() += by;
        });
    }

    /// One whole exchange; the origin answers with `response` if it is asked.
    pub fn exchange(&mut self, request: Request, response: Response) -> Seen {
        let mut exchange = self.new_exchange();
        match self.ask(&mut exchange, &request) {
            Some(seen) => seen,
            None => self.respond(&mut exchange, response),
        }
    }

    /// An exchange as far as the origin, which must be asked; [`Stage::finish`] gives its answer.
    pub fn begin(&mut self, request: Request) -> Exchange {
        let mut exchange = self.new_exchange();
        assert_eq!(self.ask(&mut exchange, &request), None);
        exchange
    }

    /// The rest of an exchange.
    pub fn finish(&mut self, mut exchange: Exchange, response: Response) -> Seen {
        self.respond(&mut exchange, response)
    }

    /// The request on its way through the exchange: what answers it there, or [`Stage::asked`] goes to the origin.
    pub fn ask(&mut self, exchange: &mut Exchange, request: &Request) -> Option<Seen> {
        let mut sent = Headers::from_iter(request.fields.clone());
        let mut seen = self.drive(exchange, request.event(&sent), &mut sent);
        if exchange.held_request().is_some() {
            self.most_held = self.most_held.max(self.budget.held());
            let body = request.body.as_deref().unwrap_or_default();
            seen = self.drive(exchange, Event::RequestBody(body), &mut sent);
        }
        if seen.is_none() && self.parked.is_none() && self.consulting.is_none() {
            self.origin_requests += 1;
            self.asked = sent;
        }
        seen
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

    /// The origin answers the oldest request of the filter's own, whose head this was.
    pub fn refresh(&mut self, response: Response) -> Headers {
        let Refresh {
            request,
            mut exchange,
            ..
        } = self.refreshes.pop_front().unwrap();
        self.respond(&mut exchange, response);
        request
    }

    /// The request's head alone; whether it is held for its body.
    pub fn begin_to_ask(&mut self, exchange: &mut Exchange, request: &Request) -> bool {
        let mut sent = Headers::from_iter(request.fields.clone());
        let seen = self.drive(exchange, request.event(&sent), &mut sent);
        seen.is_none() && exchange.held_request().is_some()
    }

    /// The response on its way through the exchange; the client sees all of it, whatever becomes of the copy.
    pub fn respond(&mut self, exchange: &mut Exchange, response: Response) -> Seen {
        match self.head(exchange, &response) {
            Ok(sent) => self.rest(exchange, response, sent),
            Err(seen) => seen,
        }
    }

    /// The response's head on its way through the exchange, as the client gets it; or what the client gets in its place.
    pub fn head(&mut self, exchange: &mut Exchange, response: &Response) -> Result<Headers, Seen> {
        let mut headers = Headers::from_iter([(":status", response.status.to_string())]);
        for (name, value) in response.fields.iter().chain(&self.route) {
            add(&mut headers, name.as_bytes(), value.as_bytes());
        }
        let follows = if response.chunks.concat().is_empty() {
            ResponseBody::None
        } else {
            ResponseBody::Follows
        };
        let mut sent = headers.clone();
        if exchange.wants_response() {
            let arriving = Arriving {
                headers,
                body: follows,
                attributes: &Details(response.details),
            };
            let step = exchange.on(Event::Response(arriving), self.now);
            self.carry_out(step.effects, &mut sent);
            let (found, mut verdict) = match step.verdict {
                Verdict::Lookup(key) => {
                    let found = self.tier.lookup(&*self.kv, &key, self.now);
                    (Some(found), Verdict::Continue)
                }
                verdict @ (Verdict::Compose(_)
                | Verdict::Continue
                | Verdict::Hold
                | Verdict::Inspect
                | Verdict::Manage(_)
                | Verdict::Consult(_)
                | Verdict::Park(_)
                | Verdict::Reply(_)) => (None, verdict),
            };
            if let Some(found) = &found {
                let answer = match found {
                    Lookup::Found(found) => Answer::Found(found.payload()),
                    Lookup::Absent(_) => Answer::Absent,
                };
                let step = exchange.on(Event::Answer(answer), self.now);
                self.carry_out(step.effects, &mut sent);
                verdict = step.verdict;
            }
            if let Verdict::Compose(template) = verdict {
                let page = self.page_of(*template);
                let step = exchange.on(Event::Composed(Box::new(page)), self.now);
                self.carry_out(step.effects, &mut sent);
                verdict = step.verdict;
            }
            if let Verdict::Reply(reply) = verdict {
                // It passes no filter again, and what follows of the origin's response goes nowhere.
                let head = self.prepared(&reply);
                return Err(Seen::of(reply.status, head, reply.body.to_vec()));
            }
        }
        Ok(sent)
    }

    /// A page of a template: `+` stands for a fragment of it.
    pub fn page_of(&self, template: Template<'_>) -> Page {
        let mut headers = template.headers;
        headers.remove("etag");
        let body = [&template.body, &b"+"[..]].concat();
        headers.push("etag", format!("\"{}\"", String::from_utf8_lossy(&body)));
        Page {
            delivery: template.delivery,
            request: template.request,
            status: template.status,
            headers,
            body,
            missing: self.missing.clone(),
        }
    }

    /// The response's body, behind the head that was `sent` to the client.
    pub fn rest(&mut self, exchange: &mut Exchange, response: Response, mut sent: Headers) -> Seen {
        for chunk in response.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            exchange.passed(chunk.len());
            let step = exchange.on(Event::Chunk(chunk), self.now);
            self.carry_out(step.effects, &mut sent);
        }
        let last = if response.end == End::Complete {
            Event::ResponseEnded
        } else {
            Event::Aborted
        };
        let step = exchange.on(last, self.now);
        self.carry_out(step.effects, &mut sent);
        let status = std::str::from_utf8(sent.only(":status").unwrap()).unwrap();
        Seen::of(status.parse().unwrap(), sent, response.chunks.concat())
    }

    /// Our own reply on its way back through the exchange.
    fn returned(&mut self, exchange: &mut Exchange, reply: Reply<'_>) -> Seen {
        let mut head = self.prepared(&reply);
        assert!(exchange.expects_own_reply() && !exchange.wants_response());
        let size = HeadSize {
            lines: head.len(),
            bytes: head
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum(),
        };
        let mut step = exchange.on(Event::Returned(size), self.now);
        if let Verdict::Inspect = step.verdict {
            self.carry_out(step.effects, &mut head);
            step = exchange.on(Event::ReturnedHead(head.clone()), self.now);
        }
        self.carry_out(step.effects, &mut head);
        Seen::of(reply.status, head, reply.body.to_vec())
    }

    /// What Envoy makes of a reply before it shows it to the filters.
    fn prepared(&self, reply: &Reply<'_>) -> Headers {
        let mut head = Headers::from_iter([(":status", reply.status.to_string())]);
        for (name, value) in &self.route {
            add(&mut head, name.as_bytes(), value.as_bytes());
        }
        for (name, value) in Headers::from_pairs(reply.pairs.to_vec()).unwrap().iter() {
            add(&mut head, name, value);
        }
        if reply.body.is_empty() {
            head.remove("content-type");
            return head;
        }
        head.push("content-length", reply.body.len().to_string());
        if !head.contains("content-type") {
            head.push("content-type", "text/plain");
        }
        head
    }

    /// Steps until the exchange is answered or goes to the origin.
    pub fn drive(
        &mut self,
        exchange: &mut Exchange,
        event: Event<'_>,
        request: &mut Headers,
    ) -> Option<Seen> {
        let step = exchange.on(event, self.now);
        self.settle(exchange, step, request)
    }

    fn settle(
        &mut self,
        exchange: &mut Exchange,
        step: Step<'_>,
        request: &mut Headers,
    ) -> Option<Seen> {
        self.carry_out(step.effects, request);
        match step.verdict {
            Verdict::Continue | Verdict::Hold | Verdict::Inspect => None,
            Verdict::Compose(template) => {
                let page = self.page_of(*template);
                self.drive(exchange, Event::Composed(Box::new(page)), request)
            }
            Verdict::Manage(_) => panic!("nobody receives calls here"),
            Verdict::Consult(asked) => match self.consult(asked) {
                Ok(said) => self.drive(exchange, Event::Consulted(said), request),
                Err(asked) => {
                    self.consulting = Some(asked);
                    None
                }
            },
            Verdict::Park(parking) => {
                assert!(self.flights.is_some(), "nobody waits here");
                self.parked = Some(parking);
                None
            }
            Verdict::Lookup(key)
                if self
                    .lent
                    .as_ref()
                    .is_some_and(|(lent, _)| *lent == key.digest()) =>
            {
                let (_, payload) = self.lent.take().unwrap();
                let step = exchange.on(Event::Answer(Answer::Found(&payload)), self.now);
                self.settle(exchange, step, request)
            }
            Verdict::Lookup(key) => match self.tier.lookup(&*self.kv, &key, self.now) {
                Lookup::Found(found) => {
                    let step = exchange.on(Event::Answer(Answer::Found(found.payload())), self.now);
                    self.settle(exchange, step, request)
                }
                Lookup::Absent(AbsentReason::Expired) => {
                    self.drive(exchange, Event::Answer(Answer::Expired), request)
                }
                Lookup::Absent(_) => self.drive(exchange, Event::Answer(Answer::Absent), request),
            },
            Verdict::Reply(reply) => Some(self.returned(exchange, reply)),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, sent: &mut Headers) {
        let mut is_there = true;
        for effect in effects {
            match effect {
                Effect::AddHeader(name, value) => sent.push(name, value),
                Effect::Compress(wish) => self.compressions.note(wish),
                Effect::Count(counter) => {
                    *self.counts.get_mut().entry(counter).or_default() += 1;
                }
                // Who waits for what could not be stored goes by itself.
                Effect::Land(flight, Landing::Stored) if !is_there => {
                    flight.land(Landing::Unshared { until: self.now });
                }
                Effect::Land(flight, landing) => flight.land(landing),
                Effect::Gather(template) => self.gathered = Some(template),
                Effect::Measure(..) => {}
                Effect::Refresh(refresh) => self.refreshes.push_back(*refresh),
                Effect::Invalidate(invalidation) => {
                    self.apply(&invalidation);
                    if let Some(port) = &self.fleet {
                        port.post(invalidation);
                    }
                }
                Effect::Watch(_) => self.watched += 1,
                Effect::RemoveHeader(name) => sent.remove(name),
                Effect::RemoveRequestHeader(name) => sent.remove(name),
                Effect::SetField(field) => {
                    let name = std::str::from_utf8(&field.name).unwrap();
                    sent.remove(name);
                    for line in &field.lines {
                        add(sent, &field.name, line);
                    }
                }
                Effect::SetHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::SetRequestHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::Store(candidate) => {
                    self.stored.push(candidate.payload.clone());
                    self.last_key = Some(Rc::clone(&candidate.key));
                    let entry = Candidate {
                        key: &candidate.key,
                        started: candidate.started,
                        expires: candidate.expires,
                        payload: &candidate.payload,
                        currency: &|| candidate.judge(&*self.log),
                    };
                    is_there &= match self.tier.store(&*self.kv, &*self.gauge, entry, self.now) {
                        Stored::Published => true,
                        Stored::Skipped(why) => !why.is_lasting(),
                    };
                    self.hot.note_store(&candidate.key);
                    if let Some(port) = &self.fleet {
                        port.put(&candidate);
                    }
                }
            }
        }
    }
}

/// Adds a line; of some fields Envoy keeps one line only, and joins.
fn add(head: &mut Headers, name: &[u8], value: &[u8]) {
    const JOINED: [&str; 5] = ["cache-control", "content-type", "date", "etag", "expires"];
    let text = std::str::from_utf8(name).unwrap();
    match head.first(text) {
        Some(first) if JOINED.contains(&text) => {
            let joined = [first, b",", value].concat();
            head.remove(text);
            head.push(name, joined);
        }
        Some(_) | None => head.push(name, value),
    }
}

/// The proxy's word for where a response came from; none where it is empty.
struct Details(&'static str);

impl Attributes for Details {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_told = path == ["response", "code_details"] && !self.0.is_empty();
        Ok(is_told.then(|| self.0.as_bytes().to_vec()))
    }
}
