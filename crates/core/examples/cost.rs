//! What an exchange costs in the core, natively: nanoseconds, allocations, bytes allocated, and calls to the
//! shared cells.
//!
//! ```text
//! cargo run --release --package larder-core --example cost [-- NAME]
//! ```
//!
//! No host is in here, so it says what a change to the core gains or loses and not what a request costs in Envoy, which
//! `make bench` does. Blocks that the host would hand over are counted, since it asks the guest for their memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unsafe_code,
    reason = "a measurement that cannot go on should stop; counting allocations takes an allocator"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell as StdCell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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

/// The system's allocator, counting.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn note(bytes: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: u64 = 1_800_000_000;
const KIB: usize = 1024;
/// Rounds of one exchange; the fastest counts.
const ROUNDS: usize = 100;

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
struct Cells {
    cells: RefCell<HashMap<String, Cell>>,
    last: StdCell<u32>,
    calls: AtomicU64,
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
struct Worker {
    surroundings: Rc<Surroundings>,
    hot: Rc<HotTier>,
    kv: Rc<Cells>,
    gauge: MemoryGauge,
    tier: RefCell<SharedTier>,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Replied(u16),
    Stored,
}

impl Worker {
    fn new(config: &str, max_bytes: u64, hot_bytes: usize) -> Self {
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
    fn exchange(&self, request: &[u8], response: &[u8], body: &[u8], now: Timestamp) -> End {
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

fn request(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let lines = [
        (":authority", "api.example.com"),
        (":path", path),
        (":method", "GET"),
        (":scheme", "http"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-internal", "true"),
        ("x-request-id", "f3a1c6f0-0f7a-4f0e-9d64-8d4c2e0f6a11"),
    ];
    Headers::from_iter(lines.iter().chain(more).copied()).to_pairs()
}

fn response(body: usize, more: &[(&str, &str)]) -> Vec<u8> {
    let length = body.to_string();
    let lines = [
        (":status", "200"),
        ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", &length),
        ("cache-control", "public, max-age=3600"),
        ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT"),
        ("x-content-type-options", "nosniff"),
        ("server", "origin"),
        ("x-envoy-upstream-service-time", "3"),
    ];
    Headers::from_iter(lines.iter().chain(more).copied()).to_pairs()
}

/// An exchange to measure.
struct Play {
    name: &'static str,
    config: String,
    /// The same request again and again, or each of several in turn.
    requests: Vec<Vec<u8>>,
    response: Vec<u8>,
    body: usize,
    expected: End,
    /// How much later each exchange is, in milliseconds.
    pace: u64,
    /// What the shared tier may take.
    max_bytes: u64,
    /// What the hot tier may take.
    hot_bytes: usize,
}

const PLAIN: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":3600}]}"#;

fn hit(name: &'static str, body: usize) -> Play {
    Play {
        name,
        config: PLAIN.to_owned(),
        requests: vec![request("/api/items/42?page=3&sort=name", &[])],
        response: response(body, &[]),
        body,
        expected: End::Replied(200),
        pace: 0,
        max_bytes: 1 << 30,
        hot_bytes: 0,
    }
}

/// A rule with a regular expression, behind 49 others.
fn fifty_rules() -> String {
    last_of_fifty(
        r#"{"name":"items","match":{"path":"/api/items/(?P<id>[^/]+)(/.*)?"},"ttl_seconds":3600}"#,
    )
}

/// One whose key is made of what its path takes.
fn profile_rule() -> String {
    last_of_fifty(
        r#"{"name":"p","match":{"path":"/user/(?P<id>[^/]+)/profile"},"ttl_seconds":3600,"key":{"template":"p:{id}"}}"#,
    )
}

fn last_of_fifty(last: &str) -> String {
    let mut rules = String::from(r#"{"rules":["#);
    for index in 0..49 {
        let _ = write!(
            rules,
            r#"{{"name":"r{index}","match":{{"path":"/other{index}/(?P<id>[^/]+)/.*"}},"ttl_seconds":60}},"#
        );
    }
    rules.push_str(last);
    rules.push_str("]}");
    rules
}

fn misses(name: &'static str, body: usize) -> Play {
    let paths = (0..2000).map(|n| format!("/api/items/{n}?page=3&sort=name"));
    Play {
        requests: paths.map(|path| request(&path, &[])).collect(),
        expected: End::Stored,
        pace: 10_000,
        ..hit(name, body)
    }
}

fn plays() -> Vec<Play> {
    let never = r#"{"rules":[{"name":"never","match":{"path":"/api/.*"},"cache":false}]}"#;
    let conditional = [("if-none-match", "\"5d41402abc4b2a76b9719d911017c592\"")];
    vec![
        Play {
            hot_bytes: 1 << 24,
            ..hit("hot hit 1 KiB", KIB)
        },
        hit("hit 1 KiB", KIB),
        hit("hit 10 KiB", 10 * KIB),
        hit("hit 100 KiB", 100 * KIB),
        Play {
            config: fifty_rules(),
            ..hit("hit, 50th rule", KIB)
        },
        Play {
            config: profile_rule(),
            requests: vec![request("/user/4711/profile", &[])],
            ..hit("hit, 50th rule, template", KIB)
        },
        Play {
            response: response(KIB, &[("vary", "accept-encoding")]),
            ..hit("hit, Vary", KIB)
        },
        Play {
            requests: vec![request("/api/items/42?page=3&sort=name", &conditional)],
            expected: End::Replied(304),
            ..hit("304", KIB)
        },
        misses("miss and store 1 KiB", KIB),
        misses("miss and store 10 KiB", 10 * KIB),
        Play {
            max_bytes: 4 << 20,
            pace: 4_000,
            ..misses("miss, store and evict", 10 * KIB)
        },
        Play {
            response: response(KIB, &[("set-cookie", "a=1")]),
            expected: End::Passed,
            ..hit("miss, not stored", KIB)
        },
        Play {
            config: never.to_owned(),
            expected: End::Passed,
            ..hit("bypass by rule", KIB)
        },
        Play {
            requests: vec![request("/a", &[("cache-control", "no-store")])],
            expected: End::Passed,
            ..hit("bypass by request", KIB)
        },
    ]
}

fn measure(play: &Play) {
    let worker = Worker::new(&play.config, play.max_bytes, play.hot_bytes);
    let body = vec![b'x'; play.body];
    let mut now = START * 1_000_000_000;
    let mut last = End::Passed;
    let mut step = |index: usize| {
        let request = &play.requests[index % play.requests.len()];
        let time = Timestamp::from_nanos(now);
        last = worker.exchange(request, &play.response, &body, time);
        now += play.pace * 1_000_000;
        last
    };
    // What a hit needs is stored by the first requests.
    (0..play.requests.len().max(10)).for_each(|index| {
        step(index);
    });
    assert_eq!(step(0), play.expected, "{}", play.name);
    let count = 500;
    let mut best = f64::INFINITY;
    let counted =
        || [&CALLS, &BYTES, &worker.kv.calls].map(|number| number.load(Ordering::Relaxed));
    let before = counted();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for index in 0..count {
            black_box(step(index));
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / count as f64);
    }
    let after = counted();
    let each = |number: usize| (after[number] - before[number]) as f64 / (ROUNDS * count) as f64;
    println!(
        "{:24} {best:9.0} {:9.1} {:9.0} {:9.1}",
        play.name,
        each(0),
        each(1),
        each(2)
    );
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>9}",
        "exchange", "ns", "allocs", "bytes", "cells"
    );
    for play in plays() {
        if play.name.contains(&wanted) {
            measure(&play);
        }
    }
}
