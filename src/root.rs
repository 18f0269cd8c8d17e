//! One plugin configuration on one worker.
//!
//! A configuration is accepted whole or refused whole: refusing makes the proxy reject the update and keep the old
//! one running. The host first tries each configuration in a VM on the main thread that is thrown away, so nothing
//! here may touch what the workers share; that waits for the first tick or request.

use std::rc::Rc;

use larder_core::config::Config;
use larder_core::report::{Counter, Reload};

use crate::contexts::Configured;
use crate::host::{self, LogLevel};
use crate::live::Live;
use crate::metrics;
use crate::stream::Stream;
use crate::worker::Pace;

/// One plugin configuration on one worker.
#[derive(Default)]
pub(crate) struct Root {
    live: Option<Rc<Live>>,
    /// At which pace it is ticking.
    pace: Pace,
    /// What became of its configuration, until that is counted.
    reload: Option<Reload>,
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
            Ok(config) => self.take(json, config),
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

    fn take(&mut self, text: Vec<u8>, config: Config) -> Configured {
        let live = Live::begin(text, config);
        self.show();
        self.pace = live.first_pace();
        self.live = Some(live);
        self.reload = Some(Reload::Accepted);
        match host::set_tick_period(self.pace.milliseconds()) {
            Ok(()) => Configured::Yes,
            Err(_) => Configured::No,
        }
    }

    /// What is due.
    pub(crate) fn tick(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        live.look_again();
        live.show();
        if let Some(force) = live.force() {
            force.ledger.report();
        }
        if let Some(result) = self.reload.take() {
            live.worker().count(Counter::Reloaded(result)); // not by the VM that only tries the configuration
        }
        let is_hurried = live.take_hurry();
        let pace = live.worker().tick();
        if (pace != self.pace || is_hurried) && host::set_tick_period(pace.milliseconds()).is_ok() {
            self.pace = pace;
        }
    }

    /// A call is answered.
    pub(crate) fn answered(&self, token: u32, size: (usize, usize)) {
        if let Some(live) = &self.live {
            let worker = live.worker();
            worker.warming.answered(worker, token, size);
            worker.refreshing.answered(worker, token, size);
            worker.composing.answered(worker, token, size);
            worker.fleet.answered(worker, token, size);
        }
    }

    fn show(&self) {
        if let Some(live) = &self.live {
            live.show();
        }
    }

    /// The configuration is over. Its timer is the host's, and would go on.
    pub(crate) fn end(self) {
        self.show();
        if let Some(live) = &self.live {
            live.worker().flights.forget_queue(); // it may be this root that is called back
            live.worker().fleet.doubt(); // or this one that has asked
        }
        let _ = host::set_tick_period(0);
    }

    /// An exchange of this configuration; none where there is no configuration.
    pub(crate) fn stream(&self, id: u32) -> Option<Stream> {
        Stream::new(id, Rc::clone(self.live.as_ref()?))
    }
}
