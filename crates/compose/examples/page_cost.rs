//! What a page costs, natively: nanoseconds, allocations, and how many times as much as a template of its bytes without anything in it.
//!
//! ```text
//! cargo run --release --package larder-compose --example page_cost [-- NAME]
//! ```
//!
//! No host and no cache is in here, so it says what a change to the reader gains or loses and not what a page costs in Envoy, which
//! `make bench BENCH=esi` does.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    unsafe_code,
    reason = "a measurement that cannot go on should stop; counting allocations takes an allocator"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use larder_compose::{Composed, Language, Page, Part};
use larder_core::config::Composition;
use larder_core::http::Headers;

/// The system's allocator, counting.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: u32 = 2000;

/// A page to be made.
struct Sample {
    name: &'static str,
    language: Language,
    template: Vec<u8>,
    fragment: Vec<u8>,
    fragments: usize,
}

impl Sample {
    fn media(&self) -> &'static str {
        match self.language {
            Language::Esi => "text/html",
            Language::Json => "application/json",
        }
    }
}

fn request() -> Headers {
    Headers::from_iter([
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "shop.example"),
        (":path", "/start?lang=de"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "de,en;q=0.5"),
        ("accept-encoding", "gzip, br"),
        ("cookie", "session=0123456789abcdef; theme=dark"),
        ("x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
    ])
}

fn head(media: &str) -> Headers {
    Headers::from_iter([
        ("content-type", media),
        ("cache-control", "max-age=60"),
        ("age", "5"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("etag", "\"0123456789abcdef\""),
        ("vary", "accept-language"),
    ])
}

fn part(sample: &Sample) -> Part {
    Part {
        status: 200,
        headers: head(sample.media()),
        body: sample.fragment.clone(),
    }
}

/// A page of parts that are there.
fn make(sample: &Sample, template: Headers, request: &Rc<Headers>, parts: Vec<Part>) -> Composed {
    let bounds = Composition {
        max_bytes: 64 << 20,
        ..Composition::DEFAULT
    };
    let mut page = Page::new((200, template), sample.language, Rc::clone(request), bounds);
    page.push(&sample.template);
    page.end();
    for part in parts {
        if let Some(wanted) = black_box(page.next_wanted()) {
            page.arrived(wanted.number, part, None);
        }
    }
    assert!(page.is_complete());
    page.finish()
}

fn html(includes: usize) -> Vec<u8> {
    let row = "<div class=\"row\"><p>Some text of a page, <a href=\"/there\">with a link</a>.</p></div>\n".repeat(2);
    let part = |number| {
        format!("{row}<esi:include src=\"/fragments/{number}?x=1\" onerror=\"continue\"/>\n")
    };
    (0..includes).map(part).collect::<String>().into_bytes()
}

fn samples() -> Vec<Sample> {
    let esi = |name, template: Vec<u8>, fragments| Sample {
        name,
        language: Language::Esi,
        template,
        fragment: b"<p>fragment</p>\n".repeat(64),
        fragments,
    };
    let json = |name, template: String, fragments| Sample {
        name,
        language: Language::Json,
        template: template.into_bytes(),
        fragment: [b"[".as_slice(), &b"\"a value\", 12, ".repeat(60), b"0]"].concat(),
        fragments,
    };
    let member = |number| {
        format!(
            "{{\"id\": {number}, \"name\": \"some name of a thing\", \"more\": {{\"$include\": \"/{number}\"}}}}, "
        )
    };
    let list: String = (0..20).map(member).collect();
    let plain = "{\"name\": \"a value of some length\", \"n\": 12.5}, ".repeat(2200);
    let mut samples = vec![
        esi("20 fragments", html(20), 20),
        esi("1 fragment", html(1), 1),
        esi("no fragment", html(0), 0),
        esi(
            "100 KiB of HTML",
            b"<p class=\"a\">text of a page</p>\n".repeat(3200),
            0,
        ),
        json("20 in JSON", format!("[{list}0]"), 20),
        json("100 KiB of JSON", format!("[{plain}0]"), 0),
    ];
    for piece in [
        "<esi:",
        "<",
        "<esi:x a='",
        "<esi:vars>$(A|'",
        "<esi:vars>$(HTTP_HOST)",
        "<esi:try></esi:try>",
        "<!--esi",
        "<!-- -->",
    ] {
        samples.push(esi(
            piece,
            piece.as_bytes().repeat((1 << 20) / piece.len()),
            0,
        ));
    }
    samples
}

fn main() {
    let only = std::env::args().nth(1);
    let request = Rc::new(request());
    println!(
        "{:24} {:>10} {:>8} {:>10} {:>9} {:>6}",
        "page", "ns", "allocs", "bytes", "ns/byte", "times"
    );
    for sample in samples() {
        if only
            .as_ref()
            .is_some_and(|name| !sample.name.contains(name.as_str()))
        {
            continue;
        }
        let rounds = match sample.template.len() {
            ..100_000 => ROUNDS,
            100_000..500_000 => ROUNDS / 10,
            _ => 5,
        };
        let cost = measure(&sample, &request, rounds);
        let plain = Sample {
            name: "",
            language: Language::Esi,
            template: vec![b'x'; cost.bytes],
            fragment: Vec::new(),
            fragments: 0,
        };
        let times = cost.nanos / measure(&plain, &request, rounds).nanos;
        let each = cost.nanos / cost.bytes.max(1) as f64;
        println!(
            "{:24} {:>10.0} {:>8} {:>10} {each:>9.2} {times:>6.1}",
            sample.name, cost.nanos, cost.allocations, cost.bytes
        );
    }
}

struct Cost {
    nanos: f64,
    allocations: u64,
    bytes: usize,
}

/// The quickest of some rounds.
fn measure(sample: &Sample, request: &Rc<Headers>, rounds: u32) -> Cost {
    let mut cost = Cost {
        nanos: f64::MAX,
        allocations: 0,
        bytes: 0,
    };
    for _ in 0..rounds {
        let parts = (0..sample.fragments).map(|_| part(sample)).collect();
        let template = head(sample.media());
        let before = CALLS.load(Ordering::Relaxed);
        let start = Instant::now();
        cost.bytes = black_box(make(sample, template, request, parts)).body.len();
        cost.nanos = cost.nanos.min(start.elapsed().as_nanos() as f64);
        cost.allocations = CALLS.load(Ordering::Relaxed) - before;
    }
    cost
}
