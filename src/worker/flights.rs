//! Who asks the origin for whom on this worker: the table of flights, those that wait, and the queue that wakes them.
//!
//! The table stands in shared data ([`larder_core::tier::FlightTable`]), those that wait are this worker's own ([`Lot`]), and in
//! between is a queue for each worker that has ever had somebody wait. A landing goes to the queues of the workers on which
//! somebody follows; the host then calls [`crate::exports`] back on their threads. It is a hint: a tick looks into the queue and at
//! the clock as well.
//!
//! The host calls the root context back that has registered the queue, and nobody when that is gone; what was put there stays.
//! So when a root ends, whoever is next registers it again.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use larder_core::exchange::{Full, Lot, Parking, Wake};
use larder_core::flight::{Alone, Flights, Joined, Landing, Token, Wish};
use larder_core::tier::{FlightTable, Landed, Member, Reach, SharedTier, Signal, Whom};
use larder_core::time::{Seconds, Timestamp};

use super::{Pace, Worker};
use crate::host::{self, HostError, Queue};
use crate::shared_data::SharedData;

/// What is taken out of the queue in one callback.
const MOST_SIGNALS: usize = 64;

/// What a worker knows of flights.
pub(crate) struct Airspace {
    table: RefCell<FlightTable>,
    lot: RefCell<Lot>,
    /// This worker's, under the id that it had then.
    own: Cell<Option<(u8, Queue)>>,
    /// Other workers', by their ids.
    others: RefCell<Vec<(u8, Queue)>>,
}

/// The flights of one configuration.
pub(crate) struct Crew {
    worker: Rc<Worker>,
    wait: Seconds,
}

impl Crew {
    /// Those of this worker, where one waits for so long.
    pub(crate) fn of(worker: &Rc<Worker>, wait: Seconds) -> Rc<dyn Flights> {
        Rc::new(Self {
            worker: Rc::clone(worker),
            wait,
        })
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Crew")
    }
}

impl Flights for Crew {
    fn join(&self, wish: &Wish<'_>, now: Timestamp) -> Joined {
        let joined = self.worker.join_flight(wish, self.wait, now);
        joined.unwrap_or(Joined::Alone(Alone::Unavailable))
    }

    fn land(&self, token: &Token, landing: Landing) {
        self.worker.land_flight(token, landing);
    }
}

impl Worker {
    /// By what the workers of this process know their own requests.
    pub(crate) fn watchword(&self, now: Timestamp) -> Option<[u8; 32]> {
        let mut tier = self.tier.try_borrow_mut().ok()?;
        let member = tier.member((&SharedData, &*self.metrics), now)?;
        Some(member.watchword())
    }

    fn join_flight(&self, wish: &Wish<'_>, wait: Seconds, now: Timestamp) -> Option<Joined> {
        let mut tier = self.tier.try_borrow_mut().ok()?;
        let member = tier.member((&SharedData, &*self.metrics), now)?;
        drop(tier);
        let reach = self.flights.reach(&member);
        let mut table = self.flights.table.try_borrow_mut().ok()?;
        let (member, terms) = ((&member, reach), (wait, self as _));
        Some(table.join(&SharedData, member, wish, terms, now))
    }

    fn land_flight(&self, token: &Token, landing: Landing) {
        let tier = self.tier.try_borrow();
        let member = tier.ok().as_deref().and_then(SharedTier::membership);
        let clock = || host::now().unwrap_or(Timestamp::from_nanos(0));
        let landed = self.flights.table.try_borrow().ok().and_then(|table| {
            let landing = (token, landing);
            table.land(&SharedData, member.as_ref(), landing, &clock)
        });
        if let Some(landed) = landed {
            self.flights.tell(member.as_ref(), token, landed, &clock);
        }
    }

    /// Looks into the queue and at the clock, where somebody waits.
    pub(super) fn watch_flights(&self, now: Timestamp) -> Pace {
        let flights = &self.flights;
        if flights.is_quiet() {
            return Pace::Rest;
        }
        if let Ok(tier) = self.tier.try_borrow()
            && let Some(member) = tier.membership()
        {
            flights.reach(&member);
        }
        flights.listen();
        if let Ok(mut lot) = flights.lot.try_borrow_mut() {
            lot.look_at_the_clock(now);
        }
        Pace::Watch
    }
}

impl Airspace {
    /// Nobody waits. `seed` should differ from worker to worker.
    pub(super) fn new(seed: u32) -> Self {
        Self {
            table: RefCell::new(FlightTable::new(seed)),
            lot: RefCell::default(),
            own: Cell::new(None),
            others: RefCell::default(),
        }
    }

    /// Makes this worker's queue, where it has none.
    fn reach(&self, member: &Member) -> Reach {
        let worker = member.worker();
        if self.own.get().is_some_and(|(own, _)| own == worker) {
            return Reach::Within;
        }
        match host::register_queue(&Member::queue(worker)) {
            Ok(queue) => {
                self.own.set(Some((worker, queue)));
                Reach::Within
            }
            Err(_) => Reach::Out,
        }
    }

    /// Nobody is called back any more.
    pub(crate) fn forget_queue(&self) {
        self.own.set(None);
    }

    /// A stream begins to wait; so many may for one key.
    pub(crate) fn park(
        &self,
        stream: u32,
        parking: Parking,
        most: usize,
        now: Timestamp,
    ) -> Result<(), Full> {
        let mut lot = self.lot.try_borrow_mut().map_err(|_| Full)?;
        lot.park(stream, parking, most, now)
    }

    /// A stream waits no more.
    pub(crate) fn leave(&self, stream: u32) {
        if let Ok(mut lot) = self.lot.try_borrow_mut() {
            lot.leave(stream);
        }
    }

    fn is_quiet(&self) -> bool {
        self.lot.try_borrow().is_ok_and(|lot| lot.is_empty())
    }

    /// A flight of this worker has landed: here and where somebody follows, those that wait are woken.
    fn tell(
        &self,
        member: Option<&Member>,
        token: &Token,
        landed: Landed,
        clock: &dyn Fn() -> Timestamp,
    ) {
        if let Ok(mut lot) = self.lot.try_borrow_mut() {
            lot.wake(token.digest, landed.wake);
        }
        self.go_on_soon();
        let workers = match (landed.whom, member) {
            (Whom::These(workers), _) => workers,
            (Whom::Everybody, Some(member)) => member.everybody(&SharedData, clock()),
            (Whom::Everybody, None) => return,
        };
        let own = member.map(Member::worker);
        let item = Signal::Landed(token.digest, landed.wake).encode();
        for worker in workers.ids().filter(|worker| Some(*worker) != own) {
            self.send(worker, &item);
        }
    }

    /// Has this worker called back, where some may go on.
    pub(crate) fn go_on_soon(&self) {
        if self.lot.try_borrow().is_ok_and(|lot| lot.is_any_ready())
            && let Some((_, own)) = self.own.get()
        {
            let _ = host::enqueue(own, &Signal::More.encode()); // or with the next tick
        }
    }

    /// Has this worker called back; without a queue of its own it goes on with the next tick.
    pub(crate) fn call_back(&self) {
        if let Some((_, own)) = self.own.get() {
            let _ = host::enqueue(own, &Signal::More.encode());
        }
    }

    /// A worker without a queue has nobody wait.
    fn send(&self, worker: u8, item: &[u8]) {
        let Ok(mut others) = self.others.try_borrow_mut() else {
            return;
        };
        let known = others.iter().position(|(other, _)| *other == worker);
        if let Some(place) = known
            && let Some((_, queue)) = others.get(place)
        {
            if host::enqueue(*queue, item).is_ok() {
                return;
            }
            others.swap_remove(place); // lost with the shared data
        }
        if let Ok(queue) = host::queue(&Member::queue(worker)) {
            others.push((worker, queue));
            let _ = host::enqueue(queue, item);
        }
    }

    /// Takes in what this worker was told.
    pub(crate) fn listen(&self) {
        let Some((_, own)) = self.own.get() else {
            return;
        };
        for _ in 0..MOST_SIGNALS {
            match host::dequeue(own) {
                Ok(item) => self.hear(&item),
                Err(HostError::EMPTY) => return,
                Err(_) => return self.forget_queue(),
            }
        }
        let _ = host::enqueue(own, &Signal::More.encode());
    }

    fn hear(&self, item: &[u8]) {
        if let Some(Signal::Landed(digest, wake)) = Signal::decode(item)
            && let Ok(mut lot) = self.lot.try_borrow_mut()
        {
            lot.wake(digest, wake);
        }
    }

    /// Those that go on in this callback; where there are more, another one comes.
    pub(crate) fn ready(&self) -> Vec<(u32, Wake)> {
        let taken = match self.lot.try_borrow_mut() {
            Ok(mut lot) => lot.take(),
            Err(_) => return Vec::new(),
        };
        if !taken.is_empty() {
            self.go_on_soon();
        }
        taken
    }
}
