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

mod allocator;
mod plays;
mod worker;

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Instant;

use larder_core::time::Timestamp;

use allocator::{BYTES, CALLS};
use plays::{Play, plays};
use worker::{End, Worker};

const START: u64 = 1_800_000_000;
const KIB: usize = 1024;
/// Rounds of one exchange; the fastest counts.
const ROUNDS: usize = 100;

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
