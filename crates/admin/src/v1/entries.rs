//! Entries that instances share.
//!
//! None is given that the log is known to have ended, and none is taken that could not be judged: who asks for one learns up to
//! where that holds. What stands there and is no entry any more (its bytes are damaged, something hard has ended it) is taken
//! away by whoever comes across it.

mod bring;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use larder_core::epoch::Mode;
use larder_core::fleet::Cursor;
use larder_core::key::KeyDigest;
use larder_core::wire::{Frame, FrameError, Freshness};
use tokio::time::Instant;

use super::Answered;
use super::query::{self, Query};
use crate::fleet::millis;
use crate::judge::Verdict;
use crate::metrics::Family;
use crate::refusal::Refusal;
use crate::service::{Disturbance, Service};
use crate::store::{Lease, StoreError, StoredEntry, Watch};

pub(super) use bring::put;

const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_LEAD: Duration = Duration::from_secs(60);

/// Who may ask the origin.
const LEASE: &str = "larder-lease";

/// What is wanted of an entry.
#[derive(Clone, Copy, Debug)]
struct Wish {
    digest: KeyDigest,
    lead: Option<Duration>,
    until: Instant,
    waits: bool,
}

/// What stands under a digest.
enum Found {
    /// An entry that nothing has ended, as far as the log was followed.
    Current(StoredEntry, Cursor),
    /// The same, and it is not fresh any more: somebody has to ask the origin about it, and one is enough.
    Stale(StoredEntry, Cursor),
    Nothing,
}

/// `GET /v1/entries/<digest>`
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    Path(text): Path<String>,
    uri: Uri,
) -> Answered {
    let query = Query::of(&uri);
    let lead = query.millis("lease_ms", LONGEST_LEAD)?;
    let wait = query.millis("wait_ms", LONGEST_WAIT)?;
    let now = Instant::now();
    let wish = Wish {
        digest: query::digest(&text)?,
        lead: (!lead.is_zero()).then_some(lead),
        until: now.checked_add(wait).unwrap_or(now),
        waits: !wait.is_zero(),
    };
    let place = match wish.waits {
        true => service.wait_for_entry(),
        false => None,
    };
    let watch = place
        .is_some()
        .then(|| service.store.watch_digest(wish.digest));
    look(&service, wish, watch).await
}

async fn look(service: &Service, wish: Wish, mut watch: Option<Watch>) -> Answered {
    let mut was_woken = false;
    loop {
        let found = find(service, wish.digest).await?;
        if let Found::Current(entry, until) = found {
            return Ok(given(service, entry, until));
        }
        let held = match wish.lead {
            None if was_woken => return Ok(as_it_is(service, found, None)),
            None => None,
            Some(length) => match lease(service, wish.digest, length).await? {
                Lease::Held(left) => Some(left),
                Lease::Granted(fence) if was_woken => return let_go(service, wish, fence).await,
                Lease::Granted(fence) => return granted(service, wish, fence).await,
            },
        };
        let Some(watch) = watch.as_mut() else {
            return Ok(as_it_is(service, found, held));
        };
        match pause(service, watch, (wish.until, held)).await? {
            Pause::Over => return Ok(as_it_is(service, found, held)),
            Pause::LeadExpired => was_woken = false,
            Pause::Woken => was_woken = true,
        }
    }
}

/// What was found, where there is no lead to be had: what is stale is of no use to who may wait for better.
fn as_it_is(service: &Service, found: Found, held: Option<Duration>) -> Response {
    match (found, held) {
        (Found::Current(entry, until) | Found::Stale(entry, until), None) => {
            given(service, entry, until)
        }
        (Found::Current(..) | Found::Stale(..) | Found::Nothing, _) => absent(service, held),
    }
}

/// Whoever led has given up, or brought nothing of use to others. Then nobody waits for the next one, who may bring nothing
/// either, but all that have waited go at once, without a lead.
async fn let_go(service: &Service, wish: Wish, fence: u64) -> Answered {
    let released = service.store.release(wish.digest, fence);
    service.stored("release", released).await?;
    let found = find(service, wish.digest).await?;
    Ok(as_it_is(service, found, None))
}

/// Why somebody who waits looks again.
enum Pause {
    /// There is no more time.
    Over,
    /// Who led has said nothing for as long as it may.
    LeadExpired,
    /// Something has happened.
    Woken,
}

/// Waits until it may be worth looking again.
async fn pause(
    service: &Service,
    watch: &mut Watch,
    (until, held): (Instant, Option<Duration>),
) -> Result<Pause, Refusal> {
    let now = Instant::now();
    if now >= until {
        return Ok(Pause::Over);
    }
    let lead_ends = held.and_then(|left| now.checked_add(left));
    let next = lead_ends.map_or(until, |ends| ends.min(until));
    let mut pulse = service.follower.pulse();
    tokio::select! {
        () = watch.changed() => Ok(Pause::Woken),
        () = tokio::time::sleep_until(next) => Ok(match next < until {
            true => Pause::LeadExpired,
            false => Pause::Over,
        }),
        disturbance = service.disturbed(&mut pulse) => match disturbance {
            Disturbance::Drain => Ok(Pause::Over),
            Disturbance::Lost => Err(Refusal::lost()),
        },
    }
}

async fn lease(service: &Service, digest: KeyDigest, length: Duration) -> Result<Lease, Refusal> {
    let lease = service.store.lease(digest, length);
    let lease = service.stored("lease", lease).await?;
    let result = match lease {
        Lease::Granted(_) => "granted",
        Lease::Held(_) => "held",
    };
    service.metrics.count(Family::Leases, &[result]);
    Ok(lease)
}

/// Whoever had the lead before may have brought the entry between the look and this.
async fn granted(service: &Service, wish: Wish, fence: u64) -> Answered {
    match find(service, wish.digest).await? {
        Found::Current(entry, until) => {
            let released = service.store.release(wish.digest, fence);
            service.stored("release", released).await?;
            Ok(given(service, entry, until))
        }
        Found::Stale(entry, until) => {
            let mut response = given(service, entry, until);
            let fields = response.headers_mut();
            fields.insert(HeaderName::from_static(LEASE), HeaderValue::from(fence));
            Ok(response)
        }
        Found::Nothing => {
            service.metrics.count(Family::EntriesGot, &["absent"]);
            Ok(no_entry(&fence.to_string()))
        }
    }
}

fn absent(service: &Service, held: Option<Duration>) -> Response {
    service.metrics.count(Family::EntriesGot, &["absent"]);
    match held {
        Some(_) => no_entry("held"),
        None => Refusal::absent("there is no current entry").into_response(),
    }
}

fn no_entry(lead: &str) -> Response {
    let lead = HeaderValue::from_str(lead).unwrap_or(HeaderValue::from_static("held"));
    Refusal::absent("there is no current entry")
        .with(HeaderName::from_static(LEASE), lead)
        .into_response()
}

fn given(service: &Service, entry: StoredEntry, until: Cursor) -> Response {
    service.metrics.count(Family::EntriesGot, &["given"]);
    let bytes = entry.frame.len() as u64;
    service.metrics.add(Family::EntryBytes, &["out"], bytes);
    let mut response = Body::from(entry.frame).into_response();
    let fields = response.headers_mut();
    let mut field = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            fields.insert(name, value);
        }
    };
    let name = HeaderName::from_static;
    field(header::CONTENT_TYPE, "application/octet-stream");
    field(header::CACHE_CONTROL, "no-store");
    field(name("larder-cursor"), &until.to_string());
    field(name("larder-age-ms"), &millis(entry.age).to_string());
    field(name("larder-left-ms"), &millis(entry.left).to_string());
    response
}

async fn find(service: &Service, digest: KeyDigest) -> Result<Found, Refusal> {
    let entry = read(service, digest);
    let Some(entry) = service.stored("entry", entry).await? else {
        return Ok(Found::Nothing);
    };
    let (judged, freshness) = match Frame::decode(&entry.frame) {
        Ok(frame) => {
            let judged = judge(service, digest, entry.cursor, &frame)?;
            (judged, frame.freshness(millis(entry.age)))
        }
        Err(error) => (Judged::Broken(broken(error)), Freshness::Stale),
    };
    let (removed, result) = match judged {
        Judged::Is(Verdict::Current, until) => {
            return Ok(match freshness {
                Freshness::Fresh => Found::Current(entry, until),
                Freshness::Stale => Found::Stale(entry, until),
            });
        }
        Judged::Is(Verdict::Covered { mode, .. }, _) => match mode {
            Mode::Hard => (Some("invalidated"), "invalidated"),
            Mode::Invalid | Mode::Soft => (None, "invalidated"),
        },
        // Its fetcher knows more of the log than this replica, which will come to know it.
        Judged::Is(Verdict::Ahead, _) => (None, "ahead"),
        Judged::Is(Verdict::Foreign, _) => (Some("foreign"), "foreign"),
        Judged::Is(Verdict::TooOld, _) => (Some("too-old"), "too-old"),
        Judged::Broken(_) => (Some("corrupt"), "corrupt"),
    };
    service.metrics.count(Family::EntriesGot, &[result]);
    if let Some(reason) = removed {
        let discarded = service.store.discard(digest, &entry);
        if service.stored("discard", discarded).await? {
            service.metrics.count(Family::EntriesRemoved, &[reason]);
        }
    }
    Ok(Found::Nothing)
}

/// What the store cannot read was written by another version of it.
async fn read(service: &Service, digest: KeyDigest) -> Result<Option<StoredEntry>, StoreError> {
    match service.store.entry(digest).await {
        Err(StoreError::Corrupt(_)) => {
            service.metrics.count(Family::EntriesGot, &["corrupt"]);
            if service.store.remove_entry(digest).await? {
                service.metrics.count(Family::EntriesRemoved, &["corrupt"]);
            }
            Ok(None)
        }
        read => read,
    }
}

/// What is known of a frame.
enum Judged {
    /// It is an entry; and how far the log was followed.
    Is(Verdict, Cursor),
    /// It is none.
    Broken(&'static str),
}

fn judge(
    service: &Service,
    digest: KeyDigest,
    cursor: Cursor,
    frame: &Frame<'_>,
) -> Result<Judged, Refusal> {
    let key = frame.key();
    if key.digest() != digest {
        let problem = "the entry is of another key than its address says";
        return Ok(Judged::Broken(problem));
    }
    let judged = service.follower.judge(cursor, frame.stamps(), &key.name());
    let (verdict, until) = judged.ok_or_else(Refusal::lost)?;
    Ok(Judged::Is(verdict, until))
}

fn broken(error: FrameError) -> &'static str {
    match error {
        FrameError::Checksum => "the frame is damaged: its checksum is another one",
        FrameError::Entry(_) => "the frame holds no entry of this version",
        FrameError::Invalid => "this is no frame",
        FrameError::Truncated => "the frame ends too early",
        FrameError::Version => "the frame is of another version",
    }
}
