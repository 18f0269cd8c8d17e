//! All that the service answers to.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;

use crate::management::people;
use crate::metrics::Family;
use crate::page;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::v1;

/// All that the service answers to.
pub fn routes(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(page::routes())
        .merge(v1::routes(service))
        .fallback(nothing)
        .layer(from_fn_with_state(Arc::clone(service), people))
        .layer(from_fn_with_state(Arc::clone(service), count))
        .with_state(Arc::clone(service))
}

async fn nothing() -> Refusal {
    Refusal::absent("there is no such path")
}

/// The process runs.
async fn alive() -> &'static str {
    "ok\n"
}

/// It can do its work: the store answers, and the log is followed.
async fn ready(State(service): State<Arc<Service>>) -> Result<&'static str, Refusal> {
    if service.is_draining() {
        return Err(Refusal::unavailable("the service goes down"));
    }
    if service.follower.end().is_none() {
        return Err(Refusal::unavailable(
            "the log is not followed: the store does not answer, or not yet",
        ));
    }
    service.stored("ping", service.store.ping()).await?;
    Ok("ready\n")
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let metrics = &service.metrics;
    let end = service.follower.end();
    // Where the store does not answer, the last number stands, and `following` says so.
    if end.is_some()
        && let Ok(known) = service.stored("instances", service.store.instances()).await
    {
        metrics.set(Family::Instances, &[], known.len() as u64);
    }
    metrics.set(Family::Following, &[], u64::from(end.is_some()));
    if let Some(end) = end {
        metrics.set(Family::FollowerPosition, &[], end.position);
    }
    let age = service.follower.confirmed().elapsed();
    metrics.set(Family::FollowerAge, &[], age.as_secs());
    let mut response = metrics.exposition().into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Counts what was answered.
async fn count(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("other", MatchedPath::as_str);
    let method = match request.method().as_str() {
        method @ ("GET" | "PUT" | "POST" | "DELETE" | "HEAD" | "PURGE" | "BAN") => method,
        _ => "other",
    };
    let route = format!("{method} {path}");
    let waits = v1::waits(&request);
    let response = next.run(request).await;
    let status = response.status();
    let labels = [route.as_str(), status.as_str()];
    service.metrics.count(Family::Requests, &labels);
    if !waits {
        let took = begun.elapsed();
        service
            .metrics
            .measure(Family::RequestSeconds, &[&route], took);
    }
    tracing::debug!(route, status = status.as_u16(), "answered");
    response
}
