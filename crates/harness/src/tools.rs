//! Where Envoy and Valkey are, and what was built here.
//!
//! In this order: the environment variable that names the binary, `PATH`, and `.tools/bin` in the
//! checkout, which `make tools` fills. Nothing is downloaded here.

use std::env;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// A program the harness starts but does not build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The proxy itself.
    Envoy,
    /// The store of a fleet.
    Valkey,
}

impl Tool {
    const fn program(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Valkey => "valkey-server",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Envoy => "ENVOY_BIN",
            Self::Valkey => "VALKEY_BIN",
        }
    }

    /// Finds the program.
    ///
    /// # Errors
    /// [`MissingTool`], which says how to get it. A variable that names no file is an error too,
    /// rather than a reason to run something else.
    pub fn find(self) -> Result<PathBuf, MissingTool> {
        if let Some(named) = env::var_os(self.variable()).filter(|value| !value.is_empty()) {
            let path = PathBuf::from(named);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(MissingTool::Named { tool: self, path })
            };
        }
        let on_path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&on_path)
            .chain([checkout().join(".tools/bin")])
            .map(|directory| directory.join(self.program()))
            .find(|path| path.is_file())
            .ok_or(MissingTool::NotFound { tool: self })
    }
}

/// The root of the checkout this crate was built from.
#[must_use]
pub fn checkout() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The module under test: `LARDER_WASM`, or `dist/larder.wasm` in the checkout.
///
/// # Errors
/// [`MissingModule`] with the path that was looked at.
pub fn module() -> Result<PathBuf, MissingModule> {
    let path = env::var_os("LARDER_WASM").filter(|value| !value.is_empty());
    let path = path.map_or_else(|| checkout().join("dist/larder.wasm"), PathBuf::from);
    if path.is_file() {
        Ok(path)
    } else {
        Err(MissingModule { path })
    }
}

/// The service under test: `LARDER_ADMIN`, or `larder-admin` beside this program or test.
///
/// # Errors
/// [`MissingService`] with the path that was looked at.
pub fn service() -> Result<PathBuf, MissingService> {
    let named = env::var_os("LARDER_ADMIN").filter(|value| !value.is_empty());
    let path = named.map_or_else(beside_this_program, PathBuf::from);
    if path.is_file() {
        Ok(path)
    } else {
        Err(MissingService { path })
    }
}

/// Tests stand one directory deeper than programs.
fn beside_this_program() -> PathBuf {
    let here = env::current_exe().unwrap_or_default();
    let directory = here.parent().unwrap_or(checkout());
    let directory = match directory.file_name() {
        Some(name) if name == "deps" => directory.parent().unwrap_or(directory),
        Some(_) | None => directory,
    };
    directory.join("larder-admin")
}

/// A program could not be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingTool {
    /// The environment variable names something that is not a file.
    Named {
        /// What was looked for.
        tool: Tool,
        /// What the variable says.
        path: PathBuf,
    },
    /// It is in none of the usual places.
    NotFound {
        /// What was looked for.
        tool: Tool,
    },
}

impl fmt::Display for MissingTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { tool, path } => write!(
                f,
                "{} names {}, which is not a file; correct it, or unset it and run `make tools`",
                tool.variable(),
                path.display()
            ),
            Self::NotFound { tool } => write!(
                f,
                "{} is neither on PATH nor in .tools/bin; run `make tools`, or set {} to its path",
                tool.program(),
                tool.variable()
            ),
        }
    }
}

impl Error for MissingTool {}

/// There is no module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingModule {
    path: PathBuf,
}

impl fmt::Display for MissingModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no module at {}; run `make wasm`, or set LARDER_WASM to its path",
            self.path.display()
        )
    }
}

impl Error for MissingModule {}

/// There is no service to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingService {
    path: PathBuf,
}

impl fmt::Display for MissingService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no larder-admin at {}; run `cargo build --package larder-admin`, or set LARDER_ADMIN to its path",
            self.path.display()
        )
    }
}

impl Error for MissingService {}
