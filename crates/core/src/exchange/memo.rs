//! The hot tier's answers: what was decided once is given again while nothing it was decided by has changed.
//!
//! An answer is a function of the request's telling fields (its name on the shelf), the configuration (part of the name),
//! what the tiers hold, the time and the order of invalidations. An answer that is fresh is kept with all of that:
//!
//! | what may change | how that is noticed |
//! |---|---|
//! | the time | the facts are judged again ([`reuse::judge`]), and the few fields that show a time are written anew |
//! | an invalidation | the epoch is another one, and then the stamps are judged |
//! | what this worker stores | a count for each key that was asked for |
//! | an invalidation elsewhere, of which nobody has heard | the fleet has been out of contact for too long |
//! | what other workers store | the tiers are asked again after a second |
//!
//! The last point also tells the shared tier that the entry is still wanted. So for up to a second after another worker has
//! stored a newer response, this one may give the older of two fresh ones.

use std::ops::Range;
use std::rc::Rc;

use super::compose;
use super::echo::{Given, Sent, Source};
use super::hot::{Held, HotState, Standing};
use super::lookup::Looking;
use super::serve::{Answered, timed_lines};
use super::step::Body;
use super::{Reply, State, Step, Surroundings, Verdict};
use crate::config::{AddedHeaders, KeySource, PolicyId};
use crate::entry::{Epoch, Meta, StampList, StoredResponse};
use crate::epoch::{Currency, Epochs, Stamped, Whereabouts};
use crate::fleet::Contact;
use crate::http::{Headers, Method};
use crate::key::Key;
use crate::policy::request::{Demands, RequestBody};
use crate::policy::reuse::{self, Reuse};
use crate::policy::stale::Terms;
use crate::policy::template::Language;
use crate::report::{Annotation, Outcome, ServedFrom, Tally};
use crate::tier::{Kept, Knock};
use crate::time::{Seconds, Timestamp};

/// After so long the tiers are asked again.
const TRUSTED: Seconds = Seconds::clamped(1);

/// The keys that one lookup asks for at most ([`super::lookup`]).
const MOST_KEYS: usize = 4;

/// An answer that can be given again.
#[derive(Debug)]
pub(super) struct Memo {
    meta: Meta,
    demands: Demands,
    stamps: StampList,
    /// The key under which the response stands.
    key: Rc<Key>,
    /// The epoch at which the stamps were last judged.
    judged: Epoch,
    /// When the tiers were asked.
    asked: Timestamp,
    /// The counts of stores under the keys they were asked for.
    keys: Vec<(usize, u32)>,
    source: Source,
    added: AddedHeaders,
    details: &'static str,
    given: Given,
    body: Rc<Vec<u8>>,
    /// How many bytes of it the client gets.
    sent_bytes: usize,
    /// By which rule it is counted.
    rule: PolicyId,
    /// As what.
    outcome: Outcome,
    timed: Timed,
    /// Where it is a template.
    template: Option<Language>,
    /// How often it was given lately ([`super::HotTier::hottest`]).
    given_times: u32,
}

/// The fields that show a time, which are the last of the head.
#[derive(Debug)]
struct Timed {
    /// How many fields stand before them.
    first: usize,
    /// Where their values stand in the block.
    values: Vec<Range<usize>>,
    age: Seconds,
    ttl: Seconds,
}

/// The keys that a lookup has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AskedKeys {
    digests: [u64; MOST_KEYS],
    count: usize,
}

impl AskedKeys {
    pub(super) fn note(&mut self, key: &Key) {
        if let Some(place) = self.digests.get_mut(self.count) {
            *place = key.digest().short();
        }
        self.count = self.count.saturating_add(1);
    }

    /// Whether it was not asked for, and could be noted.
    pub(super) fn is_new(&self, key: &Key) -> bool {
        let known = self.all().filter(|known| known.len() < MOST_KEYS);
        known.is_some_and(|known| !known.contains(&key.digest().short()))
    }

    /// All of them; `None` where there were more than could be noted.
    fn all(&self) -> Option<&[u64]> {
        self.digests.get(..self.count)
    }
}

/// Answers a request without a body as it was answered before, if that still holds.
pub(super) fn recall<'a>(
    around: &Surroundings,
    request: &Headers,
    now: Timestamp,
) -> Option<(State, Step<'a>)> {
    let mut state = around.hot.state.try_borrow_mut().ok()?;
    state.standing = Standing::Unknown;
    if state.shelf.is_empty() {
        return None;
    }
    state.name(&around.scope, request);
    let HotState {
        shelf,
        stores,
        name,
        standing,
        ..
    } = &mut *state;
    let Held::Answer(memo) = shelf.ask_for(name)? else {
        return None; // names of bodies are no names of requests
    };
    match memo.renew(around, stores, now) {
        Some(()) => {
            memo.given_times = memo.given_times.saturating_add(1);
            memo.count(&around.tally);
            Some(memo.give(request))
        }
        None => {
            // What comes in its place may be nothing to keep.
            *standing = Standing::Renewed(memo.given_times);
            shelf.take(name);
            None
        }
    }
}

/// An answer that has just been found.
pub(super) struct Fresh<'a> {
    pub(super) looking: &'a Looking,
    pub(super) stored: &'a StoredResponse<'a>,
    pub(super) answered: &'a Answered<'a>,
    pub(super) age: Seconds,
    pub(super) ttl: Seconds,
}

/// How often the same is asked for, as far as the hot tier knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// So often that its answer is one to keep.
    Often,
    /// Nothing is known of it.
    Unknown,
}

/// Keeps the answer that was found for a request, if it comes again.
pub(super) fn keep(around: &Surroundings, fresh: &Fresh<'_>, now: Timestamp) -> Demand {
    let Ok(mut state) = around.hot.state.try_borrow_mut() else {
        return Demand::Unknown;
    };
    if !state.is_wanted(around, fresh.looking) {
        return Demand::Unknown;
    }
    let keys = fresh.looking.asked.all();
    let counts = keys.and_then(|keys| state.counts(keys));
    let memo = counts.and_then(|keys| Memo::of(around.config.headers, fresh, keys, now));
    if let Some(mut memo) = memo {
        let HotState {
            shelf,
            name,
            standing,
            ..
        } = &mut *state;
        let bytes = memo.bytes();
        if let Standing::Renewed(times) = *standing {
            memo.given_times = times.saturating_add(1);
        }
        let _: Kept = shelf.put(name, Held::Answer(Box::new(memo)), bytes);
        if let Standing::Renewed(_) = *standing {
            shelf.ask_for(name); // it has been
        }
    }
    Demand::Often
}

impl HotState {
    /// Whether a request's answer is one to keep: its telling fields tell all, and it does not come for the first time.
    fn is_wanted(&mut self, around: &Surroundings, looking: &Looking) -> bool {
        let subject = &looking.subject;
        let request = subject.head.headers();
        // A range is one of endlessly many parts, and a question is told by its content and by what says how that is read.
        let is_plain = subject.body == RequestBody::None
            && matches!(subject.head.method(), Method::Get | Method::Head)
            && !request.contains("range");
        let is_told = around
            .config
            .policy(subject.policy)
            .is_some_and(|policy| policy.key_source() == KeySource::Fields);
        let is_learned = match around.scope.fields.try_borrow_mut() {
            Ok(mut fields) => fields.learn(looking.varying()).is_ok(),
            Err(_) => false,
        };
        if !self.shelf.is_open() || !is_plain || !is_told || !is_learned {
            return false;
        }
        let standing = self.standing;
        self.name(&around.scope, request); // with what was learned
        self.standing = standing;
        let name = std::mem::take(&mut self.name);
        let knock = self.knock(&name);
        self.name = name;
        matches!(standing, Standing::Renewed(_)) || knock == Knock::Again
    }
}

impl Memo {
    /// `None` where there is no memory for it.
    fn of(
        added: AddedHeaders,
        fresh: &Fresh<'_>,
        keys: Vec<(usize, u32)>,
        now: Timestamp,
    ) -> Option<Self> {
        let Fresh {
            looking,
            stored,
            answered,
            age,
            ttl,
        } = *fresh;
        let content = &answered.content;
        let mut body = Vec::new();
        body.try_reserve_exact(content.body.len()).ok()?;
        body.extend_from_slice(&content.body);
        let template = answered.template.as_deref();
        let given = Given::new(content.status, &content.headers, body.len());
        let timed = Timed {
            first: answered.timed_from,
            values: values_from(&given.pairs, answered.timed_from)?,
            age,
            ttl,
        };
        Some(Self {
            meta: stored.meta,
            demands: looking.lookup.demands,
            stamps: stored.stamps.iter().collect(),
            key: Rc::clone(&looking.primary),
            judged: looking.subject.epoch,
            asked: now,
            keys,
            source: looking.source(&stored.meta),
            added,
            details: content.details,
            given,
            sent_bytes: compose::sent_bytes(template, &looking.subject.head, &body),
            template: template.map(compose::Asked::language),
            body: Rc::new(body),
            rule: looking.subject.policy,
            outcome: Outcome::of_fresh(stored.status),
            timed,
            given_times: 0,
        })
    }

    /// It is given again.
    fn count(&self, tally: &Tally) {
        tally.request(self.rule, self.outcome);
        tally.hot_hit();
        tally.serve(ServedFrom::Hot, self.sent_bytes);
        if self.given.status == 304 {
            tally.not_modified();
        }
    }

    fn bytes(&self) -> usize {
        let parts = [
            size_of::<Self>(),
            self.body.len(),
            self.given.pairs.len(),
            size_of_val(self.keys.as_slice()),
            size_of_val(self.timed.values.as_slice()),
            self.stamps.as_stamps().size(),
            self.key.canonical().len(),
        ];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    /// Makes it the answer of this moment; `None` where it no longer is one.
    fn renew(&mut self, around: &Surroundings, stores: &[u32], now: Timestamp) -> Option<()> {
        let is_trusted = self.asked <= now && now < self.asked.plus(TRUSTED);
        let is_same = |(at, count): &(usize, u32)| stores.get(*at) == Some(count);
        if !is_trusted || !self.keys.iter().all(is_same) {
            return None;
        }
        let epoch = around.epochs.now();
        if epoch != self.judged || epoch == Epoch::UNKNOWN {
            if self.is_over(&*around.epochs) {
                return None;
            }
            self.judged = epoch;
        }
        if around.contact(&self.meta, now) == Contact::Lost {
            return None;
        }
        let facts = (&self.meta, Currency::Current);
        match reuse::judge(facts, Terms::while_fresh(self.meta.rule), self.demands, now) {
            Reuse::Fresh { age, ttl_left } => self.show(age, ttl_left),
            Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_)
            | Reuse::Validate(_) => None,
        }
    }

    /// The key of its URL, and how often it was given lately; half of that is forgotten.
    pub(super) fn heat(&mut self) -> (&Rc<Key>, u32) {
        let times = self.given_times;
        self.given_times = times / 2;
        (&self.key, times)
    }

    /// Whether an invalidation has met it.
    pub(super) fn is_over(&self, epochs: &dyn Epochs) -> bool {
        let judged = epochs.judge(Stamped {
            epoch: self.meta.epoch,
            stamps: self.stamps.as_stamps(),
            key: &self.key,
            whereabouts: Whereabouts::Aside(self.judged),
        });
        judged != Currency::Current
    }

    /// Writes the age and what goes with it.
    fn show(&mut self, age: Seconds, ttl: Seconds) -> Option<()> {
        if (age, ttl) == (self.timed.age, self.timed.ttl) {
            return Some(());
        }
        (self.timed.age, self.timed.ttl) = (age, ttl);
        let lines = || timed_lines(Some(age), Annotation::Hit { age, ttl }, self.added);
        let values = || self.timed.values.iter().cloned();
        if lines()
            .map(|(_, value)| value.len())
            .eq(values().map(|value| value.len()))
        {
            let pairs = Rc::make_mut(&mut self.given.pairs);
            for ((_, value), at) in lines().zip(values()) {
                pairs.get_mut(at)?.copy_from_slice(value.as_bytes());
            }
            return Some(());
        }
        let old = self.given.headers();
        let untimed = old.iter().take(self.timed.first);
        let mut head: Headers = untimed.collect();
        for (name, value) in lines() {
            head.push(name, value);
        }
        self.given = Given::new(self.given.status, &head, self.body.len());
        self.timed.values = values_from(&self.given.pairs, self.timed.first)?;
        Some(())
    }

    fn give<'a>(&self, request: &Headers) -> (State, Step<'a>) {
        if let Some(language) = self.template {
            let body = Body::Shared(Rc::clone(&self.body));
            let answer = (&self.given, self.source);
            return compose::begin_again((language, request), answer, (body, self.details));
        }
        let sent = Sent::new(self.given.clone(), self.source);
        let reply = Reply {
            status: self.given.status,
            pairs: Rc::clone(&self.given.pairs),
            body: Body::Shared(Rc::clone(&self.body)),
            details: self.details,
        };
        let step = Step {
            verdict: Verdict::Reply(reply),
            effects: Vec::new(), // it is in the tally
        };
        (State::Serving(Box::new(sent)), step)
    }
}

/// Where the values of the fields from that one on stand in a block of pairs.
fn values_from(block: &[u8], first: usize) -> Option<Vec<Range<usize>>> {
    let values = Headers::value_ranges(block).ok()?; // it was made here
    Some(values.skip(first).collect())
}
