//! The management API, over what a worker has.

use larder_core::exchange::{Call, Surroundings};
use larder_core::time::Timestamp;
use larder_manage::{Desk, Fleet, Outcome, Settings};

use crate::fleet::{Awaited, Herald};
use crate::ledger::Ledger;
use crate::live::Live;
use crate::shared_data::SharedData;
use crate::warm::Starter;

use super::Worker;

impl Worker {
    /// Does what a call of the management API asks for. Also gives what has to arrive in the fleet before that is good for all of
    /// it, where something has.
    pub(crate) fn manage(
        &self,
        call: &Call,
        (around, settings): (&Surroundings, &Settings),
        ledger: &Ledger,
        now: Timestamp,
    ) -> (Outcome, Option<Awaited>) {
        let herald = Herald::new(self, now);
        let fleet = self.fleet.is_there().then_some(&herald as &dyn Fleet);
        let outcome = self.with_desk(fleet, (around, settings), ledger, now, &mut |desk| {
            larder_manage::answer(call, desk, now)
        });
        self.fleet.post_in_haste(self, now);
        (outcome, herald.awaited.get())
    }

    /// What the fleet is shown of a configuration.
    pub(crate) fn figures(&self, live: &Live, now: Timestamp) -> Option<[String; 2]> {
        let (force, settings) = (live.force()?, live.settings()?);
        let of = (&*force.surroundings, settings);
        let mut figures = None;
        self.with_desk(None, of, &force.ledger, now, &mut |desk| {
            figures = Some(larder_manage::figures(desk, now));
        });
        figures
    }

    fn with_desk<T>(
        &self,
        fleet: Option<&dyn Fleet>,
        (around, settings): (&Surroundings, &Settings),
        ledger: &Ledger,
        now: Timestamp,
        then: &mut dyn FnMut(&Desk<'_>) -> T,
    ) -> T {
        ledger.show();
        then(&Desk {
            apart: &|invalidation| self.fleet.enter_apart(self, invalidation, now),
            around,
            board: ledger.board(),
            count: &|counter| self.count(counter),
            epochs: &self.epochs,
            fleet,
            gauge: &*self.metrics,
            hint: &*self.metrics,
            kv: &SharedData,
            now,
            numbers: ledger,
            observer: ledger.observer(),
            settings,
            store: &|candidate| self.store(candidate, now),
            tier: &self.tier,
            warm: &Starter {
                worker: self,
                around,
            },
        })
    }
}
