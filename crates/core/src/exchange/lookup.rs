//! What the tiers hold for a request, and what becomes of it: an answer, a question to the origin, or a request that goes
//! on as it came.

use std::rc::Rc;

use super::boarding::{Provider, Turn};
use super::deferred::Compress;
use super::echo::Source;
use super::event::Answer;
use super::form::Work;
use super::memo::{self, AskedKeys, Demand, Fresh};
use super::present::present;
use super::request::Subject;
use super::rescue::Spare;
use super::response::Basis;
use super::search::Trail;
use super::serve::{self, Warrant};
use super::surplus::EntryId;
use super::{Effect, State, Step, Surroundings};
use crate::config::{CachePolicy, Share, Switch};
use crate::entry::{Meta, Payload, SearchRecord, StoredResponse, Variants};
use crate::epoch::{Stamped, Whereabouts};
use crate::http::Headers;
use crate::key::Key;
use crate::policy::Reason;
use crate::policy::request::Lookup;
use crate::policy::reuse::{self, Need, Reuse, Stale};
use crate::policy::stale::Terms;
use crate::report::{Counter, Forward};
use crate::time::Timestamp;

/// The tiers have been asked.
#[derive(Debug)]
pub(super) struct Looking {
    pub(super) subject: Subject,
    pub(super) lookup: Lookup,
    /// Every key that the tiers were asked for.
    pub(super) asked: AskedKeys,
    pub(super) trail: Trail,
    /// The key under which the URL's response, or the list of its variants, is looked for.
    pub(super) primary: Rc<Key>,
    /// The key that was asked for last.
    pub(super) last: Rc<Key>,
    pub(super) place: Place,
    pub(super) turn: Turn,
    /// What was found there, if it is of use when the origin fails.
    pub(super) spare: Option<Spare>,
}

/// Which key the tiers were asked for.
#[derive(Debug)]
pub(super) enum Place {
    /// That of the URL.
    Primary,
    /// That of what No-Vary-Search says about the path.
    Record,
    /// That of the parameters that No-Vary-Search leaves.
    Reduced,
    /// That of the variant which these fields select.
    Variant(Variants),
}

impl Place {
    /// The variants that the URL is known to have.
    pub(super) fn into_variants(self) -> Variants {
        match self {
            Self::Primary | Self::Record | Self::Reduced => Variants::default(),
            Self::Variant(variants) => variants,
        }
    }
}

/// Whether what another rule kept may be something that this one would not have kept: its 304 says nothing about the
/// cookie in a stored head, and nothing about the body.
fn is_bound_to_its_rule(stored: &Headers, policy: &CachePolicy) -> bool {
    stored.contains("set-cookie") || policy.store_if.json.is_some()
}

impl Looking {
    /// A request that nothing has been looked for yet.
    pub(super) fn new(subject: Subject, lookup: Lookup) -> Self {
        Self {
            lookup,
            asked: AskedKeys::default(),
            trail: Trail::None,
            primary: Rc::clone(&subject.key),
            last: Rc::clone(&subject.key),
            place: Place::Primary,
            turn: Turn::default(),
            spare: None,
            subject,
        }
    }

    /// Asks the tiers.
    pub(super) fn ask_tiers<'a>(mut self, around: &Surroundings) -> (State, Step<'a>) {
        let key = self.first_key(around);
        self.ask_for(key)
    }

    fn ask_for<'a>(mut self, key: Rc<Key>) -> (State, Step<'a>) {
        self.asked.note(&key);
        self.last = Rc::clone(&key);
        (State::Looking(Box::new(self)), Step::lookup(key))
    }

    /// The fields by which the response's variant was chosen.
    pub(super) fn varying(&self) -> &[String] {
        match &self.place {
            Place::Variant(variants) => variants.fields(),
            Place::Primary | Place::Record | Place::Reduced => &[],
        }
    }

    /// It stands under another key than was thought.
    pub(super) fn rename(&mut self, key: Key) {
        self.subject.key = Rc::new(key);
        self.primary = Rc::clone(&self.subject.key);
    }

    /// The key that the tiers are asked for first.
    fn first_key(&mut self, around: &Surroundings) -> Rc<Key> {
        let max = around.config.limits.max_key_bytes;
        let Subject { search, key, .. } = &self.subject;
        match search.as_ref().map(|search| search.record(key, max)) {
            Some(Ok(record)) => {
                self.place = Place::Record;
                Rc::new(record)
            }
            Some(Err(_)) | None => Rc::clone(key),
        }
    }

    /// Takes in what the tiers hold.
    pub(super) fn answered<'a>(
        mut self,
        around: &Surroundings,
        answer: Answer<'a>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let payload = match (answer, &self.place) {
            (Answer::Absent | Answer::Expired, Place::Record | Place::Reduced) => {
                return self.look_for_url();
            }
            (Answer::Absent, Place::Primary | Place::Variant(_)) => return self.miss(around, now),
            (Answer::Expired, Place::Primary | Place::Variant(_)) => {
                return self.forward(around, Forward::Stale(Reason::Expired), now);
            }
            (Answer::Found(bytes), _) => Payload::decode(bytes),
        };
        match (payload, &self.place) {
            (Ok(Payload::Partial(stored)), Place::Primary | Place::Variant(_)) => {
                self.judge_part(around, stored, now)
            }
            (Ok(Payload::Response(stored)), Place::Primary | Place::Variant(_)) => {
                self.judge(around, stored, now)
            }
            (Ok(Payload::Partial(stored)), Place::Reduced) => {
                self.trail.arrived();
                self.judge_part(around, stored, now)
            }
            (Ok(Payload::Response(stored)), Place::Reduced) => {
                self.trail.arrived();
                self.judge(around, stored, now)
            }
            (Ok(Payload::Variants(variants)), Place::Primary) => {
                self.look_for_variant(around, variants, now)
            }
            (Ok(Payload::Variants(variants)), Place::Reduced) => {
                self.trail.arrived();
                self.look_for_variant(around, variants, now)
            }
            (Ok(Payload::Search(record)), Place::Record) => self.look_by(around, record),
            (Ok(Payload::Search(SearchRecord::Exact)), Place::Reduced) => self.look_for_url(),
            (
                Ok(Payload::Partial(_) | Payload::Response(_) | Payload::Variants(_)) | Err(_),
                Place::Record,
            )
            | (Ok(Payload::Search(SearchRecord::Reduced { .. })) | Err(_), Place::Reduced) => {
                let (state, mut step) = self.look_for_url();
                step.effects.push(Effect::Count(Counter::Corrupt));
                (state, step)
            }
            (Ok(Payload::Search(_)), Place::Primary | Place::Variant(_))
            | (Ok(Payload::Variants(_)), Place::Variant(_))
            | (Err(_), Place::Primary | Place::Variant(_)) => self.corrupt(around, now),
        }
    }

    /// Asks for what the record leads to.
    fn look_by<'a>(mut self, around: &Surroundings, record: SearchRecord) -> (State, Step<'a>) {
        let max = around.config.limits.max_key_bytes;
        match Trail::follow(&self.subject, record, max) {
            None => self.look_for_url(),
            Some((trail, key)) => {
                self.trail = trail;
                self.primary = Rc::clone(&key);
                self.place = Place::Reduced;
                self.ask_for(key)
            }
        }
    }

    /// Asks for the URL itself.
    fn look_for_url<'a>(mut self) -> (State, Step<'a>) {
        self.primary = Rc::clone(&self.subject.key);
        self.place = Place::Primary;
        let key = Rc::clone(&self.primary);
        self.ask_for(key)
    }

    fn look_for_variant<'a>(
        mut self,
        around: &Surroundings,
        variants: Variants,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let max = around.config.limits.max_key_bytes;
        match self
            .primary
            .variant(variants.fields(), self.subject.head.headers(), max)
        {
            Ok(key) => {
                self.place = Place::Variant(variants);
                self.ask_for(Rc::new(key))
            }
            Err(_) => self.miss(around, now),
        }
    }

    /// What was found, as far as invalidations are concerned.
    pub(super) fn stamped<'a>(&'a self, stored: &StoredResponse<'a>) -> Stamped<'a> {
        Stamped {
            epoch: stored.meta.epoch,
            stamps: stored.stamps,
            key: &self.primary,
            whereabouts: Whereabouts::Shared,
        }
    }

    /// What a reply is made of, where it is made of the entry with this `meta`.
    pub(super) fn source(&self, meta: &Meta) -> Source {
        Source::Entry(self.entry(meta))
    }

    fn entry(&self, meta: &Meta) -> EntryId {
        EntryId {
            digest: self.subject.key.digest().short(),
            received: meta.response_time,
        }
    }

    /// What is to be done about the form that an answer has.
    pub(super) fn effect_of(&self, work: Work, around: &Surroundings) -> Option<Effect> {
        match work {
            Work::None => None,
            Work::Unzipped => Some(Effect::Count(Counter::Unzipped)),
            Work::Wanted(min_saving) => {
                let max = around.config.limits.max_key_bytes;
                let key = match &self.place {
                    Place::Primary | Place::Record | Place::Reduced => Rc::clone(&self.primary),
                    Place::Variant(variants) => {
                        let request = self.subject.head.headers();
                        Rc::new(self.primary.variant(variants.fields(), request, max).ok()?)
                    }
                };
                Some(Effect::Compress(Compress { key, min_saving }))
            }
        }
    }

    fn judge<'a>(
        mut self,
        around: &Surroundings,
        stored: StoredResponse<'a>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let Some(policy) = around.config.policy(self.subject.policy) else {
            return self.miss(around, now);
        };
        let headers = match Headers::copy_of_pairs(stored.pairs) {
            Ok(headers) if serve::is_sendable(&headers) => headers,
            Ok(_) | Err(_) => return self.corrupt(around, now),
        };
        let judged = around.judge(self.stamped(&stored), &stored.meta, now);
        let terms = Terms::of(policy, stored.status);
        let facts = (&stored.meta, judged.currency);
        let demands = self.lookup.demands;
        let reuse = judged.named(reuse::judge(facts, terms, demands, now));
        // A rule that is only tried answers nothing.
        let is_spare = policy.shadow == Switch::Off
            && !matches!(reuse, Reuse::Fresh { .. })
            && reuse::stands_in(facts, terms, now);
        self.spare = is_spare.then(|| Spare {
            key: Rc::clone(&self.last),
            demands,
        });
        // The origin has just failed another, and would fail this one too, or it counts as failed.
        let in_need = || reuse::judge_in_need(facts, terms, demands, Need::Failed, now);
        let reuse = match (reuse, self.turn.need.and_then(|_| in_need())) {
            (
                Reuse::StaleMeanwhile { .. } | Reuse::Unusable(_) | Reuse::Validate(_),
                Some(stale),
            ) => Reuse::Stale(stale),
            (Reuse::Unusable(_) | Reuse::Validate(_), _) if policy.shadow == Switch::Off => {
                let spared = self.spared(around, facts, terms, now);
                spared.map_or(reuse, Reuse::Stale)
            }
            (reuse, _) => reuse,
        };
        let answered = |headers, age, warrant| {
            let asked = (&self.subject, policy);
            let (mut answered, work) = present(&stored, (headers, age, warrant), asked, around)?;
            answered.effects.extend(self.effect_of(work, around));
            Ok(answered)
        };
        match reuse {
            Reuse::Fresh { .. } if policy.shadow == Switch::On => {
                self.shadow_hit(around, &stored, now)
            }
            // What has to be asked about is a miss then, and so is what a client would take stale: it is to be made fresh.
            Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_)
            | Reuse::Validate(_)
                if policy.shadow == Switch::On =>
            {
                self.miss(around, now)
            }
            Reuse::Fresh { age, ttl_left } => {
                let answered = match answered(headers, age, self.turn.warrant(ttl_left)) {
                    Ok(answered) => answered,
                    Err(unfit) => return self.unfit(around, unfit, now),
                };
                let fresh = Fresh {
                    looking: &self,
                    stored: &stored,
                    answered: &answered,
                    age,
                    ttl: ttl_left,
                };
                // What is said of it to who has waited, or has asked the fleet, is nobody else's.
                if self.turn.waited.is_none()
                    && self.turn.provider == Provider::Process
                    && memo::keep(around, &fresh, now) == Demand::Often
                    && policy.sparing.refresh_ahead != Share::NONE
                {
                    let (mut answered, source) = (answered, self.source(&stored.meta));
                    let refresh = self.ahead(around, stored, (policy, ttl_left), now);
                    answered.effects.extend(refresh);
                    return answered.reply(source);
                }
                answered.reply(self.source(&stored.meta))
            }
            Reuse::Stale(Stale { age, overdue, why }) => {
                match answered(headers, age, Warrant::Stale(overdue, why)) {
                    Ok(answered) => answered.reply(self.source(&stored.meta)),
                    Err(unfit) => self.unfit(around, unfit, now),
                }
            }
            Reuse::Unusable(reason @ Reason::RequestDirective) => {
                self.depart(around, Forward::because(reason), Basis::Whole, now)
            }
            Reuse::StaleMeanwhile { stale, obstacle } => {
                let reuse = Reuse::refused(&stored.meta, obstacle);
                self.meanwhile(around, (stored, headers), policy, (stale, reuse), now)
            }
            Reuse::Unusable(reason) => self.forward(around, Forward::because(reason), now),
            Reuse::Validate(reason @ Reason::OtherRule)
                if is_bound_to_its_rule(&headers, policy) =>
            {
                self.forward(around, Forward::because(reason), now)
            }
            Reuse::Validate(reason) => {
                let forward = Forward::because(reason);
                self.ask(around, forward, stored, (headers, policy), now)
            }
        }
    }
}
