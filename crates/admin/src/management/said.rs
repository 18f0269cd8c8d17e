//! What is said to people: a status and JSON, errors in the form of the management API.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_core::exchange::{Reply, Said as SaidAtTheDoor};
use larder_core::http::Headers;
use larder_manage::Outcome;
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// What is said to somebody.
#[derive(Clone, Debug)]
pub struct Said {
    /// The status.
    pub status: u16,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Value,
}

impl Said {
    /// It was done.
    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// With this status.
    pub fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body,
        }
    }

    /// It was not done.
    pub fn failed(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, json!({"error": {"code": code, "message": message}}))
    }

    /// It is done elsewhere.
    pub fn elsewhere(what: &str) -> Self {
        let message = format!(
            "{what}, so it is answered by each Envoy's own management API, not by the fleet's"
        );
        Self::failed(501, "elsewhere", &message)
    }

    /// What the desk of the management API says.
    pub fn of(outcome: &Outcome) -> Self {
        Self::replied(&outcome.reply())
    }

    /// What is said at its door.
    pub fn at_the_door(said: &SaidAtTheDoor) -> Self {
        Self::replied(&said.reply)
    }

    fn replied(reply: &Reply<'_>) -> Self {
        let fields = Headers::copy_of_pairs(&reply.pairs).unwrap_or_default();
        let fields = fields.iter();
        Self {
            status: reply.status,
            fields: fields
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
            body: serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
        }
    }

    /// With another field in its body, in place of one of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(fields) = &mut self.body {
            fields.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Without a field of its body.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Value::Object(fields) = &mut self.body {
            fields.remove(name);
        }
        self
    }
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.status() {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "bad_request",
        };
        Self::failed(refusal.status().as_u16(), code, refusal.because())
    }
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Body::from(format!("{}\n", self.body))).into_response();
        let fields = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        fields.insert(header::CONTENT_TYPE, json);
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in &self.fields {
            let name = HeaderName::from_bytes(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                fields.insert(name, value);
            }
        }
        response
    }
}
