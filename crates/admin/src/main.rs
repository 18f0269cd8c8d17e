//! Starts the service, drains it, and picks the exit code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use larder_admin::run::run;
use larder_admin::settings::{Process, Settings, SettingsError, Wanted};

/// The settings are wrong.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    match Settings::read(std::env::args_os(), &Process) {
        Ok(Wanted::Run(settings)) => run(*settings),
        Ok(Wanted::Check(settings)) => {
            eprintln!("larder-admin: the settings are good: {settings:?}");
            ExitCode::SUCCESS
        }
        Err(SettingsError::Usage(usage)) => {
            let _ = usage.print();
            match usage.use_stderr() {
                true => ExitCode::from(WRONG),
                false => ExitCode::SUCCESS,
            }
        }
        Err(problems @ SettingsError::Problems(_)) => {
            eprintln!("{problems}");
            ExitCode::from(WRONG)
        }
    }
}
