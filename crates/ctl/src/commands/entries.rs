//! `larderctl entries`: what is stored, one by one.

use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer, Table};
use crate::remote::{Call, Client, Slashes, escaped};
use crate::shown::{count, items, number, seen, size, text};

/// The API gives no more at a time.
const MOST_AT_A_TIME: usize = 1000;

/// Show what is stored, one by one
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Entries {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Show all that stands under a key: for each scheme, identity and variant
    Get(Keyed),
    /// Remove all that stands under a key
    Delete(Keyed),
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    /// Only keys that begin with this, or paths where it begins with `/`
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// At most about so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Clone, Debug, clap::Args)]
struct Keyed {
    /// As `larderctl entries` shows it: `GET:api.example.com/users?page=2`; for `get` also a path of the host that is asked
    key: String,
}

impl Entries {
    /// Does what is asked.
    ///
    /// # Errors
    /// Where nothing stands under the key, or the other side does not answer, or refuses.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        match &self.what {
            None => self.list.run(global, out),
            Some(What::Get(keyed)) => keyed.get(global, out),
            Some(What::Delete(keyed)) => keyed.delete(global, out),
        }
    }
}

/// Entries, and whether there are more.
struct Found {
    entries: Vec<Value>,
    cursor: Option<String>,
}

impl List {
    fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let found = self.collect(&global.reach.client()?)?;
        if out.output() == Output::Json {
            out.json(&json!({"entries": found.entries, "cursor": found.cursor}))?;
            return Ok(Exit::Fine);
        }
        match (found.entries.is_empty(), &self.prefix) {
            (false, _) => out.table(&shown(&found.entries))?,
            (true, Some(prefix)) => {
                out.line(&format!("nothing is stored under {}", seen(prefix)))?
            }
            (true, None) => out.line("nothing is stored")?,
        }
        if found.cursor.is_some() {
            out.line(&format!(
                "\nthere is more: --limit {} shows it",
                self.limit.saturating_mul(10)
            ))?;
        }
        Ok(Exit::Fine)
    }

    /// Goes on until there are enough, or no more; an answer may have few entries, or none, and a cursor.
    fn collect(&self, client: &Client) -> Result<Found, Failure> {
        let mut found = Found {
            entries: Vec::new(),
            cursor: None,
        };
        loop {
            let left = self.limit.saturating_sub(found.entries.len());
            let mut path = format!("/entries?limit={}", left.clamp(1, MOST_AT_A_TIME));
            if let Some(prefix) = &self.prefix {
                path.push_str(&format!("&prefix={}", escaped(prefix, Slashes::Escaped)));
            }
            if let Some(cursor) = &found.cursor {
                path.push_str(&format!("&cursor={}", escaped(cursor, Slashes::Escaped)));
            }
            let answer = client.call(Call::get(path))?;
            found.entries.extend_from_slice(items(&answer, "/entries"));
            let next = cursor_of(&answer);
            let is_over =
                next.is_none() || next == found.cursor || found.entries.len() >= self.limit;
            found.cursor = next;
            if is_over {
                return Ok(found);
            }
        }
    }
}

impl Keyed {
    fn path(&self) -> String {
        format!("/entries/{}", escaped(&self.key, Slashes::Kept))
    }

    fn get(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let entries = self.collect(&global.reach.client()?)?;
        if entries.is_empty() {
            return Err(Failure::said(
                Exit::No,
                format!("nothing is stored under {}", self.key),
            ));
        }
        match out.output() {
            Output::Json => out.json(&json!({"entries": entries}))?,
            Output::Table => {
                for entry in &entries {
                    one(entry, out)?;
                }
            }
        }
        Ok(Exit::Fine)
    }

    fn collect(&self, client: &Client) -> Result<Vec<Value>, Failure> {
        let mut entries: Vec<Value> = Vec::new();
        let mut at_once: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::get(self.path());
            if let Some(cursor) = &cursor {
                call = call.field("larder-cursor", cursor);
            }
            let Some(answer) = client.ask(call)?.found()? else {
                return Ok(entries);
            };
            for entry in items(&answer, "/entries") {
                // What a plain GET finds is shown at once, and again when the walk comes by.
                match at_once.iter().position(|known| is_same(known, entry)) {
                    Some(known) => drop(at_once.swap_remove(known)),
                    None => entries.push(entry.clone()),
                }
            }
            let next = cursor_of(&answer);
            if next.is_none() || next == cursor {
                return Ok(entries);
            }
            if cursor.is_none() {
                at_once.clone_from(&entries);
            }
            cursor = next;
        }
    }

    fn delete(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let answer = global.reach.client()?.call(Call::delete(self.path()))?;
        match out.output() {
            Output::Json => out.json(&answer)?,
            Output::Table => out.line(&format!("purged: {}", seen(&self.key)))?,
        }
        Ok(Exit::Fine)
    }
}

fn cursor_of(answer: &Value) -> Option<String> {
    answer
        .pointer("/cursor")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Ages go on between two looks, and what is counted as stored is not the same for both.
fn is_same(one: &Value, other: &Value) -> bool {
    let without = |entry: &Value| {
        let mut entry = entry.clone();
        if let Value::Object(fields) = &mut entry {
            for name in ["age_seconds", "stored_bytes", "ttl_seconds"] {
                fields.remove(name);
            }
        }
        entry
    };
    without(one) == without(other)
}

fn shown(entries: &[Value]) -> Table {
    let mut table = Table::new(&["key", "#status", "#body", "#age", "#ttl", "rule", "tags"]);
    for entry in entries {
        table.row([
            text(entry, "/key"),
            text(entry, "/status"),
            size(number(entry, "/body_bytes")),
            seconds(entry, "/age_seconds"),
            seconds(entry, "/ttl_seconds"),
            text(entry, "/rule"),
            names(entry, "/tags"),
        ]);
    }
    table
}

fn seconds(entry: &Value, place: &str) -> String {
    format!("{} s", count(number(entry, place)))
}

fn names(entry: &Value, place: &str) -> String {
    let names = items(entry, place).iter().filter_map(Value::as_str);
    names.collect::<Vec<_>>().join(" ")
}

/// All that is known of an entry, a field a line.
fn one(entry: &Value, out: &mut Printer) -> Result<(), Failure> {
    for (name, value) in entry.as_object().into_iter().flatten() {
        let place = format!("/{name}");
        let value = match value.is_array() {
            true => names(entry, &place),
            false => text(entry, &place),
        };
        out.line(&format!("{:<14} {}", seen(name), seen(&value)))?;
    }
    out.line("")?;
    Ok(())
}
