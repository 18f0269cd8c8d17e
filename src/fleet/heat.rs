//! What is asked for most, to the fleet; and a fresh instance fetches what the fleet is asked for most, before clients come.
//!
//! The hottest entries come from the fleet's store, a few at a time. What is not there is asked of the origin, where the filter may send
//! requests of its own (`background.cluster`), as slowly as any warming.

use std::collections::VecDeque;
use std::rc::Rc;

use larder_core::report::{FleetOp, FleetResult};
use larder_core::sorting::sort_by;
use larder_core::tier::{Cas, SharedKv};
use larder_core::time::Timestamp;
use larder_core::wire::Heat;
use larder_manage::{Warm, WarmOrder, WarmUrl};
use larder_observe::Json;

use super::consult::entry_path;
use super::entries::Expected;
use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison};
use crate::shared_data::SharedData;
use crate::warm::Starter;
use crate::worker::Worker;

/// Where the workers write it.
const CELL: &str = "larder1k";
/// So many URLs are told of.
const MOST_TOLD: usize = 32;
/// So many are fetched by a fresh instance, ...
const MOST_FETCHED: &str = "/v1/heat?limit=100";
/// ... so many at a time, ...
const AT_ONCE: usize = 4;
/// ... as long as they have not come to so many bytes.
const MOST_BYTES: usize = 32 << 20;
/// So many milliseconds for each.
const PATIENCE: u32 = 2000;
/// Requests to the origin at a time.
const ORIGIN_AT_ONCE: u32 = 2;

/// What a fresh instance still has to fetch.
#[derive(Default)]
pub(super) struct Warmth {
    wanted: VecDeque<Heat>,
    under_way: usize,
    bytes: usize,
    /// The fleet does not have them.
    missing: Vec<WarmUrl>,
}

/// What this worker answers most.
fn of_worker(worker: &Worker) -> Vec<Heat> {
    let hottest = worker.hottest(MOST_TOLD).into_iter();
    let heat = hottest.filter_map(|(key, count)| {
        let name = key.name();
        // A name without a path is that of a template, and leads nowhere.
        name.from_path()?;
        let place = name.as_str().strip_prefix("GET:")?;
        // What stands in a query may be somebody's: it is told that there is one, and no more.
        let place = place.split_inclusive('?').next()?;
        Some(Heat {
            url: [key.scheme(), "://", place].concat(),
            digest: key.digest(),
            count: count.into(),
        })
    });
    heat.collect()
}

/// What all workers have written there since it was taken.
fn read() -> (Vec<Heat>, Cas) {
    match SharedData.get(CELL) {
        Ok(Some(cell)) => (Heat::read(&cell.value).unwrap_or_default(), cell.cas),
        Ok(None) | Err(_) => (Vec::new(), Cas::NEVER),
    }
}

/// Adds what this worker answers most to what the others do. The worker that polls need not be one that has any clients: the proxy's
/// main thread has a VM, too.
#[cold]
#[inline(never)]
pub(super) fn show(worker: &Worker) {
    let own = of_worker(worker);
    if own.is_empty() {
        return;
    }
    let (mut all, version) = read();
    for heat in own {
        match all.iter_mut().find(|known| known.digest == heat.digest) {
            Some(known) => known.count = known.count.saturating_add(heat.count),
            None => all.push(heat),
        }
    }
    sort_by(&mut all, |one, other| other.count.cmp(&one.count));
    all.truncate(MOST_TOLD);
    let item = |heat: &Heat| {
        let json = Json::object().text("url", &heat.url);
        let json = json.text("digest", &heat.digest.to_string());
        json.number("count", heat.count).end()
    };
    let json = Json::object().list("heat", all.iter().map(item));
    let _ = SharedData.set(CELL, json.end().as_bytes(), version); // else it says so the next time
}

/// Takes what all workers answer most.
pub(super) fn take() -> Vec<Heat> {
    let (all, version) = read();
    if !all.is_empty() {
        let _ = SharedData.set(CELL, &[], version); // else a little is told twice
    }
    all
}

impl Liaison {
    /// This instance has met the fleet for the first time.
    #[cold]
    #[inline(never)]
    pub(super) fn warm_up(&self, now: Timestamp) {
        let Some(admin) = self.admin().filter(|_| self.is_sharing()) else {
            return;
        };
        let letter = Letter {
            method: "GET",
            path: MOST_FETCHED,
            patience: PATIENCE,
            ..Letter::default()
        };
        self.send(&admin, &letter, Errand::Heat, now); // else it begins cold
    }

    /// The service has said what is asked for most, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn heard_of_heat(
        &self,
        worker: &Rc<Worker>,
        answer: &Result<Said, Trouble>,
        now: Timestamp,
    ) {
        let said = answer.as_ref().ok().filter(|said| said.status == 200);
        let body = said.and_then(|said| said.body(1 << 20));
        if let Some(heat) = body.and_then(|body| Heat::read(&body).ok())
            && let Ok(mut warmth) = self.warmth.try_borrow_mut()
        {
            warmth.wanted = heat.into();
        }
        self.fetch_on(worker, now);
    }

    /// Asks for the next ones.
    fn fetch_on(&self, worker: &Rc<Worker>, now: Timestamp) {
        let (Some(admin), Ok(mut warmth)) = (self.admin(), self.warmth.try_borrow_mut()) else {
            return;
        };
        while warmth.under_way < AT_ONCE && warmth.bytes < MOST_BYTES && !self.is_shut.get() {
            let Some(heat) = warmth.wanted.pop_front() else {
                break;
            };
            let path = entry_path(heat.digest);
            let letter = Letter {
                method: "GET",
                path: &path,
                patience: PATIENCE,
                ..Letter::default()
            };
            if self
                .send(&admin, &letter, Errand::Fetch(Box::new(heat)), now)
                .is_none()
            {
                break;
            }
            warmth.under_way = warmth.under_way.saturating_add(1);
        }
        if warmth.under_way == 0 {
            warmth.wanted.clear();
            let urls = std::mem::take(&mut warmth.missing);
            drop(warmth);
            self.ask_origin(worker, urls, now);
        }
    }

    /// The service has given an entry, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn fetched(
        &self,
        worker: &Rc<Worker>,
        heat: &Heat,
        answer: &Result<Said, Trouble>,
        now: Timestamp,
    ) {
        let mut missing = None;
        let most = self.most_object_bytes();
        let result = self.result_of(answer, |said| match said.status {
            200 => match self.take_in(worker, (Expected::Digest(heat.digest), most), said, now) {
                Ok(_) => FleetResult::Hit,
                Err(result) => result,
            },
            404 => {
                if !heat.url.ends_with('?') {
                    missing = WarmUrl::parse(&heat.url, ("", ""));
                }
                FleetResult::Miss
            }
            _ => FleetResult::Error,
        });
        worker.count_fleet(FleetOp::Get, result);
        if let Ok(mut warmth) = self.warmth.try_borrow_mut() {
            warmth.under_way = warmth.under_way.saturating_sub(1);
            warmth.missing.extend(missing);
            let bytes = answer.as_ref().map_or(0, |said| said.bytes);
            warmth.bytes = warmth.bytes.saturating_add(bytes);
            if let Err(Trouble::Late | Trouble::Silence) = answer {
                warmth.wanted.clear(); // it has other things to do
            }
        }
        self.fetch_on(worker, now);
    }

    fn ask_origin(&self, worker: &Rc<Worker>, urls: Vec<WarmUrl>, now: Timestamp) {
        let live = self.lives().into_iter().next();
        let Some(force) = live.and_then(|live| live.force()) else {
            return;
        };
        let around = &force.surroundings;
        if urls.is_empty() || around.config().background.is_none() {
            return;
        }
        let order = WarmOrder {
            urls,
            concurrency: ORIGIN_AT_ONCE,
            cluster: None,
        };
        let _ = Starter { worker, around }.begin(order, now); // else something is being warmed already
    }
}
