//! Everything about one user, gone from the whole fleet, with a receipt.
//!
//! It is gone for every request once its record stands in the log. What is left to do is to take it out of memories: each
//! instance does so for its own and says how far it is; this takes what the store has. The store is gone through twice, because
//! an entry may have been on its way while the record came, judged by a replica that had not read it yet; such a replica reads
//! it within seconds or takes nothing in any more.
//!
//! A receipt is a document in the store, so any replica answers for it; where the one that goes through the store has ended,
//! the next that is asked goes on.

use std::sync::Arc;
use std::time::Duration;

use larder_core::entry::Stamp;
use larder_core::epoch::{Coverage, Scope};
use larder_core::fleet::Cursor;
use larder_core::key::KeyDigest;
use larder_core::policy::tags;
use larder_core::wire::{Frame, Label, Said};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::front::now;
use super::said::Said as Answer;
use crate::fleet::{Reported, millis};
use crate::follower::on_the_wire;
use crate::metrics::Family;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::{StoreError, StoredEntry};

/// A receipt is kept for so long.
const KEEP: Duration = Duration::from_secs(30 * 86_400);
/// By then whoever takes entries has read the record.
const SETTLE: Duration = Duration::from_secs(5);
/// Where nothing was heard of it for so long, somebody else goes on.
const SILENCE_MS: u64 = 15_000;
/// Tries, one a second, while the store does not answer.
const TRIES: u32 = 60;

/// How far an erasure is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Receipt {
    id: String,
    /// The record.
    at: Cursor,
    /// What it covers.
    stamps: Vec<Stamp>,
    /// Whether the store has been gone through.
    finished: bool,
    entries: u64,
    bytes: u64,
    /// When it was written last, in milliseconds since 1970.
    alive_ms: u64,
    /// Who was there when it began.
    instances: Vec<String>,
}

/// Begins, if this record says that something is everything about a user. Who has said so before has begun it already.
pub(crate) async fn begin(service: &Arc<Service>, at: Cursor, said: &Said) {
    if !is_about_a_user(said.label.as_ref()) {
        return;
    }
    let id = at.to_string();
    let known = service.store.document(&name(&id)).await;
    if matches!(known, Ok(Some(_))) {
        return;
    }
    let coverage = &said.invalidation.coverage;
    if let Err(refusal) = open(service, at, stamps_of(coverage)).await {
        // Whoever asks for the receipt begins it.
        let because = refusal.because();
        tracing::warn!(because, id, "an erasure was not begun");
    }
}

/// The word that stands for a user in the log, where not everybody who reads it is to know which.
fn is_about_a_user(label: Option<&Label>) -> bool {
    label.is_some_and(|label| label.kind() == "tag" && label.value() == "user:*")
}

fn stamps_of(coverage: &Coverage) -> Vec<Stamp> {
    match coverage {
        Coverage::Stamps(stamps) => stamps.clone(),
        Coverage::All | Coverage::Names(_) => Vec::new(),
    }
}

async fn open(service: &Arc<Service>, at: Cursor, stamps: Vec<Stamp>) -> Result<Receipt, Refusal> {
    let receipt = Receipt {
        id: at.to_string(),
        at,
        stamps,
        finished: false,
        entries: 0,
        bytes: 0,
        alive_ms: now_ms(),
        instances: service
            .concerned()
            .await?
            .iter()
            .map(|known| known.id.to_string())
            .collect(),
    };
    service
        .stored("put_document", receipt.write(service))
        .await?;
    tokio::spawn(erase(Arc::clone(service), receipt.clone()));
    Ok(receipt)
}

/// The receipt of a record that is there, and whose erasure nobody has begun.
async fn begun_late(service: &Arc<Service>, id: &str) -> Result<Option<Receipt>, Refusal> {
    let Some(at) = Cursor::parse(id.as_bytes()) else {
        return Ok(None);
    };
    let record = service.stored("record", service.store.record(at)).await?;
    let record = record.map(|record| on_the_wire(&record));
    match record.filter(|record| is_about_a_user(record.label.as_ref())) {
        Some(record) => {
            let stamps = stamps_of(&record.invalidation.coverage);
            open(service, at, stamps).await.map(Some)
        }
        None => Ok(None),
    }
}

/// `GET users/receipts/{id}`
pub(super) async fn show(service: &Arc<Service>, id: &str) -> Result<Answer, Refusal> {
    let name = name(id);
    let document = service.store.document(&name);
    let text = service.stored("document", document).await?;
    let receipt = match text.and_then(|text| Receipt::read(id, &text)) {
        Some(receipt) => Some(receipt),
        None => begun_late(service, id).await?,
    };
    let receipt =
        receipt.ok_or_else(|| Refusal::absent("there is no such receipt, or not any more"))?;
    if !receipt.finished && now_ms().saturating_sub(receipt.alive_ms) > SILENCE_MS {
        tokio::spawn(erase(Arc::clone(service), receipt.clone()));
    }
    let instances = service.concerned().await?;
    Ok(Answer::ok(shown(&receipt, &instances)))
}

fn shown(receipt: &Receipt, instances: &[Reported]) -> Value {
    let at = receipt.at;
    let each = instances.iter().map(|known| {
        json!({"instance": known.id.to_string(), "node": known.field("node"),
            "applied": known.has_applied(at), "erased": known.has_erased(at)})
    });
    let missing = instances.iter().filter(|known| !known.has_erased(at));
    let mut missing: Vec<_> = missing.map(Reported::named).collect();
    if instances.is_empty() {
        missing.push(json!({"instances": "none was heard of, so nobody can say"}));
    }
    if !receipt.finished {
        missing.push(json!({"store": "entries of the fleet are still gone through"}));
    }
    let is_here = |id: &&String| instances.iter().any(|known| known.id.to_string() == **id);
    let gone = receipt.instances.iter().filter(|id| !is_here(id));
    json!({
        "id": receipt.id,
        "status": match missing.is_empty() {
            true => "done",
            false => "pending",
        },
        "cursor": at.to_string(),
        "entries": receipt.entries,
        "bytes": receipt.bytes,
        "store": match receipt.finished {
            true => "done",
            false => "pending",
        },
        "instances": each.collect::<Vec<_>>(),
        "missing": missing,
        // Of these nothing was heard since: a process that has ended has nothing left, one that is cut off erases when it is back.
        "gone": gone.collect::<Vec<_>>(),
    })
}

async fn erase(service: Arc<Service>, mut receipt: Receipt) {
    let mut tries = 0_u32;
    while let Err(error) = attempt(&service, &mut receipt).await {
        tries = tries.saturating_add(1);
        if tries > TRIES || service.is_draining() {
            tracing::warn!(%error, receipt = receipt.id, "an erasure has not come to its end");
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    tracing::info!(
        receipt = receipt.id,
        entries = receipt.entries,
        "an erasure is done"
    );
}

async fn attempt(service: &Service, receipt: &mut Receipt) -> Result<(), StoreError> {
    sweep(service, receipt).await?;
    sleep(SETTLE).await;
    sweep(service, receipt).await?;
    receipt.finish(service).await
}

async fn sweep(service: &Service, receipt: &mut Receipt) -> Result<(), StoreError> {
    let mut scan = service.store.scan();
    while let Some(batch) = scan.next().await? {
        for (digest, entry) in batch {
            if concerns(&entry, receipt.at, &receipt.stamps) {
                discard(service, receipt, digest, &entry).await?;
            }
        }
        receipt.alive_ms = now_ms();
        receipt.write(service).await?;
    }
    Ok(())
}

async fn discard(
    service: &Service,
    receipt: &mut Receipt,
    digest: KeyDigest,
    entry: &StoredEntry,
) -> Result<(), StoreError> {
    if service.store.discard(digest, entry).await? {
        service.metrics.count(Family::EntriesRemoved, &["erased"]);
        receipt.entries = receipt.entries.saturating_add(1);
        let bytes = entry.frame.len() as u64;
        receipt.bytes = receipt.bytes.saturating_add(bytes);
    }
    Ok(())
}

/// Whether an entry is to go: it was asked for before the record, or nobody can say, and it is about the user, or nobody can say.
fn concerns(entry: &StoredEntry, at: Cursor, stamps: &[Stamp]) -> bool {
    if entry.cursor.log == at.log && entry.cursor.position >= at.position {
        return false;
    }
    match Frame::decode(&entry.frame) {
        Ok(frame) => {
            let key = frame.key();
            // What only tells where others are has no stamps, but whose it is stands in its key.
            let whose = key.identity().map(|user| {
                let tag = tags::user(user);
                Scope::Tag(&tag).stamp()
            });
            let own = frame.stamps().into_iter().flat_map(|own| own.iter());
            own.chain(whose).any(|stamp| stamps.contains(&stamp))
        }
        Err(_) => true,
    }
}

impl Receipt {
    async fn finish(&mut self, service: &Service) -> Result<(), StoreError> {
        self.finished = true;
        self.write(service).await
    }

    async fn write(&self, service: &Service) -> Result<(), StoreError> {
        let stamps = self.stamps.iter().map(|stamp| stamp.0);
        let stamps: Vec<u64> = stamps.collect();
        let document = json!({"at": self.at.to_string(), "stamps": stamps, "finished": self.finished, "entries": self.entries,
            "bytes": self.bytes, "alive_ms": self.alive_ms, "instances": self.instances});
        let (name, text) = (name(&self.id), document.to_string());
        service.store.put_document(&name, &text, KEEP).await
    }

    fn read(id: &str, text: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| document.get(name).and_then(Value::as_u64);
        let instances = document.get("instances")?.as_array()?.iter();
        let stamps = document.get("stamps")?.as_array()?.iter();
        Some(Self {
            id: id.to_owned(),
            at: Cursor::parse(document.get("at")?.as_str()?.as_bytes())?,
            stamps: stamps
                .filter_map(|stamp| stamp.as_u64().map(Stamp))
                .collect(),
            finished: document.get("finished")?.as_bool()?,
            entries: number("entries")?,
            bytes: number("bytes")?,
            alive_ms: number("alive_ms")?,
            instances: instances
                .filter_map(|id| Some(id.as_str()?.to_owned()))
                .collect(),
        })
    }
}

fn name(id: &str) -> String {
    format!("receipt:{id}")
}

fn now_ms() -> u64 {
    millis(Duration::from_nanos(now().as_nanos()))
}
