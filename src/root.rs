//! One plugin configuration on one worker.
//!
//! A configuration is accepted whole or refused whole: refusing makes the proxy reject the update and keep the old
//! one running. The host first tries each configuration in a VM on the main thread that is thrown away, so nothing
//! here may touch what the workers share; that waits for the first tick or request.

use std::env;
use std::rc::Rc;

use larder_core::config::{Config, NoToken};
use larder_core::exchange::{Exchange, Surroundings};
use larder_core::report::{Counter, Reload};

use crate::contexts::Configured;
use crate::host::{self, LogLevel};
use crate::ledger::Ledger;
use crate::metrics;
use crate::stream::Stream;
use crate::worker::{Pace, Worker};

/// One plugin configuration on one worker.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Plugin>,
    /// At which pace it is ticking.
    pace: Pace,
    /// What became of its configuration, until that is counted.
    reload: Option<Reload>,
}

/// A configuration in force.
struct Plugin {
    surroundings: Rc<Surroundings>,
    worker: Rc<Worker>,
    ledger: Rc<Ledger>,
}

impl Root {
    /// Reads a configuration of so many bytes.
    pub(crate) fn configure(&mut self, bytes: usize) -> Configured {
        let Ok(json) = host::configuration(bytes) else {
            host::log(
                LogLevel::Error,
                "larder: the host did not hand over the plugin configuration",
            );
            return Configured::No;
        };
        match Config::parse(&json) {
            Ok(config) => self.take(config),
            Err(problems) => {
                metrics::count_alone(Counter::Reloaded(Reload::Refused));
                for problem in &problems {
                    host::log(
                        LogLevel::Error,
                        &format!("larder: configuration refused: {problem}"),
                    );
                }
                Configured::No
            }
        }
    }

    fn take(&mut self, mut config: Config) -> Configured {
        if let Err(NoToken { variable }) = config.unlock(|name| env::var(name).ok()) {
            let text = format!(
                "larder: the management API is off, because the environment variable {variable} of the VM is not set: add it to \
                 `environment_variables` where Envoy loads this filter"
            );
            host::log(LogLevel::Warn, &text);
        }
        let worker = Worker::of_this_vm(&config);
        let config = Rc::new(config);
        let surroundings = worker.surroundings(Rc::clone(&config));
        let ledger = worker.ledger(&config, &surroundings);
        self.show();
        self.plugin = Some(Plugin {
            surroundings,
            worker,
            ledger,
        });
        self.reload = Some(Reload::Accepted);
        self.pace = Pace::Rest;
        match host::set_tick_period(self.pace.milliseconds()) {
            Ok(()) => Configured::Yes,
            Err(_) => Configured::No,
        }
    }

    /// What is due.
    pub(crate) fn tick(&mut self) {
        let Some(plugin) = &self.plugin else {
            return;
        };
        plugin.ledger.show();
        if let Some(result) = self.reload.take() {
            plugin.worker.count(Counter::Reloaded(result)); // not by the VM that only tries the configuration
        }
        let pace = plugin.worker.tick();
        if pace != self.pace && host::set_tick_period(pace.milliseconds()).is_ok() {
            self.pace = pace;
        }
    }

    fn show(&self) {
        if let Some(plugin) = &self.plugin {
            plugin.ledger.show();
        }
    }

    /// The configuration is over. Its timer is the host's, and would go on.
    pub(crate) fn end(self) {
        self.show();
        let _ = host::set_tick_period(0);
    }

    /// An exchange of this configuration; none where there is no configuration.
    pub(crate) fn stream(&self, id: u32) -> Option<Stream> {
        let plugin = self.plugin.as_ref()?;
        let exchange = Exchange::new(Rc::clone(&plugin.surroundings));
        let (worker, ledger) = (Rc::clone(&plugin.worker), Rc::clone(&plugin.ledger));
        Some(Stream::new(id, exchange, worker, ledger))
    }
}
