//! The management API for the fleet, and what the page is shown.
//!
//! ```text
//! request ─▶ front: is it a call, may who asks ─▶ (body) ─▶ desk: what is decided ─▶ store: what comes of it ─▶ what is said
//! ```
//!
//! It is the filter's own, by the same code, so all that holds for one Envoy holds here: the same paths, the same token, the
//! same purging methods on any path. What is invalidated stands in the log before the answer goes out; numbers are those of all
//! instances; the configuration is changed for all. What is a matter of one process (looking at what it has stored, fetching
//! in advance, counting what an invalidation would meet) is refused with a word on where it is done.

mod base;
mod desk;
pub(crate) mod erasure;
mod front;
mod look;
mod said;
mod totals;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use larder_core::fleet::Cursor;
use larder_manage::{Ask, Place, Settings, Verb};
use serde_json::{Map, Value};

use crate::fleet::Reported;
use crate::metrics::Family;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::Appended;
use crate::v1::{composed, put_into_the_log};
use base::Base;
use desk::{Changed, Done, Errand};
use said::Said;

use front::Admitted;
pub use front::{FrontDesk, Head, PREFIX};

/// Answers calls; everything else goes on.
pub async fn people(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let Some(front) = service.front.as_ref().filter(|_| may_be_a_call(&request)) else {
        return next.run(request).await;
    };
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from = from.map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |from| from.0);
    let (parts, body) = request.into_parts();
    let head = Head::of(&parts);
    let is_overview = parts.uri.path() == [PREFIX, "/overview"].concat();
    // It is no path of the filter's, and opens to the same token.
    let asked = match is_overview && parts.method == Method::GET {
        true => head.clone().at(&[PREFIX, "/stats"].concat()),
        false => head.clone(),
    };
    let request = Request::from_parts(parts, body);
    let said = match front.receive(&asked, from) {
        None => return next.run(request).await,
        Some(Admitted::Answered(said)) => {
            if said.status == 401 || said.status == 429 {
                service.metrics.count(Family::AuthFailures, &["token"]);
            }
            Ok(said)
        }
        Some(Admitted::Asked(..)) if is_overview => look::overview(&service).await,
        Some(Admitted::Asked(ask, most)) => {
            called(&service, front, (head, ask, most), request).await
        }
    };
    said.unwrap_or_else(Said::from).into_response()
}

/// Instances ask so often that their requests are not looked at twice.
fn may_be_a_call(request: &Request) -> bool {
    let is_plain =
        [Method::GET, Method::PUT, Method::POST, Method::DELETE].contains(request.method());
    !(is_plain && request.uri().path().starts_with("/v1/"))
}

async fn called(
    service: &Arc<Service>,
    front: &FrontDesk,
    (head, ask, most): (Head, Ask, usize),
    request: Request,
) -> Result<Said, Refusal> {
    let _place = service.enter()?;
    let content = match most {
        0 => Vec::new(),
        most => match service.body(request, most).await {
            Ok(content) => content.to_vec(),
            Err(refusal) if refusal.status() == 413 => return Ok(front.too_large(most)),
            Err(refusal) => return Err(refusal),
        },
    };
    match ask {
        Ask::Api(verb, place) => api(service, (verb, place), head, content).await,
        Ask::Purge(_) => invalidated(service, head, content).await,
    }
}

async fn api(
    service: &Arc<Service>,
    (verb, place): (Verb, Place),
    head: Head,
    content: Vec<u8>,
) -> Result<Said, Refusal> {
    match (verb, &place) {
        (_, Place::Stats) => Ok(Said::ok(totals::stats(&instances(service).await?))),
        (_, Place::Performance) => Ok(Said::ok(totals::performance(&instances(service).await?))),
        (_, Place::Invalidation(id)) => look::invalidation(service, id).await,
        (_, Place::UserReceipt(id)) => erasure::show(service, id).await,
        (_, Place::User(_)) => forgotten(service, head, content).await,
        (Verb::Put | Verb::Delete, Place::Config) => configured(service, head, content).await,
        (Verb::Get | Verb::Post, Place::Config) => shown(service, head).await,
        (_, Place::Explain) => Ok(decided(service, head, content).await?.0.said),
        (_, Place::Entries(_)) | (Verb::Get | Verb::Put | Verb::Post, Place::Entry(_)) => {
            Ok(Said::elsewhere("what is stored is another at each process"))
        }
        (_, Place::Warm | Place::WarmJob(_)) => Ok(Said::elsewhere(
            "only a proxy has its clusters to fetch through",
        )),
        (Verb::Delete, Place::Entry(_))
        | (
            _,
            Place::Invalidate
            | Place::InvalidateKey(_)
            | Place::InvalidatePattern(_)
            | Place::InvalidateTag(..),
        ) => invalidated(service, head, content).await,
    }
}

async fn instances(service: &Service) -> Result<Vec<Reported>, Refusal> {
    let instances = service
        .stored("instances", service.store.instances())
        .await?;
    Ok(instances.iter().map(Reported::of).collect())
}

/// What the desk makes of a call, and the configurations that it went by.
async fn decided(
    service: &Service,
    head: Head,
    content: Vec<u8>,
) -> Result<(Done, Vec<Base>), Refusal> {
    let bases = base::bases(service, &instances(service).await?).await?;
    let config = service.stored("config", service.store.config()).await?;
    let errand = Errand {
        head,
        content,
        base: base::foremost(&bases),
        patch: config.map_or("{}".to_owned(), |config| config.body.to_string()),
        token: service.settings.token_text.0.clone().unwrap_or_default(),
    };
    let done = tokio::task::spawn_blocking(move || desk::done(&errand)).await;
    let done = done.map_err(|_| Refusal::unavailable("the call was not answered"))?;
    Ok((done, bases))
}

/// Puts what a call has ended into the log.
async fn told(service: &Arc<Service>, done: &Done) -> Result<Option<Appended>, Refusal> {
    if done.records.is_empty() {
        return Ok(None);
    }
    let appended = put_into_the_log(service, None, &done.records).await?;
    let (records, end) = (done.records.len(), appended.end.to_string());
    tracing::info!(records, end, "invalidated by a call of the management API");
    Ok(Some(appended))
}

fn last_of(appended: &Appended) -> Cursor {
    let last = appended.ids.iter().flatten().next_back();
    last.copied().unwrap_or(appended.end)
}

async fn invalidated(
    service: &Arc<Service>,
    head: Head,
    content: Vec<u8>,
) -> Result<Said, Refusal> {
    let (done, _) = decided(service, head, content).await?;
    let Some(appended) = told(service, &done).await? else {
        if done.said.body.get("status").and_then(Value::as_str) == Some("counting") {
            let message = "what an invalidation would meet is counted by one Envoy: try it at its own management API";
            return Ok(Said::failed(422, "elsewhere", message));
        }
        return Ok(done.said);
    };
    let id = last_of(&appended).to_string();
    // How many there were, and a receipt for that, only a process can say.
    let said = done.said.without("entries").without("receipt");
    Ok(said.with("durable", true).with("id", id))
}

/// `DELETE users/{id}`
async fn forgotten(service: &Arc<Service>, head: Head, content: Vec<u8>) -> Result<Said, Refusal> {
    let (done, _) = decided(service, head, content).await?;
    let Some(appended) = told(service, &done).await? else {
        return Ok(done.said);
    };
    let at = last_of(&appended);
    // What the log is told begins the rest, and its receipt has the record's name.
    let said = done.said.with("receipt", at.to_string());
    Ok(said.with("durable", true).with("id", at.to_string()))
}

/// `GET config`
async fn shown(service: &Service, head: Head) -> Result<Said, Refusal> {
    let (done, bases) = decided(service, head, Vec::new()).await?;
    let config = service.stored("config", service.store.config()).await?;
    let (version, patch) = match &config {
        Some(config) => (config.version, &*config.body),
        None => (0, "{}"),
    };
    let patch: Value = serde_json::from_str(patch).unwrap_or(Value::Null);
    let known = bases.iter().map(|base| {
        let mut one = Map::new();
        one.insert("config_hash".to_owned(), base.hash.clone().into());
        one.insert("instances".to_owned(), base.instances.into());
        Value::Object(one)
    });
    let known: Vec<_> = known.collect();
    let said = done.said.with("version", version).with("patch", patch);
    Ok(said.with("configurations", known))
}

/// `PUT config`, `DELETE config`
async fn configured(service: &Service, head: Head, content: Vec<u8>) -> Result<Said, Refusal> {
    let (done, bases) = decided(service, head, content).await?;
    let patch = match &done.change {
        None => return Ok(done.said),
        Some(Changed::Reset) => None,
        Some(Changed::Patch(patch)) => Some(patch),
    };
    if bases.is_empty() {
        return Err(Refusal::unavailable(
            "no instance has told its configuration yet, so nobody can say whether the change fits",
        ));
    }
    let version = composed(service, patch, |whole| fits(whole, &bases)).await?;
    Ok(done.said.with("version", version))
}

/// Whether a change of the fleet's makes a configuration of each that is known.
fn fits(whole: &str, bases: &[Base]) -> Result<(), Refusal> {
    for base in bases {
        let text = desk::managed(base.configuration.clone()).to_string();
        let patched = Settings::new(text.as_bytes()).patched(whole.as_bytes());
        patched.map_err(|problem| {
            let (count, hash) = (base.instances, &base.hash);
            Refusal::malformed(format!(
                "at {count} instances (configuration {hash}): {problem}"
            ))
        })?;
    }
    Ok(())
}
