//! The configuration in force, which calls of the management API may change at any moment.
//!
//! Changes stand in a cell that all workers share. That it has been written is told by the same hint as an invalidation,
//! so a request costs nothing for it: the hint is read in any case, and only when it has moved is the cell looked at. A tick
//! looks at it too.

use std::cell::{Cell, RefCell};
use std::env;
use std::rc::Rc;

use larder_core::config::{Config, NoToken};
use larder_core::exchange::Surroundings;
use larder_core::report::{Counter, Reload};
use larder_core::wire::FleetConfig;
use larder_manage::{ROUTE_SETTINGS, RouteError, Settings, at_refused_route, at_route};

use crate::host::{self, LogLevel};
use crate::ledger::Ledger;
use crate::shared_data::SharedData;
use crate::worker::{Pace, Worker};

/// The configuration in force.
pub(crate) struct Live {
    worker: Rc<Worker>,
    /// None without a management API, here or elsewhere: then nothing changes.
    settings: Option<Settings>,
    state: RefCell<State>,
    /// Whether its timer was set to go off sooner than its root knows.
    hurried: Cell<bool>,
    /// The last of the fleet's changes that this worker has taken in here, or refused.
    fleet_version: Cell<u64>,
}

/// So many different settings at routes are kept ready; more are read anew each time.
const MOST_ROUTES: usize = 64;

/// What stands for settings that the proxy cannot tell; no block of pairs.
const UNREADABLE: &[u8] = b"unreadable";

struct State {
    force: Force,
    /// The changes that are in it.
    changes: Vec<u8>,
    /// What the hint was when the cell was last read.
    hint: Option<u64>,
    /// The text of it.
    text: Vec<u8>,
    /// What is in force at routes with these settings, the latest last.
    routes: Vec<(Vec<u8>, Force)>,
}

/// What exchanges go by.
#[derive(Clone)]
pub(crate) struct Force {
    pub(crate) surroundings: Rc<Surroundings>,
    pub(crate) ledger: Rc<Ledger>,
}

impl Live {
    /// That of a plugin configuration with this text.
    pub(crate) fn begin(text: Vec<u8>, mut config: Config) -> Rc<Self> {
        if let Err(NoToken { variable }) = unlock(&mut config) {
            let text = format!(
                "larder: the management API is off, because the environment variable {variable} of the VM is not set: add it to \
                 `environment_variables` where Envoy loads this filter"
            );
            host::log(LogLevel::Warn, &text);
        }
        let worker = Worker::of_this_vm(&config);
        // What the fleet changes stands in the same place as what a call of the management API does.
        let is_changed = config.management.is_some() || config.admin.is_some();
        let settings = is_changed.then(|| Settings::new(&text));
        let force = Force::of(&worker, config);
        let live = Rc::new(Self {
            worker,
            settings,
            state: RefCell::new(State {
                force,
                changes: Vec::new(),
                hint: None,
                text,
                routes: Vec::new(),
            }),
            hurried: Cell::new(false),
            fleet_version: Cell::new(0),
        });
        live.worker.fleet.welcome(&live);
        live
    }

    /// How soon its first tick is wanted: a fleet has to be met.
    pub(crate) fn first_pace(&self) -> Pace {
        match self.is_of_fleet() {
            true => Pace::Watch,
            false => Pace::Rest,
        }
    }

    /// Whether its process is one of a fleet.
    pub(crate) fn is_of_fleet(&self) -> bool {
        let state = self.state.try_borrow();
        state.is_ok_and(|state| state.force.surroundings.config().admin.is_some())
    }

    /// Which of the fleet's changes it has seen.
    pub(crate) fn fleet_version(&self) -> u64 {
        self.fleet_version.get()
    }

    /// Has the fleet's changes hold.
    ///
    /// # Errors
    /// A sentence; then nothing has changed.
    pub(crate) fn follow(&self, config: &FleetConfig) -> Result<(), String> {
        self.fleet_version.set(config.version);
        let Some(settings) = &self.settings else {
            return Ok(());
        };
        let followed = settings.follow(&config.patch, &SharedData);
        match followed {
            Ok(true) => self.worker.count(Counter::Reloaded(Reload::Accepted)),
            Ok(false) => {}
            Err(_) => self.worker.count(Counter::Reloaded(Reload::Refused)),
        }
        followed.map(drop)
    }

    /// Has the next tick come soon, in a callback of one of its streams: somebody waits who must not wait too long.
    pub(crate) fn hurry(&self) {
        if !self.hurried.replace(true) {
            let period = Pace::Watch.milliseconds();
            self.worker.tolerate(host::set_tick_period(period)); // else the next tick comes when it comes
        }
    }

    /// Whether it was hurried since this was last asked.
    pub(crate) fn take_hurry(&self) -> bool {
        self.hurried.take()
    }

    /// The worker.
    pub(crate) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// What calls of the management API need to know of the configuration.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// What was in force when somebody last looked; `None` never, since no borrow outlives a call.
    pub(crate) fn force(&self) -> Option<Force> {
        Some(self.state.try_borrow().ok()?.force.clone())
    }

    /// What is in force for a request that is received now, if that is something else.
    pub(crate) fn other_than(&self, surroundings: &Rc<Surroundings>) -> Option<Force> {
        let settings = self.settings.as_ref()?;
        let hint = self.worker.glance();
        let is_known = hint.is_some() && self.state.try_borrow().ok()?.hint == hint;
        if !is_known {
            self.look(settings, hint);
        }
        let force = &self.state.try_borrow().ok()?.force;
        (!Rc::ptr_eq(&force.surroundings, surroundings)).then(|| force.clone())
    }

    /// What is in force for a request that is received now and takes this route, if its metadata count and say something. To
    /// read them costs another host call, so only who asks for it pays.
    pub(crate) fn at_this_route(&self) -> Option<Force> {
        let state = self.state.try_borrow().ok()?;
        if !state.force.surroundings.config().reads_routes() {
            return None;
        }
        drop(state);
        match host::property(&ROUTE_SETTINGS) {
            Ok(None) => None,
            Ok(Some(settings)) => self.at_route(settings),
            // They are there, and cannot be told: a `null` among them does it.
            Err(_) => self.at_route(UNREADABLE.to_vec()),
        }
    }

    fn at_route(&self, settings: Vec<u8>) -> Option<Force> {
        let mut state = self.state.try_borrow_mut().ok()?;
        let known = state.routes.iter().find(|(known, _)| *known == settings);
        if let Some((_, force)) = known {
            return Some(force.clone());
        }
        let mut config = match at_route(&state.text, &settings) {
            Ok(config) => config,
            Err(RouteError(problem)) => {
                let text = format!(
                    "larder: the metadata of a route, under `larder`, {problem}; its requests pass"
                );
                host::log(LogLevel::Error, &text);
                at_refused_route(&state.text)?
            }
        };
        let _ = unlock(&mut config); // the same as without them
        let force = Force::of(&self.worker, config);
        if state.routes.len() >= MOST_ROUTES {
            let (_, oldest) = state.routes.remove(0);
            oldest.ledger.show();
        }
        state.routes.push((settings, force.clone()));
        Some(force)
    }

    /// Shows what this worker has counted and not yet shown.
    pub(crate) fn show(&self) {
        if let Ok(state) = self.state.try_borrow() {
            state.show();
        }
    }

    /// Looks whether something was changed, whatever the hint says.
    pub(crate) fn look_again(&self) {
        if let Some(settings) = &self.settings
            && let Ok(hint) = self.state.try_borrow().map(|state| state.hint)
        {
            self.look(settings, hint);
        }
    }

    fn look(&self, settings: &Settings, hint: Option<u64>) {
        let Ok(amendment) = settings.amendments.read(&SharedData) else {
            return; // and again with the next request
        };
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        state.hint = hint;
        if amendment.text == state.changes {
            return;
        }
        // Anybody may write into a cell: what is no configuration does not come to hold.
        if let Ok(mut config) = Config::parse(&settings.in_force(&amendment.text))
            && unlock(&mut config).is_ok()
        {
            state.show();
            let _: Rc<Worker> = Worker::of_this_vm(&config);
            state.force = Force::of(&self.worker, config);
            state.text = settings.in_force(&amendment.text);
            state.routes.clear();
        }
        state.changes = amendment.text;
    }
}

impl State {
    fn show(&self) {
        self.force.ledger.show();
        self.routes
            .iter()
            .for_each(|(_, force)| force.ledger.show());
    }
}

impl Force {
    fn of(worker: &Rc<Worker>, config: Config) -> Self {
        let config = Rc::new(config);
        let surroundings = worker.surroundings(Rc::clone(&config));
        let ledger = worker.ledger(&config, &surroundings);
        Self {
            surroundings,
            ledger,
        }
    }
}

fn unlock(config: &mut Config) -> Result<(), NoToken> {
    config.unlock(|name| env::var(name).ok())
}
