//! Larder at the command line.
//!
//! ```text
//! arguments ─▶ cli ─▶ commands/* ─▶ output: a table for people, JSON for programs, from one value
//!                         │
//!                         └▶ larder-core: what is checked, explained and tested is decided by the filter's own code
//! ```
//!
//! Every command ends with one of four exit codes ([`exit`]), so that scripts and CI need not read what is printed.

#![forbid(unsafe_code)]

mod cases;
mod cli;
mod commands;
mod document;
mod exit;
mod explanation;
mod findings;
#[allow(dead_code, reason = "the commands that print tables come next")]
mod output;
mod remote;
mod shadowed;
mod shown;
mod source;
mod stage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use exit::{Exit, Failure};
use output::Printer;
use shown::seen;

/// Does what the command line asks for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => return told(&usage).into(),
    };
    let mut out = Printer::of(&cli.global);
    match cli.command.run(&cli.global, &mut out) {
        Ok(exit) => exit,
        Err(Failure::NobodyReads) => Exit::Fine,
        Err(Failure::Said { message, exit }) => {
            let lines: Vec<_> = message.lines().map(seen).collect();
            eprintln!("larderctl: {}", lines.join("\n"));
            exit
        }
    }
    .into()
}

/// Help and version are no mistakes.
fn told(usage: &clap::Error) -> Exit {
    let _ = usage.print(); // where nobody reads, nobody misses it
    match usage.use_stderr() {
        true => Exit::Usage,
        false => Exit::Fine,
    }
}
