//! What the fleet is told of this process, every few seconds, by the worker that polls.
//!
//! The numbers are what the process's own management API would say; so they need a configuration, and the first one that is one of
//! the fleet speaks for the process.

use std::rc::{Rc, Weak};

use larder_core::report::{FleetOp, FleetResult};
use larder_core::time::Timestamp;
use larder_core::wire::{FleetConfig, Heartbeat, Wants};
use larder_manage::Settings;

use super::consult::hexadecimal;
use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison, heat, later};
use crate::host::{self, LogLevel};
use crate::live::Live;
use crate::worker::Worker;

/// From one to the next, in milliseconds.
const PERIOD: u32 = 5000;
/// The service has so many to answer.
const PATIENCE: u32 = 4000;
const MOST_BYTES: usize = 64 << 10;

/// What is known of the configurations of the fleet's, and what the service wants to know.
#[derive(Default)]
pub(super) struct Beating {
    due: Option<Timestamp>,
    /// When the worker says next what it answers most.
    heat_due: Option<Timestamp>,
    wants_configuration: bool,
    lives: Vec<Weak<Live>>,
}

impl Liaison {
    /// A configuration begins.
    pub(crate) fn welcome(&self, live: &Rc<Live>) {
        if let Ok(mut beating) = self.beating.try_borrow_mut() {
            beating.lives.retain(|known| known.strong_count() > 0);
            beating.lives.push(Rc::downgrade(live));
        }
    }

    /// The configurations that are of the fleet.
    pub(super) fn lives(&self) -> Vec<Rc<Live>> {
        let Ok(beating) = self.beating.try_borrow() else {
            return Vec::new();
        };
        let lives = beating.lives.iter().filter_map(Weak::upgrade);
        lives.filter(|live| live.is_of_fleet()).collect()
    }

    /// The longest body that any of them stores.
    pub(super) fn most_object_bytes(&self) -> usize {
        let forces = self.lives().into_iter().filter_map(|live| live.force());
        let limits = forces.map(|force| force.surroundings.config().limits.max_object_bytes);
        limits.max().unwrap_or_default()
    }

    /// Which of the fleet's changes all of them have taken in, or refused.
    pub(super) fn config_version(&self) -> u64 {
        let lives = self.lives();
        let versions = lives.iter().map(|live| live.fleet_version());
        versions.min().unwrap_or_else(|| self.noted_config())
    }

    /// The fleet has another configuration.
    #[cold]
    #[inline(never)]
    pub(super) fn take_config(
        &self,
        worker: &Worker,
        (config, is_reset): (&FleetConfig, bool),
        now: Timestamp,
    ) {
        // A replica may not have heard of the last change yet; versions only grow, unless the store has lost them.
        let is_older = |known: u64| config.version < known;
        if is_older(self.noted_config()) && !is_reset {
            return;
        }
        for live in self.lives() {
            if live.fleet_version() == config.version
                || (is_older(live.fleet_version()) && !is_reset)
            {
                continue;
            }
            if let Err(problem) = live.follow(config) {
                let text = [
                    "larder: the fleet's configuration is refused here, and what held before holds on: ",
                    &problem,
                ];
                host::log(LogLevel::Error, &text.concat());
            }
        }
        self.note_config(config.version, now);
        worker.advance_hint();
    }

    /// Tells the worker that polls what this one answers most, where it is time.
    pub(super) fn show_heat(&self, worker: &Worker, now: Timestamp) {
        let Ok(mut beating) = self.beating.try_borrow_mut() else {
            return;
        };
        let is_due = |due: Timestamp| due <= now || later(now, PERIOD) < due;
        if beating.heat_due.is_none_or(is_due) {
            beating.heat_due = Some(later(now, PERIOD));
            drop(beating);
            heat::show(worker);
        }
    }

    /// Tells the service how things are, where it is time.
    #[cold]
    #[inline(never)]
    pub(super) fn beat(&self, worker: &Worker, now: Timestamp) {
        let (Some(admin), Some(instance)) = (self.admin(), self.instance()) else {
            return;
        };
        let Ok(mut beating) = self.beating.try_borrow_mut() else {
            return;
        };
        let is_due = |due: Timestamp| due <= now || later(now, PERIOD) < due;
        if !beating.due.is_none_or(is_due) {
            return;
        }
        beating.due = Some(later(now, PERIOD));
        let wants_configuration = beating.wants_configuration;
        drop(beating);
        let Some(live) = self.lives().into_iter().next() else {
            return;
        };
        let body = self.state(worker, &live, wants_configuration, now);
        let path = ["/v1/instances/", &instance.to_string()].concat();
        let letter = Letter {
            method: "POST",
            path: &path,
            body: body.as_bytes(),
            patience: PATIENCE,
            ..Letter::default()
        };
        self.send(&admin, &letter, Errand::Beat, now);
    }

    fn state(
        &self,
        worker: &Worker,
        live: &Live,
        with_configuration: bool,
        now: Timestamp,
    ) -> String {
        let property = |path: &[&str]| {
            let value = host::property(path).ok().flatten().unwrap_or_default();
            String::from_utf8_lossy(&value).into_owned()
        };
        let settings = live.settings();
        let configuration = settings
            .filter(|_| with_configuration)
            .map(Settings::plugin);
        let hash = settings.map_or(0, |settings| settings.amendments.hash());
        let [stats, performance] = worker
            .figures(live, now)
            .unwrap_or_else(|| ["{}", "{}"].map(str::to_owned));
        Heartbeat {
            node: &property(&["xds", "node", "id"]),
            cluster: &property(&["xds", "node", "cluster"]),
            version: env!("CARGO_PKG_VERSION"),
            clock_ms: now.as_nanos() / 1_000_000,
            applied: self.cursor(),
            erased: worker.erased(now).and_then(|epoch| self.cursor_at(epoch)),
            pending: self.pending_count(),
            config: self.config_version(),
            config_hash: &hexadecimal(&hash.to_be_bytes()),
            stats: &stats,
            performance: &performance,
            heat: &heat::take(),
            configuration: configuration.as_deref(),
        }
        .write()
    }

    /// The service has answered, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn beaten(&self, worker: &Worker, answer: &Result<Said, Trouble>) {
        let said = answer.as_ref().ok().filter(|said| said.status == 200);
        let body = said.and_then(|said| said.body(MOST_BYTES));
        let result = self.result_of(answer, |_| match body {
            Some(_) => FleetResult::Ok,
            None => FleetResult::Error,
        });
        worker.count_fleet(FleetOp::Heartbeat, result);
        if let Ok(mut beating) = self.beating.try_borrow_mut() {
            // Where it was the configuration that was too much, the next goes without it.
            let wants = body.and_then(|body| Wants::read(&body).ok());
            let is_wanted = wants == Some(Wants::Configuration);
            if is_wanted && !beating.wants_configuration {
                beating.due = None; // who wants to change it waits
            }
            beating.wants_configuration = is_wanted;
        }
    }
}
