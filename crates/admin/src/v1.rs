//! What instances ask for: `/v1/`, with the secret of the fleet, in a version of the wire that is known.

mod configuration;
mod entries;
mod instances;
mod invalidations;
mod leases;
mod query;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use larder_core::wire::{WIRE, WIRE_FIELD};

use self::query::Query;
use crate::metrics::Family;
use crate::refusal::Refusal;
use crate::service::Service;

pub(crate) use configuration::composed;
pub(crate) use instances::configuration_name;
pub(crate) use invalidations::{put_into_the_log, spread};

/// An answer, or why there is none.
type Answered = Result<Response, Refusal>;

/// All of it.
pub fn routes(service: &Arc<Service>) -> Router<Arc<Service>> {
    Router::new()
        .route(
            "/v1/invalidations",
            get(invalidations::poll).post(invalidations::post),
        )
        .route("/v1/invalidations/{id}", get(invalidations::show))
        .route("/v1/entries/{digest}", get(entries::get).put(entries::put))
        .route("/v1/leases/{digest}", delete(leases::release))
        .route("/v1/instances", get(instances::list))
        .route("/v1/instances/{id}", post(instances::report))
        .route("/v1/heat", get(instances::heat))
        .route(
            "/v1/config",
            put(configuration::change).get(configuration::show),
        )
        .route("/v1/{*other}", axum::routing::any(nothing))
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(Arc::clone(service), guard))
}

async fn nothing() -> Refusal {
    Refusal::absent("there is no such path")
}

async fn other_method() -> Refusal {
    Refusal::other_method()
}

/// Lets in who has the secret and speaks this version; who waits for nothing takes a place among those that are answered.
async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&service, &request) {
        Err(refusal) => refusal.into_response(),
        Ok(()) if waits(&request) => next.run(request).await,
        Ok(()) => match service.enter() {
            Err(refusal) => refusal.into_response(),
            Ok(_place) => next.run(request).await,
        },
    };
    let name = HeaderName::from_static(WIRE_FIELD);
    response.headers_mut().insert(name, HeaderValue::from(WIRE));
    response
}

fn admit(service: &Service, request: &Request) -> Result<(), Refusal> {
    let fields = request.headers();
    let given = fields.get(header::AUTHORIZATION);
    if let Some(secret) = &service.settings.secret
        && !secret.is_in(given.map(HeaderValue::as_bytes))
    {
        service.metrics.count(Family::AuthFailures, &["secret"]);
        return Err(Refusal::unauthorized());
    }
    let version = fields.get(WIRE_FIELD);
    match version.map(|version| version.to_str().unwrap_or("?")) {
        None => Ok(()),
        Some(version) if version.parse() == Ok(WIRE) => Ok(()),
        Some(version) => Err(Refusal::other_wire(version)),
    }
}

/// Whether a request may wait for something to happen, which has a bound of its own.
pub(crate) fn waits(request: &Request) -> bool {
    let query = Query::of(request.uri());
    let is_asked = |name| query.text(name).is_some_and(|text| text != "0");
    request.method() == Method::GET && (is_asked("wait_ms") || is_asked("wait_seconds"))
}

/// JSON that nobody may keep.
fn json(body: String) -> Response {
    let mut response = body.into_response();
    let fields = response.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    fields.insert(header::CONTENT_TYPE, kind);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
