//! An origin that counts as failed is left alone by those who have something stale ([`crate::policy::breaker`]).

use std::cell::RefCell;
use std::rc::Rc;

use super::lookup::Looking;
use super::rescue::{Arrived, Spare};
use super::response::Forwarding;
use super::validate::Maker;
use super::{Effect, Surroundings};
use crate::config::{CachePolicy, StaleWindows};
use crate::entry::Meta;
use crate::epoch::Currency;
use crate::policy::breaker::{Advice, Breakers, Change, Health};
use crate::policy::reuse::{self, Need, Stale};
use crate::policy::stale::Terms;
use crate::report::{BreakerState, Counter};
use crate::time::{Seconds, Timestamp};

impl Surroundings {
    /// Whether the origin of the request at hand is asked for what is there already, though stale.
    pub(super) fn advice(&self, now: Timestamp) -> Advice {
        let breakers = self.breakers().try_borrow_mut();
        match (self.cluster(), breakers) {
            (Some(cluster), Ok(mut breakers)) => breakers.advise(&cluster, now),
            (None, _) | (_, Err(_)) => Advice::Ask,
        }
    }

    /// Where the request at hand goes.
    pub(super) fn cluster(&self) -> Option<Vec<u8>> {
        self.background.get()?.cluster()
    }

    pub(super) fn breakers(&self) -> &Rc<RefCell<Breakers>> {
        self.breakers.get_or_init(Rc::default)
    }
}

impl Looking {
    /// What is given in place of the origin's answer, since that counts as failed. Who is let through all the same has something
    /// stale, and tries for all.
    #[inline(never)]
    pub(super) fn spared(
        &mut self,
        around: &Surroundings,
        facts: (&Meta, Currency),
        terms: Terms,
        now: Timestamp,
    ) -> Option<Stale> {
        let need = Need::Open(around.config.breaker.max_stale);
        let stale = reuse::judge_in_need(facts, terms, self.lookup.demands, need, now)?;
        match around.advice(now) {
            Advice::Ask => {
                self.spare.get_or_insert_with(|| Spare {
                    key: Rc::clone(&self.last),
                    demands: self.lookup.demands,
                });
                None
            }
            Advice::Spare => Some(stale),
        }
    }
}

impl Forwarding {
    /// What the response says about the health of its origin, where that may ever matter.
    #[inline(never)]
    pub(super) fn note_health(
        &self,
        around: &Surroundings,
        arrived: &Arrived,
        now: Timestamp,
    ) -> Option<Effect> {
        let policy = around.config.policy(self.subject.policy)?;
        let is_trial = self.spare.is_some() || self.cluster.is_some();
        if !is_trial && !gives_stale(policy, around) {
            return None;
        }
        let health = match arrived.maker {
            Maker::Proxy | Maker::Unknown => return None,
            Maker::Router | Maker::Upstream if arrived.is_failure(policy) => match is_trial {
                true => Health::Failed,
                false => Health::Unserved,
            },
            Maker::Router | Maker::Upstream => Health::Well,
        };
        let cluster = self.cluster.clone().or_else(|| around.cluster())?;
        let mut breakers = around.breakers().try_borrow_mut().ok()?;
        let state = match breakers.note(&cluster, health, &around.config.breaker, now) {
            Change::Closed => BreakerState::Closed,
            Change::None => return None,
            Change::Opened => BreakerState::Open,
        };
        Some(Effect::Count(Counter::BreakerChanged(state)))
    }
}

/// Whether the operator lets anything be given stale.
fn gives_stale(policy: &CachePolicy, around: &Surroundings) -> bool {
    let beyond = around.config.breaker.max_stale;
    policy.sparing.stale != StaleWindows::NONE || beyond > Seconds::ZERO
}
