//! Looks at the fleet.

use serde_json::Value;

use super::said::Said;
use crate::glance::glance;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::v1::spread;

/// `GET invalidations/{id}`
pub(super) async fn invalidation(service: &Service, id: &str) -> Result<Said, Refusal> {
    let mut shown = spread(service, id).await?;
    let status = match shown.get("complete") {
        Some(Value::Bool(true)) => "done",
        Some(_) | None => "pending",
    };
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("wire");
    }
    Ok(Said::ok(shown).with("status", status))
}

/// `GET overview`
pub(super) async fn overview(service: &Service) -> Result<Said, Refusal> {
    let overview = serde_json::to_value(glance(service).await?);
    let overview = overview.map_err(|_| Refusal::unavailable("it cannot be written"))?;
    Ok(Said::ok(overview))
}
