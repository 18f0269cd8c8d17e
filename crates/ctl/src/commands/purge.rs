//! `larderctl purge`: what is named is not used any more.
//!
//! It is done when it is answered. What can be waited for is what comes of it: at one Envoy, how much it was; in a fleet, that
//! every Envoy has applied it; of a user's data, that no memory holds any of it.

mod names;
mod show;
mod wait;

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer};
use crate::remote::{Address, Call, Client, Slashes, escaped, seconds};
use names::Names;
use wait::{Awaited, End};

/// Purge URLs, keys, tags, patterns or a user's data, at one Envoy or in a fleet
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Purge {
    /// Make it stale in place of removing it: the origin is asked whether it is still good
    #[arg(long)]
    soft: bool,
    /// Count what would be met, and leave it
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is applied everywhere, and is gone from memory where it is a user's
    #[arg(long)]
    wait: bool,
    /// Wait no longer than that for what is counted or applied
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    patience: Duration,
    /// With --wait at an Envoy of a fleet: its larder-admin, which knows who has applied it (with the same token)
    #[arg(long, value_name = "URL", requires = "wait")]
    service: Option<Address>,
    /// Do purge everything
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    names: Names,
}

/// One thing that was done, and what came of it.
pub(crate) struct Deed {
    /// Whose data, where it was about a user.
    user: Option<String>,
    /// What was answered.
    answer: Value,
    /// What was waited for, in the end.
    end: Option<End>,
}

impl Purge {
    /// Does what is asked, in the order of everything else first and users last.
    ///
    /// # Errors
    /// Where it makes no sense, the other side does not answer or refuses, or what was waited for did not come.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        self.sanity()?;
        let client = global.reach.client()?;
        let mut deeds = Vec::new();
        if !self.names.is_only_users() || self.dry_run {
            let answer = client.call(self.names.call(self.soft, self.dry_run))?;
            deeds.push(Deed {
                user: None,
                answer,
                end: None,
            });
        }
        for user in self.names.users.iter().filter(|_| !self.dry_run) {
            let path = format!("/users/{}", escaped(user, Slashes::Escaped));
            let answer = client.call(Call::delete(path))?;
            deeds.push(Deed {
                user: Some(user.clone()),
                answer,
                end: None,
            });
        }
        let waited = self.await_all(global, &client, &mut deeds);
        match out.output() {
            Output::Table => show::shown(&self.names, &deeds, out)?,
            Output::Json => {
                let done: Vec<Value> = deeds.iter().map(Deed::json).collect();
                out.json(&json!({"done": done}))?;
            }
        }
        waited.map(|()| Exit::Fine)
    }

    fn sanity(&self) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::usage(text.to_owned()));
        if self.names.is_empty() {
            return usage(
                "names nothing to purge: --url, --key, --tag, --pattern, --prefix, --group, --user or --all",
            );
        }
        if self.names.covers_everything() && !self.yes && !self.dry_run {
            return usage(
                "this purges everything that is stored, and the origin sees every URL once more: say --yes if that is meant",
            );
        }
        if self.soft && !self.names.users.is_empty() {
            return usage(
                "--soft keeps what is stored until the origin has been asked: that is not for a user's data",
            );
        }
        Ok(())
    }

    fn await_all(
        &self,
        global: &Global,
        client: &Client,
        deeds: &mut [Deed],
    ) -> Result<(), Failure> {
        if !self.wait && !self.dry_run {
            return Ok(());
        }
        for deed in deeds {
            let (client, awaited) = match (
                Awaited::of(&deed.answer, deed.user.is_some()),
                &self.service,
            ) {
                (Awaited::Nothing, _) => continue,
                (Awaited::Refusal(why), _) => return Err(Failure::said(Exit::No, why)),
                (Awaited::Record(path), Some(service)) => (at_the_service(global, service)?, path),
                (Awaited::Record(path), None) if client.is_of_a_fleet()? => (client.clone(), path),
                (Awaited::Record(_), None) => {
                    return Err(Failure::said(
                        Exit::No,
                        format!(
                            "it is purged at {}, and stands in the fleet's log. Who has applied it only larder-admin knows: --service URL",
                            client.place()
                        ),
                    ));
                }
                (Awaited::Local(path), _) => (client.clone(), path),
            };
            let end = wait::until_done(&client, &awaited, self.patience)?;
            let is_done = end.is_done;
            deed.end = Some(end);
            if !is_done {
                return Err(Failure::said(
                    Exit::No,
                    format!(
                        "not over after {} seconds; `GET {awaited}` of the management API goes on telling",
                        self.patience.as_secs_f64()
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn at_the_service(global: &Global, service: &Address) -> Result<Client, Failure> {
    let mut reach = global.reach.clone();
    reach.at = Some(service.clone());
    reach.line.host = None;
    reach.api = "/api/cache".to_owned();
    reach.client()
}

impl Deed {
    fn json(&self) -> Value {
        json!({"user": self.user, "answer": self.answer, "waited_for": self.end.as_ref().map(|end| &end.last)})
    }
}
