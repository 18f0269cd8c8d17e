//! One plugin configuration on one worker.
//!
//! A configuration is accepted whole or refused whole: refusing makes the proxy reject the update and keep the old
//! one running. The host first tries each configuration in a VM on the main thread that is thrown away, so nothing
//! here may touch what the workers share; that waits for the first tick or request.

use std::rc::Rc;

use larder_core::config::Config;
use larder_core::exchange::{Exchange, Surroundings};

use crate::contexts::Configured;
use crate::host::{self, LogLevel};
use crate::stream::Stream;
use crate::worker::{Pace, Worker};

/// One plugin configuration on one worker.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Plugin>,
    /// At which pace it is ticking.
    pace: Pace,
}

/// A configuration in force.
struct Plugin {
    surroundings: Rc<Surroundings>,
    worker: Rc<Worker>,
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

    fn take(&mut self, config: Config) -> Configured {
        let worker = Worker::of_this_vm(&config);
        self.plugin = Some(Plugin {
            surroundings: worker.surroundings(config),
            worker,
        });
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
        let pace = plugin.worker.tick();
        if pace != self.pace && host::set_tick_period(pace.milliseconds()).is_ok() {
            self.pace = pace;
        }
    }

    /// The configuration is over. Its timer is the host's, and would go on.
    pub(crate) fn end(self) {
        let _ = host::set_tick_period(0);
    }

    /// An exchange of this configuration; none where there is no configuration.
    pub(crate) fn stream(&self, id: u32) -> Option<Stream> {
        let plugin = self.plugin.as_ref()?;
        let exchange = Exchange::new(Rc::clone(&plugin.surroundings));
        Some(Stream::new(id, exchange, Rc::clone(&plugin.worker)))
    }
}
