//! The answer to a call: a status and JSON, errors in one form.

use std::rc::Rc;

use larder_core::exchange::{Body, Reply, Said};
use larder_core::http::Headers;
use larder_core::report::{CallOutcome, Counter};

use crate::json::Json;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status.
    pub status: u16,
    fields: Vec<(&'static str, String)>,
    body: String,
}

/// Whether the whole fleet can rely on what a call has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It stands in the fleet's log, under this name.
    Kept {
        /// A cursor ([`larder_core::fleet::Cursor`]).
        id: String,
    },
    /// It holds here, and is said to the others as soon as that works.
    Open,
}

impl Outcome {
    /// It was done.
    pub(crate) fn ok(body: Json) -> Self {
        Self::new(200, body)
    }

    /// It is under way.
    pub(crate) fn accepted(body: Json) -> Self {
        Self::new(202, body)
    }

    /// What is named is not there.
    pub(crate) fn absent(message: &str) -> Self {
        Self::error(404, "not_found", message)
    }

    /// It was understood and not done, for this reason.
    pub(crate) fn unprocessable(message: &str) -> Self {
        Self::error(422, "not_stored", message)
    }

    /// What it says when it is known whether the fleet's log has it.
    #[must_use]
    pub fn in_fleet(mut self, promise: &Promise) -> Self {
        let more = match promise {
            Promise::Kept { id } => Json::object().flag("durable", true).text("id", id),
            Promise::Open => {
                self.status = match self.status {
                    200 => 202,
                    status => status,
                };
                Json::object().flag("durable", false)
            }
        };
        self.add(&more.end())
    }

    /// With what a client may send along to be shown nothing older.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.add(&Json::object().text("token", token).end())
    }

    /// With a sentence for people.
    #[must_use]
    pub fn with_note(self, note: &str) -> Self {
        self.add(&Json::object().text("note", note).end())
    }

    /// The fields of another object behind its own.
    fn add(mut self, object: &str) -> Self {
        let more = object.strip_prefix('{').unwrap_or_default();
        if let Some(before) = self.body.strip_suffix('}') {
            self.body = match before {
                "{" => ["{", more].concat(),
                before => [before, ",", more].concat(),
            };
        }
        self
    }

    /// The body, in JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    fn new(status: u16, body: Json) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: body.end(),
        }
    }

    /// What goes out.
    pub fn reply(&self) -> Reply<'static> {
        let mut head = Headers::from_iter([
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
        ]);
        for (name, value) in &self.fields {
            head.push(name, value);
        }
        let body = [self.body.as_str(), "\n"].concat();
        Reply {
            status: self.status,
            pairs: Rc::new(head.to_pairs()),
            body: Body::Owned(body.into_bytes()),
            details: "larder_management",
        }
    }

    /// What it counts as.
    pub fn counter(&self) -> Counter {
        match self.status {
            ..400 => Counter::Called(CallOutcome::Ok),
            401 | 429 => Counter::AuthFailed,
            400..500 | 501 => Counter::Called(CallOutcome::Refused),
            500.. => Counter::Called(CallOutcome::Failed),
        }
    }

    pub(crate) fn said(&self) -> Said {
        Said {
            reply: self.reply(),
            counter: self.counter(),
        }
    }

    /// `{"error": {"code": ..., "message": ...}}`.
    fn error(status: u16, code: &str, message: &str) -> Self {
        let error = Json::object().text("code", code).text("message", message);
        Self::new(status, Json::object().nested("error", error))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// Something is wrong with the call.
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::error(400, "bad_request", message)
    }

    /// There is no token, or not one that could be right.
    pub(crate) fn unauthorized() -> Self {
        Self::error(
            401,
            "unauthorized",
            "the management API needs its token: `Authorization: Bearer <token>`",
        )
        .with("www-authenticate", "Bearer realm=\"larder\"")
    }

    /// The token is wrong.
    pub(crate) fn wrong_token() -> Self {
        Self::error(401, "unauthorized", "this is not the token").with(
            "www-authenticate",
            "Bearer realm=\"larder\", error=\"invalid_token\"",
        )
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self::error(404, "not_found", "the management API has no such path")
    }

    /// The path has other methods.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let message = ["this path takes ", allowed].concat();
        Self::error(405, "method_not_allowed", &message).with("allow", allowed)
    }

    /// The body is longer than any that is read here.
    pub(crate) fn too_large(most: usize) -> Self {
        let message = ["the body must be at most ", &most.to_string(), " bytes"].concat();
        Self::error(413, "too_large", &message)
    }

    /// From this address came too many wrong tokens.
    pub(crate) fn too_many_failures(seconds: u32) -> Self {
        Self::error(
            429,
            "too_many_attempts",
            "too many wrong tokens came from this address",
        )
        .with("retry-after", &seconds.to_string())
    }

    /// It does not work out now.
    pub fn busy() -> Self {
        Self::error(503, "busy", "try again").with("retry-after", "1")
    }

    /// What was asked for could not be noted, so nothing is promised.
    pub(crate) fn unnoted() -> Self {
        Self::error(
            503,
            "unavailable",
            "the proxy's shared memory cannot be written",
        )
    }

    /// The host failed under the call.
    pub fn internal() -> Self {
        Self::error(500, "internal", "the proxy did not do its part")
    }

    /// A body was waited for in vain.
    pub fn no_body() -> Self {
        Self::error(
            501,
            "no_body",
            "the body did not come within 5 seconds. Where that is so with every call, `allow_on_headers_stop_iteration: true` \
             is missing where Envoy loads this filter",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whether_the_fleet_can_rely_on_it() {
        let done = || Outcome::ok(Json::object().text("status", "invalidated"));
        let id = "0.1.2".to_owned();
        let kept = done().in_fleet(&Promise::Kept { id }).with_token("t");
        assert_eq!(kept.status, 200);
        let body = r#"{"status":"invalidated","durable":true,"id":"0.1.2","token":"t"}"#;
        assert_eq!(kept.body(), body);
        let open = done().in_fleet(&Promise::Open);
        assert_eq!(open.status, 202);
        assert_eq!(open.body(), r#"{"status":"invalidated","durable":false}"#);
        let empty = Outcome::ok(Json::object()).with_token("t");
        assert_eq!(empty.body(), r#"{"token":"t"}"#);
    }
}
