//! What the command line says.

use clap::{Args, Parser};

use crate::commands::Command;
use crate::exit::CODES;
use crate::output::{Color, Output};
use crate::remote::Reach;

/// Larder at the command line: checks, explains and tests configurations by the filter's own code.
#[derive(Debug, Parser)]
#[command(name = "larderctl", version, after_help = CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// A table is for people, JSON for programs
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Whether to color; `auto` does in a terminal unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    #[command(flatten)]
    pub(crate) reach: Reach,
}
