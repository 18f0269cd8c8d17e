//! What the command line says.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;
use crate::exit::CODES;
use crate::output::{Color, Output};

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

/// Where the management API is.
#[derive(Args, Debug)]
#[command(next_help_heading = "A running Envoy or larder-admin")]
pub(crate) struct Reach {
    /// Where it is, such as http://localhost:8080
    #[arg(long, global = true, env = "LARDER_URL", value_name = "URL")]
    pub(crate) at: Option<String>,
    /// A file with the management API's token; else LARDER_TOKEN is the token
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long an answer may take, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) timeout: u64,
}
