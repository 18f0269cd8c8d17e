//! What comes of a call of the management API.
//!
//! Everything is done before the answer goes out: who has been told that something is invalidated can rely on it, whichever
//! worker is asked next. What takes longer than a call may is begun here, and goes on when there is time.

use std::cell::RefCell;

use larder_core::config::Config;
use larder_core::entry::Epoch;
use larder_core::epoch::{Coverage, Currency, Invalidation, Mode, Stamped};
use larder_core::exchange::{Call, Candidate, Surroundings};
use larder_core::report::{Counter, Numbers};
use larder_core::tier::{ByteGauge, ChangeHint, EpochLog, SharedKv, SharedTier, Stored, Unnoted};
use larder_core::time::Timestamp;
use larder_observe::{Board, Observer};

use crate::fleet::{Fleet, Named};
use crate::outcome::Outcome;
use crate::reception::Ask;
use crate::route::{Addressed, Place, Verb};
use crate::settings::{self, Settings};
use crate::warm::{self, Warm};
use crate::{entries, explain, invalidate, receipts, stats};

/// What a worker has to answer with.
pub struct Desk<'a> {
    /// Notes an invalidation where there is no fleet.
    pub apart: &'a dyn Fn(&Invalidation) -> Result<Epoch, Unnoted>,
    /// What the exchanges of this configuration share.
    pub around: &'a Surroundings,
    /// Where workers show one another what they have seen.
    pub board: &'a Board,
    /// Adds one to a number.
    pub count: &'a dyn Fn(Counter),
    /// The order of invalidations.
    pub epochs: &'a RefCell<EpochLog>,
    /// Who tells the other processes of a fleet; none where there is one process.
    pub fleet: Option<&'a dyn Fleet>,
    /// The bytes that all entries take.
    pub gauge: &'a dyn ByteGauge,
    /// What tells the other workers that something has changed.
    pub hint: &'a dyn ChangeHint,
    /// The memory that all workers share.
    pub kv: &'a dyn SharedKv,
    /// When the call is answered.
    pub now: Timestamp,
    /// The numbers of the process.
    pub numbers: &'a dyn Numbers,
    /// What this worker has seen.
    pub observer: &'a Observer,
    /// The plugin's configuration, and changes to it.
    pub settings: &'a Settings,
    /// Stores an entry as that of an exchange is stored.
    pub store: &'a dyn Fn(&Candidate) -> Stored,
    /// What is stored.
    pub tier: &'a RefCell<SharedTier>,
    /// Who fetches before clients ask.
    pub warm: &'a dyn Warm,
}

impl Desk<'_> {
    /// The configuration in force.
    pub(crate) fn config(&self) -> &Config {
        self.around.config()
    }

    /// Whether something that is stored has been invalidated.
    pub(crate) fn judge(&self, stored: Stamped<'_>) -> Currency {
        match self.epochs.try_borrow_mut() {
            Ok(mut epochs) => {
                epochs.now(self.kv, self.hint);
                epochs.judge(self.kv, stored)
            }
            Err(_) => Currency::Gone, // no borrow outlives a call
        }
    }

    /// A place in the order of invalidations, for who needs its number.
    pub(crate) fn take_place(&self) -> Result<Epoch, Unnoted> {
        let nothing = Invalidation {
            coverage: Coverage::Stamps(Vec::new()),
            mode: Mode::Soft,
        };
        let noted = match self.epochs.try_borrow_mut() {
            Ok(mut epochs) => epochs.append(self.kv, self.hint, &nothing, self.now),
            Err(_) => Err(Unnoted), // no borrow outlives a call
        };
        self.counted(noted)
    }

    /// Notes an invalidation, which every request that comes from here on knows of; and the others of the fleet are told.
    pub(crate) fn invalidate(
        &self,
        invalidation: &Invalidation,
        named: impl FnOnce() -> Named,
    ) -> Result<Epoch, Unnoted> {
        let noted = match self.fleet {
            Some(fleet) => fleet.invalidate(invalidation, &named()),
            None => (self.apart)(invalidation),
        };
        self.counted(noted)
    }

    fn counted(&self, noted: Result<Epoch, Unnoted>) -> Result<Epoch, Unnoted> {
        if noted.is_err() {
            (self.count)(Counter::InvalidationFailed);
        }
        noted
    }

    /// What the id of a local receipt is called: where there is a fleet, `id` is the fleet's own.
    pub(crate) fn receipt_name(&self) -> &'static str {
        match self.fleet {
            Some(_) => "receipt",
            None => "id",
        }
    }
}

/// Does what a call asks for that the reception has let in.
pub fn answer(call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let outcome = done(call, desk, now);
    (desk.count)(outcome.counter());
    outcome
}

fn done(call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let management = desk.config().management.as_ref();
    let addressed = management.and_then(|management| Addressed::of(&call.head, management));
    let (verb, place) = match addressed.map(|addressed| Ask::of(addressed, &call.head)) {
        None => return Outcome::not_found(), // the reception has seen that it is one
        Some(Err(outcome)) => return outcome,
        Some(Ok(Ask::Purge(method))) => return invalidate::purge(method, call, desk, now),
        Some(Ok(Ask::Api(verb, place))) => (verb, place),
    };
    match (verb, &place) {
        // The paths have no such method, which has been said already.
        (Verb::Post, Place::Config | Place::Entry(_)) => Outcome::not_found(),
        (Verb::Delete, Place::Config) => settings::reset(desk),
        (Verb::Get, Place::Config) => settings::show(desk),
        (Verb::Put, Place::Config) => settings::put(call, desk),
        (_, Place::Entries(parameters)) => entries::list(parameters, desk, now),
        (Verb::Delete, Place::Entry(key)) => invalidate::key(key, call, desk),
        (Verb::Get, Place::Entry(key)) => entries::show(key, call, desk, now),
        (Verb::Put, Place::Entry(key)) => entries::put(key, call, desk, now),
        (_, Place::Explain) => explain::explain(call, desk, now),
        (_, Place::Invalidation(id) | Place::UserReceipt(id)) => receipts::show(id, desk),
        (_, Place::User(id)) => receipts::forget_user(id, desk),
        (_, Place::Warm) => warm::begin(call, desk, now),
        (_, Place::WarmJob(id)) => warm::show(id, desk, now),
        (_, Place::Performance) => stats::performance(desk, now),
        (_, Place::Stats) => stats::stats(desk, now),
        (_, Place::InvalidateKey(key)) => invalidate::key(key, call, desk),
        (_, Place::InvalidateTag(tag, parameters)) => invalidate::tag(tag, parameters, call, desk),
        (_, Place::InvalidatePattern(parameters)) => invalidate::pattern(parameters, call, desk),
        (_, Place::Invalidate) => invalidate::many(call, desk),
    }
}
