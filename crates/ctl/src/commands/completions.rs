//! What shells complete.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::output::Printer;

/// Print what a shell needs to complete commands and flags
///
/// For bash: `larderctl completions bash > /etc/bash_completion.d/larderctl`; for zsh: `larderctl completions zsh >
/// "${fpath[1]}/_larderctl"`; for fish: `larderctl completions fish > ~/.config/fish/completions/larderctl.fish`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, out: &mut Printer) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "larderctl", &mut script);
        out.text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Fine)
    }
}
