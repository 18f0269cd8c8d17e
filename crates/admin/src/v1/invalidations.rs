//! The log of what was invalidated: saying it, following it, and who has followed it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::Uri;
use larder_core::epoch::Coverage;
use larder_core::fleet::{Cursor, InstanceId};
use larder_core::wire;
use larder_core::wire::{Answer, Batch, FleetConfig, MAX_BYTES, MAX_RECORDS, Posted, Said};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::query::Query;
use super::{Answered, json};
use crate::fleet::{Reported, millis};
use crate::follower::{Behind, Pulse, on_the_wire};
use crate::management::erasure;
use crate::metrics::{Family, Metrics};
use crate::refusal::Refusal;
use crate::service::{Disturbance, Service};
use crate::store::{self, Appended, NewRecord, Reading, Record};

/// Nobody waits longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Instances whose last word is told to who begins anew: all, since it may be its own that is asked for.
const SPEAKERS: usize = store::MAX_INSTANCES;

/// `POST /v1/invalidations`
pub(super) async fn post(State(service): State<Arc<Service>>, request: Request) -> Answered {
    let body = service.body(request, MAX_BYTES).await?;
    let batch = Batch::read(&body)?;
    let appended = put_into_the_log(&service, batch.instance, &batch.records).await?;
    let posted = Posted {
        cursor: appended.end,
        ids: appended.ids,
    };
    Ok(json(posted.write()))
}

/// Puts what is said into the log, and begins what follows from it.
pub(crate) async fn put_into_the_log(
    service: &Arc<Service>,
    by: Option<InstanceId>,
    said: &[Said],
) -> Result<Appended, Refusal> {
    let records: Vec<_> = said.iter().map(|said| new_record(by, said)).collect();
    let appended = service.store.append(&records);
    let appended = service.stored("append", appended).await?;
    service.follower.promise(appended.end);
    for (said, at) in said.iter().zip(&appended.ids) {
        noted(&service.metrics, said);
        if let Some(at) = at {
            erasure::begin(service, *at, said).await;
        }
    }
    Ok(appended)
}

/// What is said, as it stands in the log.
fn new_record(by: Option<InstanceId>, said: &Said) -> NewRecord {
    let counted = by.zip(said.seq);
    let text = Said {
        seq: None,
        ..said.clone()
    };
    NewRecord {
        said: counted.map(|(by, seq)| store::Said { by, seq }),
        body: text.body().into(),
    }
}

/// Counts what was put into the log.
fn noted(metrics: &Metrics, said: &Said) {
    let named = said.label.as_ref().map(wire::Label::kind);
    let kind = match (&said.invalidation.coverage, named) {
        (Coverage::All, _) => "all",
        (Coverage::Names(_), Some("prefix")) => "prefix",
        (Coverage::Names(_), _) => "pattern",
        (Coverage::Stamps(_), Some("group")) => "group",
        (Coverage::Stamps(_), Some("key")) => "key",
        (Coverage::Stamps(_), Some("tag")) => "tag",
        (Coverage::Stamps(_), _) => "stamps",
    };
    let mode = said.invalidation.mode.word();
    metrics.count(Family::Invalidations, &[kind, mode]);
}

/// What an instance that follows the log says of itself.
#[derive(Clone, Copy, Debug)]
struct Poll {
    began: Instant,
    after: Option<Cursor>,
    wait: Duration,
    instance: Option<InstanceId>,
    /// The version of the fleet's configuration that it has.
    config: u64,
}

impl Poll {
    fn of(uri: &Uri) -> Result<Self, Refusal> {
        let query = Query::of(uri);
        let after = query.text("after").map(str::as_bytes);
        let wait = Duration::from_secs(query.number("wait_seconds")?);
        Ok(Self {
            began: Instant::now(),
            // What cannot be read is no place in the log.
            after: after.and_then(Cursor::parse),
            wait: wait.min(LONGEST_WAIT),
            instance: query.instance()?,
            config: query.number("config")?,
        })
    }
}

/// `GET /v1/invalidations?after=<cursor>`
pub(super) async fn poll(State(service): State<Arc<Service>>, uri: Uri) -> Answered {
    let poll = Poll::of(&uri)?;
    // First this, then the look: what happens in between wakes.
    let mut pulse = service.follower.pulse();
    if service.follower.end().is_none() {
        return Err(Refusal::lost());
    }
    let Some(after) = poll.after else {
        return reset(&service, poll, "none").await;
    };
    match read(&service, after).await? {
        Reading::Reset { loss, .. } => {
            let reason = match loss {
                store::Loss::Trimmed => "trimmed",
                store::Loss::OtherLog => "other-log",
                store::Loss::Rewritten => "rewritten",
            };
            reset(&service, poll, reason).await
        }
        Reading::Records {
            records,
            cursor,
            more,
        } => {
            // Only now is it known to be a place in this log.
            acknowledge(&service, poll).await;
            let is_new = !records.is_empty() || config(&service, poll).await?.is_some();
            if is_new || poll.wait.is_zero() {
                let found = (records, cursor, more);
                return answer(&service, poll, found, Duration::ZERO).await;
            }
            wait(&service, poll, after, &mut pulse).await
        }
    }
}

async fn read(service: &Service, after: Cursor) -> Result<Reading, Refusal> {
    let reading = service.store.read(after, MAX_RECORDS);
    service.stored("read", reading).await
}

/// Who asks for what stands behind a place has applied what stands in front of it.
async fn acknowledge(service: &Service, poll: Poll) {
    if let (Some(id), Some(after)) = (poll.instance, poll.after)
        && service.roster.advances(id, after)
    {
        // It is for people: what goes wrong is counted, and the instance says it again with its heartbeat.
        let acknowledged = service.store.acknowledge(id, after);
        let _ = service.stored("acknowledge", acknowledged).await;
    }
}

/// Nothing stands there yet.
async fn wait(
    service: &Service,
    poll: Poll,
    after: Cursor,
    pulse: &mut tokio::sync::watch::Receiver<Pulse>,
) -> Answered {
    let _waiting = service.wait_for_log()?;
    let mut disturbing = service.follower.pulse();
    let is_news = |pulse: &Pulse| {
        let end = pulse.end.unwrap_or(after);
        end.log != after.log || end.position > after.position || pulse.config > poll.config
    };
    tokio::select! {
        biased;
        _ = pulse.wait_for(is_news) => {}
        disturbance = service.disturbed(&mut disturbing) => {
            if disturbance == Disturbance::Lost {
                return Err(Refusal::lost());
            }
        }
        () = tokio::time::sleep(poll.wait) => {}
    }
    let (found, confirmed) = match service.follower.behind(after, MAX_RECORDS) {
        Behind::Records {
            records,
            cursor,
            more,
            confirmed,
        } => ((records, cursor, more), confirmed),
        Behind::Nothing(confirmed) => ((Vec::new(), after, false), confirmed),
        Behind::Elsewhere => return again(service, poll, after).await,
    };
    let waited = confirmed.saturating_duration_since(poll.began);
    answer(service, poll, found, waited).await
}

/// It is not kept here, so the store has to say.
async fn again(service: &Service, poll: Poll, after: Cursor) -> Answered {
    let waited = poll.began.elapsed();
    match read(service, after).await? {
        Reading::Reset { .. } => reset(service, poll, "lost").await,
        Reading::Records {
            records,
            cursor,
            more,
        } => answer(service, poll, (records, cursor, more), waited).await,
    }
}

async fn reset(service: &Service, poll: Poll, reason: &'static str) -> Answered {
    // In this order: else it could name words that stand behind the end.
    let spoken = service.store.last_said(SPEAKERS);
    let mut spoken = service.stored("last_said", spoken).await?;
    // Who asks comes first: of a long list not everybody reads everything.
    spoken.sort_by_key(|said| Some(said.by) != poll.instance);
    let extent = service.stored("extent", service.store.extent()).await?;
    service.metrics.count(Family::Resets, &[reason]);
    let answer = Answer {
        cursor: extent.end,
        reset: true,
        more: false,
        waited_ms: 0,
        records: Vec::new(),
        config: config(service, poll).await?,
        instances: spoken.iter().map(|said| (said.by, said.seq)).collect(),
    };
    Ok(json(answer.write()))
}

/// The fleet's configuration, where it is another than who asks has.
async fn config(service: &Service, poll: Poll) -> Result<Option<FleetConfig>, Refusal> {
    let mut config = service.follower.config();
    // Another replica may have told it of one that this one has not seen yet; nobody is led back to an older one.
    if config.as_ref().map_or(0, |config| config.version) < poll.config {
        config = service.stored("config", service.store.config()).await?;
    }
    let config = match config {
        Some(config) => FleetConfig {
            version: config.version,
            patch: config.body.to_string(),
        },
        None => FleetConfig {
            version: 0,
            patch: "{}".to_owned(),
        },
    };
    Ok((config.version != poll.config).then_some(config))
}

async fn answer(
    service: &Service,
    poll: Poll,
    (records, cursor, more): (Vec<Record>, Cursor, bool),
    waited: Duration,
) -> Answered {
    for record in &records {
        if Some(record.said.by) != poll.instance {
            let lag = Family::InvalidationLag;
            service.metrics.measure(lag, &[], record.age);
        }
    }
    let answer = Answer {
        cursor,
        reset: false,
        more,
        waited_ms: millis(waited),
        records: records.iter().map(on_the_wire).collect(),
        config: config(service, poll).await?,
        instances: Vec::new(),
    };
    Ok(json(answer.write()))
}

/// `GET /v1/invalidations/<cursor>`
pub(super) async fn show(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Answered {
    let shown = spread(&service, &id).await?;
    Ok(json(shown.to_string()))
}

/// Who has applied a record, and how long that took.
pub(crate) async fn spread(service: &Service, id: &str) -> Result<Value, Refusal> {
    let unknown = || Refusal::absent("there is no such record in the log, or not any more");
    let at = Cursor::parse(id.as_bytes()).ok_or_else(unknown)?;
    let acknowledged = service.store.acknowledged(at);
    let acknowledged = service.stored("acknowledged", acknowledged).await?;
    let found = acknowledged.ok_or_else(unknown)?;
    let instances = service
        .stored("instances", service.store.instances())
        .await?;
    let instances: Vec<_> = instances.iter().map(Reported::of).collect();
    let node = |id| {
        let known = instances.iter().find(|known| known.id == id);
        known.map_or(Value::Null, |known| known.field("node"))
    };
    let applied = found.by.iter().map(|by| {
        json!({"instance": by.instance.to_string(), "node": node(by.instance), "after_ms": millis(by.lag)})
    });
    let has_said = |known: &&Reported| found.by.iter().any(|by| by.instance == known.id);
    let missing = instances
        .iter()
        .filter(|known| !has_said(known) && !known.has_applied(at));
    let missing: Vec<_> = missing.map(Reported::named).collect();
    let erased = instances.iter().filter(|known| known.has_erased(at));
    let text: Value = serde_json::from_str(&found.record.body).unwrap_or(Value::Null);
    let of = |name: &str| text.get(name).cloned().unwrap_or(Value::Null);
    Ok(json!({
        "wire": wire::WIRE,
        "id": at.to_string(),
        "age_ms": millis(found.record.age),
        "instance": found.record.said.by.to_string(),
        "seq": found.record.said.seq,
        "mode": of("mode"),
        "kind": of("kind"),
        "value": of("value"),
        "applied": applied.collect::<Vec<_>>(),
        "erased": erased.map(Reported::named).collect::<Vec<_>>(),
        // Where nobody is known, nobody has.
        "complete": missing.is_empty() && !instances.is_empty(),
        "missing": missing,
    }))
}
