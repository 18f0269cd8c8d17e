//! `larderctl warm`: URLs are asked for before clients ask.
//!
//! By default they are asked for through the listener itself, one GET each, so that routes and filters do with them what
//! they do with a client's, and what is stored is what the next client finds. That needs no token. With `--by-larder` the
//! filter fetches them by itself (`POST warm`), past the listener's route.

mod by_larder;
mod fetch;
mod list;
mod pace;
mod progress;
mod sitemap;
mod source;
mod tally;

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer, Table};
use crate::shown::{count, seen};
use fetch::{Fetcher, Field};
use list::{Hosts, List};
use pace::Pace;
use progress::Progress;
use tally::Tally;

/// Ask for URLs before clients do, from a list or a sitemap, through the listener
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Warm {
    /// A file with a URL or a path a line, or a sitemap, packed or not; a sitemap's URL; `-` for standard input
    source: String,
    /// So many at a time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: u32,
    /// No more than so many a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// No more than so many of all
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    limit: usize,
    /// A field that each request carries, such as `accept-language: de`; may be given several times
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    fields: Vec<Field>,
    /// Have the filter fetch them itself, by its management API
    #[arg(long, conflicts_with_all = ["rate", "fields"])]
    by_larder: bool,
}

impl Warm {
    /// Asks for all of them, once each.
    ///
    /// # Errors
    /// Where the list cannot be read, or there is nobody to ask.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let at = source::asked(&self.source, &global.reach)?;
        let hosts = Hosts::of(&at, global.reach.line.host.as_deref());
        let fetcher = Fetcher::new(&at, &global.reach.line, &self.fields, self.concurrency)?;
        let list = source::read(&self.source, &fetcher, List::new(hosts, self.limit))?;
        if list.urls.is_empty() && list.refused.is_empty() {
            return Err(Failure::said(
                Exit::No,
                format!("there is no URL in {}", self.source),
            ));
        }
        let mut tally = Tally::of(&list);
        if self.by_larder {
            by_larder::warm(self.concurrency, &list, global, out, &mut tally)?;
        } else {
            let mut progress = Progress::begin(list.urls.len(), out);
            let pace = Pace::of(self.rate);
            fetcher.all(&list.urls, &pace, self.concurrency, |asked| {
                tally.note(&asked);
                progress.note(&asked, &tally, out)
            })?;
            tally.took = pace.elapsed();
            progress.end();
        }
        report(&list, &tally, out)?;
        Ok(match tally.is_fine() {
            true => Exit::Fine,
            false => Exit::No,
        })
    }
}

/// How it went.
fn report(list: &List, tally: &Tally, out: &mut Printer) -> Result<(), Failure> {
    if out.output() == Output::Json {
        out.json(&as_json(list, tally))?;
        return Ok(());
    }
    for (url, why) in list.refused.iter().take(10) {
        out.line(&format!("refused: {} ({})", seen(url), seen(why)))?;
    }
    let more = list.refused.len().saturating_sub(10);
    if more > 0 {
        out.line(&format!("refused: {} more", count(more as u64)))?;
    }
    if list.is_cut {
        out.line("there are more URLs than --limit lets in")?;
    }
    let rate = tally.done as f64 / tally.took.max(Duration::from_millis(1)).as_secs_f64();
    out.line(&format!(
        "{} of {} URLs in {:.1} s ({rate:.1} a second), {} stored, {} failed, {} refused",
        count(tally.done),
        count(tally.total),
        tally.took.as_secs_f64(),
        count(tally.stored),
        count(tally.failed),
        count(tally.refused)
    ))?;
    for (heading, counts) in [
        ("x-cache", &tally.outcomes),
        ("not stored", &tally.not_stored),
    ] {
        let mut table = Table::new(&[heading, "#count"]);
        for (name, number) in counts {
            table.row([name.clone(), count(*number)]);
        }
        if !table.is_empty() {
            out.line("")?;
            out.table(&table)?;
        }
    }
    Ok(())
}

fn as_json(list: &List, tally: &Tally) -> Value {
    let refused = list
        .refused
        .iter()
        .map(|(url, why)| json!({"url": url, "because": why}));
    let failures = tally
        .failures
        .iter()
        .map(|(url, why)| json!({"url": url, "because": why}));
    json!({
        "total": tally.total, "done": tally.done, "stored": tally.stored, "failed": tally.failed, "is_cut": list.is_cut,
        "seconds": tally.took.as_secs_f64(), "outcomes": tally.outcomes, "not_stored": tally.not_stored,
        "refused": refused.collect::<Vec<_>>(), "failures": failures.collect::<Vec<_>>(),
    })
}
