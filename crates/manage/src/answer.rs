//! What comes of a call of the management API.
//!
//! Everything is done before the answer goes out: who has been told that something is invalidated can rely on it, whichever
//! worker is asked next. What takes longer than a call may is begun here, and goes on when there is time.

use larder_core::config::Config;
use larder_core::exchange::Call;
use larder_core::report::{Counter, Numbers};
use larder_core::tier::{ByteGauge, ChangeHint, EpochLog, SharedKv, SharedTier};
use larder_core::time::Timestamp;

use crate::outcome::Outcome;
use crate::reception::Ask;
use crate::route::{Addressed, Place, Verb};
use crate::settings::{self, Settings};
use crate::{invalidate, stats};

/// What a worker has to answer with.
pub struct Desk<'a> {
    /// The configuration in force.
    pub config: &'a Config,
    /// Adds one to a number.
    pub count: &'a dyn Fn(Counter),
    /// The order of invalidations.
    pub epochs: &'a mut EpochLog,
    /// The bytes that all entries take.
    pub gauge: &'a dyn ByteGauge,
    /// What tells the other workers that something has changed.
    pub hint: &'a dyn ChangeHint,
    /// The memory that all workers share.
    pub kv: &'a dyn SharedKv,
    /// The numbers of the process.
    pub numbers: &'a dyn Numbers,
    /// The plugin's configuration, and changes to it.
    pub settings: &'a Settings,
    /// What is stored.
    pub tier: &'a mut SharedTier,
}

/// Does what a call asks for that the reception has let in.
pub fn answer(call: &Call, desk: &mut Desk<'_>, now: Timestamp) -> Outcome {
    let outcome = done(call, desk, now);
    (desk.count)(outcome.counter());
    outcome
}

fn done(call: &Call, desk: &mut Desk<'_>, _now: Timestamp) -> Outcome {
    let management = desk.config.management.as_ref();
    let addressed = management.and_then(|management| Addressed::of(&call.head, management));
    let (verb, place) = match addressed.map(|addressed| Ask::of(addressed, &call.head)) {
        None => return Outcome::not_found(), // the reception has seen that it is one
        Some(Err(outcome)) => return outcome,
        Some(Ok(Ask::Purge(method))) => return invalidate::purge(method, call, desk),
        Some(Ok(Ask::Api(verb, place))) => (verb, place),
    };
    match (verb, &place) {
        (Verb::Delete, Place::Config) => settings::reset(desk),
        (Verb::Get, Place::Config) => settings::show(desk),
        (Verb::Put, Place::Config) => settings::put(call, desk),
        (_, Place::Stats) => stats::stats(desk),
        (_, Place::InvalidateKey(key)) => invalidate::key(key, call, desk),
        (_, Place::InvalidateTag(tag, parameters)) => invalidate::tag(tag, parameters, call, desk),
        (_, Place::InvalidatePattern(parameters)) => invalidate::pattern(parameters, call, desk),
        (_, Place::Invalidate) => invalidate::many(call, desk),
        (Verb::Delete | Verb::Get | Verb::Post | Verb::Put, _) => Outcome::not_implemented(),
    }
}
