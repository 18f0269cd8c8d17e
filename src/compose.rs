//! The fragments of pages, each by an exchange of its own: looked up, waited for and asked for as a client's request is, but that
//! the origin is asked by a call of the filter's own ([`crate::refresh`] for what that passes by).
//!
//! A fragment belongs to a stream, which makes the page ([`crate::stream`]). When the stream is over or has waited for long
//! enough, its calls go on: what they bring is stored, and is there for the next page.
//!
//! ```text
//! Page: next_wanted ─▶ Fragment ─┬─ in the cache ───────────────────────▶ Page: arrived
//!                                ├─ parked ── woken ──┐
//!                                ├─ consults ─ relieved┤
//!                                └─ called ── answered ┴▶ Found ── wake ──▶ the stream goes on
//! ```

mod fragment;
mod taking;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use larder_compose::{Failure, Language, Number, Part};
use larder_core::entry::Stamp;
use larder_core::epoch::{Coverage, Invalidation, Mode, Scope};
use larder_core::exchange::{Exchange, Wake};
use larder_core::http::Headers;
use larder_core::key::Key;
use larder_core::policy::template;
use larder_core::tier::{Passage, Route};
use larder_core::time::Timestamp;

use crate::callout::LATEST;
use crate::fleet::{Brought, Lead, Relief};
use crate::host;
use crate::shared_data::SharedData;
use crate::worker::Worker;
use fragment::{Outcome, Owner};

/// The fragments of a worker that somebody waits for.
#[derive(Default)]
pub(crate) struct Composing {
    pending: RefCell<Vec<Fragment>>,
    /// What has come of some, whose streams have not heard of it.
    found: RefCell<VecDeque<Found>>,
    /// Streams that wait, and until when.
    waiting: RefCell<Vec<(u32, Timestamp)>>,
    next: Cell<u32>,
    /// What was stored of fragments that took routes of which it is not known whether they alter requests.
    unproven: RefCell<Vec<(Route, Stamp)>>,
}

/// What has come of a fragment.
pub(crate) struct Found {
    pub(crate) stream: u32,
    pub(crate) number: Number,
    pub(crate) outcome: Result<Fetched, Failure>,
}

/// A fragment as it came, and in which language it is a template if it is one.
pub(crate) type Fetched = (Part, Option<Language>);

/// How a fragment would get to its origin.
#[derive(Clone)]
pub(crate) enum Road {
    /// By this route, through its cluster.
    Cluster(Route, String),
    /// Not at all.
    None,
    /// Through this cluster, which makes of it what routes and filters would.
    Named(String),
}

/// A fragment that does not stand in the cache.
struct Fragment {
    /// By which it waits for others; no stream has such a number.
    id: u32,
    owner: Owner,
    stream: u32,
    number: Number,
    request: Headers,
    exchange: Exchange,
    road: Road,
    state: State,
    /// The lead that the fleet has given it.
    lead: Option<Lead>,
    /// What the fleet has under a key, while it is looked up.
    brought: Option<Box<Brought>>,
}

/// For what it waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The answer to this call, until then.
    Called(u32, Timestamp),
    /// What the fleet has.
    Consulting,
    /// Another's response.
    Parked,
}

/// So many of these are remembered.
const MOST_UNPROVEN: usize = 256;

/// From here on numbers are those of fragments: a host that has counted its contexts up to here has other troubles.
const FIRST: u32 = 1 << 31;

/// In which language it is, as those say it who make pages.
pub(crate) fn spoken(language: template::Language) -> Language {
    match language {
        template::Language::Esi => Language::Esi,
        template::Language::Json => Language::Json,
    }
}

impl Composing {
    fn next_id(&self) -> u32 {
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        FIRST | next
    }

    /// Asks for a fragment, in the name of its stream; `None` where it will come.
    pub(crate) fn begin(
        &self,
        worker: &Worker,
        (stream, number): (u32, Number),
        (request, exchange, road): (Headers, Exchange, Road),
        now: Timestamp,
    ) -> Option<Result<Fetched, Failure>> {
        let fragment = Fragment {
            id: self.next_id(),
            owner: Owner::of(exchange.surroundings().config(), &request),
            stream,
            number,
            request,
            exchange,
            road,
            state: State::Parked,
            lead: None,
            brought: None,
        };
        match fragment.ask(worker, now) {
            Outcome::Found(found) => Some(found),
            Outcome::Waits(fragment) => match self.pending.try_borrow_mut() {
                Ok(mut pending) => {
                    pending.push(fragment);
                    None
                }
                Err(_) => Some(Err(Failure::Unreachable)), // no borrow outlives a call
            },
        }
    }

    fn take(&self, is_it: impl Fn(&Fragment) -> bool) -> Option<Fragment> {
        let mut pending = self.pending.try_borrow_mut().ok()?;
        let at = pending.iter().position(is_it)?;
        Some(pending.swap_remove(at))
    }

    /// A call was answered.
    pub(crate) fn answered(&self, worker: &Worker, token: u32, size: (usize, usize)) {
        let is_it =
            |one: &Fragment| matches!(one.state, State::Called(called, _) if called == token);
        if let Some(fragment) = self.take(is_it)
            && let Ok(now) = host::now()
        {
            self.settle(fragment.answered(worker, Some(size), now));
        }
    }

    /// A fragment, if it is one, waits no more for another's response.
    pub(crate) fn woken(&self, worker: &Worker, id: u32, why: Wake) {
        let Some(fragment) = self.take(|one| one.id == id) else {
            return;
        };
        self.go_on(worker, fragment, |fragment, now| {
            fragment.woken(worker, why, now)
        });
    }

    /// The fleet has been asked for a fragment, if it is one.
    #[cold]
    #[inline(never)]
    pub(crate) fn relieved(&self, worker: &Worker, id: u32, relief: Relief) {
        let Relief::Consulted(findings) = relief else {
            return; // no fragment is a call of the management API
        };
        if let Some(fragment) = self.take(|one| one.id == id)
            && let Ok(now) = host::now()
        {
            let consulted = findings.consulted;
            let fragment = fragment.given(worker, findings, now);
            self.go_on(worker, fragment, |fragment, now| {
                fragment.consulted(worker, consulted, now)
            });
        }
    }

    /// In the name of the stream that it is for; where that is over, nobody needs it.
    fn go_on(
        &self,
        worker: &Worker,
        fragment: Fragment,
        step: impl FnOnce(Fragment, Timestamp) -> (u32, Number, Outcome),
    ) {
        let Ok(now) = host::now() else {
            return;
        };
        match host::speak_for(fragment.stream) {
            Ok(()) => {
                worker.forget_glance();
                self.settle(step(fragment, now));
            }
            Err(_) => fragment.let_go(worker, now),
        }
    }

    fn settle(&self, (stream, number, outcome): (u32, Number, Outcome)) {
        match outcome {
            Outcome::Found(outcome) => {
                if let Ok(mut found) = self.found.try_borrow_mut() {
                    found.push_back(Found {
                        stream,
                        number,
                        outcome,
                    });
                }
            }
            Outcome::Waits(fragment) => {
                if let Ok(mut pending) = self.pending.try_borrow_mut() {
                    pending.push(fragment);
                }
            }
        }
    }

    /// A stream waits until then, and no longer.
    pub(crate) fn wait(&self, stream: u32, deadline: Timestamp) {
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            waiting.retain(|(waits, _)| *waits != stream);
            waiting.push((stream, deadline));
        }
    }

    /// A stream waits no more. Its calls go on, and what they bring is stored.
    pub(crate) fn leave(&self, worker: &Worker, stream: u32) {
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            waiting.retain(|(waits, _)| *waits != stream);
        }
        if let Ok(mut found) = self.found.try_borrow_mut() {
            found.retain(|found| found.stream != stream);
        }
        let waits = |one: &Fragment| matches!(one.state, State::Consulting | State::Parked);
        while let Some(fragment) = self.take(|one| one.stream == stream && waits(one))
            && let Ok(now) = host::now()
        {
            fragment.let_go(worker, now);
        }
    }

    /// The next of what has come.
    pub(crate) fn next_found(&self) -> Option<Found> {
        self.found.try_borrow_mut().ok()?.pop_front()
    }

    /// Whether there is more of it.
    pub(crate) fn is_any_found(&self) -> bool {
        self.found.try_borrow().is_ok_and(|found| !found.is_empty())
    }

    /// A stream that has waited for as long as it may.
    pub(crate) fn next_overdue(&self, now: Timestamp) -> Option<u32> {
        let mut waiting = self.waiting.try_borrow_mut().ok()?;
        let at = waiting.iter().position(|(_, until)| *until <= now)?;
        Some(waiting.swap_remove(at).0)
    }

    /// Whether somebody waits.
    pub(crate) fn is_idle(&self) -> bool {
        let is_nobody = self.waiting.try_borrow().is_ok_and(|one| one.is_empty());
        is_nobody && self.pending.try_borrow().is_ok_and(|one| one.is_empty())
    }

    /// A fragment was stored that has taken this route.
    fn note_stored(&self, route: Route, key: &Key) {
        if let Ok(mut unproven) = self.unproven.try_borrow_mut()
            && Passage::known(&SharedData, route).is_none()
        {
            if unproven.len() >= MOST_UNPROVEN {
                unproven.remove(0);
            }
            unproven.push((route, Scope::Resource(&key.resource()).stamp()));
        }
    }

    /// Where it has turned out that a route alters requests, what was stored of fragments that have taken it is over: they
    /// may not be what the route would have brought.
    fn judge_stored(&self, worker: &Worker, now: Timestamp) {
        let Ok(mut unproven) = self.unproven.try_borrow_mut() else {
            return;
        };
        let mut wrong = Vec::new();
        unproven.retain(|(route, stamp)| match Passage::known(&SharedData, *route) {
            None => true,
            Some(Passage::Untouched) => false,
            Some(Passage::Altered) => {
                wrong.push(*stamp);
                false
            }
        });
        drop(unproven);
        if !wrong.is_empty() {
            let invalidation = Invalidation {
                coverage: Coverage::Stamps(wrong),
                mode: Mode::Invalid,
            };
            let _ = worker.invalidate(&invalidation, now);
        }
    }

    /// Calls that have not been heard of for too long have failed; on a tick.
    pub(crate) fn step(&self, worker: &Worker, now: Timestamp) {
        self.judge_stored(worker, now);
        let is_over =
            |one: &Fragment| matches!(one.state, State::Called(_, latest) if latest <= now);
        while let Some(fragment) = self.take(is_over) {
            self.settle(fragment.answered(worker, None, now));
        }
    }
}

fn latest(now: Timestamp) -> Timestamp {
    now.plus(LATEST)
}
