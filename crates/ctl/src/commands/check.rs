//! What is wrong with a configuration, all of it, each with its place.

use std::path::PathBuf;

use clap::Args;
use larder_core::config::Config;

use crate::exit::{Exit, Failure};
use crate::output::Printer;

/// Say everything that is wrong with a configuration
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// JSON as the plugin is given it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Check {
    pub(crate) fn run(&self, out: &mut Printer) -> Result<Exit, Failure> {
        let mut exit = Exit::Fine;
        for file in &self.files {
            let name = file.display();
            let text = std::fs::read(file).map_err(|error| Failure::unreadable(name, &error))?;
            let problems = Config::parse(&text).err().unwrap_or_default();
            for problem in &problems {
                out.line(&format!("{}: {problem}", file.display()))?;
                exit = Exit::No;
            }
        }
        Ok(exit)
    }
}
