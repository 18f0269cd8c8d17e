//! Entries and leads in Redis: a hash each, under the slot of their key.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike, ClusterInterface, KeysInterface};
use fred::types::Value;
use fred::types::config::{Options, Server};
use larder_core::fleet::Cursor;
use larder_core::key::KeyDigest;
use tokio::task::JoinSet;

use super::link::Lane;
use super::packing::{self, Encoding, Packed};
use super::reply::{self, List};
use super::{Redis, argument, digits, keys};
use crate::store::StoreError;
use crate::store::shapes::{Lease, NewEntry, Put, StoredEntry};

/// How long the number of a lead is remembered after it: longer than clocks of one store's servers should differ, and not much
/// longer, since each cold key that anybody asks for takes memory for so long.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Frames from so many bytes on are packed and unpacked where that keeps nobody waiting.
const LARGE: usize = 64 << 10;
/// How many keys one step of a walk looks at, about.
const STEP: u32 = 500;
/// How many entries one piece of a walk has.
const PIECE: usize = 32;

impl Redis {
    pub(in crate::store) async fn entry(
        &self,
        digest: KeyDigest,
    ) -> Result<Option<StoredEntry>, StoreError> {
        let keys = vec![self.keys.entry(digest)];
        let script = &self.scripts.entry;
        let answer = self.link.run(Lane::Data, script, keys, Vec::new()).await?;
        match reply::optional(answer) {
            None => Ok(None),
            Some(answer) => self.unpacked(List::of(answer)?).await,
        }
    }

    async fn unpacked(&self, mut answer: List) -> Result<Option<StoredEntry>, StoreError> {
        let fence = answer.number()?;
        let cursor = answer.cursor()?;
        let since = answer.number()?;
        let encoding = Encoding::named(&answer.text()?)?;
        let length = answer.number()?;
        let packed = Packed {
            encoding,
            length: usize::try_from(length).unwrap_or(usize::MAX),
            bytes: answer.bytes()?,
        };
        // Less than nothing: it has just left.
        let Ok(left) = answer.number() else {
            return Ok(None);
        };
        let age = answer.number()?.saturating_sub(since);
        let (large, limit) = (packed.length >= LARGE, self.bounds.entry_bytes);
        let frame = aside(large, move || packing::unpack(&packed, limit)).await??;
        Ok(Some(StoredEntry {
            cursor,
            fence,
            age: Duration::from_millis(age),
            left: Duration::from_millis(left),
            frame,
        }))
    }

    pub(in crate::store) async fn put_entry(
        &self,
        digest: KeyDigest,
        entry: &NewEntry,
    ) -> Result<Put, StoreError> {
        let (frame, large) = (entry.frame.clone(), entry.frame.len() >= LARGE);
        let packed = aside(large, move || packing::pack(&frame)).await?;
        let mut arguments = self.announcement(digest);
        arguments.push(millis(entry.keep));
        arguments.extend(rank(entry.fence, entry.cursor));
        arguments.push(argument(packed.encoding.name()));
        arguments.push(argument(packed.length.to_string()));
        arguments.push(Value::Bytes(packed.bytes));
        let keys = vec![self.keys.entry(digest)];
        let script = &self.scripts.put;
        let answer = self.link.run(Lane::Bulk, script, keys, arguments).await?;
        match reply::number(answer)? {
            0 => Ok(Put::Older),
            _ => Ok(Put::Stored),
        }
    }

    pub(in crate::store) async fn remove_entry(
        &self,
        digest: KeyDigest,
        seen: Option<(u64, Cursor)>,
    ) -> Result<bool, StoreError> {
        let key = self.keys.entry(digest);
        let removed = match seen {
            None => {
                let client = self.link.client(Lane::Data);
                self.link.answer(client.del(key)).await?
            }
            Some((fence, cursor)) => {
                let arguments = rank(fence, cursor).into();
                let script = &self.scripts.discard;
                let run = self.link.run(Lane::Data, script, vec![key], arguments);
                reply::number(run.await?)?
            }
        };
        Ok(removed != 0)
    }

    pub(in crate::store) async fn lease(
        &self,
        digest: KeyDigest,
        length: Duration,
    ) -> Result<Lease, StoreError> {
        let keys = vec![self.keys.lead(digest)];
        let arguments = vec![millis(length), millis(REMEMBERED)];
        let script = &self.scripts.lease;
        let answer = self.link.run(Lane::Control, script, keys, arguments);
        let mut answer = List::of(answer.await?)?;
        let (granted, number) = (answer.number()?, answer.number()?);
        Ok(match granted {
            0 => Lease::Held(Duration::from_millis(number)),
            _ => Lease::Granted(number),
        })
    }

    pub(in crate::store) async fn release(
        &self,
        digest: KeyDigest,
        fence: u64,
    ) -> Result<bool, StoreError> {
        let keys = vec![self.keys.lead(digest)];
        let mut arguments = self.announcement(digest);
        arguments.push(argument(fence.to_string()));
        let script = &self.scripts.release;
        let answer = self.link.run(Lane::Control, script, keys, arguments);
        Ok(reply::number(answer.await?)? != 0)
    }

    /// Channel and message that say that something has happened under `digest`.
    fn announcement(&self, digest: KeyDigest) -> Vec<Value> {
        vec![argument(self.keys.channel()), argument(keys::name(digest))]
    }
}

/// Fence, log, position, check: what the order among entries goes by.
fn rank(fence: u64, cursor: Cursor) -> [Value; 4] {
    [
        digits(fence),
        argument(format!("{:016x}", cursor.log)),
        digits(cursor.position),
        argument(format!("{:08x}", cursor.check)),
    ]
}

/// At least one: nothing is what has no end.
fn millis(duration: Duration) -> Value {
    // What is longer than a year is as good as a year, and no number of Lua's has trouble with it.
    let year = Duration::from_secs(365 * 86_400);
    let millis = duration.min(year).as_millis().max(1);
    argument(millis.to_string())
}

/// Does what may take long where it keeps nobody else waiting.
async fn aside<T: Send + 'static>(
    large: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    if !large {
        return Ok(work());
    }
    let lost = |_| StoreError::Unreachable("this process is ending".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(lost)
}

/// A walk over all entries, server by server.
#[derive(Debug)]
pub(in crate::store) struct Walk {
    /// Those that are still to be gone through; the last one now.
    servers: Vec<Option<Server>>,
    /// Where it is there.
    cursor: String,
    /// What it has found and not shown.
    found: Vec<KeyDigest>,
}

impl Redis {
    pub(in crate::store) fn walk(&self) -> Result<Walk, StoreError> {
        Ok(Walk {
            servers: self.primaries()?,
            cursor: "0".to_owned(),
            found: Vec::new(),
        })
    }

    fn primaries(&self) -> Result<Vec<Option<Server>>, StoreError> {
        let client = self.link.plain(Lane::Data);
        if !client.is_clustered() {
            return Ok(vec![None]);
        }
        let unknown = || StoreError::Unreachable("the cluster is not known yet".to_owned());
        let routing = client.cached_cluster_state().ok_or_else(unknown)?;
        Ok(routing
            .unique_primary_nodes()
            .into_iter()
            .map(Some)
            .collect())
    }

    /// The next piece; `None` at the end.
    pub(in crate::store) async fn step(
        self: &Arc<Self>,
        walk: &mut Walk,
    ) -> Result<Option<Vec<(KeyDigest, StoredEntry)>>, StoreError> {
        if walk.found.is_empty() {
            let Some(server) = walk.servers.last().cloned() else {
                return Ok(None);
            };
            self.look(server, walk).await?;
        }
        let rest = walk.found.len().saturating_sub(PIECE);
        let piece = self
            .entries(walk.found.get(rest..).unwrap_or_default())
            .await?;
        walk.found.truncate(rest);
        Ok(Some(piece))
    }

    async fn look(&self, server: Option<Server>, walk: &mut Walk) -> Result<(), StoreError> {
        let mut client = self.link.client(Lane::Data);
        if server.is_some() {
            client = on(self.link.plain(Lane::Data), client.options(), server);
        }
        let page = client.scan_page(walk.cursor.clone(), self.keys.entries(), Some(STEP), None);
        let mut page = List::of(self.link.answer(page).await?)?;
        let cursor = page.text()?;
        let names = page.list()?.rest(reply::text)?;
        let digests = names.iter().filter_map(|name| self.keys.digest(name));
        walk.found.extend(digests);
        if cursor == "0" {
            walk.servers.pop();
        }
        walk.cursor = cursor;
        Ok(())
    }

    async fn entries(
        self: &Arc<Self>,
        digests: &[KeyDigest],
    ) -> Result<Vec<(KeyDigest, StoredEntry)>, StoreError> {
        let mut reading = JoinSet::new();
        for digest in digests.iter().copied() {
            let store = Arc::clone(self);
            reading.spawn(async move { (digest, store.entry(digest).await) });
        }
        let mut entries = Vec::with_capacity(digests.len());
        while let Some(read) = reading.join_next().await {
            let lost = |_| StoreError::Unreachable("this process is ending".to_owned());
            match read.map_err(lost)? {
                (digest, Ok(entry)) => entries.extend(entry.map(|entry| (digest, entry))),
                // Nobody could be answered with it either.
                (digest, Err(StoreError::Corrupt(why))) => {
                    tracing::warn!(digest = keys::name(digest), why, "an entry is passed over");
                }
                (_, Err(error)) => return Err(error),
            }
        }
        Ok(entries)
    }
}

fn on(
    client: &Client,
    options: &Options,
    server: Option<Server>,
) -> fred::clients::WithOptions<Client> {
    client.with_options(&Options {
        cluster_node: server,
        ..options.clone()
    })
}
