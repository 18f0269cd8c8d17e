//! Workers on a stage, from their entrance to the reckoning.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{ByteGauge, Geometry, SharedTier};
use super::act::Trouble;
use super::actor::Actor;
use super::audit::audit;
use super::baton::{Baton, Choose, Part, play};
use super::stage::Stage;
use crate::tier::Stored;

/// Where plays begin, in seconds.
pub(super) const START: u64 = 1_000_000;

/// Workers, and what they share.
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) workers: Vec<SharedTier>,
    slots: u32,
}

/// How a worker's part came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    CutShort,
    Ended,
}

/// What one worker does in a play.
pub(super) type Act = fn(&mut Actor<'_, '_>);

impl Scene {
    /// Workers that have not touched the host yet.
    pub(super) fn new(trouble: Trouble, workers: u128, slots: u32, max_bytes: u64) -> Self {
        let mut scene = Self {
            stage: Stage::new(trouble),
            workers: Vec::new(),
            slots,
        };
        for seed in 1..=workers {
            scene.enter(seed, max_bytes);
        }
        scene
    }

    /// One more worker.
    pub(super) fn enter(&mut self, seed: u128, max_bytes: u64) {
        let geometry = Geometry::new(self.slots).unwrap();
        self.workers
            .push(SharedTier::new(geometry, max_bytes, seed));
    }

    /// Has all workers join, and so many entries from ten seconds ago stored.
    pub(super) fn prepare(&mut self, entries: u32) {
        self.in_turn(|workers| {
            for worker in &mut *workers {
                worker.tick(START - 10);
            }
            for n in 0..entries {
                workers[0].store(&n.to_string(), START - 10, START - 10);
            }
        });
    }

    /// Plays the acts at once, one worker each.
    pub(super) fn play(&mut self, acts: &[Act], choose: Choose<'_>) {
        let workers = self.workers.iter_mut().zip(acts);
        let parts = workers.map(|(tier, act)| -> Part<'_> {
            Box::new(move |host: &Baton<'_>| act(&mut Actor { tier, host }))
        });
        play(&self.stage, parts.collect(), choose);
    }

    /// Plays the acts at once, of which the first stops after so many calls if it has not ended by then.
    pub(super) fn play_until_death(
        &mut self,
        calls: usize,
        acts: &[Act],
        choose: Choose<'_>,
    ) -> Life {
        let ended = AtomicBool::new(false);
        let workers = self.workers.iter_mut().zip(acts).enumerate();
        let parts = workers.map(|(n, (tier, act))| -> Part<'_> {
            let ended = &ended;
            Box::new(move |host: &Baton<'_>| {
                if n == 0 {
                    host.die_after(calls);
                }
                act(&mut Actor { tier, host });
                ended.fetch_or(n == 0, Ordering::Relaxed);
            })
        });
        play(&self.stage, parts.collect(), choose);
        if ended.into_inner() {
            Life::Ended
        } else {
            Life::CutShort
        }
    }

    /// The workers do something one after the other.
    fn in_turn(&mut self, deeds: impl FnOnce(&mut [Actor<'_, '_>]) + Send) {
        let tiers = &mut self.workers;
        let part: Part<'_> = Box::new(|host: &Baton<'_>| {
            let actors = tiers.iter_mut().map(|tier| Actor { tier, host });
            deeds(&mut actors.collect::<Vec<_>>());
        });
        play(&self.stage, vec![part], &mut |_| 0);
    }

    /// Nobody is at work, and nothing was out of order: it must all add up after two ticks of each, at the same time.
    pub(super) fn rest(&mut self, now: u64) {
        self.tick([now; 2]);
        self.add_up();
    }

    /// Nobody is at work, and claims and leases have run out at `now`: after a few ticks it must all add up, and work.
    pub(super) fn settle(&mut self, now: u64) {
        // As many as it takes until each slot has been looked into.
        self.tick(now..now + 10);
        self.add_up();
        self.in_turn(|workers| {
            let now = now + 10;
            for n in 0..workers.len() {
                let name = format!("afterwards {n}");
                // Where there is no room it may have to be asked for more than once.
                let stored = (0..20).any(|_| {
                    let _ = workers[n].look(&name, now);
                    workers[n].store(&name, now, now) == Stored::Published
                });
                assert!(stored, "{name}");
                let next = (n + 1) % workers.len();
                assert_eq!(workers[next].look(&name, now), Ok(now), "{name}");
            }
        });
        self.add_up();
    }

    fn tick(&mut self, times: impl IntoIterator<Item = u64> + Send) {
        self.in_turn(|workers| {
            for now in times {
                for worker in &mut *workers {
                    worker.tick(now);
                }
            }
        });
    }

    /// The gauge, the charged bytes and the bytes in the slots are one number, every slot belongs to a published entry,
    /// and every published entry has its slot.
    pub(super) fn add_up(&self) {
        let audit = audit(&self.stage.kv);
        assert_eq!(audit.complaints, [""; 0]);
        assert_eq!(audit.held, audit.charged);
        assert_eq!(audit.charged, self.stage.gauge.read());
    }
}
