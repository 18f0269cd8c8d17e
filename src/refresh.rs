//! What clients are given stale is made fresh behind their backs: by calls of the filter's own, through the cluster of the route
//! that the client's request takes, or through the one that the configuration names.
//!
//! A call belongs to the root context of the stream in whose callback it is made (envoy `Context::httpCall`), and goes to the
//! cluster past route and filters. Whether that is the same as what the proxy would have sent is learned from requests that it
//! has sent ([`learn`]), and from replies that come by otherwise than they were given ([`learn_from_reply`]). What a worker does not hear of in time has failed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::exchange::{
    Arriving, Background, Effect, Event, Exchange, Readiness, Refresh, ResponseBody,
    is_sent_as_it_came,
};
use larder_core::flight::Landing;
use larder_core::http::Headers;
use larder_core::key::Key;
use larder_core::tier::{Passage, Route};
use larder_core::time::{Seconds, Timestamp};

use crate::callout::{LATEST, Nobody, OfTheOrigin, PATIENCE, answered_head, mark};
use crate::compose::Road;
use crate::fleet::Parcel;
use crate::host;
use crate::shared_data::SharedData;
use crate::stream::settled;
use crate::worker::Worker;

/// So many calls are under way on one worker; beyond that, clients' requests take their place.
const MOST_CALLS: usize = 64;
/// So many failures are remembered.
const MOST_FAILURES: usize = 256;
/// After so many failures in a row on a route, no more is asked for there behind clients' backs ...
const ENOUGH: u8 = 3;
/// ... for so long: its cluster may be one that only takes clients' requests.
const PAUSE: Seconds = Seconds::clamped(60);
/// After a failure nobody tries again for so long, and each time twice as long, up to thirty seconds.
const LONGEST_REST: Seconds = Seconds::clamped(30);

/// The calls of a worker.
#[derive(Default)]
pub(crate) struct Refreshing(RefCell<State>);

#[derive(Default)]
struct State {
    calls: Vec<Pending>,
    /// Of routes and of what stands under keys, the latest last.
    failures: Vec<Failure>,
}

/// What did not come, though it was asked for.
struct Failure {
    of: u64,
    /// How often in a row.
    times: u8,
    last: Timestamp,
}

/// In place of how often: the origin does not want to be asked like this.
const DECLINED: u8 = u8::MAX;

/// A request that is at the origin.
struct Pending {
    token: u32,
    route: Route,
    key: u64,
    exchange: Exchange,
    deadline: Timestamp,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The origin has answered.
    Answered,
    /// It does not want to be asked like this.
    Declined,
    /// It has failed, or could not be asked.
    Failed,
}

/// A call's answer: how many lines its head has, and how many bytes its body.
type Size = (usize, usize);

/// How requests of the filter's own get to where the request at hand would.
pub(crate) struct Ways {
    worker: Rc<Worker>,
    /// Through this cluster, which makes of them what routes and filters would.
    cluster: Option<String>,
}

impl Ways {
    /// Those of this worker, through this cluster or that of the route.
    pub(crate) fn of(worker: &Rc<Worker>, cluster: Option<String>) -> Rc<dyn Background> {
        let worker = Rc::clone(worker);
        Rc::new(Self { worker, cluster })
    }

    fn is_open(&self, key: u64) -> Option<bool> {
        let mut state = self.worker.refreshing.0.try_borrow_mut().ok()?;
        if state.calls.len() >= MOST_CALLS {
            return None;
        }
        // Then a client's request asks once.
        if state.times_of(key) == DECLINED {
            state.forget(key);
            return None;
        }
        let now = host::now().ok()?;
        if self.cluster.is_some() {
            return Some(self.worker.watchword(now).is_some());
        }
        let (route, _) = route()?;
        let is_known = Passage::known(&SharedData, route) == Some(Passage::Untouched);
        Some(is_known && !state.is_failing(route.id(), now))
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Ways")
    }
}

impl Background for Ways {
    fn readiness(&self, key: &Key) -> Readiness {
        match self.is_open(key.digest().short()) {
            Some(true) => Readiness::Ready,
            Some(false) | None => Readiness::Foreground,
        }
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        host::property(&["xds", "cluster_name"]).ok().flatten()
    }
}

/// The route of the stream at hand, and its cluster.
#[inline(never)]
fn route() -> Option<(Route, Vec<u8>)> {
    let words = ["virtual_host_name", "route_name", "cluster_name"];
    let [host, name, cluster] = words.map(|word| {
        let word = host::property(&["xds", word]);
        word.ok().flatten().unwrap_or_default()
    });
    let route = Route::of([&host, &name, &cluster]);
    (!cluster.is_empty()).then_some((route, cluster))
}

/// How fragments of the page of the stream at hand get to their origin.
pub(crate) fn road(config: &Config) -> Road {
    if let Some(cluster) = &config.background {
        return Road::Named(cluster.clone());
    }
    let cluster =
        route().and_then(|(route, cluster)| Some((route, String::from_utf8(cluster).ok()?)));
    cluster.map_or(Road::None, |(route, cluster)| Road::Cluster(route, cluster))
}

/// The request of the stream at hand came with one head and was sent with another, or the same.
#[cold]
#[inline(never)]
pub(crate) fn learn(came: &Headers, sent: &Headers) {
    let Some((route, _)) = route() else {
        return;
    };
    let passage = match is_sent_as_it_came(came, sent) {
        false => Passage::Altered,
        true => Passage::Untouched,
    };
    passage.note(&SharedData, route);
}

/// The reply of the stream at hand came by altered: a route, or a filter behind this one, adds to responses or takes from them, and
/// a response to a request of the filter's own passes neither.
#[cold]
#[inline(never)]
pub(crate) fn learn_from_reply() {
    if let Some((route, _)) = route() {
        Passage::Altered.note(&SharedData, route);
    }
}

impl State {
    fn times_of(&self, of: u64) -> u8 {
        let known = self.failures.iter().find(|failure| failure.of == of);
        known.map_or(0, |failure| failure.times)
    }

    fn is_failing(&self, route: u64, now: Timestamp) -> bool {
        self.failures.iter().any(|failure| {
            let is_recent = failure.last <= now && now < failure.last.plus(PAUSE);
            failure.of == route && failure.times >= ENOUGH && is_recent
        })
    }

    fn forget(&mut self, of: u64) {
        self.failures.retain(|failure| failure.of != of);
    }

    /// It has failed once more, or for the first time. The oldest makes room for the newest.
    fn fail(&mut self, of: u64, times: u8, now: Timestamp) {
        self.forget(of);
        if self.failures.len() >= MOST_FAILURES {
            self.failures.remove(0);
        }
        let last = now;
        self.failures.push(Failure { of, times, last });
    }

    /// What was asked for came, or did not; how long nobody is to ask again.
    fn note(&mut self, call: &Pending, outcome: Outcome, now: Timestamp) -> Seconds {
        let times = self.times_of(call.key).min(5); // 32 seconds
        match outcome {
            Outcome::Answered => [call.key, call.route.id()]
                .into_iter()
                .for_each(|of| self.forget(of)),
            Outcome::Declined => self.fail(call.key, DECLINED, now),
            Outcome::Failed => {
                self.fail(call.key, times.saturating_add(1), now);
                let of_route = self.times_of(call.route.id()).saturating_add(1);
                self.fail(call.route.id(), of_route.min(ENOUGH), now);
            }
        }
        Seconds::clamped(1 << times).min(LONGEST_REST)
    }
}

impl Refreshing {
    /// Sends the request, in a callback of the stream that takes the same way.
    #[cold]
    #[inline(never)]
    pub(crate) fn send(&self, worker: &Worker, refresh: Refresh, now: Timestamp) {
        let Refresh {
            key,
            mut request,
            exchange,
        } = refresh;
        let (route, cluster) = route().unwrap_or((Route::of([&[]; 3]), Vec::new()));
        let of_route = str::from_utf8(&cluster).unwrap_or_default();
        let named = exchange.surroundings().config().background.as_deref();
        if named.is_some() {
            mark(worker, &mut request, now);
        }
        let token = host::call(named.unwrap_or(of_route), &request.to_pairs(), PATIENCE);
        let call = Pending {
            token: token.unwrap_or_default(),
            route,
            key: key.short(),
            exchange,
            deadline: now.plus(LATEST),
        };
        match (token, self.0.try_borrow_mut()) {
            (Ok(_), Ok(mut state)) => return state.calls.push(call),
            (Ok(_), Err(_)) | (Err(_), _) => {}
        }
        self.end(worker, call, None, now);
    }

    /// Calls that have not been heard of for too long have failed; on a tick.
    pub(crate) fn step(&self, worker: &Worker, now: Timestamp) {
        while let Some(call) = self.take(|call| call.deadline <= now) {
            self.end(worker, call, None, now);
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&self, worker: &Worker, token: u32, size: Size) {
        if let Some(call) = self.take(|call| call.token == token)
            && let Ok(now) = host::now()
        {
            self.end(worker, call, Some(size), now);
        }
    }

    fn take(&self, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let mut state = self.0.try_borrow_mut().ok()?;
        let at = state.calls.iter().position(is_it)?;
        Some(state.calls.swap_remove(at))
    }

    #[cold]
    #[inline(never)]
    fn end(&self, worker: &Worker, mut call: Pending, size: Option<Size>, now: Timestamp) {
        let is_named = call.exchange.surroundings().config().background.is_some();
        let is_altered = Passage::known(&SharedData, call.route) == Some(Passage::Altered);
        let (outcome, effects) = match is_altered && !is_named {
            // That was learned from the very reply that was given in the meantime.
            true => (Outcome::Declined, take_in(&mut call.exchange, None, now).1),
            false => take_in(&mut call.exchange, size, now),
        };
        let rest = self
            .0
            .try_borrow_mut()
            .map(|mut state| state.note(&call, outcome, now));
        let rest = now.plus(rest.unwrap_or(LONGEST_REST));
        let (mut stored, mut parcel) = (None, Parcel::default());
        for effect in effects {
            if let Effect::Store(candidate) = &effect {
                let became = worker.store(candidate, now);
                parcel.add(&worker.fleet, candidate, became, now);
                stored = Some(became);
            } else if let Effect::Land(flight, landing) = effect {
                flight.land(match outcome {
                    Outcome::Failed => Landing::Failed { rest },
                    Outcome::Answered | Outcome::Declined => settled(landing, stored, now),
                });
            } else if let Effect::Count(counter) = effect {
                worker.count(counter);
            }
        }
        worker.fleet.share(worker, parcel, None, now);
    }
}

/// The origin's response, as a client's would be taken in, or none.
fn take_in(exchange: &mut Exchange, size: Option<Size>, now: Timestamp) -> (Outcome, Vec<Effect>) {
    let Some((headers, outcome, bytes)) = size.and_then(answer) else {
        let arriving = Arriving {
            headers: Headers::from_iter([(":status", "503")]),
            body: ResponseBody::None,
            attributes: &Nobody,
        };
        return (
            Outcome::Failed,
            exchange.on(Event::Response(arriving), now).effects,
        );
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
    let mut effects = exchange.on(Event::Response(arriving), now).effects;
    if let Some(wanted) = exchange.wanted_body() {
        match host::call_response_body(bytes.min(wanted)) {
            Ok(content) => {
                effects.extend(exchange.on(Event::Chunk(&content), now).effects);
                effects.extend(exchange.on(Event::ResponseEnded, now).effects);
            }
            Err(_) => exchange.give_up(),
        }
    }
    (outcome, effects)
}

/// The head of what a call was answered with, what to think of it, and how long its body is; `None` where nobody has
/// answered.
fn answer((lines, bytes): Size) -> Option<(Headers, Outcome, usize)> {
    let head = answered_head(lines)?;
    let outcome = match head.first(":status").unwrap_or_default() {
        [b'4', ..] => Outcome::Declined,
        [b'5', ..] => Outcome::Failed,
        _ => Outcome::Answered,
    };
    Some((head, outcome, bytes))
}
