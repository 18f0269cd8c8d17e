//! A crowd: clients of several workers, all under way at once. The origin answers when it is told to.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::epoch::{Epochs, Mode, Scope};
use larder_core::exchange::{Event, Exchange, Lot, Wake};
use larder_core::fleet::{Consultation, Consulted};
use larder_core::flight::{Flights, Joined, Landing, Token, Wish};
use larder_core::http::Headers;
use larder_core::key::KeyDigest;
use larder_core::tier::{FlightTable, Landed, Member, MemoryKv, Reach, Whom};
use larder_core::time::{Seconds, Timestamp};

use crate::fleet::{Port, Store};
use crate::stage::{Request, Response, Seen, Stage};

/// Clients of several workers.
pub struct Crowd {
    pub workers: Vec<Stage>,
    members: Vec<Member>,
    lots: Vec<Lot>,
    max_waiters: usize,
    clock: Rc<Cell<Timestamp>>,
    landed: Rc<RefCell<Vec<Touchdown>>>,
    clients: Vec<Client>,
    /// Whether those on other workers hear of landings.
    pub queues: Queues,
}

/// How workers hear of landings on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queues {
    Lost,
    Sound,
}

/// Something has landed on a worker.
struct Touchdown {
    worker: usize,
    digest: KeyDigest,
    landed: Landed,
}

/// One worker's flights.
#[derive(Debug)]
struct Sky {
    worker: usize,
    kv: Rc<MemoryKv>,
    epochs: Rc<dyn Epochs>,
    member: Member,
    table: RefCell<FlightTable>,
    wait: Seconds,
    clock: Rc<Cell<Timestamp>>,
    landed: Rc<RefCell<Vec<Touchdown>>>,
}

impl std::fmt::Debug for Touchdown {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Landing").field(&self.landed).finish()
    }
}

impl Flights for Sky {
    fn join(&self, wish: &Wish<'_>, now: Timestamp) -> Joined {
        let terms = (self.wait, &*self.epochs);
        let mut table = self.table.borrow_mut();
        table.join(&*self.kv, (&self.member, Reach::Within), wish, terms, now)
    }

    fn land(&self, token: &Token, landing: Landing) {
        let table = self.table.borrow();
        let clock = || self.clock.get();
        let landed = table.land(&*self.kv, Some(&self.member), (token, landing), &clock);
        self.landed
            .borrow_mut()
            .extend(landed.map(|landed| Touchdown {
                worker: self.worker,
                digest: token.digest,
                landed,
            }));
    }
}

/// A client, by its number.
pub type Id = usize;

struct Client {
    worker: usize,
    place: Place,
}

/// Where a client's request is.
enum Place {
    Answered(Seen),
    /// The fleet has been asked for it.
    Consults(Exchange, Headers, Consultation),
    /// At the origin, which was asked like this.
    Origin(Exchange, Headers),
    Gone,
    /// The response's head has come.
    Reading(Exchange, Response, Headers),
    /// It waits for another, and would be sent like this.
    Waits(Exchange, Headers),
    /// It is being moved.
    Nowhere,
}

impl Crowd {
    /// Under this configuration, on so many workers.
    pub fn new(configuration: &str, workers: u8) -> Self {
        let config = Config::parse(configuration.as_bytes()).unwrap();
        let mut workers = Stage::workers(configuration, workers);
        let clock = Rc::new(Cell::new(workers[0].now));
        let landed = Rc::new(RefCell::default());
        let mut members = Vec::new();
        for (number, stage) in workers.iter_mut().enumerate() {
            let member = stage.member();
            members.push(member);
            stage.coalesce(Rc::new(Sky {
                worker: number,
                kv: Rc::clone(&stage.kv),
                epochs: stage.log(),
                member,
                table: RefCell::new(FlightTable::new(0)),
                wait: config.coalescing.wait,
                clock: Rc::clone(&clock),
                landed: Rc::clone(&landed),
            }));
        }
        Self {
            lots: workers.iter().map(|_| Lot::default()).collect(),
            max_waiters: config.coalescing.max_waiters,
            workers,
            members,
            clock,
            landed,
            clients: Vec::new(),
            queues: Queues::Sound,
        }
    }

    /// A client asks, on the next worker in turn.
    pub fn ask(&mut self, request: &Request) -> Id {
        let worker = self.clients.len() % self.workers.len();
        self.ask_at(worker, request)
    }

    /// A client asks on this worker.
    pub fn ask_at(&mut self, worker: usize, request: &Request) -> Id {
        let stage = &mut self.workers[worker];
        let mut exchange = stage.new_exchange();
        let id = self.clients.len();
        stage.asked = request.clone().headers();
        let seen = stage.ask(&mut exchange, request);
        let sent = stage.asked.clone();
        self.clients.push(Client {
            worker,
            place: Place::Nowhere,
        });
        self.place(id, exchange, sent, seen);
        self.settle();
        id
    }

    /// So many clients ask the same.
    pub fn ask_times(&mut self, number: usize, request: &Request) -> Vec<Id> {
        (0..number).map(|_| self.ask(request)).collect()
    }

    /// The request has gone as far as it can now.
    fn place(&mut self, id: Id, mut exchange: Exchange, sent: Headers, seen: Option<Seen>) {
        let worker = self.clients[id].worker;
        let stage = &mut self.workers[worker];
        let place = match (seen, stage.parked.take()) {
            (Some(seen), _) => Place::Answered(seen),
            (None, None) if stage.consulting.is_some() => {
                Place::Consults(exchange, sent, stage.consulting.take().unwrap())
            }
            (None, None) => Place::Origin(exchange, sent),
            (None, Some(parking)) => {
                let number = id.try_into().unwrap();
                let lot = &mut self.lots[worker];
                match lot.park(number, parking, self.max_waiters, stage.now) {
                    Ok(()) => Place::Waits(exchange, sent),
                    Err(_) => {
                        let mut sent = sent;
                        let full = Event::Woken(Wake::Full);
                        let seen = stage.drive(&mut exchange, full, &mut sent);
                        assert_eq!(stage.parked, None, "nobody waits who may not");
                        if seen.is_none() {
                            stage.origin_requests += 1;
                        }
                        return self.place(id, exchange, sent, seen);
                    }
                }
            }
        };
        self.clients[id].place = place;
    }

    /// Whoever may go on does, until nobody can.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let landed = std::mem::take(&mut *self.landed.borrow_mut());
            for one in landed {
                for (worker, lot) in self.lots.iter_mut().enumerate() {
                    let id = self.members[worker].worker();
                    let is_meant = match one.landed.whom {
                        _ if worker == one.worker => true,
                        _ if self.queues == Queues::Lost => false,
                        Whom::Everybody => true,
                        Whom::These(workers) => workers.has(id),
                    };
                    if is_meant {
                        lot.wake(one.digest, one.landed.wake);
                    }
                }
            }
            let mut woken: Vec<_> = self.lots.iter_mut().flat_map(Lot::take).collect();
            woken.sort_by_key(|(id, _)| *id);
            for (id, wake) in &woken {
                self.wake(usize::try_from(*id).unwrap(), *wake);
            }
            if woken.is_empty() && self.landed.borrow().is_empty() {
                return;
            }
        }
        panic!("it never ends");
    }

    /// The processes of the workers are of this fleet; what each knows of it.
    pub fn join(&mut self, store: &Rc<Store>) -> Vec<Rc<Port>> {
        let join = |stage: &mut Stage| {
            let port = Port::within(store);
            stage.join(&port);
            port
        };
        self.workers.iter_mut().map(join).collect()
    }

    /// The fleet says this to who waits for it; or what it has, where that is left open.
    pub fn told(&mut self, id: Id, said: Option<Consulted>) {
        let client = &mut self.clients[id];
        let Place::Consults(mut exchange, mut sent, asked) =
            std::mem::replace(&mut client.place, Place::Nowhere)
        else {
            panic!("{id} has asked nobody");
        };
        let stage = &mut self.workers[client.worker];
        let said = said.unwrap_or_else(|| stage.fetch(&asked.key));
        let seen = stage.drive(&mut exchange, Event::Consulted(said), &mut sent);
        if seen.is_none() && stage.parked.is_none() && stage.consulting.is_none() {
            stage.origin_requests += 1;
        }
        self.place(id, exchange, sent, seen);
        self.settle();
    }

    /// Who waits for the fleet.
    pub fn consulting(&self) -> Vec<Id> {
        self.which(|place| matches!(place, Place::Consults(..)))
    }

    fn wake(&mut self, id: Id, wake: Wake) {
        let client = &mut self.clients[id];
        let Place::Waits(mut exchange, mut sent) =
            std::mem::replace(&mut client.place, Place::Nowhere)
        else {
            panic!("{id} does not wait");
        };
        let stage = &mut self.workers[client.worker];
        let seen = stage.drive(&mut exchange, Event::Woken(wake), &mut sent);
        if seen.is_none() && stage.parked.is_none() && stage.consulting.is_none() {
            stage.origin_requests += 1;
        }
        self.place(id, exchange, sent, seen);
    }

    /// The origin's answer to this client's request.
    pub fn answer(&mut self, id: Id, response: Response) {
        self.head(id, response);
        self.rest(id);
    }

    /// The head of the origin's answer.
    pub fn head(&mut self, id: Id, response: Response) {
        let client = &mut self.clients[id];
        let Place::Origin(mut exchange, _) = std::mem::replace(&mut client.place, Place::Nowhere)
        else {
            panic!("{id} is not at the origin");
        };
        client.place = match self.workers[client.worker].head(&mut exchange, &response) {
            Ok(sent) => Place::Reading(exchange, response, sent),
            Err(seen) => Place::Answered(seen),
        };
        self.settle();
    }

    /// The body of the origin's answer, as far as it comes.
    pub fn rest(&mut self, id: Id) {
        let client = &mut self.clients[id];
        match std::mem::replace(&mut client.place, Place::Nowhere) {
            Place::Reading(mut exchange, response, sent) => {
                let seen = self.workers[client.worker].rest(&mut exchange, response, sent);
                client.place = Place::Answered(seen);
            }
            place @ Place::Answered(_) => client.place = place,
            Place::Consults(..)
            | Place::Gone
            | Place::Nowhere
            | Place::Origin(..)
            | Place::Waits(..) => {
                panic!("{id} reads nothing")
            }
        }
        self.settle();
    }

    /// The client goes away.
    pub fn leave(&mut self, id: Id) {
        let client = &mut self.clients[id];
        self.lots[client.worker].leave(id.try_into().unwrap());
        let place = std::mem::replace(&mut client.place, Place::Gone);
        match place {
            Place::Consults(mut exchange, ..)
            | Place::Origin(mut exchange, _)
            | Place::Reading(mut exchange, ..)
            | Place::Waits(mut exchange, _) => {
                if exchange.minds_the_end() {
                    let _ = exchange.on(Event::Aborted, self.clock.get());
                }
            }
            Place::Answered(_) | Place::Gone | Place::Nowhere => panic!("{id} is not there"),
        }
        self.settle();
    }

    /// Time passes, and the workers tick.
    pub fn wait(&mut self, seconds: u64) {
        let nanos = self.clock.get().as_nanos() + seconds * 1_000_000_000;
        self.set_clock(Timestamp::from_nanos(nanos));
    }

    /// The clock is set, and the workers tick.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.clock.set(now);
        for stage in &mut self.workers {
            stage.now = now;
        }
        for lot in &mut self.lots {
            lot.look_at_the_clock(now);
        }
        self.settle();
    }

    pub fn now(&self) -> Timestamp {
        self.clock.get()
    }

    /// An invalidation from outside.
    pub fn invalidate(&self, scopes: &[Scope<'_>], mode: Mode) {
        self.workers[0].invalidate(scopes, mode);
    }

    /// Whose requests are at the origin, in the order in which their clients came.
    pub fn at_origin(&self) -> Vec<Id> {
        self.which(|place| matches!(place, Place::Origin(..)))
    }

    /// The only one at the origin.
    pub fn leader(&self) -> Id {
        let all = self.at_origin();
        assert_eq!(all.len(), 1, "at the origin");
        all[0]
    }

    /// Who waits for somebody else's.
    pub fn waiting(&self) -> Vec<Id> {
        self.which(|place| matches!(place, Place::Waits(..)))
    }

    fn which(&self, is_it: impl Fn(&Place) -> bool) -> Vec<Id> {
        let clients = self.clients.iter().enumerate();
        let found = clients.filter(|(_, client)| is_it(&client.place));
        found.map(|(id, _)| id).collect()
    }

    /// How the origin was asked by this client.
    pub fn asked(&self, id: Id) -> &Headers {
        let Place::Origin(_, asked) = &self.clients[id].place else {
            panic!("{id} is not at the origin");
        };
        asked
    }

    /// What this client got.
    pub fn seen(&self, id: Id) -> &Seen {
        let Place::Answered(seen) = &self.clients[id].place else {
            panic!("{id} is not answered");
        };
        seen
    }

    /// What this client got, if it has got anything yet.
    pub fn got(&self, id: Id) -> Option<&Seen> {
        match &self.clients[id].place {
            Place::Answered(seen) => Some(seen),
            Place::Consults(..)
            | Place::Gone
            | Place::Nowhere
            | Place::Origin(..)
            | Place::Reading(..)
            | Place::Waits(..) => None,
        }
    }

    /// To whom a response's body is still to come.
    pub fn reading(&self) -> Vec<Id> {
        self.which(|place| matches!(place, Place::Reading(..)))
    }

    /// How many requests have come to the origin.
    pub fn origin_requests(&self) -> usize {
        self.workers.iter().map(|stage| stage.origin_requests).sum()
    }

    /// Nothing is kept of anybody.
    pub fn assert_idle(&self) {
        assert!(self.waiting().is_empty());
        for (stage, lot) in self.workers.iter().zip(&self.lots) {
            assert_eq!(stage.budget.held(), 0);
            assert!(lot.is_empty());
        }
    }
}
