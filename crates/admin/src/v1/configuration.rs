//! What the fleet changes of each instance's configuration.
//!
//! Instances may be configured differently, so what stands in the store is no configuration but a change of one: a JSON Merge
//! Patch, as the management API takes it. A second change is merged into the first.

use std::sync::Arc;

use axum::extract::{Request, State};
use larder_core::wire::WIRE;
use larder_manage::compose;
use serde_json::{Map, Value, json};

use super::instances::object;
use super::{Answered, json};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::Replaced;

const LONGEST: usize = 512 << 10;
/// As often is a change tried that others come before.
const TRIES: usize = 50;

/// `GET /v1/config`
pub(super) async fn show(State(service): State<Arc<Service>>) -> Answered {
    let config = service.stored("config", service.store.config()).await?;
    let (version, patch) = match &config {
        Some(config) => (config.version, &*config.body),
        None => (0, "{}"),
    };
    let patch: Value = serde_json::from_str(patch).unwrap_or(json!({}));
    let shown = json!({"wire": WIRE, "version": version, "patch": patch});
    Ok(json(shown.to_string()))
}

/// `PUT /v1/config`: `{"patch": {...}}`, or `{"reset": true}`.
pub(super) async fn change(State(service): State<Arc<Service>>, request: Request) -> Answered {
    let body = service.body(request, LONGEST).await?;
    let said = object(&body)?;
    let patch = match (said.get("patch"), said.get("reset")) {
        (Some(Value::Object(patch)), None) => Some(patch),
        (None, Some(Value::Bool(true))) => None,
        _ => {
            let problem = "must have either `patch`, an object, or `reset: true`";
            return Err(Refusal::malformed(problem));
        }
    };
    let version = replace(&service, patch).await?;
    Ok(json(json!({"wire": WIRE, "version": version}).to_string()))
}

/// Merges a change into that of the fleet, or takes all of it back; the version of what stands there now.
///
/// # Errors
/// Where the store does not answer, or what comes of it is none.
async fn replace(service: &Service, patch: Option<&Map<String, Value>>) -> Result<u64, Refusal> {
    composed(service, patch, |_| Ok(())).await
}

/// The same, if `check` finds nothing wrong with all of the fleet's change.
///
/// # Errors
/// As above, and as `check` has it.
pub(crate) async fn composed(
    service: &Service,
    patch: Option<&Map<String, Value>>,
    check: impl Fn(&str) -> Result<(), Refusal>,
) -> Result<u64, Refusal> {
    for _ in 0..TRIES {
        let before = service.stored("config", service.store.config()).await?;
        let (version, text) = match &before {
            Some(config) => (config.version, &*config.body),
            None => (0, "{}"),
        };
        let whole = match patch {
            None => "{}".to_owned(),
            Some(patch) => compose(text, patch).map_err(Refusal::malformed)?,
        };
        check(&whole)?;
        let put = service.store.put_config(version, &whole);
        if let Replaced::Stored(version) = service.stored("put_config", put).await? {
            return Ok(version);
        }
    }
    Err(Refusal::unavailable("others change the configuration, too"))
}
