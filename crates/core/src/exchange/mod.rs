//! One client's exchange, as a state machine.
//!
//! ```text
//!                    ┌─ bypass ─▶ Passing
//! Idle ── Request ───┤                        ┌─ fresh ─▶ Serving ── our own reply ─▶ Passing
//!          │         └─▶ Looking ── Answer ───┤                          ┌─ confirmed ─▶ Passing
//!       content          ▲ ▲   └ another key ┐└─▶ Forwarding ── Response ─┼─ not stored ─▶ Passing
//!       in the key       │ └─────────────────┘                           └─▶ Capturing ── ended ─▶ Passing
//!          └─▶ Holding ──┘
//! Idle ── a write ─▶ Writing ── Response: invalidate ─▶ Passing
//! Idle ── not looked up, but perhaps a page ─▶ Relaying ── Response ─▶ Passing
//! Forwarding ── the origin fails ─▶ Rescuing ── Answer: something stale, or else as above ─▶ Passing
//! Looking ── somebody else asks ─▶ Parked ── Woken ─▶ Looking
//! Looking ── the fleet may have it ─▶ Consulting ─┬─ it has ─▶ Looking
//!                                                 └─ it has not ─▶ Forwarding
//! Looking ── fresh, but only tried ─▶ Shadowing ── Response ─▶ Comparing ── ended ─▶ Passing
//! Idle ── a call of the management API ─▶ (Managing ── content ─▶) Managed
//! ```
//!
//! [`Exchange::on`] is total: every event in every state has an answer, and the answer to a surprise is to let the
//! message pass. While a step is taken the state is [`State::Passing`], so that whatever goes wrong in it leaves a
//! transparent proxy behind. It does no I/O: it is told what happened and says what should.

mod boarding;
mod breaking;
mod budget;
mod capture;
mod compose;
mod consult;
mod contact;
mod deferred;
mod depart;
mod draft;
mod echo;
mod event;
mod form;
mod gathering;
mod head;
mod hold;
mod hot;
mod incomplete;
mod landing;
mod lines;
mod lookup;
mod lot;
mod manage;
mod memo;
mod multipart;
mod needs;
mod parked;
mod partial;
mod present;
mod refresh;
mod refusal;
mod relay;
mod request;
mod rescue;
mod response;
mod search;
mod serve;
mod shadow;
mod step;
mod store;
mod surplus;
mod token;
mod union;
mod validate;
mod waiting;
mod witness;
mod write;

use std::cell::{OnceCell, RefCell};
use std::mem;
use std::rc::Rc;

use crate::config::{Config, Switch};
use crate::epoch::Epochs;
use crate::fleet::{Fleet, TOKEN};
use crate::flight::Flights;
use crate::http::{Headers, TAG_FIELDS};
use crate::policy::Reason;
use crate::policy::breaker::Breakers;
use crate::report::{Annotation, Counter, Line, ServedFrom, Tally};
use crate::time::Timestamp;

pub use budget::CaptureBudget;
pub use compose::{Delivery, Page, Template};
pub use deferred::{Compress, Compressed, Compressions};
pub use echo::HeadSize;
pub use event::{Answer, Arrival, Arriving, Event, ResponseBody, Unheld, Wake};
pub use gathering::head_of_sent;
pub use hot::HotTier;
pub use lot::Lot;
pub use manage::{Call, Received, Reception, Refused, Said};
pub use refresh::{Background, Readiness, Refresh, is_sent_as_it_came};
pub use step::{
    Body, Candidate, Effect, Field, Histogram, Parking, Provenance, Reply, Shareable, Step, Verdict,
};
pub use surplus::Surpluses;
pub use waiting::{Full, Presence, WaitingRoom, What};
pub use witness::{Sight, Sighting, Ticket, Witness};

use consult::{Consulting, Overheard};
use echo::Sent;
use hold::Holding;
use hot::Scope;
use lookup::Looking;
use manage::Managing;
use relay::Relay;
use rescue::Rescuing;
use response::Forwarding;
use shadow::{Comparing, Shadowing};
use store::Capturing;
use write::Writing;

/// One client's exchange.
#[derive(Debug)]
pub struct Exchange {
    surroundings: Rc<Surroundings>,
    state: State,
    answerer: Answerer,
    /// What the request said of its client's writes, where they have not been heard of here: it holds for the fragments, too.
    token: Option<Box<[u8]>>,
}

/// Whose body the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answerer {
    Origin,
    Ourselves,
}

/// What every exchange of a worker under one configuration shares.
#[derive(Debug)]
pub struct Surroundings {
    config: Rc<Config>,
    budget: Rc<CaptureBudget>,
    epochs: Rc<dyn Epochs>,
    surpluses: Rc<Surpluses>,
    hot: Rc<HotTier>,
    reception: Option<Rc<dyn Reception>>,
    scope: Scope,
    tally: Rc<Tally>,
    witness: OnceCell<Rc<dyn Witness>>,
    /// None: everybody goes alone.
    flights: OnceCell<Rc<dyn Flights>>,
    /// None: nothing is made fresh but by clients' requests.
    background: OnceCell<Rc<dyn Background>>,
    /// None: there is one process.
    fleet: OnceCell<Rc<dyn Fleet>>,
    /// That of requests of the filter's own.
    behind: OnceCell<Rc<Surroundings>>,
    breakers: OnceCell<Rc<RefCell<Breakers>>>,
}

impl Surroundings {
    /// This configuration, with what the worker has.
    pub fn new(
        config: Rc<Config>,
        budget: Rc<CaptureBudget>,
        epochs: Rc<dyn Epochs>,
        surpluses: Rc<Surpluses>,
        hot: Rc<HotTier>,
    ) -> Rc<Self> {
        Self::managed(config, budget, epochs, surpluses, hot, None)
    }

    /// The same, with somebody who receives calls of the management API, where there is one.
    pub fn managed(
        config: Rc<Config>,
        budget: Rc<CaptureBudget>,
        epochs: Rc<dyn Epochs>,
        surpluses: Rc<Surpluses>,
        hot: Rc<HotTier>,
        reception: Option<Rc<dyn Reception>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            scope: hot.scope(&config),
            tally: Tally::new(&config),
            witness: OnceCell::new(),
            flights: OnceCell::new(),
            background: OnceCell::new(),
            fleet: OnceCell::new(),
            behind: OnceCell::new(),
            breakers: OnceCell::new(),
            config,
            budget,
            epochs,
            surpluses,
            hot,
            reception,
        })
    }

    /// The same for requests that are no client's: they are counted apart, and nobody watches them.
    pub fn aside(&self) -> Rc<Self> {
        Self::new(
            Rc::clone(&self.config),
            Rc::clone(&self.budget),
            Rc::clone(&self.epochs),
            Rc::clone(&self.surpluses),
            Rc::clone(&self.hot),
        )
    }

    /// What has been counted under this configuration.
    pub fn tally(&self) -> &Rc<Tally> {
        &self.tally
    }

    /// The same configuration and order of invalidations, and nothing else of the worker: for exchanges that leave no trace.
    pub fn apart(&self) -> Rc<Self> {
        let apart = Self::new(
            Rc::clone(&self.config),
            CaptureBudget::new(self.config.limits.capture_bytes),
            Rc::clone(&self.epochs),
            Surpluses::new(),
            HotTier::new(0, 0),
        );
        if let Some(fleet) = self.fleet.get() {
            apart.join(Rc::new(Overheard(Rc::clone(fleet))));
        }
        apart
    }

    /// From now on its requests wait for each other there; the first one stays.
    pub fn coalesce(&self, flights: Rc<dyn Flights>) {
        let _ = self.flights.set(flights);
    }

    /// From now on what is stale is made fresh through it; the first one stays.
    pub fn refresh_through(&self, background: Rc<dyn Background>) {
        let _ = self.background.set(background);
    }

    /// From now on it is one of a fleet; the first one stays.
    pub fn join(&self, fleet: Rc<dyn Fleet>) {
        let _ = self.fleet.set(fleet);
    }

    /// That of the requests that make fresh what clients are given stale.
    fn behind(&self) -> &Rc<Self> {
        self.behind.get_or_init(|| {
            let behind = self.aside();
            let _ = behind.breakers.set(Rc::clone(self.breakers()));
            if let Some(fleet) = self.fleet.get() {
                behind.join(Rc::clone(fleet));
            }
            behind
        })
    }

    /// What has been counted of those; none where there was none.
    pub fn tally_behind(&self) -> Option<&Rc<Tally>> {
        self.behind.get().map(|behind| behind.tally())
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Where an exchange stands; each variant owns just what is needed from there on.
#[derive(Debug)]
enum State {
    /// A copy of the response's body is being taken.
    Capturing(Box<Capturing>),
    /// The response's body is held against one that is stored.
    Comparing(Box<Comparing>),
    /// The fleet has been asked.
    Consulting(Box<Consulting>),
    /// The request is on its way to the origin, and the response may be stored.
    Forwarding(Box<Forwarding>),
    /// The request waits for its body, which is part of the key.
    Holding(Box<Holding>),
    /// Nothing has happened yet.
    Idle,
    /// The tiers have been asked.
    Looking(Box<Looking>),
    /// A call of the management API is answered here.
    Managed,
    /// It waits for its body.
    Managing(Box<Managing>),
    /// The request waits for another one's response.
    Parked(Box<Looking>),
    /// The exchange is none of our business, except perhaps for a word to the client.
    Passing(Passage),
    /// The request is none of our business, but its response may be a template.
    Relaying(Box<Relay>, Passage),
    /// The origin has failed, and the tiers have been asked for something to give in its place.
    Rescuing(Box<Rescuing>),
    /// The answer came from here, and will come by as our own reply.
    Serving(Box<Sent>),
    /// The request is on its way to the origin, although there was an answer from here.
    Shadowing(Box<Shadowing>),
    /// A request that may change something is on its way to the origin.
    Writing(Box<Writing>),
}

/// Whether a request may go on to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It may.
    Free,
    /// It is answered here, or not at all.
    Here,
}

/// How an exchange passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    /// The response is told about the cache.
    Annotated(Annotation),
    /// Nothing is said.
    Silent,
}

impl Passage {
    /// What is done to a response that passes so; see [`annotate`].
    fn step<'a>(self, around: &Surroundings, sent: Option<&Headers>) -> Step<'a> {
        match self {
            Self::Annotated(annotation) => annotate(around, annotation, sent),
            Self::Silent => Step::pass(),
        }
    }
}

impl State {
    /// Nothing is left to do.
    fn done() -> Self {
        Self::Passing(Passage::Silent)
    }
}

impl Exchange {
    /// An exchange that has not begun.
    pub fn new(surroundings: Rc<Surroundings>) -> Self {
        Self {
            surroundings,
            state: State::Idle,
            answerer: Answerer::Origin,
            token: None,
        }
    }

    /// So many bytes of a body go by to the client. Those of our own reply are counted when it is given.
    pub fn passed(&self, bytes: usize) {
        match self.answerer {
            Answerer::Origin => self.surroundings.tally.serve(ServedFrom::Origin, bytes),
            Answerer::Ourselves => {}
        }
    }

    /// Takes one step.
    pub fn on<'a>(&mut self, event: Event<'a>, now: Timestamp) -> Step<'a> {
        let state = mem::replace(&mut self.state, State::done());
        let around = &*self.surroundings;
        let (next, mut step) = match (state, event) {
            (State::Idle, Event::Request(mut arrival)) => {
                let said = token::take(around, &mut arrival.headers);
                let begun = request::begin(around, arrival, &said, now);
                if let token::Said::Behind(token) = said {
                    self.token = Some(token);
                }
                begun
            }
            (State::Holding(holding), Event::RequestBody(content)) => {
                holding.complete(around, content, now)
            }
            (State::Holding(holding), Event::Unheld(why)) => holding.let_go(around, why),
            (State::Managing(managing), Event::RequestBody(content)) => {
                managing.complete(around, content)
            }
            (State::Managing(_), Event::Unheld(why)) => manage::let_go(around, why),
            (State::Looking(looking), Event::Answer(answer)) => {
                looking.answered(around, answer, now)
            }
            (State::Parked(looking), Event::Woken(wake)) => looking.woken(around, wake, now),
            (State::Consulting(consulting), Event::Consulted(consulted)) => {
                consulting.answered(around, consulted, now)
            }
            // Somebody else answers it.
            (State::Consulting(_) | State::Parked(_), Event::Response(_)) => {
                (State::done(), Step::pass())
            }
            (State::Forwarding(forwarding), Event::Response(arriving)) => {
                forwarding.responded(around, arriving, now)
            }
            (State::Rescuing(rescuing), Event::Answer(answer)) => {
                rescuing.answered(around, answer, now)
            }
            (State::Capturing(capturing), Event::Chunk(chunk)) => {
                capturing.grow(around, chunk, now)
            }
            (State::Capturing(capturing), Event::ResponseEnded) => capturing.finish(around, now),
            (State::Capturing(_), Event::Aborted) => not_stored(Reason::Incomplete),
            (State::Shadowing(shadowing), Event::Response(arriving)) => {
                shadowing.responded(around, arriving)
            }
            (State::Comparing(comparing), Event::Chunk(chunk)) => comparing.grow(chunk),
            (State::Comparing(comparing), Event::ResponseEnded) => {
                comparing.finish(around);
                (State::done(), Step::pass())
            }
            (state, Event::Composed(page)) => compose::made(around, state, *page),
            (State::Serving(sent), Event::Returned(size)) => sent.returned(&around.surpluses, size),
            (State::Serving(sent), Event::ReturnedHead(head)) => {
                sent.inspected(&around.surpluses, &head)
            }
            (State::Passing(Passage::Annotated(annotation)), Event::Response(_)) => {
                let step = annotate(around, annotation, None);
                (State::done(), step)
            }
            (State::Relaying(relay, said), Event::Response(arriving)) => {
                relay.responded(around, said, arriving)
            }
            (State::Writing(writing), Event::Response(arriving)) => {
                writing.responded(around, arriving)
            }
            (State::Writing(writing), Event::Aborted) => writing.aborted(around),
            (state, event) => (surprised(state, &event), Step::pass()),
        };
        self.state = next;
        if let Verdict::Reply(_) = step.verdict {
            self.answerer = Answerer::Ourselves;
        }
        if let Some(token) = &self.token {
            compose::say_token(&mut step, token);
        }
        step
    }

    /// What all exchanges of this configuration share.
    pub fn surroundings(&self) -> &Rc<Surroundings> {
        &self.surroundings
    }

    /// The outside cannot go on with this exchange: it passes, and what was kept of it is freed.
    pub fn give_up(&mut self) {
        self.state = State::done();
    }
}

/// What a state becomes on an event that says nothing to it: it stays, unless what it waits for can no longer come.
fn surprised(state: State, event: &Event<'_>) -> State {
    match event {
        Event::Aborted | Event::ResponseEnded => State::done(),
        Event::Answer(_)
        | Event::Chunk(_)
        | Event::Composed(_)
        | Event::Consulted(_)
        | Event::Request(_)
        | Event::RequestBody(_)
        | Event::Response(_)
        | Event::Returned(_)
        | Event::ReturnedHead(_)
        | Event::Unheld(_)
        | Event::Woken(_) => state,
    }
}

/// The response passes, and its body is not kept.
fn not_stored<'a>(reason: Reason) -> (State, Step<'a>) {
    let effects = vec![Effect::Count(Counter::NotStored(reason))];
    (State::done(), Step::continue_with(effects))
}

/// Tells the client about the cache, on a response that is not ours; `None` for a head that nobody has read, because to
/// remove a field that may not be there costs less.
fn annotate<'a>(around: &Surroundings, annotation: Annotation, sent: Option<&Headers>) -> Step<'a> {
    let is_alone = |name| sent.is_some_and(|sent| !sent.contains(name));
    let effect = |line| match line {
        // Where nothing gives way, to add costs half of what it costs to replace.
        Line::Alone(name, value) if is_alone(name) => Effect::AddHeader(name, value),
        Line::Alone(name, value) => Effect::SetHeader(name, value),
        Line::Behind(name, value) => Effect::AddHeader(name, value),
    };
    let mut effects = Vec::with_capacity(6); // with those of a response that is captured
    effects.extend(annotation.lines(around.config.headers).map(effect));
    // Another cache's word; of ours, only answers from the cache have an age.
    let may_have_age = sent.is_none_or(|sent| sent.contains("x-cache-age"));
    if around.config.headers.x_cache == Switch::On && may_have_age {
        effects.push(Effect::RemoveHeader("x-cache-age"));
    }
    if around.fleet.get().is_some() && sent.is_none_or(|sent| sent.contains(TOKEN)) {
        effects.push(Effect::RemoveHeader(TOKEN));
    }
    if around.config.headers.expose_tags == Switch::Off {
        let may_have = |name: &&str| sent.is_none_or(|sent| sent.contains(name));
        let gone = TAG_FIELDS.into_iter().filter(may_have);
        effects.extend(gone.map(Effect::RemoveHeader));
    }
    Step::continue_with(effects)
}
