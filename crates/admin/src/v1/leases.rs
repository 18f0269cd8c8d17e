//! Leads: who may fetch what stands under a key.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;

use super::Answered;
use super::query::{Query, digest};
use crate::metrics::Family;
use crate::service::Service;

/// `DELETE /v1/leases/<digest>?fence=<number>`
pub(super) async fn release(
    State(service): State<Arc<Service>>,
    Path(text): Path<String>,
    uri: Uri,
) -> Answered {
    let digest = digest(&text)?;
    let fence = Query::of(&uri).number("fence")?;
    let released = service.store.release(digest, fence);
    let released = service.stored("release", released).await?;
    let result = match released {
        true => "released",
        false => "gone",
    };
    service.metrics.count(Family::Leases, &[result]);
    Ok(StatusCode::NO_CONTENT.into_response())
}
