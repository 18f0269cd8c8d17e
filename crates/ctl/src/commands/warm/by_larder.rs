//! Warming by the filter itself: `POST warm`, a thousand URLs a job, and how far each job is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::list::{List, Url};
use super::tally::{Tally, more};
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer};
use crate::remote::{Call, Client};
use crate::shown::{number, seen, text};

/// The API takes no more in a job.
const A_JOB: usize = 1000;
const PAUSE: Duration = Duration::from_millis(200);
/// A worker that has another job has done it by then, or never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has all of them fetched, one job after the other.
pub(super) fn warm(
    concurrency: u32,
    list: &List,
    global: &Global,
    out: &mut Printer,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let client = global.reach.client()?;
    let begun = Instant::now();
    for part in list.urls.chunks(A_JOB) {
        let last = job(&client, part, concurrency)?;
        note(&last, tally);
        tally.took = begun.elapsed();
        if out.output() == Output::Table {
            out.line(&seen(&format!(
                "job {}: {} of {} through cluster {}, {}",
                text(&last, "/id"),
                number(&last, "/done"),
                number(&last, "/total"),
                text(&last, "/cluster"),
                text(&last, "/state")
            )))?;
        }
    }
    Ok(())
}

/// How a job ended.
fn job(client: &Client, part: &[Url], concurrency: u32) -> Result<Value, Failure> {
    let urls: Vec<String> = part.iter().map(Url::shown).collect();
    let order = json!({"urls": urls, "concurrency": concurrency});
    let begun = Instant::now();
    let mut progress = loop {
        let answer = client.ask(Call::post("/warm").body(order.clone()))?;
        // Another job is under way at that worker.
        if answer.code() == Some("busy") && begun.elapsed() < PATIENCE {
            sleep(PAUSE);
            continue;
        }
        break answer.done()?;
    };
    let path = format!("/warm/{}", text(&progress, "/id"));
    while progress.pointer("/state").and_then(Value::as_str) == Some("running") {
        sleep(PAUSE);
        let found = client.ask(Call::get(path.clone()))?.found()?;
        progress = found.ok_or_else(|| {
            Failure::said(Exit::Unreachable, "the job is not known there any more")
        })?;
    }
    Ok(progress)
}

fn note(last: &Value, tally: &mut Tally) {
    let of = |name: &str| number(last, name);
    tally.done = tally.done.saturating_add(of("/done"));
    tally.stored = tally.stored.saturating_add(of("/stored"));
    tally.failed = tally.failed.saturating_add(of("/failed"));
    match of("/fresh") {
        0 => {}
        fresh => more(&mut tally.outcomes, "(was fresh)", fresh),
    }
    let reasons = last.pointer("/not_stored").and_then(Value::as_object);
    for (reason, count) in reasons.into_iter().flatten() {
        more(&mut tally.not_stored, reason, count.as_u64().unwrap_or(0));
    }
}
