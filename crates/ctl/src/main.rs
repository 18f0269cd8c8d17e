//! Starts larderctl, and picks the exit code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_ctl::run(std::env::args_os())
}
