//! What a worker does in a play, with the promises checked that its outcome makes.

use super::super::outcome::{AbsentReason, Removed, Stored};
use super::super::slot;
use super::super::{SharedTier, TickReport};
use super::act::Deed;
use super::baton::Baton;
use super::{at, key, look, payload, put};

/// One worker at work.
pub(super) struct Actor<'a, 'b> {
    pub(super) tier: &'a mut SharedTier,
    pub(super) host: &'a Baton<'b>,
}

impl Actor<'_, '_> {
    /// Stores an entry that was fetched at `started`.
    pub(super) fn store(&mut self, name: &str, started: u64, now: u64) -> Stored {
        let key = key(name);
        let charged = slot::charge(&key, &payload(name, started, 200)).unwrap();
        self.begin(
            Deed::Storing {
                digest: key.digest(),
                started: at(started),
                charged: charged.into(),
                budget: self.tier.max_bytes,
            },
            now,
        );
        let stored = put(self.tier, (self.host, self.host), name, started, now);
        if stored == Stored::Published {
            let life = self.tier.life.unwrap();
            let chronicle = self.host.stage.chronicle();
            chronicle.stored(&life, &self.host.act.borrow());
        }
        stored
    }

    /// Looks an entry up.
    pub(super) fn look(&mut self, name: &str, now: u64) -> Result<u64, AbsentReason> {
        self.begin(Deed::Looking, now);
        let before = self.tier.life;
        let found = look(self.tier, self.host, name, now);
        let life = before.or(self.tier.life);
        let chronicle = self.host.stage.chronicle();
        let (digest, act) = (key(name).digest(), self.host.act.borrow());
        chronicle.looked(life, digest, found.ok().map(at), &act);
        found
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, name: &str, now: u64) -> Removed {
        let key = key(name);
        self.begin(Deed::Removing(key.digest()), now);
        let removed = self.tier.remove(self.host, self.host, &key, at(now));
        match removed {
            Removed::Absent | Removed::Emptied => {
                let life = self.tier.life.unwrap();
                let chronicle = self.host.stage.chronicle();
                chronicle.removed(&life, key.digest(), &self.host.act.borrow());
            }
            Removed::Failed(_) => {}
        }
        removed
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: u64) -> TickReport {
        self.begin(Deed::Ticking, now);
        self.tier.tick(self.host, self.host, at(now))
    }

    fn begin(&self, deed: Deed, now: u64) {
        let act = self.host.stage.chronicle().begin(deed, at(now));
        self.host.act.replace(act);
    }
}
