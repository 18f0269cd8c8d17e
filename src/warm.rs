//! Fetching before clients ask: each URL goes through an exchange as a client's request would, but that the origin is asked by a
//! call of the filter's own, through a cluster of the proxy.
//!
//! Nothing here is in a hurry, and all of it is little used: it is kept small.
//!
//! Calls begin on a tick or with another call's answer, since they belong to a root context (envoy `Context::httpCall`). What a
//! worker does not hear of in time has failed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use larder_core::exchange::{
    Answer, Arrival, Arriving, Effect, Event, Exchange, ResponseBody, Step, Surroundings, Verdict,
};
use larder_core::http::Headers;
use larder_core::policy::Reason;
use larder_core::policy::request::RequestBody;
use larder_core::report::{Counter, FetchClass};
use larder_core::tier::Stored;
use larder_core::time::Timestamp;
use larder_manage::{Progress, Warm, WarmOrder, WarmUrl};

use crate::callout::{LATEST, OfTheOrigin, PATIENCE, answered_head, mark};
use crate::fleet::Parcel;
use crate::host;
use crate::shared_data::SharedData;
use crate::worker::{Worker, random};

/// The job of a worker, if it has one.
#[derive(Default)]
pub(crate) struct Warming(RefCell<Option<Job>>);

struct Job {
    progress: Progress,
    cell: u8,
    urls: VecDeque<WarmUrl>,
    concurrency: usize,
    around: Rc<Surroundings>,
    calls: Vec<Pending>,
}

/// A request that is at the origin.
struct Pending {
    token: u32,
    exchange: Exchange,
    deadline: Timestamp,
}

/// How a URL ended.
enum End {
    Failed,
    Fresh,
    NotStored(Reason),
    Stored,
}

/// What begins a job on a worker.
pub(crate) struct Starter<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) around: &'a Surroundings,
}

impl Warm for Starter<'_> {
    fn begin(&self, order: WarmOrder, now: Timestamp) -> Option<Progress> {
        let mut job = self.worker.warming.0.try_borrow_mut().ok()?;
        if job.is_some() {
            return None;
        }
        let of_route = || {
            let name = host::property(&["xds", "cluster_name"]).ok().flatten()?;
            String::from_utf8(name).ok()
        };
        let named = self.around.config().background.clone();
        let progress = Progress {
            id: random() as u64,
            at: now.as_secs(),
            total: u32::try_from(order.urls.len()).unwrap_or(u32::MAX),
            cluster: order.cluster.or(named).or_else(of_route)?,
            ..Progress::default()
        };
        let cell = progress.claim(&SharedData)?;
        *job = Some(Job {
            progress: progress.clone(),
            cell,
            urls: order.urls.into(),
            concurrency: usize::try_from(order.concurrency).unwrap_or(1),
            around: self.around.aside(),
            calls: Vec::new(),
        });
        Some(progress)
    }
}

impl Warming {
    /// Whether there is a job.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.try_borrow().is_ok_and(|job| job.is_none())
    }

    /// Asks for what may be asked for now; on a tick.
    pub(crate) fn step(&self, worker: &Worker, now: Timestamp) {
        self.with(worker, now, &mut |job| {
            let (late, waiting) = std::mem::take(&mut job.calls)
                .into_iter()
                .partition(|call| call.deadline <= now);
            job.calls = waiting;
            let late: Vec<Pending> = late;
            late.iter().for_each(|_| job.end(End::Failed));
        });
    }

    /// A call was answered, with a head of so many lines and so many bytes.
    pub(crate) fn answered(&self, worker: &Worker, token: u32, (lines, bytes): (usize, usize)) {
        let Ok(now) = host::now() else {
            return;
        };
        self.with(worker, now, &mut |job| {
            let at = job.calls.iter().position(|call| call.token == token);
            if let Some(at) = at {
                let call = job.calls.swap_remove(at);
                let end = take_in(worker, call.exchange, (lines, bytes), now);
                job.end(end);
            }
        });
    }

    #[cold]
    #[inline(never)]
    fn with(&self, worker: &Worker, now: Timestamp, then: &mut dyn FnMut(&mut Job)) {
        let Ok(mut place) = self.0.try_borrow_mut() else {
            return;
        };
        let Some(job) = place.as_mut() else {
            return;
        };
        then(job);
        job.begin_calls(worker, now);
        job.count(worker);
        job.progress.at = now.as_secs();
        job.progress.show(&SharedData, job.cell);
        if job.urls.is_empty() && job.calls.is_empty() {
            *place = None;
        }
    }
}

impl Job {
    /// What the origin was asked is counted, and nothing else: no client has come.
    #[cold]
    #[inline(never)]
    fn count(&self, worker: &Worker) {
        self.around.tally().take(&mut |counter, by| {
            if let Counter::Fetched(_, result) = counter {
                worker.add(Counter::Fetched(FetchClass::Warm, result), by);
            } else if counter == Counter::FetchTime {
                worker.add(counter, by);
            }
        });
    }

    #[cold]
    #[inline(never)]
    fn end(&mut self, end: End) {
        let progress = &mut self.progress;
        progress.done = progress.done.saturating_add(1);
        let count = match end {
            End::Failed => &mut progress.failed,
            End::Fresh => &mut progress.fresh,
            End::Stored => &mut progress.stored,
            End::NotStored(reason) => return progress.note(reason),
        };
        *count = count.saturating_add(1);
    }

    /// What is there already costs no call, so there is a bound to what is looked up at once.
    #[cold]
    #[inline(never)]
    fn begin_calls(&mut self, worker: &Worker, now: Timestamp) {
        for _ in 0..64 {
            if self.calls.len() >= self.concurrency {
                return;
            }
            let Some(url) = self.urls.pop_front() else {
                return;
            };
            match self.ask(worker, &url, now) {
                Ok(call) => self.calls.push(call),
                Err(end) => self.end(end),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn ask(&self, worker: &Worker, url: &WarmUrl, now: Timestamp) -> Result<Pending, End> {
        let mut head = Headers::from_iter([
            (":method", "GET"),
            (":scheme", &url.scheme),
            (":authority", &url.authority),
            (":path", &url.target),
        ]);
        let mut exchange = Exchange::new(Rc::clone(&self.around));
        let arrival = Arrival {
            headers: head.clone(),
            body: RequestBody::None,
            attributes: &OfTheOrigin,
        };
        let step = exchange.on(Event::Request(arrival), now);
        look_up(worker, &mut exchange, step, &mut head, now)?;
        head.push("user-agent", "larder-warm");
        if self.around.config().background.as_ref() == Some(&self.progress.cluster) {
            mark(worker, &mut head, now);
        }
        let cluster = &self.progress.cluster;
        let token = host::call(cluster, &head.to_pairs(), PATIENCE).map_err(|_| End::Failed)?;
        Ok(Pending {
            token,
            exchange,
            deadline: now.plus(LATEST),
        })
    }
}

/// Until it is known whether the origin has to be asked.
#[cold]
#[inline(never)]
fn look_up(
    worker: &Worker,
    exchange: &mut Exchange,
    step: Step<'_>,
    head: &mut Headers,
    now: Timestamp,
) -> Result<(), End> {
    let mut refused = None;
    for effect in step.effects {
        match effect {
            Effect::Count(Counter::Bypassed(reason)) => refused = Some(reason),
            Effect::RemoveRequestHeader(name) => head.remove(name),
            Effect::SetRequestHeader(name, value) => {
                head.remove(name);
                head.push(name, value);
            }
            Effect::AddHeader(..)
            | Effect::Compress(_)
            | Effect::Count(_)
            | Effect::Gather(_)
            | Effect::Invalidate(_)
            | Effect::Land(..)
            | Effect::Measure(..)
            | Effect::Refresh(_)
            | Effect::RemoveHeader(_)
            | Effect::SetField(_)
            | Effect::SetHeader(..)
            | Effect::Store(_)
            | Effect::Watch(_) => {}
        }
    }
    match step.verdict {
        Verdict::Continue if exchange.asks_to_store() => Ok(()),
        Verdict::Continue => Err(End::NotStored(refused.unwrap_or(Reason::Busy))),
        Verdict::Consult(_)
        | Verdict::Hold
        | Verdict::Inspect
        | Verdict::Manage(_)
        | Verdict::Park(_) => Err(End::NotStored(Reason::RequestBody)),
        Verdict::Compose(_) | Verdict::Reply(_) => Err(End::Fresh),
        Verdict::Lookup(key) => {
            let found = worker.lookup(&key, now);
            let step = exchange.on(Event::Answer(Answer::of(&found)), now);
            look_up(worker, exchange, step, head, now)
        }
    }
}

/// The origin's response, as a client's would be taken in.
#[cold]
#[inline(never)]
fn take_in(
    worker: &Worker,
    mut exchange: Exchange,
    (lines, bytes): (usize, usize),
    now: Timestamp,
) -> End {
    let (Some(headers), Ok(content)) = (answered_head(lines), host::call_response_body(bytes))
    else {
        return End::Failed;
    };
    let body = match bytes {
        0 => ResponseBody::None,
        _ => ResponseBody::Follows,
    };
    let arriving = Arriving {
        headers,
        body,
        attributes: &OfTheOrigin,
    };
    let step = exchange.on(Event::Response(arriving), now);
    let mut effects = step.effects;
    if let Verdict::Lookup(_) = step.verdict {
        // It would stand in for a failure, and nobody waits for that.
        effects.extend(exchange.on(Event::Answer(Answer::Absent), now).effects);
    }
    effects.extend(exchange.on(Event::Chunk(&content), now).effects);
    effects.extend(exchange.on(Event::ResponseEnded, now).effects);
    let mut end = End::NotStored(Reason::Internal);
    let mut parcel = Parcel::default();
    for effect in effects {
        if let Effect::Store(candidate) = &effect {
            let became = worker.store(candidate, now);
            parcel.add(&worker.fleet, candidate, became, now);
            end = match became {
                Stored::Published => End::Stored,
                Stored::Skipped(why) => End::NotStored(why.reason()),
            };
        } else if let Effect::Count(Counter::NotStored(reason)) = effect {
            worker.count(Counter::NotStored(reason));
            end = End::NotStored(reason);
        }
    }
    worker.fleet.share(worker, parcel, None, now);
    end
}
