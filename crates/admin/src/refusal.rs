//! Why a request is not answered as it was meant: a status, and a sentence in JSON.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_core::config::reading::quote;
use larder_core::wire::{WIRE, WireError};

use crate::store::StoreError;

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    because: String,
    field: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, because: impl Into<String>) -> Self {
        let because = because.into();
        let field = None;
        Self {
            status,
            because,
            field,
        }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.field = Some((name, value));
        self
    }

    /// Something is wrong with the request.
    pub fn malformed(because: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, because)
    }

    /// It has no secret, or the wrong one.
    pub fn unauthorized() -> Self {
        let because =
            "needs the secret of the fleet: `authorization: Bearer <LARDER_ADMIN_SECRET>`";
        let scheme = HeaderValue::from_static("Bearer realm=\"larder-admin\"");
        Self::new(StatusCode::UNAUTHORIZED, because).with(header::WWW_AUTHENTICATE, scheme)
    }

    /// What it names is not there.
    pub fn absent(because: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, because)
    }

    /// The path has other methods.
    pub fn other_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not take that method",
        )
    }

    /// What stands there is newer.
    pub fn outdated(because: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, because)
    }

    /// It is longer than that.
    pub fn too_large(most: usize) -> Self {
        let because = format!("the body must be at most {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, because)
    }

    /// It did not come in time.
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
    }

    /// It speaks another version.
    pub fn other_wire(version: &str) -> Self {
        let because = format!("wire version {version} is not known, {WIRE} is");
        Self::new(StatusCode::UPGRADE_REQUIRED, because)
    }

    /// Nothing was promised.
    pub fn unavailable(because: impl Into<String>) -> Self {
        let soon = HeaderValue::from_static("1");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, because).with(header::RETRY_AFTER, soon)
    }

    /// The log is not followed.
    pub fn lost() -> Self {
        Self::unavailable("the store does not answer")
    }

    /// Why, for people.
    pub fn because(&self) -> &str {
        &self.because
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { limit, .. } => Self::too_large(limit),
            StoreError::Corrupt(_) | StoreError::Refused(_) | StoreError::Unreachable(_) => {
                Self::unavailable(error.to_string())
            }
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Version(version) => Self::other_wire(&version.to_string()),
            WireError::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            WireError::Malformed(_) | WireError::NoObject => Self::malformed(error.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = String::from("{\"error\":");
        quote(&self.because, &mut body);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            body.push_str(&format!(",\"wire\":{WIRE}"));
        }
        body.push_str("}\n");
        let mut response = (self.status, body).into_response();
        let fields = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        fields.insert(header::CONTENT_TYPE, json);
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.field {
            fields.insert(name, value);
        }
        response
    }
}
