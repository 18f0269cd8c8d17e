//! The other side: one Envoy's management API, or that of a fleet's larder-admin.
//!
//! Both have the same paths, and which of the two it is shows in what it answers. Everything here takes its time by the
//! arguments of [`Reach`], says what to do next when it fails, and tells apart who could not be reached, who refused, and who
//! answered "no" ([`crate::exit::Exit`]).

mod address;
mod answer;
mod client;
mod trust;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use address::{Address, Slashes, escaped};
pub(crate) use answer::Answer;
pub(crate) use client::{Call, Client, agent};

use crate::exit::Failure;

/// Where the quick start listens.
const HERE: &str = "http://localhost:8080";

/// Where the management API is, and what opens it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "A running Envoy or larder-admin")]
pub(crate) struct Reach {
    /// Where it is, such as http://localhost:8080
    #[arg(long, global = true, env = "LARDER_URL", value_name = "URL")]
    pub(crate) at: Option<Address>,
    #[command(flatten)]
    pub(crate) line: Line,
    /// Where the management API stands there: `management.prefix` of the configuration
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "/api/cache",
        hide_short_help = true
    )]
    pub(crate) api: String,
    /// A file with the management API's token; else LARDER_TOKEN is the token
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How to talk to whoever is there.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Line {
    /// The host to ask for, where it is not the one of the URL: a listener may serve many
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// A file of certificates (PEM) to trust, in place of those that this machine trusts
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust any certificate; whoever is on the way can read the token, then
    #[arg(long, global = true, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// How long an answer may take
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

impl Reach {
    /// Where it is: the quick start's listener, unless something else is said.
    ///
    /// # Errors
    /// Never.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        match &self.at {
            Some(at) => Ok(at.clone()),
            None => HERE
                .parse()
                .map_err(|problem: String| Failure::usage(problem)),
        }
    }

    /// Somebody to call.
    ///
    /// # Errors
    /// Where a file cannot be read, or the token is none that can be sent.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let token = match &self.token_file {
            Some(file) => Some(read(file)?),
            None => std::env::var("LARDER_TOKEN").ok(),
        };
        let token = token.map(|token| token.trim().to_owned());
        let token = token.filter(|token| !token.is_empty());
        if token
            .as_ref()
            .is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(Failure::usage(
                "the token has characters that cannot be sent: it must be printable ASCII"
                    .to_owned(),
            ));
        }
        Client::new(self, token)
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file);
    text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

/// A number of seconds above zero, with a fraction or without.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: Option<f64> = text.trim_end_matches('s').parse().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= 86_400.0);
    match number {
        Some(number) => Ok(Duration::from_secs_f64(number)),
        None => Err("must be a number of seconds above 0 and at most 86400".to_owned()),
    }
}
