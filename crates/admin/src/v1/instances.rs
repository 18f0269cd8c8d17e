//! Instances: what they say of themselves, and what clients ask them for.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::Uri;
use larder_core::fleet::Cursor;
use larder_core::wire::{WIRE, WireError};
use serde_json::{Map, Value, json};

use super::query::{self, Query};
use super::{Answered, json};
use crate::fleet::Reported;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::Heat;

/// The longest that one says at a time; its configuration may be in it.
const LONGEST: usize = 1 << 20;
/// What is asked for most: no more of it at a time.
const MOST_HEAT: usize = 1000;
/// A configuration is kept for so long after it was told; then it is asked for again.
pub(crate) const KEEP_CONFIGURATION: Duration = Duration::from_secs(86_400);

/// `POST /v1/instances/<id>`
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    request: Request,
) -> Answered {
    let id = query::instance(&id)?;
    let body = service.body(request, LONGEST).await?;
    let mut report = object(&body)?;
    let configuration = report.remove("configuration");
    let heat = report.remove("heat");
    let applied = report.get("applied").and_then(Value::as_str);
    let applied = applied.and_then(|text| Cursor::parse(text.as_bytes()));
    let hash = report.get("config_hash").and_then(Value::as_str);
    let hash = hash.unwrap_or_default().to_owned();
    let text = Value::Object(report).to_string();
    let reported = service.store.report(id, applied, &text);
    service.stored("report", reported).await?;
    let heat = heats(heat.as_ref());
    if !heat.is_empty() {
        service
            .stored("add_heat", service.store.add_heat(&heat))
            .await?;
    }
    let wants = match known(&service, &hash, configuration).await? {
        true => json!([]),
        false => json!(["configuration"]),
    };
    Ok(json(json!({"wire": WIRE, "wants": wants}).to_string()))
}

/// A JSON object in a version that is known.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(WireError::NoObject.into());
    };
    match object.get("wire").map(Value::as_u64) {
        None | Some(Some(WIRE)) => Ok(object),
        Some(Some(version)) => Err(WireError::Version(version).into()),
        Some(None) => Err(Refusal::malformed("wire: must be a whole number")),
    }
}

/// Whether the configuration with this hash is known, now that it may have been told.
async fn known(service: &Service, hash: &str, told: Option<Value>) -> Result<bool, Refusal> {
    let is_hash = |byte: u8| byte.is_ascii_alphanumeric();
    if hash.is_empty() || hash.len() > 64 || !hash.bytes().all(is_hash) {
        return Ok(true); // it can not be told apart from others, so it is of no use
    }
    let name = configuration_name(hash);
    if let Some(configuration) = told.filter(Value::is_object) {
        let text = configuration.to_string();
        let put = service.store.put_document(&name, &text, KEEP_CONFIGURATION);
        service.stored("put_document", put).await?;
        service.roster.saw(hash);
        return Ok(true);
    }
    if service.roster.has(hash) {
        return Ok(true);
    }
    let document = service.stored("document", service.store.document(&name));
    let is_known = document.await?.is_some();
    if is_known {
        service.roster.saw(hash);
    }
    Ok(is_known)
}

/// Under which name the configuration with this hash stands.
pub(crate) fn configuration_name(hash: &str) -> String {
    format!("configuration:{hash}")
}

/// What was asked for. A name is the URL, and behind a space the digest.
fn heats(value: Option<&Value>) -> Vec<Heat> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    let heats = items.filter_map(|item| {
        let url = item.get("url")?.as_str()?;
        let digest = item.get("digest").and_then(Value::as_str).unwrap_or("");
        let is_digest = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = match is_digest && !url.contains(' ') {
            true => format!("{url} {digest}"),
            false => return None,
        };
        Some(Heat {
            name: name.into(),
            count: item.get("count")?.as_u64()?,
        })
    });
    heats.take(MOST_HEAT).collect()
}

/// `GET /v1/heat?limit=100`
pub(super) async fn heat(State(service): State<Arc<Service>>, uri: Uri) -> Answered {
    let limit = match Query::of(&uri).number("limit")? {
        0 => 100,
        limit => usize::try_from(limit).unwrap_or(MOST_HEAT).min(MOST_HEAT),
    };
    let hottest = service
        .stored("hottest", service.store.hottest(limit))
        .await?;
    let shown = hottest.iter().map(|heat| {
        let (url, digest) = heat.name.rsplit_once(' ').unwrap_or((&heat.name, ""));
        json!({"url": url, "digest": digest, "count": heat.count})
    });
    let shown: Vec<_> = shown.collect();
    Ok(json(json!({"wire": WIRE, "heat": shown}).to_string()))
}

/// `GET /v1/instances`
pub(super) async fn list(State(service): State<Arc<Service>>) -> Answered {
    let instances = service
        .stored("instances", service.store.instances())
        .await?;
    let shown: Vec<_> = instances
        .iter()
        .map(|instance| Reported::of(instance).shown())
        .collect();
    Ok(json(json!({"wire": WIRE, "instances": shown}).to_string()))
}
