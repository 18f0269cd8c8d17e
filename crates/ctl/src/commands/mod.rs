//! The commands, one a file.

mod check;
mod completions;
mod entries;
mod explain;
mod purge;
mod schema;
mod stats;
mod test;
mod top;
mod warm;

use clap::Subcommand;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::Printer;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Completions(completions::Completions),
    Entries(entries::Entries),
    Explain(explain::Explain),
    Purge(purge::Purge),
    Schema(schema::Schema),
    Stats(stats::Stats),
    Test(test::Test),
    Top(top::Top),
    Warm(warm::Warm),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(out),
            Self::Completions(completions) => completions.run(out),
            Self::Entries(entries) => entries.run(global, out),
            Self::Explain(explain) => explain.run(global, out),
            Self::Purge(purge) => purge.run(global, out),
            Self::Schema(schema) => schema.run(out),
            Self::Stats(stats) => stats.run(global, out),
            Self::Test(test) => test.run(out),
            Self::Top(top) => top.run(global, out),
            Self::Warm(warm) => warm.run(global, out),
        }
    }
}
