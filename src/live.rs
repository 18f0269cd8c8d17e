//! The configuration in force, which calls of the management API may change at any moment.
//!
//! Changes stand in a cell that all workers share. That it has been written is told by the same hint as an invalidation,
//! so a request costs nothing for it: the hint is read in any case, and only when it has moved is the cell looked at. A tick
//! looks at it too.

use std::cell::RefCell;
use std::env;
use std::rc::Rc;

use larder_core::config::{Config, NoToken};
use larder_core::exchange::Surroundings;
use larder_manage::Settings;

use crate::host::{self, LogLevel};
use crate::ledger::Ledger;
use crate::shared_data::SharedData;
use crate::worker::Worker;

/// The configuration in force.
pub(crate) struct Live {
    worker: Rc<Worker>,
    /// None without a management API, here or elsewhere: then nothing changes.
    settings: Option<Settings>,
    state: RefCell<State>,
}

struct State {
    force: Force,
    /// The changes that are in it.
    changes: Vec<u8>,
    /// What the hint was when the cell was last read.
    hint: Option<u64>,
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
        let settings = config.management.is_some().then(|| Settings::new(&text));
        let force = Force::of(&worker, config);
        Rc::new(Self {
            worker,
            settings,
            state: RefCell::new(State {
                force,
                changes: Vec::new(),
                hint: None,
            }),
        })
    }

    /// The worker.
    pub(crate) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// What calls of the management API need to know of the configuration.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// What was in force when somebody last looked.
    pub(crate) fn force(&self) -> Force {
        self.state.borrow().force.clone()
    }

    /// What is in force for a request that is received now, if that is something else.
    pub(crate) fn other_than(&self, surroundings: &Rc<Surroundings>) -> Option<Force> {
        let settings = self.settings.as_ref()?;
        let hint = self.worker.glance();
        let is_known = hint.is_some() && self.state.borrow().hint == hint;
        if !is_known {
            self.look(settings, hint);
        }
        let force = &self.state.borrow().force;
        (!Rc::ptr_eq(&force.surroundings, surroundings)).then(|| force.clone())
    }

    /// Looks whether something was changed, whatever the hint says.
    pub(crate) fn look_again(&self) {
        if let Some(settings) = &self.settings {
            let hint = self.state.borrow().hint;
            self.look(settings, hint);
        }
    }

    fn look(&self, settings: &Settings, hint: Option<u64>) {
        let Ok(amendment) = settings.amendments.read(&SharedData) else {
            return; // and again with the next request
        };
        let mut state = self.state.borrow_mut();
        state.hint = hint;
        if amendment.text == state.changes {
            return;
        }
        // Anybody may write into a cell: what is no configuration does not come to hold.
        if let Ok(mut config) = Config::parse(&settings.in_force(&amendment.text))
            && unlock(&mut config).is_ok()
        {
            state.force.ledger.show();
            let _: Rc<Worker> = Worker::of_this_vm(&config);
            state.force = Force::of(&self.worker, config);
        }
        state.changes = amendment.text;
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
