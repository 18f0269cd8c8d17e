//! The commands, one a file.

mod check;
mod completions;

use clap::Subcommand;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Printer;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Completions(completions::Completions),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, _global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(out),
            Self::Completions(completions) => completions.run(out),
        }
    }
}
