//! One plugin configuration on one worker.
//!
//! A configuration is accepted whole or refused whole: refusing makes the proxy reject the update and keep the old
//! one running. The host first tries each configuration in a VM on the main thread that is thrown away, so nothing
//! here may touch what the workers share; that waits for the first tick or request.

use std::rc::Rc;

use larder_core::config::Config;
use larder_core::exchange::{Exchange, Surroundings};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::host::{self, LogLevel};
use crate::stream::Stream;
use crate::worker::Worker;

/// How often a worker looks after its lease and the sweep.
const TICK_MILLISECONDS: u32 = 500;

/// One plugin configuration on one worker.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Plugin>,
}

/// A configuration in force.
struct Plugin {
    surroundings: Rc<Surroundings>,
    worker: Rc<Worker>,
}

/// A stream that nothing is done to.
struct Transparent;

impl Context for Transparent {}

impl HttpContext for Transparent {}

impl Context for Root {}

impl RootContext for Root {
    fn on_vm_start(&mut self, _size: usize) -> bool {
        host::log(
            LogLevel::Info,
            concat!("larder ", env!("CARGO_PKG_VERSION")),
        );
        true
    }

    fn on_configure(&mut self, size: usize) -> bool {
        let Ok(json) = host::configuration(size) else {
            host::log(
                LogLevel::Error,
                "larder: the host did not hand over the plugin configuration",
            );
            return false;
        };
        match Config::parse(&json) {
            Ok(config) => {
                let worker = Worker::of_this_vm(&config);
                self.plugin = Some(Plugin {
                    surroundings: worker.surroundings(config),
                    worker,
                });
                host::set_tick_period(TICK_MILLISECONDS).is_ok()
            }
            Err(problems) => {
                for problem in &problems {
                    host::log(
                        LogLevel::Error,
                        &format!("larder: configuration refused: {problem}"),
                    );
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.worker.tick();
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        // The SDK panics on `None`, so without a configuration the stream passes.
        let Some(plugin) = &self.plugin else {
            return Some(Box::new(Transparent));
        };
        let worker = Rc::clone(&plugin.worker);
        let exchange = Exchange::new(Rc::clone(&plugin.surroundings));
        Some(Box::new(Stream::new(context_id, exchange, worker)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
