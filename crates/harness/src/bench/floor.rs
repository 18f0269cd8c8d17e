//! The floor: the least that a filter of this kind can cost. See the crate `larder-floor`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::exports;
use crate::envoy::Wasm;
use crate::tools;

/// Without these the host does not take the module, or nothing is answered.
const NEEDED: [&str; 6] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
];

/// What the host can call besides while it answers a request out of a filter.
pub const CALLBACKS: [&str; 6] = [
    "proxy_on_context_create",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_log",
    "proxy_on_done",
    "proxy_on_delete",
];

/// Those of them that Larder exports.
pub const CALLBACKS_OF_LARDER: [&str; 4] = [
    "proxy_on_context_create",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_delete",
];

/// What a cache cannot do without: it reads the request, the time, and whether something was invalidated. (It counts, too,
/// but not at each hit.)
pub const UNAVOIDABLE: &str = "pairs clock gauge";

/// The built module and where its cut copies go.
#[derive(Debug)]
pub struct Floor {
    module: Vec<u8>,
    directory: PathBuf,
}

impl Floor {
    /// Reads the module: `LARDER_FLOOR`, or what `make bench` built into `dist/`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let path = env::var_os("LARDER_FLOOR").map_or_else(
            || tools::checkout().join("dist/larder-floor.wasm"),
            PathBuf::from,
        );
        let module = fs::read(&path).map_err(|error| {
            format!(
                "{}: {error}; `make bench` builds it, LARDER_FLOOR names another one",
                path.display()
            )
        })?;
        Ok(Self {
            module,
            directory: directory.to_owned(),
        })
    }

    /// A filter called `name` that does what `words` say and is called back at `callbacks`, too.
    ///
    /// # Errors
    /// When the module is none, or its copy cannot be written.
    pub fn filter(
        &self,
        name: &str,
        words: &str,
        callbacks: &[&str],
    ) -> Result<Wasm, Box<dyn Error>> {
        let keep = |export: &str| NEEDED.contains(&export) || callbacks.contains(&export);
        let path = self.directory.join(format!("{name}.wasm"));
        fs::write(&path, exports::retain(&self.module, keep)?)?;
        // Each has a VM to itself: the module knows one configuration.
        Ok(Wasm::new(path, words).vm_id(name))
    }
}
